"""How long does the wild cluster bootstrap take with 9,999 draws for 400 practices?

    python -m benchmarks.wild_bootstrap --practices 400 --months 29 --draws 9999

prints a table by variant and law of the draws: estimate, p, the interval by inversion, and seconds. The
seconds hold everything from the arrays of a panel to the interval, the regression too. Target: 2 s or less.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np

from medhome.models.panels.absorb import least_squares
from medhome.models.panels.wild import wild_cluster


def main() -> None:
    arguments = argparse.ArgumentParser()
    for name, default in (("practices", 400), ("months", 29), ("draws", 9999), ("seed", 1)):
        arguments.add_argument(f"--{name}", type=int, default=default)
    given = arguments.parse_args()
    rng = np.random.default_rng([given.seed, given.practices])
    unit = np.repeat(np.arange(given.practices), given.months)
    month = np.tile(np.arange(given.months), given.practices)
    treated = unit < given.practices // 10
    on = (treated & (month >= 17)).astype(float)
    risk = rng.normal(size=len(unit))
    cost = 300 + 30 * rng.normal(size=given.practices)[unit] + 20 * risk - 5 * on
    cost += rng.gamma(0.5, 60.0, len(unit))
    members = rng.integers(100, 2000, given.practices)[unit].astype(float)
    print("| variant | draws are | estimate | p | 95% interval | processor seconds | seconds |")
    print("|---|---|---|---|---|---|---|")
    for variant in ("11", "31"):
        for law in ("rademacher", "webb"):
            start, busy = time.perf_counter(), time.process_time()
            fit = least_squares(
                cost,
                np.column_stack([on, risk]),
                ["on", "risk"],
                weights=members,
                effects={"practice": unit, "month": month},
            )
            found = wild_cluster(
                fit, unit, "on", variant=variant, law=law, draws=given.draws, seed=given.seed
            )
            seconds, busy = time.perf_counter() - start, time.process_time() - busy
            low, high = found.ci
            print(
                f"| WCR{variant} | {law} | {fit.beta[0]:.4f} | {found.p:.4f} | {low:.3f} to {high:.3f} | "
                f"{busy:.1f} | {seconds:.1f} |"
            )


if __name__ == "__main__":
    main()
