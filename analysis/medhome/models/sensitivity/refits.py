"""The same estimate again on a part of the practice-months, or with another start, outcome or arm.

Nothing is collapsed anew: every refit is exact from the practice-months of the study, and its interval is the
one of the headline (the organisation-month random-effects model, ``inference.recommend``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from medhome.models.inference.contrasts import month_shares
from medhome.models.inference.member_covariance import member_covariance
from medhome.models.inference.mixture import Mixture
from medhome.models.inference.random_effects import PRIOR_SCALE, RePanel, re_panel, under_shocks_of
from medhome.models.organization_months import OrganizationMonths
from medhome.models.twfe import PracticeMonths, TwoWayFit, fit_panel
from medhome.study.cells import Cells, MonthPairs
from medhome.study.placebo_results import EFFECT_COLUMNS
from medhome.study.problems import ModelRefusal

NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Refits:
    """A study's practice-months, ready to be fitted again.

    panel: practice-months of the analysed months; first_post: first performance month; covariance: (T, T) of
    one member's months, dollars squared; prior_scale: of the random-effects model.
    """

    panel: PracticeMonths
    first_post: int
    covariance: np.ndarray
    prior_scale: float = PRIOR_SCALE

    @classmethod
    def of(
        cls,
        cells: Cells,
        pairs: MonthPairs,
        outcome: str,
        covariates: Sequence[str],
        *,
        first_post: int,
        prior_scale: float = PRIOR_SCALE,
    ) -> Refits:
        """Arrange a study's cells and the outcome's pairs of months once; refusals as in `models.twfe`."""
        panel = PracticeMonths.of(cells, outcome, covariates)
        return cls(
            panel=panel,
            first_post=first_post,
            covariance=member_covariance(pairs, panel.months).matrix,
            prior_scale=prior_scale,
        )

    def estimate(self, panel: PracticeMonths | None = None) -> float:
        """The effect alone, dollars PMPM."""
        panel = self.panel if panel is None else panel
        return float(fit_panel(panel, self._profile(panel, self.first_post)).coefficients[0])

    def effect(self, panel: PracticeMonths | None = None, first_post: int | None = None) -> dict[str, object]:
        """The effect with its interval, as the columns of `EFFECT_COLUMNS`.

        A part on which nothing can be estimated gives NaN and says why.
        """
        panel = self.panel if panel is None else panel
        start = self.first_post if first_post is None else first_post
        try:
            return self._effect(panel, start)
        except ModelRefusal as refusal:
            return dict.fromkeys(EFFECT_COLUMNS, NAN) | {"why": str(refusal)}

    def _effect(self, panel: PracticeMonths, start: int) -> dict[str, object]:
        fit = fit_panel(panel, self._profile(panel, start))
        if why := _no_interval(panel):
            return _columns(fit, None, why)
        return _columns(fit, self._shocks(fit, start).effect)

    def under_shocks_of_all(self, panel: PracticeMonths) -> dict[str, object]:
        """As `effect`, with the shocks of organisations as estimated with all of them: for parts by the
        hundred, and without the noise of estimating them on fewer."""
        fit = fit_panel(panel, self._profile(panel, self.first_post))
        if why := _no_interval(panel):
            return _columns(fit, None, why)
        sampling = fit.sampling_variance(self._covariance(panel))
        weights = panel.by_organization(fit.weights)
        found = under_shocks_of(self.shocks, panel.months, weights, fit.coefficients, sampling)
        return _columns(fit, found[0])

    @cached_property
    def shocks(self) -> RePanel:
        """The random-effects model on all organisations."""
        fit = fit_panel(self.panel, self._profile(self.panel, self.first_post))
        return self._shocks(fit, self.first_post)

    def _shocks(self, fit: TwoWayFit, start: int) -> RePanel:
        months, covariance = OrganizationMonths.of(fit, start), self._covariance(fit.panel)
        return re_panel(
            months.y,
            months.members,
            months.treated,
            start,
            covariance,
            months.mean,
            months=months.months,
            weights=fit.panel.by_organization(fit.weights),
            estimates=fit.coefficients,
            sampling_variance=fit.sampling_variance(covariance),
            shares=month_shares(months.months >= start, months.members[months.treated].sum(0)),
            prior_scale=self.prior_scale,
        )

    def _covariance(self, panel: PracticeMonths) -> np.ndarray:
        at = np.searchsorted(self.panel.months, panel.months)
        return self.covariance[np.ix_(at, at)]

    @staticmethod
    def _profile(panel: PracticeMonths, start: int) -> dict[str, np.ndarray]:
        return {"effect": (panel.months >= start).astype(float)}


def _no_interval(panel: PracticeMonths) -> str:
    few = (~panel.organization_treated).sum() < 2
    return "no interval: fewer than 2 comparison organisations" if few else ""


def _columns(fit: TwoWayFit, found: Mixture | None, why: str = "") -> dict[str, object]:
    """The effect as the columns of `EFFECT_COLUMNS`."""
    own = dict.fromkeys(EFFECT_COLUMNS, NAN) | {"estimate": float(fit.coefficients[0]), "why": why}
    if found is None:
        return own
    (lo90, hi90), (lo95, hi95) = found.ci90, found.ci95
    return own | {"se": found.sd, "lo90": lo90, "hi90": hi90, "lo95": lo95, "hi95": hi95}


def part(
    panel: PracticeMonths, practices: np.ndarray | None = None, months: np.ndarray | None = None
) -> PracticeMonths:
    """Some practices (P,) and months (T,) of a panel; what is left without members goes too.

    Raises `ModelRefusal` when an arm has nobody left.
    """
    kept = np.ones(len(panel.practices), bool) if practices is None else np.asarray(practices, bool)
    when = np.ones(len(panel.months), bool) if months is None else np.asarray(months, bool)
    kept = kept & (panel.members[:, when] > 0).any(1)
    when = when & (panel.members[kept] > 0).any(0)
    for arm, own in (("treated", panel.treated), ("comparison", ~panel.treated)):
        if not (kept & own).any():
            raise ModelRefusal(f"without it the {arm} arm has nobody left")
    left = np.unique(panel.organization[kept])
    cut = np.ix_(kept, when)
    return replace(
        panel,
        practices=tuple(p for p, k in zip(panel.practices, kept, strict=True) if k),
        organizations=tuple(panel.organizations[j] for j in left),
        organization=np.searchsorted(left, panel.organization[kept]),
        treated=panel.treated[kept],
        months=panel.months[when],
        members=panel.members[cut],
        rows=panel.rows[cut],
        y=panel.y[cut],
        x=panel.x[:, kept][:, :, when],
        within_xx=panel.within_xx[:, :, kept][:, :, :, when],
        within_xy=panel.within_xy[:, kept][:, :, when],
    )
