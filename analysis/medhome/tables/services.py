"""Which kind of service is a claim line? By the first rule of a code list that fits."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Mapping
from pathlib import Path

import ibis
from ibis.expr.types import BooleanValue, StringValue, Table

from medhome.study.problems import StudyFileError
from medhome.study.spec import StudySpec
from medhome.tables.engine import fetch

CODELISTS = Path(__file__).resolve().parent.parent / "definitions" / "codelists"

CATEGORIES = (
    *("inpatient", "outpatient", "emergency", "primary_care", "specialist"),
    *("imaging_laboratory", "other", "pharmacy"),
)
"""Kinds of service of ``definitions/codelists/service_categories.csv``, and pharmacy claims."""

PRIMARY_CARE = "x_primary_care"
"""Column of a list's rules that asks for the clinician: 1 for one flagged in ``provider_practice``."""


def codelist(name: str) -> list[dict[str, str]]:
    """The rows of a code list that travels with the package, in the order of the file.

    >>> codelist("conditions")[1]["code_prefix"], codelist("conditions")[1]["label"]
    ('250', 'Diabetes')
    """
    with (CODELISTS / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def with_category(medical: Table, primary: list[str], spec: StudySpec) -> Table:
    """Medical claim lines with ``category``, the kind of service of each.

    Arguments
        medical: rows of ``medical_claim``.
        primary: `primary_care_npis`.
        spec: the study; its own list of categories, where it has one, replaces the package's.
    """
    return medical.mutate(category=_category(medical, primary, spec))


def service_category(medical: Table, inputs: Mapping[str, Table], spec: StudySpec) -> StringValue:
    """Kind of service of each medical claim line, by the first rule of the code list that fits.

    Rules of the package's list, in this order: inpatient by the type of bill, or, where an institutional
    claim has none, by an admission date; emergency by revenue centre, procedure code or place of service,
    line by line; other institutional lines are outpatient; professional lines are imaging and laboratory, or
    other (supplies, drugs, transport) by code; of what is left, primary care is what a clinician gave whom
    ``provider_practice`` flags as such at any time, and the rest with a procedure code is specialist.

    Raises `StudyFileError` where a study's own list names a column that claims do not have.

    >>> from medhome.study.spec import StudySpec
    >>> study = StudySpec.model_validate({
    ...     "id": "s", "title": "S", "seed": 1, "paid_through": "2009-12", "program": {"name": "P"},
    ...     "periods": {"baseline_first": "2008-01", "baseline_last": "2008-12", "start": "2009-01",
    ...                 "through": "2009-06"}})
    >>> lines = ibis.memtable(
    ...     [("institutional", "131", "0450", "99284", None, None, None)],
    ...     schema={"claim_type": "string", "bill_type_code": "string", "revenue_center_code": "string",
    ...             "hcpcs_code": "string", "place_of_service_code": "string", "admission_date": "date",
    ...             "rendering_npi": "string"})
    >>> service_category(lines, {}, study).name("category").to_list()
    ['emergency']
    """
    return _category(medical, primary_care_npis(inputs), spec)


def _category(medical: Table, primary: list[str], spec: StudySpec) -> StringValue:
    own = [rule.model_dump() for rule in spec.claims.service_rules]
    rules = own or codelist("service_categories")
    branches: list[tuple[BooleanValue, str]] = []
    for category, together in itertools.groupby(rules, key=lambda rule: rule["category"]):
        alternatives: dict[tuple[str, str], list[str]] = {}
        for rule in together:
            alternatives.setdefault((rule["claim_type"], rule["column"]), []).append(rule["code_prefix"])
        fits = [_fits(medical, primary, *key, codes, spec) for key, codes in alternatives.items()]
        branches.append((_any(fits), category))
        if category == "inpatient":
            stay_without_bill_type = (
                (medical.claim_type == "institutional")
                & medical.bill_type_code.isnull()
                & medical.admission_date.notnull()
            )
            branches.append((stay_without_bill_type, category))
    return ibis.cases(*branches, else_="other")


def primary_care_npis(inputs: Mapping[str, Table]) -> list[str]:
    """Clinicians whom ``provider_practice`` flags as primary care at any time."""
    # A list, not a query inside the cases of a column: not every engine can do that.
    if "provider_practice" not in inputs:
        return []
    practice = inputs["provider_practice"]
    flagged = practice.filter(practice.x_primary_care == 1, practice.npi.notnull())
    return fetch(flagged.select("npi").distinct().order_by("npi"))["npi"].tolist()


def _fits(
    medical: Table, primary: list[str], claim_type: str, column: str, codes: list[str], spec: StudySpec
) -> BooleanValue:
    test: BooleanValue = ibis.literal(True)
    if claim_type:
        test = medical.claim_type == claim_type
    if column == PRIMARY_CARE:
        return test & medical.rendering_npi.isin(primary).fill_null(False)
    if column:
        if column not in medical.columns or not medical[column].type().is_string():
            raise StudyFileError(
                f"{spec.claims.service_categories or 'service_categories.csv'}: column {column!r} is no code "
                f"of medical_claim; use hcpcs_code, revenue_center_code, bill_type_code, "
                f"place_of_service_code, drg_code or {PRIMARY_CARE}"
            )
        value = medical[column].fill_null("")
        lengths = sorted({len(code) for code in codes})
        test = test & _any(
            [value.substr(0, n).isin([code.upper() for code in codes if len(code) == n]) for n in lengths]
        )
    return test


def _any(tests: list[BooleanValue]) -> BooleanValue:
    found = tests[0]
    for test in tests[1:]:
        found = found | test
    return found
