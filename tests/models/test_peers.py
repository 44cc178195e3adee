"""Level gaps: prediction intervals by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from medhome.models.peers import between_variance, level_gap


def test_between_variance_without_noise_is_the_sample_variance():
    gap = np.array([3.0, -1.0, 4.0, -6.0])
    assert_allclose(between_variance(gap, np.zeros(4)), gap.var(ddof=1), rtol=1e-9)


def test_between_variance_with_equal_noise_takes_it_off():
    gap = np.array([3.0, -1.0, 4.0, -6.0])
    assert_allclose(between_variance(gap, np.full(4, 5.0)), gap.var(ddof=1) - 5, rtol=1e-9)
    assert between_variance(gap, np.full(4, 1e6)) == 0.0
    assert between_variance(np.zeros(4), np.zeros(4)) == 0.0


def test_the_paule_mandel_equation_holds_with_unequal_noise():
    gap, noise = np.array([10.0, -12.0, 3.0, 7.0, -2.0]), np.array([1.0, 9.0, 4.0, 2.0, 25.0])
    tau2 = between_variance(gap, noise)
    weight = 1 / (tau2 + noise)
    centre = (weight @ gap) / weight.sum()
    assert_allclose(weight @ (gap - centre) ** 2, 4, rtol=1e-8)


def test_an_equal_world_by_hand():
    # Three comparisons of the treated one's size, no noise: sd 3, and the interval of one more of them,
    # 3 * sqrt(1 + 1/3) * t(2), as for a new observation from a normal sample.
    gap = np.array([-10.0, -3.0, 0.0, 3.0])
    found = level_gap(gap, np.full(4, 100.0), np.array([True, False, False, False]), 0.0)
    assert_allclose(found.value, -10)
    assert_allclose(found.se, 3 * np.sqrt(4 / 3), rtol=1e-9)
    half = 3 * np.sqrt(4 / 3) * stats.t.ppf(0.975, 2)
    assert_allclose(found.ci95, (-10 - half, -10 + half), rtol=1e-9)
    assert "3 comparison organisations" in found.note and "t with 2 df" in found.note


def test_members_noise_widens_the_interval_of_a_small_treated_organisation():
    gap, treated = np.array([-10.0, -3.0, 0.0, 3.0, 1.0]), np.array([True, False, False, False, False])
    large = level_gap(gap, np.array([1e4, 1e4, 1e4, 1e4, 1e4]), treated, 100.0)
    small = level_gap(gap, np.array([1e2, 1e4, 1e4, 1e4, 1e4]), treated, 100.0)
    assert_allclose(small.se**2 - large.se**2, 100 / 1e2 - 100 / 1e4, rtol=1e-9)


def test_two_treated_organisations_share_by_member_months():
    gap = np.array([-8.0, 4.0, 1.0, -1.0])
    found = level_gap(gap, np.array([300.0, 100.0, 50.0, 50.0]), np.array([True, True, False, False]), 0.0)
    assert_allclose(found.value, 0.75 * -8 + 0.25 * 4)
    assert_allclose(found.se**2, 2.0 * (0.75**2 + 0.25**2 + 0.5**2 + 0.5**2), rtol=1e-9)


def test_one_comparison_has_no_interval_and_says_so():
    found = level_gap(np.array([1.0, 0.0]), np.array([1.0, 1.0]), np.array([True, False]), 1.0)
    assert found.value == 1.0 and found.ci95 is None
    assert found.note == "No interval: fewer than two comparison organisations."


@pytest.mark.parametrize("seed", [1])
def test_the_interval_covers_a_new_organisation_of_the_same_population(seed):
    # 2,000 draws of 13 organisations with unequal member-months; one of them plays the treated.
    rng = np.random.default_rng([20080601, seed])
    months = 10 ** rng.uniform(3.5, 5.5, 13)
    treated = np.arange(13) == 0
    inside = 0
    for _ in range(2000):
        gap = rng.normal(0, 12, 13) + rng.normal(0, np.sqrt(2e6 / months))
        low, high = level_gap(gap, months, treated, 2e6).ci95
        inside += low <= 0 <= high
    assert 1850 <= inside <= 1960
