"""Strata by arm on the page and in results.json, and what goes with a small count."""

from __future__ import annotations

import dataclasses

import pandas as pd
from example import cohort, evaluation, report, spec, strata

from medhome.reporting.cohort_pages import members_by_stratum
from medhome.reporting.disclosure import release
from medhome.reporting.results_file import numbers
from medhome.study.results import STRATA, without_rows
from medhome.study.saved import load_evaluation, save_evaluation


def test_the_page_shows_each_kind_of_member_in_both_arms():
    text = members_by_stratum(report()).text
    for shown in ("Adults (18 and over)", "Infants (under 1)", "14,300", "$352.00", "After the start"):
        assert shown in text, shown
    older = dataclasses.replace(cohort(), strata=without_rows(STRATA))
    assert members_by_stratum(report(cohort=older)).text == ""
    plain = spec().model_dump()
    plain["population"]["infants"] = "children"
    assert "Children (under 18)" in members_by_stratum(report(type(spec()).model_validate(plain))).text


def test_a_small_stratum_takes_the_next_one_of_its_arm_and_period_with_it():
    """7 infants are few; the arm's total less adults and children tells of them: the children go, too."""
    whole = evaluation(cohort=dataclasses.replace(cohort(), strata=strata(infants=7)))
    released, gate = release(whole, 11)
    frame = released.cohort.strata
    hidden = frame[frame["members"].isna()]
    assert [tuple(r) for r in hidden[["arm", "stratum", "period"]].itertuples(index=False)] == [
        ("treated", "children", "baseline"),
        ("treated", "infants", "baseline"),
    ]
    assert hidden[["member_months", "share", "pmpm"]].isna().all(axis=None)
    assert frame.loc[frame["members"].notna(), "pmpm"].notna().all()
    without, _ = release(evaluation(), 11)
    assert without.cohort.strata["members"].notna().all() and gate.cells_secondary >= 1
    number = numbers(released, spec())["cohort.stratum.treated.children.baseline.pmpm"]
    assert number["value"] is None and number["suppressed"]


def test_strata_are_named_and_saved(tmp_path):
    whole = evaluation()
    found = numbers(whole, spec())
    assert found["cohort.stratum.treated.infants.performance.members"]["value"] == 260
    assert found["cohort.stratum.comparison.adults.baseline.pmpm"]["value"] == 333.0
    save_evaluation(whole, tmp_path)
    pd.testing.assert_frame_equal(load_evaluation(tmp_path).cohort.strata, whole.cohort.strata)
