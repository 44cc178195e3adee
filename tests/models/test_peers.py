"""Level gaps: prediction intervals against an independent integral, and against the truth."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, optimize, stats

from medhome.models.peers import PRIOR_SCALE, level_gap, posterior_of_tau

ONE = np.array([True, False, False, False])


def test_value_is_the_difference_of_member_month_means():
    gap, months = np.array([-8.0, 4.0, 1.0, -1.0]), np.array([300.0, 100.0, 50.0, 50.0])
    found = level_gap(gap, months, np.array([True, True, False, False]), 100.0, 300.0)
    assert_allclose(found.value, 0.75 * -8 + 0.25 * 4)


def test_interval_is_that_of_the_integral():
    gap, months = np.array([-10.0, -3.0, 0.5, 4.0]), np.array([4e4, 1e4, 2e4, 3e4])
    mean, kappa = 60.0, 3e5
    noise, share = kappa / months[1:], months[1:] / months[1:].sum()

    # The joint density of three comparisons about an unknown centre, on a fine grid of sd and centre.
    tau = np.linspace(0, 1.5 * mean, 1501)
    centre = np.linspace(-250, 250, 1001)
    error = (gap[1:] - centre[:, None]) ** 2
    density = np.array([np.exp(-0.5 * (error / (t * t + noise)).sum(1)).sum() for t in tau])
    density = density / np.sqrt(np.prod(tau[:, None] ** 2 + noise, axis=1))
    density = density * stats.norm.pdf(tau, 0, PRIOR_SCALE * mean)
    sd = np.sqrt(tau**2 + kappa / months[0] + (share**2 * (tau[:, None] ** 2 + noise)).sum(1))
    value = gap[0] - share @ gap[1:]

    def below(x):
        return integrate.trapezoid(density * stats.norm.cdf(x, value, sd), tau) / integrate.trapezoid(
            density, tau
        )

    wanted = [optimize.brentq(lambda x, q=q: below(x) - q, -200, 200, xtol=1e-6) for q in (0.05, 0.95)]
    found = level_gap(gap, months, ONE, kappa, mean)
    assert_allclose(found.value, value)
    assert_allclose(found.ci90, wanted, rtol=1e-3)


def test_many_alike_organisations_give_their_own_spread():
    # 400 comparisons of sd 12 and little noise: nearly the normal interval of one more of them.
    rng = np.random.default_rng([20080601, 5])
    gap = np.r_[0.0, rng.normal(0, 12, 400)]
    found = level_gap(gap, np.full(401, 1e6), np.arange(401) == 0, 1e4, 300.0)
    half = 1.96 * gap[1:].std(ddof=1) * np.sqrt(1 + 1 / 400)
    assert_allclose(found.ci95[1] - found.value, half, rtol=0.01)
    assert_allclose(found.between_sd, gap[1:].std(ddof=1), rtol=0.01)


def test_noise_of_members_is_not_taken_for_differences_of_organisations():
    gap = np.array([0.0, 5.0, -5.0, 4.0, -4.0, 6.0, -6.0])
    treated, months = np.arange(7) == 0, np.full(7, 1e4)
    noisy, exact = (level_gap(gap, months, treated, k, 300.0) for k in (30.0 * 1e4, 0.01))
    assert noisy.between_sd < exact.between_sd


def test_a_small_treated_organisation_has_a_wider_interval():
    gap = np.array([-10.0, -3.0, 0.0, 3.0])
    large = level_gap(gap, np.array([1e5, 1e4, 1e4, 1e4]), ONE, 1e6, 300.0)
    small = level_gap(gap, np.array([1e3, 1e4, 1e4, 1e4]), ONE, 1e6, 300.0)
    assert small.ci95[1] - small.ci95[0] > large.ci95[1] - large.ci95[0]
    assert_allclose(small.se**2 - large.se**2, 1e6 / 1e3 - 1e6 / 1e5, rtol=1e-9)


def test_a_constant_for_all_and_another_currency():
    gap, months = np.array([-10.0, -3.0, 0.0, 3.0]), np.array([3e4, 1e4, 1e4, 2e4])
    one = level_gap(gap, months, ONE, 1e6, 300.0)
    moved = level_gap(gap + 17.0, months, ONE, 1e6, 300.0)
    scaled = level_gap(2 * gap, months, ONE, 4e6, 600.0)
    assert_allclose([moved.value, *moved.ci95], [one.value, *one.ci95], rtol=1e-9)
    assert_allclose([scaled.value, *scaled.ci95], 2 * np.array([one.value, *one.ci95]), rtol=1e-9)


def test_posterior_adds_up_and_prefers_the_truth():
    rng = np.random.default_rng([20080601, 6])
    tau = np.linspace(0, 450, 301)
    posterior = posterior_of_tau(tau, rng.normal(0, 30, 60), np.full(60, 25.0), 90.0)
    assert_allclose(posterior.sum(), 1)
    assert 24 < posterior @ tau < 36


def test_one_comparison_has_no_interval_and_says_so():
    found = level_gap(np.array([1.0, 0.0]), np.array([1.0, 1.0]), np.array([True, False]), 1.0, 300.0)
    assert found.value == 1.0 and found.ci95 is None
    assert found.note == "No interval: fewer than two comparison organisations."


@pytest.mark.parametrize(
    "comparisons, treated_members, tau", [(12, 19_000, 10.0), (12, 19_000, 30.0), (40, 19_000, 30.0)]
)
def test_the_interval_covers_a_new_organisation_of_the_same_population(comparisons, treated_members, tau):
    # One large organisation against 500 to 5,000 members each, 22 months; a plug-in sd with t quantiles
    # covers 90% in the first of these worlds. 300 draws: standard error 1.3 points.
    rng = np.random.default_rng([20080601, comparisons, int(tau)])
    sizes = 500 * 10 ** ((np.arange(1, comparisons + 1) - 0.5) / comparisons)
    months = np.r_[treated_members, sizes] * 22.0
    treated, kappa = np.arange(comparisons + 1) == 0, 810.0**2 * 0.6 * 22
    inside = 0
    for _ in range(300):
        gap = rng.normal(0, tau, len(months)) + rng.normal(0, np.sqrt(kappa / months))
        low, high = level_gap(gap, months, treated, kappa, 300.0).ci95
        inside += low <= 0 <= high
    assert inside >= 0.92 * 300
