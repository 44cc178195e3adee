"""Washout on the page and in results.json: the study's own row, other rows, and why one is missing."""

from __future__ import annotations

import pandas as pd
from example import evaluation, report, spec, washout

from medhome.reporting import washout_exhibits
from medhome.reporting.results_file import numbers
from medhome.study.saved import load_evaluation, save_evaluation
from medhome.study.washout_results import Washout


def test_the_page_shows_the_effect_with_months_left_out():
    text = washout_exhibits.effect_after_a_washout(report()).text
    assert "The effect of this study is −$4.20 per member per month" in text
    assert "with the first 6 months left out it is −$6.90" in text and "the first 12 months left out" in text
    assert "No month (this study)" in text and "−$27.33 to $18.93" in text


def test_a_study_that_is_too_short_says_so():
    short = washout_exhibits.effect_after_a_washout(report(washout=washout("no month is left"))).text
    assert "The first 12 months: no month is left." in short and "12 months left out it is" not in short
    one = Washout(grid=washout("no month is left").grid.iloc[[0, 2]])
    assert "too short to leave further months" in washout_exhibits.in_words(one)


def test_an_older_report_has_no_washout_and_shows_nothing(tmp_path):
    assert washout_exhibits.effect_after_a_washout(report(washout=Washout())).text == ""
    whole = evaluation()
    save_evaluation(whole, tmp_path)
    pd.testing.assert_frame_equal(load_evaluation(tmp_path).washout.grid, whole.washout.grid)
    path = tmp_path / "evaluation.json"
    path.write_text(path.read_text().replace('"washout": {', '"of_an_older_version": {'))
    assert load_evaluation(tmp_path).washout.grid.empty


def test_every_washout_has_a_name_and_its_interval():
    found = numbers(evaluation(), spec())
    assert found["washout.6.estimate"]["value"] == -6.9
    assert found["washout.0.estimate"]["ci95"] == [-27.328, 18.928]
    assert found["washout.12.months_after"]["value"] == 10
