"""Placebos and leaving one out: equal to fitting the same rows anew, and a reason where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from member_months import ZERO, cells_of, member_months, pairs_of
from numpy.testing import assert_allclose

from medhome.models.sensitivity.placebos import leave_one_out, placebo_arm, placebo_outcomes, placebo_starts
from medhome.models.sensitivity.refits import Refits, part
from medhome.models.twfe import twfe
from medhome.study.cells import Cells
from medhome.study.placebo_results import PlaceboCells
from medhome.study.problems import ModelRefusal

START = ZERO + 14
OUTCOME, COVARIATES = "allowed_capped", ["expected"]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return member_months(5, months=24, start=14, organizations=7, practices=2, members=10, effect_usd=-200.0,
                         stay=0.8)


def refits_of(rows, **options) -> Refits:
    return Refits.of(cells_of(rows), pairs_of(rows), OUTCOME, COVARIATES, first_post=START, **options)


@pytest.fixture(scope="module")
def refits(rows) -> Refits:
    return refits_of(rows)


def anew(rows, first_post=START) -> float:
    return float(twfe(cells_of(rows), OUTCOME, COVARIATES, first_post=first_post).coefficients[0])


def test_leaving_a_practice_out_is_the_fit_without_its_rows(rows, refits):
    found = leave_one_out(refits, "practice")
    assert_allclose(found.full, anew(rows), rtol=1e-12)
    assert len(found.frame) == rows["practice_id"].nunique()
    for row in found.frame.to_dict("records"):
        assert_allclose(row["estimate"], anew(rows[rows["practice_id"] != row["practice_id"]]), rtol=1e-9)
        assert row["member_months"] == (rows["practice_id"] == row["practice_id"]).sum()
    assert_allclose(found.frame["change"], found.frame["estimate"] - found.full)
    most = found.most
    assert most is not None and abs(most["change"]) == found.frame["change"].abs().max()


def test_leaving_an_organisation_out(rows, refits):
    found = leave_one_out(refits, "organization")
    assert found.frame["organization_id"].tolist() == [f"O{j}" for j in range(7)]
    for row in found.frame.to_dict("records")[1:]:
        rest = rows[rows["organization_id"] != row["organization_id"]]
        assert_allclose(row["estimate"], anew(rest), rtol=1e-9)
        again = refits_of(rest).effect()
        assert_allclose(row["estimate"], again["estimate"], rtol=1e-9)
        assert row["lo95"] < row["lo90"] < row["estimate"] < row["hi90"] < row["hi95"]
    only = found.frame.iloc[0]
    assert np.isnan(only["estimate"]) and "treated arm has nobody left" in only["why"]
    with pytest.raises(ModelRefusal, match="'member' is neither"):
        leave_one_out(refits, "member")


def test_a_placebo_start_is_the_fit_of_the_baseline(rows, refits):
    found = placebo_starts(refits, least_months=5)
    baseline = rows[rows["month"] < START]
    assert found.frame["start"].tolist() == list(range(ZERO + 5, ZERO + 10))
    for row in found.frame.to_dict("records"):
        assert_allclose(row["estimate"], anew(baseline, row["start"]), rtol=1e-9)
        assert row["months_before"] + row["months_after"] == 14
        assert row["months_before"] >= 5 <= row["months_after"]
        assert row["lo95"] < row["estimate"] < row["hi95"]


def test_a_placebo_start_sees_nothing_of_the_program(rows, refits):
    later = rows.assign(allowed_capped=rows["allowed_capped"].where(rows["month"] < START, 7))
    for name in ("estimate", "start"):
        assert_allclose(placebo_starts(refits).frame[name], placebo_starts(refits_of(later)).frame[name])


def test_a_short_baseline_has_no_placebo_start(refits):
    found = placebo_starts(refits, least_months=8)
    assert found.frame.empty and "14 months" in found.why and "8 on each side" in found.why


def test_placebo_arm(rows, refits):
    found = placebo_arm(refits)
    comparisons = rows[rows["arm"] == "comparison"]
    assert found.frame["organization_id"].tolist() == [f"O{j}" for j in range(1, 7)]
    for row in found.frame.to_dict("records"):
        own = comparisons["organization_id"] == row["organization_id"]
        arms = np.where(own, "treated", "comparison")
        assert_allclose(row["estimate"], anew(comparisons.assign(arm=arms)), rtol=1e-9)
    as_large = sum(abs(e) >= abs(found.full) for e in found.frame["estimate"])
    assert found.as_large == as_large and found.share == (1 + as_large) / 7
    assert found.comparable and "p-value of organisations exchanged" in found.note


def test_a_larger_program_has_no_rank(rows):
    big = rows[(rows["arm"] == "treated") | rows["member"].str.endswith(("-0", "-1"))]
    found = placebo_arm(refits_of(big))
    assert not found.comparable and "not a p-value" in found.note
    few = rows[rows["organization_id"].isin(["O0", "O1", "O2"])]
    with pytest.raises(ModelRefusal, match="fewer than 3 comparison"):
        placebo_arm(refits_of(few))


def test_placebo_outcomes(rows):
    cells, pairs = cells_of(rows), pairs_of(rows)
    renamed = cells.frame.rename(columns={"w*allowed_capped": "w*outcome"})
    frame = renamed[[*cells.keys, "rows", "w", "w*outcome"]]
    own = Cells(keys=cells.keys, scales={"outcome": 100}, frame=frame)
    outcome = PlaceboCells(id="a", label="A", unit="per 1,000", cells=own, pairs=pairs, people=30)
    never = replace(outcome, id="b", cells=replace(own, frame=frame.assign(**{"w*outcome": 0})))
    found = placebo_outcomes([outcome, never], first_post=START, prior_scale=0.08).set_index("outcome")
    plain = Refits.of(cells, pairs, "allowed_capped", (), first_post=START).effect()
    assert_allclose(found.loc["a", ["estimate", "lo95"]].tolist(), [plain["estimate"], plain["lo95"]])
    before = rows[(rows["arm"] == "comparison") & (rows["month"] < START)]
    assert_allclose(found.loc["a", "level"], before["allowed_capped"].mean() / 100, rtol=1e-12)
    assert np.isnan(found.loc["b", "estimate"]) and found.loc["b", "why"]


def test_two_comparisons_left_give_no_interval_but_a_reason(rows):
    few = rows[rows["organization_id"].isin(["O0", "O1", "O2"])]
    found = leave_one_out(refits_of(few), "organization").frame
    assert np.isfinite(found["estimate"][1]) and np.isnan(found["lo95"][1])
    assert "fewer than 2 comparison organisations" in found["why"][1]


def test_parts(refits):
    panel = refits.panel
    same = part(panel)
    assert same.practices == panel.practices and same.organizations == panel.organizations
    assert_allclose(same.within_xx, panel.within_xx)
    with pytest.raises(ModelRefusal, match="comparison arm has nobody left"):
        part(panel, practices=panel.treated)
