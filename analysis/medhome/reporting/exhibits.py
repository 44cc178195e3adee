"""Results as tables: one function for each exhibit (`methods.md` section 5 numbers them T1 to T20)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from medhome.reporting.datatable import Column, DataTable, Row
from medhome.reporting.words import arm_label
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
    Attrition,
    Check,
    Cohort,
    DataQuality,
    DidResult,
    ExpectedCosts,
    RiskModelResult,
    Savings,
)
from medhome.study.spec import StudySpec


def usd0(value: Any) -> str:
    """Whole dollars."""
    return usd(value, 0)


def month_column(name: str, label: str) -> Column:
    """A column of month integers, written as months and downloaded as YYYY-MM."""
    return Column(name, label, month_short, raw=month_name)


# -- data and cohort -----------------------------------------------------------------------------------


def inputs(quality: DataQuality) -> DataTable:
    """Which files were read."""
    frame = quality.inputs.assign(digest=quality.inputs["sha256"].astype(str).str[:12])
    return DataTable(
        id="tbl-inputs", caption="Input files", frame=frame,
        columns=(Column("role", "Table"), Column("name", "File"), Column("rows", "Rows", count),
                 Column("bytes", "Bytes", count), Column("digest", "Begins with", unit="SHA-256")),
        note="Full digests stand in manifest.json.")


def rules(quality: DataQuality) -> DataTable:
    """What the input rules found; rules that found nothing are counted in the sentence above the table."""
    order = {"error": 0, "warning": 1, "note": 2}
    found = quality.rules[quality.rules["count"] > 0]
    found = found.assign(_order=found["severity"].map(order).fillna(3)).sort_values(
        ["_order", "table", "rule"], kind="stable")
    return DataTable(
        id="tbl-rules", caption="Input rules that found something", frame=found,
        columns=(Column("label", "Rule"), Column("table", "Table"), Column("severity", "Severity"),
                 Column("count", "Rows found", count), Column("share", "Share of rows", _fine_share),
                 Column("dollars_usd", "Dollars", usd0)))


def waterfall(quality: DataQuality) -> DataTable:
    """From the dollars in the files to the dollars in the model."""
    last = len(quality.waterfall) - 1
    ends = [i in (0, last) for i in range(last + 1)]
    return DataTable(
        id="tbl-waterfall", caption="From dollars in the files to cost in the evaluation", frame=quality.waterfall,
        columns=(Column("label", "Step"), Column("lines", "Claim lines", count), Column("allowed_usd", "Allowed", usd),
                 Column("paid_usd", "Paid", usd)), strong=ends,
        note="Each step between the first and the last row is a change; all rows but the last add up to the last, to the cent.")


def volumes(quality: DataQuality, spec: StudySpec) -> DataTable:
    """Claim lines and cost by month and arm."""
    frame = _by_arm(quality.volumes, spec).sort_values(["month", "arm"], ascending=[True, False], kind="stable")
    return DataTable(
        id="tbl-volumes", caption="Members, claim lines and allowed cost by month and arm", frame=frame,
        columns=(month_column("month", "Month"), Column("arm_label", "Arm"), Column("members", "Members", count),
                 Column("member_months", "Member-months", count), Column("claim_lines", "Claim lines", count),
                 Column("allowed_usd", "Allowed", usd0)),
        counts=DataQuality.COUNTS["volumes"], resting=DataQuality.RESTING["volumes"])


def cohort_flow(attrition: Attrition, spec: StudySpec) -> DataTable:
    """Exhibit T1: who is left after each rule, program and comparison side by side."""
    wide = []
    for step, rows in attrition.frame.sort_values("step", kind="stable").groupby("step", sort=False):
        line: dict[str, Any] = {"step": step, "label": rows["label"].iloc[0]}
        for arm in ("treated", "comparison"):
            mine = rows[rows["arm"] == arm]
            for name in ("members", "member_months", "allowed_usd_dropped"):
                value = mine[name].iloc[0] if len(mine) else None
                people = mine["members_dropped" if name.endswith("dropped") else "members"].iloc[0] if len(mine) else None
                hidden = len(mine) > 0 and absent(value) and absent(people)
                line[f"{arm}_{name}"] = float("nan") if absent(value) else float(value)
                line[f"{arm}_{name}_withheld"] = hidden
        wide.append(line)
    frame = pd.DataFrame(wide)
    columns = [Column("label", "Rule")]
    for arm in ("treated", "comparison"):
        name = arm_label(arm, spec)
        columns += [Column(f"{arm}_members", f"{name} members", count),
                    Column(f"{arm}_member_months", f"{name} member-months", count),
                    Column(f"{arm}_allowed_usd_dropped", f"{name} cost removed", usd0)]
    return DataTable(id="tbl-cohort-flow", caption="Who is left after each eligibility rule", frame=frame, columns=columns,
                 note="Rules are applied in this order. Cost removed is allowed cost of the member-months that a rule takes out.")


def organizations(cohort: Cohort, spec: StudySpec) -> DataTable:
    """The organisations compared, under neutral names."""
    frame = _by_arm(cohort.organizations, spec)
    frame = frame.assign(change_pmpm=frame["performance_pmpm"] - frame["baseline_pmpm"],
                         _arm=(frame["arm"] != "treated")).sort_values(["_arm", "label"], kind="stable")
    return DataTable(
        id="tbl-organizations", caption="Organisations compared", frame=frame,
        columns=(Column("label", "Organisation"), Column("arm_label", "Arm"), Column("members", "Members", count),
                 Column("practices", "Practices", count), Column("baseline_pmpm", "Baseline", usd, "$ PMPM"),
                 Column("performance_pmpm", "After the start", usd, "$ PMPM"),
                 Column("change_pmpm", "Change", usd, "$ PMPM")),
        counts=Cohort.COUNTS["organizations"],
        resting=(*Cohort.RESTING["organizations"], "change_pmpm"))


def balance(cohort: Cohort, spec: StudySpec) -> DataTable:
    """Exhibit T2: the arms at baseline; each row in its own unit."""
    def written(arm: str) -> Callable[[Row], str]:
        return lambda row: in_unit(row[arm], str(row["unit"]))
    return DataTable(
        id="tbl-balance", caption="The arms at baseline", frame=cohort.balance,
        columns=(Column("label", "Characteristic"),
                 Column("treated", arm_label("treated", spec), number, by_row=written("treated")),
                 Column("comparison", arm_label("comparison", spec), number, by_row=written("comparison")),
                 Column("smd", "Standardised difference", number), Column("variance_ratio", "Variance ratio", number)),
        note="Means over baseline member-months. A standardised difference beyond 0.1 is notable.")


def checks(found: Sequence[Check]) -> DataTable:
    """Every check of the study, with what it says."""
    verdict = {True: "Passed", False: "Did not pass", None: "For information"}
    frame = pd.DataFrame({"sentence": [c.sentence for c in found], "verdict": [verdict[c.passed] for c in found]})
    return DataTable(id="tbl-checks", caption="Checks of this study", frame=frame,
                     columns=(Column("sentence", "Check"), Column("verdict", "Result")))


# -- expected and actual -------------------------------------------------------------------------------


def definitions(expected: ExpectedCosts) -> DataTable:
    """Exhibit T5: expected against actual cost, under each definition of expected."""
    frame = expected.definitions.assign(
        name=[f"{r.definition} {r.label}" + (" (primary)" if r.primary else "") for r in expected.definitions.itertuples()])
    return DataTable(
        id="tbl-definitions", caption="Expected and actual cost under each definition of expected", frame=frame,
        columns=(Column("name", "Definition"), Column("compares", "Compares"),
                 Column("baseline_pmpm", "Baseline", usd, "$ PMPM"), Column("trend_ratio", "Trend", ratio, "ratio"),
                 Column("risk_ratio", "Risk", ratio, "ratio"), Column("expected_pmpm", "Expected", usd, "$ PMPM"),
                 Column("actual_pmpm", "Actual", usd, "$ PMPM"),
                 Column("difference_pmpm", "Actual minus expected", usd, "$ PMPM"),
                 Column("lo95", "95% interval", usd, "$ PMPM", upper="hi95"), Column("ae_ratio", "Actual over expected", ratio, "ratio")),
        strong=list(expected.definitions["primary"].astype(bool)), note=_notes(expected.definitions))


def series(expected: ExpectedCosts) -> DataTable:
    """Expected and actual cost by quarter."""
    return DataTable(
        id="tbl-series", caption="Expected and actual cost by quarter", frame=expected.series,
        columns=(month_column("first_month", "Quarter from"), Column("members", "Members", count),
                 Column("member_months", "Member-months", count), Column("expected_pmpm", "Expected", usd, "$ PMPM"),
                 Column("actual_pmpm", "Actual", usd, "$ PMPM"), Column("comparison_pmpm", "Comparison", usd, "$ PMPM")),
        counts=ExpectedCosts.COUNTS["series"], resting=ExpectedCosts.RESTING["series"])


def risk_terms(risk: RiskModelResult) -> DataTable:
    """The terms of the cost model."""
    return DataTable(
        id="tbl-risk-terms", caption=f"Cost model {risk.name}, version {risk.version}: terms", frame=risk.terms,
        columns=(Column("label", "Term"), Column("coefficient_pmpm", "Coefficient", usd, "$ PMPM"),
                 Column("se", "Standard error", usd, "$ PMPM"), Column("members", "Members", count),
                 Column("member_months", "Member-months", count)),
        counts=RiskModelResult.COUNTS["terms"], resting=RiskModelResult.RESTING["terms"],
        note=f"Fitted on {risk.fitted_on}; frozen there.")


def risk_accuracy(risk: RiskModelResult) -> DataTable:
    """Exhibit T9: how well the cost model predicts."""
    return DataTable(
        id="tbl-risk-accuracy", caption="Accuracy of the cost model", frame=risk.accuracy,
        columns=(Column("population", "Population"), Column("member_months", "Member-months", count),
                 Column("r2", "R\N{SUPERSCRIPT TWO}", ratio), Column("mae_share", "Mean absolute error", share, "of mean cost"),
                 Column("cpm", "Cumming's measure", ratio), Column("predictive_ratio", "Predicted over actual", ratio)),
        note="Errors of single members are large for every model of this kind; the ratio for a group is what expected cost rests on.")


def calibration(risk: RiskModelResult, spec: StudySpec) -> DataTable:
    """Exhibit T10: predicted and actual cost by decile of predicted cost."""
    frame = _by_arm(risk.calibration, spec).sort_values(["decile", "arm"], ascending=[True, False], kind="stable")
    return DataTable(
        id="tbl-calibration", caption="Predicted and actual cost by decile of predicted cost", frame=frame,
        columns=(Column("decile", "Decile", count), Column("arm_label", "Arm"), Column("members", "Members", count),
                 Column("member_months", "Member-months", count), Column("predicted_pmpm", "Predicted", usd, "$ PMPM"),
                 Column("actual_pmpm", "Actual", usd, "$ PMPM"), Column("predictive_ratio", "Predicted over actual", ratio)),
        counts=RiskModelResult.COUNTS["calibration"], resting=RiskModelResult.RESTING["calibration"])


# -- difference in differences -------------------------------------------------------------------------


def event_study(did: DidResult) -> DataTable:
    """Exhibit T7: the difference from the comparison group by quarter."""
    return DataTable(
        id="tbl-event-study", caption="Difference from the comparison group by quarter", frame=did.event_study,
        columns=(Column("quarter", "Quarter from start", count), month_column("first_month", "Begins"),
                 Column("estimate", "Difference", usd, "$ PMPM"), Column("se", "Standard error", usd, "$ PMPM"),
                 Column("lo95", "95% interval", usd, "$ PMPM", upper="hi95"), Column("members", "Members", count),
                 Column("reference", "Reference", lambda v: "yes" if v else "")),
        counts=DidResult.COUNTS["event_study"], resting=DidResult.RESTING["event_study"])


def inference(did: DidResult) -> DataTable:
    """Exhibit T19: every method beside the headline's, those that are no finding here in grey and in words."""
    frame = did.methods.assign(
        reading=["Headline" if r.headline else "May be read" if r.valid else "Not a finding here" for r in did.methods.itertuples()],
        false_alarms=[_false_alarms(v) for v in did.methods["size_note"]])
    return DataTable(
        id="tbl-inference", caption="The same effect under other methods of inference", frame=frame,
        columns=(Column("label", "Method"), Column("estimate", "Estimate", usd, "$ PMPM"),
                 Column("lo95", "95% interval", usd, "$ PMPM", upper="hi95"),
                 Column("lo90", "90% interval", usd, "$ PMPM", upper="hi90"), Column("p", "p", p_value),
                 Column("false_alarms", "False alarms", unit="in simulation"), Column("reading", "Reading")),
        muted=[not bool(v) for v in did.methods["valid"]], strong=list(did.methods["headline"].astype(bool)),
        note=" ".join(["False alarms: how often the method rejects a true null at the 5% level in the nearest setting simulated; "
                       "5% is right.", _notes(did.methods, "label")]).strip())


