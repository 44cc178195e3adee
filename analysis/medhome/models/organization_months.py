"""The organisation-month panel behind every interval of a study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medhome.models.twfe import TwoWayFit


@dataclass(frozen=True, kw_only=True)
class OrganizationMonths:
    """The organisation-month panel behind the interval: (J, T) arrays, J organisations within an arm.

    y: mean cost less the covariates' part, dollars PMPM; members: member-months; treated: (J,);
    months: (T,) month indices; mean: the comparisons' PMPM before the start, covariates left in.
    """

    y: np.ndarray
    members: np.ndarray
    treated: np.ndarray
    months: np.ndarray
    mean: float

    @classmethod
    def of(cls, fit: TwoWayFit, first_post: int) -> OrganizationMonths:
        """Member-weighted means of practices."""
        panel = fit.panel
        members = panel.by_organization(panel.members)
        total = panel.by_organization(panel.members * fit.adjusted)
        before = ~panel.treated[:, None] & (panel.months < first_post)
        weight = np.where(before, panel.members, 0.0)
        return cls(
            y=np.divide(total, members, out=np.zeros_like(total), where=members > 0),
            members=members,
            treated=panel.organization_treated,
            months=panel.months,
            mean=float((weight * panel.y).sum() / weight.sum()),
        )
