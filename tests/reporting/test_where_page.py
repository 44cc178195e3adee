"""The page "Where and for whom": what stands, what is withheld, and every number by its name."""

from __future__ import annotations

import dataclasses
import math

import pandas as pd
from example import cohort, evaluation, quality, report, spec, truncation, where

from medhome.reporting import where_exhibits, where_words
from medhome.reporting.disclosure import release
from medhome.reporting.pages import (
    effect_by_category,
    effect_by_group,
    practices_as_a_funnel,
    where_in_words,
)
from medhome.reporting.results_file import numbers
from medhome.reporting.where_gate import release_where
from medhome.study.results import PRICES
from medhome.study.saved import load_evaluation, save_evaluation
from medhome.study.where_results import Where

MEMBERS = {"treated": 18_998, "comparison": 60_000}


def gated(found: Where, **changed) -> Where:
    return release_where(
        found, found, MEMBERS, changed.get("cohort", cohort()), changed.get("truncation", truncation()), 11
    )[0]


def test_the_page_says_which_parts_stand_after_adjustment():
    text = where_in_words(report()).text
    assert "No part stands after adjustment" in text and "Holm's p-values is 0.44 (inpatient)" in text
    stands = where_in_words(report(where=where(p_holm=0.01))).text
    assert "these stand after adjustment for the number of parts looked at: inpatient (−$5.00" in stands
    none = dataclasses.replace(where(), categories=where().categories.assign(p_holm=math.nan))
    none = dataclasses.replace(none, groups=none.groups.assign(p_holm=math.nan))
    assert "No p-value may be printed" in where_words.notable(none)


def test_kinds_of_service_are_a_waterfall_and_a_table():
    block = effect_by_category(report())
    assert "from −$5.00 (inpatient) to $2.00 (pharmacy)" in block.text
    assert "fig-categories" in block.html and "tbl-categories" in block.html
    nothing = dataclasses.replace(quality(), prices=quality().prices[:0])
    assert "does not ask for it (claims.prices)" in effect_by_category(report(quality=nothing)).text


def test_price_and_quantity_of_the_difference_in_change():
    rows = [
        {"arm": arm, "category": "all", "quantity_pmpm": q, "price_pmpm": p, "change_pmpm": q + p}
        for arm, q, p in (("treated", 4.0, 9.0), ("comparison", 10.0, 8.0))
    ]
    split = dataclasses.replace(quality(), prices=pd.DataFrame(rows, columns=list(PRICES)))
    text = where_words.prices(split, spec())
    assert "changed by −$5.00" in text and "−$6.00 of it is quantity" in text and "$1.00 price" in text


def test_groups_and_practices_have_a_figure_and_a_table():
    text = effect_by_group(report()).text
    assert "at least $812.50 PMPM" in text and "High risk at the baseline" in text
    block = practices_as_a_funnel(report())
    assert "fig-practices" in block.html and "2 lie outside the limits" in block.text
    few = practices_as_a_funnel(report(where=dataclasses.replace(where(), practices=where().practices[:0])))
    assert few.text == "There are too few practices in an arm for a funnel."


def test_a_small_group_goes_and_its_complement_with_it():
    found = gated(where(few=7.0)).groups.set_index("group")
    hidden = found.loc[["risk:high", "risk:other"], ["members_treated", "estimate", "p_holm"]]
    assert hidden.isna().all().all()
    assert found.loc["adults", "members_treated"] == 14_998
    whole = gated(where()).groups
    pd.testing.assert_frame_equal(whole, where().groups)


def test_two_small_groups_of_a_dimension_take_a_third_with_them():
    groups = where().groups.copy()
    groups.loc[groups["group"] == "children", "members_comparison"] = 4.0
    found = gated(dataclasses.replace(where(), groups=groups)).groups.set_index("group")
    assert found.loc[["adults", "children"], "members_comparison"].isna().all()
    assert found.loc["risk:high", "members_comparison"] == 6_000


def test_few_members_above_the_cap_take_their_arm_s_means():
    found = gated(where(), truncation=truncation((7, 96, 301, 290))).categories.set_index("category")
    kinds = ["inpatient", "pharmacy", "large"]
    assert found.loc[kinds, ["treated_baseline_pmpm", "treated_performance_pmpm"]].isna().all().all()
    assert found.loc[kinds, "comparison_baseline_pmpm"].notna().all()
    assert found.loc["all", "treated_baseline_pmpm"] == 120.0 and found.loc["inpatient", "estimate"] == -5.0
    few = gated(where(), truncation=truncation((7, 96, 301, 290)))
    shown = where_exhibits.categories(few, spec()).cells()
    assert shown[0][1] == "†; †" and shown[0][2] == "$118.00; $133.00" and shown[3][6] == "–; –"


def test_a_withheld_practice_takes_the_others_of_its_organisation():
    released = dataclasses.replace(where(), practices=where().practices.assign(
        members=[math.nan, 8_400.0, 480.0, 19_000.0]))  # fmt: skip
    found = gated(released).practices.set_index("label")
    hidden = found.loc[["Program, practice 01", "Program, practice 02"], ["members", "shrunken"]]
    assert hidden.isna().all().all()
    assert found.loc["Comparison 02, practice 01", "members"] == 19_000


def test_numbers_have_names_and_intervals_and_are_saved(tmp_path):
    found = numbers(evaluation(), spec())
    assert "where.practice.comparison-02-practice-01.limit95" in found
    assert release(evaluation(), 11)[0].where.groups["estimate"].notna().all()
    assert found["where.category.inpatient.estimate"]["value"] == -5.0
    assert found["where.group.risk-high.members_treated"]["value"] == 1_900
    assert found["where.practice.program-practice-01.shrunken"]["ci95"] == [-8.5, -0.5]
    save_evaluation(evaluation(), tmp_path)
    again = load_evaluation(tmp_path).where
    pd.testing.assert_frame_equal(again.groups, where().groups)
    assert again.tested == 7 and again.high_risk_cut_pmpm == 812.5


def test_an_older_report_says_that_parts_were_not_worked_out():
    text = where_in_words(report(where=Where())).text
    assert text == "The parts of the effect were not worked out in this run."
    assert effect_by_category(report(where=Where())).text == effect_by_group(report(where=Where())).text == ""
