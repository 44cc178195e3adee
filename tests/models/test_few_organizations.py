"""Every golden number of the few-clusters note (section 7) outside RE-panel, and its named properties."""

from __future__ import annotations

import numpy as np
import pytest
from few_organizations import (
    AFTER,
    BEFORE,
    MEAN,
    MEMBERS,
    MONTHS,
    PMPM,
    VALUES,
    changes,
    covariance,
    lcg_draws,
    treated,
)
from numpy.testing import assert_allclose

from medhome.models.inference import conventional, ferman_pinto, randomization, two_period, wild
from medhome.models.inference.contrasts import Contrasts, contrasts, month_shares
from medhome.models.inference.random_effects import re_panel

B = month_shares(AFTER) @ covariance() @ month_shares(AFTER)


def golden(count: int) -> dict:
    return VALUES[f"treated_{count}"]


def check_t(found: conventional.TTest, expected: dict) -> None:
    numbers = [expected["tau"], expected["se"], expected["df"], expected["p"], *expected["ci"]]
    assert_allclose([found.estimate, found.se, found.df, found.p, *found.ci95], numbers, rtol=1e-7)


def test_changes_mean_and_member_variance():
    assert_allclose(changes(1).change, VALUES["W"], rtol=1e-8)
    assert_allclose(B, VALUES["B"], rtol=1e-8)
    assert_allclose((MEMBERS[1:] @ PMPM[1:, :BEFORE]).mean() / MEMBERS[1:].sum(), MEAN, rtol=1e-8)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    "name,method",
    [
        ("cr1", conventional.cluster_robust),
        ("cr2", conventional.bell_mccaffrey),
        ("dl_unweighted", conventional.donald_lang),
        ("dl_member", lambda c: conventional.donald_lang(c, by_members=True)),
    ],
)
def test_t_tests(count, name, method):
    check_t(method(changes(count)), golden(count)[name])


def test_welch():
    check_t(conventional.welch(changes(2)), golden(2)["welch"])
    with pytest.raises(ValueError, match="two organisations"):
        conventional.welch(changes(1))


@pytest.mark.parametrize("count", [1, 2])
def test_wild_cluster_bootstrap(count):
    signs = wild.rademacher(9, 512, np.random.default_rng(0))
    assert wild.wild_cluster(changes(count), signs) == (golden(count)["wcr_rademacher_512"], 512)
    index, _ = lcg_draws(6)
    extreme, number = wild.wild_cluster(changes(count), wild.WEBB[index])
    assert (extreme, number) == (golden(count)["wcr_webb_lcg_2000"], 2000)


def test_the_named_generator():
    assert lcg_draws(9, 2)[0].ravel()[:10].tolist() == VALUES["lcg_first_10_idx_mod_9"]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    "statistic,by_members,name",
    [
        ("beta", True, "ri_beta_member"),
        ("beta", False, "ri_beta_unweighted"),
        ("t", True, "ri_t_member"),
        ("t", False, "ri_t_unweighted"),
    ],
)
def test_randomization(count, statistic, by_members, name):
    rank, assignments, value = golden(count)[name]
    found = randomization.randomization(changes(count), statistic, by_members)
    assert (found.rank, found.assignments, found.exact) == (rank, assignments, True)
    assert_allclose(found.statistic, value, rtol=1e-7)
    assert found.smallest_p == 1 / assignments


def test_conley_taber():
    found = randomization.conley_taber(changes(1))
    assert_allclose([found.estimate, found.p, found.p_finite], golden(1)["conley_taber"], rtol=1e-7)


@pytest.mark.parametrize("count", [1, 2])
def test_ferman_pinto_as_published(count):
    expected, c = golden(count)["fp_published"], changes(count)
    scaled = ferman_pinto.published(c)
    assert_allclose(scaled.variance, expected["V"], rtol=1e-7)
    assert_allclose(scaled.z, expected["z"], rtol=1e-7)
    found = ferman_pinto.bootstrap(c, scaled, *lcg_draws(9))
    assert_allclose([found.p, found.q95], [expected["p_lcg"], expected["q95_lcg"]], rtol=1e-7)
    many = ferman_pinto.random_draws(9, 9, np.random.default_rng([2, count]), 200_000)
    assert abs(ferman_pinto.bootstrap(c, scaled, *many).p - expected["p_mc"]) < 0.003


@pytest.mark.parametrize("count", [1, 2])
def test_ferman_pinto_as_recommended(count):
    expected, c = golden(count)["fp_recommended"], changes(count)
    A = re_panel(PMPM, MEMBERS, treated(count), BEFORE, covariance(), MEAN).A_mean
    scaled = ferman_pinto.recommended(c, A, B / MEMBERS)
    assert_allclose(scaled.variance, expected["V"], rtol=1e-7)
    assert_allclose(scaled.z, expected["z"], rtol=1e-7)
    assert_allclose(c.effect(), expected["tau"], rtol=1e-7)
    found = ferman_pinto.bootstrap(c, scaled, *lcg_draws(len(scaled.z)))
    assert_allclose([found.p, found.q95], [expected["p_lcg"], expected["q95_lcg"]], rtol=1e-7)
    many = ferman_pinto.random_draws(len(scaled.z), 9, np.random.default_rng([3, count]), 200_000)
    assert abs(ferman_pinto.bootstrap(c, scaled, *many).p - expected["p_mc"]) < 0.003


