"""The parts of the page "Utilisation and quality": words, then the picture with its table."""

from __future__ import annotations

from medhome.reporting import measure_exhibits as exhibits
from medhome.reporting import measure_figures as figures
from medhome.reporting import measure_words as words
from medhome.reporting.blocks import NOTHING, Block, paragraphs
from medhome.study.released import ReleasedRun

PAGE, TITLE = "utilisation-and-quality.html", "Utilisation and quality"


def measures_in_words(report: ReleasedRun) -> Block:
    """Which families were measured, what moved in each, and what could not be known."""
    found, spec = report.evaluation.measures, report.spec
    if not spec.measures.enabled:
        return paragraphs(
            ["This study asks for no measures of utilisation and quality ([measures] of its study file)."]
        )
    lead = (
        "Measures are medhome's own rules, declared one file each; they are not HEDIS, eCQM or PQA "
        "measures, and their rates should not be compared with published ones."
    )
    families = [f for f in words.FAMILIES if (found.effects["family"] == f).any()]
    told = [words.family_in_words(found, family) for family in families]
    return paragraphs([lead], css="first") + paragraphs([*told, words.unknown_in_words(found)])


def utilisation_of_care(report: ReleasedRun) -> Block:
    """Exhibit T11: use of care, expected and actual, with its table."""
    return _family(report, "utilisation")


def preventive_care(report: ReleasedRun) -> Block:
    """Exhibit T12, preventive care: due, given, and the effect."""
    return _family(report, "preventive")


def chronic_care(report: ReleasedRun) -> Block:
    """Exhibit T12, chronic care: due, given, and the effect."""
    return _family(report, "chronic")


def medication(report: ReleasedRun) -> Block:
    """Exhibit T12, medication: days covered, and the effect."""
    return _family(report, "medication")


def gaps_in_care(report: ReleasedRun) -> Block:
    """Gaps in care: how many were open, how many were closed, in both arms and periods."""
    found = report.evaluation.measures
    if found.gaps.empty:
        return _nothing(report, "No gap in care was counted: the study asks for no measure of care due.")
    shown = paragraphs([words.closure_in_words(found)]) + figures.closure(found, report.spec).block()
    if not (found.effects["family"] == "closure").any():
        return shown
    return shown + exhibits.effects(found, "closure", report.spec).block()


def measures_not_known(report: ReleasedRun) -> Block:
    """Table: measures that this input does not let be known, with the reason."""
    found = report.evaluation.measures
    if found.unknown.empty:
        return _nothing(report, "Every measure that the study asks for can be known from this input.")
    return exhibits.unknown(found).block()


def _nothing(report: ReleasedRun, why: str) -> Block:
    """Why a part is empty, where measures were asked for; the page's first words say so where none were."""
    return paragraphs([why]) if report.spec.measures.enabled else NOTHING


def _family(report: ReleasedRun, family: str) -> Block:
    found, spec = report.evaluation.measures, report.spec
    rows = words.of_family(found.effects, family)
    if rows.empty:
        return _nothing(report, "The study asks for no measure of this family that could be known.")
    told = paragraphs([words.family_in_words(found, family)])
    drawn = rows["estimate"].notna().any()
    told += (
        figures.effects(found, family, spec).with_table()
        if drawn
        else exhibits.effects(found, family, spec).block()
    )
    return told + exhibits.eligible(found, family, spec).block()
