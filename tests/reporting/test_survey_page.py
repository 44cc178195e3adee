"""Satisfaction and access on the page: words, tables, picture, and what small counts take away."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from example import evaluation, report, spec, surveys

from medhome.reporting import disclosure, survey_exhibits, survey_pages, survey_words
from medhome.reporting.results_file import numbers
from medhome.reporting.survey_gate import release_surveys
from medhome.study.saved import load_evaluation, save_evaluation
from medhome.study.spec import StudySpec
from medhome.study.survey_results import Surveys

MINUS = "\N{MINUS SIGN}"


def shown(found: Surveys, study: StudySpec | None = None) -> str:
    return survey_pages.satisfaction_and_access(report(study, surveys=found)).text


def test_the_page_says_when_nobody_asked_and_when_there_is_no_table():
    plain = spec().model_dump()
    plain["surveys"]["enabled"] = False
    assert shown(Surveys(), StudySpec.model_validate(plain)) == survey_words.NOT_ASKED
    assert shown(Surveys()) == survey_words.NO_TABLE
    assert shown(Surveys(given=True)).startswith(survey_words.NO_ANSWER)
    assert survey_pages.survey_respondents(report(surveys=Surveys(given=True))).html == ""


def test_words_name_what_moved_in_its_own_unit_and_what_was_adjusted():
    text = shown(surveys())
    assert "Patient experience: 2 scores could be estimated." in text
    assert "Timely appointments rose by 10.0 percentage points (95% interval 4.1 to 15.9)" in text
    assert "Days to the third next fell by 1.6 days" in text
    assert "Patient experience is shown as if all arms and waves were alike in age and sex." in text


def test_tables_write_shares_and_amounts():
    cells = survey_exhibits.effects(surveys(), spec()).cells()
    assert cells[0][0] == "Timely appointments; Patient experience, composite"
    assert cells[0][1:5] == ["50.0%; 61.0%", "49.0%; 50.0%", "10.0", "4.1 to 15.9"]
    assert cells[2][0] == "Days to the third next; Availability of appointments, days"
    assert cells[2][1:5] == ["8.0; 6.5", "8.2; 8.3", f"{MINUS}1.6", f"{MINUS}2.4 to {MINUS}0.8"]
    block = survey_pages.survey_respondents(report())
    assert 'id="tbl-survey-responses"' in block.html and "52 (no answer)" in block.text
    figure = survey_pages.satisfaction_and_access(report()).html
    assert 'id="fig-surveys"' in figure and 'id="tbl-surveys"' in figure


def changed(measure: str, **values) -> Surveys:
    found = surveys()
    items = found.items.copy()
    mine = (items["measure"] == measure) & (items["arm"] == "treated") & (items["period"] == "performance")
    for name, value in values.items():
        items.loc[mine, name] = value
    return dataclasses.replace(found, items=items)


@pytest.mark.parametrize(
    "values", [{"members_with": 4}, {"members_with": 595}, {"members": 8, "members_with": 0}]
)
def test_few_answers_take_the_item_its_effect_and_the_composite(values):
    released, gate = disclosure.release(evaluation(surveys=changed("urgent", **values)), 11)
    items = released.surveys.items.set_index(["measure", "arm", "period"])
    place = ("treated", "performance")
    for name in ("urgent", "timely"):
        assert items.loc[(name, *place), ["members", "members_with", "unadjusted", "rate"]].isna().all()
        assert items.loc[(name, "treated", "baseline"), "rate"] > 0
    effects = released.surveys.effects.set_index("measure")
    assert (
        effects.loc[["urgent", "timely"], ["estimate", "lo95", "treated_baseline", "p"]].isna().all(axis=None)
    )
    assert effects.loc["days", "estimate"] == -1.6
    assert gate.cells_secondary > 0
    assert "\N{DAGGER}" in survey_exhibits.effects(released.surveys, spec()).cells()[0][1]


def test_few_who_left_an_item_out_or_did_not_answer_are_not_told():
    found = changed("days", members=655, members_with=655)
    responses = found.responses.copy()
    responses.loc[0, "invited"] = 665
    found = dataclasses.replace(found, responses=responses)
    released, _ = release_surveys(found, found, 11)
    items = released.items.set_index(["measure", "arm", "period"]).loc[("days", "treated", "performance")]
    assert pd.isna(items["members"]) and items["rate"] == 6.5
    assert released.responses.loc[0, ["invited", "response_share"]].isna().all()
    assert released.responses.loc[0, "members"] == 660 and released.responses.loc[1, "invited"] == 1_500


def test_numbers_have_names_and_are_saved_and_an_older_report_has_none(tmp_path):
    whole = evaluation()
    named = numbers(whole, spec())
    assert named["surveys.effect.patient-experience.timely.estimate"]["value"] == 0.1
    assert named["surveys.item.appointment-access.days.treated.baseline.rate"]["unit"] == "mean"
    save_evaluation(whole, tmp_path)
    loaded = load_evaluation(tmp_path).surveys
    pd.testing.assert_frame_equal(loaded.effects, whole.surveys.effects)
    assert loaded.given
    assert disclosure.release(evaluation(surveys=Surveys()), 11)[0].surveys.items.empty
