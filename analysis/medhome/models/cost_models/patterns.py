"""What do a million rows say, when few of them differ? Cost models from covariate patterns.

Rows of one cluster with the same covariates, all with cost or all without, become one row: their number, the
sum of their weights, their weighted mean cost and its scatter. Coefficients, errors by cluster, specification
tests and predictions need no more than these, so that they are those of the rows.
Source: ``docs/methods/cost-models.md``, covariate patterns.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from medhome.models.cost_models.design import CostTable
from medhome.models.panels.absorb import codes

SMALLER = 0.8
"""A table stays as it is where its patterns by cluster are more than this share of its rows."""
_BITS = 62


def collapsed(table: CostTable) -> CostTable:
    """The same table with like rows of a cluster as one; itself where that saves little, or without clusters.

    >>> table = CostTable(
    ...     y=np.array([0.0, 2.0, 4.0]), x=np.ones((3, 1)), weights=np.ones(3), cluster=np.array([0, 0, 0]),
    ...     names=("intercept",), terms=(), kept=(0,), by_row=False, weighted=False, outcome_name="cost",
    ...     negative=0, negative_sum=0.0)
    >>> small = collapsed(table)
    >>> small.y.tolist(), small.counts.tolist(), small.within.tolist(), small.size
    ([0.0, 3.0], [1, 2], [0.0, 1.0], 3)
    """
    if table.by_row or table.counts is not None:
        return table
    most = SMALLER * len(table.y)
    pattern = distinct(table.x, most)
    some = np.sign(table.y).astype(np.int64) + 1
    key = (table.cluster * (int(pattern.max()) + 1) + pattern) * 3 + some
    _, first, code = np.unique(key, return_index=True, return_inverse=True)
    if len(first) > most:
        return table
    weights = np.bincount(code, weights=table.weights)
    y = np.bincount(code, weights=table.weights * table.y) / weights
    # Of rows with the same cost the mean is that cost, without rounding: zeros stay zeros.
    spread = np.bincount(code, weights=table.weights * (table.y - y[code]) ** 2) / weights
    return replace(
        table,
        y=y,
        x=table.x[first],
        weights=weights,
        cluster=table.cluster[first],
        counts=np.bincount(code),
        within=spread,
        pattern=pattern[first],
    )


def distinct(x: np.ndarray, most: float = np.inf) -> np.ndarray:
    """(N,) number of each row's pattern among the distinct rows of x (N, K), exactly.

    Once there are more than ``most`` patterns no more is looked at, and each row is its own.

    >>> distinct(np.array([[1.0, 0.5], [1.0, 0.25], [1.0, 0.5]])).tolist()
    [1, 0, 1]
    """
    found = np.zeros(len(x), dtype=np.int64)
    packed, used = np.zeros(len(x), dtype=np.int64), 0
    for k in range(x.shape[1]):
        column = x[:, k]
        if ((column == 0) | (column == 1)).all():
            packed = packed * 2 + column.astype(np.int64)
            used += 1
            if used == _BITS:
                found, packed, used = _together(found, codes(packed)), np.zeros_like(packed), 0
        else:
            found = _together(found, codes(column))
            if found.max() >= most:
                return np.arange(len(x))
    return _together(found, codes(packed)) if used else found


def _together(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return codes(one * (int(other.max()) + 1) + other)
