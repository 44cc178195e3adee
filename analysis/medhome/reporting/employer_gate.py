"""Small counts among employer groups: a group of few members in an arm, or of all but few, is not told of."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import pandas as pd

from medhome.study.employer_results import Employers


def release_employers(
    released: Employers, whole: Employers, members: Mapping[str, int], floor: int
) -> tuple[Employers, int]:
    """Withhold what rests on few people, and neighbours that would give it away; ids become neutral labels.

    Arguments
        released: small counts already withheld. whole: nothing withheld. members: of each arm in all.

    The effect without a group of few members, or without all but few, would tell of these few: every number
    of such a row is withheld. Groups may share a whole arm out, so that the smallest others go as well until
    at least two are withheld that have ``floor`` members together in each arm that has any.

    Returns what may be shown, and how many counts were withheld further.
    """
    columns = [*Employers.COUNTS["grid"], *Employers.RESTING["grid"]]
    frame, full = released.grid.copy(), whole.grid
    counts = {arm: full[f"members_{arm}"].astype("float64") for arm in members}
    hidden = [
        row
        for row in full.index
        if any(_few(n[row], floor) or _few(members[arm] - n[row], floor) for arm, n in counts.items())
    ]
    shown = sorted(set(full.index) - set(hidden), key=lambda r: (full.loc[r, "member_months"], r))
    while hidden and shown and not _together(counts, hidden, floor):
        hidden.append(shown.pop(0))
    before = int(frame[columns[:2]].isna().sum().sum())
    frame = frame.astype(dict.fromkeys(columns, "float64"))
    frame.loc[hidden, columns] = math.nan
    frame["group_id"] = frame["label"]
    return dataclasses.replace(released, grid=frame), int(frame[columns[:2]].isna().sum().sum()) - before


def _few(count: float, floor: int) -> bool:
    return 0 < count < floor


def _together(counts: Mapping[str, pd.Series], hidden: list[int], floor: int) -> bool:
    """Whether the rows withheld have enough members together, in each arm in which they have any."""
    if len(hidden) < 2:
        return False
    sums = [float(n[hidden].sum()) for n in counts.values()]
    return not any(_few(total, floor) for total in sums)
