"""Least squares on rows, exactly, from the moments of cells: any effects, subset and cluster.

    y_i = sum_k b_k f_k(c) x_k,i + effects of the cell c that i is in + e_i

with weights. Regressors are numbers of the cell, variables of the rows, or products of the two; effects are
levels of keys (practice, month, area by month, cohort), absorbed without iteration. The normal equations
split into sums between cell means and the scatter inside cells, and so does every cluster's score
``X_g'(y_g - X_g b)``; both come from whole numbers. Nothing is approximated: the result is the one on rows.

Source: docs/methods/cells.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.models.cell_design import CellDesign, Effect, design_of
from medhome.models.cell_moments import MEMBER, CellMoments, Term
from medhome.models.inference.conventional import TTest, t_test
from medhome.models.panels.sandwich import RULE_WORDS, JointTest, nested, wald
from medhome.study.cells import Cells
from medhome.study.panel_results import PanelEstimate
from medhome.study.problems import ModelRefusal

RULE = f"CR1: {RULE_WORDS['fixest']}; t with G-1 degrees of freedom"


@dataclass(frozen=True, kw_only=True)
class CellsFit:
    """A regression on cells.

    names: K terms kept; dropped: covariates that the others and the effects explain; coefficients: (K,);
    bread: (K, K) inverse of the normal matrix; scores: (K, G) of the clusters; cluster_labels: G of them;
    rows, parameters: N and K of the rule. design: what resampling needs.
    """

    names: tuple[str, ...]
    dropped: tuple[str, ...]
    coefficients: np.ndarray
    bread: np.ndarray
    scores: np.ndarray
    cluster: Effect
    cluster_labels: tuple[str, ...]
    rows: int
    parameters: int
    design: CellDesign
    rule: str = RULE

    @property
    def clusters(self) -> int:
        return len(self.cluster_labels)

    @property
    def covariance(self) -> np.ndarray:
        """(K, K) cluster-robust, by `RULE`."""
        G = self.clusters
        factor = G / (G - 1) * (self.rows - 1) / (self.rows - self.parameters)
        half = self.bread @ self.scores
        return factor * half @ half.T

    @property
    def se(self) -> np.ndarray:
        return np.sqrt(np.diag(self.covariance))

    def __getitem__(self, name: str) -> float:
        return float(self.coefficients[self._place(name)])

    def test(self, name: str) -> TTest:
        """t interval of a coefficient, G - 1 degrees of freedom."""
        place = self._place(name)
        return t_test(float(self.coefficients[place]), float(self.se[place]), self.clusters - 1)

    def clustered(self, cluster: Effect) -> CellsFit:
        """The same fit with other clusters."""
        return _fit(self.design, cluster)

    def joint(self, names: Sequence[str]) -> JointTest:
        """Are these coefficients all zero? F(q, G - 1), the form of the golden values."""
        place = [self._place(n) for n in names]
        return wald(self.coefficients[place], self.covariance[np.ix_(place, place)], self.clusters - 1)

    def table(self) -> pd.DataFrame:
        """One row per term: estimate, se, df, p, and 90% and 95% intervals."""
        tests = [self.test(n) for n in self.names]
        return pd.DataFrame(
            {
                "term": self.names,
                "estimate": [t.estimate for t in tests],
                "se": [t.se for t in tests],
                "df": [t.df for t in tests],
                "p": [t.p for t in tests],
                "lo90": [t.ci90[0] for t in tests],
                "hi90": [t.ci90[1] for t in tests],
                "lo95": [t.ci95[0] for t in tests],
                "hi95": [t.ci95[1] for t in tests],
            }
        )

    def estimate(self, name: str, units: int | None = None) -> PanelEstimate:
        """One coefficient as every estimator of medhome returns it; ``table`` holds all of them."""
        found = self.test(name)
        dropped = tuple(f"{d} was left out: the other terms and the effects explain it" for d in self.dropped)
        return PanelEstimate(
            estimator="twfe",
            estimate=found.estimate,
            se=found.se,
            ci=found.ci95,
            ci90=found.ci90,
            p=found.p,
            df=found.df,
            rows=self.rows,
            units=units if units is not None else max(self.design.effects.sizes.values()),
            clusters=self.clusters,
            rule=self.rule,
            warnings=dropped,
            table=self.table(),
        )

    def _place(self, name: str) -> int:
        if name not in self.names:
            why = "was left out as collinear" if name in self.dropped else "is not a term"
            raise ModelRefusal(f"regression on cells: {name!r} {why}; terms are {', '.join(self.names)}")
        return self.names.index(name)


def regress(
    data: Cells | CellMoments,
    outcome: str,
    terms: Sequence[str | Term],
    *,
    effects: Sequence[Effect] = ("practice_id", "month"),
    cluster: Effect = "practice_id",
) -> CellsFit:
    """What are the coefficients of a linear model on the rows behind these cells, and their errors?

    Arguments
        data: cells, or moments of them where several models are fitted (made once, used often).
        outcome: a variable. terms: variables by name, or `Term`; those with a factor must have one number per
            cell of ``data`` (for `Cells`: of the cells with weight).
        effects: keys, or tuples of keys taken together (("area", "month")), that are absorbed; ``"member"``
            with moments of `CellMoments.of_members`. None: a constant.
        cluster: key or keys of the clusters.

    A variable that the other terms and the effects explain is left out and named in ``dropped``; a term that
    is a number of the cell (a treatment) raises `ModelRefusal` instead, as do fewer than two clusters.

    >>> frame = pd.DataFrame({"practice_id": list("AABB"), "month": [1, 2, 1, 2], "rows": 2, "w": 2000,
    ...     "w*cost": [400_000, 300_000, 200_000, 240_000]})
    >>> cells = Cells(keys=("practice_id", "month"), scales={"cost": 100}, frame=frame)
    >>> treat = Term(name="treat", factor=np.array([0.0, 1.0, 0.0, 0.0]))
    >>> round(regress(cells, "cost", [treat])["treat"], 6)  # (1.50 - 2.00) - (1.20 - 1.00)
    -0.7
    """
    wanted = [t if isinstance(t, Term) else Term(name=t, variable=t) for t in terms]
    variables = [outcome, *(t.variable for t in wanted if t.variable is not None)]
    moments = CellMoments.of(data, variables) if isinstance(data, Cells) else data
    return _fit(design_of(moments, outcome, wanted, tuple(effects)), cluster)


def _fit(design: CellDesign, cluster: Effect) -> CellsFit:
    moments, K = design.moments, len(design.names)
    code, labels = clusters(moments, cluster)
    G = len(labels)
    if G < 2:
        raise ModelRefusal("regression on cells: cluster-robust errors need at least two clusters")
    weighted = design.Zr * moments.weight
    inside, right = design.inside()
    A, b = weighted @ design.Zr.T + inside, weighted @ design.yr + right
    bread = np.linalg.inv(A)
    beta = np.linalg.solve(A, b)
    scores = weighted * (design.yr - beta @ design.Zr)
    for i, values in design.zy.items():
        scores[i] += values
    for (i, j), values in design.zz.items():
        scores[i] -= values * beta[j]
        if i != j:
            scores[j] -= values * beta[i]
    free = 0
    for name, level in design.effects.levels.items():
        if not nested(level, code):
            if name == MEMBER:
                raise ModelRefusal("member effects: a member must stay in one cluster")
            free += design.effects.sizes[name] - 1
    rows = int(moments.rows.sum())
    parameters = K + 1 + free
    if rows <= parameters:
        raise ModelRefusal(f"regression on cells: {rows} rows cannot carry {parameters} parameters")
    return CellsFit(
        names=design.names,
        dropped=design.dropped,
        coefficients=beta,
        bread=bread,
        scores=np.array([np.bincount(code, s, G) for s in scores]).reshape(K, G),
        cluster=cluster,
        cluster_labels=labels,
        rows=rows,
        parameters=parameters,
        design=design,
    )


def clusters(moments: CellMoments, cluster: Effect) -> tuple[np.ndarray, tuple[str, ...]]:
    """(n,) number of each cell's cluster, and the clusters' labels."""
    columns = [cluster] if isinstance(cluster, str) else list(cluster)
    code = moments.codes(cluster)
    first = np.unique(code, return_index=True)[1]
    found = [moments.keys[c].iloc[first].astype(str) for c in columns]
    return code, tuple(" / ".join(parts) for parts in zip(*found, strict=True))
