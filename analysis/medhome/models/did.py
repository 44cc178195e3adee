"""Did cost move against the comparison group when the program began, and how sure is that?

The estimate is two-way fixed effects on practice and month with member-month weights (``twfe``). Its interval
is fixed beforehand by how many organisations are treated and compared and how large they are
(``inference.recommend``): with one treated organisation that of the organisation-month random-effects model.
Effects are actual minus expected, dollars PMPM: negative means that care cost less.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from medhome.models import event_study, pre_trend
from medhome.models.event_study import Quarters
from medhome.models.inference.cautions import cautions
from medhome.models.inference.contrasts import contrasts, month_shares, organization_shares
from medhome.models.inference.member_covariance import member_covariance
from medhome.models.inference.random_effects import RePanel, re_panel
from medhome.models.inference.recommend import Setting, recommend
from medhome.models.inference.side_by_side import Evidence, methods
from medhome.models.organization_months import OrganizationMonths
from medhome.models.power import detectable_effect
from medhome.models.simultaneous import band
from medhome.models.twfe import PracticeMonths, TwoWayFit, twfe
from medhome.study.cells import Cells, MonthPairs
from medhome.study.display import usd
from medhome.study.problems import ModelRefusal
from medhome.study.results import DidResult, Estimate
from medhome.study.spec import StudySpec

OUTCOME = "allowed_capped"
USD_PMPM = "USD PMPM"


def estimate(cells: Cells, pairs: MonthPairs, spec: StudySpec) -> DidResult:
    """The difference in differences of a study: effect, interval, power, event study, methods side by side.

    cells: practice-months of the analysed months (keys of `study.cells.KEYS`); pairs: the outcome's
    cross-products of members' months; spec: the study.

    Raises `ModelRefusal` that names what is missing: no month before the start, an empty arm, fewer than two
    comparison organisations, a number that is not finite.
    """
    start, first_post = spec.periods.start_month, spec.periods.performance.first
    covariates = tuple(spec.estimation.covariates)
    cells = cells.where(cells.frame["month"].isin(spec.periods.analysed))
    _refuse(cells, first_post)
    main = twfe(cells, OUTCOME, covariates, first_post=first_post)
    months = OrganizationMonths.of(main, first_post)
    if (~months.treated).sum() < 2:
        raise ModelRefusal(
            "difference in differences: fewer than 2 comparison organisations have member-months; an "
            "effect cannot be told from one organisation's own course: list more in program_roster, or "
            "widen [population] of the study file"
        )
    covariance = member_covariance(pairs, months.months).matrix
    quarters = Quarters.of(main.panel, start, first_post)
    by_quarter = event_study.fit_quarters(cells, OUTCOME, covariates, quarters, first_post)
    slope = event_study.fit_pre_trend(cells, OUTCOME, covariates, first_post)
    fits = [main, by_quarter, *([slope] if slope else [])]

    after = months.months >= first_post
    exposure = months.members[months.treated].sum(0)
    found = re_panel(
        months.y,
        months.members,
        months.treated,
        first_post,
        covariance,
        months.mean,
        months=months.months,
        weights=np.concatenate([_by_organization(f, main.panel) for f in fits]),
        estimates=np.concatenate([f.coefficients for f in fits]),
        sampling_variance=np.concatenate(
            [f.sampling_variance(_part(covariance, f.panel.months, months.months)) for f in fits]
        ),
        shares=month_shares(after, exposure),
        prior_scale=spec.estimation.prior_scale_share,
    )

    changes = contrasts(months.y, months.members, months.treated, after, exposure)
    own, kept = organization_shares(months.members, after, exposure)
    scaled = np.divide(own, np.sqrt(months.members), out=np.zeros_like(own), where=months.members > 0)
    evidence = Evidence(
        estimate=float(main.coefficients[0]),
        panel=found,
        contrasts=changes,
        sampling_variance=np.einsum("jt,ts,js->j", scaled, covariance, scaled)[kept],
        mean=months.mean,
        practice=main.test("practice"),
        organization=main.test("organization"),
        cluster_rule=main.rule,
        weight_of_clusters={level: main.influence(level) for level in main.clusters},
        prior_scale=spec.estimation.prior_scale_share,
        seed=spec.seed,
    )
    size = months.members.sum(1) / np.maximum((months.members > 0).sum(1), 1)
    setting = Setting(
        treated_members=tuple(size[months.treated]),
        comparison_members=tuple(size[~months.treated]),
        months_before=int((~after).sum()),
        months_after=int(after.sum()),
    )
    chosen = recommend(setting)
    side_by_side = methods(evidence, setting, chosen)
    p = side_by_side.set_index("method")["p"].get(chosen.p_value) if chosen.p_value else None
    headline = _headline(main, found, None if p is None else float(p))
    by_quarters = slice(1, 1 + len(quarters.estimated))
    return DidResult(
        headline=headline,
        detectable=Estimate(
            value=detectable_effect(found.effect.ci95[1] - found.effect.ci95[0]),
            unit=USD_PMPM,
            label="Smallest effect found with 80% power",
            method="2.8 times the 95% interval's length over 3.92",
        ),
        probability_lower_cost=Estimate(
            value=found.effect.probability_below_zero,
            unit="share",
            label="Probability that cost fell",
            method="re_panel",
        ),
        relative=_relative(main, headline, first_post),
        methods=side_by_side,
        event_study=event_study.table(
            quarters,
            main.panel,
            found.effects[by_quarters],
            band(
                found.effects[by_quarters],
                found.drift_covariance[by_quarters, by_quarters] + by_quarter.sampling_covariance(covariance),
                spec.seed,
            ),
        ),
        variance_shares=_variance_shares(main, found, covariance, months.treated),
        pre_trend=_pre_trend(slope, found),
        pre_trend_detectable=None if slope is None else _detectable_slope(found),
        pre_trend_tests=pre_trend.of_study(
            by_quarter,
            quarters,
            months,
            covariance,
            found,
            found.drift_covariance[by_quarters, by_quarters],
            spec.seed,
        ),
        treated_organizations=setting.treated,
        comparison_organizations=setting.comparisons,
        organization_sd_pmpm=found.sigma_mean,
        autocorrelation=found.rho_mean,
        rule=chosen.rule,
        warnings=cautions(
            setting,
            found,
            left_out=int((~kept).sum()),
            covariates_dropped=main.dropped,
            pre_trend_known=slope is not None,
        ),
    )


def _refuse(cells: Cells, first_post: int) -> None:
    frame = cells.frame
    month, seen = frame["month"].to_numpy(dtype=int), cells.member_months > 0
    for arm in ("treated", "comparison"):
        own = seen & (frame["arm"] == arm).to_numpy()
        if not own.any():
            raise ModelRefusal(
                f"difference in differences: the {arm} arm has no member-months; check [arms], "
                "[attribution] and [population] of the study file"
            )
        for side, name in ((month < first_post, "before"), (month >= first_post, "after")):
            if not (own & side).any():
                raise ModelRefusal(
                    f"difference in differences: the {arm} arm has no member-months {name} the start; the "
                    "method needs a period before and one after in both arms"
                )


def _by_organization(fit: TwoWayFit, whole: PracticeMonths) -> np.ndarray:
    """A fit's weights (K, J, T) on the organisations and months of the whole panel."""
    weights = fit.panel.by_organization(fit.weights)
    out = np.zeros((len(weights), len(whole.organizations), len(whole.months)))
    rows = [whole.organizations.index(o) for o in fit.panel.organizations]
    columns = np.searchsorted(whole.months, fit.panel.months)
    out[:, np.array(rows)[:, None], columns] = weights
    return out


