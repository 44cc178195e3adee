"""Worlds without any effect, as the few-clusters note (section 2) draws them, on organisation-months.

Shocks of organisations (sd 10, autocorrelation 0.8), shocks of sites that no method models (sd 8; one site
for 760 members), members with a monthly sd of 1,505 whose months covary. 17 months before the start and 12
after it.
"""

from __future__ import annotations

import numpy as np

BEFORE, AFTER, MEAN = 17, 12, 300.0
MONTHS = BEFORE + AFTER


def sizes(kind: str, treated: int, comparisons: int) -> np.ndarray:
    """Members: "large" is 19,000 treated each among 500 to 5,000; "equal" is 2,500 everywhere."""
    if kind == "equal":
        return np.full(treated + comparisons, 2500.0)
    spread = 500 * 10 ** ((np.arange(comparisons) + 0.5) / comparisons)
    return np.r_[np.full(treated, 19_000.0), spread]


def member_covariance() -> np.ndarray:
    """Autocorrelations at the lags that the note prints, straight lines between."""
    lag = np.abs(np.subtract.outer(np.arange(MONTHS), np.arange(MONTHS)))
    return 1505.0**2 * np.interp(lag, [0, 1, 3, 6, 12, 24, 28], [1, 0.37, 0.27, 0.19, 0.11, 0.06, 0.05])


def autoregressive(rng: np.random.Generator, sd: float, rho: float, shape: tuple[int, ...]) -> np.ndarray:
    out = np.empty((*shape, MONTHS))
    out[..., 0] = rng.normal(0, sd, shape)
    for t in range(1, MONTHS):
        out[..., t] = rho * out[..., t - 1] + rng.normal(0, sd * np.sqrt(1 - rho**2), shape)
    return out


def draw(rng: np.random.Generator, members: np.ndarray, runs: int, shock_sd: float = 10.0) -> np.ndarray:
    """(runs, J, T) organisation-month means."""
    J = len(members)
    y = MEAN + rng.normal(0, 30, (runs, J, 1)) + rng.normal(0, 10, (runs, 1, MONTHS))
    y = y + autoregressive(rng, shock_sd, 0.8, (runs, J))
    for j, sites in enumerate(np.maximum(1, np.round(members / 760)).astype(int)):
        y[:, j] += autoregressive(rng, 8.0, 0.8, (runs, sites)).mean(1)
    root = np.linalg.cholesky(member_covariance())
    return y + (rng.normal(size=(runs, J, MONTHS)) @ root.T) / np.sqrt(members)[:, None]
