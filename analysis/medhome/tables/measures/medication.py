"""Proportion of days covered: early fills shifted, hospital days taken out, drugs of a class together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.tables.measures.years import running_max

_SCALE = 10_000


@dataclass(frozen=True, kw_only=True)
class Covered:
    """Days covered of each person (N,): from the first fill to the end of the window, hospital days out.

    covered, days: whole days; fills: on different days.
    """

    covered: np.ndarray
    days: np.ndarray
    fills: np.ndarray

    def reaches(self, threshold: float) -> np.ndarray:
        """(N,) whether the share of days covered is at least the threshold, in whole numbers."""
        return np.asarray(self.covered * _SCALE >= round(threshold * _SCALE) * self.days)


def days_covered(fills: pd.DataFrame, stays: pd.DataFrame, people: int, window: tuple[int, int]) -> Covered:
    """How many days did each person's fills cover?

    Arguments
        fills: ``row`` (of the person), ``day``, ``drug`` (whole number), ``supply`` (days), within the window
            or not. stays: ``row``, ``admit``, ``discharge``; days from the admission to the day before the
            discharge are hospital days. window: first and last day, both inside.

    Hospital days are taken out of the calendar, so that what was in hand lasts on after them. A fill of the
    same drug before the last one is used up begins when it is; different drugs may cover the same day, which
    counts once. What reaches past the window is cut.

    >>> fills = pd.DataFrame({"row": [0, 0], "day": [1, 21], "drug": [7, 7], "supply": [30, 30]})
    >>> no_stays = pd.DataFrame({"row": [], "admit": [], "discharge": []}, dtype="int64")
    >>> found = days_covered(fills, no_stays, 1, (1, 100))
    >>> int(found.covered[0]), int(found.days[0])  # the second begins on day 31
    (60, 100)
    """
    opens, closes = window
    used = fills[(fills["day"] >= opens) & (fills["day"] <= closes) & (fills["supply"] > 0)]
    used = used.drop_duplicates().sort_values(["row", "drug", "day", "supply"])
    row = used["row"].to_numpy(dtype=np.int64)
    day, end = _without_hospital(row, used["day"].to_numpy(dtype=np.int64), stays, people, closes + 1)
    supply = used["supply"].to_numpy(dtype=np.int64)

    drug = used["drug"].to_numpy(dtype=np.int64)
    new = (row[1:] != row[:-1]) | (drug[1:] != drug[:-1])
    group = np.cumsum(np.r_[False, new]) if len(row) else row
    before = _sum_before(group, supply)
    start = before + running_max(group, day - before)
    stop = np.minimum(start + supply, end[row])

    order = np.lexsort((stop, start, row))
    row_, start_, stop_ = row[order], start[order], stop[order]
    reach = running_max(row_, stop_)
    past = np.full(len(row_), -(10**6))
    same = np.flatnonzero(row_[1:] == row_[:-1]) + 1
    past[same] = reach[same - 1]
    added = np.maximum(stop_ - np.maximum(start_, past), 0)
    covered = np.bincount(row_, added, minlength=people).astype(np.int64)

    first = np.full(people, np.iinfo(np.int64).max)
    np.minimum.at(first, row, day)
    days = np.where(first < np.iinfo(np.int64).max, end - first, 0)
    distinct = used.drop_duplicates(["row", "day"])["row"].to_numpy(dtype=np.int64)
    return Covered(covered=covered, days=np.maximum(days, 0), fills=np.bincount(distinct, minlength=people))


def _without_hospital(
    row: np.ndarray, day: np.ndarray, stays: pd.DataFrame, people: int, end: int
) -> tuple[np.ndarray, np.ndarray]:
    """Days on a calendar without hospital days, and the end of the window on it, by person (N,)."""
    ends = np.full(people, end, dtype=np.int64)
    moved = day.astype(np.int64).copy()
    if not len(stays) or not len(row):
        return moved, ends
    order = stays.sort_values(["row", "admit", "discharge"])
    left, right = np.searchsorted(row, order["row"], "left"), np.searchsorted(row, order["row"], "right")
    reached: dict[int, int] = {}
    for who, admit, discharge, low, high in zip(
        order["row"].tolist(), order["admit"].tolist(), order["discharge"].tolist(), left, right, strict=True
    ):
        admit = max(admit, reached.get(who, admit))
        if discharge <= admit:
            continue
        reached[who] = discharge
        mine = day[low:high]
        moved[low:high] -= np.clip(mine - admit, 0, discharge - admit)
        ends[who] -= min(max(end - admit, 0), discharge - admit)
    return moved, ends


def _sum_before(group: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sum of the values before each one within its group; groups in ascending order."""
    if not len(values):
        return values
    total = np.cumsum(values) - values
    first = np.r_[True, group[1:] != group[:-1]]
    return np.asarray(total - total[first][np.cumsum(first) - 1])
