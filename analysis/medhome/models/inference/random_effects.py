"""Random-effects intervals for one or few treated organisations (RE-panel, RE-two-period).

The question: how far would the difference in differences have moved without any program, given how
organisations wander and how few members they have? Both sources are in the variance

    V_j(sigma, rho) = sigma^2 R(rho) + Sig / sqrt(M_j M_j'),      R_st = rho^|s - t|

of organisation j's months: shocks of a whole organisation (sd sigma, autocorrelation rho) and the sampling
of its members (Sig is the covariance of one member's months, M_j its members by month). sigma and rho are
integrated over a grid with their restricted likelihood; the interval is that of the resulting mixture.

The front door, stable for other modules of ``models``::

    re_panel(y, members, treated, first_post, covariance, mean, *,
             months=None,            # (T,) month indices; 0..T-1 when left out; gaps (washout) are kept
             weights=None,           # (J, T) or (K, J, T): estimates are sum(weights * y); default a_j c_t
             estimates=None,         # (K,) when the estimate is known from finer data (practices)
             sampling_variance=None, # (K,) when known from finer data; else from weights and covariance
             shares=None,            # (T,) pre/post contrast that defines A; equal months by default
             prior_scale=0.08) -> RePanel

``first_post`` is a month index: the months ``>= first_post`` are the performance period. ``covariance`` is
(T, T), dollars squared, as `MemberCovariance.matrix` gives it. ``mean`` is the comparisons' baseline PMPM.
The member covariance comes from ``member_covariance.member_covariance(pairs, months)``.
``RePanel.effects[k]`` is a `Mixture` (estimate, sd, ci80, ci90, ci95, p, probability_below_zero); ``effect``
is the first of them. The likelihood does not depend on the weights, so all K share one grid pass.

Source: ``docs/methods.md``, few treated organisations. The combination of known parts has no outside
reference; its proof is the simulation of that note and the golden numbers in ``tests/models``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.models.inference.contrasts import month_shares
from medhome.models.inference.mixture import Mixture, mixture
from medhome.models.inference.panel_likelihood import (
    AUTOCORRELATIONS,
    Grid,
    OrganizationMonths,
    correlation,
    grid_likelihood,
    quadratic_forms,
)
from medhome.study.problems import ModelRefusal

PRIOR_SCALE = 0.08
"""Scale of the half-normal prior on sigma, as a share of the mean: about twice what public files of 548
shared-savings organisations show, so that the data speak (few-clusters note, section 3.8)."""

NARROW_PRIOR_SCALE = 0.05
GRID_END = 0.20
WIDEST_GRID_END = 1.60
END_SHARE_ALLOWED = 0.01


@dataclass(frozen=True, kw_only=True)
class RePanel:
    """What RE-panel found.

    effects: one `Mixture` for each weight vector; gls: the generalised least squares alternative (always
        the mean over performance months, whatever the weights).
    flat, narrow: ``effects`` under a flat prior and under a prior of scale 5%.
    grid: one row per grid point: ``sigma_share`` (of the mean), ``sigma``, ``rho``, ``loglik``,
        ``posterior``, ``A`` (variance of one organisation's pre/post contrast), ``var_did`` (first weights),
        ``gls``, ``var_gls``.
    A_mean, sigma_mean, rho_mean: posterior means; sigma in dollars PMPM.
    end_share: posterior on the last sigma of the grid; ``widened``: the grid was made wider for it.
    drift_variance: (K, J) posterior mean of each organisation's part that comes from its own shocks
        (zero for organisations without members); drift_covariance: (K, K) the same of all organisations
        together, for estimates taken jointly.
    sampling_variance: (K,) the part that comes from members.
    """

    effects: tuple[Mixture, ...]
    gls: Mixture
    flat: tuple[Mixture, ...]
    narrow: tuple[Mixture, ...]
    grid: pd.DataFrame
    A_mean: float
    sigma_mean: float
    rho_mean: float
    end_share: float
    widened: bool
    drift_variance: np.ndarray
    drift_covariance: np.ndarray
    sampling_variance: np.ndarray

    @property
    def effect(self) -> Mixture:
        return self.effects[0]


def re_panel(
    y: np.ndarray,
    members: np.ndarray,
    treated: np.ndarray,
    first_post: int,
    covariance: np.ndarray,
    mean: float,
    *,
    months: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    estimates: np.ndarray | None = None,
    sampling_variance: np.ndarray | None = None,
    shares: np.ndarray | None = None,
    prior_scale: float = PRIOR_SCALE,
) -> RePanel:
    """RE-panel interval of any linear estimators on an organisation-month panel; see the top of the module.

    y: (J, T) dollars PMPM; values of months without members are ignored. members: (J,) or (J, T).
    Raises `ModelRefusal` when an arm or a side of the start is empty, or a number is not finite.

    >>> y = np.array([[300., 310., 290.], [280., 300., 310.], [305., 300., 320.]])
    >>> cov = 2e6 * (0.3 * 0.85 ** abs(np.subtract.outer(range(3), range(3))) + 0.7 * np.eye(3))
    >>> fit = re_panel(y, np.array([5000, 2000, 3000]), np.array([True, False, False]), 2, cov, 300.)
    >>> round(fit.effect.estimate, 2)
    -33.5
    """
    panel = OrganizationMonths.of(y, members, treated, first_post, covariance, months)
    weights = panel.default_weights() if weights is None else np.asarray(weights, dtype=float)
    weights = np.where(panel.present, weights.reshape(-1, *panel.y.shape), 0.0)
    if estimates is None:
        estimates = (weights * panel.y).sum((1, 2))
    if sampling_variance is None:
        sampling_variance = panel.sampling_variance(weights).sum(1)
    estimates = np.atleast_1d(np.asarray(estimates, dtype=float))
    sampling_variance = np.atleast_1d(np.asarray(sampling_variance, dtype=float))
    if not all(np.isfinite(x).all() for x in (weights, estimates, sampling_variance, np.array(mean))):
        raise ModelRefusal("RE-panel: a weight, an estimate, a sampling variance or the mean is not finite")

    grid, posterior, end_share, widened = integrated(panel, mean, prior_scale)
    # One organisation's drift variance is sigma^2 w'R(rho)w: one quadratic form for each autocorrelation.
    rho_index = np.searchsorted(AUTOCORRELATIONS, grid.rho)
    sigma2 = (grid.sigma_share * mean) ** 2
    unit = np.stack([quadratic_forms(weights, correlation(panel.months, r)) for r in AUTOCORRELATIONS])
    variance = sigma2[:, None] * unit.sum(2)[rho_index] + sampling_variance  # (G, K)
    A = sigma2 * _contrast_variance(panel, shares)[rho_index]
    drift = expected_drift(panel.months, rho_index, posterior * sigma2)
    centre, sd = np.broadcast_to(estimates[:, None], variance.T.shape), np.sqrt(variance.T)
    table = pd.DataFrame(
        {
            "sigma_share": grid.sigma_share,
            "sigma": grid.sigma_share * mean,
            "rho": grid.rho,
            "loglik": grid.loglik[0],
            "posterior": posterior,
            "A": A,
            "var_did": variance[:, 0],
            "gls": grid.gls[0],
            "var_gls": grid.var_gls,
        }
    )
    return RePanel(
        effects=mixture(posterior, centre, sd),
        gls=mixture(posterior, grid.gls[0], np.sqrt(grid.var_gls))[0],
        flat=mixture(_posterior(grid.loglik[0], grid.sigma_share, None), centre, sd),
        narrow=mixture(_posterior(grid.loglik[0], grid.sigma_share, NARROW_PRIOR_SCALE), centre, sd),
        grid=table,
        A_mean=float(posterior @ A),
        sigma_mean=float(posterior @ (grid.sigma_share * mean)),
        rho_mean=float(posterior @ grid.rho),
        end_share=end_share,
        widened=widened,
        drift_variance=np.einsum("g,gkj->kj", posterior * sigma2, unit[rho_index]),
        drift_covariance=np.einsum("kjt,ljt->kl", weights @ drift, weights),
        sampling_variance=sampling_variance,
    )


def under_shocks_of(
    found: RePanel,
    months: np.ndarray,
    weights: np.ndarray,
    estimates: np.ndarray,
    sampling_variance: np.ndarray,
) -> tuple[Mixture, ...]:
    """Intervals of further estimates (K,) under shocks of organisations that were estimated before.

    For estimates on a part of the organisations, where fitting the shocks anew each time would take long and
    rest on less. weights: (K, J, T) on organisation-months, ``months`` (T,); sampling_variance: (K,).
    """
    rho_index = np.searchsorted(AUTOCORRELATIONS, found.grid["rho"].to_numpy())
    unit = np.stack([quadratic_forms(weights, correlation(months, r)).sum(1) for r in AUTOCORRELATIONS])
    variance = found.grid["sigma"].to_numpy()[:, None] ** 2 * unit[rho_index] + sampling_variance  # (G, K)
    centre = np.broadcast_to(np.asarray(estimates)[:, None], variance.T.shape)
    return mixture(found.grid["posterior"].to_numpy(), centre, np.sqrt(variance.T))


def integrated(
    panel: OrganizationMonths, mean: float, prior_scale: float
) -> tuple[Grid, np.ndarray, float, bool]:
    """The grid's likelihood and posterior, the posterior on its last sigma, and whether it was widened."""
    end, widened = GRID_END, False
    while True:
        grid = grid_likelihood(panel, panel.y[None], mean, end)
        posterior = _posterior(grid.loglik[0], grid.sigma_share, prior_scale)
        end_share = float(posterior[grid.sigma_share == grid.sigma_share.max()].sum())
        if end_share <= END_SHARE_ALLOWED or end >= WIDEST_GRID_END:
            return grid, posterior, end_share, widened
        end, widened = 2 * end, True


def expected_drift(months: np.ndarray, rho_index: np.ndarray, weighted_sigma2: np.ndarray) -> np.ndarray:
    """(T, T) posterior mean of the covariance of one organisation's own shocks.

    Arguments
        rho_index, weighted_sigma2: by grid point, its autocorrelation and posterior times sigma squared.
    """
    by_rho = np.bincount(rho_index, weighted_sigma2, len(AUTOCORRELATIONS))
    drift = correlation(months, AUTOCORRELATIONS[0]) * by_rho[0]
    for share, rho in zip(by_rho[1:], AUTOCORRELATIONS[1:], strict=True):
        drift = drift + share * correlation(months, rho)
    return drift


def re_panel_runs(
    y: np.ndarray,
    members: np.ndarray,
    treated: np.ndarray,
    first_post: int,
    covariance: np.ndarray,
    mean: float,
    *,
    months: np.ndarray | None = None,
    prior_scale: float = PRIOR_SCALE,
) -> tuple[tuple[Mixture, ...], np.ndarray]:
    """RE-panel for many outcome panels (N, J, T) of one design: the grid's matrices are made once.

    Gives one `Mixture` for each panel (default weights) and the posterior means of A (N,). For simulations;
    the grid is not widened.
    """
    y = np.asarray(y, dtype=float)
    panel = OrganizationMonths.of(y[0], members, treated, first_post, covariance, months)
    runs = np.where(panel.present, y, 0.0)
    grid = grid_likelihood(panel, runs, mean, GRID_END)
    weights = panel.default_weights()[None]
    unit = np.array([quadratic_forms(weights, correlation(panel.months, r)).sum() for r in AUTOCORRELATIONS])
    rho_index, sigma2 = np.searchsorted(AUTOCORRELATIONS, grid.rho), (grid.sigma_share * mean) ** 2
    sd = np.sqrt(sigma2 * unit[rho_index] + panel.sampling_variance(weights).sum())
    A = sigma2 * _contrast_variance(panel, None)[rho_index]
    posterior = [_posterior(loglik, grid.sigma_share, prior_scale) for loglik in grid.loglik]
    results = [
        mixture(p, np.full((1, len(sd)), estimate), sd[None])[0]
        for p, estimate in zip(posterior, (weights * runs).sum((1, 2)), strict=True)
    ]
    return tuple(results), np.array(posterior) @ A


def _posterior(loglik: np.ndarray, sigma_share: np.ndarray, prior_scale: float | None) -> np.ndarray:
    """Posterior of the grid points: trapezoid in sigma, equal in rho, half-normal prior (None: flat)."""
    ends = (sigma_share == sigma_share.min()) | (sigma_share == sigma_share.max())
    weight = np.exp(loglik - loglik.max()) * np.where(ends, 0.5, 1.0)
    if prior_scale is not None:
        weight = weight * np.exp(-0.5 * (sigma_share / prior_scale) ** 2)
    return weight / weight.sum()


def _contrast_variance(panel: OrganizationMonths, shares: np.ndarray | None) -> np.ndarray:
    """c'R(rho)c of the pre/post contrast, one value for each autocorrelation."""
    c = month_shares(panel.after) if shares is None else np.asarray(shares, dtype=float)
    return np.array([c @ correlation(panel.months, r) @ c for r in AUTOCORRELATIONS])
