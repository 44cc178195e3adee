"""How does paid cost grow with the months since service? Chain ladder with Mack's variance.

A triangle holds cumulative cost C[i, k] of service month i as known k months later; what has not been seen
yet is missing. Volume-weighted development factors and their variances:

    f_k = sum_i C[i, k+1] / sum_i C[i, k]                    over the service months used
    sigma_k^2 = 1 / (n_k - 1) * sum_i C[i, k] (C[i, k+1] / C[i, k] - f_k)^2
    CF_k = 1 / (tail * product of f_j, j >= k)               share of ultimate cost known at lag k
    var(f_k) = sigma_k^2 / S_k,  S_k = sum_i C[i, k];        the factors of different lags are uncorrelated

Source: T. Mack, Distribution-free calculation of the standard error of chain ladder reserve estimates, ASTIN
Bulletin 23 (1993). See ``docs/methods.md``, completion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

LATEST = 12
"""Service months in the average ``last-12``."""

FEWEST_TO_DROP_FROM = 4
"""Ratios that a lag needs before its highest and lowest are dropped: two must be left."""


@dataclass(frozen=True, kw_only=True)
class Development:
    """Development factors of K lags and what they rest on.

    factors, variances (sigma_k^2, dollars), volumes (S_k, dollars), used (n_k service months): (K,) each.
    tail: what comes after the last lag, without variance.
    """

    factors: np.ndarray
    variances: np.ndarray
    volumes: np.ndarray
    used: np.ndarray
    tail: float = 1.0

    @property
    def lags(self) -> int:
        return len(self.factors)

    def growth(self, lag: int) -> float:
        """Ultimate cost over cost known at a lag: 1 / CF."""
        return float(np.prod(self.factors[lag:])) * self.tail

    def completion_factor(self, lag: int) -> float:
        """Share of ultimate cost that is known at a lag."""
        growth = self.growth(lag)
        return 1 / growth if growth > 0 else math.nan

    def relative_variance(self, lag: int) -> float:
        """Estimation variance of `growth` over its square: the sum of var(f_j) / f_j^2 over later lags."""
        f, s2, volume = self.factors[lag:], self.variances[lag:], self.volumes[lag:]
        known = (volume > 0) & (f > 0)
        return math.fsum((s2[known] / (volume[known] * f[known] ** 2)).tolist())

    def process_variance(self, known: float, lag: int) -> float:
        """Mack's process variance of one service month's ultimate, of which ``known`` dollars are paid."""
        total, at = 0.0, known
        ultimate = known * self.growth(lag)
        for f, s2 in zip(self.factors[lag:], self.variances[lag:], strict=True):
            if f > 0 and at > 0:
                total += ultimate**2 * s2 / (f**2 * at)
            at *= f
        return total


@dataclass(frozen=True, kw_only=True)
class Reserve:
    """What is still to be paid at the latest diagonal, dollars.

    latest, ultimate, ibnr, se: (I,) by service month; total, total_se: of all, with the covariance that
    common factors bring.
    """

    latest: np.ndarray
    ultimate: np.ndarray
    ibnr: np.ndarray
    se: np.ndarray
    total: float
    total_se: float


def develop(
    cumulative: np.ndarray,
    *,
    latest: int | None = None,
    drop_high_low: bool = False,
    last_sigma: str = "mack",
    tail: float = 1.0,
) -> Development:
    """Factors and variances of a triangle.

    Arguments
        cumulative: (I, K + 1) dollars, service months in ascending order, NaN where not yet seen.
        latest: how many of the latest service months seen at lag k + 1 make f_k; all when None.
        drop_high_low: leave out the months with the highest and the lowest ratio of each lag (where at least
            four have one).
        last_sigma: variance of a lag that one month alone has reached: "mack",
            min(s4_{k-1} / s2_{k-2}, s2_{k-2}, s2_{k-1}), or "log-linear", from a line through ln sigma.
        tail: growth after the last lag.

    A lag without dollars has factor 1. Raises `ValueError` for another rule.

    >>> triangle = np.array([[100.0, 150.0, 165.0], [200.0, 280.0, np.nan], [120.0, np.nan, np.nan]])
    >>> [round(float(f), 4) for f in develop(triangle).factors]      # 430 / 300, 165 / 150
    [1.4333, 1.1]
    """
    if last_sigma not in ("mack", "log-linear"):
        raise ValueError(f'last_sigma is "mack" or "log-linear", not {last_sigma!r}')
    lags = cumulative.shape[1] - 1
    factors, volumes = np.ones(lags), np.zeros(lags)
    variances, used = np.full(lags, math.nan), np.zeros(lags, dtype=int)
    for k in range(lags):
        rows = np.flatnonzero(~np.isnan(cumulative[:, k + 1]) & ~np.isnan(cumulative[:, k]))
        rows = rows if latest is None else rows[-latest:]
        before, after = cumulative[rows, k], cumulative[rows, k + 1]
        if drop_high_low:
            before, after = _without_ends(before, after)
        used[k], volumes[k] = len(before), math.fsum(before.tolist())
        if volumes[k] > 0:
            factors[k] = math.fsum(after.tolist()) / volumes[k]
        positive = before > 0
        if positive.sum() > 1:
            off = (after[positive] - factors[k] * before[positive]) ** 2 / before[positive]
            variances[k] = math.fsum(off.tolist()) / (int(positive.sum()) - 1)
    return Development(
        factors=factors,
        variances=_completed_variances(variances, last_sigma),
        volumes=volumes,
        used=used,
        tail=tail,
    )


def reserve(cumulative: np.ndarray, development: Development) -> Reserve:
    """Ultimate cost of each service month, what is still to be paid, and Mack's standard errors.

    The total's standard error holds the covariance between months that comes from their common factors.
    """
    seen = ~np.isnan(cumulative)
    lag = np.array([int(np.flatnonzero(row)[-1]) for row in seen])
    latest = cumulative[np.arange(len(lag)), lag]
    ultimate = latest * np.array([development.growth(k) for k in lag])
    process = np.array([development.process_variance(c, k) for c, k in zip(latest, lag, strict=True)])
    relative = np.array([development.relative_variance(k) for k in lag])
    total = process.sum()
    for i, own in enumerate(lag):
        for j, other in enumerate(lag):
            # Two months share the factors after the later of their lags.
            total += ultimate[i] * ultimate[j] * relative[i if own >= other else j]
    return Reserve(
        latest=latest,
        ultimate=ultimate,
        ibnr=ultimate - latest,
        se=np.sqrt(process + ultimate**2 * relative),
        total=float((ultimate - latest).sum()),
        total_se=math.sqrt(max(float(total), 0.0)),
    )


def _without_ends(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    positive = np.flatnonzero(before > 0)
    if len(positive) < FEWEST_TO_DROP_FROM:
        return before, after
    order = positive[np.argsort(after[positive] / before[positive], kind="stable")]
    keep = np.setdiff1d(np.arange(len(before)), [order[0], order[-1]])
    return before[keep], after[keep]


def _completed_variances(variances: np.ndarray, rule: str) -> np.ndarray:
    """Variances of lags that a single month has reached, from the lags before them."""
    found = variances.copy()
    known = np.flatnonzero(~np.isnan(variances))
    positive = known[variances[known] > 0]
    for k in np.flatnonzero(np.isnan(variances)):
        if rule == "log-linear" and len(positive) >= 2:
            slope, level = np.polyfit(positive, np.log(variances[positive]), 1)
            found[k] = math.exp(level + slope * k)
        elif rule == "mack" and k >= 2 and found[k - 2] > 0:
            found[k] = min(found[k - 1] ** 2 / found[k - 2], found[k - 2], found[k - 1])
        else:
            found[k] = 0.0 if k < 1 else found[k - 1]
    return found