def variance_shares(did: DidResult) -> DataTable:
    """What the headline interval's width is made of."""
    return DataTable(
        id="tbl-variance", caption="What the width of the interval is made of", frame=did.variance_shares,
        columns=(Column("label", "Source of uncertainty"), Column("share", "Share of variance", share)))


# -- savings -------------------------------------------------------------------------------------------


def savings(found: Savings) -> DataTable:
    """Exhibit T15: savings gross and net, each row in its own unit; positive means that care cost less."""
    def ends(row: Row) -> str:
        return interval(row["lo95"], row["hi95"], lambda v: in_unit(v, row["unit"], row["digits"]))
    records = []
    for name, e in found.rows.items():
        low, high = e.ci95 or (None, None)
        records.append({"id": name, "label": e.label or name.replace("_", " "), "unit": e.unit, "value": e.value,
                        "lo95": low, "hi95": high, "digits": e.digits})
    return DataTable(
        id="tbl-savings", caption="Savings before and after program fees", frame=pd.DataFrame(records),
        columns=(Column("label", "Quantity"), Column("unit", "Unit"),
                 Column("value", "Estimate", number, by_row=lambda row: in_unit(row["value"], row["unit"], row["digits"])),
                 Column("lo95", "95% interval", number, upper="hi95", by_row=ends)),
        note="Savings are expected minus actual: positive means that care cost less.")


