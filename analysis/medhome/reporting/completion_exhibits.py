"""Run-out and completion (exhibit T3): what was paid by the cut, and what follows it."""

from __future__ import annotations

from medhome.reporting.blocks import NOTHING, Block, paragraphs
from medhome.reporting.cohort_exhibits import by_arm
from medhome.reporting.datatable import Column, DataTable
from medhome.study.completion_results import Completion
from medhome.study.display import count, month, ratio, usd
from medhome.study.periods import month_index
from medhome.study.released import ReleasedRun
from medhome.study.spec import StudySpec


def run_out_and_completion(report: ReleasedRun) -> Block:
    """Exhibit T3: how much was paid by the cut, by arm and period, and what completing it would change."""
    found, spec = report.evaluation.completion, report.spec
    text = paragraphs([in_words(found, spec)])
    if not found.available:
        return text + NOTHING
    return text + by_period(found, spec).block() + by_service(found).block()


def in_words(found: Completion, spec: StudySpec) -> str:
    """The cut, and whether cost could be completed."""
    cut = "1 month" if found.run_out_months == 1 else f"{found.run_out_months} months"
    head = (
        f"Every month counts what was paid within {cut} after service and by "
        f"{month(month_index(spec.paid_through))}, in both arms alike; the headline rests on that."
    )
    if not found.available:
        return f"{head} Completion to ultimate cost is not available: {found.reason}."
    return f"{head} Beside it, cost is developed to ultimate. {found.rule}."


def by_period(found: Completion, spec: StudySpec) -> DataTable:
    """Exhibit T3 by period and arm."""
    words = {"baseline": "Baseline", "performance": "After the start"}
    frame = by_arm(found.periods, spec)
    frame = frame.assign(period_label=[words.get(str(p), str(p)) for p in frame["period"]])
    return DataTable(
        id="tbl-completion",
        caption="Paid by the cut, and estimated to follow",
        frame=frame,
        columns=(
            Column("period_label", "Period", beneath=Column("arm_label", "arm")),
            Column("member_months", "Member-months", count),
            Column("paid_pmpm", "Paid by the cut", usd, "$ PMPM"),
            Column("completion_factor", "Completion factor", ratio, "ratio"),
            Column("unpaid_pmpm", "Estimated to follow", usd, "$ PMPM"),
            Column("se", "Standard error", usd, "$ PMPM"),
            Column("completed_pmpm", "Completed", usd, "$ PMPM"),
        ),
        resting=Completion.RESTING["periods"],
        note="The completion factor is the share of ultimate cost that was paid by the cut. Members above "
        "the yearly cap are taken as paid. The standard error is Mack's.",
    )


def by_service(found: Completion) -> DataTable:
    """The effect as paid and on completed cost, by kind of service."""
    return DataTable(
        id="tbl-completion-service",
        caption="Completion factors by kind of service, and the effect as paid and on completed cost",
        frame=found.effects,
        columns=(
            Column("label", "Service"),
            Column("treated", "Factor, program", ratio, "ratio"),
            Column("comparison", "Factor, comparison", ratio, "ratio"),
            Column("effect_pmpm", "Effect as paid", usd, "$ PMPM"),
            Column("completed_effect_pmpm", "Effect on completed cost", usd, "$ PMPM"),
            Column("change_pmpm", "Change", usd, "$ PMPM"),
            Column("se", "Its standard error", usd, "$ PMPM"),
        ),
        note="Effects are actual minus expected. The standard error holds what the factors are uncertain by; "
        "factors common to both arms cancel in part.",
    )
