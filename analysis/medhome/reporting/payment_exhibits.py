"""Payment on the page Savings: what must be known before, the settlement statement (T16), what was paid."""

from __future__ import annotations

import pandas as pd

from medhome.reporting import payment_figures, payment_words
from medhome.reporting.blocks import NOTHING, Block, paragraphs
from medhome.reporting.datatable import Column, DataTable, Row
from medhome.study.display import (
    NOT_APPLICABLE,
    absent,
    count,
    month_short,
    number,
    share,
    usd,
)
from medhome.study.payment_results import Payment
from medhome.study.periods import month_name
from medhome.study.released import ReleasedRun

_KINDS = {
    "care_management": "Care management",
    "enhanced_services": "Enhanced services",
    "other": "Other fee",
    "performance": "Pay for performance",
    "shared_savings": "Shared savings",
}
_BEFORE = (
    *("detectable_pmpm", "detectable_share", "chance_share", "minimum_savings_share", "minimum_savings_pmpm"),
    *("minimum_by_chance_share", "cv_ratio", "full_credibility_member_years", "credibility_share"),
    *("baseline_pmpm", "credible_baseline_pmpm"),
)
_CARE = {"quality": "quality", "appropriate_care": "appropriate care"}


def before_any_claim_of_savings(report: ReleasedRun) -> Block:
    """What this study could see, what chance does, credibility and the minimum savings rate."""
    before = report.evaluation.payment.before
    if not before:
        return NOTHING
    said = (
        payment_words.detectable(before),
        payment_words.minimum_savings_rate(before),
        payment_words.credibility(before),
    )
    return paragraphs(said) + before_savings(report.evaluation.payment).block()


def settlement_statement(report: ReleasedRun) -> Block:
    """Exhibit T16: the shared-savings contract, settled for each program year, as a picture and a table."""
    payment = report.evaluation.payment
    if payment.settlement.empty:
        return paragraphs(["The study declares no shared-savings contract, so there is nothing to settle."])
    said = paragraphs(payment_words.settlement(payment))
    figure = payment_figures.settlement_figure(payment)
    return said + (NOTHING if figure is None else figure.block()) + settlement(payment).block()


def pay_for_performance(report: ReleasedRun) -> Block:
    """Table: the measures of quality and appropriate care, and what they earned."""
    payment = report.evaluation.payment
    if payment.measures.empty:
        return paragraphs(["The study declares no pay for performance."])
    return paragraphs([payment_words.performance(payment.measures)]) + measures(payment).block()


def program_payments(report: ReleasedRun) -> Block:
    """Table: every program payment by year, as it is taken off."""
    payment = report.evaluation.payment
    if payment.payments.empty:
        return NOTHING
    return paragraphs([payment_words.payments(payment)]) + payments(payment).block()


def before_savings(payment: Payment) -> DataTable:
    """The numbers that come before any claim of savings, each in its own unit."""
    rows = [
        {
            "id": name,
            "label": e.label,
            "basis": e.method or e.why,
            "value": e.value,
            "unit": e.unit,
            "digits": e.digits,
        }
        for name, e in sorted(payment.before.items(), key=lambda item: _place(item[0]))
    ]

    def value(row: Row) -> str:
        if absent(row["value"]):
            return NOT_APPLICABLE
        return payment_words.written(row["value"], row["unit"], row["digits"])

    return DataTable(
        id="tbl-before-savings",
        caption="Before any claim of savings",
        frame=pd.DataFrame(rows),
        columns=(
            Column("label", "Quantity", beneath=Column("basis", "basis")),
            Column("value", "Value", number, by_row=value),
        ),
        note="Medicare's minimum savings rate was set on Medicare's costs; those of a younger population "
        "vary more, so that chance alone reaches it more often.",
    )


