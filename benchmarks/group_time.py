"""How long do doubly robust group-time effects take on a panel of the demonstration's size?

    python -m benchmarks.group_time --members 20000 --months 58 --waves 6

prints a table: every wave and month, doubly robust with three covariates, influence functions, four averages,
the pre-trend test and simultaneous bands; never and not-yet treated comparisons, on a complete panel and
on one with a tenth of its rows missing (every cell then has a design of its own).
"""

from __future__ import annotations

import argparse
import os
import resource
import time

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np

from medhome.models.panels.group_time import callaway_santanna
from medhome.study.panel_data import NEVER, PanelData


def panel(members: int, months: int, waves: int, missing: float, seed: int) -> PanelData:
    """Members of ``waves`` waves or never treated, monthly cost, three covariates that predict both."""
    rng = np.random.default_rng([seed, members, months])
    x = rng.normal(size=(members, 3))
    starts = np.linspace(months // 4, months - 6, waves).astype(int).astype(float)
    treated = rng.random(members) < 1 / (1 + np.exp(-0.5 * x[:, 0]))
    first = np.where(treated, rng.choice(starts, members), NEVER)
    unit, month = np.repeat(np.arange(members), months), np.tile(np.arange(months), members)
    kept = rng.random(len(unit)) >= missing
    on = month >= first[unit]
    cost = rng.gamma(0.3, 1000, len(unit)) + 50 * x[unit, 0] + 0.5 * month * x[unit, 1] - 12.0 * on
    unit, month, on, cost = unit[kept], month[kept], on[kept], cost[kept]
    labels = tuple(map(str, range(members)))
    return PanelData(
        outcome=cost, unit=unit, time=month, times=np.arange(float(months)), first_treated=first[unit],
        treated=on.astype(float), weights=np.ones(len(unit)), cluster=unit, unit_labels=labels,
        cluster_labels=labels, covariates=x[unit], covariate_names=("age", "risk", "female"),
    )


def main() -> None:
    arguments = argparse.ArgumentParser()
    for name, default in (("members", 20_000), ("months", 58), ("waves", 6), ("seed", 1)):
        arguments.add_argument(f"--{name}", type=int, default=default)
    given = arguments.parse_args()
    print("| comparison | panel | cells | estimate | standard error | processor seconds | seconds | "
          "peak memory, GB |")
    print("|---|---|---|---|---|---|---|---|")
    for control in ("never", "not-yet"):
        for missing in (0.0, 0.1):
            data = panel(given.members, given.months, given.waves, missing, given.seed)
            start, busy = time.perf_counter(), time.process_time()
            found = callaway_santanna(data, control=control)
            seconds, busy = time.perf_counter() - start, time.process_time() - busy
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            words = "balanced" if data.balanced else f"{data.rows:,} of {data.units * given.months:,} rows"
            result = f"{len(found.table)} | {found.estimate:.4f} | {found.se:.4f}"
            print(f"| {control} treated | {words} | {result} | {busy:.1f} | "
                  f"{seconds:.1f} | {peak:.1f} |", flush=True)


if __name__ == "__main__":
    main()
