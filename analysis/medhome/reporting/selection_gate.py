"""Small counts in exhibit T18: what would give one away by subtraction from an arm's total goes with it."""

from __future__ import annotations

import dataclasses
import math

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
        frame, full = getattr(released, name).copy(), getattr(whole, name)
        resting = [c for c in Selection.RESTING[name] if c in frame]
        for arm in full["arm"].unique():
            rows = full.index[(full["arm"] == arm) & (full["members"] > 0)]
            hidden = [r for r in rows if pd.isna(frame.loc[r, "members"])]
            shown = sorted(set(rows) - set(hidden), key=lambda r: (full.loc[r, "members"], r))
            while hidden and shown and (len(hidden) < 2 or full.loc[hidden, "members"].sum() < floor):
                hidden.append(shown.pop(0))
                frame.loc[hidden[-1], ["members", *resting]] = math.nan
                further += 1
        changed[name] = frame
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


def _arms_without(frame: pd.DataFrame, column: str, value: str) -> list[str]:
    """The arms whose row of this value is withheld."""
    return [str(a) for a in frame.loc[(frame[column] == value) & frame["members"].isna(), "arm"]]
