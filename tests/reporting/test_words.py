"""Sentences, cards and titles follow the result, and say nothing that an interval leaves open."""

from __future__ import annotations

import dataclasses
import re

import example
import numpy as np
import pandas as pd
import pytest

from medhome.reporting import cohort_words, savings_words, study_words, titles, uncertainty_exhibits, words
from medhome.study.display import MINUS, WITHHELD
from medhome.study.published import PublishedEffect, published_effect
from medhome.study.results import Check

LESS, MORE, OPEN = (-9.0, -15.0, -3.0), (9.0, 3.0, 15.0), (-4.2, -27.3, 18.9)
SPEC = example.spec()


def all_words(**parts) -> list[str]:
    """Every sentence, title and card of a report."""
    report = example.report(**parts)
    found, spec = report.evaluation, report.spec
    sentences = [
        words.detectable(found.did, 301.22),
        words.uncertainty(found.did),
        words.published_against_detectable(found.did, published_effect()),
        words.estimate_against_detectable(found.did),
        words.effect(found.did, spec),
        words.relative(found.did),
        uncertainty_exhibits.chance(found.uncertainty),
        uncertainty_exhibits.practices(found.uncertainty),
        uncertainty_exhibits.probability(found.uncertainty, spec),
        words.interval_basis(found.did, spec),
        words.before_the_start(found.did),
        words.versus(found.expected, "versus expected"),
        words.versus(found.expected, "versus peers"),
        words.both_readings(found.expected),
        cohort_words.who_was_compared(found.cohort, spec),
        cohort_words.who_is_left(found.attrition, spec),
        cohort_words.balance(found.cohort),
        cohort_words.dollars_kept(found.quality),
        cohort_words.rules_found(found.quality),
        words.definitions_spread(found.expected),
        cohort_words.accuracy(found.risk),
        savings_words.savings_gross(found.savings),
        savings_words.savings_net(found.savings),
        savings_words.savings_total(found.savings),
        savings_words.fees(spec),
        words.headline_rule(found.did),
        titles.event_study(found.did, spec),
        titles.series(found.expected, spec),
        titles.definitions(found.expected),
        titles.detectable(found.did),
        titles.balance(found.cohort),
        titles.calibration(found.risk),
        titles.organizations(found.cohort),
        titles.waterfall(found.quality),
        study_words.question(spec),
        study_words.data_through(spec),
        *study_words.caveats(spec),
        *(text for card in titles.cards(found.did, found.expected, found.cohort, spec) for text in card),
    ]
    return [s for s in sentences if s]


@pytest.mark.parametrize(
    "low, high, found",
    [
        (-3, -1, "less"),
        (1, 3, "more"),
        (-1, 1, "unclear"),
        (0, 3, "unclear"),
        (-3, 0, "unclear"),
        (None, None, "unclear"),
        (float("nan"), 3, "unclear"),
    ],
)
def test_direction_comes_from_the_interval_alone(low, high, found):
    assert words.direction(low, high) == found


def test_a_finding_is_worded_only_where_the_interval_excludes_zero():
    less = words.effect(example.did(*LESS), SPEC)
    more = words.effect(example.did(*MORE), SPEC)
    unclear = words.effect(example.did(*OPEN), SPEC)
    assert less.startswith("Care cost less than expected in the program")
    assert f"{MINUS}$9.00 per member per month (95% interval {MINUS}$15.00 to {MINUS}$3.00)" in less
    assert more.startswith("Care cost more than expected in the program")
    assert "$9.00 per member per month (95% interval $3.00 to $15.00)" in more
    assert unclear.startswith("Whether care cost less or more than expected")
    assert "cannot be told" in unclear and "holds both" in unclear


def test_a_small_p_value_does_not_make_a_finding():
    assert words.effect(example.did(*OPEN, p=0.001), SPEC) == words.effect(example.did(*OPEN, p=0.9), SPEC)


def test_a_difference_without_interval_is_no_finding():
    assert "has no interval, so it is no finding" in words.compared(-6.7, None, None, "its peers")
    assert "withheld or could not be estimated" in words.compared(None, None, None, "its peers")


@pytest.mark.parametrize(
    "value, verdict",
    [
        (1.79, "is below what this study can detect"),
        (1.78, "is within what this study can detect"),  # as large as the smallest detectable effect: seen
        (1.20, "is within what this study can detect"),
    ],
)
def test_the_published_effect_is_judged_by_this_study_s_own_power(value, verdict):
    sentence = words.published_against_detectable(example.did(detectable=value), published_effect())
    assert sentence.startswith("An effect of $1.78 PMPM, as published for a medical home")
    assert verdict in sentence


