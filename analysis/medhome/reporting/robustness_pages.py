"""The parts of the page "How sure are we": words, then the picture with its table."""

from __future__ import annotations

from medhome.reporting import robustness_exhibits as exhibits
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
    found, did = report.evaluation.robustness, report.evaluation.did
    lead = (
        "The interval of the effect holds if its model does. Here the model is put to the test: with other "
        "estimators, without single practices, at starts and in organisations where there was no program, "
        "and under trends that parted."
    )
    sentences = [words.in_short(found), *words.methods(found, did)[:1]]
    return paragraphs([lead], css="first") + paragraphs(sentences)


def estimates_by_method(report: ReleasedRun) -> Block:
    """The same cost under other estimators."""
    found = report.evaluation.robustness
    told = paragraphs(words.methods(found, report.evaluation.did))
    return told if found.methods.empty else told + exhibits.methods(found).block()


def effects_of_placebo_starts(report: ReleasedRun) -> Block:
    """What starts inside the baseline would have shown."""
    found = report.evaluation.robustness
    told = paragraphs(words.starts(found))
    return told if found.placebo_starts.empty else told + exhibits.placebo_starts(found).block()


def effect_without_one_organization(report: ReleasedRun) -> Block:
    """The effect without each organisation."""
    found, spec = report.evaluation.robustness, report.spec
    if found.organizations.empty:
        return NOTHING
    told = paragraphs(words.organizations(found, spec))
    return told + exhibits.left_out(found, "organizations", spec).block()


def effect_without_one_practice(report: ReleasedRun) -> Block:
    """The effect without each practice."""
    found, spec = report.evaluation.robustness, report.spec
    if found.practices.empty:
        return NOTHING
    told = paragraphs(words.practices(found, spec))
    return told + exhibits.left_out(found, "practices", spec).block()


def placebo_organizations(report: ReleasedRun) -> Block:
    """Each comparison organisation taken for the program."""
    found = report.evaluation.robustness
    told = paragraphs(words.placebo_arm(found, report.spec))
    return told if found.placebo_arm.empty else told + exhibits.placebo_arm(found).block()


def bounds_on_trends(report: ReleasedRun) -> Block:
    """Which effects remain possible when trends parted."""
    found = report.evaluation.robustness
    told = paragraphs(words.bounds(found))
    return told if found.bounds.empty else told + exhibits.bounds(found).block()
