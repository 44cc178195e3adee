"""Waves of a program on the page and in results.json, and what is withheld of a small one."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from example import START, evaluation, report, spec, waves

from medhome.reporting import wave_pages, wave_words
from medhome.reporting.disclosure import release
from medhome.reporting.results_file import numbers
from medhome.study.saved import load_evaluation, save_evaluation
from medhome.study.wave_results import Waves

PARTS = (
    wave_pages.waves_of_the_program,
    wave_pages.effect_since_each_start,
    wave_pages.effects_by_wave,
    wave_pages.waves_by_method,
)


def test_the_page_tells_of_waves_and_what_to_know_before():
    text = wave_pages.waves_of_the_program(report()).text
    assert "start in 2 different months, by its roster: June 2008 and December 2008" in text
    assert "20.0% of the program's member-months after it are of practices that had not started" in text
    assert "The wave of December 2008 is one organisation." in text and "1,200" in text


def test_the_effect_of_a_month_under_the_program_in_words():
    text = wave_pages.effect_since_each_start(report()).text
    assert "Care cost less than expected in months under the program: −$13.10" in text
    assert "(95% interval −$20.94 to −$5.26)" in text and "The interval is that of a model." in text
    assert "averaged in 4 ways lie between −$14.20 and −$11.30" in text
    assert (
        "In the first quarter under the program the effect is −$8.50, in the last one seen (2) −$12.50"
        in text
    )
    assert "Of 1 times before the start, 0 lie outside" in text and "no proof that trends were alike" in text


def test_a_result_that_holds_zero_is_no_finding():
    found = waves()
    flat = found.averages.assign(lo95=found.averages["estimate"] - 30, hi95=found.averages["estimate"] + 30)
    unclear = Waves(averages=flat, effects=found.effects, period_months=3)
    assert "cannot be told" in wave_words.effect(unclear)[0]
    assert wave_words.title_of_events(unclear).startswith("Difference from practices not yet in the program")
    assert wave_words.title_of_events(found).startswith("Cost fell against practices not yet in the program")


def test_group_time_effects_and_methods_as_tables():
    text = wave_pages.effects_by_wave(report()).text
    assert "Group-time effects: each wave in each quarter" in text and "Wave of Dec 2008" in text
    assert re.search(r"Dec 2008 +Mar 2009 +1 +−\$6\.00", text), text
    text = wave_pages.waves_by_method(report()).text
    assert "Two-way fixed effects, one coefficient for all waves, give −$7.70" in text
    assert "15.0% of their weight compares with practices under the program already" in text
    assert "Those comparisons average $7.00." in text
    assert "put the effect between −$13.10 and −$12.20 PMPM" in text
    assert "Wave of Dec 2008 against the wave of Jun 2008" in text
    assert "Wave of Jun 2008 against practices that never start" in text


def test_figures_have_descriptions_and_both_widths():
    html = wave_pages.effect_since_each_start(report()).html + wave_pages.waves_by_method(report()).html
    assert html.count('id="fig-wave-events"') == html.count('id="fig-wave-comparisons"') == 1
    assert html.count("<svg") == 4 and "Effects by quarter since the start: −2: $1.50" in html


def test_with_one_start_one_sentence_is_said_and_nothing_else():
    one = report(waves=Waves(reason="Every practice of the program starts in June 2008: there are no waves."))
    first, *others = [part(one).text for part in PARTS]
    assert first.strip() == "Every practice of the program starts in June 2008: there are no waves."
    assert others == ["", "", ""]
    assert wave_pages.waves_of_the_program(report(waves=Waves())).text == ""  # an older run


def test_waves_that_cannot_be_estimated_say_why():
    found = waves()
    none = Waves(waves=found.waves, reason="every practice starts before the first month analysed")
    first, *others = [part(report(waves=none)).text for part in PARTS]
    assert "could not be estimated: every practice starts before" in first and others == ["", "", ""]


def test_every_effect_has_a_name_and_its_interval():
    found = numbers(evaluation(), spec())
    assert found["waves.average.overall-simple.0.estimate"]["value"] == -13.1
    assert found["waves.average.overall-simple.0.estimate"]["ci95"] == pytest.approx([-20.94, -5.26])
    assert found["waves.effect.2008-12.1.estimate"]["value"] == -6.0
    assert found["waves.wave.2008-06.members"]["value"] == 1200
    assert found["waves.comparison.2008-12.2008-06.weight"]["value"] == 0.15
    assert found["waves.comparison.2008-06.0.estimate"]["value"] == -12.0
    assert found["waves.two_way_pmpm"]["value"] == -7.7 and found["waves.already_share"]["value"] == 0.15


def test_a_small_wave_is_withheld_with_the_next_one_and_everything_of_theirs():
    released, gate = release(evaluation(waves=waves(members=7)), 11)
    found = released.waves
    assert found.waves["members"].isna().all() and found.effects["estimate"].isna().all()
    group = found.averages["kind"] == "group"
    assert found.averages.loc[group, "estimate"].isna().all()
    assert found.averages.loc[~group, "estimate"].notna().all()
    assert found.comparisons["estimate"].isna().all() and gate.cells_secondary > 0
    text = wave_pages.effects_by_wave(report(waves=found)).text
    assert "−$6.00" not in text.split("Group-time effects")[1] and "withheld" in text
    told = numbers(released, spec())
    assert told["waves.effect.2008-12.1.estimate"]["suppressed"]
    large, _ = release(evaluation(), 11)
    pd.testing.assert_frame_equal(large.waves.effects, waves().effects, check_dtype=False)


def test_practices_are_counted_only_where_there_are_enough():
    few = waves()
    few = Waves(waves=few.waves.assign(practices=[14, 3]), reason="none")
    released, _ = release(evaluation(waves=few), 11)
    assert released.waves.waves["practices"].isna().tolist() == [False, True]
    assert released.waves.waves["members"].tolist() == [1200, 900]


def test_waves_are_saved_and_older_runs_have_none(tmp_path):
    whole = evaluation()
    save_evaluation(whole, tmp_path)
    again = load_evaluation(tmp_path).waves
    pd.testing.assert_frame_equal(again.effects, whole.waves.effects)
    assert again.two_way == -7.7 and again.warnings == whole.waves.warnings
    path = tmp_path / "evaluation.json"
    path.write_text(path.read_text().replace('"waves": {', '"of_an_older_version": {'))
    assert load_evaluation(tmp_path).waves.waves.empty
    assert again.waves["wave"].iloc[0] == START
