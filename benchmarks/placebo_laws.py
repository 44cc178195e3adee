"""Do tests on random laws reject as often as they should? 400 placebo laws on state-year wages.

    python -m benchmarks.placebo_laws [number of laws]

Reads CPS.csv.gz (docs/reference-data.md) and prints tables in Markdown; docs/benchmarks/placebo_laws.md keeps
the last ones. Each law passes in random states in a random year from 1985 to 2009, and changes nothing; a 5%
test should reject one in twenty. Bertrand, Duflo and Mullainathan 2004.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
import pandas as pd

from medhome.models.panels.absorb import codes, least_squares
from medhome.models.panels.vcov import cr1, cr2, cr3, hc1, iid
from medhome.models.panels.wild import wild_cluster

SEED = 20040
ROOT = Path(__file__).resolve().parents[1]


def laws(data: pd.DataFrame, number: int, passing: int) -> pd.DataFrame:
    """Share of laws rejected at 5% by each test, with its Monte Carlo error; ``passing`` states of 50."""
    state, year = codes(data["state"].to_numpy()), data["year"].to_numpy()
    effects = {"state": state, "year": year}
    tests = ("iid", "HC1", "CR1 by state", "CR2 by state", "CR3 by state", "WCR11", "WCR31")
    rejected = dict.fromkeys(tests, 0)
    for law in range(number):
        rng = np.random.default_rng([SEED, law])
        passed = rng.permutation(50)[:passing]
        start = rng.integers(1985, 2010)
        d = (np.isin(state, passed) & (year >= start)).astype(float)
        fit = least_squares(data["log_wage"].to_numpy(), d[:, None], ["law"], effects=effects)
        for name, found in zip(
            rejected, (iid(fit), hc1(fit), cr1(fit, state), cr2(fit, state), cr3(fit, state)), strict=False
        ):
            rejected[name] += found.of(fit, "law").p < 0.05
        for variant in ("11", "31"):
            boot = wild_cluster(fit, state, "law", variant=variant, draws=999, seed=law)  # type: ignore[arg-type]
            rejected[f"WCR{variant}"] += boot.p < 0.05
    share = {name: count / number for name, count in rejected.items()}
    return pd.DataFrame({"test": list(share), "rejected": list(share.values()),
                         "error": [(s * (1 - s) / number) ** 0.5 for s in share.values()]})


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    shared = Path(os.environ.get("MEDHOME_SHARED") or ROOT.parent / "shared")
    data = pd.read_csv(shared / "data" / "did_reference" / "CPS.csv.gz", sep=";")
    for passing in (25, 5):
        begun = time.process_time()
        table = laws(data, number, passing)
        print(f"\n{number} laws, {passing} of 50 states pass ({time.process_time() - begun:.0f} s)\n")
        print("| test | rejected at 5% | Monte Carlo error |\n|---|---|---|")
        for row in table.itertuples():
            print(f"| {row.test} | {row.rejected:.1%} | {row.error:.1%} |")


if __name__ == "__main__":
    main()
