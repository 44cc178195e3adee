"""Members with skewed, persistent cost, most months zero: a bank of paths to draw organisations from.

The bank is set to the moments that the few-clusters note prints (mean 300, monthly sd some 1,500, 62% zero
months, a path's months correlated 0.37 at one lag and 0.06 at 24); `moments` says what it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import few_cluster_worlds as worlds
import numpy as np

PATHS, CAP_USD = 400_000, 100_000.0
BLOCK = 25
"""Members are drawn so many at a time: sums of independent paths, made once."""


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


@dataclass(frozen=True)
class Blocks:
    """Sums over `BLOCK` paths each. cost: (B, months); products: (B, months) by lag, the mean over pairs of
    months that far apart of x_s x_t, summed over the paths."""

    cost: np.ndarray
    products: np.ndarray


@cache
def blocks(seed: int = 20080601) -> Blocks:
    """The bank in blocks: an organisation of n members is n / `BLOCK` of them, drawn with replacement."""
    paths = bank(seed).astype(float).reshape(PATHS // BLOCK, BLOCK, -1)
    T = paths.shape[2]
    products = np.stack([(paths[:, :, k:] * paths[:, :, : T - k]).mean(2).sum(1) for k in range(T)], axis=1)
    return Blocks(cost=paths.sum(1), products=products)


def whole_blocks(members: np.ndarray) -> np.ndarray:
    """Members rounded to whole blocks."""
    return np.maximum(1, np.round(members / BLOCK)) * BLOCK


def organization_months(
    found: Blocks, members: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(J, T) means of drawn members with shocks of organisations and sites, and the covariance estimated.

    The covariance is that of `models.inference.member_covariance`: cross-products of deviations from the
    organisation's month, averaged by lag, here without turnover. members: of `whole_blocks`.
    """
    T = found.cost.shape[1]
    count = (members / BLOCK).astype(int)
    drawn = rng.integers(0, len(found.cost), count.sum())
    first = np.r_[0, np.cumsum(count)[:-1]]
    y = np.add.reduceat(found.cost[drawn], first) / members[:, None]
    products = np.bincount(drawn, minlength=len(found.products)) @ found.products
    apart = [(members @ (y[:, k:] * y[:, : T - k])).mean() for k in range(T)]
    by_lag = (products - np.array(apart)) / members.sum()
    lag = np.abs(np.subtract.outer(np.arange(T), np.arange(T)))
    values, vectors = np.linalg.eigh(by_lag[lag])
    covariance = (vectors * np.maximum(values, 1e-3 * by_lag[0])) @ vectors.T
    shocks = worlds.autoregressive(rng, 10.0, 0.8, (len(members),))
    sites = np.maximum(1, np.round(members / 760)).astype(int)
    of_sites = worlds.autoregressive(rng, 8.0, 0.8, (sites.sum(),))
    shocks += np.add.reduceat(of_sites, np.r_[0, np.cumsum(sites)[:-1]]) / sites[:, None]
    return y + shocks + rng.normal(0, 30, (len(members), 1)) + rng.normal(0, 10, (1, T)), covariance
