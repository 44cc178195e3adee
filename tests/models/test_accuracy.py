"""Accuracy measures by hand: weights, groups, and what is not defined."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from medhome.models.accuracy import accuracy, predictive_ratios, r_squared, weighted_groups

COST = np.array([0.0, 100.0, 500.0])
PREDICTED = np.array([50.0, 150.0, 300.0])
MONTHS = np.array([12.0, 6.0, 6.0])


def test_weighted_measures_by_hand():
    # Mean (0*12 + 100*6 + 500*6) / 24 = 150. Errors -50, -50, 200; deviations -150, -50, 350.
    found = accuracy(COST, PREDICTED, MONTHS)
    squares = 12 * 50**2 + 6 * 50**2 + 6 * 200**2
    assert_allclose(found.r2, 1 - squares / (12 * 150**2 + 6 * 50**2 + 6 * 350**2), rtol=1e-12)
    assert_allclose(found.mae_share, (12 * 50 + 6 * 50 + 6 * 200) / 3600, rtol=1e-12)
    assert_allclose(found.cpm, 1 - 2100 / (12 * 150 + 6 * 50 + 6 * 350), rtol=1e-12)
    assert_allclose(found.predictive_ratio, (12 * 50 + 6 * 150 + 6 * 300) / 3600, rtol=1e-12)
    assert found.weight == 24


def test_without_weights_r_squared_is_that_of_least_squares():
    rng = np.random.default_rng([4, 1])
    x = rng.normal(size=200)
    y = 3 + 2 * x + rng.normal(size=200)
    slope, constant = np.polyfit(x, y, 1)
    assert_allclose(r_squared(y, constant + slope * x), np.corrcoef(x, y)[0, 1] ** 2, rtol=1e-12)


def test_the_mean_explains_nothing_and_worse_than_the_mean_is_below_zero():
    assert_allclose(r_squared(COST, np.full(3, 150.0), MONTHS), 0, atol=1e-12)
    assert r_squared(COST, -PREDICTED, MONTHS) < 0


def test_what_is_not_defined_is_nan_and_no_warning():
    flat = accuracy(np.zeros(3), PREDICTED, MONTHS)
    assert np.isnan([flat.r2, flat.mae_share, flat.cpm, flat.predictive_ratio]).all()
    free = predictive_ratios(np.zeros(2), np.ones(2), np.ones(2), np.array(["a", "b"]))
    assert free["predictive_ratio"].isna().all()


def test_ratios_by_group_by_hand():
    found = predictive_ratios(COST, PREDICTED, MONTHS, np.array(["low", "low", "high"]))
    assert found["group"].tolist() == ["high", "low"] and found["rows"].tolist() == [1, 2]
    assert_allclose(found["actual"], [500, 600 / 18])
    assert_allclose(found["predictive_ratio"], [0.6, 1500 / 600])


def test_tenths_hold_equal_weight_and_keep_ties_together():
    values = np.repeat(np.arange(20.0), 3)
    groups = weighted_groups(values, np.ones(60))
    assert np.bincount(groups)[1:].tolist() == [6] * 10
    assert weighted_groups(np.array([1.0, 1, 1, 2]), np.ones(4), 4).tolist() == [2, 2, 2, 4]


@pytest.mark.parametrize("bad", [np.array([1.0, np.nan, 2.0]), np.ones(2)])
def test_missing_values_and_other_lengths_are_refused(bad):
    with pytest.raises(ValueError, match="predicted"):
        accuracy(COST, bad)
