"""What was known on a day? Input tables without anything later, and a study whose months end there.

A list that a program works with is made from what is known when it is made. So each table is cut at its
source, before anything is counted: what is computed afterwards cannot see later rows, whatever it does
(`docs/lists.md`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import ibis
from ibis import _
from ibis.expr.types import BooleanValue, Column, Table

from medhome.study.definitions import contract
from medhome.study.periods import month_index, month_name
from medhome.study.spec import StudySpec

SPANS = {
    "eligibility": ("enrollment_start_date", "enrollment_end_date", ("death_date",)),
    "provider_practice": ("effective_start_date", "effective_end_date", ()),
    "program_roster": ("start_date", "end_date", ()),
}
"""Tables of spans: first day, last day, and dates that are forgotten where they lie later."""

_SAID_BY_MONTH = {"provider_attribution": "year_month"}
_ANY_RUN_OUT = 100_000
"""Months of run-out: whatever was paid by the day counts."""


def known_on(inputs: Mapping[str, Table], day: dt.date) -> dict[str, Table]:
    """The input tables as they were on a day: every row and date that lies later is gone.

    - Spans (enrolment, affiliations, roster): those that began by the day; a later end is not known yet, so
      the span is open. A later death is not known.
    - Claims and every other table of events: rows of which no date lies later, service and payment alike. A
      claim without a date of payment is taken as known once its service has ended.
    - The payer's attribution: lists of months up to that of the day.

    Arguments
        inputs: contract-shaped tables by name.

    >>> fills = ibis.memtable(
    ...     [(dt.date(2009, 5, 30), dt.date(2009, 6, 3)), (dt.date(2009, 5, 30), None)],
    ...     schema={"dispensing_date": "date", "paid_date": "date"})
    >>> known_on({"pharmacy_claim": fills}, dt.date(2009, 5, 31))["pharmacy_claim"].count().execute()
    1
    """
    return {name: _known(name, table, day) for name, table in inputs.items()}


def _known(name: str, table: Table, day: dt.date) -> Table:
    if name in SPANS:
        _first, last, forgotten = SPANS[name]
        later = {c: _unless_later(table[c], day) for c in (last, *forgotten) if c in table.columns}
        others = [c for c in _dates(name, table) if c not in (last, *forgotten)]
        return table.filter(*(_by(table[c], day) for c in others)).mutate(**later)
    if name in _SAID_BY_MONTH:
        said = table[_SAID_BY_MONTH[name]].cast("string").replace("-", "")
        return table.filter(said <= month_name(month_index(day)).replace("-", ""))
    return table.filter(*(_by(table[c], day) for c in _dates(name, table)))


def _dates(name: str, table: Table) -> list[str]:
    """The columns of a table that hold a day."""
    named = {c.engine_name for c in contract(name).expanded() if c.type == "date"}
    return [c for c in table.columns if c in named or table[c].type().is_date()]


def _by(date: Column, day: dt.date) -> BooleanValue:
    return date.isnull() | (date <= ibis.date(day))


def _unless_later(date: Column, day: dt.date) -> Column:
    return ibis.ifelse(date <= ibis.date(day), date, ibis.null("date"))


def running_on(roster: Table, day: dt.date) -> Table:
    """The rows of the program roster that hold on a day."""
    return roster.filter(_.start_date.isnull() | (_.start_date <= ibis.date(day))).filter(
        _.end_date.isnull() | (_.end_date >= ibis.date(day))
    )


def study_on(spec: StudySpec, day: dt.date, run_out_months: int = _ANY_RUN_OUT) -> StudySpec:
    """The same study with a single month, that of a day: its rules read everything as of then.

    Not a study to evaluate: baseline and performance are the same month, and nothing is left out by hand.
    Claims count whenever they were paid by the day, or with so many months of run-out, alike in every month.
    """
    month = month_name(month_index(day))
    moment = spec.periods.model_copy(
        update={
            "baseline_first": month,
            "baseline_last": month,
            "start": month,
            "through": month,
            "washout_months": 0,
            "run_out_months": run_out_months,
        }
    )
    nobody_out = spec.arms.model_copy(update={"exclusions": []})
    together = spec.population.model_copy(update={"special_categories": "keep"})
    return spec.model_copy(
        update={"periods": moment, "paid_through": month, "arms": nobody_out, "population": together}
    )
