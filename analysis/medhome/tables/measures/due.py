"""Care that is due: who is asked for, who had it, whose gap was open and was closed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.tables.engine import fetch
from medhome.tables.measures.counting import Members, Tally
from medhome.tables.measures.definitions import Measure, Population
from medhome.tables.measures.years import People, Year

Window = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Windows:
    """On how many days within each window of days did each person have a service of each list?

    rows: list → (N, W) days, rows as in `People`, columns as in ``windows``.
    """

    windows: tuple[Window, ...]
    rows: dict[str, np.ndarray]
    people: int

    @classmethod
    def of(cls, services: Table, people: People, names: Iterable[str], windows: Iterable[Window]) -> Windows:
        """Counted in one pass. services: `lines.services`, one row per person, list and day."""
        wanted = tuple(dict.fromkeys(windows))
        counts = {f"w{i}": services.day.between(a, b).cast("int32").sum() for i, (a, b) in enumerate(wanted)}
        found = fetch(services.group_by("person_id", "list").aggregate(**counts))
        rows = {}
        for name in names:
            mine = found[found["list"] == name]
            place = people.ids.get_indexer(pd.Index(mine["person_id"]))
            known = place >= 0
            rows[name] = np.zeros((len(people.ids), len(wanted)), dtype=np.int32)
            rows[name][place[known]] = mine[list(counts)].to_numpy(dtype=np.int32)[known]
        return cls(windows=wanted, rows=rows, people=len(people.ids))

    def days(self, name: str, window: Window) -> np.ndarray:
        """(N,) days with a service of the list within the window."""
        return self.rows[name][:, self.windows.index(window)]


@dataclass(frozen=True, kw_only=True)
class Lookback:
    """How far back each rule may look, the same in every year: claims that begin late cut it in all of them.

    reach: first month of the claims. A service of ten years' standing that claims cannot show would otherwise
    be missed more often in the first year than in the last, and look like better care later.
    """

    reach: int
    years: list[Year]

    def at_end(self, year: Year, months: int) -> Window:
        """The months that end with the year, as far as claims reach in the first year."""
        most = self.years[0].first + 12 - self.reach
        return (year.back(min(months, most)), year.closes)

    def at_start(self, year: Year, months: int) -> Window | None:
        """The months that end before the year; None where the first year has none before it."""
        most = self.years[0].first - self.reach
        if most <= 0:
            return None
        return (Year(year.first - 12, year.period).back(min(months, most)), year.opens - 1)

    def cut(self, months: int) -> int:
        """The months of look-back that are left of so many."""
        return min(months, self.years[0].first + 12 - self.reach)


def windows_of(wanted: list[Measure], look: Lookback) -> list[Window]:
    """Every window of days that these measures ask about."""
    found: list[Window] = []
    for year in look.years:
        found.append((year.opens, year.closes))
        months = {s.months for m in wanted for s in (*m.numerator, *m.exclusions)}
        months |= {m.population.diagnosed.months for m in wanted if m.population.diagnosed}
        for n in sorted(months):
            found.append(look.at_end(year, n))
            start = look.at_start(year, n)
            found += [start] if start else []
    return found


@dataclass(frozen=True, kw_only=True)
class Due:
    """One measure in one year, by person (N,): is it due, was it given, was it open at the start and closed?

    opened, closed: None where claims do not reach back before the first year.
    """

    year: int
    due: np.ndarray
    given: np.ndarray
    opened: np.ndarray | None
    closed: np.ndarray | None


def due(measure: Measure, number: int, people: People, seen: Windows, look: Lookback) -> Due:
    """Who is due a measure's service in a year, and who had it.

    A gap is open when none of the services lies within its look-back before the year's first day, closed when
    one is given in the year.
    """
    year = people.years[number]
    asked = eligible(measure.population, number, people, seen, look)
    for out in measure.exclusions:
        asked &= seen.days(out.list, look.at_end(year, out.months)) == 0
    given = np.zeros(seen.people, dtype=bool)
    before, within = given.copy(), given.copy()
    known = True
    for service in measure.numerator:
        given |= seen.days(service.list, look.at_end(year, service.months)) > 0
        within |= seen.days(service.list, (year.opens, year.closes)) > 0
        start = look.at_start(year, service.months)
        known &= start is not None
        if start is not None:
            before |= seen.days(service.list, start) > 0
    opened = asked & ~before
    return Due(
        year=number,
        due=asked,
        given=asked & given,
        opened=opened if known else None,
        closed=opened & within if known else None,
    )


def eligible(
    population: Population, number: int, people: People, seen: Windows, look: Lookback
) -> np.ndarray:
    """(N,) who is asked for in a year, the condition included."""
    asked = people.asked(population, number).copy()
    who = population.diagnosed
    if who is None:
        return asked
    window = look.at_end(people.years[number], who.months)
    ill = seen.days(who.list, window) >= who.days
    if who.or_fills:
        ill |= seen.days(who.or_fills, window) >= who.fills
    return asked & ill


def tally(parts: list[tuple[int, np.ndarray, np.ndarray]], people: People, members: Members) -> Tally:
    """Years of a measure as `Tally`: (year's number, counted over (N,), with an event (N,)).

    Each person counts where they were in their last month of the year.
    """
    places, months, n, d = [], [], [], []
    for number, over, events in parts:
        row = np.flatnonzero(over)
        places.append(np.searchsorted(members.frame["person_key"].to_numpy(), people.key[number, row]))
        months.append(np.full(len(row), people.years[number].first, dtype=np.int64))
        n.append(events[row].astype(np.int64))
        d.append(over[row].astype(np.int64))
    return Tally(
        person=np.concatenate(places), month=np.concatenate(months), n=np.concatenate(n), d=np.concatenate(d)
    )


def reach_of(lines: Table) -> int:
    """The first month of the claims."""
    return int(fetch(lines.aggregate(first=_.month.min()))["first"].iloc[0])
