"""The parts of the page "Difference in differences" on a program that starts in waves."""

from __future__ import annotations

from medhome.reporting import pre_trend_words
from medhome.reporting import wave_exhibits as exhibits
from medhome.reporting import wave_figures as figures
from medhome.reporting import wave_words as words
from medhome.reporting.blocks import NOTHING, Block, notice, paragraphs
from medhome.study.released import ReleasedRun


def waves_of_the_program(report: ReleasedRun) -> Block:
    """Whether practices start in waves; where they do, which, and what to know of them."""
    found = report.evaluation.waves
    told = paragraphs(words.lead(found))
    if found.waves.empty:
        return told
    return told + notice("Before reading effects by wave", found.warnings) + exhibits.waves(found).block()


def effect_since_each_start(report: ReleasedRun) -> Block:
    """The effect of a month under the program, and how it moves with the time since the start."""
    found = report.evaluation.waves
    if found.effects.empty:
        return NOTHING
    return (
        paragraphs([*words.effect(found), words.averages(found)])
        + exhibits.overall(found).block()
        + paragraphs([*words.since_start(found), *pre_trend_words.of_waves(found, words.period(found))])
        + figures.since_start(found, report.spec).block()
    )


def effects_by_wave(report: ReleasedRun) -> Block:
    """Tables: the effect by wave and by calendar time, and every group-time effect."""
    found = report.evaluation.waves
    if found.effects.empty:
        return NOTHING
    return exhibits.by_wave(found).block() + exhibits.group_time(found).block()


def waves_by_method(report: ReleasedRun) -> Block:
    """The effect by estimator, and what two-way fixed effects compare."""
    found = report.evaluation.waves
    if found.methods.empty:
        return NOTHING
    told = paragraphs(words.methods(found)) + exhibits.methods(found).block()
    return told if found.comparisons.empty else told + figures.comparisons(found, report.spec).block()
