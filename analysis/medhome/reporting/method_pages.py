"""Formulas, each where its numbers stand: the effect, its interval, expected cost, savings."""

from __future__ import annotations

from medhome.reporting import formulas, study_words
from medhome.reporting.blocks import NOTHING, Block, paragraphs
from medhome.study.display import absent
from medhome.study.released import ReleasedRun


def how_the_effect_is_estimated(report: ReleasedRun) -> Block:
    """The formula of the difference in differences, in its own terms."""
    spec = report.spec
    return paragraphs([study_words.model_of_the_effect(spec)]) + formulas.formula(
        formulas.TWO_WAY,
        "cost of practice p in month t = practice effect + month effect + effect of the program after the "
        "start + covariate + remainder",
    )


def how_the_interval_is_made(report: ReleasedRun) -> Block:
    """The formulas of the model behind the headline interval."""
    return (
        paragraphs([study_words.model_of_the_interval(report.spec)])
        + formulas.formula(
            formulas.RANDOM_EFFECTS,
            "cost of organisation j in month t = organisation effect + month effect + effect in the "
            "program's own months + shock of the organisation + sampling of its members",
        )
        + formulas.formula(
            formulas.COVARIANCE,
            "covariance over months = shocks that fade at rate rho + members' own covariance over the "
            "number of members",
        )
    )


def how_expected_cost_is_made(report: ReleasedRun) -> Block:
    """The formula of each definition of expected cost that this study could work out."""
    definitions = report.evaluation.expected.definitions
    known = {row["definition"] for row in definitions.to_dict("records") if not absent(row["expected_pmpm"])}
    made = paragraphs([study_words.letters_of_expected(report.spec)])
    for names, latex, reading in formulas.EXPECTED:
        if known & set(names):
            said = reading.format(arm=study_words.treated_arm(report.spec))
            name = said.partition(",")[0]
            made += paragraphs([f"{said}."]) + formulas.formula(latex, f"{name}, as a formula")
    return made


def how_savings_are_made(report: ReleasedRun) -> Block:
    """The formulas of gross and net savings, and of the return on fees where there are fees."""
    rows = report.evaluation.savings.rows
    if "gross_pmpm" not in rows:
        return NOTHING
    made = paragraphs([study_words.letters_of_savings(report.spec)])
    returned = rows.get("roi_ratio")
    for latex, reading in formulas.SAVINGS:
        if latex != formulas.RETURN or (returned is not None and not absent(returned.value)):
            made += formulas.formula(latex, reading)
    return made
