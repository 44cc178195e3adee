"""Bounds by conditional least-favourable hybrid tests: relative magnitudes, and smoothness as a check.

The question: which effects theta = l'tau could have made these coefficients, when trends part after the start
by at most M times the largest change before it (or bend by at most M)? With D the first (second) differences
that reach into the time after the start, and b_t their bounds, the null for theta is that some tau has

    -b_t <= D_t (beta - tau) <= b_t for every t,   l'tau = theta.

D is square and invertible in tau, so the dual of this linear program has n + 2 vertices that can be written
down, with ``a = inverse(D_post)' l`` and ``sd`` the errors of the 2n moments:

    ( a'D beta - theta - sum |a_t| b_t) / sum |a_t| sd_t,    its mirror, and   -2 b_t / (sd_t+ + sd_t-).

The test statistic is the largest of them. It is compared with the quantile of a normal truncated to where
this vertex stays the largest (the conditional test), after a first stage of a tenth of the size that compares
it with the quantile of the largest vertex at the least favourable point. For relative magnitudes the bound is
``b = M s (beta[k + 1] - beta[k])``; the set is the union over the changes k before the start and both signs
s.

Every end of the set lies where the first stage does not reject, an interval known beforehand, so no grid can
cut it off. Source: Rambachan and Roth (2023), sections 3 and 4; Andrews, Roth and Pakes (2023);
docs/methods, sensitivity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special, stats

POINTS = 401
"""Points of the grid between the ends that the first stage allows."""

EDGE_POINTS, REFINEMENTS = 101, 4
"""An end is then found on grids between neighbours, a hundred times finer each time."""

FIRST_STAGE_SHARE = 0.1
DRAWS = 2**15
"""Points of the Sobol sequence behind the first stage's quantile: no random number is drawn."""


