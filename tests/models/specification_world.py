"""Practice-months of a few organisations with outcomes under two caps and two amounts, made in memory."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medhome.study.cells import Cells
from medhome.study.period_choices import Periods
from medhome.study.periods import month_index
from medhome.study.results import Estimate
from medhome.study.spec import Estimation, Program, StudySpec
from medhome.study.specification_choices import Specifications

FIRST, START = month_index("2007-12"), month_index("2008-06")
OUTCOMES = ("allowed_none", "allowed_100000", "paid_none", "paid_100000")
HEADLINE = Estimate(value=-3.0, unit="USD PMPM", se=9.0, ci90=(-18.0, 12.0), ci95=(-21.0, 15.0))


def study(seed: int = 1, covariates: tuple[str, ...] = ("expected",), **changes) -> StudySpec:
    """Six months before the start and six after; a cap of $100,000."""
    return StudySpec(
        id="curve",
        title="Curve",
        seed=seed,
        paid_through="2009-06",
        program=Program(name="None"),
        periods=Periods(
            baseline_first="2007-12", baseline_last="2008-05", start="2008-06", through="2008-11"
        ),
        estimation=Estimation(covariates=list(covariates)),
        specifications=Specifications(**({"caps": ["none", 100_000]} | changes)),
    )


def member_months(treated: int = 1, organizations: int = 6, effect_cents: int = -3_000) -> pd.DataFrame:
    """One row per member-month: a member's cost is whole cents above zero, most of it the member's own."""
    rng = np.random.default_rng(11)
    rows = []
    for organization in range(organizations):
        for practice in range(1 + organization % 2 + (organization == 0)):
            for member in range(14 + 3 * organization):
                expected = int(rng.integers(10_000, 50_000)) + (0, 6_000, -6_000)[organization % 3]
                for month in range(FIRST, FIRST + 12):
                    if rng.random() < 0.1:
                        continue
                    cents = int(expected * rng.gamma(2.0, 0.5)) + 100 * (month - FIRST) + 400 * organization
                    if organization < treated and month >= START:
                        cents = max(cents + effect_cents, 0)
                    names = (f"O{organization}", f"P{organization}{practice}")
                    rows.append((*names, member, month, cents, expected))
    columns = ["organization_id", "practice_id", "member", "month", "allowed_none", "expected"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["arm"] = np.where(frame["organization_id"].str[1:].astype(int) < treated, "treated", "comparison")
    frame["stratum"] = np.where(frame["member"] % 4 == 0, "children", "adults")
    frame["allowed_100000"] = frame["allowed_none"].clip(upper=60_000)
    for cap in ("none", "100000"):
        frame[f"paid_{cap}"] = (frame[f"allowed_{cap}"] * 4) // 5
    return frame


def collapsed(months: pd.DataFrame) -> Cells:
    keys = ["organization_id", "practice_id", "arm", "stratum", "month"]
    moments = {"w": 1000 * np.ones(len(months), dtype=int)}
    for name in (*OUTCOMES, "expected"):
        moments[f"w*{name}"] = 1000 * months[name]
        first, second = sorted((name, "expected"))
        moments[f"w*{first}*{second}"] = 1000 * months[name] * months["expected"]
    frame = months[keys].assign(rows=1, **moments)
    grouped = frame.groupby(keys, as_index=False).sum()
    return Cells(scales=dict.fromkeys((*OUTCOMES, "expected"), 100), frame=grouped)
