"""Sandwich covariances: how far could the slopes be off, if rows of a cluster move together?

Every covariance names its small-sample rule, because the same data give another standard error under another
rule (5% apart for two-way effects). ``fixest`` (the rule of R fixest and Stata reghdfe, the default):
G/(G-1) * (N-1)/(N-K), where K counts the slopes and the levels of the fixed effects that are not nested in
the cluster; ``statsmodels``: the same with all levels of all effects counted; ``clusters``: G/(G-1) alone
(clubSandwich's CR1); ``none``: no factor.
Source: ``docs/methods/panel-estimators.md``, standard errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from scipy import stats

from medhome.models.panels.absorb import Regression, codes

Rule = Literal["fixest", "statsmodels", "clusters", "none"]
RULE_WORDS = {
    "fixest": "G/(G-1) * (N-1)/(N-K), K = slopes and levels of effects not nested in the cluster (fixest)",
    "statsmodels": "G/(G-1) * (N-1)/(N-K), K = slopes and all levels of all effects (statsmodels)",
    "clusters": "G/(G-1) (clubSandwich)",
    "none": "no small-sample factor",
}


@dataclass(frozen=True, kw_only=True)
class Inference:
    """One linear combination: estimate, its error, degrees of freedom, two-sided p, 95% and 90% intervals."""

    estimate: float
    se: float
    df: float
    p: float
    ci: tuple[float, float]
    ci90: tuple[float, float]

    @classmethod
    def of(cls, estimate: float, se: float, df: float) -> Inference:
        """From an estimate and its error, by Student's t; the normal where df is infinite."""
        if not se > 0:
            nan = float("nan")
            return cls(estimate=estimate, se=se, df=df, p=nan, ci=(nan, nan), ci90=(nan, nan))
        law = stats.norm if np.isinf(df) else stats.t(df)
        half, half90 = float(law.ppf(0.975)) * se, float(law.ppf(0.95)) * se
        return cls(
            estimate=estimate,
            se=se,
            df=df,
            p=float(2 * law.sf(abs(estimate) / se)),
            ci=(estimate - half, estimate + half),
            ci90=(estimate - half90, estimate + half90),
        )


@dataclass(frozen=True, kw_only=True)
class Covariance:
    """Covariance (K, K) of the slopes, its rule in words, and the degrees of freedom of a combination.

    clusters: the number (the smaller one of several ways). df_of: degrees of freedom for a combination (K,).
    """

    matrix: np.ndarray
    rule: str
    clusters: int
    df_of: Callable[[np.ndarray], float]
    joint_df_of: Callable[[np.ndarray], float] | None = None
    warnings: tuple[str, ...] = ()

    def joint(self, fit: Regression, combinations: np.ndarray) -> JointTest:
        """Test that combinations (q, K) of the slopes are all zero.

        CR2: Hotelling's form with q(q+1)/(summed variances) degrees of freedom (Tipton and Pustejovsky 2015,
        HTZ); else the Wald test W/q against F(q, df).
        """
        C = np.asarray(combinations, dtype=float)
        q, matrix, beta = len(C), C @ self.matrix @ C.T, C @ fit.beta
        if self.joint_df_of is None:
            return wald(beta, matrix, self.df_of(C[0]))
        eta = self.joint_df_of(C)
        left = eta - q + 1
        f = float(beta @ np.linalg.solve(matrix, beta)) / q * left / eta
        p = float(stats.f.sf(f, q, left)) if left > 0 else float("nan")
        return JointTest(statistic=f, df1=q, df2=left, p=p)

    def se(self) -> np.ndarray:
        return np.sqrt(np.maximum(np.diag(self.matrix), 0))

    def inference(self, fit: Regression, combination: np.ndarray) -> Inference:
        """A combination (K,) of the slopes."""
        c = np.asarray(combination, dtype=float)
        variance = max(float(c @ self.matrix @ c), 0.0)
        return Inference.of(float(c @ fit.beta), variance**0.5, self.df_of(c))

    def of(self, fit: Regression, name: str) -> Inference:
        """The slope of one column."""
        c = np.zeros(len(fit.beta))
        c[fit.position(name)] = 1.0
        return self.inference(fit, c)


@dataclass(frozen=True, kw_only=True)
class JointTest:
    """A test that q combinations are all zero: F, its two degrees of freedom, p and the Wald W = q F."""

    statistic: float
    df1: int
    df2: float
    p: float


def wald(beta: np.ndarray, matrix: np.ndarray, df2: float) -> JointTest:
    """W/q against F(q, df2), for coefficients (q,) and their covariance (q, q)."""
    q = int(np.linalg.matrix_rank(matrix, hermitian=True))
    f = float(beta @ np.linalg.pinv(matrix, hermitian=True) @ beta) / max(q, 1)
    p = float(stats.chi2.sf(f * q, q) if np.isinf(df2) else stats.f.sf(f, q, df2))
    return JointTest(statistic=f, df1=q, df2=df2, p=p)


