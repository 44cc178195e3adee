"""Since when is care due? Days on which a rule of a measure began to hold and has held ever since.

Days are day numbers (`medhome.tables.bookings.day_number`). Each function answers for people (N,) for whom
the rule holds on the day of the list; nothing later is read. Source: `docs/lists.md`.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from medhome.study.periods import month_end, month_index, month_start
from medhome.tables.measures.lines import FIRST_DAY, day_of
from medhome.tables.measures.years import running_max

LONG_AGO = -(10**6)
"""A day before all others: the rule has held as far back as anybody asks."""

_EPOCH = dt.date(1970, 1, 1).toordinal() + FIRST_DAY
_BEFORE_ALL = 10**6
"""Days of a gap that has no beginning: before the first enrolment."""


def date_of(number: int) -> dt.date:
    """The date of a day's number.

    >>> date_of(day_of(dt.date(2009, 6, 30)))
    datetime.date(2009, 6, 30)
    """
    return dt.date.fromordinal(int(number) - FIRST_DAY)


def months_after(days: np.ndarray, months: int, round_up: bool = False) -> np.ndarray:
    """The same day of the month so many months later; where the month has no such day, its last.

    With ``round_up``, then, the first day of the month after it: an anniversary is not reached before.

    >>> leap = day_of(dt.date(2008, 2, 29))
    >>> [date_of(months_after(np.array([leap]), 12, up)[0]).isoformat()
    ...  for up in (False, True)]
    ['2009-02-28', '2009-03-01']
    """
    date = (np.asarray(days, dtype=np.int64) - _EPOCH).astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    of_month = (date - month).astype(np.int64)
    target = month + months
    longest = ((target + 1).astype("datetime64[D]") - target.astype("datetime64[D]")).astype(np.int64) - 1
    most = longest + 1 if round_up else longest
    return (target.astype("datetime64[D]").astype(np.int64) + np.minimum(of_month, most)) + _EPOCH


def first_of(day: int, months: int) -> int:
    """The first of so many months that end with a day: whole months where the day ends one.

    >>> june = day_of(dt.date(2009, 6, 30))
    >>> [date_of(first_of(june - back, 12)).isoformat() for back in (0, 1)]
    ['2008-07-01', '2008-06-30']
    """
    date = date_of(day)
    if date == month_end(month_index(date)):
        return day_of(month_start(month_index(date) + 1 - months))
    return int(months_after(np.array([day]), -months)[0]) + 1


def lapsed(last: np.ndarray, months: int) -> np.ndarray:
    """(N,) the day on which a service no longer counted; LONG_AGO where there was none.

    last: (N,) day of the latest service, -1 where there was none. months: its look-back.
    """
    return np.where(last < 0, LONG_AGO, months_after(np.maximum(last, 0), months))


def of_age(birth: np.ndarray, years: int) -> np.ndarray:
    """(N,) the birthday with so many completed years; LONG_AGO at 0 years or where no birth date is known."""
    if years <= 0:
        return np.full(len(birth), LONG_AGO)
    return np.where(birth < 0, LONG_AGO, months_after(np.maximum(birth, 0), 12 * years, round_up=True))


def stretches(spans: pd.DataFrame) -> pd.DataFrame:
    """Spans that overlap or touch made one: ``row``, ``first``, ``last``, in order.

    >>> spans = pd.DataFrame({"row": [0, 0, 0, 1], "first": [1, 5, 20, 7], "last": [9, 10, 30, 8]})
    >>> stretches(spans).to_numpy().tolist()
    [[0, 1, 10], [0, 20, 30], [1, 7, 8]]
    """
    inside = spans[spans["first"] <= spans["last"]].sort_values(["row", "first", "last"])
    row, first, last = (inside[c].to_numpy(dtype=np.int64) for c in ("row", "first", "last"))
    reach = running_max(row, last)
    new = np.ones(len(row), dtype=bool)
    new[1:] = (row[1:] != row[:-1]) | (first[1:] > reach[:-1] + 1)
    begins = np.flatnonzero(new)
    ends = np.r_[begins[1:], len(row)] - 1 if len(row) else begins
    return pd.DataFrame({"row": row[begins], "first": first[begins], "last": reach[ends]})


def diagnosed(
    days: pd.DataFrame,
    people: int,
    day: int,
    months: int,
    fewest: int,
    fills: pd.DataFrame,
    fewest_fills: int,
) -> np.ndarray:
    """(N,) since when the codes (or fills) that make a condition have stood in the look-back.

    Arguments
        days, fills: ``row`` and ``day`` on which a code, a fill was seen, each day once. day: of the list.
        months: the look-back; ``fewest`` days with a code in it make the condition, or so many fills.

    LONG_AGO for people who do not have it.
    """
    spans = pd.concat([_standing(days, months, fewest), _standing(fills, months, fewest_fills)])
    held = stretches(spans)
    now = held[(held["first"] <= day) & (held["last"] >= day)]
    found = np.full(people, LONG_AGO, dtype=np.int64)
    found[now["row"].to_numpy()] = now["first"].to_numpy()
    return found


def _standing(seen: pd.DataFrame, months: int, fewest: int) -> pd.DataFrame:
    """The spans of days on which at least so many of the days seen lie in the look-back."""
    order = seen.sort_values(["row", "day"])
    row, day = (order[c].to_numpy(dtype=np.int64) for c in ("row", "day"))
    k = fewest - 1
    if len(row) <= k:
        return pd.DataFrame({"row": [], "first": [], "last": []}, dtype="int64")
    oldest, newest = slice(None, len(row) - k), slice(k, None)
    same = row[oldest] == row[newest]
    last = months_after(day[oldest], months) - 1
    return pd.DataFrame({"row": row[newest][same], "first": day[newest][same], "last": last[same]})


def enrolled(spans: pd.DataFrame, people: int, months: int, gaps: int, gap_days: int) -> np.ndarray:
    """(N,) since when the rule of continuous enrolment has held on every day with enrolment.

    Arguments
        spans: ``row``, ``first``, ``last``, none of which reaches past the day of the list. months: of the
            rule (0: enrolment on the day alone). gaps, gap_days: so many gaps of at most so many days.

    The time before the first enrolment is a gap as any other: a member who comes late is first asked for when
    what is missing of the months is forgiven.
    """
    held = stretches(spans)
    row, first = (held[c].to_numpy(dtype=np.int64) for c in ("row", "first"))
    found = np.full(people, LONG_AGO, dtype=np.int64)
    if months == 0:
        np.maximum.at(found, row, first)
        return found
    same = np.r_[False, row[1:] == row[:-1]] if len(row) else np.array([], dtype=bool)
    before = np.where(same, np.r_[0, held["last"].to_numpy(dtype=np.int64)[:-1]], 0) if len(row) else row
    length = np.where(same, first - before - 1, _BEFORE_ALL)
    # A gap that is too long fails every day from its end on, until so much of it has left the months.
    until = months_after(first - 1 - gap_days, months)
    failed = (length > gap_days) & (until > first)
    np.maximum.at(found, row[failed], until[failed])
    # One gap more than are forgiven fails from the end of the newest on, until the oldest has left.
    ahead = np.arange(len(row)) + gaps
    newest = np.minimum(ahead, max(len(row) - 1, 0))
    until = months_after(first - 1, months)
    failed = (ahead < len(row)) & (row[newest] == row) & (until > first[newest])
    np.maximum.at(found, row[failed], until[failed])
    return found
