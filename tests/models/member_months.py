"""Small member-month data for the models' tests, and their exact cells and month pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medhome.study.cells import KEYS, Cells, MonthPairs

ZERO = 24_000  # 2000-01
OUTCOMES = ("allowed", "allowed_capped", "paid", "paid_capped")


def member_months(
    seed: int,
    *,
    organizations: int = 8,
    practices: int = 3,
    members: int = 25,
    months: int = 12,
    start: int = 6,
    effect_usd: float = 0.0,
    treated: int = 1,
    stay: float = 0.93,
    first_month: int = ZERO,
) -> pd.DataFrame:
    """One row per member-month: cost in cents with shocks and persistence; fixed ``expected``."""
    rng = np.random.default_rng([seed, 11])
    rows = []
    month = np.arange(months)
    for o in range(organizations):
        shock = rng.normal(0, 12) + np.cumsum(rng.normal(0, 3, months))
        for p in range(practices):
            site = rng.normal(0, 20)
            for i in range(int(members * rng.uniform(0.5, 1.5))):
                risk = rng.gamma(2.0, 120.0)
                entered, left = (0, months) if rng.random() < stay else sorted(rng.integers(0, months + 1, 2))
                level = risk * rng.gamma(2.0, 0.5)
                cost = rng.gamma(0.5, 2 * level, months) + shock + site + 30
                cost += effect_usd * (o < treated) * (month >= start)
                for t in range(entered, left):
                    rows.append(
                        (
                            f"O{o}",
                            f"O{o}-P{p}",
                            "treated" if o < treated else "comparison",
                            "adults",
                            first_month + t,
                            f"{o}-{p}-{i}",
                            round(100 * cost[t]),
                            round(100 * risk),
                        )
                    )
    return pd.DataFrame(
        rows,
        columns=[
            "organization_id",
            "practice_id",
            "arm",
            "stratum",
            "month",
            "member",
            "allowed_capped",
            "expected",
        ],
    )


def cells_of(frame: pd.DataFrame, weight: int = 1000) -> Cells:
    """Cells with the moments that the models need; every outcome is the capped allowed amount."""
    y, x, w = frame["allowed_capped"].astype(object), frame["expected"].astype(object), weight
    columns = {"rows": 1, "w": w}
    for name in OUTCOMES:
        columns |= {f"w*{name}": w * y, f"w*{'*'.join(sorted((name, 'expected')))}": w * y * x}
    columns |= {
        "w*expected": w * x,
        "w*expected*expected": w * x * x,
        "w*allowed_capped*allowed_capped": w * y * y,
    }
    table = frame[list(KEYS)].assign(**columns)
    merged = table.groupby(list(KEYS), sort=True).agg(lambda v: sum(int(a) for a in v)).reset_index()
    return Cells(scales={**dict.fromkeys(OUTCOMES, 100), "expected": 100}, frame=merged)


def pairs_of(frame: pd.DataFrame) -> MonthPairs:
    """Cross-products of members' months by organisation."""
    rows = []
    for organization, part in frame.groupby("organization_id"):
        wide = part.pivot(index="member", columns="month", values="allowed_capped")
        seen = wide.notna().to_numpy().astype(np.int64)
        cost = wide.fillna(0).to_numpy().astype(np.int64)
        members, one, both = seen.T @ seen, cost.T @ seen, cost.T @ cost
        months = [int(m) for m in wide.columns]
        for a, s in enumerate(months):
            for b in range(a, len(months)):
                rows.append(
                    (
                        organization,
                        s,
                        months[b],
                        int(members[a, b]),
                        int(one[a, b]),
                        int(one[b, a]),
                        int(both[a, b]),
                    )
                )
    return MonthPairs(
        frame=pd.DataFrame(
            rows, columns=["organization_id", "month_s", "month_t", "members", "sum_s", "sum_t", "sum_st"]
        )
    )
