"""Care management on the page: words, funnel, tables, and what few people in a stage take away."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from example import care_management, evaluation, report, spec, where

from medhome.reporting import care_management_words as words
from medhome.reporting import disclosure
from medhome.reporting.care_management_gate import release_care_management
from medhome.reporting.care_management_pages import care_management_and_cost, care_management_funnel
from medhome.reporting.results_file import numbers
from medhome.study.care_management_results import ALL, STAGES, CareManagement
from medhome.study.care_management_results import typed as frame_of
from medhome.study.saved import load_evaluation, save_evaluation
from medhome.study.where_results import Where

BASE = care_management()
DAGGER, MINUS = "\N{DAGGER}", "\N{MINUS SIGN}"


def stated(found: CareManagement) -> str:
    return care_management_funnel(report(care_management=found)).text


def test_words_tell_the_funnel_the_wait_and_the_work():
    text = stated(care_management())
    assert "Of 2,400 members of the program after the start, 155 (6.5%) were identified; of them" in text
    assert "of them 116 (74.8%) were reached and 69 (44.5%) were engaged." in text
    assert "a quarter within 12 days and half within 31 days had a first contact; fewer than three" in text
    assert "420 contacts, 20 minutes each on average: 8.8 per 1,000" in text
    one = care_management()
    rows = one.practices.assign(wait_q1_days=1.0, wait_median_days=np.nan)
    assert "a quarter within 1 day had a first contact; fewer than half" in words.wait_in_words(
        dataclasses.replace(one, practices=rows)
    )
    rows = one.practices.assign(wait_q1_days=np.nan, wait_median_days=np.nan)
    assert "fewer than a quarter" in words.wait_in_words(dataclasses.replace(one, practices=rows))


def test_the_page_has_a_funnel_for_both_widths_a_compact_table_and_a_full_csv():
    block = care_management_funnel(report())
    assert 'id="fig-care-funnel"' in block.html and "fig-care-funnel-342" not in block.html.split("<svg")[0]
    assert block.html.count("<svg") == 2
    assert "116, 75% of the identified" in block.html
    assert "Program, practice 03      900          40       28       15" in block.text
    assert 'download="tbl-care-practices.csv"' in block.html


def test_the_warning_stands_before_the_effect_by_risk_at_the_baseline():
    text = care_management_and_cost(report()).text
    assert text.index("must not be compared") < text.index("high risk by what was known")
    assert "$950.00 per member per month, 3.8 times as much as all members of the program ($250.00)" in text
    row = where().groups.set_index("group").loc["risk:high"]
    shown = f"{MINUS}${abs(row['estimate']):.2f} per member per month (95% interval"
    assert row["estimate"] < 0 and shown in text
    assert "Effect by risk at the baseline, care-managed or not" in text
    assert "Not an effect" in text
    few = where().groups.assign(lo95=np.nan, hi95=np.nan)
    assert "too few members or organisations for an interval" in words.high_risk_in_words(
        dataclasses.replace(where(), groups=few)
    )
    without = care_management_and_cost(report(where=Where())).text
    assert "was not estimated" in without and "must not be compared" in without


def test_without_the_table_the_page_says_so():
    assert "no file of care management" in stated(CareManagement())
    assert care_management_and_cost(report(care_management=CareManagement())).html == ""
    off = spec().model_copy(
        update={"care_management": spec().care_management.model_copy(update={"enabled": False})}
    )
    assert "does not ask" in words.absent_in_words(off)


def released(found: CareManagement) -> CareManagement:
    return release_care_management(found, found, 11)[0]


def test_a_stage_that_few_came_to_or_few_missed_is_withheld_with_its_neighbour():
    found = released(care_management(reached=50.0)).practices.set_index("label")  # 5 were not reached
    assert found["reached"].isna().tolist() == [False, False, True, True]  # the smallest other goes, too
    assert found[["identified", "engaged"]].notna().all().all()
    few = released(care_management(engaged=4.0)).practices.set_index("label")
    assert few["engaged"].isna().tolist() == [False, False, True, True]
    assert few["contacts"].isna().tolist() == [False, False, True, True]
    assert DAGGER in stated(released(care_management(engaged=4.0)))
    pd.testing.assert_frame_equal(released(BASE).practices, BASE.practices)


def test_the_gate_of_the_whole_evaluation_clears_care_management():
    found, gate = disclosure.release(evaluation(care_management=care_management(engaged=4.0)), 11)
    pd.testing.assert_frame_equal(
        found.care_management.practices, released(care_management(engaged=4.0)).practices
    )
    assert gate.cells_secondary > 0


def test_months_with_few_take_another_with_them():
    months = released(care_management()).months
    assert months["identified"].isna().tolist() == [False, False, True, True]
    assert months["contacts"].notna().all()


def test_a_small_program_tells_nothing():
    counts = {"members": 700.0, "identified": 6.0, "reached": 5.0, "engaged": 0.0, "contacts": 0.0}
    one = care_management(**counts)
    alone = one.practices.iloc[[0, 2]].reset_index(drop=True)
    for name, value in counts.items():
        alone[name] = value
    stages = one.stages.assign(members=[700.0, 6.0, 5.0, 0.0])
    found = released(dataclasses.replace(one, practices=alone, stages=stages))
    assert found.stages["members"].isna().tolist() == [False, True, True, False]
    assert found.stages["expected_pmpm"].isna().tolist() == [False, True, True, False]
    assert found.practices[["identified", "reached", "wait_median_days"]].isna().all().all()
    assert "withheld" in words.funnel_in_words(found)


@pytest.mark.parametrize("seed", range(40))
def test_no_small_number_of_people_follows_from_rows_and_sums(seed):
    """Of random practices: no small stage, none by subtraction in a row, none from the sum over practices."""
    rng = np.random.default_rng([6, seed])
    rows = []
    for k in range(int(rng.integers(1, 9))):
        members = int(rng.integers(0, 900))
        identified = int(rng.binomial(members, rng.choice([0.0, 0.02, 0.2])))
        reached = int(rng.binomial(identified, rng.choice([0.6, 0.97, 1.0])))
        engaged = int(rng.binomial(reached, rng.choice([0.5, 0.95])))
        contacts = int(rng.poisson(2 * engaged))
        rows.append((f"Program, practice {k:02d}", members, identified, reached, engaged, contacts))
    parts = pd.DataFrame(rows, columns=["label", *STAGES, "contacts"])
    total = pd.DataFrame([{"label": ALL, **parts[[*STAGES, "contacts"]].sum()}])
    whole = frame_of("practices", pd.concat([total, parts], ignore_index=True).to_dict("records"))
    base = BASE
    stages = base.stages.assign(members=whole.loc[0, list(STAGES)].to_numpy(dtype=float))
    found = dataclasses.replace(base, practices=whole, stages=stages)
    shown = release_care_management(found, found, 11)[0].practices
    small = lambda n: 0 < n < 11  # noqa: E731
    for _, row in shown.iterrows():
        known = row[list(STAGES)].dropna().to_numpy(dtype=float)
        assert not any(small(n) for n in known)
        assert not any(small(abs(a - b)) for a in known for b in known)
    assert not any(small(n) for n in shown["contacts"].dropna())
    hidden = shown.iloc[1:].isna()
    for stage in STAGES:
        gone = hidden.index[hidden[stage]]
        if not len(gone) or pd.isna(shown.loc[0, stage]):
            continue
        sums = whole.loc[gone, list(STAGES)].sum()
        assert len(gone) > 1 and sums[stage] >= 11
        for other in STAGES:
            same = list(hidden.index[hidden[other]]) == list(gone) and pd.notna(shown.loc[0, other])
            if same or not hidden.loc[gone, other].any():
                assert not small(abs(sums[stage] - sums[other]))


def test_numbers_are_named_and_saved_and_an_older_report_has_none(tmp_path):
    whole = evaluation()
    named = numbers(whole, spec())
    assert named["care.stage.engaged.members"]["value"] == 69
    assert named["care.practice.program-practice-03.contacts"]["value"] == 80
    save_evaluation(whole, tmp_path)
    again = load_evaluation(tmp_path).care_management
    assert again.given
    pd.testing.assert_frame_equal(again.doses, whole.care_management.doses)
    gone = released(CareManagement())
    assert not gone.given and gone.practices.empty
