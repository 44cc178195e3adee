"""The parts of the page "Utilisation and quality" on surveys: what moved, and who answered."""

from __future__ import annotations

from medhome.reporting import survey_exhibits as exhibits
from medhome.reporting import survey_figures as figures
from medhome.reporting import survey_words as words
from medhome.reporting.blocks import NOTHING, Block, paragraphs
from medhome.study.released import ReleasedRun


def satisfaction_and_access(report: ReleasedRun) -> Block:
    """What patients and clinicians say, and how soon an appointment is to be had: expected and actual."""
    found, spec = report.evaluation.surveys, report.spec
    if not spec.surveys.enabled:
        return paragraphs([words.NOT_ASKED])
    if not found.given:
        return paragraphs([words.NO_TABLE])
    if found.effects.empty:
        return paragraphs([words.NO_ANSWER, words.left_out(found)])
    told = paragraphs([*words.moved(found), words.adjusted(found)])
    if len(figures.drawn(found)):
        return told + figures.effects(found, spec).with_table()
    return told + exhibits.effects(found, spec).block()


def survey_respondents(report: ReleasedRun) -> Block:
    """Table: who was asked and who answered, and which answers are not used."""
    found = report.evaluation.surveys
    if found.responses.empty:
        return NOTHING
    return exhibits.responses(found, report.spec).block() + paragraphs([words.left_out(found)])
