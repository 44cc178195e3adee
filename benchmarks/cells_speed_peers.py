"""The same regression by packages that hold the rows in memory: pyfixest and linearmodels.

Run with the Python of an environment that has them (they are not dependencies of medhome):

    PEERS/bin/python benchmarks/cells_speed_peers.py pyfixest FOLDER

Prints one JSON line: estimate, error, seconds from Parquet to the fit, and peak memory. pyfixest compiles
itself at its first call; a fit on a few rows comes before the clock, so that compiling is not counted.
"""

from __future__ import annotations

import glob
import json
import resource
import sys
import time

import numpy as np
import pandas as pd

COLUMNS = ["cost", "treat", "age", "risk", "female", "practice", "month"]
FORMULA = "cost ~ treat + age + risk + female | practice + month"


def rows(folder: str, few: bool = False) -> pd.DataFrame:
    """The columns of the regression, in dollars and units of risk; of a few rows of the first part."""
    parts = sorted(glob.glob(f"{folder}/*.parquet"))
    frame = pd.concat([pd.read_parquet(p, columns=COLUMNS) for p in (parts[:1] if few else parts)])
    frame = frame.iloc[:200_000] if few else frame
    frame["cost"] = frame["cost"] / 100
    frame["risk"] = frame["risk"] / 1000
    return frame


def pyfixest(frame: pd.DataFrame) -> dict[str, float]:
    import pyfixest as pf

    fit = pf.feols(FORMULA, data=frame, vcov={"CRV1": "practice"})
    return {"estimate": float(fit.coef()["treat"]), "se": float(fit.se()["treat"])}


def linearmodels(frame: pd.DataFrame) -> dict[str, float]:
    from linearmodels.iv.absorbing import AbsorbingLS

    effects = frame[["practice", "month"]].astype("category")
    names = ["treat", "age", "risk", "female"]
    # Its own clustered error has another small-sample factor; without debiasing it has none.
    fit = AbsorbingLS(frame["cost"], frame[names].astype(float), absorb=effects).fit(
        cov_type="clustered", clusters=frame["practice"], debiased=False
    )
    G, N = frame["practice"].nunique(), len(frame)
    K = len(names) + frame["month"].nunique()
    factor = G / (G - 1) * (N - 1) / (N - K)
    own = float(fit.std_errors["treat"])
    return {"estimate": float(fit.params["treat"]), "se": own * np.sqrt(factor), "own_se": own}


def main() -> None:
    name, folder = sys.argv[1:3]
    fit = {"pyfixest": pyfixest, "linearmodels": linearmodels}[name]
    fit(rows(folder, few=True))
    began, worked = time.perf_counter(), time.process_time()
    found = fit(rows(folder))
    found["seconds"] = time.perf_counter() - began
    found["cpu_seconds"] = time.process_time() - worked
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))


if __name__ == "__main__":
    main()
