"""Members with skewed, persistent cost, most months zero: a bank of paths to draw organisations from.

The bank is set to the moments that the few-clusters note prints (mean 300, monthly sd some 1,500, 62% zero
months, a path's months correlated 0.37 at one lag and 0.06 at 24); `moments` says what it has.
"""

from __future__ import annotations

from functools import cache

import few_cluster_worlds as worlds
import numpy as np

PATHS, CAP_USD = 400_000, 100_000.0


@cache
def bank(seed: int = 20080601) -> np.ndarray:
    """(PATHS, months) dollars: a lasting frailty, illness that fades by month, no cost in most months."""
    rng = np.random.default_rng([seed, 400])
    T = worlds.MONTHS
    frailty = rng.normal(size=(PATHS, 1))
    illness = np.empty((PATHS, T))
    illness[:, 0] = rng.normal(size=PATHS)
    for t in range(1, T):
        illness[:, t] = 0.8 * illness[:, t - 1] + 0.6 * rng.normal(size=PATHS)
    latent = np.sqrt(0.35) * frailty + np.sqrt(0.65) * illness
    seen = latent + 0.8 * rng.normal(size=(PATHS, T))
    amount = np.exp(1.6 * latent + 0.8 * rng.normal(size=(PATHS, T)))
    cost = np.where(seen > np.quantile(seen, 0.62), amount, 0)
    cost = np.minimum(cost * (worlds.MEAN / cost.mean()), CAP_USD)
    return (cost * (worlds.MEAN / cost.mean())).astype(np.float32)


def moments(paths: np.ndarray) -> dict[str, float]:
    """What the bank's members are like: sd, share of zero months, autocorrelations."""
    x = paths.astype(float) - paths.mean(0)
    variance = (x**2).mean()
    lags = {
        f"autocorrelation_{k}": float((x[:, k:] * x[:, :-k]).mean() / variance) for k in (1, 3, 6, 12, 24)
    }
    return {"sd": float(variance**0.5), "zero_share": float((paths == 0).mean()), **lags}


def organization_months(
    paths: np.ndarray, members: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(J, T) means of drawn members with shocks of organisations and sites, and the covariance estimated.

    The covariance is that of `models.inference.member_covariance`: cross-products of deviations from the
    organisation's month, averaged by lag, here without turnover.
    """
    T = paths.shape[1]
    y, products, count = np.empty((len(members), T)), np.zeros((T, T)), 0
    for j, size in enumerate(members.astype(int)):
        own = paths[rng.integers(0, len(paths), size)].astype(float)
        y[j] = own.mean(0)
        own -= y[j]
        products += own.T @ own
        count += size
    lag = np.abs(np.subtract.outer(np.arange(T), np.arange(T)))
    by_lag = np.array([products[lag == k].mean() for k in range(T)]) / count
    values, vectors = np.linalg.eigh(by_lag[lag])
    covariance = (vectors * np.maximum(values, 1e-3 * by_lag[0])) @ vectors.T
    shocks = worlds.autoregressive(rng, 10.0, 0.8, (len(members),))
    for j, sites in enumerate(np.maximum(1, np.round(members / 760)).astype(int)):
        shocks[j] += worlds.autoregressive(rng, 8.0, 0.8, (sites,)).mean(0)
    return y + shocks + rng.normal(0, 30, (len(members), 1)) + rng.normal(0, 10, (1, T)), covariance
