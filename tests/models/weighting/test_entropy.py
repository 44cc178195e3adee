"""Entropy balancing: the dual solved to 1e-16 by another program, exact means, and refusals by name."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from medhome.models.weighting import entropy_balance
from medhome.study.problems import ModelRefusal

NSW = ["age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75"]


def test_the_training_experiment(shared_data):
    """National Supported Work, causaldata: effect, effective sample size and largest weight."""
    text = (shared_data.parent / "design" / "did-golden.json").read_text(encoding="utf-8")
    golden = {g["id"]: g["values"] for g in json.loads(text)["golden"]}["ebal_nsw"]
    data = pd.read_csv(shared_data / "did_reference" / "cd_nsw_mixtape.csv.gz")
    found = entropy_balance(data[NSW], data["treat"])
    treated, earnings = (data["treat"] == 1).to_numpy(), data["re78"].to_numpy()
    share = found.weights / found.weights[treated].sum()
    effect = share[treated] @ earnings[treated] - share[~treated] @ earnings[~treated]
    assert_allclose(effect, golden["att"], rtol=1e-10)
    assert_allclose(effect, 1795.01415902775, rtol=1e-10)
    comparison = found.summary.iloc[1]
    assert_allclose(comparison["effective_sample_size"], 221.95684949, rtol=1e-8)
    assert_allclose(comparison["largest_share"], golden["max_w"], rtol=1e-9)
    assert_allclose(found.balance["mean_after"], data[treated][NSW].mean(), rtol=1e-12)
    assert found.largest_difference < 1e-12


@settings(max_examples=30)
@given(st.integers(30, 120), st.integers(1, 4), st.integers(1, 2), st.integers(0, 10_000))
def test_means_are_the_targets(size, covariates, moments, seed):
    rng = np.random.default_rng([seed, 7])
    x = rng.normal(size=(4 * size, covariates)) * 10.0 ** rng.integers(-3, 6, covariates)
    treated = np.r_[np.ones(size, int), np.zeros(3 * size, int)]
    base = rng.uniform(0.5, 2, 4 * size)
    found = entropy_balance(pd.DataFrame(x).rename(columns=str), treated, base_weights=base, moments=moments)
    own = treated == 1
    target = base[own] @ x[own] / base[own].sum()
    spread = x.std(0)
    assert (np.abs(found.weights[~own] @ x[~own] / found.weights[~own].sum() - target) < 1e-12 * spread).all()
    assert_allclose(found.weights[own], base[own])
    assert_allclose(found.weights[~own].sum(), base[own].sum(), rtol=1e-12)
    assert (found.weights > 0).all()
    if moments == 2:
        assert_allclose(found.balance["variance_ratio_after"], 1.0, atol=1e-9)
    again = entropy_balance(pd.DataFrame(3 * x[::-1] + 5).rename(columns=str), treated[::-1],
                            base_weights=base[::-1], moments=moments)
    assert_allclose(again.weights[::-1], found.weights, rtol=1e-7)


def test_balanced_groups_keep_their_weights():
    frame = pd.DataFrame({"age": [30, 40, 30, 40, 30, 40]})
    found = entropy_balance(frame, [1, 1, 0, 0, 0, 0])
    assert_allclose(found.weights, [1, 1, 0.5, 0.5, 0.5, 0.5])
    assert found.summary["effective_sample_size"].tolist() == [2.0, 4.0]


def test_four_groups_go_to_the_treated_before():
    frame = pd.DataFrame({"ill": [1, 1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0]})
    treated = [1] * 6 + [0] * 7
    after = [0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1]
    found = entropy_balance(frame, treated, after=after)
    assert found.groups[0] == "treated, before"
    assert_allclose(found.balance["mean_after"], 2 / 3, rtol=1e-12)
    assert_allclose(found.weights[3:6], [2, 0.5, 0.5])  # two thirds of three on one row, the rest on two


def test_sums_of_other_covariates_change_nothing():
    rng = np.random.default_rng([1, 8])
    frame = pd.DataFrame({"a": rng.normal(size=60), "b": rng.normal(size=60)})
    treated = np.arange(60) < 15
    more = frame.assign(c=frame["a"] + frame["b"], flat=4.0)
    found = entropy_balance(more, treated)
    assert_allclose(found.weights, entropy_balance(frame, treated).weights, rtol=1e-9)
    assert found.warnings == ("covariate 'flat' is the same in every row",)


def test_a_mean_at_the_edge_leaves_rows_without_weight():
    found = entropy_balance(pd.DataFrame({"age": [40, 40, 30, 40, 40]}), [1, 1, 0, 0, 0])
    assert_allclose(found.weights, [1, 1, 0, 1, 1], atol=1e-9)
    assert found.warnings[0].startswith("1 of 3 rows of the group 'comparison' get no weight")


@pytest.mark.parametrize(("frame", "treated", "said"), [
    ({"age": [70, 80, 30, 40]}, [1, 1, 0, 0], "mean of age lies outside the range"),
    ({"a": [1, 1, 0, 1, 0.0], "b": [1, 1, 1, 0, 0.0]}, [1, 1, 0, 0, 0], "a, b at once"),
    ({"age": [40, np.nan, 30, 40]}, [1, 1, 0, 0], "'age' is missing or infinite in row 2"),
    ({"sex": ["F", "M", "F", "M"]}, [1, 1, 0, 0], "'sex' holds"),
    ({"age": [1, 2, 3, 4]}, [1, 1, 1, 1], "no row is in the group 'comparison'"),
    ({"age": [1, 2, 3, 4]}, [1, 2, 0, 0], "treated must be 0 or 1"),
    ({"age": [1, 2, 3, 4]}, [1, 0, 0], "shape"),
    ({}, [1, 0], "no covariates"),
])
def test_refusals(frame, treated, said):
    with pytest.raises(ModelRefusal, match=said):
        entropy_balance(pd.DataFrame(frame), treated)


def test_refused_options():
    frame = pd.DataFrame({"age": [1, 2, 1, 2]})
    with pytest.raises(ModelRefusal, match="moments = 3"):
        entropy_balance(frame, [1, 1, 0, 0], moments=3)
    with pytest.raises(ModelRefusal, match="one positive number"):
        entropy_balance(frame, [1, 1, 0, 0], base_weights=[1, 1, 0, 1])
    twice = pd.DataFrame([[1, 1], [2, 2]], columns=["age", "age"])
    with pytest.raises(ModelRefusal, match="'age' is given twice"):
        entropy_balance(twice, [1, 0])
