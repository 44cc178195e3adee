"""Since when is care due? By hand, and against going back day by day."""

from __future__ import annotations

import datetime as dt
import functools

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from medhome.tables.lists import since
from medhome.tables.lists.gaps import YearTo
from medhome.tables.measures.lines import day_of
from medhome.tables.measures.years import Year, ages, continuous

DAY = day_of(dt.date(2009, 6, 30))
NOTHING = pd.DataFrame({"row": [], "day": []}, dtype="int64")


def number(text: str) -> int:
    return day_of(dt.date.fromisoformat(text))


def told(days: np.ndarray) -> list[str]:
    return [since.date_of(d).isoformat() for d in days]


def test_months_that_end_with_a_day_are_whole_where_it_ends_one():
    assert YearTo.of(dt.date(2009, 6, 30)).opens == Year(2008 * 12 + 6, "").opens == number("2008-07-01")
    assert since.first_of(number("2009-06-15"), 12) == number("2008-06-16")
    assert since.first_of(number("2009-02-28"), 12) == number("2008-03-01")
    assert since.first_of(number("2008-02-28"), 6) == number("2007-08-29")


def test_a_service_lapses_when_it_leaves_its_look_back():
    last = np.array([number("2007-03-10"), -1])
    found = since.lapsed(last, 24)
    assert told(found[:1]) == ["2009-03-10"] and found[1] == since.LONG_AGO
    day = int(found[0])
    assert since.first_of(day - 1, 24) <= last[0] < since.first_of(day, 24)


def test_the_birthday_that_begins_the_ages():
    birth = np.array([number("1957-04-02"), number("1956-02-29"), -1])
    found = since.of_age(birth, 52)
    assert told(found[:2]) == ["2009-04-02", "2008-02-29"] and found[2] == since.LONG_AGO
    assert told(since.of_age(birth[1:2], 51)) == ["2007-03-01"]  # no 29 February that year
    for day in (int(d) for d in (*found[:2], since.of_age(birth[1:2], 51)[0])):
        assert (ages(birth, day) > ages(birth, day - 1)).any()
    assert (since.of_age(birth, 0) == since.LONG_AGO).all()


def test_a_condition_stands_from_its_second_day_on():
    days = pd.DataFrame({"row": [0, 0, 1], "day": [number("2008-01-05"), number("2008-03-01"), DAY]})
    found = since.diagnosed(days, 2, DAY, 24, 2, NOTHING, 1)
    assert told(found[:1]) == ["2008-03-01"] and found[1] == since.LONG_AGO  # one day is not enough
    early = pd.DataFrame({"row": [0], "day": [number("2007-12-24")]})
    assert told(since.diagnosed(days, 1 + 1, DAY, 24, 2, early, 1)[:1]) == ["2007-12-24"]  # a fill came first


def test_a_late_member_is_asked_for_when_the_missing_days_are_forgiven():
    spans = pd.DataFrame({"row": [0], "first": [number("2008-08-01")], "last": [DAY]})
    # 45 days may be missing of the twelve months: those that end on 16 June 2009 begin on 17 June 2008.
    assert told(since.enrolled(spans, 1, 12, 1, 45)) == ["2009-06-16"]
    assert told(since.enrolled(spans, 1, 0, 1, 45)) == ["2008-08-01"]
    assert told(since.enrolled(spans, 1, 12, 1, 0)) == ["2009-07-31"]  # nothing forgiven: not by the day


def by_going_back(holds, enrolled_days: np.ndarray) -> int:
    """The first of the enrolled days since which a rule has held on each of them."""
    found = since.LONG_AGO
    for day in enrolled_days[::-1]:
        if not holds(int(day)):
            break
        found = int(day)
    return found


@functools.cache
def first_of(day: int, months: int) -> int:
    return since.first_of(day, months)


@settings(max_examples=25)
@given(
    st.lists(st.integers(1, 420), min_size=1, max_size=7, unique=True),
    st.integers(0, 2), st.integers(0, 60), st.sampled_from([3, 12]),
)  # fmt: skip
def test_enrolment_against_going_back_day_by_day(edges, gaps, gap_days, months):
    ends = sorted(DAY - e for e in edges)
    starts = [ends[0] - 200, *(e + 1 + (i * 37) % 50 for i, e in enumerate(ends))]
    spans = pd.DataFrame({"row": 0, "first": starts, "last": [*ends, DAY]})
    spans = spans[spans["first"] <= spans["last"]]
    calendar = np.zeros(2000, dtype=bool)  # the last day is that of the list
    for first, last in zip(spans["first"], spans["last"], strict=True):
        calendar[first - DAY - 1 : len(calendar) + last - DAY] = True

    def holds(day: int) -> bool:
        window = calendar[first_of(day, months) - DAY - 1 : len(calendar) + day - DAY]
        lengths = [len(run) for run in "".join("1" if on else "0" for on in window).split("1") if run]
        return bool(window[-1]) and len(lengths) <= gaps and max(lengths, default=0) <= gap_days

    assert holds(DAY) == continuous(spans, 1, (first_of(DAY, months), DAY), gaps, gap_days)[0]
    if holds(DAY):
        walked = by_going_back(holds, DAY + 1 - len(calendar) + np.flatnonzero(calendar))
        assert since.enrolled(spans, 1, months, gaps, gap_days)[0] == walked


@settings(max_examples=20)
@given(
    st.lists(st.integers(0, 900), min_size=1, max_size=8, unique=True),
    st.lists(st.integers(0, 900), max_size=3, unique=True), st.integers(1, 3), st.sampled_from([6, 12]),
)  # fmt: skip
def test_conditions_against_going_back_day_by_day(ages_of_codes, ages_of_fills, fewest, months):
    days = np.array(sorted(DAY - a for a in ages_of_codes))
    fills = np.array(sorted(DAY - a for a in ages_of_fills), dtype=np.int64)

    def holds(day: int) -> bool:
        first = first_of(day, months)
        codes = ((days >= first) & (days <= day)).sum()
        return bool(codes >= fewest or ((fills >= first) & (fills <= day)).any())

    walked = by_going_back(holds, np.arange(DAY - 1000, DAY + 1))
    frames = [pd.DataFrame({"row": 0, "day": d}) for d in (days, fills)]
    assert since.diagnosed(frames[0], 1, DAY, months, fewest, frames[1], 1)[0] == walked
