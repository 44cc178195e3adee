"""What must hold, or should, in each row of the input tables: one SQL condition per rule.

A rule's condition is true where the rule is broken. Conditions that the contracts imply (values present,
values allowed, dates plausible) are made from them; the others are written out here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from medhome.study.definitions import Contract
from medhome.study.periods import month_end, month_index, month_start
from medhome.study.spec import StudySpec

OLDEST = dt.date(1900, 1, 1)

CLAIMS = {"medical_claim": "claim_start_date", "pharmacy_claim": "dispensing_date"}
"""Tables of claims, and the date that puts a claim into a month."""

_LIVE = "x_claim_status <> 'denied'"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule on the rows of one table.

    broken: SQL that is true for a row that breaks the rule.
    severity: error (the study cannot run), warning (a result may be affected), note (for information).
    label: the fault in words, as a table in the report shows it.
    """

    id: str
    table: str
    column: str
    severity: str
    label: str
    broken: str


def finding(rule: Rule, label: str, count: int, rows: int, cents: int | None, examples: str) -> tuple:
    """One row of `DataQuality.rules`: what a rule found."""
    share = count / rows if rows else 0.0
    dollars = int(cents or 0) / 100
    about = (rule.id, rule.table, rule.column, rule.severity, label)
    return (*about, int(count), int(rows), share, dollars, examples)


def row_rules(contract: Contract, held: list[str], spec: StudySpec) -> list[Rule]:
    """The rules on single rows of one table; ``held`` are the columns that its files hold."""
    from_contract = list(_from_contract(contract, set(held)))
    return from_contract + [r for r in _written(spec) if r.table == contract.table]


def _from_contract(contract: Contract, held: set[str]) -> Iterator[Rule]:
    table = contract.table
    for column in contract.expanded():
        name = column.engine_name
        if name not in held:
            continue
        about = {"table": table, "column": column.name}
        if column.filled:
            yield Rule(
                id="value_missing",
                severity="error",
                label=f"{column.name} is empty",
                broken=f"{name} IS NULL",
                **about,
            )
        if column.allowed:
            listed = ", ".join(f"'{a}'" for a in column.allowed)
            yield Rule(
                id="value_not_allowed",
                severity="error",
                label=f"{column.name} is none of {', '.join(column.allowed)}",
                broken=f"{name} NOT IN ({listed})",
                **about,
            )
        if column.type == "date":
            yield Rule(
                id="date_before_1900",
                severity="error",
                label=f"{column.name} lies before 1900",
                broken=f"{name} < DATE '{OLDEST}'",
                **about,
            )


def _written(spec: StudySpec) -> Iterator[Rule]:
    """The rules of claims and enrolment that no contract can say: id, column, severity, words, condition."""
    after = f"> DATE '{month_end(month_index(spec.paid_through))}'"
    yield from _listed(
        "eligibility",
        ("birth_in_future", "birth_date", "error", "Born after paid_through", f"birth_date {after}"),
        ("death_before_birth", "death_date", "error", "Died before birth", "death_date < birth_date"),
        _order("enrollment_start_date", "enrollment_end_date", "Coverage ends before it starts"),
    )
    yield from _listed(
        "provider_practice",
        _order("effective_start_date", "effective_end_date", "Practice ends before it starts"),
    )
    yield from _listed("program_roster", _order("start_date", "end_date", "Listing ends before it starts"))
    for table, day in CLAIMS.items():
        yield from _listed(table, *_of_claims(day, after, spec.paid_through))
    yield from _listed("care_management", *_of_events(spec))
    yield from _listed(
        "medical_claim",
        _order("claim_start_date", "claim_end_date", "Claim ends before it starts"),
        (
            "no_rendering_npi",
            "rendering_npi",
            "warning",
            "Professional line without the clinician's NPI",
            f"claim_type = 'professional' AND rendering_npi IS NULL AND {_LIVE}",
        ),
    )


def _of_claims(day: str, after: str, paid_through: str) -> Iterator[tuple[str, str, str, str, str]]:
    """The rules that medical and pharmacy claims share; ``day`` is the column of the day of service."""
    words = "allowed_amount is empty in a line that was not denied"
    yield "amount_missing", "allowed_amount", "error", words, f"allowed_cents IS NULL AND {_LIVE}"
    yield "paid_before_service", "paid_date", "warning", "Paid before the service", f"paid_date < {day}"
    words = "No date of payment; counted as paid by the cut"
    yield "paid_date_unknown", "paid_date", "warning", words, f"paid_date IS NULL AND {_LIVE}"
    broken = "paid_cents > allowed_cents AND allowed_cents >= 0"
    yield "paid_above_allowed", "paid_amount", "warning", "Paid more than allowed", broken
    broken = "x_claim_status = 'denied' AND paid_cents <> 0"
    yield "denied_but_paid", "x_claim_status", "warning", "Denied line with a payment", broken
    broken = "x_claim_status = 'reversed' AND allowed_cents > 0"
    yield "reversal_not_negative", "allowed_amount", "warning", "Reversed row with a positive amount", broken
    words = "Void or replacement that names no earlier claim"
    broken = "x_adjustment_type <> 'original' AND x_adjusts_claim_id IS NULL"
    yield "adjusts_nothing", "x_adjusts_claim_id", "warning", words, broken
    yield "denied", "x_claim_status", "note", "Denied line", "x_claim_status = 'denied'"
    words = "Negative amount in a row that is no reversal"
    broken = "(allowed_cents < 0 OR paid_cents < 0) AND x_claim_status <> 'reversed'"
    yield "negative_amount", "allowed_amount", "note", words, broken
    words = f"Service after paid_through ({paid_through})"
    yield "service_after_paid_through", day, "note", words, f"{day} {after}"
    words = f"Paid after paid_through ({paid_through})"
    yield "paid_after_paid_through", "paid_date", "note", words, f"paid_date {after}"


def _of_events(spec: StudySpec) -> Iterator[tuple[str, str, str, str, str]]:
    """The rules of care-management events that one row can break."""
    start, through = month_start(spec.periods.start_month), month_end(month_index(spec.periods.through))
    yield "negative_minutes", "minutes", "warning", "Minutes below zero; not summed", "minutes < 0"
    names = ", ".join(f"'{t}'" for t in spec.care_management.identified)
    words = f"Before the program's start ({spec.periods.start}); only identification counts"
    broken = f"event_date < DATE '{start}' AND event_type NOT IN ({names})"
    yield "event_before_start", "event_date", "note", words, broken
    words = f"After the last month analysed ({spec.periods.through}); not counted"
    yield "event_after_through", "event_date", "note", words, f"event_date > DATE '{through}'"


def _order(first: str, last: str, words: str) -> tuple[str, str, str, str, str]:
    return "ends_before_start", last, "error", words, f"{last} < {first}"


def _listed(table: str, *rules: tuple[str, str, str, str, str]) -> Iterator[Rule]:
    for id, column, severity, label, broken in rules:
        yield Rule(id=id, table=table, column=column, severity=severity, label=label, broken=broken)
