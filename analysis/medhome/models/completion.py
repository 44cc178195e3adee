"""How much of the cost was paid by the run-out cut, and would the rest have changed the effect?

The headline compares months as paid by an equal cut. Here each kind of service is developed to ultimate with
factors of its own (``chain_ladder``), below the yearly cap; members above the cap are taken as paid. The
completed effect is linear in the growths g_c = 1 / CF_c of the kinds of service:

    completed = as paid + sum over c of (g_c - 1) * effect on the cost of c below the cap

so that with factors common to both arms only the difference between the arms is completed, and so is the
uncertainty: var = sum over c of (effect of c)^2 var(g_c), the estimation variance of the factors alone. Their
process variance is already in the sampling variance of the effect (`docs/methods.md`, completion).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.models.chain_ladder import LATEST
from medhome.models.inference.member_covariance import member_covariance
from medhome.models.inference.mixture import Mixture
from medhome.models.ladders import Ladder, growth_variance, ladder
from medhome.models.linear_effects import baseline_mean, intervals
from medhome.models.twfe import ARMS, TwoWayFit, twfe
from medhome.models.unpaid import OUTCOME, factors, label_of, lowest, periods, reserves, typed
from medhome.study.cells import Cells, MonthPairs, moment_name
from medhome.study.completion_results import Completion
from medhome.study.display import share
from medhome.study.results import Estimate
from medhome.study.spec import StudySpec
from medhome.study.triangles import Triangles

USD_PMPM = "USD PMPM"
LARGEST_UNDATED_SHARE = 0.05
"""With more dollars than this without a paid date, how cost develops is not known."""

FEWEST_MONTHS = 3
"""Months of service that must have been followed beyond the cut."""

PRACTICE_MONTH = ("organization_id", "practice_id", "arm", "month")
Z90, Z95 = 1.6448536269514722, 1.959963984540054


def estimate(triangles: Triangles, cells: Cells, pairs: MonthPairs, spec: StudySpec) -> Completion:
    """What would the effect be on cost developed to ultimate?

    Arguments
        triangles: payments by lag, and cost by kind of service. cells, pairs: of the headline's outcome.

    Returns a `Completion` that is not ``available`` and says why when claims have no paid dates or were not
    followed beyond the cut. Raises `ModelRefusal` when a month's completion factor is below
    ``completion.refuse_below``.
    """
    reason = _not_available(triangles, spec)
    cut = spec.periods.run_out_months
    if reason:
        return Completion(reason=reason, run_out_months=cut)
    ladders = [ladder(triangles, c, spec) for c in triangles.categories]
    separate = spec.completion.arms == "separate"
    least = lowest(triangles, ladders, cells, spec, separate)
    effect = _Effect.of(triangles, cells, spec)
    return Completion(
        available=True,
        reason="",
        rule=_rule(spec),
        run_out_months=cut,
        lowest=least,
        rows=_rows(effect, ladders, cells, pairs, spec),
        factors=factors(ladders),
        periods=periods(triangles, ladders, cells, spec, separate),
        effects=typed("effects", _by_category(effect, ladders, cut, separate)),
        reserves=reserves(ladders),
    )


def _not_available(triangles: Triangles, spec: StudySpec) -> str:
    if spec.claims.claims_month == "paid":
        return "claims count in the month in which they were paid (claims.claims_month)"
    if triangles.undated_share > LARGEST_UNDATED_SHARE:
        return f"{share(triangles.undated_share)} of the dollars have no paid date"
    if triangles.payments.empty:
        return "no payment of a member below the cap was found"
    cut = spec.periods.run_out_months
    followed = sum(triangles.paid_through - m > cut for m in spec.periods.analysed)
    if cut < spec.completion.tail_after_lags and followed < FEWEST_MONTHS:
        return (
            f"payments were followed beyond the cut of {cut} months for {followed} months of service, fewer "
            f"than {FEWEST_MONTHS}"
        )
    return ""


@dataclass(frozen=True, kw_only=True)
class _Effect:
    """The headline's fit, and that of each kind of service with the cost of one arm only."""

    main: TwoWayFit
    parts: Mapping[tuple[str, str], TwoWayFit]

    @classmethod
    def of(cls, triangles: Triangles, cells: Cells, spec: StudySpec) -> _Effect:
        def fit(on: Cells, outcome: str) -> TwoWayFit:
            return twfe(on, outcome, spec.estimation.covariates, first_post=spec.periods.performance.first)

        whole, kinds = (
            on.where(on.frame["month"].isin(spec.periods.analysed)).by(*PRACTICE_MONTH)
            for on in (cells, triangles.cells)
        )
        return cls(
            main=fit(whole, OUTCOME),
            parts={(c, arm): fit(_only(kinds, c, arm), c) for c in triangles.categories for arm in ARMS},
        )

    def of_part(self, category: str, arm: str) -> float:
        return float(self.parts[category, arm].coefficients[0])

    def completed(self, ladders: list[Ladder], cut: int, separate: bool) -> tuple[float, np.ndarray]:
        """The effect on completed cost, and that cost less its covariates' part (P, T)."""
        value, adjusted = float(self.main.coefficients[0]), self.main.adjusted
        for kind in ladders:
            for arm in ARMS:
                more = kind.used(arm, separate).growth(cut) - 1
                value += more * self.of_part(kind.category, arm)
                adjusted = adjusted + more * self.parts[kind.category, arm].adjusted
        return value, adjusted

    def variance(self, kind: Ladder, cut: int, separate: bool) -> float:
        """Variance that the factors of a kind of service bring to the effect.

        With pooled factors the parts of both arms are added before they are squared: what is common cancels.
        """
        own = {arm: self.of_part(kind.category, arm) for arm in ARMS}
        if separate:
            return math.fsum(own[a] ** 2 * growth_variance(kind.own[a], cut) for a in ARMS)
        return math.fsum(own.values()) ** 2 * growth_variance(kind.pooled, cut)


