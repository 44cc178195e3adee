"""One number for each organisation: its cost after the start less its cost before.

With member-month weights that do not change over months, two-way fixed effects *is* the weighted
regression of these changes on treatment, so estimate, cluster-robust errors and bootstraps cost J numbers
in place of a panel. Source: ``docs/methods.md``, few treated organisations, collapse to contrasts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Contrasts:
    """The change of each organisation.

    change: (J,) mean after the start less mean before, dollars PMPM.
    members: (J,) size of the organisation (mean members a month).
    treated: (J,) true for organisations in the program.
    months: number of months of the panel behind the changes (for small-sample rules).
    shares: (T,) the linear combination of months: ``change = y @ shares``.

    >>> c = Contrasts(change=np.array([-5., 1., 3.]), members=np.array([10., 10., 30.]),
    ...               treated=np.array([True, False, False]), months=2, shares=np.array([-1., 1.]))
    >>> c.effect()
    -7.5
    """

    change: np.ndarray
    members: np.ndarray
    treated: np.ndarray
    months: int
    shares: np.ndarray

    @property
    def treated_count(self) -> int:
        return int(self.treated.sum())

    def effect(self, size: np.ndarray | None = None) -> float:
        """Weighted mean change of the treated less that of the comparisons."""
        return float(self.weights(size) @ self.change)

    def weights(self, size: np.ndarray | None = None) -> np.ndarray:
        """Signed weights a with ``effect = a @ change``; by members unless another size is given."""
        return signed_weights(self.members if size is None else size, self.treated)

    def residuals(self, size: np.ndarray | None = None) -> np.ndarray:
        """Deviation of each change from its own arm's weighted mean."""
        return arm_residuals(self.change, self.weights(size), self.treated)


def signed_weights(size: np.ndarray, treated: np.ndarray) -> np.ndarray:
    """Shares of the arm, negative for comparisons; ``size`` is (..., J), ``treated`` (..., J).

    >>> signed_weights(np.array([4., 1., 3.]), np.array([True, False, False])).tolist()
    [1.0, -0.25, -0.75]
    """
    inside = np.where(treated, size, 0.0)
    outside = np.where(treated, 0.0, size)
    return inside / inside.sum(-1, keepdims=True) - outside / outside.sum(-1, keepdims=True)


def arm_residuals(change: np.ndarray, weights: np.ndarray, treated: np.ndarray) -> np.ndarray:
    """Changes less the mean of their own arm, by signed weights; any leading dimensions."""
    product = weights * change
    treated_mean = np.where(treated, product, 0.0).sum(-1, keepdims=True)
    comparison_mean = -np.where(treated, 0.0, product).sum(-1, keepdims=True)
    return change - np.where(treated, treated_mean, comparison_mean)


def month_shares(after: np.ndarray, exposure: np.ndarray | None = None) -> np.ndarray:
    """The contrast of months (T,): each side of the start sums to one in absolute value.

    after: (T,) true from the first month of the performance period.
    exposure: (T,) the treated arm's members by month, when membership drifts; equal months otherwise.

    >>> month_shares(np.array([False, False, True])).tolist()
    [-0.5, -0.5, 1.0]
    """
    size = np.ones(len(after)) if exposure is None else np.asarray(exposure, dtype=float)
    return signed_weights(size, after)


def organization_shares(
    members: np.ndarray, after: np.ndarray, exposure: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The contrast of months (J, T) of each organisation, and which organisations have one (J,).

    Months without members are left out, their share goes to the organisation's other months on the same side
    of the start; organisations without members on one side have no contrast (a row of zeros).
    """
    members, after = np.asarray(members, dtype=float), np.asarray(after, dtype=bool)
    present = members > 0
    kept = present[:, after].any(1) & present[:, ~after].any(1)
    own = np.where(present, month_shares(after, exposure), 0.0)
    own[~kept] = 0.0
    for side, total in ((after, 1.0), (~after, -1.0)):
        sums = own[:, side].sum(1, keepdims=True)
        own[:, side] *= np.divide(total, sums, out=np.zeros_like(sums), where=sums != 0)
    return own, np.asarray(kept)


def contrasts(
    y: np.ndarray,
    members: np.ndarray,
    treated: np.ndarray,
    after: np.ndarray,
    exposure: np.ndarray | None = None,
) -> Contrasts:
    """Collapse an organisation-month panel (J, T) to one change for each organisation that has one.

    Arguments as in `organization_shares`; y is in dollars PMPM, read only where there are members.
    """
    members, treated = np.asarray(members, dtype=float), np.asarray(treated, dtype=bool)
    own, kept = organization_shares(members, after, exposure)
    present = members > 0
    change = (own * np.where(present, y, 0.0)).sum(1)
    size = members.sum(1) / np.maximum(present.sum(1), 1)
    return Contrasts(
        change=change[kept],
        members=size[kept],
        treated=treated[kept],
        months=members.shape[1],
        shares=month_shares(np.asarray(after, dtype=bool), exposure),
    )
