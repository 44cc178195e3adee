"""Conventional tests on the organisations' changes: cluster-robust, Bell-McCaffrey, Donald-Lang, Welch.

With one treated organisation the cluster-robust ones leave the treated organisation's own variance out
altogether (its residual is zero), whatever the sample: they are shown and never read as a finding.
Source: ``docs/methods.md``, few treated organisations, conventional methods.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from medhome.models.inference.contrasts import Contrasts


@dataclass(frozen=True, kw_only=True)
class TTest:
    """An estimate with a t interval; dollars PMPM."""

    estimate: float
    se: float
    df: float
    p: float
    ci90: tuple[float, float]
    ci95: tuple[float, float]


def t_test(estimate: float, se: float, df: float) -> TTest:
    """Two-sided test of zero and intervals from Student's t.

    >>> round(t_test(-2.0, 1.0, 10.0).p, 4)
    0.0734
    """
    half90, half95 = stats.t.ppf(0.95, df) * se, stats.t.ppf(0.975, df) * se
    p = 2 * stats.t.sf(abs(estimate) / se, df) if se > 0 else float("nan")
    return TTest(
        estimate=float(estimate),
        se=float(se),
        df=float(df),
        p=float(p),
        ci90=(float(estimate - half90), float(estimate + half90)),
        ci95=(float(estimate - half95), float(estimate + half95)),
    )


def cluster_robust(c: Contrasts) -> TTest:
    """CR1 by organisation, the same number as on the panel: factor G/(G-1) (GT-1)/(GT-T-1), t with G-1."""
    G, T = len(c.change), c.months
    factor = G / (G - 1) * (G * T - 1) / (G * T - T - 1)
    se = np.sqrt(factor * ((c.weights() * c.residuals()) ** 2).sum())
    return t_test(c.effect(), se, G - 1)


def bell_mccaffrey(c: Contrasts) -> TTest:
    """CR2 with Satterthwaite degrees of freedom, working model: equal variance of rows scaled by sqrt(M).

    A row that the fit reproduces exactly (one treated organisation) gets no adjustment: the same hole as CR1.
    """
    root = np.sqrt(c.members)
    X = np.stack([np.ones_like(root), c.treated.astype(float)], axis=1) * root[:, None]
    bread = np.linalg.inv(X.T @ X)
    annihilator = np.eye(len(root)) - X @ bread @ X.T
    room = np.diag(annihilator)
    adjust = np.where(room > 1e-10, 1 / np.sqrt(np.maximum(room, 1e-300)), 0.0)
    score = (X @ bread[1]) * adjust
    scaled = c.change * root
    se = np.sqrt(((score * (annihilator @ scaled)) ** 2).sum())
    working = annihilator * score
    gram = working.T @ working
    return t_test(float((X @ bread[1]) @ scaled), se, np.trace(gram) ** 2 / (gram * gram).sum())


def donald_lang(c: Contrasts, by_members: bool = False) -> TTest:
    """t with J - 2 degrees of freedom on the changes: one variance for all, or one falling with members."""
    size = c.members if by_members else np.ones_like(c.members)
    residual, df = c.residuals(size), len(size) - 2
    variance = (size * residual**2).sum() / df
    arms = 1 / size[c.treated].sum() + 1 / size[~c.treated].sum()
    return t_test(c.effect(size), np.sqrt(variance * arms), df)


def welch(c: Contrasts) -> TTest:
    """Unequal-variance t of unweighted changes; needs two treated and two comparison organisations."""
    arms = c.change[c.treated], c.change[~c.treated]
    if min(len(a) for a in arms) < 2:
        raise ValueError("Welch's t needs at least two organisations in each arm")
    part = [a.var(ddof=1) / len(a) for a in arms]
    total = sum(part)
    df = total**2 / sum(v**2 / (len(a) - 1) for v, a in zip(part, arms, strict=True))
    return t_test(arms[0].mean() - arms[1].mean(), np.sqrt(total), df)
