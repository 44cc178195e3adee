"""Weights of comparison practices in a study: what they balance and are worth, and refusals by name."""

from __future__ import annotations

import dataclasses

import member_world
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from medhome.models.comparison_group import PRACTICE, weigh
from medhome.models.twfe import twfe
from medhome.study.comparison_choices import Comparison
from medhome.study.problems import ModelRefusal

COEFFICIENTS = {"intercept": 20_000.0, "condition:diabetes": 30_000.0, "age_sex:F18-64": 4_000.0}
T2 = pd.DataFrame(
    [("expected_pmpm", "Expected cost"), ("baseline_pmpm", "Cost"), ("condition:diabetes", "Diabetes")],
    columns=["characteristic", "label"],
).assign(unit="USD PMPM", treated=1.0, comparison=2.0, smd=0.3, variance_ratio=1.0)


@pytest.fixture(scope="module")
def arms():
    """Eight of thirty organisations treated: their cells, rows and expected cents."""
    found = member_world.world(organizations=30, members=12, turnover=0.1)
    treated = found.months["organization_id"].isin([f"O{j}" for j in range(2, 10)])
    months = found.months.assign(arm=np.where(treated, "treated", "comparison"))
    scored = dataclasses.replace(found, months=months).scored(COEFFICIENTS)
    rows = scored.rows().frame.assign(age=40)
    expected = COEFFICIENTS["intercept"] + sum(
        COEFFICIENTS[t] * rows[t].to_numpy() for t in COEFFICIENTS if t in rows.columns
    )
    return scored.cells(), rows, expected


def weighed(arms, **choices):
    spec = member_world.study().model_copy(update={"comparison": Comparison(**choices)})
    return weigh(*arms, T2, spec)


def test_entropy_weights_reach_the_programs_mean_and_count_for_what_they_are_worth(arms):
    _, rows, expected = arms
    weights, found = weighed(arms, weights="entropy")
    base = (rows["period"] == "baseline").to_numpy()
    months, factor = rows["w"].to_numpy()[base] / 1000, weights.of(rows[base])
    treated = (rows["arm"] == "treated").to_numpy()[base]
    means = [np.average(expected[base][g], weights=(months * factor)[g]) for g in (treated, ~treated)]
    assert_allclose(means[1], means[0], rtol=1e-9)
    balance = found.balance.set_index("characteristic")
    assert_allclose(balance.loc["expected_pmpm", ["treated", "weighted"]].tolist(), np.array(means) / 100)
    assert abs(balance.loc["expected_pmpm", "smd_weighted"]) < 1e-9 and set(factor[treated]) == {1.0}
    sums = pd.DataFrame({"m": months, "fm": months * factor, "p": rows["practice_id"][base]})[~treated]
    sums = sums.groupby("p")[["m", "fm"]].sum()
    plain = (sums["fm"] / sums["fm"].sum()).to_numpy()
    assert_allclose(sums["fm"].sum(), 1 / (plain**2 / sums["m"]).sum())  # (sum f M)^2 / sum f^2 M
    own = found.groups.set_index("group").loc["comparison"]
    assert own["kept"] == own["practices"] == 44
    assert_allclose(own["effective"], 1 / (plain**2).sum())
    assert_allclose(own["largest_share"], plain.max())


def test_weighted_cells_give_the_regression_on_weighted_rows(arms):
    cells, *_ = arms
    weights, _ = weighed(arms, weights="propensity")
    found = twfe(weights.applied(cells), "allowed_capped", (), first_post=member_world.START)
    frame = cells.by(*PRACTICE, "month").frame
    w = frame["w"].to_numpy(dtype=float) * weights.of(frame)
    y = frame["w*allowed_capped"].to_numpy(dtype=float) / frame["w"].to_numpy(dtype=float) / 100
    late = (frame["month"] >= member_world.START).to_numpy(dtype=float)
    X = np.column_stack([
        (frame["arm"] == "treated").to_numpy() * late,
        pd.get_dummies(frame["practice_id"]).to_numpy(dtype=float),
        pd.get_dummies(frame["month"]).to_numpy(dtype=float)[:, 1:],
    ])  # fmt: skip
    root = np.sqrt(w)
    wanted = np.linalg.lstsq(X * root[:, None], y * root, rcond=None)[0][0]
    assert_allclose(found.coefficients[0], wanted, rtol=1e-6)  # weights are rounded to a millionth


def test_matching_on_cost_before_the_start_has_its_placebo(arms):
    _, found = weighed(arms, weights="propensity", outcome_levels=True)
    assert found.placebo["weights"].tolist() == ["levels", "plain"]
    assert found.placebo[["estimate", "lo95", "hi95"]].notna().all(axis=None)
    assert any("matched on outcome levels" in w for w in found.warnings)


def test_without_weights_nothing_changes(arms):
    weights, found = weighed(arms)
    assert weights.applied(arms[0]) is arms[0] and found.method == "none" and found.balance.empty


def test_what_cannot_be_done_is_named(arms):
    with pytest.raises(ModelRefusal, match="'condition:asthma', which the cost model"):
        weighed(arms, weights="entropy", covariates=["condition:asthma"])
    for choices, words in (
        ({"weights": "entropy", "trim": "overlap"}, "trim belongs to"),
        ({"weights": "entropy", "outcome_levels": True}, "outcome_levels belongs to"),
        ({"covariates": ["height"]}, "'height' is not known"),
    ):
        with pytest.raises(ValueError, match=words):
            Comparison(**choices)