def test_a_published_effect_may_be_of_either_sign():
    made = PublishedEffect(
        id="x", effect_pmpm_usd=4.0, program="a program", members=10, start="2000-01", source="s"
    )
    assert "(cost more than expected)" in words.published_against_detectable(
        example.did(detectable=5.0), made
    )


def test_the_detectable_effect_stands_in_dollars_and_in_percent_of_baseline_cost():
    text = words.detectable(example.did(detectable=33.13), 301.22)
    assert text == (
        "This study could detect a change of about $33 per member per month (11% of baseline cost) or "
        "more, with 80% power."
    )
    assert "$6.40 per member per month or more" in words.detectable(example.did(detectable=6.4), None)
    assert "is not known" in words.detectable(example.did(detectable=None), 301.22)


def test_an_estimate_smaller_than_what_can_be_detected_is_called_out():
    assert f"{MINUS}$4.20 PMPM, is smaller than that" in words.estimate_against_detectable(example.did())
    assert words.estimate_against_detectable(example.did(-40.0, -60.0, -20.0)) == ""
    assert titles.detectable(example.did()) == "The estimate is smaller than what this study can detect"
    assert (
        titles.detectable(example.did(-40.0, -60.0, -20.0))
        == "The estimate is larger than what this study can detect"
    )


def test_uncertainty_is_made_of_the_shares_given():
    assert words.uncertainty(example.did()) == (
        "Of the uncertainty, 71% is organisations' own drift, 17% is the members of the program and 12% is "
        "the comparison group."
    )


@pytest.mark.parametrize(
    "low, high, begins",
    [
        (-14.8, 10.0, "Pre-trend differences of"),
        (-14.8, -2.0, "Before the start, cost in the program arm already fell"),
        (2.0, 14.8, "Before the start, cost in the program arm already rose"),
    ],
)
def test_differences_before_the_start_always_remain_possible(low, high, begins):
    found = dataclasses.replace(example.did(), pre_trend=example.estimate((low + high) / 2, low, high))
    text = words.before_the_start(found)
    assert text.startswith(begins)
    assert "PMPM per year remain possible." in text


def test_change_and_level_are_both_told_and_their_signs_compared():
    expected = example.expected()
    assert words.versus(expected, "versus expected").startswith(
        "Versus expected (a change), definition E3: whether care cost"
    )
    assert words.versus(expected, "versus peers").startswith(
        "Versus peers (a level), definition E2: whether care cost"
    )
    assert "opposite signs" not in words.both_readings(expected)
    assert "opposite signs" in words.both_readings(example.expected((4.2, -18.0, 27.0)))


def test_a_definition_without_a_number_never_stands_for_its_kind():
    expected = example.expected()
    frame = expected.definitions.assign(
        difference_pmpm=expected.definitions["difference_pmpm"].where(
            expected.definitions["definition"] != "E2"
        )
    )
    row = words.definition(dataclasses.replace(expected, definitions=frame), "versus peers")
    assert row is not None and row["definition"] == "E5_level"


def test_definitions_agree_only_when_every_interval_does():
    expected = example.expected()

    def with_intervals(lows, highs):
        return dataclasses.replace(expected, definitions=expected.definitions.assign(lo95=lows, hi95=highs))

    assert (
        titles.definitions(with_intervals([-9.0] * 5, [-1.0] * 5))
        == "Under every definition of expected, care cost less"
    )
    assert (
        titles.definitions(with_intervals([1.0] * 5, [9.0] * 5))
        == "Under every definition of expected, care cost more"
    )
    mixed = titles.definitions(with_intervals([-9.0, 1.0, -9.0, -9.0, -9.0], [-1.0, 9.0, -1.0, -1.0, -1.0]))
    assert mixed == "The definitions of expected find opposite things"
    some = titles.definitions(
        with_intervals([-9.0, -9.0, -9.0, -9.0, np.nan], [-1.0, -1.0, -1.0, -1.0, np.nan])
    )
    assert some == "Actual minus expected cost under each definition of expected"


@pytest.mark.parametrize(
    "case, title, series",
    [
        (LESS, "Cost fell against the comparison group", "The program cost less than expected"),
        (MORE, "Cost rose against the comparison group", "The program cost more than expected"),
        (
            OPEN,
            "Difference from the comparison group before and after",
            "Expected and actual cost in the program",
        ),
    ],
)
def test_titles_follow_the_interval(case, title, series):
    assert titles.event_study(example.did(*case), SPEC).startswith(title)
    assert titles.series(example.expected(case), SPEC) == series


