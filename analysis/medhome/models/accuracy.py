"""How near do predictions come to actual cost: for single members, and for groups?

R2, mean absolute error over mean cost (MAE%), Cumming's prediction measure (CPM) and predictive ratios, each
with weights, in any unit of cost. Single members are hard to predict: MAE% above 60% with a ratio near 1.00
for a group is normal. Source: ``docs/methods.md``, accuracy panel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

NOTHING = float("nan")


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Accuracy of one set of predictions; NaN where it is not defined (no cost, or no variation).

    r2: share of variance explained; below zero where the mean predicts better. mae_share: mean absolute error
    over mean cost. cpm: 1 less absolute error over absolute deviation from the mean. predictive_ratio:
    predicted over actual. weight: sum of the weights.
    """

    r2: float
    mae_share: float
    cpm: float
    predictive_ratio: float
    weight: float


def accuracy(actual: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None) -> Accuracy:
    """R2, MAE%, CPM and predictive ratio of predictions (N,) of cost (N,), with weights (N,) or equal ones.

    >>> found = accuracy(np.array([0.0, 10.0, 50.0]), np.array([10.0, 20.0, 30.0]))
    >>> round(found.r2, 6), round(found.mae_share, 6), round(found.cpm, 6), found.predictive_ratio
    (0.571429, 0.666667, 0.333333, 1.0)
    """
    y, yhat, w = _checked(actual, predicted, weights)
    total, weight = float(w @ y), float(w.sum())
    mean = total / weight if weight > 0 else NOTHING
    absolute = float(w @ np.abs(y - yhat))
    spread, around = float(w @ (y - mean) ** 2), float(w @ np.abs(y - mean))
    return Accuracy(
        r2=1 - float(w @ (y - yhat) ** 2) / spread if spread > 0 else NOTHING,
        mae_share=absolute / total if total > 0 else NOTHING,
        cpm=1 - absolute / around if around > 0 else NOTHING,
        predictive_ratio=float(w @ yhat) / total if total > 0 else NOTHING,
        weight=weight,
    )


def r_squared(actual: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Share of the variance of cost that predictions explain; below zero where the mean predicts better.

    >>> r_squared(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    1.0
    """
    return accuracy(actual, predicted, weights).r2


def predictive_ratios(
    actual: np.ndarray, predicted: np.ndarray, weights: np.ndarray, groups: np.ndarray
) -> pd.DataFrame:
    """Predicted over actual cost of each group: one row per group in sorted order.

    Columns: ``group``, ``rows``, ``weight``, ``actual`` and ``predicted`` (weighted means),
    ``predictive_ratio`` (NaN where actual cost is not above zero).

    >>> cost, groups = np.array([1.0, 3.0, 6.0]), np.array(["a", "a", "b"])
    >>> predictive_ratios(cost, np.array([2.0, 3.0, 5.0]), np.ones(3), groups)["predictive_ratio"].tolist()
    [1.25, 0.8333333333333334]
    """
    y, yhat, w = _checked(actual, predicted, weights)
    names, code = np.unique(groups, return_inverse=True)
    rows, weight, cost, expected = (
        np.bincount(code, weights=v, minlength=len(names)) for v in (np.ones(len(y)), w, w * y, w * yhat)
    )
    frame = pd.DataFrame({"group": names, "rows": rows.astype("int64"), "weight": weight})
    with np.errstate(divide="ignore", invalid="ignore"):
        frame["actual"], frame["predicted"] = cost / weight, expected / weight
        frame["predictive_ratio"] = np.where(cost > 0, expected / cost, NOTHING)
    return frame


def weighted_groups(values: np.ndarray, weights: np.ndarray, count: int = 10) -> np.ndarray:
    """Group 1..count (N,) of each row: equal shares of the weights in order of the values.

    Equal values stay together, so a group may be larger, smaller or empty where few distinct values exist.

    >>> weighted_groups(np.array([5.0, 1.0, 1.0, 9.0]), np.ones(4), 2).tolist()
    [2, 1, 1, 2]
    """
    distinct, code = np.unique(values, return_inverse=True)
    by_value = np.bincount(code, weights=weights, minlength=len(distinct))
    middle = (np.cumsum(by_value) - by_value / 2) / by_value.sum()
    return np.minimum((middle * count).astype(int) + 1, count)[code]


def _checked(
    actual: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, yhat = np.asarray(actual, dtype=float), np.asarray(predicted, dtype=float)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    for name, values in (("actual", y), ("predicted", yhat), ("weights", w)):
        if values.shape != y.shape or not np.isfinite(values).all():
            raise ValueError(f"accuracy needs one finite value of {name!r} for each row")
    if (w < 0).any():
        raise ValueError("accuracy needs weights of zero or more")
    return y, yhat, w