def parameters(fit: Regression, clusters: Sequence[np.ndarray] = (), rule: Rule = "fixest") -> int:
    """K of the small-sample factor: slopes, one constant, and each counted effect's levels less one."""
    slopes = len(fit.beta)
    if not fit.effects.levels:
        return slopes
    counted = [
        fit.effects.sizes[name] - 1
        for name, level in fit.effects.levels.items()
        if rule == "statsmodels" or not any(nested(level, cluster) for cluster in clusters)
    ]
    return slopes + 1 + sum(counted)


def nested(level: np.ndarray, cluster: np.ndarray) -> bool:
    """Whether each level lies in one cluster."""
    pairs = np.unique(level.astype(np.int64) * (int(cluster.max()) + 1) + cluster)
    return len(pairs) == int(level.max()) + 1


def iid(fit: Regression) -> Covariance:
    """Equal independent errors: s2 times the bread, s2 = sum(w e^2)/(N - K) with all levels counted.

    For a generalised linear fit the dispersion is 1 and the factor is (N-1)/(N-K).
    """
    K = parameters(fit)
    left = fit.rows - K
    s2 = (fit.weights * fit.residual**2).sum() / left if fit.linear else (fit.rows - 1) / left
    return Covariance(
        matrix=fit.bread * s2,
        rule=f"iid, K = {K}",
        clusters=fit.rows,
        df_of=lambda _c: float(left),
    )


def hc1(fit: Regression) -> Covariance:
    """Independent errors of unequal size: N/(N - K) times the sandwich over rows, all levels counted."""
    K = parameters(fit)
    s = fit.scores()
    meat = s.T @ s * fit.rows / (fit.rows - K)
    return Covariance(
        matrix=fit.bread @ meat @ fit.bread,
        rule=f"HC1, N/(N-K) with K = {K}",
        clusters=fit.rows,
        df_of=lambda _c: float(fit.rows - K),
    )


def cluster_scores(fit: Regression, cluster: np.ndarray) -> np.ndarray:
    """(G, K) sums of the rows' scores by cluster."""
    scores = fit.scores()
    count = int(cluster.max()) + 1
    return np.stack(
        [np.bincount(cluster, weights=scores[:, k], minlength=count) for k in range(scores.shape[1])], axis=1
    )


def cr1(fit: Regression, cluster: np.ndarray, rule: Rule = "fixest") -> Covariance:
    """Cluster sandwich with a named small-sample factor, t with G - 1 degrees of freedom."""
    group = codes(cluster)
    return multiway(fit, [group], rule=rule)


def multiway(
    fit: Regression,
    clusters: Sequence[np.ndarray],
    rule: Rule = "fixest",
    count: Literal["min", "own"] = "min",
) -> Covariance:
    """Cluster sandwich over one to four ways (Cameron, Gelbach and Miller 2011: added and subtracted).

    count: "min" gives every part the factor G/(G-1) of the way with fewest clusters (fixest, reghdfe), "own"
    gives each part its own (R sandwich, statsmodels). A matrix that is not positive has its negative parts
    set to zero, with a warning.

    >>> from medhome.models.panels.absorb import least_squares
    >>> x = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    >>> fit = least_squares(np.array([0.0, 1.0, 1.0, 3.0]), x, ["constant", "x"])
    >>> multiway(fit, [np.array([0, 0, 1, 1])]).clusters
    2
    """
    ways = [codes(c) for c in clusters]
    sizes = [int(c.max()) + 1 for c in ways]
    fewest = min(sizes)
    K = parameters(fit, ways, rule)
    n = fit.rows
    meat = np.zeros_like(fit.bread)
    for number in range(1, len(ways) + 1):
        for chosen in combinations(range(len(ways)), number):
            part = ways[chosen[0]]
            for k in chosen[1:]:
                part = codes(part * sizes[k] + ways[k])
            own = int(part.max()) + 1
            g = own if count == "own" else fewest
            factor = 1.0 if rule == "none" else g / (g - 1) if g > 1 else np.nan
            s = cluster_scores(fit, part)
            meat += (-1.0) ** (number + 1) * factor * (s.T @ s)
    left = 1.0 if rule in ("none", "clusters") else (n - 1) / (n - K) if n > K else np.nan
    matrix = fit.bread @ meat @ fit.bread * left
    warnings = []
    if len(ways) > 1:
        value, vector = np.linalg.eigh(matrix)
        if value.min() < 0:
            matrix = (vector * np.maximum(value, 0)) @ vector.T
            warnings.append("The multi-way covariance was not positive: its negative parts were set to zero.")
    words = f"CR1, {RULE_WORDS[rule]}; G = {fewest}" + ("" if rule in ("none", "clusters") else f", K = {K}")
    if len(ways) > 1:
        words += "; every part with the smallest G" if count == "min" else "; each part with its own G"
    return Covariance(
        matrix=matrix,
        rule=words,
        clusters=fewest,
        df_of=lambda _c: float(fewest - 1),
        warnings=tuple(warnings),
    )
