"""How far may trends have parted before the finding goes? Bounds on an effect of any event study.

Relative magnitudes: after the start the difference in trends changes from period to period by at most M
times its largest change before. Smoothness: its slope changes by at most M. Source: Rambachan and Roth
(2023), "A more credible approach to parallel trends"; docs/methods, sensitivity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy import special

from medhome.models.sensitivity.fixed_length import FixedLength
from medhome.models.sensitivity.least_favourable import LeastFavourable
from medhome.study.problems import ModelRefusal
from medhome.study.sensitivity_bounds import KINDS, SensitivityResult

RELATIVE_MAGNITUDES = (0.0, 0.5, 1.0, 1.5, 2.0)
MANY_PERIODS = 10
TOLERANCE = 1e-3
_RULES = {
    "smoothness": "fixed-length interval of least length, normal critical values",
    "relative-magnitudes": "conditional least-favourable hybrid test inverted, first stage a tenth of the "
    "size, normal critical values",
}


def sensitivity(
    beta: Sequence[float] | np.ndarray,
    sigma: Sequence[Sequence[float]] | np.ndarray,
    pre: int,
    post: int,
    *,
    kind: str = "relative-magnitudes",
    bounds: Sequence[float] | None = None,
    effect: str | int | Sequence[float] = "first",
    level: float = 0.95,
    gap: int = 0,
) -> SensitivityResult:
    """Which effects remain possible when trends were not parallel?

    Arguments
        beta: (pre + post,) coefficients of an event study with one reference period, in the order of time:
            ``pre`` before the reference period and ``post`` after it, equally spaced, none left out but
            for ``gap``.
        sigma: (pre + post, pre + post) their covariance.
        kind: "relative-magnitudes" (M is a multiple of the largest change between periods before the start)
            or "smoothness" (M is the largest change of slope between periods, in units of the outcome).
        bounds: the values of M; when left out 0, 0.5, 1, 1.5, 2, or, for smoothness, 0 and four steps up to
            the largest change of slope seen before the start.
        effect: "first" period after the start, "average" of all, k for the k-th, or (post,) weights.
        level: of the intervals.
        gap: periods without a coefficient between the reference period and the first of ``post`` (a washout):
            trends may part in each of them too.

    Raises `ModelRefusal` for coefficients, a covariance or a request that do not fit together.

    >>> found = sensitivity([0.1, -0.1, 1.0, 1.2], 0.01 * np.eye(4), 2, 2, bounds=(0, 1, 2))
    >>> found.frame.round(2).values.tolist()
    [[0.0, 0.8, 1.2], [1.0, 0.51, 1.49], [2.0, 0.1, 1.9]]
    >>> 2 < found.breakdown < 3
    True
    """
    b, S = _checked(beta, sigma, pre, post)
    if kind not in KINDS:
        raise ModelRefusal(f"sensitivity: kind {kind!r} is not known; it is one of {', '.join(KINDS)}")
    if not 0.5 <= level < 1:
        raise ModelRefusal(f"sensitivity: level {level!r} is not a share from 0.5 to below 1, such as 0.95")
    if isinstance(gap, bool) or not isinstance(gap, (int, np.integer)) or gap < 0:
        raise ModelRefusal(f"sensitivity: gap = {gap!r}; it is a whole number of periods, zero or more")
    weights, name = _weights(effect, post)
    chosen = _bounds(bounds, kind, b, S, pre)
    method: FixedLength | LeastFavourable
    if kind == "smoothness":
        method = _fixed_length(b, S, pre, weights, gap)
    else:
        method = LeastFavourable(beta=b, sigma=S, pre=pre, effect=weights, kind=kind, gap=gap)
    rows = [(m, *method.interval(m, level)) for m in chosen]
    after = slice(pre, pre + post)
    estimate, se = float(weights @ b[after]), float(np.sqrt(weights @ S[after, after] @ weights))
    z = float(special.ndtri((1 + level) / 2))
    warnings = []
    if pre > MANY_PERIODS:
        warnings.append(
            f"{pre} periods before the start: intervals near M = 0 lean on all of them being alike and are "
            "narrow for that reason"
        )
    if kind == "relative-magnitudes" and pre == 1:
        warnings.append("one change before the start is known: the largest is taken from it alone")
    return SensitivityResult(
        kind=kind,
        effect=name,
        level=level,
        estimate=estimate,
        se=se,
        original=(estimate - z * se, estimate + z * se),
        pre=pre,
        post=post,
        frame=pd.DataFrame(rows, columns=["M", "lower", "upper"]),
        breakdown=_breakdown(lambda m: method.interval(m, level), _unit(kind, b, S, pre)),
        rule=_RULES[kind],
        warnings=tuple(warnings),
    )


def _fixed_length(b: np.ndarray, S: np.ndarray, pre: int, weights: np.ndarray, gap: int) -> FixedLength:
    """Periods of the gap stand in with an effect that nobody asks for: what they hold changes nothing."""
    whole = np.insert(np.insert(S, [pre] * gap, 0.0, axis=0), [pre] * gap, 0.0, axis=1)
    for k in range(pre, pre + gap):
        whole[k, k] = S[pre, pre]
    return FixedLength(
        beta=np.insert(b, [pre] * gap, 0.0), sigma=whole, pre=pre, effect=np.r_[np.zeros(gap), weights]
    )


def _checked(beta: object, sigma: object, pre: int, post: int) -> tuple[np.ndarray, np.ndarray]:
    b, S = np.asarray(beta, dtype=float), np.asarray(sigma, dtype=float)
    for name, count in (("pre", pre), ("post", post)):
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
            raise ModelRefusal(
                f"sensitivity: {name} = {count!r}; bounds need at least one coefficient before the reference "
                "period and one after it, as whole numbers"
            )
    if b.shape != (pre + post,):
        raise ModelRefusal(
            f"sensitivity: beta has shape {b.shape} for pre + post = {pre + post} coefficients; leave the "
            "reference period out"
        )
    if S.shape != (len(b), len(b)):
        raise ModelRefusal(f"sensitivity: sigma has shape {S.shape} for {len(b)} coefficients")
    if not (np.isfinite(b).all() and np.isfinite(S).all()):
        raise ModelRefusal("sensitivity: beta or sigma holds a number that is not finite")
    if np.abs(S - S.T).max() > 1e-8 * np.abs(S).max():
        raise ModelRefusal("sensitivity: sigma is not symmetric; it is the covariance of the coefficients")
    S = (S + S.T) / 2
    sd = np.sqrt(np.maximum(np.diag(S), 0.0))
    if not (sd > 0).all() or np.linalg.eigvalsh(S / np.outer(sd, sd)).min() < 1e-10:
        raise ModelRefusal(
            "sensitivity: sigma is not positive definite; with fewer clusters than coefficients it "
            "cannot be: use longer periods"
        )
    return b, S


def _weights(effect: str | int | Sequence[float], post: int) -> tuple[np.ndarray, str]:
    if isinstance(effect, str):
        if effect == "first":
            return np.eye(post)[0], "first period"
        if effect == "average":
            return np.full(post, 1 / post), f"average of {post} periods"
        raise ModelRefusal(
            f"sensitivity: effect {effect!r} is not known; it is 'first', 'average', a period from 1 to "
            f"{post}, or weights"
        )
    if isinstance(effect, (int, np.integer)) and not isinstance(effect, bool):
        if not 1 <= effect <= post:
            raise ModelRefusal(f"sensitivity: effect {effect} is not a period after the start, 1 to {post}")
        return np.eye(post)[effect - 1], f"period {effect}"
    weights = np.asarray(effect, dtype=float)
    if weights.shape != (post,) or not np.isfinite(weights).all() or not weights.any():
        raise ModelRefusal(f"sensitivity: weights of the effect must be {post} finite numbers, not all zero")
    return weights, "weighted: " + ", ".join(f"{w:g}" for w in weights)


def _bounds(
    bounds: Sequence[float] | None, kind: str, b: np.ndarray, S: np.ndarray, pre: int
) -> tuple[float, ...]:
    if bounds is None:
        if kind == "relative-magnitudes":
            return RELATIVE_MAGNITUDES
        return tuple(float(_unit(kind, b, S, pre) * step) for step in (0, 0.25, 0.5, 0.75, 1))
    chosen = tuple(float(m) for m in bounds)
    if not chosen or not all(np.isfinite(m) and m >= 0 for m in chosen):
        raise ModelRefusal("sensitivity: bounds must be one or more numbers from zero up")
    return chosen


def _unit(kind: str, b: np.ndarray, S: np.ndarray, pre: int) -> float:
    """A natural step of M: one, or the largest change of slope seen before the start, or a standard error."""
    if kind == "relative-magnitudes":
        return 1.0
    seen = np.abs(np.diff(np.append(b[:pre], 0.0), 2))
    return float(seen.max()) if len(seen) and seen.max() > 0 else float(np.sqrt(S[pre, pre]))


def _breakdown(interval: Callable[[float], tuple[float, float]], unit: float) -> float:
    """The M up to which the interval leaves zero out: doubled until it does not, then halved."""

    def excludes(m: float) -> bool:
        low, high = interval(m)
        return not low <= 0 <= high

    if not excludes(0.0):
        return 0.0
    low, high = 0.0, unit / 64  # from small steps up, so that the first M that brings zero in is found
    while excludes(high):
        low, high = high, 2 * high
        if high > 1e6 * unit:
            return float("inf")
    while high - low > TOLERANCE * min(1.0, unit, high) / 4:
        middle = (low + high) / 2
        if excludes(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2
