"""RE-panel: golden values, and what must not depend on how the data are written down."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from few_organizations import AFTER, BEFORE, MEAN, MEMBERS, MONTHS, PMPM, VALUES, covariance, treated
from numpy.testing import assert_allclose

from medhome.models.inference.member_covariance import member_covariance
from medhome.models.inference.random_effects import re_panel, re_panel_runs
from medhome.study.cells import MonthPairs
from medhome.study.problems import ModelRefusal

PAIR_COLUMNS = ["organization_id", "month_s", "month_t", "members", "sum_s", "sum_t", "sum_st"]


def fit(y=PMPM, members=MEMBERS, treat=None, sig=None, **options):
    return re_panel(
        y,
        members,
        treated(1) if treat is None else treat,
        BEFORE,
        covariance() if sig is None else sig,
        MEAN,
        **options,
    )


@pytest.mark.parametrize("count", [1, 2])
def test_golden(count):
    golden = VALUES[f"treated_{count}"]["re_panel"]
    found = fit(treat=treated(count))
    assert_allclose(found.grid["loglik"].iloc[0], golden["loglik_0"], rtol=1e-7)
    point = found.grid[np.isclose(found.grid["sigma_share"], 0.05) & (found.grid["rho"] == 0.8)].iloc[0]
    at = golden["at_05_08"]
    assert_allclose(
        [point["loglik"], point["A"], point["var_did"], point["gls"], point["var_gls"]],
        [at["loglik"], at["A"], at["var_did"], at["gls"], at["var_gls"]],
        rtol=1e-7,
    )
    assert_allclose(
        [found.A_mean, found.sigma_mean, found.rho_mean],
        [golden["A_mean"], golden["sigma_mean"], golden["rho_mean"]],
        rtol=1e-7,
    )
    assert_allclose(
        [found.effect.estimate, found.effect.probability_below_zero, found.effect.p],
        [golden["did"]["mean"], golden["did"]["pr_below_0"], golden["did"]["p"]],
        rtol=1e-7,
    )
    assert_allclose([found.gls.estimate, found.gls.p], [golden["gls"]["mean"], golden["gls"]["p"]], rtol=1e-7)
    for mine, theirs in (
        (found.effect, golden["did"]["ci"]),
        (found.gls, golden["gls"]["ci"]),
        (found.flat[0], golden["did_ci_flat"]),
        (found.narrow[0], golden["did_ci_05"]),
    ):
        assert_allclose(mine.ci95, theirs, rtol=1e-5)


def test_an_effect_moves_estimate_and_interval_and_nothing_else():
    moved = np.where(treated(1)[:, None] & AFTER, PMPM + 12.5, PMPM)
    old, new = fit(), fit(moved)
    assert_allclose(np.subtract(new.effect.ci95, old.effect.ci95), [12.5, 12.5], atol=1e-7)
    assert_allclose(np.subtract(new.gls.ci90, old.gls.ci90), [12.5, 12.5], atol=1e-7)
    assert_allclose(new.grid["loglik"], old.grid["loglik"], rtol=1e-10)
    assert_allclose(new.A_mean, old.A_mean, rtol=1e-10)


def test_order_and_organisation_constants_do_not_matter():
    order = np.array([4, 0, 8, 2, 6, 1, 3, 7, 5])
    constants = np.linspace(-100, 250, 9)[:, None]
    again = fit((PMPM + constants)[order], MEMBERS[order], treated(2)[order])
    first = fit(treat=treated(2))
    assert_allclose(again.effect.ci95, first.effect.ci95, rtol=1e-9)
    assert_allclose(again.gls.ci95, first.gls.ci95, rtol=1e-8)


def test_dollars_scale_and_p_does_not():
    k = 7.0
    big = re_panel(PMPM * k, MEMBERS, treated(1), BEFORE, covariance() * k**2, MEAN * k)
    assert_allclose(big.effect.ci95, np.multiply(fit().effect.ci95, k), rtol=1e-9)
    assert_allclose(big.effect.p, fit().effect.p, rtol=1e-9)
    assert_allclose(big.A_mean, fit().A_mean * k**2, rtol=1e-9)


def test_members_and_their_covariance_doubled_change_nothing():
    double = fit(members=MEMBERS * 2, sig=covariance() * 2)
    assert_allclose(double.effect.ci95, fit().effect.ci95, rtol=1e-10)


def test_without_organisation_shocks_it_is_the_known_variance_interval():
    found = fit().grid.iloc[0]
    share = np.r_[-np.ones(BEFORE) / BEFORE, np.ones(MONTHS - BEFORE) / (MONTHS - BEFORE)]
    a = np.r_[1.0, MEMBERS[1:] / MEMBERS[1:].sum()]
    assert found["sigma"] == 0
    assert_allclose(found["var_did"], (a**2 / MEMBERS).sum() * (share @ covariance() @ share), rtol=1e-12)


def test_weights_share_the_pass_and_default_weights_are_the_change_by_members():
    a = np.r_[1.0, -MEMBERS[1:] / MEMBERS[1:].sum()]
    c = np.where(AFTER, 1 / 4, -1 / 6)
    by_hand = np.outer(a, c)
    other = np.zeros_like(by_hand)
    other[:, 9], other[:, 5] = a, -a
    found = fit(weights=np.stack([by_hand, other]))
    assert_allclose(found.effects[0].ci95, fit().effect.ci95, rtol=1e-12)
    assert_allclose(found.effects[1].estimate, a @ (PMPM[:, 9] - PMPM[:, 5]), rtol=1e-12)
    total = found.drift_variance[0].sum() + found.sampling_variance[0]
    assert_allclose(total, found.effects[0].sd ** 2, rtol=1e-9)


def brute_force(y, members, treat, after, months, sig, sigma, rho, target):
    """Restricted likelihood and GLS of one grid point from full matrices of all observed cells."""
    J, T = y.shape
    seen = [(j, t) for j in range(J) for t in range(T) if members[j, t] > 0]
    V = np.zeros((len(seen), len(seen)))
    columns = []
    for j in range(J):
        columns.append([float(i == j) for i, _ in seen])
    for m in range(T):
        columns.append([float(t == m and not (treat[j] and after[t])) for j, t in seen])
        if after[m]:
            columns.append([float(t == m and treat[j]) for j, t in seen])
    X = np.array(columns).T
    for r, (j, s) in enumerate(seen):
        for c, (k, t) in enumerate(seen):
            if j == k:
                V[r, c] = sigma**2 * rho ** abs(months[s] - months[t]) + sig[s, t] / np.sqrt(
                    members[j, s] * members[j, t]
                )
    z = np.array([y[j, t] for j, t in seen])
    Vi = np.linalg.inv(V)
    values = np.linalg.eigvalsh(X.T @ Vi @ X)
    kept = values[values > values.max() * 1e-10]
    beta = np.linalg.pinv(X.T @ Vi @ X, rcond=1e-10) @ X.T @ Vi @ z
    e = z - X @ beta
    quadratic = e @ Vi @ e
    return -0.5 * (np.linalg.slogdet(V)[1] + np.log(kept).sum() + quadratic), target(beta, J)


def test_gaps_in_the_calendar_and_months_without_members():
    months = np.array([0, 1, 2, 3, 4, 5, 9, 10, 11, 12])
    members = np.repeat(MEMBERS[:, None], MONTHS, axis=1) * np.linspace(1.0, 1.2, MONTHS)
    members[3, [0, 7]] = 0
    y = PMPM.copy()
    y[3, [0, 7]] = np.nan
    found = re_panel(y, members, treated(2), 9, covariance(months), MEAN, months=months)
    point = found.grid[np.isclose(found.grid["sigma_share"], 0.1) & (found.grid["rho"] == 0.9)].iloc[0]
    origin = found.grid.iloc[0]

    def mean_effect(beta, J):
        post = beta[J + BEFORE :].reshape(-1, 2)  # common, own
        return (post[:, 1] - post[:, 0]).mean()

    at = [
        brute_force(y, members, treated(2), AFTER, months, covariance(months), s * MEAN, r, mean_effect)
        for s, r in ((0.1, 0.9), (0.0, 0.3))
    ]
    # A pseudo-determinant over more parameters shifts by a constant; differences between points do not.
    assert_allclose(point["loglik"] - origin["loglik"], at[0][0] - at[1][0], rtol=1e-7)
    assert_allclose([point["gls"], origin["gls"]], [at[0][1], at[1][1]], rtol=1e-7)


def test_an_organisation_without_members_changes_nothing():
    members = np.vstack([np.repeat(MEMBERS[:, None], MONTHS, axis=1), np.zeros(MONTHS)])
    found = fit(np.vstack([PMPM, np.full(MONTHS, np.nan)]), members, np.r_[treated(1), False])
    assert_allclose(found.effect.ci95, fit().effect.ci95, rtol=1e-10)
    assert_allclose(found.gls.ci95, fit().gls.ci95, rtol=1e-9)


def test_many_runs_of_one_design_equal_one_at_a_time():
    rng = np.random.default_rng([1, 1])
    runs = PMPM + rng.normal(0, 20, (3, *PMPM.shape))
    together, spread = re_panel_runs(runs, MEMBERS, treated(1), BEFORE, covariance(), MEAN)
    for k in range(3):
        alone = fit(runs[k])
        assert not alone.widened
        assert_allclose(together[k].ci95, alone.effect.ci95, rtol=1e-9)
        assert_allclose(spread[k], alone.A_mean, rtol=1e-9)


def test_a_posterior_at_the_end_of_the_grid_widens_it():
    rng = np.random.default_rng([1, 2])
    wild = PMPM + np.cumsum(rng.normal(0, 120, PMPM.shape), axis=1)
    found = fit(wild)
    assert found.widened
    assert found.grid["sigma_share"].max() > 0.2


def test_member_covariance_by_hand():
    # Organisation A: two members with 1, 3 dollars, then 2, 8; B: one member in month 1 only (no deviation).
    # Deviations A: month 1 -1, +1; month 2 -3, +3. Lag 0: (2 + 18 + 0) / (2 + 2 + 1); lag 1: 6 / sqrt(4).
    frame = pd.DataFrame(
        [
            ("A", 1, 1, 2, 400, 400, 100**2 + 300**2),
            ("A", 1, 2, 2, 400, 1000, 100 * 200 + 300 * 800),
            ("A", 2, 2, 2, 1000, 1000, 200**2 + 800**2),
            ("B", 1, 1, 1, 500, 500, 500**2),
        ],
        columns=PAIR_COLUMNS,
    )
    found = member_covariance(MonthPairs(frame=frame), (1, 2))
    assert_allclose([found.by_lag[0], found.by_lag[1]], [20 / 5, 6 / 2], rtol=1e-14)
    assert_allclose(found.matrix, [[4, 3], [3, 4]], rtol=1e-12)
    assert_allclose(found.contrast_variance(np.array([-1.0, 1.0]), 10), 0.2, rtol=1e-12)


def test_member_covariance_equals_rows_with_turnover():
    rng = np.random.default_rng([1, 3])
    months, members = 5, 60
    cents = rng.integers(0, 90_000, (members, months)) * rng.integers(0, 2, (members, months))
    here = rng.random((members, months)) < 0.8
    home = rng.integers(0, 3, members)
    rows = []
    for o in range(3):
        for s in range(months):
            for t in range(s, months):
                both = here[:, s] & here[:, t] & (home == o)
                x, z = cents[both, s], cents[both, t]
                rows.append((f"O{o}", s, t, both.sum(), x.sum(), z.sum(), (x * z).sum()))
    frame = pd.DataFrame(rows, columns=PAIR_COLUMNS)
    found = member_covariance(MonthPairs(frame=frame), range(months))
    top, bottom = np.zeros(months), np.zeros(months)
    for o in range(3):
        inside = here & (home == o)[:, None]
        e = np.where(inside, cents / 100 - (cents / 100 * inside).sum(0) / inside.sum(0), 0.0)
        for s in range(months):
            for t in range(s, months):
                top[t - s] += (e[:, s] * e[:, t]).sum()
                bottom[t - s] += np.sqrt(inside[:, s].sum() * inside[:, t].sum())
    assert_allclose([found.by_lag[k] for k in range(months)], top / bottom, rtol=1e-12)
    assert np.linalg.eigvalsh(found.matrix).min() > 0


def test_refusals():
    bad = PMPM.copy()
    bad[2, 3] = np.inf
    with pytest.raises(ModelRefusal, match="not finite"):
        fit(bad)
    with pytest.raises(ModelRefusal, match="before the start"):
        re_panel(PMPM, MEMBERS, treated(1), 0, covariance(), MEAN)
    with pytest.raises(ModelRefusal, match="arm has none"):
        fit(treat=treated(0))
    flat = pd.DataFrame(
        {
            "organization_id": ["A"],
            "month_s": [1],
            "month_t": [1],
            "members": [3],
            "sum_s": [300],
            "sum_t": [300],
            "sum_st": [30_000],
        }
    )
    with pytest.raises(ModelRefusal, match="no variation"):
        member_covariance(MonthPairs(frame=flat), (1,))
    with pytest.raises(ModelRefusal, match="no member in month 2000-03"):
        member_covariance(MonthPairs(frame=flat), (1, 24002))
