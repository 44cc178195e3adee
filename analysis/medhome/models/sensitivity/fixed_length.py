"""Smoothness bounds: the shortest fixed-length interval when trends bend by at most M from period to period.

The difference in trends delta has ``|delta[t+1] - 2 delta[t] + delta[t-1]| <= M`` and is zero in the
reference period 0. An estimator ``l'beta_post + v'beta_pre`` without bias from straight trends has, with
``w_k = sum over t < k of v_t (k - t)``, the worst bias

    M (sum over k >= 0 of |sum over t > k of l_t (t - k)| + sum over k < 0 of |w_k|),  w_0 = l't_post,

so that bias and variance trade off along a lasso path in w, which is piecewise linear and followed exactly.
Each interval is estimate +- sd c(bias / sd), c the quantile of |N(b, 1)|. Source: Rambachan and Roth (2023),
"A more credible approach to parallel trends", section 4.1; Armstrong and Kolesar (2018); docs/methods,
sensitivity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy import optimize, special

from medhome.study.problems import ModelRefusal


@dataclass(frozen=True, kw_only=True)
class FixedLength:
    """The fixed-length intervals of one effect, at any M.

    beta: (pre + post,) event-study coefficients in the order of time without the reference period; sigma:
    their covariance; pre: how many stand before the start; effect: (post,) weights l of the effect.

    >>> fit = FixedLength(beta=np.array([0.0, 1.0]), sigma=np.eye(2), pre=1, effect=np.array([1.0]))
    >>> [round(float(v), 4) for v in fit.interval(0.0, 0.95)]  # straight line through one point before
    [-1.7718, 3.7718]
    """

    beta: np.ndarray
    sigma: np.ndarray
    pre: int
    effect: np.ndarray

    def interval(self, bound: float, level: float) -> tuple[float, float]:
        """Lower and upper end when slopes change by at most ``bound`` from period to period."""
        weights, half = self._best(bound, level)
        centre = float(weights @ self.beta)
        return centre - half, centre + half

    def half_length(self, bound: float, level: float) -> float:
        """Half the length of `interval`; never falls in ``bound``."""
        return self._best(bound, level)[1]

    def _best(self, bound: float, level: float) -> tuple[np.ndarray, float]:
        path = self._path
        if bound == 0 or len(path) == 1:
            w = path[-1]
            return self._weights(w), self._half(w, bound, level)
        best, least = path[0], np.inf
        for first, last in pairwise(path):

            def along(share: float, a: np.ndarray = first, b: np.ndarray = last) -> float:
                return self._half(a + share * (b - a), bound, level)

            found = optimize.minimize_scalar(
                along, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-11}
            )
            for share in (0.0, float(found.x), 1.0):
                if (half := along(share)) < least:
                    best, least = first + share * (last - first), half
        return self._weights(best), float(least)

    def _half(self, w: np.ndarray, bound: float, level: float) -> float:
        weights = self._weights(w)
        sd = float(np.sqrt(weights @ self.sigma @ weights))
        bias = bound * (self._bias_after + float(np.abs(w).sum()))
        return sd * folded_quantile(bias / sd, level)

    @cached_property
    def _after(self) -> np.ndarray:
        return np.arange(1, len(self.effect) + 1, dtype=float)

    @cached_property
    def _bias_after(self) -> float:
        """What changes of slope at the reference period and later add to the bias, whatever v."""
        later = np.maximum(self._after[None, :] - np.arange(len(self.effect))[:, None], 0.0)
        return float(np.abs(later @ self.effect).sum())

    @cached_property
    def _from_w(self) -> np.ndarray:
        """(pre, pre): v from (w at k = -pre + 1 .. 0)."""
        kinks, times = np.arange(-self.pre + 1, 1), np.arange(-self.pre, 0)
        return np.linalg.inv(np.maximum(kinks[:, None] - times[None, :], 0).astype(float))

    def _weights(self, w: np.ndarray) -> np.ndarray:
        """(pre + post,) weights on beta from the free part of w (k = -pre + 1 .. -1)."""
        last = float(self.effect @ self._after)
        return np.concatenate([self._from_w @ np.append(w, last), self.effect])

    @cached_property
    def _path(self) -> list[np.ndarray]:
        """Corners of w, from least bias (all zero) to least variance."""
        free = self.pre - 1
        if free == 0:
            return [np.zeros(0)]
        slope = np.zeros((len(self.beta), free))
        slope[: self.pre] = self._from_w[:, :free]
        start = self._weights(np.zeros(free))
        return list(_lasso_path(slope.T @ self.sigma @ slope, slope.T @ self.sigma @ start))


def folded_quantile(bias: float, level: float) -> float:
    """The c with ``P(|N(bias, 1)| <= c) = level``.

    >>> round(folded_quantile(0.0, 0.95), 6), round(folded_quantile(10.0, 0.95) - 10, 6)
    (1.959964, 1.644854)
    """
    bias = abs(bias)

    def excess(c: float) -> float:
        return float(special.ndtr(c - bias) - special.ndtr(-c - bias)) - level

    low = bias + float(special.ndtri(level)) if bias > 8 else 0.0
    high = bias + float(special.ndtri((1 + level) / 2))
    if excess(low) >= 0:  # far from zero the fold no longer matters
        return low
    if excess(high) <= 0:
        return high
    return float(optimize.brentq(excess, low, high, xtol=1e-14, rtol=1e-14))


def _lasso_path(Q: np.ndarray, r: np.ndarray) -> Iterator[np.ndarray]:
    """Corners of the minimisers of w'Qw/2 + r'w + penalty |w|, as the penalty falls to zero."""
    size = len(r)
    w, active, sign = np.zeros(size), np.zeros(size, dtype=bool), np.zeros(size)
    penalty = float(np.abs(r).max())
    yield w.copy()
    if penalty == 0:
        return
    first = int(np.abs(r).argmax())
    active[first], sign[first] = True, -np.sign(r[first])
    left = (-1, 0.0)  # what has just left starts on its edge and moves inwards: no crossing
    for _ in range(50 * size):
        inside = np.flatnonzero(active)
        step = np.zeros(size)  # direction of w as the penalty falls by one
        step[inside] = np.linalg.solve(Q[np.ix_(inside, inside)], sign[inside])
        gradient, drift = Q @ w + r, Q @ step
        length, event = penalty, (-1, 0.0)
        for k in range(size):
            if active[k]:
                if step[k] * w[k] < 0 and -w[k] / step[k] < length:
                    length, event = float(-w[k] / step[k]), (k, 0.0)
                continue
            for side in (1.0, -1.0):  # it enters where side * (gradient + drift length) = penalty - length
                speed = 1.0 + side * drift[k]
                if speed > 1e-14 and (k, side) != left:
                    reach = max(float((penalty - side * gradient[k]) / speed), 0.0)
                    if reach < length:
                        length, event = reach, (k, -side)
        w, penalty = w + length * step, penalty - length
        k, entering = event
        left = (-1, 0.0)
        if k >= 0 and active[k]:
            left = (k, -sign[k])
            w[k], active[k], sign[k] = 0.0, False, 0.0
        elif k >= 0:
            active[k], sign[k] = True, entering
        yield w.copy()
        if k < 0:
            return
    raise ModelRefusal("sensitivity: the covariance is too close to singular for the shortest interval")
