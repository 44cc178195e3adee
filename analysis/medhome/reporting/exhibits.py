"""Results as tables: one function for each exhibit (`methods.md` section 5 numbers them T1 to T20)."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medhome.reporting.cohort_exhibits import by_arm, month_column
from medhome.reporting.datatable import Column, DataTable, Row, records
from medhome.reporting.words import definition_name, rows_of
from medhome.study.display import (
    NOT_APPLICABLE,
    absent,
    count,
    in_unit,
    interval,
    month_short,
    number,
    p_value,
    ratio,
    share,
    usd,
)
from medhome.study.periods import month_name
from medhome.study.published import PublishedEffect
from medhome.study.results import (
    DidResult,
    ExpectedCosts,
    RiskModelResult,
    Savings,
)
from medhome.study.spec import StudySpec

_INTERVAL = Column("lo95", "95% interval", usd, upper="hi95")


def definitions(expected: ExpectedCosts) -> DataTable:
    """Exhibit T5: expected against actual cost, under each definition of expected."""
    frame = expected.definitions.assign(
        name=[
            f"{definition_name(r.definition)} {r.label}" + (" (primary)" if r.primary else "")
            for r in rows_of(expected.definitions)
        ]
    )
    for name in ("p", "difference_usd"):
        if name not in frame:  # a run from before definitions had one
            frame[name] = float("nan")
    return DataTable(
        id="tbl-definitions",
        caption="Expected and actual cost under each definition of expected",
        frame=frame,
        columns=(
            Column("name", "Definition", beneath=Column("compares", "compares")),
            Column("baseline_pmpm", "Baseline", usd, "$ PMPM"),
            Column("trend_ratio", "Trend", ratio, "ratio"),
            Column("risk_ratio", "Risk", ratio, "ratio"),
            Column("expected_pmpm", "Expected", usd, "$ PMPM"),
            Column("actual_pmpm", "Actual", usd, "$ PMPM"),
            Column("difference_pmpm", "Actual minus expected", usd, "$ PMPM", beneath=_INTERVAL),
            Column("difference_usd", "In all", lambda v: usd(v, 0), "$"),
            Column("ae_ratio", "Actual over expected", ratio, "ratio", beneath=Column("p", "p", p_value)),
        ),
        strong=list(expected.definitions["primary"].astype(bool)),
        note=_notes(expected.definitions),
    )


def series(expected: ExpectedCosts) -> DataTable:
    """Expected and actual cost by quarter."""
    return DataTable(
        id="tbl-series",
        caption="Expected and actual cost by quarter",
        frame=expected.series,
        columns=(
            month_column("first_month", "Quarter from"),
            Column("members", "Members", count),
            Column("member_months", "Member-months", count),
            Column("expected_pmpm", "Expected", usd, "$ PMPM"),
            Column("actual_pmpm", "Actual", usd, "$ PMPM"),
            Column("comparison_pmpm", "Comparison", usd, "$ PMPM"),
        ),
        counts=ExpectedCosts.COUNTS["series"],
        resting=ExpectedCosts.RESTING["series"],
    )


def risk_terms(risk: RiskModelResult) -> DataTable:
    """The terms of the cost model."""
    return DataTable(
        id="tbl-risk-terms",
        caption=f"Cost model {risk.name}, version {risk.version}: terms",
        frame=risk.terms,
        columns=(
            Column("label", "Term"),
            Column("coefficient_pmpm", "Coefficient", usd, "$ PMPM"),
            Column("se", "Standard error", usd, "$ PMPM"),
            Column("members", "Members", count),
            Column("member_months", "Member-months", count),
        ),
        counts=RiskModelResult.COUNTS["terms"],
        resting=RiskModelResult.RESTING["terms"],
        note=f"Fitted on {risk.fitted_on}; frozen there.",
    )


def risk_accuracy(risk: RiskModelResult) -> DataTable:
    """Exhibit T9: how well the cost model predicts."""
    return DataTable(
        id="tbl-risk-accuracy",
        caption="Accuracy of the cost model",
        frame=risk.accuracy,
        columns=(
            Column("population", "Population"),
            Column("member_months", "Member-months", count),
            Column("r2", "R\N{SUPERSCRIPT TWO}", ratio),
            Column("mae_share", "Mean absolute error", share, "of mean cost"),
            Column("cpm", "Cumming's measure", ratio),
            Column("predictive_ratio", "Predicted over actual", ratio),
        ),
        note="Errors of single members are large for every model of this kind; the ratio for a group is "
        "what expected cost rests on.",
    )


def calibration(risk: RiskModelResult, spec: StudySpec) -> DataTable:
    """Exhibit T10: predicted and actual cost by decile of predicted cost."""
    frame = by_arm(risk.calibration, spec).sort_values(
        ["decile", "arm"], ascending=[True, False], kind="stable"
    )
    return DataTable(
        id="tbl-calibration",
        caption="Predicted and actual cost by decile of predicted cost",
        frame=frame,
        columns=(
            Column("decile", "Decile", count),
            Column("arm_label", "Arm"),
            Column("members", "Members", count),
            Column("member_months", "Member-months", count),
            Column("predicted_pmpm", "Predicted", usd, "$ PMPM"),
            Column("actual_pmpm", "Actual", usd, "$ PMPM"),
            Column("predictive_ratio", "Predicted over actual", ratio),
        ),
        counts=RiskModelResult.COUNTS["calibration"],
        resting=RiskModelResult.RESTING["calibration"],
    )


def event_study(did: DidResult) -> DataTable:
    """Exhibit T7: the difference from the comparison group by quarter."""
    band = Column("band_lo", "95% band", usd, "$ PMPM, all at once", upper="band_hi")
    return DataTable(
        id="tbl-event-study",
        caption="Difference from the comparison group by quarter",
        frame=did.event_study,
        columns=(
            Column("quarter", "Quarter from start", count),
            month_column("first_month", "Begins"),
            Column("estimate", "Difference", usd, "$ PMPM"),
            Column("se", "Standard error", usd, "$ PMPM"),
            Column("lo95", "95% interval", usd, "$ PMPM", upper="hi95"),
            *([band] if "band_lo" in did.event_study else []),
            Column("members", "Members", count),
            Column("reference", "Reference", lambda v: "yes" if v else ""),
        ),
        counts=DidResult.COUNTS["event_study"],
        resting=DidResult.RESTING["event_study"],
    )


def inference(did: DidResult) -> DataTable:
    """Exhibit T19: every method beside the headline's; those that are no finding here say so."""

    def p(row: Row) -> str:
        # A headline in a setting that was never simulated has an interval with a note, and no p.
        hidden = row["headline"] and absent(did.headline.p)
        return NOT_APPLICABLE if hidden else p_value(row["p"])

    frame = did.methods.assign(
        reading=[_reading(r) for r in rows_of(did.methods)],
        false_alarms=[_false_alarms(v) for v in did.methods["size_note"]],
    )
    return DataTable(
        id="tbl-inference",
        caption="The same effect under other methods of inference",
        frame=frame,
        columns=(
            Column("label", "Method", beneath=Column("reading", "reading")),
            Column("estimate", "Estimate", usd, "$ PMPM"),
            Column("lo95", "95% interval", usd, "$ PMPM", upper="hi95"),
            Column("lo90", "90% interval", usd, "$ PMPM", upper="hi90"),
            Column("p", "p", p_value, by_row=p),
            Column("false_alarms", "False alarms", by_row=lambda row: str(row["false_alarms"]), write=str),
        ),
        muted=[not bool(v) for v in did.methods["valid"]],
        strong=list(did.methods["headline"].astype(bool)),
        note="False alarms: how often the method rejects a true null at the 5% level in the nearest "
        "setting simulated; 5% is right.",
    )


