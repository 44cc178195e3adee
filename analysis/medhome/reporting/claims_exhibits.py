"""The dollar reconciliation by arm and period, encounters allowed nothing, and price against quantity."""

from __future__ import annotations

import pandas as pd

from medhome.reporting import study_words
from medhome.reporting.blocks import NOTHING, Block, paragraphs
from medhome.reporting.cohort_exhibits import adding_up, by_arm, usd0
from medhome.reporting.datatable import Column, DataTable
from medhome.reporting.study_words import arm_label
from medhome.study.display import count, share, usd
from medhome.study.released import ReleasedRun
from medhome.study.results import DataQuality
from medhome.study.spec import StudySpec

PERIODS = {
    "before": "Before the baseline",
    "baseline": "Baseline",
    "washout": "Between",
    "performance": "After the start",
    "later": "Later",
}
SERVICES = {
    "inpatient": "Inpatient",
    "outpatient": "Outpatient",
    "emergency": "Emergency",
    "primary_care": "Primary care",
    "specialist": "Specialist",
    "imaging_laboratory": "Imaging and laboratory",
    "other": "Other",
    "pharmacy": "Pharmacy",
    "all": "All services",
}


def dollars_by_arm_and_period(report: ReleasedRun) -> Block:
    """Tables: every dollar of the files by arm and period, in the model or lost for one reason.

    Beneath them cost in months without enrolment, and medical lines that are allowed nothing.
    """
    quality, spec = report.evaluation.quality, report.spec
    if quality.reconciliation.empty:
        return NOTHING
    columns = quality.reconciliation.sort_values("step", kind="stable").groupby(["arm", "period"])
    exactly = adding_up(column for _place, column in columns["allowed_usd"])
    found = paragraphs(
        [
            "The same steps for each arm and for everyone else in the files. A column's changes add up to "
            f"its last row, {exactly}. Periods are those of the month of service."
        ]
    )
    for table in reconciliation(quality, spec):
        found = found + table.block()
    return found + without_enrolment(quality, spec) + encounters(quality, spec).block()


def price_and_quantity(report: ReleasedRun) -> Block:
    """Table: how much of the change in cost is more or less care, and how much dearer or cheaper care."""
    quality, spec = report.evaluation.quality, report.spec
    if quality.prices.empty:
        return paragraphs(
            ["This study does not split the change in cost into quantity and price (claims.prices)."]
        )
    return prices(quality, spec).block()


def reconciliation(quality: DataQuality, spec: StudySpec) -> list[DataTable]:
    """One table for each arm: steps down, periods across, allowed dollars."""
    frame = quality.reconciliation
    return [_of_arm(frame[frame["arm"] == arm], str(arm), spec) for arm in frame["arm"].unique()]


def without_enrolment(quality: DataQuality, spec: StudySpec) -> Block:
    """Cost in months without enrolment: what the study does with it, and how much there is."""
    said = paragraphs([study_words.orphan_rule(spec)])
    return said + (orphans(quality, spec).block() if len(quality.orphans) else NOTHING)


def orphans(quality: DataQuality, spec: StudySpec) -> DataTable:
    """Cost that counts but for its month, by arm and period."""
    frame = quality.orphans
    names = ["Everyone else in the files" if a == "none" else arm_label(str(a), spec) for a in frame["arm"]]
    frame = frame.assign(arm_label=names, period_label=[PERIODS.get(str(p), str(p)) for p in frame["period"]])
    kept = spec.population.orphan_cost == "keep"
    return DataTable(
        id="tbl-orphans",
        caption="Cost in months without enrolment",
        frame=frame,
        columns=(
            Column("arm_label", "Arm"),
            Column("period_label", "Period"),
            Column("members", "Members", count),
            Column("lines", "Claim lines", count),
            Column("allowed_usd", "Allowed", usd),
            Column("paid_usd", "Paid", usd),
            *([Column("kept_allowed_usd", "Of this kept", usd)] if kept else []),
        ),
        counts=DataQuality.COUNTS["orphans"],
        resting=DataQuality.RESTING["orphans"],
        note="Lines that count but for their month, reversals netted. Members are those with enrolment in "
        "some month; people without any have lines and dollars here only.",
    )


def encounters(quality: DataQuality, spec: StudySpec) -> DataTable:
    """Medical lines allowed nothing, by arm and period: where capitation would show."""
    frame = by_arm(quality.encounters, spec)
    frame = frame.assign(period_label=[PERIODS.get(str(p), str(p)) for p in frame["period"]])
    return DataTable(
        id="tbl-encounters",
        caption="Medical lines that are allowed nothing",
        frame=frame,
        columns=(
            Column("arm_label", "Arm"),
            Column("period_label", "Period"),
            Column("lines", "Lines", count),
            Column("zero_lines", "Allowed nothing", count),
            Column("zero_share", "Share", lambda value: share(value, 2)),
        ),
        counts=DataQuality.COUNTS["encounters"],
        resting=DataQuality.RESTING["encounters"],
        note="Lines of member-months in the study; denied lines and reversals are not counted. A share that "
        "grows in one arm alone means that capitation spread there, and that cost fell without care.",
    )


def prices(quality: DataQuality, spec: StudySpec) -> DataTable:
    """The change in cost as quantity and price, by arm and kind of service."""
    frame = by_arm(quality.prices, spec)
    frame = frame.assign(service=[SERVICES.get(str(c), str(c)) for c in frame["category"]])
    return DataTable(
        id="tbl-prices",
        caption="Change in cost from the baseline to after the start: quantity and price",
        frame=frame,
        columns=(
            Column("service", "Service", beneath=Column("arm_label", "arm")),
            Column("baseline_pmpm", "Baseline", usd, "$ PMPM"),
            Column("performance_pmpm", "After the start", usd, "$ PMPM"),
            Column("change_pmpm", "Change", usd, "$ PMPM"),
            Column("quantity_pmpm", "By quantity", usd, "$ PMPM"),
            Column("price_pmpm", "By price", usd, "$ PMPM"),
            Column("standardised_baseline_pmpm", "At standard prices, baseline", usd, "$ PMPM"),
            Column("standardised_performance_pmpm", "At standard prices, after", usd, "$ PMPM"),
        ),
        strong=[c == "all" for c in frame["category"]],
        counts=DataQuality.COUNTS["prices"],
        resting=DataQuality.RESTING["prices"],
        note="Allowed cost, not capped. Quantity and price are the means of both orderings and add up to the "
        "change. Standard prices are the mean of both arms in the baseline: cost at standard prices moves "
        "with care alone.",
    )


def _of_arm(rows: pd.DataFrame, arm: str, spec: StudySpec) -> DataTable:
    periods = [p for p in PERIODS if p in set(rows["period"])]
    steps = rows.drop_duplicates("step").set_index("step").sort_index()
    frame = pd.DataFrame({"label": steps["label"]})
    columns = [Column("label", "Step")]
    for period in periods:
        mine = rows[rows["period"] == period].set_index("step")
        frame[period] = mine["allowed_usd"]
        frame[f"{period}_withheld"] = mine["allowed_usd"].isna()
        columns.append(Column(period, PERIODS[period], usd0, "$ allowed"))
    last = len(frame) - 1
    everyone = "Everyone else in the files" if arm == "none" else arm_label(arm, spec)
    return DataTable(
        id=f"tbl-reconciliation-{arm}",
        caption=f"From dollars in the files to cost in the evaluation: {everyone}",
        frame=frame.reset_index(drop=True),
        columns=columns,
        strong=[i in (0, last) for i in range(last + 1)],
    )
