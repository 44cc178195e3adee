"""Covariate patterns: few rows that stand for many give the same model, errors, tests and effects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from cost_models.test_cost_models import reference
from numpy.testing import assert_allclose

from medhome.models.cost_models import estimate as front
from medhome.models.cost_models.design import cost_table
from medhome.models.cost_models.estimate import chosen, estimate
from medhome.models.cost_models.patterns import collapsed, distinct

LOG = sm.families.links.Log()


def members(seed: int = 5, n: int = 3_000) -> pd.DataFrame:
    """Persons in 30 practices with three flags and a band of age: 32 patterns."""
    rng = np.random.default_rng([seed, 1])
    frame = pd.DataFrame({f"f{k}": (rng.random(n) < 0.3).astype(int) for k in range(3)})
    frame["band"] = rng.choice(["a", "b", "c", "d"], n)
    frame["practice"] = rng.integers(0, 30, n)
    frame["months"] = rng.integers(1, 13, n)
    mean = np.exp(5 + 0.5 * frame["f0"] - 0.2 * frame["f1"] + 0.3 * (frame["band"] == "d"))
    frame["users"] = rng.gamma(1.2, mean / 1.2)
    frame["cost"] = frame["users"] * (rng.random(n) < 0.8)
    return frame


def table(frame: pd.DataFrame, outcome: str):
    return cost_table(
        frame, outcome=outcome, covariates=["f0", "f1", "f2", "band"], weights="months", cluster="practice"
    )


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return members()


@pytest.mark.parametrize(
    ("family", "outcome", "theirs"),
    [
        ("ols", "cost", sm.families.Gaussian()),
        ("poisson", "cost", sm.families.Poisson()),
        ("gamma", "users", sm.families.Gamma(LOG)),
        ("tweedie", "cost", sm.families.Tweedie(LOG, var_power=1.5)),
    ],
)
def test_patterns_equal_statsmodels_on_the_rows(frame, family, outcome, theirs):
    small = collapsed(table(frame, outcome))
    assert len(small.y) < 0.7 * len(frame) and small.size == len(frame)
    found = estimate(small, chosen(family, "logit", "gamma", 1.5), tests=False)
    x = np.column_stack(
        [np.ones(len(frame)), *(frame[f"f{k}"] for k in range(3)), *(frame["band"] == b for b in "bcd")]
    ).astype(float)
    groups = frame["practice"].to_numpy()
    params, bse = reference(frame[outcome].to_numpy(), x, theirs, frame["months"], groups)
    assert found.rows == len(frame)
    assert_allclose(found.coefficients["coefficient"], params, rtol=1e-8, atol=1e-10)
    assert_allclose(found.coefficients["se"], bse, rtol=1e-8)


@pytest.mark.parametrize("family", ["ols", "poisson", "gamma", "tweedie", "two-part"])
def test_tests_effects_and_bootstrap_equal_those_of_the_rows(frame, family):
    whole = table(frame, "users" if family == "gamma" else "cost")
    choice = chosen(family, "probit", "gamma", "estimate")
    one, other = (
        estimate(t, choice, recycle=["f0", "band"], folds=4) for t in (whole, collapsed(whole))
    )
    assert_allclose(other.coefficients[["coefficient", "se"]], one.coefficients[["coefficient", "se"]],
                    rtol=1e-7, atol=1e-9)  # fmt: skip
    columns = ["statistic", "ci_low", "ci_high", "se", "p"]
    assert one.tests["test"].tolist() == other.tests["test"].tolist()
    told = [found.tests[columns].astype(float) for found in (one, other)]
    assert_allclose(told[1], told[0], rtol=1e-6, atol=1e-8)
    assert_allclose(other.predictions[["effect", "se"]], one.predictions[["effect", "se"]], rtol=1e-7)
    if family == "poisson":
        drawn = [r.recycled("f0", draws=60, seed=3)["se"].iloc[0] for r in (one, other)]
        assert_allclose(drawn[1], drawn[0], rtol=1e-6)


def test_a_long_table_goes_through_patterns_by_itself(frame, monkeypatch):
    seen = []
    monkeypatch.setattr(front, "MANY_ROWS", 1_000)
    monkeypatch.setattr(front, "collapsed", lambda t: seen.append(1) or collapsed(t))
    found = estimate(table(frame, "cost"), chosen("poisson", "logit", "gamma", 1.5), tests=False)
    assert seen and found.rows == 3_000
    assert_allclose(found.mean_predicted, np.average(frame["cost"], weights=frame["months"]), rtol=1e-9)


def test_rows_that_all_differ_and_rows_without_clusters_stay():
    frame = members(n=400).assign(age=np.random.default_rng([1, 2]).normal(size=400))
    apart = cost_table(frame, outcome="cost", covariates=["age"], cluster="practice")
    assert collapsed(apart) is apart
    alone = cost_table(frame, outcome="cost", covariates=["f0"])
    assert collapsed(alone) is alone


def test_many_flags_are_told_apart_exactly():
    """More flags than one whole number has bits."""
    x = np.zeros((3, 70))
    x[1, 0] = x[2, 69] = 1
    assert len(set(distinct(x).tolist())) == 3
    assert len(set(distinct(np.vstack([x, x])).tolist())) == 3
