"""Do a few clusters carry the answer? Effective number of clusters, leverage, and what to say about them.

Source: Carter, Schnepel and Steigerwald 2017 (effective number G*, here with independent errors, because
effects nested in the cluster leave no other); MacKinnon, Nielsen and Webb 2023 (leverage and partial leverage
by cluster); ``docs/methods/panel-estimators.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.models.panels.absorb import Regression

FEW_CLUSTERS = 40
FEW_EFFECTIVE = 10.0
FEW_TREATED = 5
MUCH_WEIGHT = 0.5


@dataclass(frozen=True, kw_only=True)
class ClusterInfluence:
    """What each of G clusters brings to one slope.

    effective: G* = G / (1 + squared coefficient of variation of the partial leverages). table: one row per
    cluster: ``cluster``, ``rows``, ``weight_share``, ``leverage`` (trace of its hat block for slopes; sums
    to K), ``partial_leverage`` (share of the slope's own variation; sums to 1).
    """

    clusters: int
    effective: float
    table: pd.DataFrame
    warnings: tuple[str, ...]


def cluster_influence(
    fit: Regression, cluster: np.ndarray, name: str, labels: tuple[str, ...] | None = None
) -> ClusterInfluence:
    """Influence of clusters, positions 0..G-1 (N,), on the slope of column ``name``.

    >>> from medhome.models.panels.absorb import least_squares
    >>> fit = least_squares(np.array([0.0, 1.0, 2.0, 5.0]), np.eye(4)[:, :1] + 1.0, ["d"])
    >>> cluster_influence(fit, np.arange(4), "d").table["partial_leverage"].round(3).tolist()
    [0.571, 0.143, 0.143, 0.143]
    """
    k = fit.position(name)
    G = int(cluster.max()) + 1
    others = np.delete(fit.design, k, axis=1)
    column = fit.design[:, k]
    w = fit.weights
    if others.shape[1]:
        gram = others.T @ (w[:, None] * others)
        column = column - others @ (np.linalg.pinv(gram, hermitian=True) @ (others.T @ (w * column)))
    own = np.bincount(cluster, weights=w * column**2, minlength=G)
    own = own / own.sum()
    hat = w * np.einsum("ni,ij,nj->n", fit.design, fit.bread, fit.design)
    weight = np.bincount(cluster, weights=w, minlength=G) / w.sum()
    effective = G / (1 + own.var() / own.mean() ** 2)
    names = labels or tuple(str(g) for g in range(G))
    warnings = []
    if effective < FEW_EFFECTIVE:
        warnings.append(
            f"{G} clusters carry as much as {effective:.1f} equal ones; t with G - 1 degrees of freedom is "
            "too sure of itself (use cr2, wild or randomization)."
        )
    heavy = int(weight.argmax())
    if weight[heavy] > MUCH_WEIGHT and G > 1:
        warnings.append(
            f"Cluster {names[heavy]} holds {weight[heavy]:.0%} of the weight: the estimate is mostly its own."
        )
    return ClusterInfluence(
        clusters=G,
        effective=float(effective),
        table=pd.DataFrame(
            {
                "cluster": list(names),
                "rows": np.bincount(cluster, minlength=G),
                "weight_share": weight,
                "leverage": np.bincount(cluster, weights=hat, minlength=G),
                "partial_leverage": own,
            }
        ),
        warnings=tuple(warnings),
    )


def treated_cluster_warnings(
    treated_clusters: int, comparison_clusters: int, inference: str
) -> tuple[str, ...]:
    """What must be said when clusters change treatment together and few of them do."""
    fewest = min(treated_clusters, comparison_clusters)
    side = "treated" if treated_clusters <= comparison_clusters else "comparison"
    if fewest == 1 and inference in ("cr1", "cr2", "cr3", "wild"):
        return (
            f"Not valid with one {side} cluster: {inference} has nothing to measure its own variation by "
            "(use randomization).",
        )
    if fewest < FEW_TREATED:
        return (f"Only {fewest} {side} clusters: a cluster-robust interval is likely too short.",)
    return ()
