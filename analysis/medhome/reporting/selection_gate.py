"""Small counts that a total would give away by subtraction: in exhibit T18, and where rows share it out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import pandas as pd

from medhome.study.selection_results import Selection

SHARED_OUT = ("members", "crossovers", "exits")
"""Frames whose counts add up, by arm, to a number that is told elsewhere (or that they nearly add up to)."""


def release_selection(released: Selection, whole: Selection, floor: int) -> tuple[Selection, int]:
    """Withhold further rows of an arm until at least two are withheld that have ``floor`` members together.

    Arguments
        released: small counts already withheld. whole: nothing withheld.

    Returns the selection that may be shown, and how many cells were withheld further.
    """
    changed: dict[str, pd.DataFrame] = {}
    further = 0
    for name in SHARED_OUT:
        resting = Selection.RESTING[name]
        changed[name], few = withhold_further(
            getattr(released, name), getattr(whole, name), ["arm"], resting, floor
        )
        further += few
    # Who left in both periods together is (nearly) the status "left"; who was seen nowhere is a crossover.
    hidden = _arms_without(changed["members"], "status", "left")
    tells = changed["exits"]["arm"].isin(hidden) & changed["exits"]["members"].notna()
    changed["exits"].loc[tells, ["members", *Selection.RESTING["exits"]]] = math.nan
    further += int(tells.sum())
    without = released.without_visits.copy()
    others = (whole.without_visits["eligible"] - whole.without_visits["members"]).astype("float64")
    hidden = _arms_without(changed["crossovers"], "seen_in", "not attributed")
    tells = ((others > 0) & (others < floor)) | without["arm"].isin(hidden)
    tells &= without["members"].notna()
    without.loc[tells, ["members", "share"]] = math.nan
    changed["without_visits"] = without
    return dataclasses.replace(released, **changed), further + int(tells.sum())


def withhold_further(
    released: pd.DataFrame, whole: pd.DataFrame, by: Sequence[str], resting: Sequence[str], floor: int
) -> tuple[pd.DataFrame, int]:
    """Withhold further rows of a total until at least two are withheld that have ``floor`` members together.

    Arguments
        released: ``members`` with small counts already withheld. whole: nothing withheld, the same rows.
        by: columns that name a total which the rows' members add up to. resting: withheld with members.

    Returns the frame and how many rows were withheld further, the smallest first.
    """
    frame, further = released.copy(), 0
    columns = ["members", *(c for c in resting if c in frame)]
    for _total, part in whole.groupby(list(by), sort=False):
        rows = part.index[part["members"] > 0]
        hidden = [r for r in rows if pd.isna(frame.loc[r, "members"])]
        shown = sorted(set(rows) - set(hidden), key=lambda r: (whole.loc[r, "members"], r))
        while hidden and shown and (len(hidden) < 2 or whole.loc[hidden, "members"].sum() < floor):
            hidden.append(shown.pop(0))
            frame.loc[hidden[-1], columns] = math.nan
            further += 1
    return frame, further


def _arms_without(frame: pd.DataFrame, column: str, value: str) -> list[str]:
    """The arms whose row of this value is withheld."""
    return [str(a) for a in frame.loc[(frame[column] == value) & frame["members"].isna(), "arm"]]
