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
PART_OF_IT = 1e-6
"""A row has a part in a direction where it has this share of the largest one."""
DECIDED = 1e-10
"""Share of a yes/no design's information that is left along a direction which decides alone: separation."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One fitted generalised linear model on n rows: names, beta (K,), mu (n,), the scores' factor and bread.

    A row's score is ``factor * x``; bread is the inverse of the observed information (K, K). columns: which
    of the design this part has; none for all. limits: where this part was separated, the
    climb's end and its directions, by which rows have a chance of one or zero (`Choice.limits`).
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
    columns: tuple[int, ...] | None = None
    limits: tuple[tuple[np.ndarray, np.ndarray], ...] = ()

    @property
    def binary(self) -> bool:
        """Whether this is the part of any cost (yes or no) of a two-part model."""
        return isinstance(self.family, known_families.Binomial)

    def own(self, x: np.ndarray) -> np.ndarray:
        """This part's columns (N, K) of a design."""
        return x if self.columns is None else x[:, self.columns]

    def eta(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self.own(x) @ self.beta)

    def mean(self, x: np.ndarray) -> np.ndarray:
        """Means (N,) for a design (N, K)."""
        return self.means(x, self.beta[None])[:, 0]

    def means(self, x: np.ndarray, betas: np.ndarray) -> np.ndarray:
        """Means (N, B) for a design (N, K) under each of several coefficients (B, K)."""
        found = np.asarray(self.family.link.inverse(self.own(x) @ betas.T))  # type: ignore[attr-defined]
        for rows, chance in self.decided(x):
            found[rows] = chance[:, None]
        return found

    def decided(self, x: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Positions of rows whose chance is one or zero whatever the coefficients, and that chance."""
        found, left = [], np.arange(len(x))
        for end, directions in self.limits:
            hit = np.abs(x[left] @ directions).max(axis=1) > PART_OF_IT
            rows, left = left[hit], left[~hit]
            found.append((rows, (x[rows] @ end > 0).astype(float)))
        return found

    def slope(self, x: np.ndarray) -> np.ndarray:
        """Derivative (N,) of the mean with respect to the linear predictor."""
        slope = np.asarray(self.family.link.inverse_deriv(self.eta(x)))  # type: ignore[attr-defined]
        for rows, _ in self.decided(x):
            slope[rows] = 0.0
        return slope


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
        if not np.isfinite(working).all():
            break
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
                _apart(family, beta, x, weights, names, label)
                return beta, step
            before = largest
        eta = new
    _apart(family, beta, x, weights, names, label)
    moves = np.abs(delta) * np.abs(x).max(axis=0)
    still = [str(n) for n, m in zip(names, moves, strict=True) if m > 0.2 * moves.max()]
    raise ModelRefusal(
        f"{label} did not settle in {MOST_STEPS} steps: {', '.join(still[:5])} still moved. "
        "Some covariate tells the zeros (or the users) from all other rows perfectly (separation), or a few "
        "extreme values decide alone: leave it out, or join its levels."
    )


class Separated(ModelRefusal):
    """A yes/no fit without finite coefficients: where its climb ended (K,), and the directions (K, m) of it.

    Along these next to no information is left: rows that have a part in them are certain. They are scaled so
    that the largest such part is one.
    """

    def __init__(self, message: str, beta: np.ndarray, directions: np.ndarray, terms: tuple[str, ...]):
        super().__init__(message)
        self.beta, self.directions, self.terms = beta, directions, terms


def _apart(
    family: object,
    beta: np.ndarray | None,
    x: np.ndarray,
    weights: np.ndarray,
    names: Sequence[str],
    label: str,
) -> None:
    """Refuse a yes/no fit that some direction of the design decides alone.

    Along such a direction the fitted chances are 0 and 1 as far as rounding lets them be, so that next to no
    information is left of what the rows would hold. Chances near 1 of a few rows are no such thing.
    """
    if not isinstance(family, known_families.Binomial) or beta is None or not np.isfinite(beta).all():
        return
    eta = x @ beta
    working = weights * family.link.inverse_deriv(eta) ** 2 / family.variance(family.link.inverse(eta))
    gram = x.T @ (weights[:, None] * x)
    scale = np.sqrt(np.diag(gram))
    value, vector = np.linalg.eigh(gram / np.outer(scale, scale))
    whiten = vector / np.sqrt(np.maximum(value, 1e-300)) / scale[:, None]
    left, directions = np.linalg.eigh(whiten.T @ (x.T @ (working[:, None] * x)) @ whiten)
    if left[0] > DECIDED:
        return
    found = whiten @ directions[:, left <= DECIDED]
    found = found / np.abs(x @ found).max(axis=0)
    reach = (np.abs(found[1:]) * np.abs(x[:, 1:]).max(axis=0)[:, None]).max(axis=1)
    far = tuple(str(n) for n, r in zip(names[1:], reach, strict=True) if r > 0.5 * reach.max(initial=0.0))
    raise Separated(
        f"{label}: {', '.join(far[:5])} tells rows with any cost from rows without one, without exception "
        "(perfect separation), so no finite coefficient fits. Leave it out, or join its levels.",
        beta, found, far,
    )  # fmt: skip


def fit_part(
    y: np.ndarray,
    x: np.ndarray,
    weights: np.ndarray,
    family: object,
    names: Sequence[str],
    label: str,
    rows: np.ndarray | None = None,
    start: np.ndarray | None = None,
    pattern: np.ndarray | None = None,
) -> Part:
    """Coefficients with what a sandwich needs: scores' factor and the observed information's inverse.

    pattern: (n,) numbers of the distinct rows of x; with it the steps run on one row per pattern, which
    gives the same coefficients, because a pattern's score is its total less its weight times its mean.
    """
    if pattern is None:
        code, x_each, y_each, w_each = None, x, y, weights
    else:
        _, first, code = np.unique(pattern, return_index=True, return_inverse=True)
        x_each = x[first]
        w_each = np.bincount(code, weights=weights)
        y_each = np.bincount(code, weights=weights * y) / w_each
    beta, steps = coefficients(y_each, x_each, w_each, family, names, label, start)
    link, variance = family.link, family.variance  # type: ignore[attr-defined]
    eta = x_each @ beta
    mu, slope = link.inverse(eta), link.inverse_deriv(eta)
    v = variance(mu)
    observed = w_each * curvature(family, y_each, eta)
    score = slope / v
    if code is not None:
        mu, score = mu[code], score[code]
    return Part(
        label=label,
        family=family,
        names=tuple(names),
        beta=beta,
        mu=np.asarray(mu),
        factor=np.asarray(weights * (y - mu) * score),
        bread=symmetric_inverse(x_each.T @ (observed[:, None] * x_each)),
        rows=np.arange(len(y)) if rows is None else rows,
        steps=steps,
    )


def curvature(family: object, y: np.ndarray, eta: np.ndarray) -> np.ndarray:
    """Observed information (n,) of each row per unit of weight: minus the score's derivative in eta."""
    link, variance = family.link, family.variance  # type: ignore[attr-defined]
    mu, slope = link.inverse(eta), link.inverse_deriv(eta)
    v = variance(mu)
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")  # statsmodels warns of its own numerical second derivative
        bend, tilt = link.inverse_deriv2(eta), variance.deriv(mu)
    return np.asarray(slope**2 / v - (y - mu) * (bend / v - slope**2 * tilt / v**2))


def _trend(
    squared: np.ndarray, log_mu: np.ndarray, centred: np.ndarray, weights: np.ndarray, power: float
) -> float:
    """Weighted trend of squared Pearson residuals at a power in centred ln mu, up to a positive factor."""
    ratio = squared * np.exp(-power * log_mu)
    return float(weights @ (ratio * centred) / (weights @ ratio))


def tweedie_power(
    y: np.ndarray,
    x: np.ndarray,
    weights: np.ndarray,
    names: Sequence[str],
    within: np.ndarray | None = None,
) -> tuple[float, str | None]:
    """The variance power between 1 and 2 at which squared Pearson residuals have no trend in ln mu.

    within: (N,) scatter of the rows behind each row. Fit and power are found in turn until the power moves
    by less than 1e-6. Returns the power and a warning where the data want one outside (1, 2).
    """
    power = 1.5
    beta = None
    for _ in range(30):
        beta, _ = coefficients(y, x, weights, family_of("tweedie", power), names, "tweedie", beta)
        mu = np.exp(x @ beta)
        squared, log_mu = (y - mu) ** 2 + (0.0 if within is None else within), np.log(mu)
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
