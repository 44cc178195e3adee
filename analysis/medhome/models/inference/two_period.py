"""Random effects on the changes alone, for studies with totals before and after but no months.

W_j ~ N(mean of the arm, A + v_j) with v_j, the sampling variance of organisation j's change, known from
members. Source: ``docs/methods.md``, few treated organisations, RE-two-period.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medhome.models.inference.contrasts import Contrasts, arm_residuals, signed_weights
from medhome.models.inference.mixture import Mixture, mixture

PRIOR_SCALE = 0.05
GRID_END, GRID_POINTS = 0.20, 121


@dataclass(frozen=True, kw_only=True)
class TwoPeriod:
    """effect: the mixture; A_reml: the likeliest organisation variance; plug_in: effect and error at it."""

    effect: Mixture
    A_reml: float
    plug_in: tuple[float, float]


def re_two_period(
    c: Contrasts,
    sampling_variance: np.ndarray,
    mean: float,
    prior_scale: float | None = PRIOR_SCALE,
    *,
    by_members: bool = False,
) -> TwoPeriod:
    """Interval from changes with known sampling variance (J,); s = sqrt(A) on a grid to 20% of the mean.

    prior_scale: half-normal prior on s as a share of the mean; None for a flat one. by_members: the effect
    is that of member weights, as two-way fixed effects give it, at its own variance, and not that of the
    most precise ones.
    """
    grid = grid_of(c, sampling_variance, mean, prior_scale)
    variance = grid.variance
    weights = signed_weights(1 / variance, c.treated)
    if by_members:
        weights = np.broadcast_to(c.weights(), weights.shape)
    effect, sd = weights @ c.change, np.sqrt((weights**2 * variance).sum(1))
    best = int(grid.loglik.argmax())
    return TwoPeriod(
        effect=mixture(grid.posterior, effect[None], sd[None])[0],
        A_reml=float(grid.sd[best] ** 2),
        plug_in=(float(effect[best]), float(sd[best])),
    )


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Organisations' own sd (G,) in dollars, its restricted log likelihood and posterior (G,), and the
    variance of each organisation's change at it (G, J)."""

    sd: np.ndarray
    loglik: np.ndarray
    posterior: np.ndarray
    variance: np.ndarray


def grid_of(
    c: Contrasts, sampling_variance: np.ndarray, mean: float, prior_scale: float | None = PRIOR_SCALE
) -> Grid:
    """How far do organisations differ by themselves? Arguments as in `re_two_period`."""
    share = np.linspace(0.0, GRID_END, GRID_POINTS)
    variance = (share[:, None] * mean) ** 2 + np.asarray(sampling_variance, dtype=float)
    weights = signed_weights(1 / variance, c.treated)
    residual = arm_residuals(c.change, weights, c.treated)
    precision = 1 / variance
    loglik = -0.5 * (
        np.log(variance).sum(1)
        + np.log(precision[:, c.treated].sum(1))
        + np.log(precision[:, ~c.treated].sum(1))
        + (residual**2 / variance).sum(1)
    )
    posterior = np.exp(loglik - loglik.max())
    posterior[[0, -1]] *= 0.5
    if prior_scale is not None:
        posterior *= np.exp(-0.5 * (share / prior_scale) ** 2)
    return Grid(sd=share * mean, loglik=loglik, posterior=posterior / posterior.sum(), variance=variance)


@dataclass(frozen=True, kw_only=True)
class SizeVariance:
    """V_j = A + B/M_j from the changes alone, by restricted likelihood."""

    A: float
    B: float


def reml_by_size(c: Contrasts) -> SizeVariance:
    """A and B by restricted maximum likelihood over a grid of the share that does not fall with members.

    For comparison only: with few noisy comparisons it gives A = 0 in a fifth of studies.
    """
    typical = 1 / np.mean(1 / c.members)
    lasting = np.r_[0.0, np.geomspace(0.002, 1.0, 70)]
    shape = lasting[:, None] + (1 - lasting[:, None]) * typical / c.members
    weights = signed_weights(1 / shape, c.treated)
    residual = arm_residuals(c.change, weights, c.treated)
    df = len(c.change) - 2
    scale = (residual**2 / shape).sum(1) / df
    loglik = -0.5 * (
        df * np.log(scale)
        + np.log(shape).sum(1)
        + np.log((1 / shape)[:, c.treated].sum(1))
        + np.log((1 / shape)[:, ~c.treated].sum(1))
    )
    best = int(loglik.argmax())
    return SizeVariance(
        A=float(scale[best] * lasting[best]), B=float(scale[best] * (1 - lasting[best]) * typical)
    )
