"""Claim lines → what they cost, in which month, for which kind of service, and whether they count.

Reversals are netted by adding up: a void is a negative row of its own with the service dates of its
original, so that a reversal falls into the month in which the service was incurred, not into the month in
which it was reversed (`docs/methods.md`, adjudication).
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import ibis
from ibis import _
from ibis.expr.types import BooleanValue, Column, DateValue, IntegerValue, StringValue, Table

from medhome.study.periods import month_end, month_index
from medhome.study.spec import StudySpec

CODELISTS = Path(__file__).resolve().parent.parent / "definitions" / "codelists"

CATEGORIES = ("inpatient", "outpatient", "emergency", "professional", "pharmacy")
"""Kinds of service, as in ``definitions/codelists/service_categories.csv``; pharmacy claims are one kind."""

KEPT, DENIED, LATE, NOT_COUNTED = "kept", "denied", "late", "not_counted"


def codelist(name: str) -> list[dict[str, str]]:
    """The rows of a code list that travels with the package, in the order of the file.

    >>> codelist("conditions")[1]["code_prefix"], codelist("conditions")[1]["label"]
    ('250', 'Diabetes')
    """
    with (CODELISTS / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def month_of(date: DateValue | Column) -> IntegerValue:
    """The integer of a date's month (`medhome.study.periods`)."""
    return (date.year().cast("int32") * 12 + date.month().cast("int32") - 1).cast("int32")


def lines(inputs: dict[str, Table], people: Table, spec: StudySpec) -> Table:
    """Which claim lines are there, when were they incurred, and does each count?

    One row per line of ``medical_claim`` and ``pharmacy_claim``, voids included:

    - ``person_key``: null when the person is in no enrolment span;
    - ``month``: incurred month; the month of admission for an inpatient stay, else of the claim's start, for
      drugs of dispensing. A stay that crosses a boundary counts once, where it began;
    - ``category``: one of `CATEGORIES`;
    - ``disposition``: "not_counted" (drugs, where the study's outcome is medical cost), "denied", "late"
      (paid after the run-out cut) or "kept", the first that applies;
    - ``void``: whether the row takes an earlier one back;
    - ``allowed_cents``, ``paid_cents``.
    """
    medical = inputs["medical_claim"]
    category = service_category(medical)
    incurred = ibis.ifelse(
        category == "inpatient",
        ibis.coalesce(medical.admission_date, medical.claim_start_date),
        medical.claim_start_date,
    )
    both = _slim(medical, incurred, category)
    if "pharmacy_claim" in inputs:  # a study of medical cost may do without
        pharmacy = inputs["pharmacy_claim"]
        both = ibis.union(both, _slim(pharmacy, pharmacy.dispensing_date, ibis.literal("pharmacy")))
    both = both.mutate(disposition=_disposition(both, spec))
    keys = people.select("person_key", "person_id")
    return both.left_join(keys, "person_id").select(
        "person_key", "month", "category", "disposition", "void", "allowed_cents", "paid_cents"
    )


def counted(claims: Table, month: IntegerValue, spec: StudySpec) -> BooleanValue:
    """Whether a claim row was neither denied nor paid after the run-out cut."""
    return (~_denied(claims)) & (~_late(claims, month, spec))


def is_void(claims: Table) -> BooleanValue:
    """Whether a claim row takes an earlier one back."""
    return (claims.x_adjustment_type.fill_null("") == "void") | (
        claims.x_claim_status.fill_null("") == "reversed"
    )


