"""Two waves and three practices that never start, without noise: every effect is known by hand."""

from __future__ import annotations

import pandas as pd
from member_months import cells_of, member_months, pairs_of
from test_did import FIRST, study

from medhome.models import did
from medhome.study.cells import Cells, MonthPairs

SIZES = {"O1": 100, "O2": 200, "O3": 50, "O4": 80, "O5": 120}
MONTHS = 24
START = FIRST + 12


def true_effect(wave: int, month: int) -> float:
    """Dollars PMPM: the first wave −12 and 6 more each quarter, later waves −4 and 2 more."""
    if not wave or month < wave:
        return 0.0
    first, more = (-12.0, -6.0) if wave == START else (-4.0, -2.0)
    return first + more * ((month - wave) // 3)


def hand_cells(waves: dict[str, int] | None = None, months: int = MONTHS, split: int = 1) -> Cells:
    """Practice-months at $300 and $10 more each organisation and $2 more each month, plus the effect.

    waves: organisation -> month index of its start. split: practices an organisation has.
    """
    waves = {"O1": START, "O2": START + 6} if waves is None else waves
    rows = []
    for o, (name, size) in enumerate(SIZES.items()):
        for p in range(split):
            wave = waves.get(name, 0)
            for month in range(FIRST, FIRST + months):
                cost = round(100 * (300 + 10 * o + 2 * (month - FIRST) + true_effect(wave, month)))
                w = 1000 * size // split
                rows.append((name, f"{name}-P{p}", "treated" if wave else "comparison", "adults", wave, month,
                             size // split, w, w * cost, w * cost * cost))  # fmt: skip
    names = ["organization_id", "practice_id", "arm", "stratum", "wave", "month", "rows", "w"]
    moments = ["w*allowed_capped", "w*allowed_capped*allowed_capped"]
    frame = pd.DataFrame(rows, columns=[*names, *moments])
    return Cells(keys=tuple(names[:6]), scales={"allowed_capped": 100}, frame=frame)


def pairs(months: int = MONTHS) -> MonthPairs:
    """How one member's months vary together, from other members."""
    return pairs_of(
        member_months(3, organizations=4, practices=1, members=20, months=months, first_month=FIRST)
    )


def starts_of(cells: Cells, **last: int) -> pd.DataFrame:
    """`tables.arms.starts` of these cells; last: organisation -> last month in the program."""
    frame = cells.frame.loc[cells.frame["wave"] > 0, ["practice_id", "organization_id", "wave"]]
    frame = frame.drop_duplicates().sort_values("practice_id", ignore_index=True)
    return frame.assign(last=[last.get(o, 0) for o in frame["organization_id"]])


def spec(washout: int = 0):
    return study(before=12, after=12 - washout, washout=washout, covariates=[])


def effect():
    """The study's own effect of some member-months: what stands beside the waves."""
    rows = member_months(
        5, organizations=9, practices=2, members=12, months=MONTHS, start=12, first_month=FIRST, treated=2
    )
    return did.estimate(cells_of(rows), pairs_of(rows), study(before=12, after=12))
