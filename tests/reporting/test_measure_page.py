"""Utilisation and quality on the page: words, tables, pictures, and what small counts take away."""

from __future__ import annotations

import dataclasses
import tomllib

import pandas as pd
import pytest
from example import STUDY, evaluation, measures, report

from medhome.reporting import disclosure, measure_exhibits, measure_figures, measure_pages
from medhome.reporting.measure_gate import release_measures
from medhome.reporting.results_file import numbers
from medhome.reporting.svg import style
from medhome.study.measure_results import Measures
from medhome.study.saved import load_evaluation, save_evaluation
from medhome.study.spec import StudySpec


def study(**measures) -> StudySpec:
    """The demonstration study with these choices on measures."""
    plain = tomllib.loads(STUDY.read_text(encoding="utf-8"))
    return StudySpec.model_validate(plain | {"measures": measures})


def asked() -> StudySpec:
    return study(enabled=True)


def shown(name: str, found: Measures | None = None) -> str:
    return getattr(measure_pages, name)(report(asked(), measures=found or measures())).text


def test_words_name_what_moved_and_what_is_not_known():
    text = shown("measures_in_words")
    assert "not HEDIS" in text
    assert "Use of care: 2 measures could be estimated. Allowing for how many were tested, no measure" in text
    assert "Chronic care: 1 measure could be estimated." in text
    assert "Diabetes: eye exam rose by 5.0 percentage points (95% interval 2.1 to 7.9)." in text
    assert "Not known from this input: 1 measure, listed" in text
    off = measure_pages.measures_in_words(report(study(), measures=Measures())).text
    assert "asks for no measures" in off


def test_tables_write_each_measure_in_its_own_unit():
    cells = measure_exhibits.effects(measures(), "utilisation", asked()).cells()
    minus = "\N{MINUS SIGN}"
    assert cells[0][:3] == ["Emergency visits", "120.0; 118.0", "121.0; 123.0"]
    assert cells[0][3:5] == [f"{minus}4.0", f"{minus}11.8 to 3.8"]
    assert cells[0][5:] == ["0.31", "0.62; 0.40"]
    assert cells[1][1:4] == ["10.0%; 9.0%", "10.0%; 10.5%", f"{minus}1.5"]
    certain = dataclasses.replace(measures(), effects=measures().effects.assign(p=2e-6, p_holm=4e-6))
    assert measure_exhibits.effects(certain, "chronic", asked()).cells()[0][5:] == [
        "below 0.001",
        "below 0.001; 0.001",
    ]
    eligible = measure_exhibits.eligible(measures(), "chronic", asked()).cells()
    assert eligible[0][3:] == ["900", "450", "1,500", "600", "40.0%"]


def test_the_page_of_a_family_holds_a_picture_and_both_tables():
    block = measure_pages.chronic_care(report(asked(), measures=measures()))
    for id in ("fig-measures-chronic", "tbl-measures-chronic", "tbl-eligible-chronic"):
        assert f'id="{id}"' in block.html
    assert "no measure of this family" in shown("preventive_care")
    assert measure_pages.utilisation_of_care(report(study(), measures=Measures())).html == ""


def test_the_gaps_of_the_sentence_have_names_of_their_own():
    found = numbers(evaluation(measures=measures()), asked())
    opened, shut = (found[f"measures.gaps_together.baseline.{name}"]["value"] for name in ("open", "closed"))
    shown_rows = (
        measures().gaps.query("arm == 'treated' and period == 'baseline'").dropna(subset="denominator")
    )
    shown_rows = shown_rows[~shown_rows["measure"].str.startswith("composite_")]
    assert opened == shown_rows["denominator"].sum() and shut == shown_rows["events"].sum() > 0
    assert found["measures.gaps_together.baseline.rate"]["value"] == pytest.approx(shut / opened, rel=1e-9)
    assert f"{shut:,.0f} of {opened:,.0f}" in shown("gaps_in_care")
    assert "measures.gaps_together.baseline.open" not in numbers(evaluation(measures=Measures()), asked())


def test_gaps_are_counted_and_drawn():
    text = shown("gaps_in_care")
    assert "before the start 200 of 500 (40.0%) and after it 270 of 540 (50.0%) were closed" in text
    assert "No gap in care was counted" in shown("gaps_in_care", Measures())
    assert measure_pages.gaps_in_care(report(study(), measures=Measures())).html == ""
    svg = measure_figures.closure(measures(), asked()).block().html
    assert "Diabetes: eye exam" in svg and 'id="fig-gap-closure"' in svg
    # two measures are two rows, each with four ends, however many arms and periods the table has
    found = measures()
    other = found.gaps.assign(measure="diabetes_a1c", label="Diabetes: A1c test")
    both = dataclasses.replace(found, gaps=pd.concat([found.gaps, other], ignore_index=True))
    with style():
        axes = measure_figures.closure(both, asked()).draw(736).axes[0]
    ends = sorted(float(x) for line in axes.lines for x in line.get_xdata() if len(line.get_xdata()) == 2)
    assert ends == pytest.approx(sorted([40.0, 50.0, 40.0, 41.0] * 2))


def test_what_is_not_known_stands_with_its_reason():
    assert "needs pqi_value_sets.csv" in shown("measures_not_known")
    assert "can be known from this input" in shown("measures_not_known", Measures())


