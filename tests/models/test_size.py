"""Does the headline interval keep its promise? 300 studies without any effect, of the few-clusters note.

The world of its section 2, setting "large, 12": one treated organisation of 19,000 members in 25 sites, twelve
comparisons of 500 to 5,000, 17 months before and 12 after, shocks of organisations (sd 10, autocorrelation
0.8) and, on purpose not in the model, of sites (sd 8). Among 300 such studies a true 5% test rejects 5 to 27
with probability 0.998. Larger runs: ``benchmarks/few_clusters.py``.
"""

from __future__ import annotations

import numpy as np

from medhome.models.inference.random_effects import re_panel_runs

RUNS, BEFORE, AFTER, MEAN = 300, 17, 12, 300.0
MONTHS = BEFORE + AFTER


def member_covariance() -> np.ndarray:
    """Monthly sd 1,505; autocorrelations at the lags that the note prints, straight lines between."""
    lag = np.abs(np.subtract.outer(np.arange(MONTHS), np.arange(MONTHS)))
    return 1505.0**2 * np.interp(lag, [0, 1, 3, 6, 12, 24, 28], [1, 0.37, 0.27, 0.19, 0.11, 0.06, 0.05])


def autoregressive(rng: np.random.Generator, sd: float, rho: float, shape: tuple[int, ...]) -> np.ndarray:
    out = np.empty((*shape, MONTHS))
    out[..., 0] = rng.normal(0, sd, shape)
    for t in range(1, MONTHS):
        out[..., t] = rho * out[..., t - 1] + rng.normal(0, sd * np.sqrt(1 - rho**2), shape)
    return out


def test_headline_interval_keeps_its_level():
    rng = np.random.default_rng([20080601, 12])
    members = np.r_[19_000, 500 * 10 ** ((np.arange(12) + 0.5) / 12)]
    sites = np.maximum(1, np.round(members / 760)).astype(int)
    covariance = member_covariance()
    # The note's members vary by 809,538 in this contrast; the interpolated ones are close to that.
    c = np.r_[np.full(BEFORE, -1 / BEFORE), np.full(AFTER, 1 / AFTER)]
    assert 0.9 < c @ covariance @ c / 809_538 < 1.1
    y = MEAN + rng.normal(0, 30, (RUNS, 13, 1)) + rng.normal(0, 10, (RUNS, 1, MONTHS))
    y = y + autoregressive(rng, 10.0, 0.8, (RUNS, 13))
    for j, s in enumerate(sites):
        y[:, j] += autoregressive(rng, 8.0, 0.8, (RUNS, s)).mean(1)
    root = np.linalg.cholesky(covariance)
    y += (rng.normal(size=(RUNS, 13, MONTHS)) @ root.T) / np.sqrt(members)[:, None]

    found, A = re_panel_runs(y, members, np.arange(13) == 0, BEFORE, covariance, MEAN)
    rejected = sum(not f.ci95[0] <= 0 <= f.ci95[1] for f in found)
    length = np.median([f.ci95[1] - f.ci95[0] for f in found])
    assert 5 <= rejected <= 27
    assert 46 < length < 56  # 51 in the note
    assert 6.0 < np.median(np.sqrt(A)) < 11.0  # truth 8.4 and the sites' 0.3 to 1.6 beside it
    print(rejected, length, np.median(np.sqrt(A)))
