"""What did treatment change between two periods, given covariates, and how does each unit move the answer?

Sant'Anna and Zhao (2020): outcome regression ("reg"), inverse odds weights that add up to one ("ipw"), and
both at once ("dr", consistent when either model holds), for a panel and for repeated cross-sections. Every
estimator is a sum of weighted means, so its influence function is written once: the mean itself, what the
regressions estimated, what the propensity score estimated. "dr-improved" is their bias-reduced form: odds
that carry the comparison group's covariate means to the treated's exactly, and regressions weighted by these
odds, so that to first order neither has a part in the influence function, even where one model is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr
from scipy.special import expit

from medhome.study.problems import ModelRefusal

METHODS = ("dr", "dr-improved", "ipw", "reg")
INFLUENCES = {
    "reference": "of repeated cross-sections with the signs of R DRDID 1.2.3",
    "exact": "of repeated cross-sections as the estimate's derivative",
}
"""Conventions of the doubly robust influence function in repeated cross-sections, in words for `rule`."""

CEILING = 1 - 1e-6
TRIM = 0.995
"""Comparison units whose propensity score reaches `TRIM` get no weight: their odds are 200 to one."""


@dataclass(frozen=True)
class CellEffects:
    """att: (T,) effects. influence: (m, T) with mean zero; se = sqrt(sum of squares) / m. trimmed: how many
    comparison units the overlap rule left without weight."""

    att: np.ndarray
    influence: np.ndarray
    trimmed: int = 0


@dataclass(frozen=True)
class _Fit:
    """fitted, residual: (m, T). bread: (m, K), so that bread times a residual is a unit's part in the K
    coefficients of that column."""

    fitted: np.ndarray
    residual: np.ndarray
    bread: np.ndarray


def design(covariates: np.ndarray, names: Sequence[str], who: np.ndarray, where: str) -> np.ndarray:
    """(m, 1 + K) constant and covariates in standard units; refuses columns that ``who`` cannot tell apart.

    A shift or a scale of a covariate changes no effect, so standard units cost nothing and save digits.
    """
    constant = np.ones((len(covariates), 1))
    if covariates.shape[1] == 0:
        return constant
    spread = covariates[who].std(axis=0)
    centre = covariates[who].mean(axis=0)
    flat = [n for n, s, c in zip(names, spread, centre, strict=True) if s <= 1e-12 * max(1.0, abs(c))]
    if flat:
        raise ModelRefusal(f"{where}: covariate {', '.join(flat)} does not vary in the comparison group")
    x = np.hstack([constant, (covariates - centre) / spread])
    if who.sum() < x.shape[1]:
        raise ModelRefusal(
            f"{where}: {int(who.sum())} comparison units for {x.shape[1]} coefficients; use fewer covariates"
        )
    triangle, order = qr(x[who], mode="r", pivoting=True)
    size = np.abs(np.diag(triangle[: x.shape[1]]))
    if (size < 1e-9 * size[0]).any():
        lost = sorted(names[i - 1] for i in order[size < 1e-9 * size[0]] if i > 0)
        raise ModelRefusal(f"{where}: covariate {', '.join(lost)} is a combination of the others")
    return x


def panel_effects(
    treated: np.ndarray, change: np.ndarray, x: np.ndarray, weights: np.ndarray, method: str, where: str
) -> CellEffects:
    """Effects of T changes that share one design. treated: (m,) 0 or 1; change: (m, T); x: (m, K) with the
    constant; weights: (m,).

    >>> found = panel_effects(np.array([1.0, 1.0, 0.0, 0.0]), np.array([[5.0], [3.0], [1.0], [2.0]]),
    ...                       np.ones((4, 1)), np.ones(4), "dr", "the example")
    >>> float(found.att[0])
    2.5
    """
    w = weights / weights.mean()
    if method == "dr-improved":
        calibrated, without = _calibrated_odds(treated, x, w, where)
        residual = change - _least_squares(x, change, w * (1 - treated) * calibrated).fitted
        att, influence = _mean(w * treated, residual, x)
        control, its_influence = _mean(w * (1 - treated) * np.where(without, 0.0, calibrated), residual, x)
        return CellEffects(att - control, influence - its_influence, int(without.sum()))
    residual, regression = change, None
    if method in ("dr", "reg"):
        regression = _least_squares(x, change, w * (1 - treated))
        residual = change - regression.fitted
    regressions = [] if regression is None else [(regression, -1.0)]
    att, influence = _mean(w * treated, residual, x, regressions)
    if method == "reg":
        return CellEffects(att, influence)
    odds, score, trimmed = _odds(treated, x, w, where)
    control, its_influence = _mean(w * (1 - treated) * odds, residual, x, regressions, score)
    return CellEffects(att - control, influence - its_influence, trimmed)


def repeated_effect(
    treated: np.ndarray, post: np.ndarray, y: np.ndarray, x: np.ndarray, weights: np.ndarray,
    method: str, where: str, influence: str = "reference",
) -> CellEffects:
    """The effect in repeated cross-sections: each row is seen once, before (post 0) or after (post 1).

    "dr" and "dr-improved" are the locally efficient forms, with regressions in the treated group as well. The
    make-up of each group must not change between the periods. influence: of "dr", "reference" is that of R
    ``DRDID`` 1.2.3 (``drdid_rc``), in which the comparison group's regression of the period before has the
    other sign; "exact" is the derivative of the estimate with respect to each row's weight. The estimate is
    the same, the standard error not quite. "dr-improved" has the reference's only, without the parts of its
    regressions, which vanish as rows grow in number.
    """
    if influence not in INFLUENCES:
        raise ModelRefusal(f"influence is one of {', '.join(INFLUENCES)}, not {influence!r}")
    backward = 1.0 if influence == "reference" else -1.0
    w = weights / weights.mean()
    pre, y = 1 - post, y[:, None]
    treated_pre, treated_post, all_treated = w * treated * pre, w * treated * post, w * treated
    parts: list[tuple[float, tuple[np.ndarray, np.ndarray]]] = []
    if method == "ipw":
        odds, score, trimmed = _odds(treated, x, w, where)
        control_pre, control_post = w * (1 - treated) * pre * odds, w * (1 - treated) * post * odds
        parts += [(1.0, _mean(treated_post, y, x)), (-1.0, _mean(treated_pre, y, x))]
        parts += [(-1.0, _mean(control_post, y, x, (), score)), (1.0, _mean(control_pre, y, x, (), score))]
        return _sum(parts, trimmed)
    improved = method == "dr-improved"
    if improved and influence == "exact":
        raise ModelRefusal(
            f"{where}: dr-improved in repeated cross-sections has no exact influence function; use dr"
        )
    calibrated, without = _calibrated_odds(treated, x, w, where) if improved else (np.ones(len(w)), None)
    fits = {
        (d, t): _least_squares(
            x, y, w * np.where(d, treated, (1 - treated) * calibrated) * np.where(t, post, pre)
        )
        for d in (0, 1) for t in (0, 1) if method != "reg" or d == 0
    }
    before, after = fits[0, 0], fits[0, 1]
    if method == "reg":
        parts += [(1.0, _mean(treated_post, y, x)), (-1.0, _mean(treated_pre, y, x))]
        growth = after.fitted - before.fitted
        parts += [(-1.0, _mean(all_treated, growth, x, [(after, 1.0), (before, -1.0)]))]
        return _sum(parts)
    its_score: np.ndarray | None = None
    if without is None:
        odds, its_score, trimmed = _odds(treated, x, w, where)
    else:
        odds, trimmed = np.where(without, 0.0, calibrated), int(without.sum())
    control_pre, control_post = w * (1 - treated) * pre * odds, w * (1 - treated) * post * odds
    r_pre, r_post = y - before.fitted, y - after.fitted
    of_after, of_before = ([], []) if improved else ([(after, -1.0)], [(before, backward)])
    parts += [
        (1.0, _mean(treated_post, r_post, x, of_after)),
        (-1.0, _mean(treated_pre, r_pre, x, of_before)),
        (-1.0, _mean(control_post, r_post, x, of_after, its_score)),
        (1.0, _mean(control_pre, r_pre, x, of_before, its_score)),
    ]
    for sign, control, t, own in ((1.0, after, 1, treated_post), (-1.0, before, 0, treated_pre)):
        gap = fits[1, t].fitted - control.fitted
        its = [] if improved else [(fits[1, t], 1.0), (control, -1.0)]
        parts += [(sign, _mean(all_treated, gap, x, its)), (-sign, _mean(own, gap, x, its))]
    return _sum(parts, trimmed)


def _sum(parts: Sequence[tuple[float, tuple[np.ndarray, np.ndarray]]], trimmed: int = 0) -> CellEffects:
    return CellEffects(
        np.sum([sign * att for sign, (att, _) in parts], axis=0),
        np.sum([sign * influence for sign, (_, influence) in parts], axis=0),
        trimmed,
    )


def _mean(
    w: np.ndarray, v: np.ndarray, x: np.ndarray,
    regressions: Sequence[tuple[_Fit, float]] = (), score: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(T,) weighted mean of v (m, T) and its influence (m, T).

    v moves with the coefficients of each regression by (its sign) times x; w moves with the coefficients of
    the propensity score by w x, because odds are the exponential of x times them.
    """
    total = w.mean()
    mean = (w @ v) / len(w) / total
    deviation = w[:, None] * (v - mean)
    influence = deviation / total
    for fit, sign in regressions:
        slope = sign * (w @ x) / len(w) / total
        influence = influence + (fit.bread @ slope)[:, None] * fit.residual
    if score is not None:
        influence = influence + score @ (x.T @ deviation / len(w) / total)
    return mean, influence


