"""Cost models on the page "Expected and actual cost": the one behind expected cost, and those beside it."""

from __future__ import annotations

from medhome.reporting import cohort_words
from medhome.reporting import exhibits as own_exhibits
from medhome.reporting import figures as own_figures
from medhome.reporting import member_cost_exhibits as exhibits
from medhome.reporting import member_cost_figures as figures
from medhome.reporting import member_cost_words as told
from medhome.reporting.blocks import NOTHING, Block, bullets, notice, paragraphs
from medhome.study.released import ReleasedRun


def calibration_of_the_cost_model(report: ReleasedRun) -> Block:
    """Figure: predicted over actual cost by decile."""
    return own_figures.calibration(report.evaluation.risk, report.spec).block()


def accuracy_of_the_cost_model(report: ReleasedRun) -> Block:
    """Exhibit T9: how well the cost model predicts."""
    risk = report.evaluation.risk
    return paragraphs([cohort_words.accuracy(risk)]) + own_exhibits.risk_accuracy(risk).block()


def cost_model_terms(report: ReleasedRun) -> Block:
    """Table: the terms of the cost model."""
    return own_exhibits.risk_terms(report.evaluation.risk).block()


def accuracy_of_other_cost_models(report: ReleasedRun) -> Block:
    """Exhibit T9: how near each model of members' cost comes, and what must be known of them."""
    found = report.evaluation.member_costs
    warned = notice("Models that were not fitted, or only in part", found.warnings, kind="warning")
    if found.accuracy.empty:
        return warned
    return (
        paragraphs(told.introduction(found))
        + warned
        + paragraphs([told.accuracy(found), told.best(found)])
        + exhibits.accuracy(found, report.spec).block()
    )


def predictive_ratios_by_group(report: ReleasedRun) -> Block:
    """Exhibit T10: actual cost by tenth of prediction, then ratios by actual cost, condition, age and sex."""
    found = report.evaluation.member_costs
    if found.ratios.empty:
        return NOTHING
    block = figures.calibration(found, report.spec).block() + paragraphs(told.ratios(found))
    for kind in exhibits.KINDS:
        if (found.ratios["kind"] == kind).any():
            block = block + exhibits.by_group(found, report.spec, kind).block()
    return block


def practices_beside_random_panels(report: ReleasedRun) -> Block:
    """Figure: predicted over actual cost by practice beside random panels; table: recalibration."""
    found = report.evaluation.member_costs
    if found.practices.empty:
        return NOTHING
    return (
        paragraphs([told.practices(found)])
        + figures.practices(found, report.spec).block()
        + paragraphs([told.recalibration(found)])
        + exhibits.recalibration(found).block()
    )


def tests_of_the_cost_models(report: ReleasedRun) -> Block:
    """Exhibit T8: the specification tests, each with its sentence; expected against actual where fitted."""
    found = report.evaluation.member_costs
    if found.tests.empty:
        return NOTHING
    every = exhibits.meanings(found).block()
    folded = Block(
        html=f"<details><summary>Every test of every model in words</summary>{every.html}</details>",
        text=every.text,
    )
    return (
        exhibits.tests(found).block()
        + bullets(told.tests(found))
        + folded
        + paragraphs(told.identity(found))
        + exhibits.identity(found).block()
    )


def effect_under_cost_models(report: ReleasedRun) -> Block:
    """Table: the effect of the program by recycled predictions, under each model of members' cost."""
    found = report.evaluation.member_costs
    if found.effects.empty:
        return NOTHING
    return paragraphs(told.effects(found)) + exhibits.effects(found).block()
