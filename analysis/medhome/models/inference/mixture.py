"""Mixtures of normals, summarised: what random-effects methods report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """A mixture of normals around an estimate, summarised; dollars PMPM."""

    estimate: float
    sd: float
    ci80: tuple[float, float]
    ci90: tuple[float, float]
    ci95: tuple[float, float]
    p: float
    probability_below_zero: float


def mixture(posterior: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> tuple[Mixture, ...]:
    """Summaries of mixtures of normals: ``posterior`` (G,), ``mean`` and ``sd`` (K, G); one for each row."""
    possible = posterior > 0
    posterior = posterior[possible]
    mean, sd = (x[:, possible] for x in np.broadcast_arrays(np.atleast_2d(mean), np.atleast_2d(sd)))

    def below(x: np.ndarray) -> np.ndarray:
        return (posterior * special.ndtr((x[..., None] - mean[:, None, :]) / sd[:, None, :])).sum(-1)

    levels = np.array([0.025, 0.05, 0.10, 0.90, 0.95, 0.975])
    low = np.repeat((mean - 12 * sd).min(1)[:, None], len(levels), axis=1)
    high = np.repeat((mean + 12 * sd).max(1)[:, None], len(levels), axis=1)
    for _ in range(80):  # 24 standard deviations halved 80 times: nothing is left
        middle = (low + high) / 2
        left = below(middle) < levels
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    q = (low + high) / 2
    negative = below(np.zeros((len(mean), 1)))[:, 0]
    centre = (posterior * mean).sum(1)
    spread = np.sqrt((posterior * (sd**2 + (mean - centre[:, None]) ** 2)).sum(1))
    return tuple(
        Mixture(
            estimate=float(centre[k]),
            sd=float(spread[k]),
            ci80=(float(q[k, 2]), float(q[k, 3])),
            ci90=(float(q[k, 1]), float(q[k, 4])),
            ci95=(float(q[k, 0]), float(q[k, 5])),
            p=float(min(1.0, 2 * min(negative[k], 1 - negative[k]))),
            probability_below_zero=float(negative[k]),
        )
        for k in range(len(mean))
    )
