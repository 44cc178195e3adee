"""Risk on the page: the effect by timing of risk, scores by arm and year, and who could be scored."""

from __future__ import annotations

from medhome.reporting import risk_words
from medhome.reporting.blocks import NOTHING, Block, paragraphs
from medhome.reporting.cohort_exhibits import by_arm
from medhome.reporting.datatable import Column, DataTable, records
from medhome.study.display import absent, count, months, ratio, share, usd
from medhome.study.released import ReleasedRun
from medhome.study.risk_results import RiskAdjustment
from medhome.study.spec import StudySpec


def risk_of_the_members(report: ReleasedRun) -> Block:
    """Tables: which members could be scored, and how scores moved in each arm, year by year."""
    found, spec = report.evaluation.adjustment, report.spec
    if found.known.empty:
        return NOTHING
    block = paragraphs([risk_words.source(found, spec), *risk_words.known(found, spec)])
    block = block + known(found, spec).block()
    if found.drift.empty:
        return block
    return block + paragraphs(risk_words.drift(found, spec)) + drift(found, spec).block()


def effect_by_timing_of_risk(report: ReleasedRun) -> Block:
    """Table: the effect without risk, with risk at baseline and with concurrent risk, side by side."""
    found = report.evaluation.adjustment
    if found.effects.empty:
        return NOTHING
    return paragraphs(risk_words.side_by_side(found)) + effects(found).block()


def effects(found: RiskAdjustment) -> DataTable:
    """The effect by timing of risk, with the headline's kind of interval."""
    frame = found.effects
    label = [
        f"{row['label']} (this study)" if row["declared"] else str(row["label"]) for row in records(frame)
    ]
    note = (
        "The study's own model, cost and interval; only the covariate differs. Concurrent risk reads "
        "diagnoses made while the program ran."
    )
    missing = [f"{row['label']}: {row['why']}." for row in records(frame) if row["why"]]
    return DataTable(
        id="tbl-risk-timing",
        caption="The effect by timing of risk",
        frame=frame.assign(name=label),
        columns=(
            Column("name", "Risk"),
            Column("estimate", "Effect", usd, "$ PMPM"),
            Column("se", "Standard error", usd, "$ PMPM"),
            Column("lo90", "90% interval", usd, "$ PMPM", upper="hi90"),
            Column("lo95", "95% interval", usd, "$ PMPM", upper="hi95"),
        ),
        strong=[bool(d) for d in frame["declared"]],
        note="\n".join([note, *missing]),
    )


def drift(found: RiskAdjustment, spec: StudySpec) -> DataTable:
    """Mean raw scores of each arm by year, from the year's own diagnoses."""
    frame = by_arm(found.drift, spec).sort_values(["arm", "year"], ascending=[False, True], ignore_index=True)
    frame = frame.assign(span=[months(row["first_month"], row["last_month"]) for row in records(frame)])
    has_score = any(not absent(row["raw_score"]) for row in records(frame))
    score = (Column("raw_score", "Raw score", ratio),) if has_score else ()
    of = "raw score" if has_score else "expected cost"
    return DataTable(
        id="tbl-risk-drift",
        caption="Scores of the members by arm and year, from the diagnoses of that year",
        frame=frame,
        columns=(
            Column("arm_label", "Arm"),
            Column("span", "Months"),
            Column("members", "Members", count),
            *score,
            Column("concurrent_pmpm", "Expected cost", usd, "$ PMPM, concurrent"),
            Column("normalised_score", "Normalised", ratio, "for display"),
        ),
        counts=RiskAdjustment.COUNTS["drift"],
        resting=RiskAdjustment.RESTING["drift"],
        note=f"Scores are raw, not set anew to a mean of 1 from year to year. Normalised: {of} over the "
        "comparison arm's mean at baseline, for display only. Age and sex are those at the baseline in every "
        "year, so that only diagnoses and who is there can move a score. A last year of fewer than twelve "
        "months is scored from the twelve months up to its end.",
    )


def known(found: RiskAdjustment, spec: StudySpec) -> DataTable:
    """Members of each arm without history, and without a score."""
    missing = (
        (
            Column("without_score", "Without a score", count, "members with history"),
            Column("share_without_score", "Share", share, "of member-months"),
        )
        if spec.risk.scored
        else ()
    )
    return DataTable(
        id="tbl-risk-known",
        caption="Who could be scored",
        frame=by_arm(found.known, spec),
        columns=(
            Column("arm_label", "Arm"),
            Column("members", "Members", count),
            Column("without_history", "Without history", count, "members"),
            Column("share_without_history", "Share", share, "of member-months"),
            *missing,
        ),
        counts=RiskAdjustment.COUNTS["known"],
        resting=RiskAdjustment.RESTING["known"],
        note="Without history: no enrolment in the look-back before the baseline. Such members, and those "
        "without a score, are scored on age and sex alone.",
    )

