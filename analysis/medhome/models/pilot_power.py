"""How many practices, members and months does a pilot need to find an effect?

A two-period comparison of arms: each practice's change of mean cost varies with its own shocks and with its
members, each organisation's with shocks that all its practices share. With A the variance of the change that
shocks make, B that of one member's, K practices of m members in O organisations on each arm,

    v = sum over arms of A_organization / O + (A_practice + B / m) / K,
    detectable = (t_.975 + t_.80) sqrt(v).

Without shocks of organisations that is `medhome.models.panels.power.detectable_effect`, the formula with icc
and autocorrelations. Source: ``docs/methods.md``, power and the detectable effect; ``docs/power.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from medhome.models.inference.member_covariance import member_covariance
from medhome.models.inference.panel_likelihood import correlation
from medhome.models.linear_effects import two_way
from medhome.study.cells import Cells, MonthPairs
from medhome.study.power_choices import PowerPlan
from medhome.study.problems import ModelRefusal
from medhome.study.results import DidResult
from medhome.study.spec import StudySpec

POWER, LEVEL = 0.80, 0.05
TIMES = (0.25, 0.5, 1, 2, 4)
"""Sizes drawn where the plan names none: these times the planned one."""
FEWEST_PRACTICES = 10
"""Practices beyond the first of their organisations from which shocks of practices can be told at all."""


@dataclass(frozen=True, kw_only=True)
class Variation:
    """How cost varies, dollars PMPM.

    mean: mean cost. by_lag: covariance of one member's months by lag; one beyond the last counts as the last.
    practice_sd, organization_sd: of their monthly shocks, with autocorrelation by month ``practice_rho`` and
    ``organization_rho``. yearly: (sd, icc, cluster, member autocorrelation) of periods of the study's own
    length, in place of all these but the organisations' shocks; then months cannot be varied.
    """

    mean: float
    by_lag: Mapping[int, float]
    practice_sd: float
    practice_rho: float
    organization_sd: float
    organization_rho: float
    basis: str = "assumed"
    yearly: tuple[float, float, float, float] | None = None

    @classmethod
    def assumed(cls, plan: PowerPlan) -> Variation:
        """As a plan assumes it."""
        variance = (plan.member_monthly_cv * plan.mean_pmpm_usd) ** 2
        lags = {
            k: variance
            * (plan.member_fading_share * plan.member_fading**k + plan.member_lasting_share)
            * (1 - plan.member_turnover) ** k
            for k in range(1, 121)
        }
        y = plan.yearly
        return cls(
            mean=plan.mean_pmpm_usd,
            by_lag={0: variance, **lags},
            practice_sd=plan.practice_sd_share * plan.mean_pmpm_usd,
            practice_rho=plan.autocorrelation,
            organization_sd=plan.organization_sd_share * plan.mean_pmpm_usd,
            organization_rho=plan.autocorrelation,
            yearly=None
            if y is None
            else (y.sd_pmpm_usd, y.icc, y.cluster_autocorrelation, y.member_autocorrelation),
        )

    def practice(self, before: int, after: int) -> float:
        """A_practice: variance of a practice's own pre/post contrast."""
        if self.yearly is not None:
            sd, icc, cluster, _ = self.yearly
            return 2 * sd**2 * icc * (1 - cluster)
        return self.practice_sd**2 * _contrast(
            correlation(np.arange(before + after), self.practice_rho), before
        )

    def organization(self, before: int, after: int) -> float:
        """A_organization."""
        months = np.arange(before + after)
        return self.organization_sd**2 * _contrast(correlation(months, self.organization_rho), before)

    def member(self, before: int, after: int) -> float:
        """B: variance of one member's pre/post contrast."""
        if self.yearly is not None:
            sd, icc, _, own = self.yearly
            return 2 * sd**2 * (1 - icc) * (1 - own)
        return _contrast(self._covariance(before + after), before)

    def formula(self, before: int, after: int) -> dict[str, float]:
        """sd, icc, cluster and member autocorrelation of the two periods, as the formula takes them."""
        if self.yearly is not None:
            return dict(zip(_FORMULA, self.yearly, strict=True))
        months = np.arange(before + after)
        cluster = self.practice_sd**2 * correlation(months, self.practice_rho)
        level, own = _level(cluster, before), _level(self._covariance(before + after), before)
        variance = level + own
        changes = (self.practice(before, after), self.member(before, after))
        sd, icc = float(np.sqrt(variance)), level / variance
        return dict(
            zip(
                _FORMULA,
                (sd, icc, 1 - changes[0] / (2 * level) if level else 0.0, 1 - changes[1] / (2 * own)),
                strict=True,
            )
        )

    def _covariance(self, months: int) -> np.ndarray:
        last = max(self.by_lag)
        lags = np.abs(np.subtract.outer(np.arange(months), np.arange(months)))
        return np.vectorize(lambda k: self.by_lag[min(int(k), last)], otypes=[float])(lags)