def savings_by_year(found: Savings) -> DataTable:
    """Exhibit T6: the effect by program year."""
    return DataTable(
        id="tbl-savings-year", caption="Savings by program year", frame=found.by_year,
        columns=(Column("year", "Year", count), month_column("first_month", "From"), month_column("last_month", "To"),
                 Column("members", "Members", count), Column("member_months", "Member-months", count),
                 Column("expected_pmpm", "Expected", usd, "$ PMPM"), Column("actual_pmpm", "Actual", usd, "$ PMPM"),
                 Column("gross_pmpm", "Gross savings", usd, "$ PMPM"),
                 Column("lo95", "95% interval", usd, "$ PMPM", upper="hi95"), Column("fees_pmpm", "Fees", usd, "$ PMPM"),
                 Column("net_pmpm", "Net savings", usd, "$ PMPM")),
        counts=Savings.COUNTS["by_year"], resting=Savings.RESTING["by_year"])


def detectable(did: DidResult, published: PublishedEffect) -> DataTable:
    """The estimate, what the study can detect, and a published effect, in one table."""
    low, high = did.headline.ci95 or (None, None)
    low90, high90 = did.headline.ci90 or (None, None)
    frame = pd.DataFrame([
        {"label": "Estimate of this study", "value": did.headline.value, "lo95": low, "hi95": high, "lo90": low90, "hi90": high90},
        {"label": "Smallest effect found with 80% power", "value": did.detectable.value},
        {"label": f"Published effect of {published.program}", "value": published.effect_pmpm_usd}],
        columns=["label", "value", "lo95", "hi95", "lo90", "hi90"]).astype(
            {c: float for c in ("value", "lo95", "hi95", "lo90", "hi90")})
    return DataTable(
        id="tbl-detectable", caption="Estimate, detectable effect and published effect", frame=frame,
        columns=(Column("label", "Quantity"), Column("value", "Value", usd, "$ PMPM"),
                 Column("lo95", "95% interval", usd, "$ PMPM", upper="hi95"), Column("lo90", "90% interval", usd, "$ PMPM", upper="hi90")),
        note=f"Published: {published.source}.")


def _by_arm(frame: pd.DataFrame, spec: StudySpec) -> pd.DataFrame:
    return frame.assign(arm_label=[arm_label(str(a), spec) for a in frame["arm"]])


def _notes(frame: pd.DataFrame, name: str = "definition") -> str:
    """The notes of the rows, each after the name of its row."""
    parts = [f"{row[name]}: {str(row['note']).rstrip('.')}." for row in frame.to_dict("records")
             if not absent(row.get("note")) and str(row.get("note", "")).strip()]
    return " ".join(parts)


def _fine_share(value: Any) -> str:
    """A share that may be far below a tenth of a percent."""
    return "below 0.01%" if not absent(value) and 0 < value < 0.0001 else share(value, 2)


def _false_alarms(value: Any) -> str:
    """A false-alarm rate, given as a share or in words."""
    if absent(value) or value == "":
        return NOT_APPLICABLE
    return share(value) if isinstance(value, float) else str(value)
