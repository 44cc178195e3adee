"""Care management on the page "Utilisation and quality"."""

from __future__ import annotations

from medhome.reporting import care_management_exhibits as exhibits
from medhome.reporting import care_management_figures as figures
from medhome.reporting import care_management_words as words
from medhome.reporting.blocks import Block, notice, paragraphs
from medhome.study.released import ReleasedRun


def care_management_funnel(report: ReleasedRun) -> Block:
    """Who was identified, reached and engaged, how soon and how often, by practice; or that nobody knows."""
    found, spec = report.evaluation.care_management, report.spec
    if not found.given:
        return paragraphs([words.absent_in_words(spec)])
    told = [words.funnel_in_words(found), words.wait_in_words(found), words.work_in_words(found)]
    return paragraphs(told) + figures.funnel(found).block() + exhibits.practices(found)


def care_management_and_cost(report: ReleasedRun) -> Block:
    """What may be asked of care management and cost, the effect by risk at the baseline, and dose."""
    found, parts, spec = report.evaluation.care_management, report.evaluation.where, report.spec
    if not found.given:
        return Block(html="", text="")
    shown = notice("Not a comparison", [words.WARNING, words.selection_in_words(found)], kind="warning")
    shown += paragraphs([words.high_risk_in_words(parts)])
    if (parts.groups["dimension"] == "risk").any():
        shown += exhibits.high_risk(parts, spec).block()
    return (
        shown + paragraphs([words.dose_in_words(found)]) + exhibits.doses(found).block()
        + exhibits.downloads(found)
    )  # fmt: skip