@pytest.mark.parametrize("count", [1, 2])
def test_two_periods(count):
    expected = golden(count)["re_two_period"]
    found = two_period.re_two_period(changes(count), B / MEMBERS, MEAN)
    assert_allclose(
        [found.A_reml, *found.plug_in, found.effect.estimate, found.effect.p],
        [expected["A_reml"], *expected["plug"], expected["mean"], expected["p"]],
        rtol=1e-7,
    )
    assert_allclose(found.effect.ci95, expected["ci95"], rtol=1e-5)
    by_size = two_period.reml_by_size(changes(count))
    assert_allclose([by_size.A, by_size.B], golden(count)["reml_ab"], rtol=1e-7)


# Properties that the note names


def moved(by: float) -> Contrasts:
    y = np.where(treated(1)[:, None] & AFTER, PMPM + by, PMPM)
    return contrasts(y, np.repeat(MEMBERS[:, None], MONTHS, axis=1), treated(1), AFTER)


def test_an_effect_leaves_the_recommended_scale_alone_but_not_the_published_one():
    scaled = [ferman_pinto.recommended(moved(by), 160.0, B / MEMBERS) for by in (0.0, 30.0)]
    assert_allclose(scaled[0].z, scaled[1].z, rtol=1e-10)
    assert_allclose(scaled[0].variance, scaled[1].variance, rtol=1e-14)
    published = [ferman_pinto.published(moved(by)).variance for by in (0.0, 30.0)]
    assert not np.allclose(*published)


def test_equal_sizes_and_one_treated_give_beta_and_t_the_same_rank():
    rng = np.random.default_rng([2, 1])
    for _ in range(20):
        c = Contrasts(
            change=rng.normal(0, 20, 13),
            members=np.full(13, 2500.0),
            months=10,
            treated=np.arange(13) == 4,
            shares=month_shares(AFTER),
        )
        assert randomization.randomization(c, "beta").rank == randomization.randomization(c, "t").rank


def test_order_and_scale():
    order = np.array([4, 0, 8, 2, 6, 1, 3, 7, 5])
    c = changes(2)
    again = Contrasts(
        change=c.change[order] * 3,
        members=c.members[order],
        treated=c.treated[order],
        months=c.months,
        shares=c.shares,
    )
    for method in (
        conventional.cluster_robust,
        conventional.bell_mccaffrey,
        conventional.donald_lang,
        conventional.welch,
    ):
        assert_allclose(method(again).p, method(c).p, rtol=1e-10)
        assert_allclose(method(again).ci95, np.multiply(method(c).ci95, 3), rtol=1e-10)
    signs = wild.rademacher(9, 512, np.random.default_rng(0))
    assert wild.wild_cluster(again, signs) == wild.wild_cluster(c, signs)
    assert randomization.randomization(again).p == randomization.randomization(c).p
    assert_allclose(
        two_period.re_two_period(again, 9 * B / MEMBERS[order], 3 * MEAN).effect.p,
        two_period.re_two_period(c, B / MEMBERS, MEAN).effect.p,
        rtol=1e-9,
    )


def test_many_assignments_are_drawn_and_the_actual_one_counts():
    rng = np.random.default_rng([2, 2])
    c = Contrasts(
        change=rng.normal(0, 20, 20),
        members=np.full(20, 2500.0),
        months=10,
        treated=np.arange(20) < 6,
        shares=month_shares(AFTER),
    )
    found = randomization.randomization(c, rng=np.random.default_rng([2, 3]))
    assert (found.assignments, found.exact) == (1000, False)
    assert found.p == randomization.randomization(c, rng=np.random.default_rng([2, 3])).p
    assert 0.001 <= found.p <= 1
    with pytest.raises(ValueError, match="38,760"):
        randomization.randomization(c)


def test_contrasts_with_gaps_and_drifting_membership():
    y = np.array([[10.0, 20.0, 40.0, 60.0], [1.0, 99.0, 5.0, 7.0], [4.0, 4.0, 4.0, 4.0]])
    members = np.array([[1.0, 3.0, 2.0, 2.0], [1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 5.0, 5.0]])
    c = contrasts(
        y, members, np.array([True, False, False]), np.array([False, False, True, True]), members[0]
    )
    # A: 50 - (10 + 3*20)/4; B: no second month, so 6 - 1; C has nobody before the start and is left out.
    assert_allclose(c.change, [50 - 17.5, 5.0])
    assert_allclose(c.members, [2.0, 1.0])


def test_the_changes_stand_for_the_panel():
    """Estimate and CR1 on nine changes are those of the 90-row panel regression (note, section 3.1)."""
    import statsmodels.api as sm

    J, T = PMPM.shape
    organization, month = np.repeat(np.arange(J), T), np.tile(np.arange(T), J)
    D = (treated(2)[organization] & AFTER[month]).astype(float)
    X = np.column_stack([D, *(organization == j for j in range(J)), *(month == t for t in range(1, T))])
    weights = MEMBERS[organization]
    fit = sm.WLS(PMPM.ravel(), X, weights=weights).fit()
    scores = np.array([(X * (weights * fit.resid)[:, None])[organization == j].sum(0) for j in range(J)])
    bread = np.linalg.inv(X.T @ (X * weights[:, None]))
    raw = (bread @ scores.T @ scores @ bread)[0, 0]
    found = conventional.cluster_robust(changes(2))
    factor = J / (J - 1) * (J * T - 1) / (J * T - T - 1)
    assert_allclose([found.estimate, found.se], [fit.params[0], np.sqrt(factor * raw)], rtol=1e-9)
