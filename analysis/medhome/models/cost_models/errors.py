"""How far could the coefficients be off, if rows of a cluster move together?

CR1: the summed scores of each cluster around the observed information, times G/(G-1) * (N-1)/(N-K), with
Student's t on G-1; without clusters each row is its own and the rule is HC1 (N/(N-K)). The two parts of a
two-part model share clusters, so their coefficients have a covariance, too.
Source: ``docs/methods/cost-models.md``, standard errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from medhome.models.cost_models.fitting import Part
from medhome.models.panels.absorb import least_squares
from medhome.models.panels.sandwich import Covariance, Regression, cr1
from medhome.study.problems import ModelRefusal


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Joint covariance of all parts' coefficients, its rule in words, and the degrees of freedom of t."""

    matrix: np.ndarray
    rule: str
    df: float


def joint_errors(
    parts: Sequence[Part],
    x: np.ndarray,
    cluster: np.ndarray,
    by_row: bool,
    counts: np.ndarray | None = None,
) -> Errors:
    """Cluster-robust covariance of the parts' coefficients, stacked in their order.

    counts: (N,) how many rows each row stands for, where rows are sums of like rows.
    """
    influence, found = cluster_influence(parts, x, cluster, by_row, counts)
    return replace(found, matrix=influence.T @ influence)


def cluster_influence(
    parts: Sequence[Part],
    x: np.ndarray,
    cluster: np.ndarray,
    by_row: bool,
    counts: np.ndarray | None = None,
) -> tuple[np.ndarray, Errors]:
    """(G, K) what each cluster adds to the coefficients, small-sample factor included, and the rule."""
    count = int(cluster.max()) + 1
    if count < 2:
        raise ModelRefusal("All rows are in one cluster, so nothing says how far clusters differ.")
    spread, K_all = [], 0
    for part in parts:
        own = cluster[part.rows]
        clusters, K = len(np.unique(own)), len(part.beta)
        n = len(part.rows) if counts is None else int(counts[part.rows].sum())
        if n <= K or clusters < 2:
            raise ModelRefusal(
                f"{part.label}: {n} rows in {clusters} clusters for {K} coefficients; no error can be given."
            )
        factor = clusters / (clusters - 1) * (n - 1) / (n - K)
        sums = cluster_sums(part.own(x)[part.rows] * part.factor[:, None], own, count)
        spread.append(sums @ part.bread * factor**0.5)
        K_all += K
    influence = np.hstack(spread)
    words = (
        "HC1: rows independent, N/(N-K)"
        if by_row
        else f"CR1: clusters independent, G/(G-1) * (N-1)/(N-K), G = {count}"
    )
    df = len(cluster) - K_all if by_row else count - 1
    return influence, Errors(
        matrix=np.zeros((0, 0)),
        rule=f"{words}; observed information; t on {df} degrees of freedom",
        df=float(df),
    )


def cluster_sums(rows: np.ndarray, cluster: np.ndarray, count: int) -> np.ndarray:
    """(G, K) sums of rows (N, K) by cluster."""
    if len(cluster) == count and (cluster == np.arange(count)).all():
        return rows
    return np.stack(
        [np.bincount(cluster, weights=rows[:, k], minlength=count) for k in range(rows.shape[1])], axis=1
    )


def regression(
    y: np.ndarray,
    columns: np.ndarray,
    names: Sequence[str],
    weights: np.ndarray,
    cluster: np.ndarray,
    size: int | None = None,
) -> tuple[Regression, Covariance]:
    """Weighted least squares with the same cluster rule: what the specification tests are made of.

    size: how many rows stand behind these, where they are sums of like rows.
    """
    fit = least_squares(y, columns, names, weights=weights)
    found = cr1(fit, cluster)
    if size is None or size == len(y):
        return fit, found
    n, K = len(y), len(fit.beta)
    ratio = (size - 1) / (size - K) * (n - K) / (n - 1)
    return fit, replace(found, matrix=found.matrix * ratio)