def _least_squares(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> _Fit:
    """Weighted least squares of y (m, T) on x among rows with w > 0, fitted to every row."""
    wx = w[:, None] * x
    inverse = np.linalg.inv(x.T @ wx / len(w))
    fitted = x @ (inverse @ (wx.T @ y / len(w)))
    return _Fit(fitted, y - fitted, wx @ inverse)


def _odds(
    treated: np.ndarray, x: np.ndarray, w: np.ndarray, where: str
) -> tuple[np.ndarray, np.ndarray, int]:
    """(m,) odds of treatment, (m, K) representation of the logit's coefficients, units without overlap."""
    b = np.zeros(x.shape[1])
    b[0] = np.log((w @ treated) / (w @ (1 - treated)))
    fit = w @ (treated * (x @ b) - np.logaddexp(0, x @ b))
    for _ in range(100):
        p = expit(x @ b)
        information = x.T @ ((w * p * (1 - p))[:, None] * x)
        if np.linalg.cond(information) > 1e14:
            break
        step = np.linalg.solve(information, x.T @ (w * (treated - p)))
        for _ in range(30):  # a full step may overshoot where few are treated
            moved = w @ (treated * (x @ (b + step)) - np.logaddexp(0, x @ (b + step)))
            if moved >= fit - 1e-9 * abs(fit):
                break
            step = step / 2
        b, fit = b + step, moved
        if np.abs(step).max() < 1e-9:
            p = expit(x @ b)
            inverse = np.linalg.inv(information / len(w))
            score = (w * (treated - p))[:, None] * x @ inverse
            p = np.minimum(p, CEILING)
            trimmed = (treated == 0) & (p >= TRIM)
            return np.where(trimmed, 0.0, p / (1 - p)), score, int(trimmed.sum())
    raise ModelRefusal(
        f"{where}: the covariates separate treated from comparison units, so no propensity score exists "
        f"({int(treated.sum())} treated); use method='reg', fewer covariates, or leave this group out"
    )


def _calibrated_odds(
    treated: np.ndarray, x: np.ndarray, w: np.ndarray, where: str
) -> tuple[np.ndarray, np.ndarray]:
    """(m,) odds exp(x b) whose weighted comparison totals of x are the treated's; (m,) units without overlap.

    b is the minimum of the convex mean(w ((1 - D) exp(x b) - D x b)) (Sant'Anna and Zhao 2020, section 3.1).
    """
    control, totals = w * (1 - treated), x.T @ (w * treated)

    def loss(b: np.ndarray) -> float:
        with np.errstate(over="ignore"):  # a step too far is infinitely bad, and is halved
            return float(control[control > 0] @ np.exp((x @ b)[control > 0]) - totals @ b)

    b = np.zeros(x.shape[1])
    b[0] = np.log((w @ treated) / control.sum())
    now = loss(b)
    for _ in range(200):
        odds = np.exp(np.minimum(x @ b, 700.0))
        gap = totals - x.T @ (control * odds)
        if np.abs(gap).max() <= 1e-10 * (w @ treated):
            return odds, (treated == 0) & (odds >= TRIM / (1 - TRIM))
        information = x.T @ ((control * odds)[:, None] * x)
        if np.linalg.cond(information) > 1e14:
            break
        step = np.linalg.solve(information, gap)
        for _ in range(50):
            moved = loss(b + step)
            if moved <= now + 1e-9 * abs(now):
                break
            step = step / 2
        b, now = b + step, moved
    raise ModelRefusal(
        f"{where}: no weights on the comparison units give them the treated units' covariate means "
        f"({int(treated.sum())} treated); use method='reg', fewer covariates, or leave this group out"
    )
