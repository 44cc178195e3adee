"""By how much does treated cost after the start differ with and without the program, under each cost model?

A model of both arms and periods with arm, period and their product; every treated member-period after the
start is predicted with the product at one and at zero (recycled predictions). Practices are the clusters, so
that with few treated organisations errors are conditional on these. Source: ``docs/methods/cost-models.md``,
effect of the program.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from medhome.models.cost_models.design import CostTable
from medhome.models.cost_models.drawn import drawn_coefficients
from medhome.models.cost_models.errors import cluster_influence
from medhome.models.cost_models.model import Choice, CostModel
from medhome.models.member_costs.fits import fitted, without_negatives
from medhome.models.member_costs.members import (
    CAPPED,
    PERFORMANCE,
    PROGRAM,
    TREATED,
    Covariates,
    Members,
    table_of,
    with_program,
)
from medhome.models.panels.sandwich import Inference
from medhome.study.problems import ModelRefusal

NAN = float("nan")
MOST_FAILED_SHARE = 0.05
NO_GAP = 1e-9
"""A gap between actual cost and the model's mean below this share of it is none."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """The effect in one group: means PMPM with and without, what each practice adds to its error, and draws.

    actual: mean cost of the same member-months, as the family takes it (`fits.without_negatives`).
    influence (G,) and draws (B,) are by all practices of the study; draw_months (B,): treated member-months
    after the start in each draw. NaN where a draw has no fit.
    """

    months: float
    actual: float
    above: float
    below: float
    influence: np.ndarray
    draws: np.ndarray
    draw_months: np.ndarray
    df: float


def effect(
    members: Members, inside: np.ndarray, covariates: Covariates, choice: Choice, came: np.ndarray
) -> Effect:
    """The effect in one group of members; came (B, G): how often each practice came in each draw."""
    x = with_program(covariates.x, members.treated[inside], members.performance[inside])
    names = (*covariates.names, TREATED, PERFORMANCE, PROGRAM)
    practice = members.practice[inside]
    table = without_negatives(
        table_of(x, names, members.cost[CAPPED][inside], members.months[inside], practice), choice.family
    )
    program = len(names) - 1
    if not (table.x[:, program] > 0).any():
        raise ModelRefusal("There are no members of the program after the start.")
    if program not in table.kept:
        raise ModelRefusal("Arm and period cannot be told apart from the program after the start.")
    model = fitted(table, choice)
    here = np.unique(practice)
    column = table.kept.index(program)
    rows = np.flatnonzero(table.x[:, program] > 0)
    with_it = table.x[rows][:, table.kept]
    without = with_it.copy()
    without[:, column] = 0.0
    weights = table.weights[rows]
    share = weights / weights.sum()
    spread, rule = cluster_influence(
        model.parts, table.x[:, table.kept], table.cluster, False, counts=table.counts
    )
    gradient = model.gradient(with_it, share) - model.gradient(without, share)
    influence = np.zeros(len(members.practices))
    influence[here] = spread @ gradient
    drawn, months = _drawn(model, table, rows, column, came[:, here])
    return Effect(
        months=float(weights.sum()),
        actual=float(share @ table.y[rows]),
        above=float(share @ model.mean(with_it)),
        below=float(share @ model.mean(without)),
        influence=influence,
        draws=drawn,
        draw_months=months,
        df=rule.df,
    )


def _drawn(
    model: CostModel, table: CostTable, rows: np.ndarray, column: int, came: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Effect and member-months (B,) in each draw of practices."""
    if not len(came):
        return np.zeros(0), np.zeros(0)
    pattern = rows if table.pattern is None else table.pattern[rows]
    _, first, code = np.unique(pattern, return_index=True, return_inverse=True)
    x = table.x[rows[first]][:, table.kept]
    without = x.copy()
    without[:, column] = 0.0
    weight = csr_matrix((table.weights[rows], (table.cluster[rows], code)), (table.clusters, len(first)))
    weights = (weight.T @ came.T.astype(float)).T
    high, low = np.ones((len(first), len(came))), np.ones((len(first), len(came)))
    for part, beta in zip(model.parts, drawn_coefficients(model, table, came), strict=True):
        high *= part.means(x, beta)
        low *= part.means(without, beta)
    months = weights.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (weights * (high - low).T).sum(1) / months
    return np.where(np.isfinite(found), found, NAN), months


def in_row(parts: list[Effect]) -> dict[str, float | int]:
    """One row of `MemberCosts.effects` from the effects of groups, weighted by their member-months."""
    months = np.array([p.months for p in parts])
    share = months / months.sum()
    actual, above, below = (
        float(share @ [getattr(p, side) for p in parts]) for side in ("actual", "above", "below")
    )
    influence = sum(s * p.influence for s, p in zip(share, parts, strict=True))
    found = Inference.of(above - below, float(np.sqrt(np.sum(np.square(influence)))), parts[0].df)
    low, high, count = NAN, NAN, 0
    weights = np.stack([p.draw_months for p in parts])
    draws = np.stack([p.draws for p in parts])
    if draws.shape[1]:
        # A group without a treated month in a draw has no part in it.
        values = np.where(weights > 0, draws, 0.0)
        total = weights.sum(0)
        together = np.divide((weights * values).sum(0), total, out=np.full(len(total), NAN), where=total > 0)
        usable = together[np.isfinite(together)]
        if len(usable) >= (1 - MOST_FAILED_SHARE) * len(together):
            low, high = (float(v) for v in np.quantile(usable, (0.025, 0.975)))
            count = len(usable)
    gap = actual - above if abs(actual - above) > NO_GAP * abs(actual) else 0.0
    return {
        "with_pmpm": above, "without_pmpm": below, "gap_pmpm": gap,
        "estimate": found.estimate, "se": found.se,
        "lo95": found.ci[0], "hi95": found.ci[1], "p": found.p, "lo95_bootstrap": low,
        "hi95_bootstrap": high, "draws": count,
    }  # fmt: skip