def test_savings_turn_with_the_interval():
    assert savings_words.savings_net(example.savings((9.0, 3.0, 15.0))).startswith(
        "There were savings in paid amounts, after program fees: $7.50"
    )
    losses = savings_words.savings_net(example.savings((-9.0, -15.0, -3.0)))
    assert losses.startswith(
        f"There were losses in paid amounts, after program fees: savings of {MINUS}$10.50"
    )
    assert savings_words.savings_net(example.savings()).startswith(
        "Whether there were savings or losses in paid amounts, after program fees cannot"
    )
    # $1 before a fee of $1.50: savings gross, open net
    gross = example.savings((2.0, 1.0, 3.0))
    assert savings_words.savings_gross(gross).startswith("There were savings in allowed amounts, before")
    assert savings_words.savings_net(gross).startswith(
        "Whether there were savings or losses in paid amounts, after"
    )


def test_savings_in_all_name_their_member_months():
    assert savings_words.savings_total(example.savings()) == (
        "In all, net savings are estimated at $1.1 million over 408,000 member-months (95% interval "
        f"{MINUS}$8.3 million to $10.5 million)."
    )


def test_counts_that_were_withheld_stay_withheld_in_words_and_cards():
    cohort = dataclasses.replace(
        example.cohort(),
        members={"treated": None, "comparison": 60_112},
        practices={"treated": None, "comparison": 143},
    )
    text = cohort_words.who_was_compared(cohort, SPEC)
    assert text.startswith(
        "The program holds a withheld number of members at a withheld number of practices of 1 organisation;"
    )
    cards = titles.cards(example.did(), example.expected(), cohort, SPEC)
    assert f"{WITHHELD} members in the program" in cards[3][2]


def test_people_in_neither_arm_are_counted():
    frame = example.attrition().frame
    others = frame[frame["arm"] == "treated"].assign(
        arm="not attributed", members=[40_000.0, 39_000.0, 38_000.0, 0.0]
    )
    attrition = dataclasses.replace(example.attrition(), frame=pd.concat([frame, others]))
    assert cohort_words.who_is_left(attrition, SPEC) == (
        "The eligibility rules left 19,728 of 21,411 members in the program and 62,022 of 70,102 members "
        "in the comparison group. 40,000 people are in neither arm (not attributed)."
    )


def test_one_organisation_is_singular():
    assert "of 1 organisation;" in cohort_words.who_was_compared(example.cohort(), SPEC)
    assert words.headline_rule(example.did()).startswith("One organisation is treated and 40 are compared")


def test_balance_counts_and_names_what_differs():
    assert cohort_words.balance(example.cohort()) == (
        "At baseline, 1 of 9 characteristics differs by more than 0.1 standard deviations (hypertension)."
    )
    frame = example.cohort().balance.assign(smd=[0.3, -0.4, 0.2, 0.11, 0, 0, 0, 0, np.nan, 0.5])
    apart = dataclasses.replace(example.cohort(), balance=frame)
    assert cohort_words.balance(apart) == (
        "At baseline, 5 of 9 characteristics differ by more than 0.1 standard deviations (the largest: "
        "months in the baseline, female and age)."
    )
    near = dataclasses.replace(example.cohort(), balance=frame.assign(smd=0.01))
    assert "none of 10 characteristics differs" in cohort_words.balance(near)
    assert titles.balance(near) == "No characteristic differs by more than 0.1 standard deviations"


def test_dollars_and_rules_are_counted_from_the_tables():
    assert cohort_words.dollars_kept(example.quality()) == (
        "Of $1.4 billion allowed in the files, $1.0 billion (72.6%) is cost in the evaluation."
    )
    assert cohort_words.rules_found(example.quality()) == (
        "Of 5 rules on the input tables, 4 found something, 1 of them worth a warning."
    )
    quiet = dataclasses.replace(example.quality(), rules=example.quality().rules.assign(count=0))
    assert cohort_words.rules_found(quiet) == "None of 5 rules on the input tables found anything."


def test_the_first_page_shows_what_did_not_pass():
    checks = (
        Check(id="a", sentence="A passed.", passed=True, front_page=True),
        Check(id="b", sentence="B failed.", passed=False, front_page=True),
        Check(id="c", sentence="C informs.", passed=None, front_page=True),
        Check(id="d", sentence="D failed.", passed=False, front_page=False),
        Check(id="placeholder", sentence="Told at the head of every page.", passed=False, front_page=True),
    )
    assert words.front_page(checks) == ["B failed."]


