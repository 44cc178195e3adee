"""Cost that does not vary between members: averages in place of claims, or amounts that were filled in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from medhome.study.cells import Cells
from medhome.study.display import count
from medhome.study.results import Check

OUTCOME = "allowed_capped"
FEWEST_MEMBERS = 11
"""Fewer members may well all cost the same in a month (mostly nothing)."""


def variation(cells: Cells) -> Iterator[Check]:
    """A warning where all members of a practice cost the same in a month, and not nothing.

    Such a cell has no variance: nothing can be learnt from it about how members differ, and whatever rests on
    it (intervals, groups, single practices) is too sure of itself.
    """
    if not cells.has(OUTCOME, OUTCOME):
        return
    together = cells.by("organization_id", "practice_id", "month")
    many = together.frame["rows"].to_numpy() >= FEWEST_MEMBERS
    same = many & (together.scatter(OUTCOME, OUTCOME) == 0) & (together.total(OUTCOME) != 0)
    flat, seen = int(same.sum()), int(many.sum())
    if not seen:
        return
    practices = int(together.frame.loc[np.asarray(same), "practice_id"].nunique())
    yield Check(
        id="cost-varies",
        passed=not flat,
        front_page=True,
        sentence="In every practice-month with enough members to tell, cost varies between members."
        if not flat
        else f"In {count(flat)} of {count(seen)} practice-months with {FEWEST_MEMBERS} members or more, of "
        f"{count(practices)} {'practice' if practices == 1 else 'practices'}, all members cost the same: "
        "such cells have no variance, and intervals that rest on them are too short. Are the amounts "
        "averages?",
    )
