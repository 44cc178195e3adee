"""Standard errors by name: the front of `sandwich`, `bias_reduced` and `cluster_influence`.

Which covariance, under which rule, do ``iid``, ``hc1``, ``cr1``, ``cr2`` and ``cr3`` mean? Estimators call
`covariance`; those that bring influence functions instead of a design call `influence_error`.
"""

from __future__ import annotations

import numpy as np

from medhome.models.panels.absorb import Regression, codes, least_squares
from medhome.models.panels.bias_reduced import cr2, cr3, leave_one_out
from medhome.models.panels.cluster_influence import (
    ClusterInfluence,
    cluster_influence,
    treated_cluster_warnings,
)
from medhome.models.panels.sandwich import (
    Covariance,
    Inference,
    JointTest,
    Rule,
    cr1,
    hc1,
    iid,
    multiway,
    parameters,
    wald,
)
from medhome.study.problems import ModelRefusal

__all__ = [
    "ClusterInfluence",
    "Covariance",
    "Inference",
    "JointTest",
    "Regression",
    "Rule",
    "cluster_influence",
    "covariance",
    "cr1",
    "cr2",
    "cr3",
    "hc1",
    "iid",
    "influence_error",
    "least_squares",
    "leave_one_out",
    "multiway",
    "parameters",
    "treated_cluster_warnings",
    "wald",
]

SANDWICHES = ("iid", "hc1", "cr1", "cr2", "cr3")


def covariance(fit: Regression, inference: str, cluster: np.ndarray, rule: Rule = "fixest") -> Covariance:
    """Covariance of a fit's slopes by name; clusters of N rows, at least two of them.

    >>> x = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 4.0]])
    >>> fit = least_squares(np.array([0.0, 1.0, 1.0, 3.0]), x, ["constant", "x"])
    >>> covariance(fit, "cr1", np.arange(4)).rule[:3]
    'CR1'
    """
    if inference not in SANDWICHES:
        raise ModelRefusal(f"No standard error is called {inference}; there are {', '.join(SANDWICHES)}.")
    if inference == "iid":
        return iid(fit)
    if inference == "hc1":
        return hc1(fit)
    if len(np.unique(cluster)) < 2:
        raise ModelRefusal("All rows are in one cluster, so nothing says how far clusters differ; use hc1.")
    if inference == "cr1":
        return cr1(fit, cluster, rule)
    return cr2(fit, cluster) if inference == "cr2" else cr3(fit, cluster)


def influence_error(influence: np.ndarray, cluster: np.ndarray | None = None) -> float:
    """Standard error from influence values (N,): root of the squared sums by cluster, over N.

    Sums, not means, within clusters (means are wrong for clusters of unequal size); no small-sample factor.

    >>> round(influence_error(np.array([1.0, -1.0, 1.0, -1.0])), 6)
    0.5
    """
    psi = np.asarray(influence, dtype=float)
    summed = psi if cluster is None else np.bincount(codes(cluster), weights=psi)
    return float(np.sqrt((summed**2).sum()) / len(psi))