def test_checks_that_only_inform_are_counted_for_the_printed_page():
    checks = example.report().evaluation.checks
    informing = [c for c in checks if c.passed is None]
    said = words.checks_not_on_paper(checks)
    assert said.startswith(f"{len(informing)} check") and "not on paper" in said
    assert words.checks_not_on_paper([c for c in checks if c.passed is not None]) == ""


def test_synthetic_data_and_placebo_arms_are_told_on_every_page():
    assert study_words.caveats(SPEC)[0].startswith("All data in this report are synthetic.")
    placebo = study_words.caveats(example.placebo_spec())
    assert placebo[1].startswith("This is a placebo study: no program exists in these data.")
    real = SPEC.model_copy(update={"data": SPEC.data.model_copy(update={"synthetic": False})})
    assert study_words.caveats(real) == []


def test_a_placebo_is_never_called_a_program():
    spec = example.placebo_spec()
    assert "the placebo arm" in words.effect(example.did(), spec)
    assert study_words.arm_label("treated", spec) == "Placebo arm"


def test_a_model_that_explains_nothing_is_not_said_to_explain():
    accuracy = example.risk().accuracy.assign(r2=[-0.035, 0.1])
    text = cohort_words.accuracy(dataclasses.replace(example.risk(), accuracy=accuracy))
    assert "predicts single members no better than their mean cost does" in text
    assert "explains 14.2% of the variation" in cohort_words.accuracy(example.risk())


def test_the_heading_of_the_caveats_names_what_is_not_real():
    assert study_words.caveats_title(SPEC) == "Synthetic data"
    assert study_words.caveats_title(example.placebo_spec()) == "Synthetic data and placebo arms"


def test_the_change_of_the_treated_organisation_is_ranked_among_the_others():
    frame = example.cohort().organizations
    others = frame[frame["arm"] != "treated"].dropna(subset=["performance_pmpm"])
    below = int((others["performance_pmpm"] - others["baseline_pmpm"] < 17.2).sum())
    assert titles.organizations(example.cohort()) == (
        f"{below} of {len(others)} comparison organisations had a smaller change in cost"
    )
    two = frame.assign(arm=["treated", "treated", *frame["arm"].iloc[2:]])
    assert (
        titles.organizations(dataclasses.replace(example.cohort(), organizations=two))
        == "Change in cost by organisation"
    )


@pytest.mark.parametrize("case", [LESS, MORE, OPEN])
def test_house_style_of_every_sentence(case):
    for text in all_words(did=example.did(*case), expected=example.expected(case)):
        assert "parallel" not in text.lower()
        assert not re.search(r"(?<![\w])-\$?\d", text), f"hyphen for a minus: {text}"
        assert not re.search(r"\bnan\b|None|inf\b", text), text
        assert "$-" not in text and "  " not in text


def test_nothing_breaks_when_nothing_could_be_estimated():
    did = dataclasses.replace(
        example.did(None, None, None, detectable=None),
        probability_lower_cost=example.estimate(None),
        relative=example.estimate(None),
        pre_trend=example.estimate(None),
        variance_shares=example.did().variance_shares.iloc[:0],
    )
    assert "withheld or could not be estimated" in words.effect(did, SPEC)
    assert all("None" not in text and "nan" not in text for text in all_words(did=did))


@pytest.mark.parametrize(
    ("changes", "rule", "look_back"),
    [
        ({}, "in the 12 months before the baseline; the practice stays the same", "before the first month"),
        (
            {"population": "dynamic", "freeze": "year", "lookback_months": 24},
            "in the 24 months before each year of the study; the rule is applied afresh and alike",
            "attributed afresh and alike in both arms",
        ),
        (
            {"population": "dynamic", "freeze": "period", "method": "roster"},
            "in the first month of the baseline and of the start",
            "attributed afresh and alike in both arms",
        ),
        ({"population": "stable"}, "the same rule puts into the same arm", "again before the start"),
        (
            {"population": "market", "method": "stepwise", "specialties": ["Cardiology", "nephrology "]},
            "(members without any: of visits to cardiology and nephrology)",
            "before the first month analysed",
        ),
        (
            {"method": "roster"},
            "the provider-attribution table says in the first month of the baseline",
            "payer's",
        ),
    ],
)
def test_the_page_says_who_is_followed_and_where_the_look_back_lies(changes, rule, look_back):
    plain = SPEC.model_dump()
    plain["attribution"] |= changes
    study = type(SPEC).model_validate(plain)
    assert rule in study_words.attribution_rule(study)
    assert look_back in study_words.look_back(study)
