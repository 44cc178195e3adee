"""Who had end-stage renal disease, a transplant or hospice before the baseline?

Their cost follows other laws than that of other members (`docs/methods.md`, special categories). What is
known before the baseline decides, as for conditions: a category that begins later may be what the program
prevented, or failed to, and moves nobody.
"""

from __future__ import annotations

import functools
import operator

import ibis
from ibis import _
from ibis.expr.types import BooleanValue, StringValue, Table

from medhome.study.periods import month_start
from medhome.study.population_choices import SPECIAL_CATEGORIES
from medhome.study.spec import StudySpec
from medhome.tables.claims import counted, is_void, month_of
from medhome.tables.conditions import standing_codes
from medhome.tables.services import codelist


def special(inputs: dict[str, Table], spec: StudySpec) -> Table:
    """The special category of each person who has one, the first of `SPECIAL_CATEGORIES` that fits.

    A category is there by ``special_services.csv`` and ``special_diagnoses.csv`` of
    ``definitions/codelists``: a column of enrolment of a span that touches the look-back (for who has none,
    of the first span), or a code on a line that stands in the ``risk.lookback_months`` before the baseline,
    voids taken off.

    One row per person with a category: ``person_id``, ``special``.
    """
    found = functools.reduce(
        lambda one, other: one.union(other),
        (_enrolled(inputs, spec), _diagnosed(inputs, spec), _served(inputs, spec)),
    )
    order = list(SPECIAL_CATEGORIES)
    ranked = found.mutate(rank=ibis.cases(*[(found.category == c, i) for i, c in enumerate(order)], else_=-1))
    least = ranked.group_by("person_id").aggregate(rank=_["rank"].min())
    return least.select(
        "person_id", special=ibis.cases(*[(least["rank"] == i, c) for i, c in enumerate(order)])
    )


def _codes(table: str) -> list[dict[str, str]]:
    return [row for row in codelist("special_services") if row["table"] == table]


def _enrolled(inputs: dict[str, Table], spec: StudySpec) -> Table:
    """``person_id`` and ``category`` by columns of enrolment."""
    spans = inputs["eligibility"]
    baseline = spec.periods.baseline.first
    opens = ibis.date(month_start(baseline - spec.risk.lookback_months))
    starts = ibis.date(month_start(baseline))
    first = spans.enrollment_start_date.min().over(group_by=spans.person_id)
    touches = (spans.enrollment_start_date <= starts) & (
        spans.enrollment_end_date.isnull() | (spans.enrollment_end_date >= opens)
    )
    late = (first > starts) & (spans.enrollment_start_date == first)
    known = spans.mutate(known=touches | late).filter(_.known)
    found = [
        known.filter(_text(known, row["column"]) == row["code_prefix"]).select(
            "person_id", category=ibis.literal(row["category"], "string")
        )
        for row in _codes("eligibility")
    ]
    return functools.reduce(lambda one, other: one.union(other), found)


def _diagnosed(inputs: dict[str, Table], spec: StudySpec) -> Table:
    """``person_id`` and ``category`` by diagnoses that stand in the look-back."""
    standing = standing_codes(inputs, spec, by=("person_id", "system", "code"))
    codes = ibis.memtable(
        [(row["system"], row["code_prefix"], row["category"]) for row in codelist("special_diagnoses")],
        schema={"code_system": "string", "code_prefix": "string", "category": "string"},
    )
    seen = standing.select("system", "code").distinct()
    groups = seen.join(
        codes, [seen.system == codes.code_system, seen.code.startswith(codes.code_prefix)]
    ).select("system", "code", "category")
    return standing.join(groups, ["system", "code"]).select("person_id", "category")


def _served(inputs: dict[str, Table], spec: StudySpec) -> Table:
    """``person_id`` and ``category`` by bill type, revenue code or place of service of lines that stand."""
    claim = inputs["medical_claim"]
    first, day = spec.periods.baseline.first, claim.claim_start_date
    recent = claim.filter(
        day >= ibis.date(month_start(first - spec.risk.lookback_months)),
        day < ibis.date(month_start(first)),
        counted(claim, month_of(day), spec),
    )
    found = []
    for category in SPECIAL_CATEGORIES:
        rows = [row for row in _codes("medical_claim") if row["category"] == category]
        if not rows:
            continue
        fits = [_text(recent, r["column"]).startswith(r["code_prefix"]) for r in rows]
        any_of: BooleanValue = functools.reduce(operator.or_, fits)
        standing = (
            recent.filter(any_of)
            .mutate(sign=ibis.ifelse(is_void(recent), -1, 1))
            .group_by("person_id")
            .aggregate(net=_.sign.sum())
            .filter(_.net > 0)
        )
        found.append(standing.select("person_id", category=ibis.literal(category, "string")))
    return functools.reduce(lambda one, other: one.union(other), found)


def _text(table: Table, column: str) -> StringValue:
    return table[column].cast("string").fill_null("")
