"""The periods before the start taken jointly, on the page and in results.json."""

from __future__ import annotations

import dataclasses

import example
import pytest
from example import evaluation, report, spec

from medhome.reporting import pages, wave_pages
from medhome.reporting.results_file import numbers
from medhome.study.pre_trend_results import pre_trend_tests
from medhome.study.saved import load_evaluation, save_evaluation
from medhome.study.wave_results import Waves


def test_the_page_tells_what_would_have_been_found_and_no_verdict():
    text = pages.before_the_start(report()).text
    assert "The smallest difference of slopes found with 80% power is $17.70 PMPM per year." in text
    assert "can be given to as many organisations in 41 ways. In 12 of them, the actual one included" in text
    assert "p = 0.29, at best 0.024" in text
    assert "have p = 0.56; a straight drift of $21.40 PMPM per year would have been found" in text
    assert "7 periods for 1 organisation in the smaller arm" in text
    assert "has not shown that trends were alike" in text and "parallel" not in text


def test_several_treated_organisations_have_hotelling_s_form():
    tests = example.did().pre_trend_tests
    tests.loc[2, ["p", "note"]] = [0.4123, ""]
    found = dataclasses.replace(example.did(), pre_trend_tests=tests)
    assert "In Hotelling's form, clustered by organisation, they have p = 0.41." in (
        pages.before_the_start(report(did=found)).text
    )


def test_waves_have_a_slope_and_a_joint_test():
    text = wave_pages.effect_since_each_start(report()).text
    assert "has a slope of \N{MINUS SIGN}$6.00 PMPM per year" in text
    assert "the smallest slope found with 80% power is $44.90 PMPM per year" in text
    assert "the 1 quarters before the own start taken jointly have p = 0.71" in text


def test_nothing_to_test_is_silent(tmp_path):
    none = dataclasses.replace(example.did(), pre_trend_tests=pre_trend_tests())
    text = pages.before_the_start(report(did=none)).text
    assert "remain possible" in text and "jointly" not in text
    save_evaluation(evaluation(), tmp_path)
    (tmp_path / "did.pre_trend_tests.parquet").unlink()  # a run of before
    assert load_evaluation(tmp_path).did.pre_trend_tests.empty
    assert dict(load_evaluation(tmp_path).waves.slope)["estimate"] == -6.0


def test_every_number_has_its_name():
    found = numbers(evaluation(), spec())
    assert found["did.before_the_start.exchange.p"]["value"] == pytest.approx(12 / 41)
    assert found["did.before_the_start.shocks.detectable"]["unit"] == "USD PMPM per year"
    slope = found["waves.pre_trend_pmpm_per_year"]
    assert slope["value"] == -6.0 and slope["ci95"] == [-37.4, 25.4]
    assert "waves.pre_trend_pmpm_per_year" not in numbers(evaluation(waves=Waves()), spec())