def _reading(row: Any) -> str:
    """What a method's row may be read as, and its note."""
    verdict = "Headline" if row.headline else "May be read beside it" if row.valid else "Not a finding here"
    note = "" if absent(row.note) else str(row.note).strip()
    return f"{verdict}: {note}" if note else verdict


def variance_shares(did: DidResult) -> DataTable:
    """What the headline interval's width is made of."""
    return DataTable(
        id="tbl-variance",
        caption="What the width of the interval is made of",
        frame=did.variance_shares,
        columns=(Column("label", "Source of uncertainty"), Column("share", "Share of variance", share)),
    )


_SAVINGS_ORDER = (
    "gross_pmpm",
    "completed_gross_pmpm",
    "gross_share",
    "gross_total_usd",
    "payer_pmpm",
    "paid_gross_pmpm",
    "excess_pmpm",
    "fees_pmpm",
    "fees_total_usd",
    "net_pmpm",
    "net_total_usd",
    "roi_ratio",
    "net_roi_ratio",
)
"""From gross to net; any other row follows."""

_UNITS = {"USD PMPM": "$ PMPM", "USD": "$", "share": "%"}


def savings(found: Savings) -> DataTable:
    """Exhibit T15: savings gross and net, each row in its own unit; positive means that care cost less."""

    def ends(row: Row) -> str:
        return interval(row["lo95"], row["hi95"], lambda v: in_unit(v, row["kind"], row["digits"]))

    order = {name: place for place, name in enumerate(_SAVINGS_ORDER)}
    records = []
    for name in sorted(found.rows, key=lambda n: order.get(n, len(order))):
        e = found.rows[name]
        low, high = e.ci95 or (None, None)
        records.append(
            {
                "id": name,
                "label": e.label or name.replace("_", " "),
                "kind": e.unit,
                "unit": _UNITS.get(e.unit, e.unit),
                "value": e.value,
                "lo95": low,
                "hi95": high,
                "digits": e.digits,
            }
        )
    return DataTable(
        id="tbl-savings",
        caption="Savings before and after program fees",
        frame=pd.DataFrame(records),
        columns=(
            Column("label", "Quantity", beneath=Column("unit", "unit")),
            Column(
                "value",
                "Estimate",
                number,
                by_row=lambda row: in_unit(row["value"], row["kind"], row["digits"]),
            ),
            Column("lo95", "95% interval", number, upper="hi95", by_row=ends),
        ),
        note="Savings are expected minus actual: positive means that care cost less. Gross savings are in "
        "allowed amounts, as the effect is; net savings are the payer's, in what it paid.",
    )


