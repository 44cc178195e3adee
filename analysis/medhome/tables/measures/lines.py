"""Claim lines that stand, and the services on them that lists of codes name: the input of every measure.

A line stands when it was neither denied nor paid after the run-out cut, when it is no void, and when no
void or replacement that counts acts on its claim. A service counts once a day, so a line taken in twice
adds nothing.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping

import ibis
from ibis import _
from ibis.expr.types import Table

from medhome.study.periods import Span, month_start
from medhome.study.spec import StudySpec
from medhome.tables.bookings import counted, day_number, is_replacement, is_void, month_of
from medhome.tables.services import primary_care_npis, with_category

DIAGNOSIS = re.compile(r"^diagnosis_code_\d+$")
PROCEDURE = re.compile(r"^procedure_code_\d+$")
FIRST_DAY = 305
"""`bookings.day_number` of a date less its ``toordinal()``."""

CodeLists = Mapping[str, list[tuple[str, str]]]


def day_of(date: dt.date) -> int:
    """The day number of a date, as `bookings.day_number` has it in the engine."""
    return date.toordinal() + FIRST_DAY


def standing(claims: Table, day: str, within: Span, spec: StudySpec) -> Table:
    """Rows of a claim table that stand, with service days in these months."""
    date = claims[day]
    good = counted(claims, month_of(date), spec)
    acts = claims.filter(
        (is_void(claims) | is_replacement(claims)) & good, claims.x_adjusts_claim_id.notnull()
    )
    gone = acts.select(gone_claim_id=acts.x_adjusts_claim_id).distinct()
    inside = (date >= ibis.date(month_start(within.first))) & (date < ibis.date(month_start(within.end)))
    kept = claims.filter(good, ~is_void(claims), inside)
    return kept.anti_join(gone, kept.claim_id == gone.gone_claim_id)


def medical_lines(inputs: Mapping[str, Table], within: Span, spec: StudySpec) -> Table:
    """Standing medical lines with the columns that measures read, one row per line.

    ``person_id``, ``claim_id``, ``data_source``, ``claim_type``, ``category`` (kind of service), ``day`` and
    ``until`` (first and last day, as day numbers), ``month``, codes, diagnoses and procedures.
    """
    medical = inputs["medical_claim"]
    stood = standing(medical, "claim_start_date", within, spec)
    shaped = with_category(stood, primary_care_npis(inputs), spec)
    first = ibis.coalesce(shaped.admission_date, shaped.claim_start_date)
    last = ibis.coalesce(shaped.discharge_date, shaped.claim_end_date, shaped.claim_start_date)
    stay = shaped.category == "inpatient"
    many = [c for c in shaped.columns if DIAGNOSIS.match(c) or PROCEDURE.match(c)]
    return shaped.select(
        "person_id",
        "claim_id",
        "data_source",
        "claim_type",
        "category",
        "hcpcs_code",
        "revenue_center_code",
        "bill_type_code",
        "drg_code",
        "rendering_npi",
        "facility_npi",
        "discharge_disposition_code",
        "admit_source_code",
        *many,
        day=day_number(ibis.ifelse(stay, first, shaped.claim_start_date)).cast("int32"),
        until=day_number(ibis.ifelse(stay, last, shaped.claim_end_date)).cast("int32"),
        month=month_of(ibis.ifelse(stay, first, shaped.claim_start_date)),
        system=shaped.diagnosis_code_type.fill_null("").lower(),
    )


def fills(inputs: Mapping[str, Table], within: Span, spec: StudySpec) -> Table | None:
    """Standing fills: ``person_id``, ``day``, ``month``, ``ndc``, ``drug_class``, ``supply`` (days)."""
    if "pharmacy_claim" not in inputs:
        return None
    stood = standing(inputs["pharmacy_claim"], "dispensing_date", within, spec)
    return stood.select(
        "person_id",
        day=day_number(stood.dispensing_date).cast("int32"),
        month=month_of(stood.dispensing_date),
        ndc=stood.ndc_code.fill_null(""),
        drug_class=stood.x_drug_class.fill_null("").strip().lower(),
        supply=stood.days_supply.fill_null(0).cast("int32"),
    )


def services(medical: Table, drugs: Table | None, lists: CodeLists, names: Iterable[str]) -> Table:
    """On which days did each person have a service, a diagnosis or a fill of each of these lists?

    One row per ``person_id``, ``list`` and ``day``.
    """
    wanted = {name: lists[name] for name in names}
    parts = []
    by_column = {
        "hcpcs": medical.hcpcs_code,
        "revenue": medical.revenue_center_code,
        "drg": medical.drg_code,
        "bill-type": medical.bill_type_code.substr(0, 2),
    }
    for system, column in by_column.items():
        if (codes := _of(wanted, {system})) is not None:
            parts.append(_matched(medical.select("person_id", "day", seen=column), codes))
    prefixes = _of(wanted, {"icd-9-cm", "icd-10-cm"})
    if prefixes is not None:
        parts.append(_diagnosed(medical, prefixes))
    if drugs is not None:
        for system, column in (("drug-class", drugs.drug_class), ("ndc", drugs.ndc)):
            if (codes := _of(wanted, {system})) is not None:
                parts.append(_matched(drugs.select("person_id", "day", seen=column), codes))
    if not parts:
        empty = ibis.memtable([], schema={"person_id": "string", "list": "string", "day": "int32"})
        return empty
    return ibis.union(*parts, distinct=True) if len(parts) > 1 else parts[0].distinct()


def _of(lists: CodeLists, systems: set[str]) -> Table | None:
    rows = [(name, s, code) for name, codes in lists.items() for s, code in codes if s in systems]
    if not rows:
        return None
    return ibis.memtable(rows, schema={"list": "string", "code_system": "string", "listed": "string"})


def _matched(narrow: Table, codes: Table) -> Table:
    joined = narrow.join(codes, narrow.seen == codes.listed)
    return joined.select("person_id", "list", "day")


def _diagnosed(medical: Table, prefixes: Table) -> Table:
    columns = [c for c in medical.columns if DIAGNOSIS.match(c)]
    coded = medical.select(
        "person_id", "day", "system", code=ibis.array([medical[c] for c in columns]).unnest()
    )
    coded = coded.filter(_.code.notnull())
    seen = coded.select("system", "code").distinct()
    known = seen.join(
        prefixes, [seen.system == prefixes.code_system, seen.code.startswith(prefixes.listed)]
    ).select("system", "code", "list")
    return coded.join(known.distinct(), ["system", "code"]).select("person_id", "list", "day")