_FORMULA = ("sd_pmpm", "icc", "cluster_autocorrelation", "member_autocorrelation")


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a study is: practices and organisations of each arm (treated, comparison)."""

    practices: tuple[int, int]
    organizations: tuple[int, int]
    members: float
    before: int
    after: int

    @classmethod
    def planned(cls, plan: PowerPlan, spec: StudySpec) -> Size:
        """The size that a plan names, with the study's own months."""
        return cls(
            practices=(plan.practices_treated, plan.practices_comparison),
            organizations=(plan.organizations_treated, plan.organizations_comparison),
            members=plan.members_per_practice,
            before=spec.periods.baseline.months,
            after=spec.periods.performance.months,
        )


def standard_error(size: Size, variation: Variation) -> float:
    """sqrt(v): of the difference in differences of a study of this size, dollars PMPM."""
    own = variation.practice(size.before, size.after)
    shared = variation.organization(size.before, size.after)
    member = variation.member(size.before, size.after)
    variance = sum(
        shared / o + (own + member / size.members) / k
        for k, o in zip(size.practices, size.organizations, strict=True)
    )
    return float(np.sqrt(variance))


def degrees_of_freedom(size: Size, variation: Variation) -> int:
    """Clusters less 2: organisations where they have shocks of their own, else practices.

    Raises `ModelRefusal` below 1.
    """
    shared = variation.organization_sd > 0
    df = sum(size.organizations if shared else size.practices) - 2
    if df < 1:
        what = "organisations" if shared else "practices"
        raise ModelRefusal(f"power: there must be at least 3 {what} in both arms together")
    return df


def detectable(size: Size, variation: Variation, power: float = POWER) -> float:
    """The smallest effect found with this power at the 5% level, dollars PMPM in either direction."""
    df = degrees_of_freedom(size, variation)
    return float((stats.t.ppf(1 - LEVEL / 2, df) + stats.t.ppf(power, df)) * standard_error(size, variation))


def power_to_find(effect: float, size: Size, variation: Variation) -> float:
    """The probability that a study of this size finds an effect; of the detectable effect it is 80%."""
    df = degrees_of_freedom(size, variation)
    critical = stats.t.ppf(1 - LEVEL / 2, df)
    return float(stats.t.cdf(abs(effect) / standard_error(size, variation) - critical, df))


def curve(plan: PowerPlan, size: Size, variation: Variation) -> pd.DataFrame:
    """`PowerCurve.frame`: one size varied at a time, all else as planned.

    As practices of the program vary, those of the comparison arm keep their ratio to them.
    """
    rows = []
    ratio = size.practices[1] / size.practices[0]
    for k in plan.practices or _around(size.practices[0], size.organizations[0]):
        own = min(size.organizations[0], k)
        pair = (k, max(size.organizations[1], round(k * ratio)))
        other = replace(size, practices=pair, organizations=(own, size.organizations[1]))
        rows.append(row("practices", k, other, variation, plan.effect_pmpm_usd))
    for m in plan.members or [round(size.members * t) for t in TIMES]:
        rows.append(row("members", m, replace(size, members=float(m)), variation, plan.effect_pmpm_usd))
    if variation.yearly is None:
        for months in plan.months or sorted({6, 12, 18, 24, 36, size.after}):
            other = replace(size, after=int(months))
            rows.append(row("months", months, other, variation, plan.effect_pmpm_usd))
    for o in plan.organizations or [n for n in (1, 2, 3, 6, 12, 25) if n <= size.practices[0]]:
        if o > size.practices[0]:
            raise ModelRefusal(
                f"power: {o} organisations cannot share {size.practices[0]} practices; each has one at least"
            )
        other = replace(size, organizations=(o, size.organizations[1]))
        rows.append(row("organizations", o, other, variation, plan.effect_pmpm_usd))
    return pd.DataFrame(rows)


