"""The groups to be weighted and their covariates, checked once; balance before and after weighting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.study.problems import ModelRefusal

TWO: tuple[str, ...] = ("treated", "comparison")
FOUR: tuple[str, ...] = ("treated, before", "treated, after", "comparison, before", "comparison, after")


@dataclass(frozen=True, kw_only=True)
class Groups:
    """N rows of covariates in two or four groups, the target first.

    x: (N, K); names: (K,); group: (N,) position in ``labels``; base: (N,) positive weights of the rows.
    """

    x: np.ndarray
    names: tuple[str, ...]
    group: np.ndarray
    labels: tuple[str, ...]
    base: np.ndarray

    @classmethod
    def of(
        cls,
        covariates: pd.DataFrame,
        treated: Sequence[int] | np.ndarray | pd.Series,
        after: Sequence[int] | np.ndarray | pd.Series | None = None,
        base_weights: Sequence[float] | np.ndarray | pd.Series | None = None,
    ) -> Groups:
        """Check and arrange; raises `ModelRefusal` naming the covariate and row, or the empty group."""
        names = tuple(str(c) for c in covariates.columns)
        if not names:
            raise ModelRefusal("weights: no covariates are given; without them every weight is one")
        if len(set(names)) < len(names):
            raise ModelRefusal(f"weights: covariate {max(names, key=names.count)!r} is given twice")
        columns = []
        for name, column in zip(names, covariates.columns, strict=True):
            values = covariates[column]
            if not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)):
                raise ModelRefusal(
                    f"weights: covariate {name!r} holds {values.dtype} and not numbers; make one 0/1 column "
                    "for each of its values but one"
                )
            numbers = values.to_numpy(dtype=float, na_value=np.nan)
            if not np.isfinite(numbers).all():
                row = int(np.flatnonzero(~np.isfinite(numbers))[0])
                raise ModelRefusal(
                    f"weights: covariate {name!r} is missing or infinite in row {row + 1}; fill it and add "
                    "a 0/1 column that says so, or leave the row out"
                )
            columns.append(numbers)
        size = len(covariates)
        arm = _flags(treated, "treated", size)
        group, labels = np.where(arm == 1, 0, 1), TWO
        if after is not None:
            group, labels = np.where(arm == 1, 0, 2) + _flags(after, "after", size), FOUR
        for k, label in enumerate(labels):
            if not (group == k).any():
                raise ModelRefusal(f"weights: no row is in the group {label!r}")
        base = np.ones(size) if base_weights is None else np.asarray(base_weights, dtype=float)
        if base.shape != (size,) or not (np.isfinite(base).all() and (base > 0).all()):
            raise ModelRefusal("weights: base weights must be one positive number for each row")
        return cls(x=np.column_stack(columns), names=names, group=group, labels=labels, base=base)

    def standardised(self) -> np.ndarray:
        """(N, K) covariates with mean zero and variance one over all rows; constants become zero."""
        centred = self.x - self.x.mean(0)
        sd = centred.std(0)
        flat = sd <= 1e-12 * np.maximum(np.abs(self.x).max(0), 1e-300)
        return np.where(flat, 0.0, centred / np.where(flat, 1.0, sd))

    def apart(self, kept: np.ndarray | None = None) -> tuple[str, ...]:
        """Covariates that alone tell a group from the target: by range, or a value that only one has."""
        rows = np.ones(len(self.group), dtype=bool) if kept is None else kept
        found = []
        target = self.x[rows & (self.group == 0)]
        for k in range(1, len(self.labels)):
            other = self.x[rows & (self.group == k)]
            for q, name in enumerate(self.names):
                a, b = target[:, q], other[:, q]
                alone = (len(np.unique(a)) == 1) != (len(np.unique(b)) == 1)
                if a.min() > b.max() or b.min() > a.max() or (alone and len(np.unique(self.x[:, q])) == 2):
                    found.append(name)
        return tuple(dict.fromkeys(found))

    def constants(self) -> tuple[str, ...]:
        """Covariates that are the same in every row."""
        return tuple(n for n, same in zip(self.names, (self.x == self.x[0]).all(0), strict=True) if same)


def scaled(groups: Groups, weights: np.ndarray) -> np.ndarray:
    """Weights with each group's total that of the target's base weights; the target's rows as they are."""
    out, total = weights.copy(), weights[groups.group == 0].sum()
    for k in range(1, len(groups.labels)):
        own = groups.group == k
        out[own] *= total / weights[own].sum()
    return out


def summary(groups: Groups, weights: np.ndarray, kept: np.ndarray) -> pd.DataFrame:
    """`Weights.summary`: rows, kept rows, weight, effective sample size and largest share of each group."""
    rows = []
    for k, label in enumerate(groups.labels):
        own = weights[groups.group == k]
        rows.append(
            {
                "group": label,
                "rows": len(own),
                "kept": int(kept[groups.group == k].sum()),
                "total_weight": float(own.sum()),
                "effective_sample_size": float(own.sum() ** 2 / (own**2).sum()),
                "largest_share": float(own.max() / own.sum()),
            }
        )
    return pd.DataFrame(rows)


def balance(groups: Groups, weights: np.ndarray) -> pd.DataFrame:
    """`Weights.balance`: means, standardised differences and variance ratios before and after weighting.

    The target after weighting is the target as it is kept; before, as it was.
    """
    rows = []
    target = groups.group == 0
    for k in range(1, len(groups.labels)):
        own = groups.group == k
        for q, name in enumerate(groups.names):
            x = groups.x[:, q]
            (t0, v0), (m0, u0) = (_moments(x[g], groups.base[g]) for g in (target, own))
            (t1, v1), (m1, u1) = (_moments(x[g], weights[g]) for g in (target, own))
            pooled = float(np.sqrt((v0 + u0) / 2))
            rows.append(
                {
                    "covariate": name,
                    "group": groups.labels[k],
                    "target_mean": t1,
                    "mean_before": m0,
                    "mean_after": m1,
                    "smd_before": _over(t0 - m0, pooled),
                    "smd_after": _over(t1 - m1, pooled),
                    "variance_ratio_before": _over(v0, u0),
                    "variance_ratio_after": _over(v1, u1),
                }
            )
    return pd.DataFrame(rows)


def _moments(x: np.ndarray, w: np.ndarray) -> tuple[float, float]:
    mean = float(w @ x / w.sum())
    return mean, float(w @ (x - mean) ** 2 / w.sum())


def _over(part: float, whole: float) -> float:
    if whole > 0:
        return part / whole
    return 0.0 if part == 0 else float("nan")


def _flags(values: object, name: str, size: int) -> np.ndarray:
    flags = np.asarray(values)
    if flags.shape != (size,):
        raise ModelRefusal(f"weights: {name} has shape {flags.shape} for {size} rows of covariates")
    if not np.isin(flags, (0, 1)).all():
        raise ModelRefusal(f"weights: {name} must be 0 or 1 in every row")
    return np.asarray(flags, dtype=int)
