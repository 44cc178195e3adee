"""How often does a study find an effect on use of care where there is none, after Holm's adjustment?

Worlds at the level of organisations: one treated among 21, members who use care again and again,
organisations whose own rates drift by 4%. Each has five measures on which nothing happened; counted is any
adjusted p below 5%. From the root of the repository: ``python -m benchmarks.measures [SEEDS]``.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from medhome.models import rates
from medhome.study.cells import Cells
from medhome.study.measure_results import MOMENTS, MeasureCells
from medhome.study.spec import StudySpec

MEASURES, DRIFT, MONTHS = 5, 0.04, 12
BASELINE, PERFORMANCE = 2008 * 12, 2008 * 12 + 12
SIZES = {"T": 900} | {f"C{i:02d}": int(n) for i, n in enumerate(np.geomspace(60, 400, 20))}


def study() -> StudySpec:
    """A year before the start and a year after it."""
    periods = {"baseline_first": "2008-01", "baseline_last": "2008-12"}
    periods |= {"start": "2009-01", "through": "2009-12"}
    return StudySpec.model_validate(
        {"id": "measures", "title": "Measures", "seed": 1, "paid_through": "2010-03",
         "program": {"name": "None"}, "periods": periods}
    )  # fmt: skip


def measure(rng: np.random.Generator, number: int) -> MeasureCells:
    """One measure of a world in which nothing happened: gamma-Poisson counts, 5% more in the second year."""
    cells, moments, totals = [], [], {}
    for name, size in SIZES.items():
        arm = "treated" if name == "T" else "comparison"
        taste = rng.gamma(0.4, 0.3 / 0.4, size)
        drift = np.exp(DRIFT * rng.standard_normal(2))
        n = [rng.poisson(taste * drift[0]), rng.poisson(1.05 * taste * drift[1])]
        parts = {"n0": n[0], "n1": n[1], "d0": np.full(size, MONTHS), "d1": np.full(size, MONTHS)}
        sums = {m: int((parts[m] if len(m) == 2 else parts[m[:2]] * parts[m[2:]]).sum()) for m in MOMENTS}
        moments.append({"organization_id": name, "arm": arm, **sums})
        for period, month in ((0, BASELINE), (1, PERFORMANCE)):
            cells.append((name, name, arm, month, size, 1000 * size * MONTHS, 1000 * int(n[period].sum())))
            key = (arm, ("baseline", "performance")[period])
            events, people = totals.get(key, (0, 0))
            totals[key] = (events + int(n[period].sum()), people + size)
    keys = ("organization_id", "practice_id", "arm", "month")
    columns = [*keys, "rows", "w", "w*events"]
    about = {"measure": f"m{number}", "family": "utilisation", "label": "Measure", "unit": "per_1000"}
    rows = [
        {**about, "arm": arm, "period": period, "members": people, "members_with": people,
         "denominator": float(people * MONTHS), "events": float(events),
         "rate": rates.PER_1000 * events / (people * MONTHS)}
        for (arm, period), (events, people) in totals.items()
    ]  # fmt: skip
    return MeasureCells(
        **about,
        direction="lower",
        cells=Cells(keys=keys, scales={"events": 1}, frame=pd.DataFrame(cells, columns=columns)),
        organizations=pd.DataFrame(moments),
        rates=pd.DataFrame(rows),
    )


def rejections(seeds: int) -> tuple[int, int, int]:
    """Worlds with any Holm-adjusted p below 5%, single measures with p below 5%, and measures in all."""
    spec, any_adjusted, single = study(), 0, 0
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 20261122])
        found = pd.DataFrame([rates.effect(measure(rng, k), spec) for k in range(MEASURES)])
        any_adjusted += int((rates.adjusted(found)["p_holm"] < 0.05).any())
        single += int((found["p"] < 0.05).sum())
    return any_adjusted, single, seeds * MEASURES


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    adjusted, single, tested = rejections(count)
    print(f"{adjusted} of {count} worlds with an adjusted p below 5%; {single} of {tested} p-values")
