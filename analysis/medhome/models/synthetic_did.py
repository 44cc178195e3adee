"""Synthetic difference in differences: comparisons and months weighted to look like the treated before.

Shown beside the headline where asked; with one treated organisation its placebo interval is blind or too
short by the size of the organisations (few-clusters note, section 4), so it never heads the report.

Source: Arkhangelsky, Athey, Hirshberg, Imbens and Wager 2021, American Economic Review 111; weights by
Frank-Wolfe steps with that paper's penalties, started from equal weights, made sparse once and refined.
Golden values: the authors' R package on Proposition 99, and the few-clusters note, section 7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FIRST_STEPS, MOST_STEPS = 100, 10_000
CONTROL_PENALTY = 1e-6
"""Ridge of synthetic control in units of the noise: keeps its weights unique, moves nothing that shows."""


@dataclass(frozen=True, kw_only=True)
class SyntheticDid:
    """The estimate and its weights: ``unit_weights`` of comparisons, ``month_weights`` of months before."""

    estimate: float
    unit_weights: np.ndarray
    month_weights: np.ndarray


@dataclass(frozen=True, kw_only=True)
class _Penalties:
    unit: float
    month: float
    tolerance: float

    @classmethod
    def of(cls, comparison: np.ndarray, treated: int, before: int) -> _Penalties:
        noise = np.diff(comparison[:, :before], axis=1).std(ddof=1)
        cells = treated * (comparison.shape[1] - before)
        return cls(unit=cells**0.25 * noise, month=1e-6 * noise, tolerance=1e-5 * noise)


def synthetic_did(y: np.ndarray, treated: np.ndarray, before: int) -> SyntheticDid:
    """Effect on treated rows of a balanced panel (J, T) whose first ``before`` columns precede the start."""
    y, treated = np.asarray(y, dtype=float), np.asarray(treated, dtype=bool)
    penalties = _Penalties.of(y[~treated], int(treated.sum()), before)
    return _fit(y[treated], y[~treated], before, penalties, None, None)


def synthetic_control(y: np.ndarray, treated: np.ndarray, before: int) -> SyntheticDid:
    """Synthetic control: weights of comparisons that follow the treated's levels, no weights of months."""
    y, treated = np.asarray(y, dtype=float), np.asarray(treated, dtype=bool)
    comparison, followed = y[~treated], y[treated]
    noise = _Penalties.of(comparison, 1, before)
    target = np.column_stack([comparison[:, :before].T, followed[:, :before].mean(0)])
    unit = _weights(target, CONTROL_PENALTY * noise.tolerance / 1e-5, noise.tolerance, None, intercept=False)
    after = np.r_[np.zeros(before), np.full(y.shape[1] - before, 1 / (y.shape[1] - before))]
    estimate = (followed.mean(0) - unit @ comparison) @ after
    return SyntheticDid(estimate=float(estimate), unit_weights=unit, month_weights=np.zeros(before))


def equal_weights(y: np.ndarray, treated: np.ndarray, before: int) -> SyntheticDid:
    """Difference in differences in the same form: all comparisons and all months before weigh the same."""
    y, treated = np.asarray(y, dtype=float), np.asarray(treated, dtype=bool)
    count = int((~treated).sum())
    return weighted_effect(y, treated, np.full(count, 1 / count), np.full(before, 1 / before))


def weighted_effect(
    y: np.ndarray, treated: np.ndarray, unit_weights: np.ndarray, month_weights: np.ndarray
) -> SyntheticDid:
    """The estimate that given weights of comparisons and of months before make."""
    after = y.shape[1] - len(month_weights)
    over = np.r_[-month_weights, np.full(after, 1 / after)]
    estimate = y[treated].mean(0) @ over - unit_weights @ y[~treated] @ over
    return SyntheticDid(estimate=float(estimate), unit_weights=unit_weights, month_weights=month_weights)


def placebo_effects(y: np.ndarray, treated: np.ndarray, before: int, anew: bool = True) -> np.ndarray:
    """The effect that each comparison row would show as the only treated one, in row order.

    anew: fit each placebo as a study of its own; else keep the study's penalties and start from its weights,
    as the authors' R package does (another number in the fifth digit). All placebos, not a random sample:
    their population standard deviation is the placebo standard error for one treated row.
    """
    y, treated = np.asarray(y, dtype=float), np.asarray(treated, dtype=bool)
    comparison = y[~treated]
    if len(comparison) < 3:
        raise ValueError("placebos of synthetic difference in differences need three comparison rows or more")
    kept = _Penalties.of(comparison, int(treated.sum()), before)
    whole = _fit(y[treated], comparison, before, kept, None, None)
    effects = []
    for k in range(len(comparison)):
        others = np.arange(len(comparison)) != k
        if anew:
            fit = synthetic_did(comparison, ~others, before)
        else:
            start = whole.unit_weights[others]
            start = start / start.sum() if start.sum() > 0 else np.full(others.sum(), 1 / others.sum())
            fit = _fit(comparison[[k]], comparison[others], before, kept, start, whole.month_weights)
        effects.append(fit.estimate)
    return np.array(effects)


def _fit(
    treated: np.ndarray,
    comparison: np.ndarray,
    before: int,
    penalties: _Penalties,
    unit_start: np.ndarray | None,
    month_start: np.ndarray | None,
) -> SyntheticDid:
    month_target = np.column_stack([comparison[:, :before], comparison[:, before:].mean(1)])
    unit_target = np.column_stack([comparison[:, :before].T, treated[:, :before].mean(0)])
    month = _weights(month_target, penalties.month, penalties.tolerance, month_start)
    unit = _weights(unit_target, penalties.unit, penalties.tolerance, unit_start)
    over_months = np.r_[-month, np.full(treated.shape[1] - before, 1 / (treated.shape[1] - before))]
    estimate = treated.mean(0) @ over_months - unit @ comparison @ over_months
    return SyntheticDid(estimate=float(estimate), unit_weights=unit, month_weights=month)


def _weights(
    target: np.ndarray, penalty: float, tolerance: float, start: np.ndarray | None, intercept: bool = True
) -> np.ndarray:
    """Weights of all columns but the last that follow the last, up to a constant (intercept) or in level."""
    if intercept:
        target = target - target.mean(0)
    weights = _frank_wolfe(target, penalty, tolerance, start, FIRST_STEPS)
    weights = np.where(weights <= weights.max() / 4, 0.0, weights)
    return _frank_wolfe(target, penalty, tolerance, weights / weights.sum(), MOST_STEPS)


def _frank_wolfe(
    target: np.ndarray, penalty: float, tolerance: float, start: np.ndarray | None, steps: int
) -> np.ndarray:
    A, b = target[:, :-1], target[:, -1]
    weights = np.full(A.shape[1], 1 / A.shape[1]) if start is None else start
    ridge = len(A) * penalty**2
    last, error = np.inf, A @ weights - b
    for step in range(steps):
        gradient = error @ A + ridge * weights
        best = int(gradient.argmin())
        toward = -weights
        toward[best] += 1.0
        moved = A[:, best] - b - error  # A @ toward
        curve = moved @ moved + ridge * (toward @ toward)
        if curve == 0.0:
            break
        length = min(1.0, max(0.0, -(gradient @ toward) / curve))
        weights, error = weights + length * toward, error + length * moved
        value = penalty**2 * (weights @ weights) + (error @ error) / len(A)
        if step > 0 and last - value <= tolerance**2:
            break
        last = value
    return weights
