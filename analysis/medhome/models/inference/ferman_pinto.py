"""Ferman and Pinto's test for few treated groups of different size, as published and as recommended here.

Both divide the organisations' residual changes by a variance that depends on size, V_j = A + B/M_j, and
draw them again for every organisation with a random sign. They differ in where V comes from. As published,
the null is imposed on all organisations and squared residuals are fitted on 1/M: with one large treated
organisation its own residual decides A, and the test is nearly blind. As recommended, B is known from
members and A from the months (RE-panel).

Source: Ferman and Pinto 2019, Review of Economics and Statistics 101; the recommended form and the evidence
for it: ``docs/methods.md``, few treated organisations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medhome.models.inference.contrasts import Contrasts, arm_residuals, signed_weights

DRAWS = 9999


@dataclass(frozen=True, kw_only=True)
class Standardized:
    """Residual changes on one scale: ``z`` (K,) to draw from, ``variance`` (J,) to give back their size."""

    z: np.ndarray
    variance: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """p counts the data once; q90 and q95 are quantiles of |effect| under the null: interval estimate ± q."""

    p: float
    q90: float
    q95: float
    draws: int


def published(c: Contrasts) -> Standardized:
    """V from weighted least squares of squared residuals on 1/M, all organisations, null imposed."""
    weight = c.members / c.members.sum()
    residual = c.change - weight @ c.change
    square, inverse = residual**2, 1 / c.members
    level, mean_inverse = weight @ square, weight @ inverse
    if np.ptp(inverse) < 1e-12:
        variance = np.full(len(square), square.mean())
    else:
        centred = inverse - mean_inverse
        slope = (weight * centred * (square - level)).sum() / (weight * centred**2).sum()
        variance = level - slope * mean_inverse + slope * inverse
        if variance.min() <= 0 and slope <= 0:
            variance = np.full(len(square), level)
        elif variance.min() <= 0:
            variance = (weight * square * inverse).sum() / (weight * inverse**2).sum() * inverse
    return Standardized(z=residual / np.sqrt(variance), variance=variance)


def recommended(c: Contrasts, organization_variance: float, sampling_variance: np.ndarray) -> Standardized:
    """V = A + v_j: A the posterior mean of RE-panel, v_j (J,) each organisation's sampling variance (B/M_j).

    Residuals from the arms' generalised least squares means, corrected for leverage and scaled to unit mean
    square; a lone treated organisation is left out, since its residual is zero by construction.
    """
    variance = organization_variance + np.asarray(sampling_variance, dtype=float)
    share = signed_weights(1 / variance, c.treated)
    residual = arm_residuals(c.change, share, c.treated)
    z = residual / np.sqrt(variance * np.maximum(1 - np.abs(share), 1e-9))
    if c.treated_count == 1:
        z = z[~c.treated]
    return Standardized(z=z / np.sqrt((z**2).mean()), variance=variance)


def random_draws(
    kept: int, organizations: int, rng: np.random.Generator, number: int = DRAWS
) -> tuple[np.ndarray, np.ndarray]:
    """Indices below ``kept`` and signs, both (number, organisations)."""
    index = rng.integers(0, kept, (number, organizations))
    return index, rng.integers(0, 2, (number, organizations)) * 2.0 - 1.0


def bootstrap(
    c: Contrasts, scaled: Standardized, index: np.ndarray, sign: np.ndarray, estimate: float | None = None
) -> Bootstrap:
    """Two-sided test of the member-weighted effect (or ``estimate``) against effects drawn under the null."""
    actual = abs(c.effect() if estimate is None else estimate)
    drawn = np.abs((scaled.z[index] * sign * np.sqrt(scaled.variance)) @ c.weights())
    p = (1 + int((drawn >= actual).sum())) / (1 + len(drawn))
    q90, q95 = np.quantile(drawn, [0.90, 0.95])
    return Bootstrap(p=p, q90=float(q90), q95=float(q95), draws=len(drawn))
