"""Claim lines → what they cost, in which month, for which kind of service, and whether they count.

Reversals are netted by adding up: a void is a negative row of its own that falls into the month of the claim
that it takes back, not into the month in which it was booked (`docs/methods.md`, adjudication).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import ibis
from ibis import _
from ibis.expr.types import DateValue, StringValue, Table

from medhome.study.spec import StudySpec
from medhome.tables.adjudication import (
    CAPITATED,
    DENIED,
    DUPLICATE,
    HEADER,
    KEPT,
    LATE,
    NOT_COUNTED,
    REPLACED,
    adjudicate,
)
from medhome.tables.bookings import counted, is_denied, is_replacement, is_void, month_of
from medhome.tables.capitation import added_cost, payments, shadow_prices
from medhome.tables.rebates import net_of_rebates
from medhome.tables.services import (
    CATEGORIES,
    codelist,
    primary_care_npis,
    service_category,
    with_category,
)
from medhome.tables.transactions import transactions

__all__ = [
    "CAPITATED",
    "CATEGORIES",
    "DENIED",
    "DUPLICATE",
    "HEADER",
    "KEPT",
    "LATE",
    "NOT_COUNTED",
    "REPLACED",
    "bookings",
    "codelist",
    "counted",
    "is_void",
    "ledger",
    "lines",
    "month_of",
    "monthly_cost",
    "raw_totals",
    "service_category",
]

_SAME_SERVICE = (
    *("claim_type", "claim_end_date", "hcpcs_code", "hcpcs_modifier_1", "revenue_center_code"),
    *("bill_type_code", "place_of_service_code", "rendering_npi", "diagnosis_code_1"),
    *("service_unit_quantity", "charge_cents"),
)
_SAME_FILL = ("ndc_code", "quantity", "days_supply", "prescribing_provider_npi", "charge_cents")


def lines(inputs: Mapping[str, Table], spec: StudySpec) -> Table:
    """Which claim lines are there, when were they incurred, and does each count?

    One row per line of ``medical_claim`` and ``pharmacy_claim``, voids included (a stay split by day: one row
    per month):

    - ``person_id``; ``month``: incurred month; the month of admission for an inpatient stay, else of the
      claim's start, for drugs of dispensing; of a void, that of the claim that it takes back; or the month
      of discharge or of the claim's end, or that of payment, by ``claims.claims_month``;
    - ``category``: the kind of service (`medhome.tables.services`);
    - ``disposition``: "kept", or why it does not count (`adjudication.adjudicate`);
    - ``void``: whether the row takes an earlier one back; ``capitated``: an encounter under capitation;
    - ``added``: whether the study's rule on capitation made it; such a row stands for no line (``lines`` 0);
    - ``lines``, ``allowed_cents``, ``paid_cents``;
    - ``code``, ``units``: the service as it is priced (`medhome.tables.prices`).
    """
    columns = (*_PLACED, "disposition", "lines", *_PRICED)
    both = _union(adjudicate(*kind, spec).select(*columns) for kind in _kinds(inputs, spec))
    extra = added_cost(both, inputs["eligibility"], spec)
    both = both.mutate(added=ibis.literal(False))
    if extra is None:
        return both
    filled = extra.mutate(
        disposition=ibis.literal(KEPT),
        void=ibis.literal(False),
        capitated=ibis.literal(True),
        lines=ibis.literal(0, "int64"),
        code=ibis.null("string"),
        units=ibis.literal(0.0, "float64"),
        added=ibis.literal(True),
    )
    return ibis.union(both, filled.select(*both.columns))


def bookings(inputs: Mapping[str, Table], spec: StudySpec) -> Table:
    """Every booking of cost by the same rules as `lines`, each in the month of its own payment.

    One row per booking (`medhome.tables.transactions`), none for what never counts: ``person_id``, ``month``,
    ``category``, ``lag`` (months from service to payment; null without a paid date), ``allowed_cents``. At
    each lag, what was booked so far is what `lines` keeps with a run-out of that many months.
    """
    booked = _union(
        transactions(*kind, spec).select(*_PLACED, *_PRICED, "lag") for kind in _kinds(inputs, spec)
    )
    columns = ("person_id", "month", "category", "lag", "allowed_cents")
    found = booked.select(*columns)
    if spec.claims.capitation == "shadow_price":
        encounters = booked.filter(_.capitated, _.allowed_cents == 0, ~_.void)
        own = lines(inputs, spec)
        extra = shadow_prices(own.filter(~own.added), spec, encounters)
        return ibis.union(found, extra.select(*columns))
    if spec.claims.capitation == "add_payment":
        extra = payments(inputs["eligibility"], spec).mutate(lag=ibis.literal(0, "int32"))
        return ibis.union(found, extra.select(*columns))
    return found


def ledger(inputs: Mapping[str, Table], people: Table, spec: StudySpec) -> Table:
    """Lines and cents by person, incurred month and kind, and by whether and why they count.

    One row per ``person_key`` (null when the person is in no enrolment span), ``month``, ``category``,
    ``disposition``, ``void`` and ``added``: ``lines``, ``zero_lines`` (allowed nothing), ``allowed_cents``,
    ``paid_cents``.
    """
    found = lines(inputs, spec)
    keys = people.select("person_key", known_id=people.person_id)
    joined = found.left_join(keys, found.person_id == keys.known_id)
    return joined.group_by("person_key", "month", "category", "disposition", "void", "added").aggregate(
        lines=_.lines.sum(),
        zero_lines=ibis.ifelse(_.allowed_cents == 0, _.lines, 0).sum(),
        allowed_cents=_.allowed_cents.sum(),
        paid_cents=_.paid_cents.sum(),
    )


def monthly_cost(booked: Table) -> Table:
    """What did the lines that count cost, by person, incurred month and category?

    Arguments
        booked: `ledger`, of the months wanted.

    One row per person, month and category: ``lines``, ``allowed_cents``, ``paid_cents``, voids netted.
    """
    known = booked.filter(_.disposition == KEPT, _.person_key.notnull())
    return known.group_by("person_key", "month", "category").aggregate(
        lines=_.lines.sum(), allowed_cents=_.allowed_cents.sum(), paid_cents=_.paid_cents.sum()
    )


def raw_totals(inputs: Mapping[str, Table], spec: StudySpec) -> Table:
    """Lines and cents as the files hold them, drugs net of rebates: one row, summed without any join."""
    held = [inputs["medical_claim"]]
    if "pharmacy_claim" in inputs:
        held.append(net_of_rebates(inputs["pharmacy_claim"], spec))
    both = [
        t.select(allowed_cents=t.allowed_cents.fill_null(0), paid_cents=t.paid_cents.fill_null(0))
        for t in held
    ]
    table = ibis.union(*both) if len(both) > 1 else both[0]
    return table.aggregate(
        lines=_.count(), allowed_cents=_.allowed_cents.sum(), paid_cents=_.paid_cents.sum()
    )


_PLACED = ("person_id", "month", "category", "void", "capitated")
_PRICED = ("code", "units", "allowed_cents", "paid_cents")
_Kind = tuple[Table, Callable[[Table], Table], str, tuple[str, ...]]


def _union(tables: Iterable[Table]) -> Table:
    found = list(tables)
    return ibis.union(*found) if len(found) > 1 else found[0]


def _kinds(inputs: Mapping[str, Table], spec: StudySpec) -> list[_Kind]:
    """Each kind of claim as `adjudicate` takes it: rows, their lines, a day, and what copies agree in."""
    primary = primary_care_npis(inputs)

    def shaped(rows: Table) -> Table:
        return _medical_lines(with_category(rows, primary, spec), spec)

    medical = inputs["medical_claim"]
    found: list[_Kind] = [(medical, shaped, "claim_end_date", _in(medical, _SAME_SERVICE))]
    if "pharmacy_claim" in inputs:  # a study of medical cost may do without
        drugs = net_of_rebates(inputs["pharmacy_claim"], spec)
        found.append(
            (drugs, lambda rows: _pharmacy_lines(rows, spec), "dispensing_date", _in(drugs, _SAME_FILL))
        )
    return found


def _in(claims: Table, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name in claims.columns)


def _dated(start: DateValue, end: DateValue, claims: Table, spec: StudySpec) -> DateValue:
    """The date that puts a claim into a month, by ``claims.claims_month``."""
    if spec.claims.claims_month == "end":
        return end
    return ibis.coalesce(claims.paid_date, start) if spec.claims.claims_month == "paid" else start


def _medical_lines(medical: Table, spec: StudySpec) -> Table:
    stay = medical.category == "inpatient"
    day = ibis.ifelse(
        stay, ibis.coalesce(medical.admission_date, medical.claim_start_date), medical.claim_start_date
    )
    until = ibis.ifelse(stay, ibis.coalesce(medical.discharge_date, medical.claim_end_date), None)
    # A stay has one price, whatever its lines are: its first line stands for the admission.
    code = ibis.ifelse(
        stay,
        ibis.literal("DRG ") + medical.drg_code.fill_null("unknown"),
        ibis.coalesce(medical.hcpcs_code, medical.revenue_center_code),
    )
    quantity = medical.service_unit_quantity.cast("float64")
    units = ibis.ifelse(
        stay,
        ibis.ifelse(medical.claim_line_number == 1, 1.0, 0.0),
        ibis.ifelse((quantity > 0).fill_null(False), quantity, 1.0),
    )
    end = ibis.coalesce(until, medical.claim_end_date, day)
    return _slim(
        medical,
        day,
        until,
        _dated(day, end, medical, spec),
        medical.category,
        code,
        units,
        _SAME_SERVICE,
        capitated=(medical.x_capitated.cast("int8") == 1).fill_null(False),
        total_cents=medical.total_cost_cents,
    )


def _pharmacy_lines(pharmacy: Table, spec: StudySpec) -> Table:
    quantity = pharmacy.quantity.cast("float64")
    day = pharmacy.dispensing_date
    return _slim(
        pharmacy,
        day,
        ibis.null("date"),
        _dated(day, day, pharmacy, spec),
        ibis.literal("pharmacy"),
        pharmacy.ndc_code,
        ibis.ifelse((quantity > 0).fill_null(False), quantity, 1.0),
        _SAME_FILL,
        capitated=ibis.literal(False),
        total_cents=ibis.null("int64"),
    )


def _slim(
    claims: Table,
    day: DateValue,
    until: DateValue,
    month_day: DateValue,
    category: StringValue,
    code: StringValue,
    units: ibis.Value,
    identity: tuple[str, ...],
    **more: ibis.Value,
) -> Table:
    held = {name: claims[name] for name in identity if name in claims.columns}
    held.setdefault("charge_cents", ibis.null("int64"))
    return claims.select(
        person_id=claims.person_id,
        claim_id=claims.claim_id,
        claim_line_number=claims.claim_line_number,
        data_source=claims.data_source,
        day=day,
        until=until,
        month_day=month_day,
        category=category,
        code=code,
        units=ibis.ifelse(is_void(claims), -units, units),
        paid_date=claims.paid_date,
        denied=is_denied(claims),
        void=is_void(claims),
        replacement=is_replacement(claims),
        adjusts=claims.x_adjusts_claim_id,
        allowed_cents=claims.allowed_cents.fill_null(0),
        paid_cents=claims.paid_cents.fill_null(0),
        **held,
        **more,
    )
