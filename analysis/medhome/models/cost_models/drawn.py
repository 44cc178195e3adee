"""What would the coefficients be, had other clusters been drawn? Many draws at little cost.

Each draw takes one Newton step from the fit, with the scores and the information of the clusters drawn. A
linear model is solved exactly by it; elsewhere it is the full refit up to second order.
Source: ``docs/methods/cost-models.md``, one-step bootstrap.
"""

from __future__ import annotations

import numpy as np

from medhome.models.cost_models.design import CostTable
from medhome.models.cost_models.errors import cluster_sums
from medhome.models.cost_models.fitting import Part, curvature
from medhome.models.cost_models.model import CostModel

SINGULAR = 1e10


def drawn_coefficients(model: CostModel, table: CostTable, came: np.ndarray) -> tuple[np.ndarray, ...]:
    """Coefficients (B, K) of each part; came (B, G) is how often each cluster came. NaN: no fit in that draw.

    >>> from medhome.models.cost_models.model import Choice, fit_table
    >>> y, x = np.array([1.0, 3.0, 4.0, 6.0]), np.array([[1.0, 0], [1, 1], [1, 0], [1, 1]])
    >>> table = CostTable(y=y, x=x, weights=np.ones(4), cluster=np.array([0, 0, 1, 1]), terms=(), kept=(0, 1),
    ...     names=("intercept", "d"), by_row=False, weighted=False, outcome_name="y", negative=0,
    ...     negative_sum=0.0)
    >>> drawn = drawn_coefficients(fit_table(table, Choice(family="ols")), table, np.array([[2, 0], [0, 2]]))
    >>> drawn[0].round(9).tolist()
    [[1.0, 2.0], [4.0, 2.0]]
    """
    x = table.x[:, table.kept]
    return tuple(_part(part, x, table, came.astype(float)) for part in model.parts)


def _part(part: Part, x: np.ndarray, table: CostTable, came: np.ndarray) -> np.ndarray:
    own, cluster = part.own(x)[part.rows], table.cluster[part.rows]
    y = ((table.y > 0).astype(float) if part.binary else table.y)[part.rows]
    size = table.weights[part.rows] * curvature(part.family, y, own @ part.beta)
    order = np.argsort(cluster, kind="stable")
    edges = np.searchsorted(cluster[order], np.arange(table.clusters + 1))
    information = np.zeros((table.clusters, own.shape[1], own.shape[1]))
    for g in range(table.clusters):
        rows = order[edges[g] : edges[g + 1]]
        information[g] = own[rows].T @ (size[rows, None] * own[rows])
    scale = np.sqrt(np.maximum(np.diag(information.sum(0)), 1e-300))
    left = np.tensordot(came, information / np.outer(scale, scale), axes=1)
    right = came @ (cluster_sums(own * part.factor[:, None], cluster, table.clusters) / scale)
    found = np.full((len(came), own.shape[1]), np.nan)
    usable = np.linalg.cond(left) < SINGULAR
    if usable.any():
        step = np.linalg.solve(left[usable], right[usable][:, :, None])[:, :, 0]
        found[usable] = part.beta + step / scale
    return found
