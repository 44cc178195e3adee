"""Restricted wild cluster bootstrap by organisation (WCR), on the organisations' changes.

Fails with one treated organisation in either direction (0 to 12% false alarms in the few-clusters note,
section 4); shown with that label. Ties count: with all sign vectors enumerated the test is then valid.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from medhome.models.inference.contrasts import Contrasts, arm_residuals

WEBB = np.array([-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)])
"""Webb's six points: more distinct values than signs when there are fewer than about ten organisations."""

TIE = 1e-12


def rademacher(organizations: int, number: int, rng: np.random.Generator) -> np.ndarray:
    """Sign vectors (draws, organisations): all of them when 2^G is at most ``number``, else random ones."""
    if 2**organizations <= number:
        return np.array(list(product((1.0, -1.0), repeat=organizations)))
    return rng.integers(0, 2, (number, organizations)) * 2.0 - 1.0


def wild_cluster(c: Contrasts, draws: np.ndarray) -> tuple[int, int]:
    """How many draws (B, J) give a t at least as large as the data's, and of how many; p is their ratio.

    The null is imposed: residuals are changes less the mean of all organisations by members.

    >>> c = Contrasts(change=np.array([-9., 1., 2.]), members=np.ones(3), months=2,
    ...               treated=np.array([True, False, False]), shares=np.array([-1., 1.]))
    >>> wild_cluster(c, rademacher(3, 8, np.random.default_rng([1])))
    (2, 8)
    """
    weights = c.weights()
    null = c.change - c.members @ c.change / c.members.sum()

    def t_of(change: np.ndarray) -> np.ndarray:
        se = np.sqrt(((weights * arm_residuals(change, weights, c.treated)) ** 2).sum(-1))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.abs(change @ weights) / se

    actual = t_of(c.change)
    drawn = t_of(draws * null)
    # 0/0 (all changes equal) says nothing against the null: it counts.
    return int((~(drawn < actual * (1 - TIE))).sum()), len(draws)
