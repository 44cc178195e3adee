"""Randomisation inference over organisations, and Conley and Taber's placebo test.

Exact when organisations are exchangeable, that is of equal size; it cannot correct for size, and with one
treated among J0 comparisons its smallest p is 1/(J0 + 1). Source: ``docs/methods.md``, few treated
organisations.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Literal

import numpy as np

from medhome.models.inference.contrasts import Contrasts, arm_residuals, signed_weights

ENUMERATED_AT_MOST = 2000
SAMPLED = 999
TIE = 1e-10


@dataclass(frozen=True, kw_only=True)
class Randomization:
    """Where the actual assignment stands among the possible ones.

    rank: how many assignments (the actual one among them) are at least as extreme; of ``assignments``.
    smallest_p: what the test could give at best; ``exact``: all assignments were tried.
    """

    statistic: float
    rank: int
    assignments: int
    smallest_p: float
    exact: bool

    @property
    def p(self) -> float:
        return self.rank / self.assignments


def randomization(
    c: Contrasts,
    statistic: Literal["beta", "t"] = "beta",
    by_members: bool = True,
    rng: np.random.Generator | None = None,
) -> Randomization:
    """Rank of the actual assignment by |estimate| ("beta") or |estimate| over its CR1 error ("t").

    All choose(J, N1) assignments when at most 2,000; else the actual one and 999 drawn by ``rng``.

    >>> c = Contrasts(change=np.array([-9., 1., 2.]), members=np.ones(3), months=2,
    ...               treated=np.array([True, False, False]), shares=np.array([-1., 1.]))
    >>> randomization(c).p
    0.3333333333333333
    """
    assigned, exact = assignments(c.treated, rng)
    size = c.members if by_members else np.ones_like(c.members)
    weights = signed_weights(size, assigned)
    value = np.abs((weights * c.change).sum(1))
    actual_weights = signed_weights(size, c.treated)
    actual = abs(actual_weights @ c.change)
    if statistic == "t":
        value = value / np.sqrt(((weights * arm_residuals(c.change, weights, assigned)) ** 2).sum(1))
        spread = ((actual_weights * arm_residuals(c.change, actual_weights, c.treated)) ** 2).sum()
        actual = actual / np.sqrt(spread)
    rank = int((value >= actual * (1 - TIE)).sum())
    return Randomization(
        statistic=float(actual),
        rank=rank,
        assignments=len(assigned),
        smallest_p=1 / len(assigned),
        exact=exact,
    )


def assignments(treated: np.ndarray, rng: np.random.Generator | None = None) -> tuple[np.ndarray, bool]:
    """(A, J) the ways of giving the label to as many organisations, the actual one (J,) among them.

    All of them when at most 2,000, and true; else the actual one and 999 drawn by ``rng``, and false.

    >>> assignments(np.array([False, True, False]))[0].astype(int).tolist()
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    """
    J, count = len(treated), int(treated.sum())
    if comb(J, count) <= ENUMERATED_AT_MOST:
        chosen = np.array(list(combinations(range(J), count)))
        assigned = np.zeros((len(chosen), J), dtype=bool)
        assigned[np.arange(len(chosen))[:, None], chosen] = True
        return assigned, True
    if rng is None:
        raise ValueError(f"{comb(J, count):,} assignments are too many to enumerate; give a random generator")
    order = rng.random((SAMPLED, J)).argsort(axis=1)
    return np.vstack([treated, order < count]), False


@dataclass(frozen=True, kw_only=True)
class ConleyTaber:
    """Unweighted effect, share of placebos at least as extreme, and the same with the data counted once."""

    estimate: float
    p: float
    p_finite: float


def conley_taber(c: Contrasts) -> ConleyTaber:
    """Placebo test from the comparisons' deviations; one treated organisation."""
    if c.treated_count != 1:
        raise ValueError("this form of Conley and Taber's test is for one treated organisation")
    comparison = c.change[~c.treated]
    estimate = float(c.change[c.treated][0] - comparison.mean())
    extreme = int((np.abs(comparison - comparison.mean()) >= abs(estimate)).sum())
    return ConleyTaber(
        estimate=estimate, p=extreme / len(comparison), p_finite=(1 + extreme) / (1 + len(comparison))
    )