def service_category(medical: Table) -> StringValue:
    """Kind of service of each medical claim line, by the first rule of the code list that fits.

    Rules: inpatient by the type of bill, or, where an institutional claim has none, by an admission date;
    emergency by revenue centre, procedure code or place of service, line by line; then what is left.

    >>> lines = ibis.memtable(
    ...     [("institutional", "131", "0450", "99284", None, None)],
    ...     schema={"claim_type": "string", "bill_type_code": "string", "revenue_center_code": "string",
    ...             "hcpcs_code": "string", "place_of_service_code": "string", "admission_date": "date"})
    >>> service_category(lines).name("category").to_list()
    ['emergency']
    """
    tests: dict[str, list[tuple[str, str, list[str]]]] = {}
    for rule in codelist("service_categories"):
        found = tests.setdefault(rule["category"], [])
        key = (rule["claim_type"], rule["column"])
        for claim_type, column, codes in found:
            if (claim_type, column) == key:
                codes.append(rule["code_prefix"])
                break
        else:
            found.append((*key, [rule["code_prefix"]]))
    branches = []
    for category, alternatives in tests.items():
        fits = [_fits(medical, *alternative) for alternative in alternatives]
        branches.append((_any(fits), category))
        if category == "inpatient":
            stay_without_bill_type = (
                (medical.claim_type == "institutional")
                & medical.bill_type_code.isnull()
                & medical.admission_date.notnull()
            )
            branches.append((stay_without_bill_type, category))
    return ibis.cases(*branches, else_="professional")


def monthly_cost(claim_lines: Table) -> Table:
    """What did the lines that count cost, by person, incurred month and category?

    One row per person, month and category: ``lines``, ``allowed_cents``, ``paid_cents``, voids netted.
    """
    known = claim_lines.filter(_.disposition == KEPT, _.person_key.notnull())
    return known.group_by("person_key", "month", "category").aggregate(
        lines=_.count(), allowed_cents=_.allowed_cents.sum(), paid_cents=_.paid_cents.sum()
    )


def totals(claim_lines: Table, analysed: tuple[int, ...]) -> Table:
    """Lines and dollars by disposition, void or not, and whether incurred in a month analysed."""
    return (
        claim_lines.mutate(analysed=_.month.isin(list(analysed)))
        .group_by("disposition", "void", "analysed")
        .aggregate(lines=_.count(), allowed_cents=_.allowed_cents.sum(), paid_cents=_.paid_cents.sum())
        .order_by("disposition", "void", "analysed")
    )


def _slim(claims: Table, incurred: Any, category: Any) -> Table:
    return claims.select(
        person_id=claims.person_id,
        month=month_of(incurred),
        category=category,
        paid_date=claims.paid_date,
        x_claim_status=claims.x_claim_status,
        void=is_void(claims),
        allowed_cents=claims.allowed_cents.fill_null(0),
        paid_cents=claims.paid_cents.fill_null(0),
    )


def _disposition(both: Table, spec: StudySpec) -> StringValue:
    drugs_not_counted = (both.category == "pharmacy") & (spec.outcomes.services == "medical")
    return ibis.cases(
        (drugs_not_counted, NOT_COUNTED),
        (_denied(both), DENIED),
        (_late(both, both.month, spec), LATE),
        else_=KEPT,
    )


def _denied(claims: Table) -> BooleanValue:
    return claims.x_claim_status.fill_null("") == "denied"


def _late(claims: Table, month: IntegerValue, spec: StudySpec) -> BooleanValue:
    # The same run-out for every incurred month: a month that had years to be paid in would otherwise be
    # compared with one that had three months. A payment without a date counts as paid in time.
    last_day = month_end(month_index(spec.paid_through))
    lag = month_of(claims.paid_date) - month
    late = (claims.paid_date > ibis.date(last_day)) | (lag > spec.periods.run_out_months)
    return late.fill_null(False)


def _fits(medical: Table, claim_type: str, column: str, codes: list[str]) -> BooleanValue:
    test = ibis.literal(True)
    if claim_type:
        test = medical.claim_type == claim_type
    if column:
        length = len(codes[0])
        if any(len(code) != length for code in codes):
            raise ValueError(f"service_categories.csv: codes of {column} differ in length: {codes}")
        test = test & medical[column].fill_null("").substr(0, length).isin(codes)
    return test


def _any(tests: list[BooleanValue]) -> BooleanValue:
    found = tests[0]
    for test in tests[1:]:
        found = found | test
    return found
