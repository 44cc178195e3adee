"""Years of measurement, and who is asked for in each: enrolled without gaps, of the right age and sex."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.periods import month_end, month_start
from medhome.study.spec import StudySpec
from medhome.tables.bookings import day_number
from medhome.tables.engine import fetch
from medhome.tables.measures.counting import Members
from medhome.tables.measures.definitions import Population
from medhome.tables.measures.lines import FIRST_DAY
from medhome.tables.panel import Panel

_FAR = 10_000_000
_KEY = 2**32


@dataclass(frozen=True)
class Year:
    """Twelve months in which care is due: first month, and first and last day as day numbers."""

    first: int
    period: str

    @property
    def opens(self) -> int:
        """Number of the first day."""
        return month_start(self.first).toordinal() + FIRST_DAY

    @property
    def closes(self) -> int:
        """Number of the last day."""
        return month_end(self.first + 11).toordinal() + FIRST_DAY

    def back(self, months: int) -> int:
        """Number of the first day of the months that end with this year."""
        return month_start(self.first + 12 - months).toordinal() + FIRST_DAY


def years_of(spec: StudySpec) -> list[Year]:
    """The whole years of a study: back from the end of the baseline, and on from its first month after it.

    Months that fill no year are left out of the measures by year.
    """
    before, after = spec.periods.baseline, spec.periods.performance
    found = [Year(before.end - 12 * n, "baseline") for n in range(before.months // 12, 0, -1)]
    return found + [Year(after.first + 12 * n, "performance") for n in range(after.months // 12)]


@dataclass
class People:
    """The cohort by person, whatever its places: rows in the order of ``person_id``.

    key: (Y, N) ``person_key`` of the last month analysed in each year; -1 where there is none. spans:
    enrolment, one row per span: ``row`` (of the person), ``first``, ``last`` (day numbers), ``pharmacy``.
    """

    years: list[Year]
    ids: pd.Index
    birth: np.ndarray
    death: np.ndarray
    sex: np.ndarray
    key: np.ndarray
    spans: pd.DataFrame
    kept: dict[tuple, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, panel: Panel, members: Members, inputs: Mapping[str, Table], spec: StudySpec) -> People:
        """From the panel's months and the enrolment spans."""
        years = years_of(spec)
        who = members.frame.drop_duplicates("person_id").sort_values("person_id")
        ids = pd.Index(who["person_id"])
        key = np.full((len(years), len(ids)), -1, dtype=np.int64)
        months = panel.months.join(members.table.select("person_key", "person_id"), "person_key")
        for i, year in enumerate(years):
            inside = months.filter(_.month.between(year.first, year.first + 11))
            code = inside.month.cast("int64") * _KEY + inside.person_key.cast("int64")
            last = fetch(inside.mutate(code=code).group_by("person_id").aggregate(code=_.code.max()))
            key[i, ids.get_indexer(pd.Index(last["person_id"]))] = last["code"].to_numpy() % _KEY
        return cls(
            years=years,
            ids=ids,
            birth=who["birth"].to_numpy(dtype=np.int64),
            death=who["death"].to_numpy(dtype=np.int64),
            sex=who["sex"].to_numpy(dtype=object),
            key=key,
            spans=enrolment_spans(inputs["eligibility"], members, ids),
        )

    def asked(self, population: Population, number: int) -> np.ndarray:
        """(N,) who is asked for in a year by age, sex and enrolment; conditions are another matter.

        In the cohort in at least one month of the year, alive and enrolled on its last day.
        """
        year = self.years[number]
        enrolled = self._enrolled(population, number)
        age = ages(self.birth, year.closes)
        found = enrolled & (self.key[number] >= 0) & ((self.death < 0) | (self.death > year.closes))
        found &= (age >= population.age_min) & (age <= population.age_max)
        return found & (self.sex == population.sex) if population.sex else found

    def _enrolled(self, population: Population, number: int) -> np.ndarray:
        year = self.years[number]
        rule = (number, population.enrolled_months, population.gaps, population.gap_days, population.pharmacy)
        if rule not in self.kept:
            spans = self.spans[self.spans["pharmacy"] == 1] if population.pharmacy else self.spans
            opens = year.back(population.enrolled_months) if population.enrolled_months else year.closes
            self.kept[rule] = continuous(
                spans, len(self.ids), (opens, year.closes), population.gaps, population.gap_days
            )
        return self.kept[rule]


