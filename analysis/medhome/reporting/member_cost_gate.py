"""Small counts in the exhibits of the cost models: what a total would give away is withheld as well."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from medhome.reporting.robustness_gate import untold_practices
from medhome.reporting.selection_gate import withhold_further
from medhome.study.member_cost_results import MemberCosts
from medhome.study.results import Cohort

TOTALS: Mapping[str, tuple[str, ...]] = {
    "identity": ("family", "part"),
    "tests": ("family", "test"),
    "effects": ("family",),
    "accuracy": ("family", "cap", "arm", "period"),
}
"""Frames with a row for each stratum, and the columns of a total that the strata add up to."""
SHARED_OUT = ("predicted", "actual", "age_sex")
"""Kinds of ratios whose groups share an arm's members out; conditions overlap."""


def release_member_costs(
    released: MemberCosts, whole: MemberCosts, cohort: Cohort, floor: int
) -> tuple[MemberCosts, int]:
    """Withhold what gives a small count away by subtraction: strata, groups, those without a condition.

    Arguments
        released: small counts already withheld. whole: nothing withheld. cohort: as released.

    Of a practice no more is told than the page "How sure are we" tells. Returns the part and how many cells
    were withheld further.
    """
    changed: dict[str, Any] = {}
    further = 0
    for name, by in TOTALS.items():
        frame, full = getattr(released, name), getattr(whole, name)
        parts = full[full["stratum"] != "all"]
        resting = MemberCosts.RESTING[name]
        own, few = withhold_further(frame.loc[parts.index], parts, by, resting, floor)
        columns = ["members", *resting]
        frame = frame.astype(dict.fromkeys(columns, "float64"))
        frame.loc[parts.index, columns] = own[columns].astype("float64")
        hidden = frame["members"].isna()
        if "meaning" in frame:
            frame.loc[hidden, "meaning"] = ""
        changed[name], further = frame, further + few
    changed["identity"], few = _without_users(changed["identity"], whole.identity, floor)
    further += few
    changed["ratios"], few = _ratios(released.ratios, whole.ratios, floor)
    practices, others = _practices(released.practices, whole.practices, cohort, floor)
    changed["practices"] = practices
    return dataclasses.replace(released, **changed), further + few + others


def _without_users(released: pd.DataFrame, whole: pd.DataFrame, floor: int) -> tuple[pd.DataFrame, int]:
    """A share with any cost times members is a count, too: of those with, and of those without."""
    columns = ["members", *(c for c in MemberCosts.RESTING["identity"])]
    if "without_cost" not in whole:
        return released, 0  # released before
    without, users = whole["without_cost"], whole["members"] - whole["without_cost"]
    few = ((without > 0) & (without < floor)) | ((users > 0) & (users < floor))
    hide = (whole["part"] == "any cost") & few
    frame = released.copy()
    withheld = int((hide & frame["members"].notna()).sum())
    frame.loc[hide, columns] = math.nan
    return frame.drop(columns="without_cost"), withheld


def _ratios(released: pd.DataFrame, whole: pd.DataFrame, floor: int) -> tuple[pd.DataFrame, int]:
    resting = MemberCosts.RESTING["ratios"]
    columns = ["members", *resting]
    frame = released.astype(dict.fromkeys(columns, "float64"))
    shared = whole[whole["kind"].isin(SHARED_OUT)]
    own, further = withhold_further(frame.loc[shared.index], shared, ["kind", "arm"], resting, floor)
    frame.loc[shared.index, columns] = own[columns]
    everybody = shared[shared["kind"] == SHARED_OUT[0]].groupby("arm")["members"].sum()
    others = whole["arm"].map(everybody).astype("float64") - whole["members"]
    hide = (whole["kind"] == "condition") & (others > 0) & (others < floor) & frame["members"].notna()
    frame.loc[hide, columns] = math.nan
    return frame, further + int(hide.sum())


def _practices(
    released: pd.DataFrame, whole: pd.DataFrame, cohort: Cohort, floor: int
) -> tuple[pd.DataFrame, int]:
    resting = MemberCosts.RESTING["practices"]
    columns = ["members", *resting]
    frame, further = withhold_further(
        released.astype(dict.fromkeys(columns, "float64")), whole, ["arm"], resting, floor
    )
    hide = frame["members"].notna() & untold_practices(frame, cohort)
    frame.loc[hide, columns] = math.nan
    return frame, further + int(hide.sum())
