"""Which care is due for each member on a day, and since when? The measures of the study, as of that day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.periods import month_index
from medhome.study.spec import StudySpec
from medhome.tables.engine import fetch
from medhome.tables.lists import since
from medhome.tables.measures import known
from medhome.tables.measures.definitions import Measure, chosen
from medhome.tables.measures.due import Lookback, Windows, due, windows_of
from medhome.tables.measures.lines import day_of, services
from medhome.tables.measures.use_of_care import Care
from medhome.tables.measures.years import People, Year, enrolment_spans

LAPSED, ELIGIBLE, CLAIMS_BEGIN = "service_lapsed", "became_eligible", "claims_begin"
"""What the first day due rests on: a service that no longer counts, the member's own eligibility, or the day
on which claims begin (it may have been due before)."""


@dataclass(frozen=True)
class YearTo(Year):
    """The twelve months that end with a day."""

    last_day: int

    @classmethod
    def of(cls, day: dt.date) -> YearTo:
        """The year that ends with a date."""
        return cls(month_index(day) - 11, "", day_of(day))

    @property
    def opens(self) -> int:
        """Number of the first day."""
        return self.back(12)

    @property
    def closes(self) -> int:
        """Number of the last day."""
        return self.last_day

    def back(self, months: int) -> int:
        """Number of the first of so many months that end with the day."""
        return since.first_of(self.last_day, months)


@dataclass(frozen=True, kw_only=True)
class Gaps:
    """Care that is due, and measures of which nothing can be said.

    frame: one row per member and measure: ``person_id``, ``measure``, ``label``, ``family``, ``due_since``
        and ``last_service`` (day numbers; -1 where none is seen), ``since_basis``.
    unknown: ``measure``, ``why``.
    """

    frame: pd.DataFrame
    unknown: pd.DataFrame


def open_gaps(
    care: Care, inputs: Mapping[str, Table], spec: StudySpec, day: dt.date, claims_from: dt.date
) -> Gaps:
    """Every measure of care of the study for the members that ``care`` holds, with the months that end now.

    Arguments
        care: of the members, nothing in it later than the day. inputs: as known on the day. claims_from: the
            day on which claims begin.
    """
    wanted = [m for m in chosen(spec) if m.counts == "care"]
    facts = known.facts(care, inputs)
    reasons = {m.id: known.why_unknown(m, care, inputs, facts) for m in wanted}
    people = _people(care, inputs, day)
    first = day_of(claims_from)
    look = Lookback(reach=month_index(claims_from), years=people.years)
    asked = [m for m in wanted if not reasons[m.id]]
    names = list(dict.fromkeys(name for m in asked for name in m.lists))
    found = services(care.medical, care.drugs, care.lists, names)
    seen = Windows.of(found, people, names, windows_of(asked, look))
    days = _Seen.of(found, people, names, asked)
    parts = []
    for m in asked:
        if not any((days.last[s.list] >= 0).any() for s in m.numerator):
            reasons[m.id] = "no member has such a service on any claim"
            continue
        state = due(m, 0, people, seen, look)
        parts.append(_open(m, state.due & ~state.given, people, days, first))
    order = ["person_id", "measure"]
    frame = pd.concat(parts, ignore_index=True) if parts else _nothing()
    missing = [(m.id, reasons[m.id]) for m in wanted if reasons[m.id]]
    return Gaps(
        frame=frame.sort_values(order, ignore_index=True),
        unknown=pd.DataFrame(missing, columns=["measure", "why"]).astype("str"),
    )


def _people(care: Care, inputs: Mapping[str, Table], day: dt.date) -> People:
    frame = care.members.frame
    ids = pd.Index(frame["person_id"])
    return People(
        years=[YearTo.of(day)],
        ids=ids,
        birth=frame["birth"].to_numpy(dtype=np.int64),
        death=frame["death"].to_numpy(dtype=np.int64),
        sex=frame["sex"].to_numpy(dtype=object),
        key=frame["person_key"].to_numpy(dtype=np.int64)[None, :],
        spans=enrolment_spans(inputs["eligibility"], care.members, ids),
    )


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """Services on claims: latest day by list (N,), -1 for none; every day of lists that make a condition."""

    last: dict[str, np.ndarray]
    days: dict[str, pd.DataFrame]

    @classmethod
    def of(cls, found: Table, people: People, names: list[str], wanted: list[Measure]) -> _Seen:
        latest = fetch(found.group_by("person_id", "list").aggregate(day=_.day.max()))
        last = {}
        for name in names:
            mine = latest[latest["list"] == name]
            last[name] = np.full(len(people.ids), -1, dtype=np.int64)
            last[name][people.ids.get_indexer(pd.Index(mine["person_id"]))] = mine["day"].to_numpy()
        ill = [m.population.diagnosed for m in wanted if m.population.diagnosed]
        lists = sorted({d.list for d in ill} | {d.or_fills for d in ill if d.or_fills})
        rows = fetch(found.filter(_.list.isin(lists))) if lists else latest.head(0)
        rows = rows.assign(row=people.ids.get_indexer(pd.Index(rows["person_id"])))
        return cls(last=last, days={name: rows.loc[rows["list"] == name, ["row", "day"]] for name in lists})


def _open(m: Measure, gap: np.ndarray, people: People, seen: _Seen, claims_from: int) -> pd.DataFrame:
    """The rows of a measure: members with an open gap, and since when."""
    N, year, population = len(people.ids), people.years[0], m.population
    spans = people.spans[people.spans["pharmacy"] == 1] if population.pharmacy else people.spans
    spans = spans.assign(last=np.minimum(spans["last"], year.closes))
    months = population.enrolled_months
    eligible = np.maximum(
        since.of_age(people.birth, population.age_min),
        since.enrolled(spans, N, months, population.gaps, population.gap_days),
    )
    if (who := population.diagnosed) is not None:
        nothing = pd.DataFrame({"row": [], "day": []}, dtype="int64")
        fills = seen.days[who.or_fills] if who.or_fills else nothing
        ill = since.diagnosed(seen.days[who.list], N, year.closes, who.months, who.days, fills, who.fills)
        eligible = np.maximum(eligible, ill)
    for out in m.exclusions:
        eligible = np.maximum(eligible, since.lapsed(seen.last[out.list], out.months))
    ends = [since.lapsed(seen.last[s.list], s.months) for s in m.numerator]
    lapse = np.maximum.reduce(ends)
    last = np.maximum.reduce([seen.last[s.list] for s in m.numerator])
    began = np.minimum(np.maximum(np.maximum(eligible, lapse), claims_from), year.closes)
    basis = np.where(lapse >= np.maximum(eligible, claims_from), LAPSED, ELIGIBLE)
    basis = np.where(np.maximum(eligible, lapse) < claims_from, CLAIMS_BEGIN, basis)
    row = np.flatnonzero(gap)
    return pd.DataFrame(
        {
            "person_id": people.ids[row].astype("str"),
            "measure": m.id,
            "label": m.label,
            "family": m.family,
            "due_since": began[row],
            "since_basis": basis[row].astype(str),
            "last_service": last[row],
        }
    )


def _nothing() -> pd.DataFrame:
    text = ("person_id", "measure", "label", "family", "since_basis")
    kinds = {**dict.fromkeys(text, "str"), "due_since": "int64", "last_service": "int64"}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})
