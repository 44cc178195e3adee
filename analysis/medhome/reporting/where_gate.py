"""Small counts among parts of the effect, and what a total would give away by subtraction."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import pandas as pd

from medhome.reporting.robustness_gate import PRACTICE
from medhome.study.results import Cohort
from medhome.study.truncation_results import Truncation
from medhome.study.where_results import Where

SHARED_OUT = ("stratum", "risk", "size", "product")
"""Dimensions whose groups add up to (nearly) an arm's members."""


def release_where(
    released: Where,
    whole: Where,
    members: Mapping[str, int],
    cohort: Cohort,
    truncation: Truncation,
    floor: int,
) -> tuple[Where, int]:
    """Withhold what rests on few people, and neighbours that would give it away.

    Arguments
        released: small counts already withheld. whole: nothing withheld. members: of each arm in all.
        cohort: as released. truncation: nothing withheld.

    Groups: a row goes where it has few members in an arm or lacks few; among groups that share an arm out,
    the smallest others go until at least two are withheld with ``floor`` members together. Kinds of service:
    dollars at the cap give their members' number away, so where few are above it in an arm, that arm's means
    go from every row. Practices: those of an organisation go together, and where the cohort page withholds
    the organisation. Returns what may be shown, and how many counts were withheld further.
    """
    groups, further = _groups(released.groups, whole.groups, members, floor)
    categories = _categories(released.categories, truncation, floor)
    practices = released.practices.astype({"members": "float64"})
    told = cohort.organizations.set_index("label")["members"].astype("float64")
    owner = practices["label"].astype(str).str.split(PRACTICE).str[0]
    hide = owner.isin(set(owner[practices["members"].isna()])) | owner.map(told).isna()
    others = int((hide & practices["members"].notna()).sum())
    practices.loc[hide, ["members", *Where.RESTING["practices"]]] = math.nan
    return (
        dataclasses.replace(released, groups=groups, categories=categories, practices=practices),
        further + others,
    )


def _groups(
    released: pd.DataFrame, whole: pd.DataFrame, members: Mapping[str, int], floor: int
) -> tuple[pd.DataFrame, int]:
    columns = [*Where.COUNTS["groups"], *Where.RESTING["groups"]]
    frame = released.astype(dict.fromkeys(columns, "float64"))
    counts = {arm: whole[f"members_{arm}"].astype("float64") for arm in members}
    hidden: list[int] = []
    for dimension, part in whole.groupby("dimension", sort=False):
        few = [
            row
            for row in part.index
            if dimension != "all"
            and any(_few(n[row], floor) or _few(members[arm] - n[row], floor) for arm, n in counts.items())
        ]
        if dimension in SHARED_OUT:
            shown = sorted(set(part.index) - set(few), key=lambda r: (counts["treated"][r], r))
            while few and shown and not _together(counts, few, floor):
                few.append(shown.pop(0))
        hidden += few
    before = int(released[columns[:2]].isna().sum().sum())
    frame.loc[hidden, columns] = math.nan
    return frame, int(frame[columns[:2]].isna().sum().sum()) - before


def _categories(released: pd.DataFrame, truncation: Truncation, floor: int) -> pd.DataFrame:
    frame, above = released.copy(), truncation.above_cap
    for arm in ("treated", "comparison"):
        mine = above[above["arm"] == arm]
        if any(_few(float(n), floor) for n in mine["members_above"]):
            means = [f"{arm}_baseline_pmpm", f"{arm}_performance_pmpm"]
            frame.loc[frame["category"] != "all", means] = math.nan
    return frame


def _few(count: float, floor: int) -> bool:
    return 0 < count < floor


def _together(counts: Mapping[str, pd.Series], hidden: list[int], floor: int) -> bool:
    """Whether the rows withheld have enough members together, in each arm in which they have any."""
    if len(hidden) < 2:
        return False
    return not any(_few(float(n[hidden].sum()), floor) for n in counts.values())