def row(axis: str, value: float, size: Size, variation: Variation, effect: float | None) -> dict[str, object]:
    """One row of `PowerCurve.frame`."""
    found = detectable(size, variation)
    return {
        "axis": axis,
        "value": float(value),
        "practices_treated": size.practices[0],
        "practices_comparison": size.practices[1],
        "organizations_treated": size.organizations[0],
        "organizations_comparison": size.organizations[1],
        "members_per_practice": float(size.members),
        "months_before": size.before,
        "months_after": size.after,
        "df": degrees_of_freedom(size, variation),
        "se_pmpm": standard_error(size, variation),
        "detectable_pmpm": found,
        "detectable_share": found / variation.mean,
        "power": float("nan") if effect is None else power_to_find(effect, size, variation),
    }


def from_data(cells: Cells, pairs: MonthPairs, did: DidResult, spec: StudySpec) -> tuple[Size, Variation]:
    """The size of a study and how its cost varies, from its own practice-months.

    Members' covariance by lag is exact. Shocks of organisations are those of the headline's interval. Those
    of practices are what is left of the variance of practices' changes within their organisation, less their
    members' part, at the same autocorrelation.
    """
    fit = two_way(cells, "allowed_capped", spec)
    panel = fit.panel
    by_lag = dict(member_covariance(pairs, panel.months).by_lag)
    after = panel.months >= spec.periods.performance.first
    size_of = panel.members.sum(1) / len(panel.months)
    before_months, after_months = int((~after).sum()), int(after.sum())
    baseline = panel.members * (~panel.treated[:, None] & ~after)
    variation = Variation(
        mean=float((baseline * panel.y).sum() / baseline.sum()),
        by_lag=by_lag,
        practice_sd=0.0,
        practice_rho=did.autocorrelation,
        organization_sd=did.organization_sd_pmpm,
        organization_rho=did.autocorrelation,
        basis="from the data",
    )
    own = _practice_variance(
        panel.members, fit.adjusted, after, panel.organization, variation.member(before_months, after_months)
    )
    unit = _contrast(correlation(np.arange(len(after)), did.autocorrelation), before_months)
    variation = replace(variation, practice_sd=float(np.sqrt(own / unit)))
    practices = (int(panel.treated.sum()), int((~panel.treated).sum()))
    organizations = (did.treated_organizations, did.comparison_organizations)
    size = Size(
        practices=practices,
        organizations=organizations,
        members=max(1.0, round(float(size_of[panel.treated].mean()), 1)),
        before=before_months,
        after=after_months,
    )
    return size, variation


def _practice_variance(
    members: np.ndarray, y: np.ndarray, after: np.ndarray, organization: np.ndarray, member: float
) -> float:
    """Variance of practices' own changes within organisations, less their members' part; 0 at least.

    Practices are weighted equally; those without members on a side of the start are left out. 0 where too few
    practices share an organisation.
    """
    sides = [members[:, side].sum(1) for side in (~after, after)]
    kept = (sides[0] > 0) & (sides[1] > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        change = (members * y)[:, after].sum(1) / sides[1] - (members * y)[:, ~after].sum(1) / sides[0]
        noise = member / (members.sum(1) / len(after))
    top = free = 0.0
    for j in np.unique(organization[kept]):
        mine = kept & (organization == j)
        n = int(mine.sum())
        if n > 1:
            w = change[mine]
            top += float(((w - w.mean()) ** 2).sum() - (1 - 1 / n) * noise[mine].sum())
            free += n - 1
    return max(0.0, top / free) if free >= FEWEST_PRACTICES else 0.0


def _contrast(matrix: np.ndarray, before: int) -> float:
    """c'Mc, where c takes the mean of the months after from that of the months before."""
    months = len(matrix)
    c = np.r_[np.full(before, -1 / before), np.full(months - before, 1 / (months - before))]
    return float(c @ matrix @ c)


def _level(matrix: np.ndarray, before: int) -> float:
    """Variance of a period's mean, the mean of the two periods."""
    return float((matrix[:before, :before].mean() + matrix[before:, before:].mean()) / 2)


def _around(planned: int, least: int) -> list[int]:
    return sorted({max(least, round(planned * t)) for t in TIMES})
