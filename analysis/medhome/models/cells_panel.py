"""A study's practice-months as `PanelData`, so that estimators made for any panel read them.

Panels of the same cost: practices by month, by event quarter or by any period (`waves_panel`), organisations
by event quarter or before and after the start. Weights are member-months, clusters are organisations within
an arm. The outcome is mean cost less the covariates' part at the slopes of a two-way fit, moved so that the
comparisons' mean stays what it was: two-way fixed effects of it *is* that fit.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from medhome.models.event_study import Quarters
from medhome.models.twfe import PracticeMonths, TwoWayFit
from medhome.study.panel_data import NEVER, PanelData

Unit = Literal["practice", "organization"]


def months_panel(fit: TwoWayFit, first_post: int, *, adjusted: bool = True) -> PanelData:
    """Practices by month, one row per practice-month with members.

    adjusted: the covariates' part taken out of the outcome at the fit's slopes; else cost as it is, with the
    covariates' means as covariates.
    """
    panel = fit.panel
    outcome = recentred(fit) if adjusted else panel.y
    covariates = None if adjusted else panel.x
    return _data(panel, outcome, panel.members, panel.months, first_post, covariates)


def quarters_panel(fit: TwoWayFit, start: int, first_post: int, unit: Unit = "practice") -> PanelData:
    """Practices, or organisations, by event quarter: member-weighted means of their months.

    unit "organization": only organisations with members in every quarter, so that the panel is balanced.
    """
    quarters = Quarters.of(fit.panel, start, first_post)
    first = int(quarters.of_month[np.searchsorted(fit.panel.months, first_post)])
    return _collapsed(fit, quarters.of_month, first, unit)


def before_and_after(fit: TwoWayFit, first_post: int) -> PanelData:
    """Organisations in two periods, 0 before the start and 1 after it: member-weighted means of their months.

    Only organisations with members in both.
    """
    return _collapsed(fit, (fit.panel.months >= first_post).astype(int), 1, "organization")


def waves_panel(fit: TwoWayFit, of_month: np.ndarray, first: np.ndarray) -> PanelData:
    """Practices by period, each with its own first period under treatment.

    of_month: (T,) the period of each month. first: (P,) of each practice; read for treated practices only.
    """
    return _collapsed(fit, of_month, first, "practice")


def _collapsed(fit: TwoWayFit, of_month: np.ndarray, first: int | np.ndarray, unit: Unit) -> PanelData:
    """Months taken together by ``of_month`` (T,); ``first`` is the first period under treatment."""
    panel, number = fit.panel, np.unique(of_month)
    into = (of_month[:, None] == number).astype(float)
    members, total = panel.members, panel.members * recentred(fit)
    if unit == "organization":
        members, total = panel.by_organization(members), panel.by_organization(total)
    members, total = members @ into, total @ into
    y = np.divide(total, members, out=np.zeros_like(total), where=members > 0)
    if unit == "organization":
        members = np.where((members > 0).all(1, keepdims=True), members, 0.0)
    return _data(panel, y, members, number, first, None, unit)


def recentred(fit: TwoWayFit) -> np.ndarray:
    """(P, T) mean cost less the covariates' part, moved by one constant back to the mean of cost."""
    panel = fit.panel
    part = panel.y - fit.adjusted
    return np.asarray(panel.y - part + (part * panel.members).sum() / panel.members.sum())


def _data(
    panel: PracticeMonths,
    y: np.ndarray,
    members: np.ndarray,
    times: np.ndarray,
    first: int | np.ndarray,
    covariates: np.ndarray | None,
    unit: Unit = "practice",
) -> PanelData:
    """Rows in the order of unit and time; (U, T) arrays, zeros of ``members`` are left out."""
    by_practice = unit == "practice"
    labels = panel.practices if by_practice else panel.organizations
    treated = panel.treated if by_practice else panel.organization_treated
    cluster = panel.organization if by_practice else np.arange(len(labels))
    seen = members > 0
    kept, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    seen = seen[np.ix_(kept, columns)]
    row, column = np.nonzero(seen)
    inside = np.unique(cluster[kept])
    when = times[columns].astype(float)
    first_treated = np.where(treated, np.asarray(first, dtype=float), NEVER)[kept]

    def flat(values: np.ndarray) -> np.ndarray:
        return np.asarray(values[np.ix_(kept, columns)][row, column])

    x = np.zeros((len(row), 0))
    if covariates is not None and len(covariates):
        x = np.column_stack([flat(one) for one in covariates])
    return PanelData(
        outcome=flat(y),
        unit=row,
        time=column,
        times=when,
        first_treated=first_treated[row],
        treated=(when[column] >= first_treated[row]).astype(float),
        weights=flat(members),
        cluster=np.searchsorted(inside, cluster[kept])[row],
        unit_labels=tuple(labels[u].replace("\x1f", "/") for u in kept),
        cluster_labels=tuple(panel.organizations[j].replace("\x1f", "/") for j in inside),
        covariates=x,
        covariate_names=panel.covariates if x.shape[1] else (),
        outcome_name="cost",
        unit_name=unit,
        time_name="month" if times is panel.months else "period",
        cluster_name="organization",
    )
