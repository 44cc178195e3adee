"""Employer groups on the page: only where asked for, under neutral labels, few members withheld."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from example import employers, evaluation, report, spec

from medhome.reporting.disclosure import release
from medhome.reporting.employer_exhibits import effect_without_each_employer, grid
from medhome.reporting.results_file import numbers
from medhome.study.employer_results import Employers
from medhome.study.saved import load_evaluation, save_evaluation

TOLD = [*Employers.COUNTS["grid"], *Employers.RESTING["grid"]]


def asked():
    plain = spec().model_dump()
    plain["population"]["employer_grid"] = True
    return type(spec()).model_validate(plain)


def test_the_page_shows_the_effect_without_each_group_where_the_study_asks():
    text = effect_without_each_employer(report(asked())).text
    assert "between −$4.40 per member per month (without employer group 01) and −$2.10" in text
    assert "Employer group 03" in text and "9,100" in text and "MILL" not in text
    assert effect_without_each_employer(report(employers=Employers())).text == ""
    none = effect_without_each_employer(report(asked(), employers=Employers())).text
    assert "no enrolment span that counts names one" in none


def test_a_row_without_an_estimate_says_why():
    frame = employers().grid
    frame.loc[1, ["estimate", "se", "lo90", "hi90", "lo95", "hi95"]] = float("nan")
    frame.loc[1, "why"] = "fewer than 2 comparison organisations are left"
    text = effect_without_each_employer(report(asked(), employers=Employers(grid=frame))).text
    assert "Without employer group 02: fewer than 2 comparison organisations are left." in text


@pytest.mark.parametrize(
    ("comparison", "withheld"),
    [
        ((9_100, 4_020, 700), [False, False, False]),
        ((9_100, 4_020, 7), [False, True, True]),  # 7 are few; the next larger group goes with it
        ((60_112 - 5, 4_020, 700), [True, False, True]),  # all of the arm but 5
        ((7, 3, 700), [True, True, True]),  # two of 10 together: the third goes as well
    ],
)
def test_groups_of_few_members_and_of_all_but_few_are_withheld(comparison, withheld):
    whole = evaluation(employers=employers(comparison))
    released, gate = release(whole, 11)
    frame = released.employers.grid
    assert frame[TOLD].isna().all(axis=1).tolist() == withheld
    assert frame.loc[[not w for w in withheld], TOLD].notna().all(axis=None)
    assert frame["group_id"].tolist() == frame["label"].tolist()
    page = grid(released.employers, asked()).cells()
    assert [row[1:] == ["†"] * 6 for row in page] == withheld
    if any(withheld):
        assert gate.cells_secondary > 0
        number = numbers(released, asked())[f"employers.employer-group-0{withheld.index(True) + 1}.estimate"]
        assert number["value"] is None and number["suppressed"] and "ci95" not in number


def test_employers_are_named_and_saved_and_an_older_report_has_none(tmp_path):
    whole = evaluation()
    assert numbers(whole, spec())["employers.employer-group-02.estimate"]["value"] == -2.1
    save_evaluation(whole, tmp_path)
    pd.testing.assert_frame_equal(load_evaluation(tmp_path).employers.grid, whole.employers.grid)
    older = dataclasses.replace(whole, employers=Employers())
    released, _ = release(older, 11)
    assert released.employers.grid.empty
