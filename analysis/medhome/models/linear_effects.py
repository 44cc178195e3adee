"""Estimates that are linear in the cost of practice-months, each with the headline's kind of interval.

Savings of single years, of paid dollars or of dollars above the cap, and the change against a trended
baseline, are all sums of practice-month means with known weights. One random-effects pass over the
organisation-months (`medhome.models.inference.random_effects`) then gives an interval to each of them, so
that every number in dollars allows for shocks of whole organisations as the headline does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medhome.models.inference.mixture import Mixture
from medhome.models.inference.random_effects import re_panel
from medhome.study.cells import Cells
from medhome.study.problems import ModelRefusal
from medhome.study.spec import StudySpec


@dataclass(frozen=True, kw_only=True)
class PracticeMonths:
    """Mean cost of one outcome by practice and month, with what a linear estimator needs.

    practice, organization: (n,) codes; month: (n,) month indices; treated: (n,) bool; weight: (n,)
    member-months; y: (n,) dollars PMPM; risk: (n,) mean frozen expected cost, dollars PMPM.
    """

    practice: np.ndarray
    organization: np.ndarray
    month: np.ndarray
    treated: np.ndarray
    weight: np.ndarray
    y: np.ndarray
    risk: np.ndarray

    @classmethod
    def of(cls, cells: Cells, outcome: str, less: str | None = None) -> PracticeMonths:
        """Practice-months of an outcome, or of one less another (paid less paid below the cap)."""
        frame, exposed = cells.frame, cells.member_months > 0
        # An organisation with practices in both arms counts as two, compared with each other.
        names = frame["organization_id"].astype(str).str.cat(frame["arm"].astype(str), sep="\x1f")
        sites = names.str.cat(frame["practice_id"].astype(str), sep="\x1f")
        month = frame["month"].to_numpy(dtype=int)
        months, at = np.unique(month, return_inverse=True)
        labels, site = np.unique(sites.to_numpy(dtype=str), return_inverse=True)
        present, place = np.unique((site * len(months) + at)[exposed], return_inverse=True)
        first = np.flatnonzero(exposed)[np.unique(place, return_index=True)[1]]

        def summed(values: np.ndarray) -> np.ndarray:
            return np.bincount(place, weights=values[exposed], minlength=len(present))

        weight = summed(cells.member_months)
        total = cells.total(outcome) if less is None else cells.total(outcome) - cells.total(less)
        return cls(
            practice=np.unique(labels[present // len(months)], return_inverse=True)[1],
            organization=np.unique(names.to_numpy(dtype=str)[first], return_inverse=True)[1],
            month=month[first],
            treated=(frame["arm"] == "treated").to_numpy()[first],
            weight=weight,
            y=summed(total) / weight,
            risk=summed(cells.total("expected")) / weight,
        )

    def effects(
        self, windows: Sequence[Sequence[int]], spec: StudySpec
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Effects of the program in windows of months, by two-way fixed effects.

        ``y = practice + month + sum_k effect_k * treated * (month in window k) + slope * risk + error``, by
        least squares with member-months as weights; every performance month belongs to one window.

        Returns the weights (K, n) with ``effects = weights @ y``, the effects, and the slope of risk (0 when
        it is no covariate or does not vary).
        """
        columns = [(self.treated & np.isin(self.month, list(w))).astype(float) for w in windows]
        months = np.unique(self.month)
        columns += [(self.month == m).astype(float) for m in months[1:]]
        inside = np.column_stack([self._within(c) for c in columns])
        risk = self._within(self.risk)
        root = np.sqrt(self.weight)
        if "expected" in spec.estimation.covariates:
            other = inside * root[:, None]
            left = risk * root - other @ np.linalg.lstsq(other, risk * root, rcond=None)[0]
            if (left**2).sum() > 1e-10 * (self.risk**2 * self.weight).sum():
                inside = np.column_stack([inside, risk])
        solver = np.linalg.pinv(inside * root[:, None], rcond=1e-12) * root
        found = solver @ self.y
        for k in range(len(windows)):
            if abs(solver[k] @ inside[:, k] - 1) > 1e-6:
                raise ModelRefusal(
                    "difference in differences: the effect cannot be told apart from practice and month "
                    "effects; each arm needs members before and after the start"
                )
        slope = float(found[-1]) if inside.shape[1] > len(columns) else 0.0
        return solver[: len(windows)], found[: len(windows)], slope

    def _within(self, values: np.ndarray) -> np.ndarray:
        """Values less their practice's member-month mean."""
        total = np.bincount(self.practice, weights=self.weight)
        mean = np.bincount(self.practice, weights=self.weight * values) / total
        return values - mean[self.practice]

    def intervals(
        self,
        weights: np.ndarray,
        estimates: np.ndarray,
        slope: float,
        covariance: np.ndarray,
        mean: float,
        spec: StudySpec,
    ) -> tuple[Mixture, ...]:
        """The random-effects interval of each linear estimate.

        weights: (K, n) on practice-months; estimates: (K,); slope: of risk, taken out of the cells before
        organisations' shocks are judged; covariance: (T, T) of one member's months; mean: the comparison
        arm's baseline PMPM that the prior scale refers to.
        """
        months, at = np.unique(self.month, return_inverse=True)
        J, T = int(self.organization.max()) + 1, len(months)
        place = self.organization * T + at

        def by_organization(values: np.ndarray) -> np.ndarray:
            return np.bincount(place, weights=values, minlength=J * T).reshape(J, T)

        members = by_organization(self.weight)
        total = by_organization(self.weight * (self.y - slope * self.risk))
        y = np.divide(total, members, out=np.zeros((J, T)), where=members > 0)
        treated = by_organization(self.treated.astype(float)).sum(1) > 0
        at_organizations = np.stack([by_organization(w) for w in weights])
        # One member's noise is shared by the months of a practice, hence practices, not organisations.
        S = int(self.practice.max()) + 1
        scaled = np.zeros((len(weights), S, T))
        scaled[:, self.practice, at] = weights / np.sqrt(self.weight)
        sampling = np.einsum("kst,kst->k", scaled @ covariance, scaled)
        return re_panel(
            y,
            members,
            treated,
            spec.periods.start_month,
            covariance,
            mean,
            months=months,
            weights=at_organizations,
            estimates=np.asarray(estimates, dtype=float),
            sampling_variance=sampling,
            prior_scale=spec.estimation.prior_scale_share,
        ).effects
