"""The parts of the page "Where and for whom"."""

from __future__ import annotations

from medhome.reporting import where_exhibits, where_figures, where_words
from medhome.reporting.blocks import NOTHING, Block, paragraphs
from medhome.study.released import ReleasedRun

PAGE, TITLE = "where-and-for-whom.html", "Where and for whom"
NOT_THERE = "The parts of the effect were not worked out in this run."


def where_in_words(report: ReleasedRun) -> Block:
    """What the page is for, and which parts stand."""
    found = report.evaluation.where
    if found.categories.empty and found.groups.empty:
        return paragraphs([NOT_THERE])
    return paragraphs([where_words.lead(found)], css="first") + paragraphs([where_words.notable(found)])


def effect_by_category(report: ReleasedRun) -> Block:
    """Exhibit T4 and its waterfall: the effect by kind of service, adding up to the whole."""
    found, spec = report.evaluation.where, report.spec
    if found.categories.empty:
        return NOTHING
    made = paragraphs([where_words.categories(found), where_words.prices(report.evaluation.quality, spec)])
    return made + where_figures.categories(found, spec).with_table()


def effect_by_group(report: ReleasedRun) -> Block:
    """Exhibit T17: the effect by group of members."""
    found, spec = report.evaluation.where, report.spec
    if found.groups.empty:
        return NOTHING
    made = paragraphs([where_words.groups(found)])
    if found.groups["lo95"].notna().any():
        return made + where_figures.groups(found, spec).with_table()
    return made + where_exhibits.groups(found, spec).block()


def practices_as_a_funnel(report: ReleasedRun) -> Block:
    """Practices: raw changes against their size; the shrunken ones are in the figure's table."""
    found, spec = report.evaluation.where, report.spec
    made = paragraphs(where_words.practices(found))
    shown = found.practices["estimate"].notna() & found.practices["members"].notna()
    if not (shown & (found.practices["arm"] == "treated")).any():
        return made
    return made + where_figures.practices(found, spec).block()
