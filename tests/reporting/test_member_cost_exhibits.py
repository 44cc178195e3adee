"""The members' cost models on the page and in results.json: words, tables, figures, and what is withheld."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET

import pandas as pd
import pytest
from example import evaluation, member_costs, report, spec

from medhome.reporting import member_cost_exhibits as exhibits
from medhome.reporting import member_cost_pages as pages
from medhome.reporting import member_cost_words as words
from medhome.reporting.disclosure import release
from medhome.reporting.results_file import numbers
from medhome.study.member_cost_results import COLUMNS, MemberCosts, empty
from medhome.study.saved import load_evaluation, save_evaluation

PAGES = (
    pages.accuracy_of_other_cost_models,
    pages.predictive_ratios_by_group,
    pages.practices_beside_random_panels,
    pages.tests_of_the_cost_models,
    pages.effect_under_cost_models,
)


@pytest.fixture(scope="module")
def released():
    return release(evaluation(), 11)[0]


def test_the_page_says_what_was_fitted_how_near_it_comes_and_what_was_not():
    text = pages.accuracy_of_other_cost_models(report()).text
    assert "2 of the members' cost: OLS and Two-part, adults and children apart; OLS is shown" in text
    assert "No gamma model: gamma has no zeros." in text
    assert "OLS explains 13.9% of the variation in cost; its error for a single member is 87%" in text
    assert "above 60% of mean cost is normal" in text
    assert "Of 2 models OLS explains most" in text and "Two-part least (12.1%)" in text
    assert "OLS; adults, uncapped" in text and "Two-part; adults" not in text


def test_ratios_by_actual_cost_are_said_to_slope_for_a_perfect_model_too():
    text = pages.predictive_ratios_by_group(report()).text
    assert "By fifth of actual cost it runs from 9.20 to 0.48." in text
    assert "above one among those who cost little and below one among those who cost most is normal" in text
    assert "runs from 0.84 to 1.20 in the comparison arm" in text


def test_practices_outside_chance_are_counted_beside_what_chance_gives():
    text = pages.practices_beside_random_panels(report()).text
    assert "Of 5 practices 2 lie outside the range that holds 95%" in text
    assert "about 0 would by chance" in text
    assert "Multiplied by 1.090" in text and "$316.10 for the program's members" in text


def test_every_test_has_its_sentence_and_gaps_are_told():
    text = pages.tests_of_the_cost_models(report()).text
    assert "OLS (adults), modified Park: modified Park of ols." in text
    assert text.count("Copas, 5 folds of two-part.") == 2
    assert "expected equals actual cost (to one part in a thousand million) for OLS and Two-part (any" in text
    assert "Two-part 1.23%" in text and "97.1%" in text
    assert "<details>" in pages.tests_of_the_cost_models(report()).html


def test_effects_are_told_with_what_their_intervals_are_conditional_on():
    text = pages.effect_under_cost_models(report()).text
    assert "between −$6.20 per member per month (Two-part) and −$3.90 per member per month (OLS)" in text
    assert "conditional on the organisations that are in the program" in text
    assert "Gamma" not in text


def test_figures_are_markup_with_a_description_and_a_table():
    html = pages.predictive_ratios_by_group(report()).html
    svg = html[html.index("<svg") : html.index("</svg>") + 6]
    assert ET.fromstring(svg).find("desc") is not None
    assert "tbl-ratios-predicted.csv" in html


@pytest.mark.parametrize("page", PAGES)
def test_a_study_without_cost_models_and_an_older_report_show_nothing(page):
    assert page(report(member_costs=MemberCosts())).text == ""


def test_without_any_model_the_page_says_why():
    found = MemberCosts(warnings=("No cost models: too few.",))
    assert "No cost models: too few." in pages.accuracy_of_other_cost_models(report(member_costs=found)).text


def small(frame: str, row: dict[str, object], **values: object) -> pd.DataFrame:
    table = getattr(member_costs(), frame).copy()
    mask = pd.Series(True, index=table.index)
    for name, value in row.items():
        mask &= table[name] == value
    assert mask.sum() == 1
    for name, value in values.items():
        table.loc[mask, name] = value
    return table


def test_a_small_practice_takes_the_next_one_with_it():
    table = small("practices", {"label": "Comparison 02, practice 02"}, members=9)
    whole = evaluation(member_costs=dataclasses.replace(member_costs(), practices=table))
    found = release(whole, 11)[0].member_costs
    hidden = found.practices.set_index("label")["predictive_ratio"].isna()
    assert hidden["Comparison 02, practice 02"] and hidden["Comparison 02, practice 01"]
    assert "†" in exhibits.practices(found, spec()).plain() and "without_cost" not in found.identity


def test_a_small_stratum_takes_the_next_one_with_it():
    table = small("accuracy", {"family": "ols", "cap": "capped", "stratum": "children", "arm": "treated",
                               "period": "baseline"}, members=7)  # fmt: skip
    whole = evaluation(member_costs=dataclasses.replace(member_costs(), accuracy=table))
    found = release(whole, 11)[0].member_costs.accuracy
    own = found[(found["family"] == "ols") & (found["cap"] == "capped") & (found["arm"] == "treated")]
    shown = own[own["period"] == "baseline"].set_index("stratum")["r2"].notna().to_dict()
    assert shown == {"all": True, "adults": False, "children": False}


def test_few_members_without_any_cost_are_not_told_by_their_share():
    table = small("identity", {"stratum": "adults", "part": "any cost"}, without_cost=4)
    whole = evaluation(member_costs=dataclasses.replace(member_costs(), identity=table))
    found = release(whole, 11)[0].member_costs.identity
    hidden = found[(found["part"] == "any cost") & (found["stratum"] == "adults")].iloc[0]
    assert hidden[["members", "actual", "expected"]].isna().all()
    number = numbers(release(whole, 11)[0], spec())["cost_model.fitted_on.two-part.adults.any-cost.actual"]
    assert number["value"] is None and number["suppressed"]


def test_all_but_a_few_with_a_condition_are_withheld():
    table = small("ratios", {"group": "condition:diabetes", "arm": "treated"}, members=18_998 - 4)
    whole = evaluation(member_costs=dataclasses.replace(member_costs(), ratios=table))
    found = release(whole, 11)[0].member_costs.ratios
    row = found[(found["group"] == "condition:diabetes") & (found["arm"] == "treated")].iloc[0]
    assert pd.isna(row["members"]) and pd.isna(row["predictive_ratio"])


def test_every_number_has_a_name_and_interval_and_is_saved(tmp_path, released):
    found = numbers(released, spec())
    effect = found["cost_model.effect.ols.all.estimate"]
    assert effect["value"] == -3.9 and effect["ci95"] == [-14.2, 6.4]
    assert found["cost_model.accuracy.ols.uncapped.all.comparison.baseline.r2"]["value"] == 0.093
    assert found["cost_model.test.two-part.children.modified-park.statistic"]["se"] == 0.04
    assert found["cost_model.ratio.condition.condition-diabetes.treated.predictive_ratio"]["value"] == 0.97
    assert found["cost_model.fitted_on.ols.adults.cost.actual"]["unit"] == "USD PMPM"
    whole = evaluation()
    save_evaluation(whole, tmp_path)
    again = load_evaluation(tmp_path).member_costs
    assert again.warnings == whole.member_costs.warnings and again.primary == "ols"
    for name in COLUMNS:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(whole.member_costs, name))


def test_words_of_nothing_are_none():
    nothing = MemberCosts()
    assert words.introduction(nothing) == [] and words.accuracy(nothing) == "" == words.best(nothing)
    assert words.identity(nothing) == [] == words.effects(nothing) == words.tests(nothing)
    assert words.practices(nothing) == "" == words.recalibration(nothing)
    assert list(empty("ratios")) == list(COLUMNS["ratios"])
