"""Poisson with unit and time effects under many assignments of the treatment, fitted by Newton's method.

The unit effects are worked out of the likelihood (given the others they are a ratio of sums), so that what is
left are time effects and the treatment: small and concave. The estimate is that of `panels.ppml`.
"""

from __future__ import annotations

import numpy as np

STEPS = 50
CONVERGED = 1e-11


def permuted_ppml(
    outcome: np.ndarray, weights: np.ndarray, unit: np.ndarray, time: np.ndarray, treated: np.ndarray
) -> np.ndarray:
    """(A,) effect on the treated in the unit of the outcome, under each of A assignments.

    Arguments
        outcome, weights, unit, time: (n,) cell means, their weights, and positions of effects.
        treated: (n, A) whether a cell is treated under an assignment.

    NaN where the effect cannot be told: nobody treated, or treated cells without any outcome.

    >>> y, unit, time = np.array([2.0, 9.0, 1.0, 2.0]), np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> permuted_ppml(y, np.ones(4), unit, time, np.array([[False, True, False, False]]).T).round(6).tolist()
    [5.0]
    """
    P, T = int(unit.max()) + 1, int(time.max()) + 1
    w, total = np.zeros((P, T)), np.zeros((P, T))
    w[unit, time], total[unit, time] = weights, weights * outcome
    live = total.sum(1) > 0
    seen = total.sum(0) > 0
    found = np.full(treated.shape[1], np.nan)
    start = np.log(total.sum(0)[seen] / w[live].sum(0)[seen])
    for i, column in enumerate(treated.T):
        d = np.zeros((P, T))
        d[unit, time] = column
        found[i] = _one(w[live][:, seen], total[live][:, seen], d[live][:, seen], start, float((w * d).sum()))
    return found


def _one(w: np.ndarray, total: np.ndarray, d: np.ndarray, start: np.ndarray, exposure: float) -> float:
    by_unit, by_time = total.sum(1), total.sum(0)
    target = float((total * d).sum())
    if exposure <= 0 or target <= 0 or not ((w > 0) & (d == 0)).any():
        return float("nan")
    T = len(by_time)
    month, b = start.copy(), 0.0
    for _ in range(STEPS):
        mu = w * np.exp(month + b * d)
        mu *= (by_unit / mu.sum(1))[:, None]
        in_treated = (mu * d).sum(1)
        gradient = np.append(by_time - mu.sum(0), target - in_treated.sum())
        scaled = mu / np.sqrt(by_unit)[:, None]
        own = in_treated / np.sqrt(by_unit)
        hessian = np.empty((T + 1, T + 1))
        hessian[:T, :T] = np.diag(mu.sum(0)) - scaled.T @ scaled
        hessian[:T, T] = hessian[T, :T] = (mu * d).sum(0) - scaled.T @ own
        hessian[T, T] = in_treated.sum() - own @ own
        # The first month stands still: unit effects hold the level.
        if hessian[T, T] <= 1e-9 * in_treated.sum():
            return float("nan")
        try:
            step = np.linalg.solve(hessian[1:, 1:], gradient[1:])
        except np.linalg.LinAlgError:  # months that no unit ties together
            step = np.linalg.lstsq(hessian[1:, 1:], gradient[1:], rcond=1e-12)[0]
        month[1:] += np.clip(step[:-1], -5, 5)
        b += float(np.clip(step[-1], -5, 5))
        if np.abs(step).max() < CONVERGED:
            return target / exposure * -float(np.expm1(-b))
    return float("nan")