def savings_by_year(found: Savings) -> DataTable:
    """Exhibit T6: the effect by program year."""
    return DataTable(
        id="tbl-savings-year",
        caption="Savings by program year",
        frame=found.by_year,
        columns=(
            Column(
                "year",
                "Year",
                count,
                beneath=Column("first_month", "months", month_short, upper="last_month", raw=month_name),
            ),
            Column("members", "Members", count),
            Column("member_months", "Member-months", count),
            Column("expected_pmpm", "Expected", usd, "$ PMPM"),
            Column("actual_pmpm", "Actual", usd, "$ PMPM"),
            Column("gross_pmpm", "Gross savings", usd, "$ PMPM", beneath=_INTERVAL),
            Column("fees_pmpm", "Fees", usd, "$ PMPM"),
            Column("net_pmpm", "Net savings", usd, "$ PMPM, paid"),
        ),
        counts=Savings.COUNTS["by_year"],
        resting=Savings.RESTING["by_year"],
    )


def detectable(did: DidResult, published: PublishedEffect) -> DataTable:
    """The estimate, what the study can detect, and a published effect, in one table."""
    low, high = did.headline.ci95 or (None, None)
    low90, high90 = did.headline.ci90 or (None, None)
    frame = pd.DataFrame(
        [
            {
                "label": "Estimate of this study",
                "value": did.headline.value,
                "lo95": low,
                "hi95": high,
                "lo90": low90,
                "hi90": high90,
            },
            {"label": "Smallest effect found with 80% power", "value": did.detectable.value},
            {"label": f"Published effect of {published.program}", "value": published.effect_pmpm_usd},
        ],
        columns=["label", "value", "lo95", "hi95", "lo90", "hi90"],
    ).astype({c: float for c in ("value", "lo95", "hi95", "lo90", "hi90")})
    return DataTable(
        id="tbl-detectable",
        caption="Estimate, detectable effect and published effect",
        frame=frame,
        columns=(
            Column("label", "Quantity"),
            Column("value", "Value", usd, "$ PMPM"),
            Column("lo95", "95% interval", usd, "$ PMPM", upper="hi95"),
            Column("lo90", "90% interval", usd, "$ PMPM", upper="hi90"),
        ),
        note=f"Published: {published.source}.",
    )


def _notes(frame: pd.DataFrame, name: str = "definition") -> str:
    """The notes of the rows, each after the name of its row and on a line of its own."""
    parts = [
        f"{definition_name(row[name])}: {str(row['note']).rstrip('.')}."
        for row in records(frame)
        if not absent(row.get("note")) and str(row.get("note", "")).strip()
    ]
    return "\n".join(parts)


def _false_alarms(value: Any) -> str:
    """A false-alarm rate, given as a share or in words."""
    if absent(value) or value == "":
        return NOT_APPLICABLE
    return share(value) if isinstance(value, float) else str(value)