def continuous(
    spans: pd.DataFrame, people: int, window: tuple[int, int], gaps: int, gap_days: int
) -> np.ndarray:
    """(N,) who is enrolled through a window of days but for so many gaps of at most so many days.

    Arguments
        spans: ``row``, ``first``, ``last``, in any order, overlapping or touching. window: first and last
            day, both inside. Enrolment on the last day is needed: a gap at the end is not forgiven.

    >>> spans = pd.DataFrame({"row": [0, 0, 1], "first": [1, 80, 1], "last": [40, 365, 364]})
    >>> continuous(spans, 3, (1, 365), gaps=1, gap_days=45).tolist()  # days 41 to 79 are 39 days
    [True, False, False]
    """
    opens, closes = window
    inside = spans[(spans["last"] >= opens) & (spans["first"] <= closes) & (spans["first"] <= spans["last"])]
    inside = inside.sort_values(["row", "first", "last"])
    row = inside["row"].to_numpy(dtype=np.int64)
    first = np.maximum(inside["first"].to_numpy(dtype=np.int64), opens)
    last = np.minimum(inside["last"].to_numpy(dtype=np.int64), closes)
    reach = running_max(row, last)
    before = np.full(len(row), opens - 1)
    same = np.flatnonzero(row[1:] == row[:-1]) + 1
    before[same] = reach[same - 1]
    length = np.maximum(first - before - 1, 0)
    count = np.bincount(row, length > 0, minlength=people)
    longest = np.zeros(people, dtype=np.int64)
    np.maximum.at(longest, row, length)
    end = np.zeros(people, dtype=np.int64)
    np.maximum.at(end, row, last)
    return np.asarray((count <= gaps) & (longest <= gap_days) & (end == closes))


def running_max(group: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The largest value so far within each group; groups in ascending order, values below ten million.

    >>> running_max(np.array([0, 0, 1]), np.array([5, 3, 2])).tolist()
    [5, 5, 2]
    """
    offset = group.astype(np.int64) * (4 * _FAR)
    return np.asarray(np.maximum.accumulate(values + offset) - offset)


def ages(birth: np.ndarray, day: int) -> np.ndarray:
    """Completed years on a day; -1 where the birth date is unknown.

    >>> born, there = (dt.date(*d).toordinal() + FIRST_DAY for d in ((2000, 3, 1), (2010, 2, 28)))
    >>> ages(np.array([born, -1]), there).tolist()
    [9, -1]
    """
    there = dt.date.fromordinal(day - FIRST_DAY)
    epoch = dt.date(1970, 1, 1).toordinal() + FIRST_DAY
    dates = np.where(birth < 0, 0, birth - epoch).astype("datetime64[D]")
    year = dates.astype("datetime64[Y]").astype(int) + 1970
    month = dates.astype("datetime64[M]").astype(int) % 12 + 1
    of_month = (dates - dates.astype("datetime64[M]")).astype(int) + 1
    not_yet = (month > there.month) | ((month == there.month) & (of_month > there.day))
    return np.where(birth < 0, -1, there.year - year - not_yet)


def enrolment_spans(eligibility: Table, members: Members, ids: pd.Index) -> pd.DataFrame:
    """Enrolment of these people as `People.spans` has it.

    Arguments
        ids: their ``person_id``, which ``row`` counts through.
    """
    own = eligibility.semi_join(members.table, "person_id")
    end = own.enrollment_end_date.fill_null(ibis.date("9999-12-30"))
    found = fetch(
        own.select(
            "person_id",
            first=day_number(own.enrollment_start_date).cast("int64"),
            last=day_number(end).cast("int64"),
            pharmacy=own.x_pharmacy_benefit.cast("int8"),
        )
    )
    return found.assign(row=ids.get_indexer(pd.Index(found["person_id"]))).drop(columns="person_id")