def settlement(payment: Payment) -> DataTable:
    """Exhibit T16, one row per program year."""
    frame = payment.settlement

    def minimum(row: Row) -> str:
        rate = _rate(row["minimum_rate"])
        return (
            rate
            if absent(row["minimum_rate"])
            else f"{rate}, {'reached' if row['reached'] else 'not reached'}"
        )

    def quality(row: Row) -> str:
        gate = "met" if row["quality_met"] else "not met"
        return gate if absent(row["quality_score"]) else f"{gate}, {number(row['quality_score'], 3)}"

    def bound(row: Row) -> str:
        return "at the cap" if row["cap_bound"] else ""

    return DataTable(
        id="tbl-settlement",
        caption="Settlement of shared savings",
        frame=frame,
        columns=(
            Column(
                "year", "Year", count,
                beneath=Column("first_month", "months", month_short, upper="last_month", raw=month_name),
            ),
            Column("member_months", "Member-months", count),
            Column("benchmark_usd", "Benchmark", _whole, "$", beneath=Column("benchmark_pmpm", "PMPM", usd)),
            Column("actual_usd", "Actual", _whole, "$", beneath=Column("actual_pmpm", "PMPM", usd)),
            Column(
                "savings_rate", "Savings rate", _rate,
                beneath=Column("minimum_rate", "minimum", _rate, by_row=minimum),
            ),
            Column("generated_usd", "Generated", _whole, "$"),
            Column(
                "share_rate", "Share", _rate,
                beneath=Column("quality_score", "quality gate, score", _score, by_row=quality),
            ),
            Column(
                "earned_usd", "Earned", _whole, "$",
                beneath=Column("cap_bound", "", by_row=bound),
            ),
            Column("why", "Decided by"),
        ),
        counts=Payment.COUNTS["settlement"],
        resting=Payment.RESTING["settlement"],
        note="Negative: the program owes. A settlement follows the contract, whatever chance did: savings "
        "whose interval holds zero earn as much as certain ones.",
    )  # fmt: skip


def measures(payment: Payment) -> DataTable:
    """Measures with value, threshold, target, weight and what they attained."""
    frame = payment.measures
    measured = frame["measure"] if "measure" in frame else [""] * len(frame)
    return DataTable(
        id="tbl-measures",
        caption="Pay for performance: measures of quality and appropriate care",
        frame=frame.assign(
            taken_from=[f"measured: {m}" if m else "study file" for m in measured],
            kind_text=[_CARE[k] for k in frame["kind"]],
            met_text=["yes" if m else "no" for m in frame["met"]],
            gate_text=["gate" if g else "" for g in frame["gate"]],
        ),
        columns=(
            Column("label", "Measure", beneath=Column("kind_text", "kind")),
            Column("program", "Program"),
            Column("value", "Value", _own, beneath=Column("taken_from", "from")),
            Column("threshold", "Threshold", _own, beneath=Column("gate_text", "gate")),
            Column("target", "Target", _own),
            Column("met_text", "Met"),
            Column("weight", "Weight", _own),
            Column("attained_share", "Attained", share),
        ),
        note="Nothing below the threshold, all from the target, in proportion between them. A measured value "
        "is the program's rate over the months after the start, as on the page on utilisation and quality.",
    )


def payments(payment: Payment) -> DataTable:
    """Program payments by program year; those of the comparison arm are taken off."""
    frame = payment.payments
    return DataTable(
        id="tbl-payments",
        caption="Program payments by program year",
        frame=frame.assign(
            kind_text=[_KINDS[k] for k in frame["kind"]],
            paid_to=["the program" if a == "treated" else "the comparison arm" for a in frame["arm"]],
        ),
        columns=(
            Column("name", "Payment", beneath=Column("kind_text", "kind")),
            Column("year", "Year", count),
            Column("paid_to", "Paid to"),
            Column("pmpm", "PMPM", usd, "$"),
            Column("usd", "Total", _whole, "$"),
        ),
        note="On the treated arm's member-months; what the comparison arm was paid counts for as many "
        "members, with a minus sign.",
    )


def _place(name: str) -> int:
    return _BEFORE.index(name) if name in _BEFORE else len(_BEFORE)


def _whole(value: object) -> str:
    return usd(value, 0)


def _rate(value: object) -> str:
    return share(value, 2)


def _score(value: object) -> str:
    return number(value, 3)


def _own(value: object) -> str:
    return number(value, 0 if not absent(value) and float(str(value)).is_integer() else 3)
