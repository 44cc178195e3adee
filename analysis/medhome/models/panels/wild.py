"""Restricted wild cluster bootstrap: how often would signs alone give a t as large as the data's?

The null is imposed on the residuals, whole clusters change sign together, and an interval is the set of null
values that are not rejected. All 2^G sign vectors are used where they are few, so that the seed cannot
matter; ties count as extreme (with all vectors tried the test is then valid). Per draw only sums over
clusters are needed: 9,999 draws of 400 clusters take a fraction of a second.
Source: Cameron, Gelbach and Miller 2008; Webb 2014; MacKinnon, Nielsen and Webb 2023 (WCR31: each cluster's
residuals from a fit without it); ``docs/methods/panel-estimators.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from medhome.models.panels.absorb import Regression, codes, symmetric_inverse
from medhome.models.panels.bias_reduced import whole_design
from medhome.study.problems import ModelRefusal

TIE = 1e-12
BLOCK = 2000
STEP = 11
WEBB = np.sqrt([1.5, 1.0, 0.5])


@dataclass(frozen=True, kw_only=True)
class WildBootstrap:
    """p and intervals of one slope; ``exact`` when all sign vectors were tried; ``draws`` how many."""

    t: float
    p: float
    ci: tuple[float, float]
    ci90: tuple[float, float]
    draws: int
    exact: bool
    rule: str


def wild_cluster(
    fit: Regression,
    cluster: np.ndarray,
    name: str,
    *,
    null: float = 0.0,
    variant: Literal["11", "31"] = "11",
    law: Literal["rademacher", "webb"] = "rademacher",
    draws: int = 9999,
    seed: int = 1,
) -> WildBootstrap:
    """Test slope ``name`` = null by WCR11 or WCR31, with intervals by inversion.

    >>> from medhome.models.panels.absorb import least_squares
    >>> x = np.column_stack([np.ones(6), [0.0, 0, 0, 1, 1, 1]])
    >>> fit = least_squares(np.array([1.0, 2.0, 3.0, 4.0, 6.0, 8.0]), x, ["constant", "d"])
    >>> found = wild_cluster(fit, np.arange(6), "d")
    >>> found.exact, found.draws, found.p
    (True, 64, 0.0625)
    """
    if variant not in ("11", "31") or law not in ("rademacher", "webb"):
        raise ModelRefusal(
            f"The wild bootstrap knows variants 11 and 31 and laws rademacher and webb, not "
            f"{variant} and {law}."
        )
    group = codes(cluster)
    G = int(group.max()) + 1
    if G < 2:
        raise ModelRefusal("All rows are in one cluster; the wild bootstrap changes signs of whole clusters.")
    sums = _sums(fit, group, fit.position(name), variant)
    exact = law == "rademacher" and draws >= 2**G
    rng = np.random.default_rng([seed, STEP])
    parts = []
    for signs in _signs(G, draws, law, exact, rng):
        top0, top1 = signs @ sums.numerator[0], signs @ sums.numerator[1]
        s0, s1 = sums.scores(signs, 0), sums.scores(signs, 1)
        parts.append(np.stack([top0, top1, (s0**2).sum(1), (s0 * s1).sum(1), (s1**2).sum(1)]))
    n0, n1, a, b, c = np.concatenate(parts, axis=1)
    beta = float(fit.beta[fit.position(name)])
    spread = float(np.sqrt((sums.actual**2).sum()))  # of d'W d times the slope

    def p_of(value: float) -> float:
        shift = beta - value
        squared = (n0 + shift * n1) ** 2
        variance = np.maximum(a + 2 * shift * b + shift**2 * c, 0)
        actual = (shift * sums.information / spread) ** 2 if spread > 0 else np.inf
        # 0/0 says nothing against the null: it counts
        extreme = int((squared >= actual * (1 - TIE) * variance).sum())
        # a sample of draws counts the data among them, so that p cannot be zero
        return extreme / len(n0) if exact else (extreme + 1) / (len(n0) + 1)

    se = spread / sums.information
    words = f"wild cluster bootstrap WCR{variant}, {law} weights, {len(n0):,} draws"
    return WildBootstrap(
        t=(beta - null) / se if se > 0 else np.inf,
        p=p_of(null),
        ci=_inverted(p_of, beta, se, 0.05),
        ci90=_inverted(p_of, beta, se, 0.10),
        draws=len(n0),
        exact=exact,
        rule=f"{words}{' (all of them)' if exact else f', seed {seed}'}, null imposed, ties counted",
    )


@dataclass(frozen=True, kw_only=True)
class _Sums:
    """Cluster sums from which every draw follows, for residuals e + shift * d: index 0 is e, 1 is d."""

    information: float
    actual: np.ndarray
    numerator: tuple[np.ndarray, np.ndarray]
    own: np.ndarray
    pulled: tuple[np.ndarray, np.ndarray]

    def scores(self, signs: np.ndarray, part: int) -> np.ndarray:
        """(B, G) d_g' W e*_g: the cluster's own part less what refitting takes away."""
        return signs * self.numerator[part] - (signs @ self.pulled[part]) @ self.own.T


def _sums(fit: Regression, group: np.ndarray, k: int, variant: str) -> _Sums:
    whole = whole_design(fit, group, "The wild bootstrap")
    w, X = fit.weights, whole.design
    others = np.delete(X, k, axis=1)
    gram = others.T @ (w[:, None] * others)
    inverse = symmetric_inverse(gram)
    d = X[:, k] - others @ (inverse @ (others.T @ (w * X[:, k])))
    e = fit.residual
    residuals = (e, d)
    if variant == "31":
        residuals = (
            _left_out(e, others, w, gram, whole.members),
            _left_out(d, others, w, gram, whole.members),
        )
    G = len(whole.members)

    def by_cluster(values: np.ndarray) -> np.ndarray:
        return np.stack([values[rows].sum(0) for rows in whole.members])

    return _Sums(
        information=float((w * d) @ d),
        actual=np.bincount(group, weights=w * d * e, minlength=G),
        numerator=(by_cluster(w * d * residuals[0]), by_cluster(w * d * residuals[1])),
        own=by_cluster((w * d)[:, None] * X),
        pulled=tuple(by_cluster((w * r)[:, None] * X) @ whole.bread for r in residuals),  # type: ignore[arg-type]
    )


def _left_out(
    y: np.ndarray, X: np.ndarray, w: np.ndarray, gram: np.ndarray, members: list[np.ndarray]
) -> np.ndarray:
    """Each cluster's residuals from the restricted fit without it; y is a residual of the fit with all."""
    out = y.copy()
    for rows in members:
        Xg = X[rows]
        part = Xg.T @ (w[rows] * y[rows])
        out[rows] = y[rows] + Xg @ (symmetric_inverse(gram - Xg.T @ (w[rows, None] * Xg)) @ part)
    return out


def _signs(G: int, draws: int, law: str, exact: bool, rng: np.random.Generator) -> Iterator[np.ndarray]:
    if exact:
        yield np.array(list(product((1.0, -1.0), repeat=G)))
        return
    for first in range(0, draws, BLOCK):
        number = min(BLOCK, draws - first)
        drawn = rng.integers(0, 2, (number, G)) * 2.0 - 1.0
        yield drawn * WEBB[rng.integers(0, 3, (number, G))] if law == "webb" else drawn


def _inverted(p_of, beta: float, se: float, alpha: float) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """The nearest values on both sides that are rejected; infinite where none within 1,000 errors is."""
    ends = []
    for side in (-1.0, 1.0):
        inside, outside = 0.0, 1.0
        while p_of(beta + side * outside * se) > alpha and outside < 1000:
            inside, outside = outside, outside * 1.5
        if outside >= 1000 or not se > 0:
            ends.append(side * np.inf)
            continue
        for _ in range(60):
            middle = (inside + outside) / 2
            if p_of(beta + side * middle * se) > alpha:
                inside = middle
            else:
                outside = middle
        ends.append(beta + side * (inside + outside) / 2 * se)
    return float(ends[0]), float(ends[1])