def with_rates(measure: str, **changes) -> Measures:
    found = measures()
    rates = found.rates.copy()
    mine = (rates["measure"] == measure) & (rates["arm"] == "treated") & (rates["period"] == "performance")
    for name, value in changes.items():
        rates.loc[mine, name] = value
    return dataclasses.replace(found, rates=rates)


@pytest.mark.parametrize(
    "changes", [{"members_with": 7}, {"members_with": 893}, {"members": 9, "members_with": 0}]
)
def test_few_people_all_but_few_and_a_small_arm_are_withheld_with_their_effect(changes):
    whole = evaluation(measures=with_rates("diabetes_eye", **changes))
    released, gate = disclosure.release(whole, 11)
    rates = released.measures.rates.set_index(["measure", "arm", "period"])
    hidden = rates.loc[("diabetes_eye", "treated", "performance")]
    assert hidden[["members", "members_with", "denominator", "events", "rate"]].isna().all()
    assert rates.loc[("diabetes_eye", "comparison", "performance"), "rate"] == pytest.approx(0.41)
    effects = released.measures.effects.set_index("measure")
    assert effects.loc["diabetes_eye", ["treated_baseline", "estimate", "p", "lo95"]].isna().all()
    assert effects.loc["emergency_visits", "estimate"] == -4.0
    assert gate.cells_primary + gate.cells_secondary > 0
    cells = measure_exhibits.effects(released.measures, "chronic", asked()).cells()
    assert "\N{DAGGER}" in cells[0][1]


def test_zero_may_be_told():
    released, _ = disclosure.release(evaluation(measures=with_rates("diabetes_eye", members_with=0)), 11)
    rates = released.measures.rates.set_index(["measure", "arm", "period"])
    assert rates.loc[("diabetes_eye", "treated", "performance"), "members_with"] == 0


def test_nested_measures_and_composites_do_not_give_a_count_away():
    found = with_rates("diabetes_eye", members_with=7)
    rows = found.rates[found.rates["measure"] == "diabetes_eye"]
    more = [rows.assign(measure="composite_chronic", members_with=400)]
    for name, people in (("follow_up_7", 450), ("follow_up_30", 455)):
        more.append(rows.assign(measure=name, family="utilisation", members_with=people))
    found = dataclasses.replace(found, rates=pd.concat([found.rates, *more], ignore_index=True))
    released, _ = release_measures(found, found, 11)
    rates = released.rates.set_index(["measure", "arm", "period"])["rate"]
    assert pd.isna(rates["composite_chronic", "treated", "performance"])
    assert rates["composite_chronic", "treated", "baseline"] == pytest.approx(0.4)
    assert pd.isna(rates["follow_up_30", "treated", "baseline"])
    assert not pd.isna(rates["follow_up_7", "treated", "baseline"])


def test_a_share_with_few_left_over_is_withheld_and_a_rate_per_time_is_not():
    """18 of 19 open gaps closed leave one person's open, though 18 people are enough to be told."""
    found = measures()
    gaps = found.gaps.assign(members=19, members_with=19)
    mine = (gaps["arm"] == "treated") & (gaps["period"] == "baseline")
    gaps.loc[mine, ["denominator", "events", "rate"]] = [19.0, 18.0, 18 / 19]
    rates = found.rates.assign(members=400, members_with=400)
    place = (rates["arm"] == "treated") & (rates["period"] == "performance")
    rates.loc[place & (rates["measure"] == "readmissions"), ["denominator", "events"]] = [300.0, 8.0]
    rates.loc[place & (rates["measure"] == "emergency_visits"), ["denominator", "events"]] = [20.0, 12.0]
    found = dataclasses.replace(found, gaps=gaps, rates=rates)
    released, _ = release_measures(found, found, 11)
    told = ["members", "members_with", "denominator", "events", "rate"]
    assert released.gaps.loc[mine, told].isna().all(axis=None)
    assert released.gaps.loc[~mine, told].notna().all(axis=None)
    shown = released.rates.set_index(["measure", "arm", "period"])
    assert shown.loc[("readmissions", "treated", "performance"), told].isna().all()
    assert shown.loc[("emergency_visits", "treated", "performance"), "events"] == 12.0
    assert released.effects.set_index("measure").loc["readmissions", ["estimate", "p"]].isna().all()


def test_measures_are_named_and_saved_and_an_older_report_has_none(tmp_path):
    whole = evaluation(measures=measures())
    named = numbers(whole, asked())
    assert named["measures.effect.diabetes_eye.estimate"]["value"] == 0.05
    assert named["measures.rate.emergency_visits.treated.baseline.rate"]["value"] == 120.0
    save_evaluation(whole, tmp_path)
    pd.testing.assert_frame_equal(load_evaluation(tmp_path).measures.effects, whole.measures.effects)
    released, _ = disclosure.release(dataclasses.replace(whole, measures=Measures()), 11)
    assert released.measures.rates.empty


def test_a_measure_whose_gaps_are_all_withheld_has_no_empty_row_in_the_picture():
    found = measures()
    other = found.gaps.assign(measure="copd", label="COPD: an inhaler")
    other[["members", "members_with", "denominator", "events", "rate"]] = float("nan")
    both = dataclasses.replace(found, gaps=pd.concat([found.gaps, other], ignore_index=True))
    figure = measure_figures.closure(both, asked())
    with style():
        drawn = [text.get_text() for text in figure.draw(736).axes[0].texts]
    assert drawn == ["Diabetes: eye exam"]
    assert "What is missing here is withheld" in figure.block().html
