"""What the report notebooks show: one public function for one part of a page.

Each takes a `ReleasedRun` (what ``medhome.open_run`` gives) and returns a `Block`; `show` displays it. The
functions arrange; figures, exhibits and words do the work.
"""

from __future__ import annotations

from medhome.reporting import (
    cohort_exhibits,
    exhibits,
    figures,
    pre_trend_exhibits,
    pre_trend_words,
    savings_words,
    titles,
    words,
)
from medhome.reporting.blocks import Block, escape, notice, paragraphs, prose, show
from medhome.reporting.care_management_pages import care_management_and_cost, care_management_funnel
from medhome.reporting.claims_exhibits import dollars_by_arm_and_period, price_and_quantity
from medhome.reporting.cohort_pages import (
    balance_at_baseline,
    claims_by_month,
    cohort_flow,
    dollars_kept,
    dollars_kept_table,
    input_files,
    input_rules,
    members_by_stratum,
    organizations_compared,
    the_program,
    who_was_compared,
)
from medhome.reporting.comparison_pages import comparison_weights
from medhome.reporting.completion_exhibits import run_out_and_completion
from medhome.reporting.employer_exhibits import effect_without_each_employer
from medhome.reporting.limits_words import limits_of_this_study
from medhome.reporting.measure_pages import (
    chronic_care,
    gaps_in_care,
    measures_in_words,
    measures_not_known,
    medication,
    preventive_care,
    utilisation_of_care,
)
from medhome.reporting.member_cost_pages import (
    accuracy_of_other_cost_models,
    accuracy_of_the_cost_model,
    calibration_of_the_cost_model,
    cost_model_terms,
    effect_under_cost_models,
    practices_beside_random_panels,
    predictive_ratios_by_group,
    tests_of_the_cost_models,
)
from medhome.reporting.method_pages import (
    how_expected_cost_is_made,
    how_savings_are_made,
    how_the_effect_is_estimated,
    how_the_interval_is_made,
)
from medhome.reporting.payment_exhibits import (
    before_any_claim_of_savings,
    pay_for_performance,
    program_payments,
    settlement_statement,
)
from medhome.reporting.protocol_words import protocol_lock
from medhome.reporting.report_pages import REPORT_PAGES as REPORT_PAGES
from medhome.reporting.report_pages import reproduce_this_report, the_other_pages, the_question
from medhome.reporting.risk_exhibits import effect_by_timing_of_risk, risk_of_the_members
from medhome.reporting.robustness_pages import (
    bounds_on_trends,
    effect_without_one_organization,
    effect_without_one_practice,
    effects_of_placebo_starts,
    effects_on_placebo_outcomes,
    estimates_by_method,
    how_sure_in_short,
    how_sure_in_words,
    placebo_organizations,
)
from medhome.reporting.savings_pages import fees, savings_by_year, savings_in_words, savings_table
from medhome.reporting.selection_exhibits import where_members_were_seen, who_came_and_went
from medhome.reporting.specification_pages import specification_curve
from medhome.reporting.survey_pages import satisfaction_and_access, survey_respondents
from medhome.reporting.truncation_exhibits import cost_above_the_cap, effect_at_other_caps
from medhome.reporting.uncertainty_exhibits import probability, uncertainty_of_the_chain
from medhome.reporting.washout_exhibits import effect_after_a_washout
from medhome.reporting.wave_pages import (
    effect_since_each_start,
    effects_by_wave,
    waves_by_method,
    waves_of_the_program,
)
from medhome.reporting.where_pages import (
    effect_by_category,
    effect_by_group,
    practices_as_a_funnel,
    where_in_words,
)
from medhome.study.published import published_effect
from medhome.study.released import ReleasedRun

