"""Practices drawn anew within their arm: how the estimates move, conditional on these organisations.

A draw counts each practice 0, 1, 2, ... times, as many practices in each arm as the study has. Everything is
a function of sums by practice, so that thousands of draws are a few matrix products. What this cannot show
is a shock of a whole organisation: with one treated organisation its interval is too short as an answer to
"was it the program?" (`docs/methods.md`, few treated organisations), and is labelled so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medhome.models import arm_months
from medhome.models.arm_means import ARMS, OUTCOME
from medhome.models.twfe import PracticeMonths
from medhome.study.cells import Cells, Rows
from medhome.study.spec import StudySpec

DRAWS = 2000
SEED_STEP = 61
FEWEST_PRACTICES = 2
_CHUNK = 250


def counts(treated: np.ndarray, seed: int, draws: int = DRAWS) -> np.ndarray:
    """(draws, P) how often each practice is drawn; each arm keeps its number of practices.

    >>> counts(np.array([True, True, False, False, False]), seed=1, draws=3)[:, :2].sum(1).tolist()
    [2, 2, 2]
    """
    rng = np.random.default_rng([seed, SEED_STEP])
    found = np.zeros((draws, len(treated)), dtype=np.int64)
    for arm in (True, False):
        mine = treated == arm
        n = int(mine.sum())
        found[:, mine] = rng.multinomial(n, np.full(n, 1 / n), size=draws)
    return found


def draw(
    cells: Cells, rows: Rows, predicted_cents: np.ndarray, outcomes: Sequence[str], spec: StudySpec,
    draws: int = DRAWS,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Each definition's difference and each outcome's effect in each draw, dollars PMPM.

    Arguments
        cells: practice-months. rows: member-periods of the performance period only.
        predicted_cents: (N,) of the rows, by the comparison arm's cost model, which is kept as fitted.
        outcomes: whose two-way effects are drawn, under their names.

    Keys: the definitions that sums by practice give (E1, E1b, E2, E4, E5_level), ``baseline``, ``actual``
    (means of the treated arm's ``allowed_capped``) and the outcomes; arrays (draws,), NaN where a draw does
    not tell. Empty with fewer than two practices in an arm.
    """
    sites, treated = arm_months.by_practice(cells, spec)
    if min(treated.sum(), (~treated).sum()) < FEWEST_PRACTICES:
        return {}
    drawn = counts(treated, spec.seed, draws)
    x = arm_months.summed(sites, drawn)
    found: dict[str, np.ndarray] = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, definition in arm_months.definitions_of(spec).items():
            try:
                found[name] = definition(x).difference
            except arm_months.BaseYearsDiffer:
                continue  # E4 has no estimate either, and its row says why
        found["baseline"] = x.mean(x.cost, 0, ~x.after)
        found["actual"] = x.mean(x.cost, 0, x.after)
        found["E2"] = _level_gap(rows, predicted_cents, cells, drawn)
    panels = [PracticeMonths.of(cells, y, spec.estimation.covariates) for y in outcomes]
    places = arm_months.places(cells, panels[0].practices)
    effects = two_way_effects(panels, spec.periods.performance.first, drawn[:, places])
    return found | dict(zip(outcomes, effects.T, strict=True))


def two_way_effects(panels: Sequence[PracticeMonths], first_post: int, drawn: np.ndarray) -> np.ndarray:
    """(R, Y) two-way effects of several outcomes with each practice counted as in (R, P).

    Practice effects lie inside a practice and are taken out once; what is left is one block of normal
    equations per practice (the effect, covariates, months but one), added up by draw.
    """
    one = panels[0]
    P, T = one.members.shape
    Q = len(one.covariates)
    months = np.broadcast_to(np.eye(T)[1:], (P, T - 1, T))
    effect = (one.treated[:, None] & (one.months >= first_post)).astype(float)[:, None]
    Z = np.concatenate([effect, one.x.transpose(1, 0, 2), months], axis=1)
    W, y = one.members, np.stack([p.y for p in panels], axis=-1)
    weighted = Z * W[:, None, :]
    sums, size = weighted.sum(2), W.sum(1)
    A = weighted @ Z.transpose(0, 2, 1) - sums[:, :, None] * sums[:, None, :] / size[:, None, None]
    b = weighted @ y - sums[:, :, None] * (W[:, :, None] * y).sum(1)[:, None] / size[:, None, None]
    inside = slice(1, 1 + Q)
    A[:, inside, inside] += one.within_xx.sum(3).transpose(2, 0, 1)
    b[:, inside] += np.stack([p.within_xy.sum(2).T for p in panels], axis=-1)
    M = A.shape[1]
    scale = np.sqrt(np.maximum(np.einsum("pmm->m", A), 1e-300))
    A, b = A / np.outer(scale, scale), b / scale[:, None]
    flat = np.concatenate([A.reshape(P, -1), b.reshape(P, -1)], axis=1)
    # A covariate or month that a draw does not vary gets a slope of nothing, as least norm would give.
    ridge = 1e-12 * np.eye(M)
    found = [
        np.linalg.solve(
            added[:, : M * M].reshape(-1, M, M) + ridge, added[:, M * M :].reshape(len(added), M, -1)
        )
        for start in range(0, len(drawn), _CHUNK)
        for added in [drawn[start : start + _CHUNK].astype(float) @ flat]
    ]
    return np.concatenate(found)[:, 0] / scale[0]


def _level_gap(rows: Rows, predicted_cents: np.ndarray, cells: Cells, drawn: np.ndarray) -> np.ndarray:
    """(R,) actual less predicted cost, of the treated less of the comparisons."""
    frame = rows.frame
    labels = arm_months.site_labels(cells.frame)
    mine = arm_months.sites_of(frame).to_numpy(dtype=str)
    place = np.searchsorted(labels, mine)
    months = frame["w"].to_numpy(dtype=float) / rows.weight_scale
    residual = frame[OUTCOME].to_numpy(dtype=float) / rows.scale - months * predicted_cents / 100
    n, total = (np.bincount(place, v, len(labels)) for v in (months, residual))
    treated = np.char.startswith(labels, f"{ARMS[0]}\x1f")
    gap = {
        arm: (drawn[:, mask] @ total[mask]) / (drawn[:, mask] @ n[mask])
        for arm, mask in ((True, treated), (False, ~treated))
    }
    return gap[True] - gap[False]
