"""The parts of the page "How sure are we": words, then the picture with its table."""

from __future__ import annotations

from medhome.reporting import placebo_figures
from medhome.reporting import robustness_exhibits as exhibits
from medhome.reporting import robustness_figures as figures
from medhome.reporting import robustness_words as words
from medhome.reporting.blocks import NOTHING, Block, escape, paragraphs, prose
from medhome.study.released import ReleasedRun

PAGE, TITLE = "how-sure-are-we.html", "How sure are we"


def how_sure_in_short(report: ReleasedRun) -> Block:
    """One sentence for the first page, with the way to the rest."""
    text = words.in_short(report.evaluation.robustness)
    if not text:
        return NOTHING
    return Block(
        html=f'<p>{prose(text)} More on the page <a href="{PAGE}">{escape(TITLE)}</a>.</p>',
        text=f"{text} More on the page {TITLE}.",
    )


def how_sure_in_words(report: ReleasedRun) -> Block:
    """What was tried, and what moves the effect most."""
    lead = (
        "The interval of the effect holds if its model does. Here the model is put to the test: with other "
        "estimators, without single practices, at starts and in organisations where there was no program, "
        "and under trends that parted."
    )
    return paragraphs([lead], css="first") + paragraphs([words.in_short(report.evaluation.robustness)])


def estimates_by_method(report: ReleasedRun) -> Block:
    """The same cost under other estimators."""
    found = report.evaluation.robustness
    told = paragraphs(words.methods(found, report.evaluation.did))
    return told if found.methods.empty else told + figures.methods(found, report.spec).block()


def effects_of_placebo_starts(report: ReleasedRun) -> Block:
    """What starts inside the baseline would have shown."""
    found, did = report.evaluation.robustness, report.evaluation.did
    told = paragraphs(words.starts(found))
    return (
        told
        if found.placebo_starts.empty
        else told + placebo_figures.placebo_starts(found, did, report.spec).block()
    )


def effect_without_one_organization(report: ReleasedRun) -> Block:
    """The effect without each organisation."""
    return _left_out(report, "organizations", words.organizations(report.evaluation.robustness, report.spec))


def effect_without_one_practice(report: ReleasedRun) -> Block:
    """The effect without each practice."""
    return _left_out(report, "practices", words.practices(report.evaluation.robustness, report.spec))


def placebo_organizations(report: ReleasedRun) -> Block:
    """Each comparison organisation taken for the program."""
    found = report.evaluation.robustness
    told = paragraphs(words.placebo_arm(found, report.spec))
    members = report.evaluation.cohort.members.get("treated")
    return (
        told
        if found.placebo_arm.empty
        else told + placebo_figures.placebo_arm(found, report.spec, members).block()
    )


def effects_on_placebo_outcomes(report: ReleasedRun) -> Block:
    """What was found on outcomes that the program cannot have changed."""
    found = report.evaluation.robustness
    told = paragraphs(words.placebo_outcomes(found))
    return told if found.placebo_outcomes.empty else told + exhibits.placebo_outcomes(found).block()


def bounds_on_trends(report: ReleasedRun) -> Block:
    """Which effects remain possible when trends parted."""
    found = report.evaluation.robustness
    made = paragraphs(words.bounds(found))
    for kind in found.bounds["kind"].unique():
        made = made + figures.bounds(found, str(kind), report.spec).block()
    return made


def _left_out(report: ReleasedRun, unit: str, sentences: list[str]) -> Block:
    """Words, then the picture; where nothing could be left out, the table with the reasons."""
    found, did, spec = report.evaluation.robustness, report.evaluation.did, report.spec
    frame = getattr(found, unit)
    if frame.empty:
        return NOTHING
    if frame["estimate"].isna().all():
        return paragraphs(sentences) + exhibits.left_out(found, unit, spec).block()
    return paragraphs(sentences) + figures.left_out(found, unit, did, spec).block()
