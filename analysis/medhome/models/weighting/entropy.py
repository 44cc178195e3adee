"""Entropy balancing: weights nearest to the base weights under which the comparisons' means are the target's.

    minimise sum w log(w / q)  subject to  sum w = 1,  sum w x = mean of x in the target

whose dual ``min over b of log sum q exp((x - mean)'b)`` is convex and solved by Newton's method. Source:
Hainmueller (2012), "Entropy balancing for causal effects", Political Analysis 20:25-46; docs/methods,
weighting.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import optimize, special

from medhome.models.weighting.groups import Groups, balance, scaled, summary
from medhome.study.problems import ModelRefusal
from medhome.study.weights import Weights

TOLERANCE = 1e-13
"""Largest imbalance that is left, in standard deviations of the covariate over all rows."""

ACCEPTED = 1e-10
"""An imbalance that rounding may leave where the tolerance is not reached; more is refused."""

NOTHING = 1e-9
"""A weight below this share of the largest counts as none."""

STEPS = 200


def entropy_balance(
    covariates: pd.DataFrame,
    treated: Sequence[int] | np.ndarray | pd.Series,
    *,
    after: Sequence[int] | np.ndarray | pd.Series | None = None,
    base_weights: Sequence[float] | np.ndarray | pd.Series | None = None,
    moments: int = 1,
) -> Weights:
    """Weights under which every group has exactly the target's means.

    Arguments
        covariates: one row per member (or practice), one numeric column per covariate.
        treated: (N,) 0 or 1. after: (N,) 0 or 1 when the rows are of two periods: then there are four groups
            and the target is the treated before the start; else the target is the treated.
        base_weights: (N,) positive, for example member-months; ones when left out.
        moments: 1 for means, 2 for means and variances.

    Raises `ModelRefusal` when no weights can reach the target's means, naming covariates out of reach, and
    for covariates that are not finite numbers.

    >>> found = entropy_balance(pd.DataFrame({"age": [50, 60, 40, 50, 70]}), [1, 1, 0, 0, 0])
    >>> found.weights.round(4).tolist(), round(float(found.balance["mean_after"][0]), 10)
    ([1.0, 1.0, 0.5746, 0.6382, 0.7873], 55.0)
    """
    groups = Groups.of(covariates, treated, after, base_weights)
    if moments not in (1, 2):
        raise ModelRefusal(f"entropy balancing: moments = {moments!r}; it is 1 (means) or 2 (and variances)")
    z = groups.standardised()
    if moments == 2:
        z = np.column_stack([z, z**2])
    target = groups.group == 0
    mean = groups.base[target] @ z[target] / groups.base[target].sum()
    weights = groups.base.copy()
    for k in range(1, len(groups.labels)):
        own = groups.group == k
        weights[own] = _reach(z[own] - mean, groups.base[own], groups, k)
    weights = scaled(groups, weights)
    kept = np.ones(len(weights), dtype=bool)
    warnings = [f"covariate {c!r} is the same in every row" for c in groups.constants()]
    for k, label in enumerate(groups.labels):
        own = weights[groups.group == k] / groups.base[groups.group == k]
        if k and (none := int((own < NOTHING * own.max()).sum())):
            warnings.append(
                f"{none} of {len(own)} rows of the group {label!r} get no weight: the target's means lie at "
                "the edge of what that group can reach"
            )
    return Weights(
        method="entropy-balancing",
        rule="entropy balancing of means"
        + (" and variances" if moments == 2 else "")
        + " to the target group",
        groups=groups.labels,
        group=groups.group,
        weights=weights,
        kept=kept,
        scores=np.zeros((len(weights), 0)),
        summary=summary(groups, weights, kept),
        trimming=pd.DataFrame(columns=["rule", "group", "rows"]),
        balance=balance(groups, weights),
        warnings=tuple(warnings),
    )


def _reach(centred: np.ndarray, base: np.ndarray, groups: Groups, k: int) -> np.ndarray:
    """Weights of one group that sum to one and have ``weights @ centred = 0``."""
    log_base = np.log(base / base.sum())
    b = np.zeros(centred.shape[1])

    def at(b: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        exponent = log_base + centred @ b
        value = float(special.logsumexp(exponent))
        w = np.exp(exponent - value)
        w /= w.sum()
        return value, w, w @ centred

    value, w, gradient = at(b)
    for _ in range(STEPS):
        imbalance = np.abs(gradient).max()
        if imbalance < TOLERANCE:
            break
        spread = centred - gradient
        # Least squares: covariates that are sums of others change nothing.
        step = -np.linalg.lstsq((spread * w[:, None]).T @ spread, gradient, rcond=1e-12)[0]
        slope, size = float(gradient @ step), 1.0
        while size > 1e-10:
            tried, w_tried, g_tried = at(b + size * step)
            # Near the end the dual is flat to rounding, and only the imbalance still tells.
            if tried <= value + 1e-4 * size * slope or np.abs(g_tried).max() < imbalance / 2:
                break
            size /= 2
        else:
            break
        b, value, w, gradient = b + size * step, tried, w_tried, g_tried
    if np.abs(gradient).max() > ACCEPTED:
        raise ModelRefusal(_why(centred, groups, k))
    return w


def _why(centred: np.ndarray, groups: Groups, k: int) -> str:
    label = groups.labels[k]
    own, target = groups.x[groups.group == k], groups.x[groups.group == 0]
    weight = groups.base[groups.group == 0]
    mean = weight @ target / weight.sum()
    out = [n for n, m, x in zip(groups.names, mean, own.T, strict=True) if not x.min() <= m <= x.max()]
    if out:
        return (
            f"entropy balancing: the target's mean of {', '.join(out)} lies outside the range of the group "
            f"{label!r}; no weights can reach it: leave it out, or widen the comparison group"
        )
    feasible = optimize.linprog(
        np.zeros(len(centred)),
        A_eq=np.vstack([centred.T, np.ones(len(centred))]),
        b_eq=np.append(np.zeros(centred.shape[1]), 1.0),
        bounds=(0, None),
    )
    names = ", ".join(groups.names)
    if feasible.status == 2:
        return (
            f"entropy balancing: no weights of the group {label!r} reach all moments of {names} at once, "
            "though each mean alone can be reached: leave covariates out, or widen the comparison group"
        )
    return (
        f"entropy balancing: the moments of {names} can be reached in the group {label!r} only by giving "
        "nearly all weight to a few rows: leave covariates out, or widen the comparison group"
    )