def _only(cells: Cells, category: str, arm: str) -> Cells:
    """The cells with the cost of a kind of service in one arm alone."""
    other = (cells.frame["arm"] != arm).to_numpy()
    changed = {
        name: pd.Series(np.where(other, 0, cells.frame[name].to_numpy(dtype=object)), dtype=object)
        for name in (moment_name(category), moment_name(category, "expected"))
    }
    return Cells(
        keys=cells.keys,
        scales=cells.scales,
        frame=cells.frame.assign(**changed),
        weight_scale=cells.weight_scale,
    )


def _rows(
    effect: _Effect, ladders: list[Ladder], cells: Cells, pairs: MonthPairs, spec: StudySpec
) -> dict[str, Estimate]:
    cut, separate = spec.periods.run_out_months, spec.completion.arms == "separate"
    as_paid = float(effect.main.coefficients[0])
    value, adjusted = effect.completed(ladders, cut, separate)
    other, _ = effect.completed(ladders, cut, not separate)
    variance = math.fsum(effect.variance(kind, cut, separate) for kind in ladders)
    sd = math.sqrt(variance)
    found = _interval(effect.main, value, adjusted, variance, pairs, spec)
    change = value - as_paid
    own, alternative = ("each arm's own", "pooled") if separate else ("pooled", "each arm's own")
    return {
        "completed_effect_pmpm": Estimate(
            value=value,
            unit=USD_PMPM,
            label="Effect on completed cost: actual minus expected",
            method=f"Two-way fixed effects on completed cost, {own} factors; organisation-month "
            "random-effects interval with the factors' estimation variance",
            se=found.sd,
            ci90=found.ci90,
            ci95=found.ci95,
        ),
        "completion_pmpm": Estimate(
            value=change,
            unit=USD_PMPM,
            label="Effect on completed cost less effect as paid by the cut",
            method="Chain ladder; Mack's estimation variance of the factors",
            se=sd,
            ci90=(change - Z90 * sd, change + Z90 * sd),
            ci95=(change - Z95 * sd, change + Z95 * sd),
        ),
        "separate_effect_pmpm": Estimate(
            value=other, unit=USD_PMPM, label=f"Effect on completed cost with {alternative} factors"
        ),
        "separate_difference_pmpm": Estimate(
            value=other - value,
            unit=USD_PMPM,
            label=f"Effect with {alternative} factors less effect with {own} factors",
        ),
    }


def _interval(
    main: TwoWayFit,
    value: float,
    adjusted: np.ndarray,
    variance: float,
    pairs: MonthPairs,
    spec: StudySpec,
) -> Mixture:
    """The interval of the headline's kind; members' covariance grows with the square of the mean."""
    before = ~main.panel.treated[:, None] & (main.panel.months < spec.periods.performance.first)
    weight = np.where(before, main.panel.members, 0.0)
    mean = baseline_mean(main.panel, spec)
    grown = mean + float((weight * (adjusted - main.adjusted)).sum() / weight.sum())
    covariance = member_covariance(pairs, main.panel.months.tolist()).matrix * (grown / mean) ** 2
    return intervals(
        main,
        covariance,
        spec,
        mean=grown,
        adjusted=adjusted,
        estimates=np.array([value]),
        extra_variance=variance,
    )[0]


def _by_category(effect: _Effect, ladders: list[Ladder], cut: int, separate: bool) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    rest = float(effect.main.coefficients[0])
    for kind in ladders:
        own = {arm: effect.of_part(kind.category, arm) for arm in ARMS}
        used = {arm: kind.used(arm, separate) for arm in ARMS}
        change = math.fsum((used[a].growth(cut) - 1) * own[a] for a in ARMS)
        as_paid = math.fsum(own.values())
        rest -= as_paid
        rows.append(
            {
                "category": kind.category,
                "label": label_of(kind.category),
                "effect_pmpm": as_paid,
                **{arm: used[arm].completion_factor(cut) for arm in ARMS},
                "completed_effect_pmpm": as_paid + change,
                "change_pmpm": change,
                "se": math.sqrt(effect.variance(kind, cut, separate)),
            }
        )
    large = {"effect_pmpm": rest, "completed_effect_pmpm": rest, "change_pmpm": 0.0, "se": 0.0}
    rows.append({"category": "large", "label": label_of("large"), "treated": 1.0, "comparison": 1.0, **large})
    return rows


def _rule(spec: StudySpec) -> str:
    c = spec.completion
    over = f"the latest {LATEST} months of service" if c.average == "last-12" else "all months of service"
    arms = "pooled across the arms" if c.arms == "pooled" else "of each arm's own"
    ends = ", without the highest and the lowest ratio of each lag" if c.drop_high_low else ""
    return (
        f"Volume-weighted development factors over {over}{ends}, by kind of service, {arms}, below the "
        f"yearly cap; after {c.tail_after_lags} months a tail of {c.tail_factor:g}"
    )
