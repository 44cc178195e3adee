"""A few hundred members in a few organisations: the same world as Rows, Cells and MonthPairs.

The engine's room makes these three from claims; here they come from a table of member-months in memory, so
that the models' arithmetic can be followed without an engine.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.study.cells import Cells, MonthPairs, Rows
from medhome.study.period_choices import Periods
from medhome.study.periods import month_index
from medhome.study.spec import Estimation, Expected, Fee, Program, Risk, StudySpec

TERMS = {"age_sex:F18-64": "Women", "age_sex:M18-64": "Men", "condition:diabetes": "Diabetes"}
FIRST, START = month_index("2007-06"), month_index("2008-06")


def study(
    through="2009-11", fees=(), primary="E3", covariates=("expected",), risk="age-sex-conditions", **chosen
):
    return StudySpec(
        id="members",
        title="Members",
        seed=1,
        paid_through="2010-06",
        program=Program(name="None"),
        periods=Periods(baseline_first="2007-06", baseline_last="2008-05", start="2008-06", through=through),
        risk=Risk(min_members_per_term=5, model=risk),
        expected=Expected(primary=primary, **({"external_trend_share": 0.05} | chosen)),
        estimation=Estimation(covariates=list(covariates)),
        fees=[Fee(**f) for f in fees],
    )


@dataclass(frozen=True, kw_only=True)
class World:
    """One row per member-month in ``months``: cents of ``allowed`` and the rest, and frozen ``expected``."""

    months: pd.DataFrame
    spec: StudySpec

    def rows(self) -> Rows:
        months = self.months.assign(
            period=np.where(self.months["month"] < START, "baseline", "performance"), w=1000
        )
        keys = ["person", "organization_id", "practice_id", "arm", "stratum", "period"]
        sums = {"w": "sum", **dict.fromkeys(("allowed", "allowed_capped", "paid", "paid_capped"), "sum")}
        frame = months.groupby(keys, as_index=False).agg({**sums, **dict.fromkeys(TERMS, "first")})
        return Rows(frame=frame.drop(columns="person"), terms=TERMS)

    def scored(self, coefficients: dict[str, float]) -> "World":
        expected = np.full(len(self.months), coefficients["intercept"])
        for term in TERMS:
            expected = expected + coefficients.get(term, 0.0) * self.months[term]
        return World(months=self.months.assign(expected=expected.round().astype(int)), spec=self.spec)

    def cells(self) -> Cells:
        months = self.months.assign(rows=1, w=1000)
        values = ["allowed", "allowed_capped", "paid", "paid_capped", "expected"]
        for value in values:
            months[f"w*{value}"] = 1000 * months[value]
        for value in values[:4]:
            months["*".join(["w", *sorted((value, "expected"))])] = 1000 * months[value] * months["expected"]
        months["w*expected*expected"] = 1000 * months["expected"] ** 2
        months["w*allowed_capped*allowed_capped"] = 1000 * months["allowed_capped"] ** 2
        keys = ["organization_id", "practice_id", "arm", "stratum", "month"]
        moments = [c for c in months.columns if c in ("rows", "w") or c.startswith("w*")]
        frame = months.groupby(keys, as_index=False)[moments].sum()
        return Cells(scales=dict.fromkeys(values, 100), frame=frame)

    def pairs(self, outcome: str) -> MonthPairs:
        short = self.months[["organization_id", "person", "month", outcome]]
        both = short.merge(short, on=["organization_id", "person"], suffixes=("_s", "_t"))
        both = both[both["month_s"] <= both["month_t"]]
        both = both.assign(members=1, sum_st=both[f"{outcome}_s"] * both[f"{outcome}_t"])
        keys = ["organization_id", "month_s", "month_t"]
        wanted = {"members": "members", "sum_s": f"{outcome}_s", "sum_t": f"{outcome}_t", "sum_st": "sum_st"}
        frame = both.groupby(keys, as_index=False).agg(**{k: (v, "sum") for k, v in wanted.items()})
        return MonthPairs(frame=frame)


def world(seed=3, organizations=9, members=30, effect_cents=0, turnover=0.0, cap=300_000, spec=None):
    """Organisation 0 is treated; each has two practices; costs are skewed, with shocks of organisations."""
    spec = spec or study()
    rng = np.random.default_rng([20080601, seed])
    calendar = np.array(spec.periods.analysed)
    table = []
    first = 0
    for j in range(organizations):
        shock = rng.normal(0, 2_000, len(calendar))
        for practice in range(2):
            people = members + 5 * j
            woman, sick = (rng.random((people, 1)) < share for share in (0.55, 0.2))
            level = 20_000 + 4_000 * woman + 30_000 * sick
            cost = rng.gamma(0.3, np.broadcast_to(level / 0.3, (people, len(calendar)))) + shock
            cost = cost + effect_cents * ((j == 0) & (calendar >= START))
            inside = rng.random(cost.shape) >= turnover

            def long(values, inside=inside):
                return np.broadcast_to(values, inside.shape)[inside]

            table.append(
                pd.DataFrame(
                    {
                        "person": long(first + np.arange(people)[:, None]),
                        "organization_id": f"O{j}",
                        "practice_id": f"O{j}P{practice}",
                        "arm": "comparison" if j else "treated",
                        "stratum": "adults",
                        "month": long(calendar),
                        "allowed": long(cost.round().astype(int)),
                        "age_sex:F18-64": long(woman.astype(int)),
                        "age_sex:M18-64": 1 - long(woman.astype(int)),
                        "condition:diabetes": long(sick.astype(int)),
                    }
                )
            )
            first += people
    months = pd.concat(table, ignore_index=True)
    months["allowed_capped"] = months["allowed"].clip(upper=cap)
    months["paid"] = (months["allowed"] * 0.8).round().astype(int)
    months["paid_capped"] = (months["allowed_capped"] * 0.8).round().astype(int)
    return World(months=months.assign(expected=0), spec=spec)
