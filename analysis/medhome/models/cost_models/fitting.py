"""Which coefficients does a generalised linear model of cost have, and does it have any?

Families, links and variances are those of statsmodels; the scoring steps run on cross-products, so that a
million rows need no second copy of the design and a bootstrap can start from the last fit. Coefficients equal
those of ``statsmodels.GLM``. A fit that does not settle is refused by name of the columns that still move:
with zeros or a yes/no outcome that is separation. ``log(y + c)`` exists nowhere here.
Source: ``docs/methods/cost-models.md``, fits.
"""

from __future__ import annotations

import warnings as python_warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import brentq
from statsmodels.genmod import families as known_families

from medhome.models.panels.absorb import symmetric_inverse
from medhome.study.problems import ModelRefusal

MOST_STEPS = 100
SETTLED = 1e-11
LARGEST_STEP = 4.0
POWERS = (1.01, 1.99)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One fitted generalised linear model on n rows: names, beta (K,), mu (n,), the scores' factor and bread.

    A row's score is ``factor * x``; bread is the inverse of the observed information (K, K).
    """

    label: str
    family: object
    names: tuple[str, ...]
    beta: np.ndarray
    mu: np.ndarray
    factor: np.ndarray
    bread: np.ndarray
    rows: np.ndarray
    steps: int

    def eta(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x @ self.beta)

    def mean(self, x: np.ndarray) -> np.ndarray:
        """Means (N,) for a design (N, K)."""
        return np.asarray(self.family.link.inverse(self.eta(x)))  # type: ignore[attr-defined]

    def slope(self, x: np.ndarray) -> np.ndarray:
        """Derivative (N,) of the mean with respect to the linear predictor."""
        return np.asarray(self.family.link.inverse_deriv(self.eta(x)))  # type: ignore[attr-defined]


def family_of(name: str, power: float = 1.5) -> object:
    """The statsmodels family with its link here: identity for ols, log for cost, logit or probit for any use.

    >>> family_of("gamma").link.__class__.__name__
    'Log'
    """
    links = known_families.links
    made = {
        "ols": lambda: known_families.Gaussian(),
        "poisson": lambda: known_families.Poisson(link=links.Log()),
        "gamma": lambda: known_families.Gamma(link=links.Log()),
        "tweedie": lambda: known_families.Tweedie(link=links.Log(), var_power=power),
        "logit": lambda: known_families.Binomial(link=links.Logit()),
        "probit": lambda: known_families.Binomial(link=links.Probit()),
    }
    return made[name]()


def coefficients(
    y: np.ndarray,
    x: np.ndarray,
    weights: np.ndarray,
    family: object,
    names: Sequence[str],
    label: str,
    start: np.ndarray | None = None,
) -> tuple[np.ndarray, int]:
    """Coefficients (K,) at which the weighted score is zero, and the steps that it took; else `ModelRefusal`.

    >>> y, x = np.array([1.0, 3.0, 4.0, 6.0]), np.array([[1.0, 0], [1, 0], [1, 1], [1, 1]])
    >>> beta, _ = coefficients(y, x, np.ones(4), family_of("poisson"), ["intercept", "d"], "poisson")
    >>> np.exp(beta).round(9).tolist()
    [2.0, 2.5]
    """
    link, variance = family.link, family.variance  # type: ignore[attr-defined]
    linear = isinstance(link, known_families.links.Identity)
    if start is None:
        middle = float(np.average(y, weights=weights))
        eta = np.full(len(y), middle) if linear else link((y + middle) / 2)
        beta = None
    else:
        beta, eta = start, x @ start
    delta = np.zeros(x.shape[1])
    before = np.inf
    for step in range(1, MOST_STEPS + 1):
        mu = link.inverse(eta)
        slope = link.inverse_deriv(eta)
        working = weights * slope**2 / variance(mu)
        bread = symmetric_inverse(x.T @ (working[:, None] * x))
        if beta is None:
            beta = bread @ (x.T @ (working * (eta + (y - mu) / slope)))
            new = x @ beta
            if not linear and np.abs(new).max() > 60:
                beta = bread @ (x.T @ (working * eta))
                new = x @ beta
            delta = beta
        else:
            delta = bread @ (x.T @ (working * (y - mu) / slope))
            moved = x @ delta
            largest = float(np.abs(moved).max())
            if not linear and largest > LARGEST_STEP:
                delta, moved = delta * (LARGEST_STEP / largest), moved * (LARGEST_STEP / largest)
            beta = beta + delta
            new = x @ beta
            size = max(1.0, float(np.abs(new).max()))
            if not np.isfinite(largest):
                break
            if largest < SETTLED * size or (largest < 1e-8 * size and largest >= before):
                return beta, step
            before = largest
        eta = new
    moves = np.abs(delta) * np.abs(x).max(axis=0)
    still = [str(n) for n, m in zip(names, moves, strict=True) if m > 0.2 * moves.max()]
    raise ModelRefusal(
        f"{label} did not settle in {MOST_STEPS} steps: {', '.join(still[:5])} still moved. "
        "Some covariate tells the zeros (or the users) from all other rows perfectly (separation), or a few "
        "extreme values decide alone: leave it out, or join its levels."
    )


def fit_part(
    y: np.ndarray,
    x: np.ndarray,
    weights: np.ndarray,
    family: object,
    names: Sequence[str],
    label: str,
    rows: np.ndarray | None = None,
    start: np.ndarray | None = None,
) -> Part:
    """Coefficients with what a sandwich needs: scores' factor and the observed information's inverse."""
    beta, steps = coefficients(y, x, weights, family, names, label, start)
    link, variance = family.link, family.variance  # type: ignore[attr-defined]
    eta = x @ beta
    mu, slope = link.inverse(eta), link.inverse_deriv(eta)
    v = variance(mu)
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")  # statsmodels warns of its own numerical second derivative
        bend, tilt = link.inverse_deriv2(eta), variance.deriv(mu)
    observed = weights * (slope**2 / v - (y - mu) * (bend / v - slope**2 * tilt / v**2))
    return Part(
        label=label,
        family=family,
        names=tuple(names),
        beta=beta,
        mu=np.asarray(mu),
        factor=np.asarray(weights * (y - mu) * slope / v),
        bread=symmetric_inverse(x.T @ (observed[:, None] * x)),
        rows=np.arange(len(y)) if rows is None else rows,
        steps=steps,
    )


def _trend(
    squared: np.ndarray, log_mu: np.ndarray, centred: np.ndarray, weights: np.ndarray, power: float
) -> float:
    """Weighted trend of squared Pearson residuals at a power in centred ln mu, up to a positive factor."""
    ratio = squared * np.exp(-power * log_mu)
    return float(weights @ (ratio * centred) / (weights @ ratio))


def tweedie_power(
    y: np.ndarray, x: np.ndarray, weights: np.ndarray, names: Sequence[str]
) -> tuple[float, str | None]:
    """The variance power between 1 and 2 at which squared Pearson residuals have no trend in ln mu.

    Fit and power are found in turn until the power moves by less than 1e-6. Returns the power and a warning
    where the data want one outside (1, 2).
    """
    power = 1.5
    beta = None
    for _ in range(30):
        beta, _ = coefficients(y, x, weights, family_of("tweedie", power), names, "tweedie", beta)
        mu = np.exp(x @ beta)
        squared, log_mu = (y - mu) ** 2, np.log(mu)
        centred = log_mu - np.average(log_mu, weights=weights)
        if np.abs(centred).max() < 1e-9:
            raise ModelRefusal(
                "tweedie: every prediction is the same, so no power can be estimated; give one."
            )

        trend = partial(_trend, squared, log_mu - log_mu.mean(), centred, weights)

        low, high = trend(POWERS[0]), trend(POWERS[1])
        if low <= 0 or high >= 0:
            edge = POWERS[0] if low <= 0 else POWERS[1]
            return edge, (
                f"The data want a Tweedie power outside (1, 2); {edge} is used: "
                f"{'Poisson' if low <= 0 else 'gamma on the users (two-part)'} may fit better."
            )
        new = float(brentq(trend, *POWERS, xtol=1e-9))
        if abs(new - power) < 1e-6:
            return new, None
        power = new
    raise ModelRefusal("tweedie: the variance power did not settle; give one with power=1.5.")