__all__ = [
    "accuracy_of_other_cost_models",
    "accuracy_of_the_cost_model",
    "balance_at_baseline",
    "before_any_claim_of_savings",
    "before_the_start",
    "bounds_on_trends",
    "calibration_of_the_cost_model",
    "care_management_and_cost",
    "care_management_funnel",
    "checks_of_this_study",
    "chronic_care",
    "claims_by_month",
    "cohort_flow",
    "comparison_weights",
    "cost_above_the_cap",
    "cost_by_quarter",
    "cost_model_terms",
    "definitions_of_expected",
    "definitions_side_by_side",
    "detectable_effect",
    "dollars_by_arm_and_period",
    "dollars_kept",
    "dollars_kept_table",
    "effect_after_a_washout",
    "effect_at_other_caps",
    "effect_beside_what_is_detectable",
    "effect_by_category",
    "effect_by_group",
    "effect_by_quarter",
    "effect_by_timing_of_risk",
    "effect_in_words",
    "effect_since_each_start",
    "effect_under_cost_models",
    "effect_without_each_employer",
    "effect_without_one_organization",
    "effect_without_one_practice",
    "effects_by_wave",
    "effects_of_placebo_starts",
    "effects_on_placebo_outcomes",
    "estimates_by_method",
    "expected_in_words",
    "fees",
    "findings_in_words",
    "first_things_first",
    "gaps_in_care",
    "how_expected_cost_is_made",
    "how_savings_are_made",
    "how_sure_in_short",
    "how_sure_in_words",
    "how_the_effect_is_estimated",
    "how_the_interval_is_made",
    "input_files",
    "input_rules",
    "key_numbers",
    "limits_of_this_study",
    "measures_in_words",
    "measures_not_known",
    "medication",
    "members_by_stratum",
    "organizations_compared",
    "other_methods_of_inference",
    "pay_for_performance",
    "placebo_organizations",
    "practices_as_a_funnel",
    "practices_beside_random_panels",
    "predictive_ratios_by_group",
    "preventive_care",
    "price_and_quantity",
    "program_payments",
    "protocol_lock",
    "reproduce_this_report",
    "risk_of_the_members",
    "run_out_and_completion",
    "satisfaction_and_access",
    "savings_by_year",
    "savings_in_words",
    "savings_table",
    "settlement_statement",
    "show",
    "specification_curve",
    "survey_respondents",
    "tests_of_the_cost_models",
    "the_other_pages",
    "the_program",
    "the_question",
    "uncertainty_of_the_chain",
    "utilisation_of_care",
    "waves_by_method",
    "waves_of_the_program",
    "what_the_interval_is_made_of",
    "where_in_words",
    "where_members_were_seen",
    "who_came_and_went",
    "who_was_compared",
]


# -- every page ----------------------------------------------------------------------------------------


def detectable_effect(report: ReleasedRun) -> Block:
    """How small an effect could this study see? To be read before any estimate."""
    did = report.evaluation.did
    baseline = words.primary_definition(report.evaluation.expected)["baseline_pmpm"]
    first = paragraphs([words.detectable(did, baseline)], css="first")
    return first + paragraphs(
        [
            words.published_against_detectable(did, published_effect()),
            words.uncertainty(did),
            words.estimate_against_detectable(did),
        ]
    )


# -- findings at a glance ------------------------------------------------------------------------------


def first_things_first(report: ReleasedRun) -> Block:
    """Warnings that belong before the findings; nothing when there are none."""
    return notice("Read this first", words.front_page(report.evaluation.checks), kind="warning")


def key_numbers(report: ReleasedRun) -> Block:
    """Four cards: effect, actual over expected, differences before the start, who was compared."""
    found = report.evaluation
    items = titles.cards(found.did, found.expected, found.cohort, report.spec)
    cards = "".join(
        f'<div class="card"><div class="k">{escape(name)}</div>'
        f'<div class="v{" long" if len(value) > 9 else ""}">{prose(value)}</div>'
        f'<div class="s">{prose(under)}</div></div>'
        for name, value, under in items
    )
    return Block(
        html=f'<div class="cards">{cards}</div>', text="\n".join(f"{n}: {v} ({u})" for n, v, u in items)
    )


