"""Small counts in the care-management funnel: few in a stage, few lost between two, and what a sum tells."""

from __future__ import annotations

import dataclasses
import math

import pandas as pd

from medhome.reporting.selection_gate import withhold_further
from medhome.study.care_management_results import ALL, STAGES, CareManagement

ORDER = ("members", "identified", "engaged", "reached")
"""Stages in the order in which they are kept: one goes where its distance to one that stays is small."""

WORK = ("engaged_member_months", "contacts", "minutes", "contacts_per_1000", "contacts_per_engaged_month")
WAITS = ("wait_q1_days", "wait_median_days", "wait_q3_days")


def release_care_management(
    released: CareManagement, whole: CareManagement, floor: int
) -> tuple[CareManagement, int]:
    """Withhold stages of few people or missed by few, and practices that a sum would give away.

    Arguments
        released: small counts already withheld. whole: nothing withheld.

    Stages are parts of one another, so two of a row stay only where their difference is 0 or at least
    ``floor``. Over practices (and months) each stage adds up to a number told elsewhere: where a row of it is
    withheld, the smallest others go until two at least are, which together have ``floor`` people, and lose
    none or as many to each other stage. Returns what may be shown, and how many counts were withheld further.
    """
    if not whole.given:
        return released, 0
    practices = _practices(whole.practices, floor)
    stages = whole.stages.copy()
    of_all = practices[practices["label"] == ALL].iloc[0]
    hidden = stages["stage"].map(of_all[list(STAGES)].isna())
    before = hidden.shift(1, fill_value=False)
    stages.loc[hidden, ["members", "expected_pmpm"]] = math.nan
    stages.loc[hidden | before, "previous_share"] = math.nan
    months = _months(whole.months, floor)
    doses = _doses(whole.doses, bool(hidden.iloc[-1]), floor)
    few = whole.notes["rows"].map(lambda n: _few(n, floor))
    notes = whole.notes.assign(rows=_shared_out(whole.notes, "rows", few, floor))
    changed = dataclasses.replace(
        released,
        stages=stages,
        practices=practices,
        months=months,
        doses=doses,
        notes=notes,
    )
    return changed, max(0, _shown(released) - _shown(changed))


def _practices(whole: pd.DataFrame, floor: int) -> pd.DataFrame:
    hidden = pd.DataFrame(False, index=whole.index, columns=list(STAGES))
    for row in whole.index:
        kept: list[float] = []
        for stage in ORDER:
            count = float(whole.loc[row, stage])
            if _few(count, floor) or any(_few(abs(count - other), floor) for other in kept):
                hidden.loc[row, stage] = True
            else:
                kept.append(count)
    parts = whole.index[whole["label"] != ALL]
    for stage in STAGES:
        _complement(whole.loc[parts], hidden, stage, floor)
    frame = whole.mask(hidden.reindex(columns=whole.columns, fill_value=False))
    frame.loc[hidden["members"], ["member_months"]] = math.nan
    few_contacts = whole["contacts"].map(lambda n: _few(n, floor))
    frame.loc[hidden["engaged"] | hidden["members"] | few_contacts, list(WORK)] = math.nan
    soon = whole["reached"].map(lambda n: 0 < n < floor) | hidden["identified"] | hidden["members"]
    frame.loc[soon, list(WAITS)] = math.nan
    told = _shared_out(whole.loc[parts], "contacts", frame.loc[parts, "contacts"].isna(), floor)
    frame.loc[told.index[told.isna()], list(WORK)] = math.nan
    return frame


def _complement(whole: pd.DataFrame, hidden: pd.DataFrame, stage: str, floor: int) -> None:
    """Hide further rows of a stage until what the sum over all rows leaves is no small number of people."""
    rows = [r for r in whole.index if whole.loc[r, stage] > 0]
    gone = [r for r in rows if hidden.loc[r, stage]]
    left = sorted(set(rows) - set(gone), key=lambda r: (whole.loc[r, stage], r))
    while gone and left and not _safe(whole.loc[gone, list(STAGES)].sum(), stage, floor):
        gone.append(left.pop(0))
        hidden.loc[gone[-1], stage] = True


def _safe(sums: pd.Series, stage: str, floor: int) -> bool:
    """Whether what the hidden rows have together may be told; one alone never may, or it were not hidden."""
    others = (abs(sums[stage] - sums[s]) for s in STAGES if s != stage)
    return sums[stage] >= floor and not any(_few(d, floor) for d in others)


def _months(whole: pd.DataFrame, floor: int) -> pd.DataFrame:
    """Months share each stage out; contacts go with few engaged members, and where they are few."""
    frame = whole.copy()
    for stage in STAGES[1:]:
        frame[stage] = _shared_out(whole, stage, whole[stage].map(lambda n: _few(n, floor)), floor)
    few = whole["engaged_member_months"].map(lambda n: _few(n, floor))
    kept = _shared_out(whole, "contacts", whole["contacts"].map(lambda n: _few(n, floor)) | few, floor)
    frame.loc[kept.isna(), ["contacts", "minutes", "contacts_per_1000"]] = math.nan
    frame["engaged_member_months"] = frame["engaged_member_months"].mask(few)
    return frame


def _shared_out(whole: pd.DataFrame, column: str, hide: pd.Series, floor: int) -> pd.Series:
    """A column whose rows add up to a number told elsewhere: hidden rows missing, and further ones."""
    part = whole[[column]].rename(columns={column: "members"}).assign(all=1)
    masked = part.assign(members=part["members"].mask(hide))
    return withhold_further(masked, part, ["all"], (), floor)[0]["members"]


def _doses(whole: pd.DataFrame, all_hidden: bool, floor: int) -> pd.DataFrame:
    """Bands share the engaged out; all go where the engaged are withheld."""
    frame = whole.copy()
    told = _shared_out(whole, "members", whole["members"].map(lambda n: _few(n, floor)), floor)
    gone = told.isna() | (all_hidden & (whole["members"] > 0))
    frame.loc[gone, ["members", *CareManagement.RESTING["doses"]]] = math.nan
    return frame


def _shown(found: CareManagement) -> int:
    return int(sum(getattr(found, n)[list(c)].notna().sum().sum() for n, c in found.COUNTS.items()))


def _few(count: float, floor: int) -> bool:
    return 0 < count < floor