@dataclass(frozen=True, kw_only=True)
class LeastFavourable:
    """The C-LF confidence set of one effect, at any M.

    Arguments as `fixed_length.FixedLength`; kind: "relative-magnitudes" or "smoothness"; gap: periods without
    a coefficient just after the reference (relative magnitudes alone): the change across them may be as large
    as so many changes together.

    >>> fit = LeastFavourable(beta=np.array([0.0, 1.0]), sigma=0.01 * np.eye(2), pre=1,
    ...                       effect=np.array([1.0]), kind="relative-magnitudes")
    >>> [round(float(v), 2) for v in fit.interval(0.0, 0.95)]
    [0.8, 1.2]
    """

    beta: np.ndarray
    sigma: np.ndarray
    pre: int
    effect: np.ndarray
    kind: str
    gap: int = 0

    def interval(self, bound: float, level: float) -> tuple[float, float]:
        """Smallest and largest effect that is not rejected; NaN twice where every effect is."""
        ends = [part.ends() for part in self._parts(bound, level) if part]
        found = np.array([e for e in ends if e is not None])
        if not len(found):
            return float("nan"), float("nan")
        return float(found[:, 0].min()), float(found[:, 1].max())

    def _parts(self, bound: float, level: float) -> Iterator[_Part | None]:
        whole = np.insert(np.eye(len(self.beta)), self.pre, 0.0, axis=0)  # coefficients with the reference
        changes = np.diff(whole, axis=0)
        if self.kind == "smoothness":
            D = np.diff(changes, axis=0)[self.pre - 1 :]
            yield self._part(D, np.zeros_like(D), np.full(len(D), bound), level)
            return
        D = changes[self.pre :]
        steps = np.ones(len(D))
        steps[0] += self.gap
        for change in changes[: self.pre]:
            for sign in (1.0, -1.0):
                yield self._part(D, bound * sign * np.outer(steps, change), np.zeros(len(D)), level)

    def _part(self, D: np.ndarray, random: np.ndarray, fixed: np.ndarray, level: float) -> _Part | None:
        """The test with bounds ``random @ beta + fixed``, or None where no effect can pass it."""
        a = np.linalg.solve(D[:, self.pre :].T, self.effect)
        moments = {s: s * D - random for s in (1, -1)}
        sd = {s: np.sqrt(np.einsum("ti,ij,tj->t", m, self.sigma, m)) for s, m in moments.items()}
        rows, thetas, constants = [], [], []
        for s in (1, -1):
            size = float(np.abs(a) @ np.where(s * a > 0, sd[1], sd[-1]))
            rows.append((s * a @ D - np.abs(a) @ random) / size)
            thetas.append(-s / size)
            constants.append(-(np.abs(a) @ fixed) / size)
        both = sd[1] + sd[-1]
        V = np.vstack([rows, -2 * random / both[:, None]])
        constant = np.concatenate([constants, -2 * fixed / both])
        at_zero, covariance = V @ self.beta + constant, V @ self.sigma @ V.T
        size = (1 - level) * FIRST_STAGE_SHARE
        most = float(np.sqrt(covariance.diagonal().max()) * special.ndtri(1 - size / len(V)))
        if (at_zero[2:] > most).any():  # no effect can pass the first stage, whatever its exact quantile
            return None
        return _Part(
            at_zero=at_zero,
            theta=np.concatenate([thetas, np.zeros(len(D))]),
            covariance=covariance,
            first_stage=float(np.quantile((V @ self._draws).max(0), 1 - size)),
            size=(1 - level - size) / (1 - size),
        )

    @cached_property
    def _draws(self) -> np.ndarray:
        """(coefficients, DRAWS) normal errors of the coefficients, evenly spread."""
        even = stats.qmc.Sobol(len(self.beta), scramble=False).random(DRAWS) + 0.5 / DRAWS
        return np.ascontiguousarray(np.linalg.cholesky(self.sigma) @ special.ndtri(even).T)


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One test, at every theta: vertices ``at_zero + theta * effect`` with their covariance."""

    at_zero: np.ndarray
    theta: np.ndarray
    covariance: np.ndarray
    first_stage: float
    size: float

    def ends(self) -> tuple[float, float] | None:
        """Smallest and largest effect that is not rejected, if any."""
        if (self.at_zero[2:] > self.first_stage).any():
            return None
        # The first two vertices fall and rise in theta: beyond these ends the first stage rejects.
        high = (self.first_stage - self.at_zero[1]) / self.theta[1]
        low = (self.first_stage - self.at_zero[0]) / self.theta[0]
        if low > high:
            return None
        grid = np.linspace(low, high, POINTS)
        kept = np.flatnonzero(self.accepted(grid))
        if not len(kept):
            return None
        first, last = kept[0], kept[-1]
        return (
            self._edge(grid[first], grid[max(first - 1, 0)]),
            self._edge(grid[last], grid[min(last + 1, POINTS - 1)]),
        )

    def _edge(self, inside: float, outside: float) -> float:
        """Where acceptance ends between a point inside and one outside, by finer and finer grids."""
        for _ in range(REFINEMENTS):
            grid = np.linspace(outside, inside, EDGE_POINTS)
            edge = int(self.accepted(grid).argmax())
            outside, inside = grid[max(edge - 1, 0)], grid[edge]
        return float(inside)

    def accepted(self, theta: np.ndarray) -> np.ndarray:
        """(N,) whether the effects are not rejected."""
        Y = self.at_zero + theta[:, None] * self.theta
        at = np.arange(len(Y)), Y.argmax(1)
        largest = Y[at]
        variance = self.covariance[at[1], at[1]]
        sd = np.sqrt(variance)
        sure = sd < 1e-10 * np.sqrt(self.covariance.max())  # a vertex without error: all or nothing
        slope = self.covariance[at[1]] / np.where(sure, 1.0, variance)[:, None]
        rest = Y - slope * largest[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = rest / (1 - slope)
        lower = np.where(slope < 1 - 1e-12, crossing, -np.inf).max(1)
        upper = np.where(slope > 1 + 1e-12, crossing, np.inf).min(1)
        scale = np.where(sure, 1.0, sd)
        critical = truncated_quantile(
            1 - self.size, lower / scale, np.minimum(upper, self.first_stage) / scale
        )
        rejected = np.where(sure, largest > 0, largest / scale > np.maximum(critical, 0.0))
        return ~(rejected | (largest > self.first_stage))


def truncated_quantile(share: float, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Quantile of a standard normal truncated to [low, high], exact far in the upper tail.

    >>> truncated_quantile(0.5, np.array([0.0, 30.0]), np.array([np.inf, np.inf])).round(4).tolist()
    [0.6745, 30.0231]
    """
    above = np.logaddexp(
        np.log1p(-share) + special.log_ndtr(-low), np.log(share) + special.log_ndtr(-np.maximum(high, low))
    )
    return np.asarray(-special.ndtri_exp(np.minimum(above, 0.0)))