def findings_in_words(report: ReleasedRun) -> Block:
    """The findings in a few sentences: versus expected, versus peers, before the start, savings."""
    found = report.evaluation
    return paragraphs(
        [
            words.versus(found.expected, "versus expected"),
            words.versus(found.expected, "versus peers"),
            words.both_readings(found.expected),
            words.before_the_start(found.did),
            savings_words.savings_net(found.savings),
        ]
    )


def effect_beside_what_is_detectable(report: ReleasedRun) -> Block:
    """Figure: the estimate with its interval, beside what the study can detect and a published effect."""
    return figures.detectable(report.evaluation.did, published_effect(), report.spec).block()


def checks_of_this_study(report: ReleasedRun) -> Block:
    """Table: every check, passed or not. On paper those for information are left out, and counted."""
    checks = report.evaluation.checks
    left_out = paragraphs([words.checks_not_on_paper(checks)], css="on-paper")
    return cohort_exhibits.checks(checks).block() + Block(html=left_out.html, text="")


# -- data and cohort -----------------------------------------------------------------------------------


# -- expected and actual -------------------------------------------------------------------------------


def expected_in_words(report: ReleasedRun) -> Block:
    """Versus expected and versus peers, side by side, and how far the definitions lie apart."""
    expected = report.evaluation.expected
    return paragraphs(
        [
            words.versus(expected, "versus expected"),
            words.versus(expected, "versus peers"),
            words.both_readings(expected),
            words.definitions_spread(expected),
        ]
    )


def definitions_of_expected(report: ReleasedRun) -> Block:
    """Exhibit T5: expected and actual cost under each definition."""
    return exhibits.definitions(report.evaluation.expected).block()


def definitions_side_by_side(report: ReleasedRun) -> Block:
    """Figure: actual minus expected under each definition; its table is `definitions_of_expected`."""
    return figures.definitions(report.evaluation.expected, report.spec).block(table_follows=True)


def cost_by_quarter(report: ReleasedRun) -> Block:
    """Figure: expected and actual cost by quarter, with the gap shaded."""
    return figures.series(report.evaluation.expected, report.spec).block()


# -- difference in differences -------------------------------------------------------------------------


def effect_in_words(report: ReleasedRun) -> Block:
    """The headline, in percent too, the probability of savings (with a prior), and the interval's basis."""
    did, spec = report.evaluation.did, report.spec
    return (
        paragraphs([words.effect(did, spec)], css="first")
        + paragraphs([words.relative(did), probability(report.evaluation.uncertainty, spec)])
        + paragraphs([words.interval_basis(did, spec)])
        + notice("Limits of this estimate", did.warnings, kind="warning")
    )


def effect_by_quarter(report: ReleasedRun) -> Block:
    """Figure: the event study."""
    return figures.event_study(report.evaluation.did, report.spec).block()


def before_the_start(report: ReleasedRun) -> Block:
    """How far the arms may have drifted apart already before the program."""
    did = report.evaluation.did
    told = paragraphs([words.before_the_start(did), *pre_trend_words.of_study(did)])
    if did.pre_trend_tests.empty:
        return told
    caption = "The quarters before the start, taken jointly"
    return told + pre_trend_exhibits.joint_tests(did.pre_trend_tests, "tbl-pre-trend", caption).block()


def other_methods_of_inference(report: ReleasedRun) -> Block:
    """Exhibit T19: the same effect under other methods, those that are no finding here in grey."""
    did = report.evaluation.did
    return paragraphs([words.headline_rule(did)]) + exhibits.inference(did).block()


def what_the_interval_is_made_of(report: ReleasedRun) -> Block:
    """Table: the sources of the headline interval's width."""
    return exhibits.variance_shares(report.evaluation.did).block()