def _part(covariance: np.ndarray, months: np.ndarray, whole: np.ndarray) -> np.ndarray:
    at = np.searchsorted(whole, months)
    return covariance[np.ix_(at, at)]


def _headline(fit: TwoWayFit, found: RePanel, p: float | None) -> Estimate:
    panel = fit.panel
    return Estimate(
        value=float(fit.coefficients[0]),
        unit=USD_PMPM,
        label="Effect on cost: actual minus expected",
        method="re_panel",
        se=found.effect.sd,
        p=p,
        ci90=found.effect.ci90,
        ci95=found.effect.ci95,
        headline=True,
        n={
            "member_months": fit.rows,
            "practices": len(panel.practices),
            "organizations": len(panel.organizations),
            "months": len(panel.months),
        },
    )


def _relative(fit: TwoWayFit, headline: Estimate, first_post: int) -> Estimate:
    """The effect as a share of expected cost: the treated arm's actual cost after the start less the "
    "effect."""
    weight = np.where(fit.panel.treated[:, None] & (fit.panel.months >= first_post), fit.panel.members, 0.0)
    expected = float((weight * fit.panel.y).sum() / weight.sum()) - float(fit.coefficients[0])
    label = "Effect in percent of expected cost"
    if not expected > 0:
        return Estimate(value=None, unit="share", label=label, why="expected cost is not above zero")
    return headline.scaled(
        1 / expected,
        unit="share",
        label=label,
        p=None,
        headline=False,
        why="the interval takes expected cost as known",
    )


def _variance_shares(
    fit: TwoWayFit, found: RePanel, covariance: np.ndarray, treated: np.ndarray
) -> pd.DataFrame:
    """What the width of the interval is made of, as shares of its variance."""
    own = fit.panel.treated[:, None] & (fit.panel.members > 0)
    scaled = np.where(own, fit.weights[0] / np.sqrt(np.where(own, fit.panel.members, 1.0)), 0.0)
    members = float(np.einsum("pt,ts,ps->", scaled, covariance, scaled))
    drift = float(found.drift_variance[0][treated].sum())
    total = float(found.drift_variance[0].sum() + found.sampling_variance[0])
    return pd.DataFrame(
        {
            "source": ["organizations", "members", "comparison"],
            "label": [
                "The program organisation's own drift"
                if treated.sum() == 1
                else "The program organisations' own drift",
                "The members of the program",
                "The comparison group",
            ],
            "share": [drift / total, members / total, 1 - (drift + members) / total],
        }
    )


def _detectable_slope(found: RePanel) -> float:
    """The smallest difference of slopes before the start found with 80% power, dollars PMPM per year."""
    low, high = found.effects[-1].ci95
    return detectable_effect(high - low)


def _pre_trend(slope: TwoWayFit | None, found: RePanel) -> Estimate:
    label, unit = "Difference of slopes before the start", "USD PMPM per year"
    if slope is None:
        return Estimate(
            value=None,
            unit=unit,
            label=label,
            why="one month before the start: how the arms moved before it cannot be estimated",
        )
    effect, least = found.effects[-1], _detectable_slope(found)
    return Estimate(
        value=effect.estimate,
        unit=unit,
        label=label,
        method="re_panel",
        se=effect.sd,
        ci90=effect.ci90,
        ci95=effect.ci95,
        why=f"the smallest difference of slopes found with 80% power is {usd(least)} PMPM per year",
    )
