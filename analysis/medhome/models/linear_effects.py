"""Intervals of the headline's kind for every estimate that is linear in the cost of practice-months.

Savings of single years, of paid dollars or of dollars above the cap, and the change against a trended
baseline, are all sums of practice-month means with known weights. One random-effects pass over the
organisation-months (`medhome.models.inference.random_effects`) gives an interval to each of them, so that
every number in dollars allows for shocks of whole organisations as the headline does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from medhome.models.inference.member_covariance import member_covariance
from medhome.models.inference.mixture import Mixture
from medhome.models.inference.random_effects import re_panel
from medhome.models.twfe import PracticeMonths, TwoWayFit, twfe
from medhome.study.cells import Cells, MonthPairs
from medhome.study.spec import StudySpec

NUMBERS = ("estimate", "se", "lo90", "hi90", "lo95", "hi95")
"""Columns of an effect and its interval in result frames."""


def effect_on(
    cells: Cells,
    outcome: str,
    pairs: MonthPairs,
    spec: StudySpec,
    first_post: int,
    *,
    covariates: Sequence[str] | None = None,
) -> dict[str, float]:
    """The study's two-way effect on these cells, with an interval of the headline's kind: `NUMBERS`.

    Arguments
        cells: practice-months, for example those of a part of the members or months.
        pairs: cross-products of members' months of the outcome. first_post: first month of the effect.
        covariates: the study's own where left out.

    On the study's own cells that is the headline. Raises `ModelRefusal` as `twfe` does.
    """
    used = spec.estimation.covariates if covariates is None else covariates
    fit = twfe(cells, outcome, used, first_post=first_post)
    covariance = member_covariance(pairs, fit.panel.months).matrix
    found = intervals(fit, covariance, spec, mean=baseline_mean(fit.panel, spec))[0]
    return dict(zip(NUMBERS, (found.estimate, found.sd, *found.ci90, *found.ci95), strict=True))


def years_of(spec: StudySpec) -> list[list[int]]:
    """The performance months by program year: twelve months from the start each, the last perhaps fewer.

    A washout takes months off the first year; a year without months is left out.
    """
    years: dict[int, list[int]] = {}
    for month in spec.periods.performance:
        years.setdefault((month - spec.periods.start_month) // 12, []).append(month)
    return [years[y] for y in sorted(years)]


def profiles(cells: Cells, windows: list[list[int]]) -> dict[str, np.ndarray]:
    """Treatment profiles for `twfe`: one effect for each window of months, named by its place."""
    months = sorted({int(m) for m in cells.frame.loc[(cells.member_months > 0), "month"]})
    return {f"window-{i}": np.isin(months, w).astype(float) for i, w in enumerate(windows)}


def two_way(
    cells: Cells, outcome: str, spec: StudySpec, windows: list[list[int]] | None = None
) -> TwoWayFit:
    """The study's two-way fit of an outcome: one effect after the start, or one for each window of months."""
    return twfe(
        cells,
        outcome,
        spec.estimation.covariates,
        first_post=spec.periods.performance.first,
        profiles=None if windows is None else profiles(cells, windows),
    )


def baseline_mean(panel: PracticeMonths, spec: StudySpec) -> float:
    """Mean cost of the comparison arm before the start, dollars PMPM: what the prior scale refers to."""
    return baseline_of(panel, spec.periods.performance.first)


def baseline_of(panel: PracticeMonths, first_post: int) -> float:
    """The same for a first month after the start."""
    weight = panel.members * ~panel.treated[:, None] * (panel.months < first_post)
    return float((weight * panel.y).sum() / weight.sum())


def intervals(
    fit: TwoWayFit,
    covariance: np.ndarray,
    spec: StudySpec,
    *,
    mean: float,
    adjusted: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    estimates: np.ndarray | None = None,
    extra_variance: float = 0.0,
) -> tuple[Mixture, ...]:
    """The random-effects interval of each linear estimate on the practice-months of a fit.

    Arguments
        fit: a two-way fit; its own effects are the estimates unless others are given.
        covariance: (T, T) of one member's months, dollars squared. mean: see `baseline_mean`.
        adjusted: (P, T) cost without the covariates' part; the fit's own unless given.
        weights, estimates: (K, P, T) and (K,) of other linear estimates on the same practice-months.
        extra_variance: of each estimate, from what is neither organisations nor members; dollars squared.
    """
    panel = fit.panel
    weights = fit.weights if weights is None else weights
    estimates = fit.coefficients if estimates is None else estimates
    adjusted = fit.adjusted if adjusted is None else adjusted
    members = panel.by_organization(panel.members)
    total = panel.by_organization(panel.members * adjusted)
    seen = panel.members > 0
    # One member's noise is shared by the months of a practice, hence practices here, not organisations.
    scaled = np.where(seen, weights / np.sqrt(np.where(seen, panel.members, 1.0)), 0.0)
    found = re_panel(
        np.divide(total, members, out=np.zeros_like(total), where=members > 0),
        members,
        panel.organization_treated,
        spec.periods.performance.first,
        covariance,
        mean,
        months=panel.months,
        weights=panel.by_organization(weights),
        estimates=estimates,
        sampling_variance=np.einsum("kpt,kpt->k", scaled @ covariance, scaled) + extra_variance,
        prior_scale=spec.estimation.prior_scale_share,
    ).effects
    # The mixture's own mean is the estimate up to rounding; keep the number that other exhibits show.
    return tuple(replace(m, estimate=float(e)) for m, e in zip(found, estimates, strict=True))
