"""The page "How sure are we": sentences follow their numbers; nothing is claimed where nothing was found."""

from __future__ import annotations

import dataclasses
import math

import example
import pandas as pd
import pytest

from medhome.reporting import robustness_figures as figures
from medhome.reporting import robustness_pages as pages
from medhome.reporting import robustness_words as words
from medhome.reporting.results_file import numbers
from medhome.study.released import ReleasedRun
from medhome.study.robustness_results import Robustness
from medhome.study.saved import load_evaluation, save_evaluation

SPEC = example.spec()
FOUND = example.robustness()


def report(found: Robustness) -> ReleasedRun:
    return example.report(robustness=found)


def with_frame(name: str, **columns) -> Robustness:
    return dataclasses.replace(FOUND, **{name: getattr(FOUND, name).assign(**columns)})


def test_leaving_out_one_organisation_names_the_range_and_the_one_that_matters_most():
    first, second, third = words.organizations(FOUND, SPEC)
    assert third.startswith("Of the 95% intervals without one organisation, all hold zero")
    assert first == (
        "Leaving out any one comparison organisation moves the effect between −$6.60 and −$1.10 PMPM (with "
        "all: −$4.20); most without Comparison 02."
    )
    assert second.startswith("The program is one organisation, which cannot be left out")
    comparison, treated = words.practices(FOUND, SPEC)
    assert "any one practice of the program moves the effect between −$6.00 and −$2.20" in treated
    assert "between −$4.90 and −$1.10" in comparison


def test_starts_that_find_something_say_so():
    quiet = words.starts(FOUND)
    assert "12 starts" in quiet[0] and "between −$7.00 and $4.00" in quiet[0]
    assert quiet[1].startswith("All their 95% intervals hold zero.")
    loud = words.starts(with_frame("placebo_starts", lo95=[1.0, *[-9.0] * 11], hi95=9.0))
    assert "of 1 of 12 leave zero out" in loud[1] and "the method found something" in loud[1]
    assert words.title_of_starts(FOUND) == "At starts that did not happen, every interval holds zero"


def test_a_question_without_an_answer_gives_its_reason():
    none = Robustness(
        reasons={
            "placebo_arm": "placebo arm: fewer than 3 comparison organisations; too few",
            "placebo_starts": "the baseline has 8 months; a placebo start needs 6 on each side",
            "bounds": "bounds on trends need quarters in a row",
        }
    )
    shown = report(none)
    assert "Not tried: placebo arm: fewer than 3" in pages.placebo_organizations(shown).text
    assert "Not tried: the baseline has 8 months" in pages.effects_of_placebo_starts(shown).text
    assert "Not tried: bounds on trends need quarters" in pages.bounds_on_trends(shown).text
    assert pages.how_sure_in_short(shown).html == ""


def test_no_finding_of_bounds_where_the_interval_holds_zero():
    for sentence in words.bounds(FOUND)[1:]:
        assert "no finding" in sentence and "outside" not in sentence


@pytest.mark.parametrize(
    ("breakdown", "says"),
    [(0.75, "no more than 0.75 times the most they did before"), (math.inf, "however far trends part")],
)
def test_breakdown_values_are_told(breakdown, says):
    found = with_frame("breakdowns", lo95=-9.0, hi95=-1.0, breakdown=breakdown)
    text = " ".join(words.bounds(found))
    assert says in text and "no finding" not in text
    figure = figures.bounds(found, "relative-magnitudes", SPEC)
    assert figure.title.startswith("First quarter after the start: ")
    assert ("Dashed" in figure.note) == math.isfinite(breakdown)
    assert ("breakdown at 0.75" in figure.block().html) == math.isfinite(breakdown)


def test_intervals_that_are_not_valid_are_grey_and_without_p():
    block = pages.estimates_by_method(report(FOUND))
    assert block.html.count('<tr class="muted">') == 3 and block.html.count('<tr class="strong">') == 1
    assert "3 of the intervals below are not valid" in block.text
    assert "$\N{NO-BREAK SPACE}PMPM" in block.html and ">p<" not in block.html


def test_a_withheld_organisation_is_a_dagger_and_no_dot():
    frame = FOUND.organizations.copy()
    frame.loc[1, ["members", "estimate", "change"]] = float("nan")
    block = pages.effect_without_one_organization(report(dataclasses.replace(FOUND, organizations=frame)))
    assert "†" in block.text and "What is missing here is withheld" in block.text
    assert "between −$6.60 and −$1.10" in block.text


def test_the_first_page_points_to_the_page():
    block = pages.how_sure_in_short(report(FOUND))
    assert 'href="how-sure-are-we.html"' in block.html
    assert "2 of 3 comparison organisations, taken for the program" in block.text


def test_every_number_has_its_name_and_an_infinite_breakdown_is_no_number():
    endless = example.evaluation(robustness=with_frame("breakdowns", breakdown=math.inf))
    found = numbers(endless, SPEC)
    assert found["robustness.without.comparison-02.estimate"]["value"] == -1.1
    assert found["robustness.estimator.ppml.estimate"]["ci95"]
    assert found["robustness.trend.smoothness.first.breakdown"]["value"] is None
    assert found["robustness.bound.relative-magnitudes.average.3.m"]["value"] == 1.5
    assert found["robustness.placebo_arm.as_large"]["value"] == 2


def test_saved_and_read_again(tmp_path):
    save_evaluation(example.evaluation(), tmp_path)
    again = load_evaluation(tmp_path).robustness
    for name in ("placebo_starts", "organizations", "practices", "placebo_arm", "methods", "bounds"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(FOUND, name))
    assert (again.full, again.as_large, again.share, dict(again.reasons)) == (-4.2, 2, 0.75, {})
