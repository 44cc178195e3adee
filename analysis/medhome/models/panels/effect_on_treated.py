"""Effect on the treated from one change, with covariates: the estimating equations and influence functions.

How would the treated have changed, had they changed like comparisons with the same covariates? Each estimator
is a signed sum of weighted means of outcomes less predictions; what estimating the predictions and the
propensity adds to each row's influence follows by one rule for all of them.
Source: Sant'Anna and Zhao 2020 ("traditional" doubly robust; Hajek weights; locally efficient form for
repeated cross-sections); Heckman, Ichimura and Todd 1997; Abadie 2005; ``docs/methods/panel-estimators.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from medhome.study.problems import ModelRefusal

Method = Literal["dr", "ipw", "outcome_regression"]
CAP = 1 - 1e-6
TRIM = 0.995


@dataclass(frozen=True, kw_only=True)
class EffectOnTreated:
    """estimate, influence (N,) with mean zero (error = root of its squares' sum over N), rows trimmed."""

    estimate: float
    influence: np.ndarray
    trimmed: int = 0


@dataclass(frozen=True, kw_only=True)
class _Prediction:
    """A weighted regression: fitted values of all rows and the influence (N, K) of its coefficients."""

    fitted: np.ndarray
    influence: np.ndarray

    @classmethod
    def of(cls, y: np.ndarray, x: np.ndarray, w: np.ndarray, rows: np.ndarray, what: str) -> _Prediction:
        weight = np.where(rows, w, 0.0)
        gram = x.T @ (weight[:, None] * x) / len(y)
        scale = np.sqrt(np.maximum(np.diag(gram), 1e-300))
        if np.linalg.cond(gram / np.outer(scale, scale)) > 1e12:
            raise ModelRefusal(
                f"Covariates are collinear among {what}; leave out the ones that repeat others."
            )
        beta = np.linalg.solve(gram, x.T @ (weight * y) / len(y))
        fitted = x @ beta
        score = (weight * (y - fitted))[:, None] * x
        return cls(fitted=fitted, influence=np.linalg.solve(gram, score.T).T)


def propensity(d: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logit probability (N,) of being treated and the influence (N, K) of its coefficients."""
    gamma = np.zeros(x.shape[1])
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(x @ gamma, -500, 500)))
        hessian = x.T @ ((w * p * (1 - p))[:, None] * x) / len(d)
        scale = np.sqrt(np.maximum(np.diag(hessian), 1e-300))
        if np.linalg.cond(hessian / np.outer(scale, scale)) > 1e13:
            break
        step = np.linalg.solve(hessian, x.T @ (w * (d - p)) / len(d))
        gamma = gamma + step
        if np.abs(x @ step).max() < 1e-12:
            score = (w * (d - p))[:, None] * x
            return np.minimum(p, CAP), np.linalg.solve(hessian, score.T).T
    raise ModelRefusal(
        "The propensity model does not settle: covariates are collinear, or some of them tell treated from "
        "comparison units perfectly; leave those out, or use outcome regression."
    )


@dataclass(frozen=True, kw_only=True)
class _Part:
    """sign * weighted mean of h. regressions: (sign, prediction) that h holds. odds: w holds p/(1-p)."""

    sign: float
    w: np.ndarray
    h: np.ndarray
    regressions: tuple[tuple[float, _Prediction], ...] = ()
    odds: bool = False


def _summed(
    parts: list[_Part], x: np.ndarray, propensity_influence: np.ndarray | None, trimmed: int
) -> EffectOnTreated:
    n = len(x)
    estimate, influence = 0.0, np.zeros(n)
    for part in parts:
        mass = part.w.mean()
        if not mass > 0:
            raise ModelRefusal("A group or period of the comparison has no rows left after trimming.")
        mean = float((part.w * part.h).mean() / mass)
        estimate += part.sign * mean
        each = part.w * (part.h - mean)
        for sign, prediction in part.regressions:
            each = each + sign * prediction.influence @ ((part.w[:, None] * x).mean(0))
        if part.odds and propensity_influence is not None:
            each = each + propensity_influence @ ((part.w * (part.h - mean))[:, None] * x).mean(0)
        influence += part.sign * each / mass
    return EffectOnTreated(estimate=estimate, influence=influence, trimmed=trimmed)


def _odds(d: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Weights (N,) of comparison rows that make them look like the treated; influence; rows trimmed."""
    p, influence = propensity(d, x, w)
    kept = (p < TRIM) | (d == 1)
    return np.where(kept, w * p * (1 - d) / (1 - p), 0.0), influence, int((~kept).sum())


def panel_effect(
    change: np.ndarray, d: np.ndarray, x: np.ndarray, w: np.ndarray, method: Method = "dr"
) -> EffectOnTreated:
    """Effect on the treated from each unit's change (N,), treated d (N,) 0 or 1, x (N, K) with a constant.

    Weights w are scaled to mean one. Comparison units with a propensity of 0.995 or more are left out.

    >>> x = np.ones((4, 1))
    >>> found = panel_effect(np.array([5.0, 7.0, 1.0, 3.0]), np.array([1.0, 1, 0, 0]), x, np.ones(4))
    >>> round(found.estimate, 12), round(float(np.sqrt((found.influence ** 2).sum()) / 4), 6)
    (4.0, 1.0)
    """
    w = w / w.mean()
    if method == "outcome_regression":
        line = _Prediction.of(change, x, w, d == 0, "comparison units")
        only = _Part(sign=1.0, w=w * d, h=change - line.fitted, regressions=((-1.0, line),))
        return _summed([only], x, None, 0)
    odds, influence, trimmed = _odds(d, x, w)
    if method == "ipw":
        parts = [_Part(sign=1.0, w=w * d, h=change), _Part(sign=-1.0, w=odds, h=change, odds=True)]
        return _summed(parts, x, influence, trimmed)
    line = _Prediction.of(change, x, w, d == 0, "comparison units")
    h = change - line.fitted
    parts = [
        _Part(sign=1.0, w=w * d, h=h, regressions=((-1.0, line),)),
        _Part(sign=-1.0, w=odds, h=h, regressions=((-1.0, line),), odds=True),
    ]
    return _summed(parts, x, influence, trimmed)


def cross_section_effect(
    y: np.ndarray,
    post: np.ndarray,
    d: np.ndarray,
    x: np.ndarray,
    w: np.ndarray,
    method: Method = "dr",
    influence_form: Literal["drdid", "exact"] = "drdid",
) -> EffectOnTreated:
    """Effect on the treated from rows seen once: post and d (N,) 0 or 1, x (N, K) with a constant.

    dr is the locally efficient form with an outcome regression in each of the four cells. influence_form (dr
    only): "drdid" adds what estimating the comparison's regression before the start brings with the sign of
    the reference package (errors equal to its printed ones); "exact" is the derivative. They agree in large
    samples when the models hold.

    >>> y = np.array([1.0, 6.0, 2.0, 8.0, 1.0, 2.0, 3.0, 4.0])
    >>> post, d = np.tile([0.0, 1.0], 4), np.repeat([1.0, 0.0], 4)
    >>> round(cross_section_effect(y, post, d, np.ones((8, 1)), np.ones(8)).estimate, 12)
    4.5
    """
    w = w / w.mean()
    after, before = post, 1 - post
    if method == "outcome_regression":
        line1 = _Prediction.of(y, x, w, (d == 0) & (post == 1), "comparison rows after the start")
        line0 = _Prediction.of(y, x, w, (d == 0) & (post == 0), "comparison rows before the start")
        parts = [
            _Part(sign=1.0, w=w * d * after, h=y),
            _Part(sign=-1.0, w=w * d * before, h=y),
            _Part(
                sign=-1.0, w=w * d, h=line1.fitted - line0.fitted, regressions=((1.0, line1), (-1.0, line0))
            ),
        ]
        return _summed(parts, x, None, 0)
    odds, influence, trimmed = _odds(d, x, w)
    if method == "ipw":
        parts = [
            _Part(sign=1.0, w=w * d * after, h=y),
            _Part(sign=-1.0, w=w * d * before, h=y),
            _Part(sign=-1.0, w=odds * after, h=y, odds=True),
            _Part(sign=1.0, w=odds * before, h=y, odds=True),
        ]
        return _summed(parts, x, influence, trimmed)
    line = {
        (g, t): _Prediction.of(
            y,
            x,
            w,
            (d == g) & (post == t),
            f"{'treated' if g else 'comparison'} rows {'after' if t else 'before'} the start",
        )
        for g in (0, 1)
        for t in (0, 1)
    }
    parts = []
    printed = influence_form == "drdid"
    for t, sign, when in ((1, 1.0, after), (0, -1.0, before)):
        compared, treated = line[0, t], line[1, t]
        h = y - compared.fitted
        gap = treated.fitted - compared.fitted
        both = ((1.0, treated), (-1.0, compared))
        alone = ((1.0 if printed and t == 0 else -1.0, compared),)
        parts += [
            _Part(sign=sign, w=w * d * when, h=h, regressions=alone),
            _Part(sign=-sign, w=odds * when, h=h, regressions=alone, odds=True),
            _Part(sign=sign, w=w * d, h=gap, regressions=both),
            _Part(sign=-sign, w=w * d * when, h=gap, regressions=both),
        ]
    return _summed(parts, x, influence, trimmed)
