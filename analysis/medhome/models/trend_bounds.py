"""How far may the arms' trends have parted before the study's effect goes? Bounds on its own event study.

The coefficients are those of exhibit T7 (quarters against the last before the start); their joint covariance
is the posterior mean of the organisation-month random-effects model behind the headline, so that shocks of
whole organisations are in it. Source: ``models.sensitivity.bounds``; docs/methods, sensitivity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.models.event_study import Quarters
from medhome.models.inference.random_effects import re_panel
from medhome.models.organization_months import OrganizationMonths
from medhome.models.sensitivity.bounds import sensitivity
from medhome.models.sensitivity.refits import Refits
from medhome.models.twfe import fit_panel
from medhome.study.problems import ModelRefusal
from medhome.study.sensitivity_bounds import KINDS

EFFECTS = ("first", "average")
LABELS = {"first": "First quarter after the start", "average": "Average of the quarters after the start"}

UNITS = {"relative-magnitudes": "ratio", "smoothness": "USD PMPM per quarter"}
Z90 = 1.6448536269514722
"""95% quantile of the standard normal law."""


@dataclass(frozen=True, kw_only=True)
class JointQuarters:
    """The quarters of an event study taken jointly.

    quarters: (K,) event quarters without the reference, ascending; beta: (K,) dollars PMPM; sigma: (K, K);
    pre, post: how many stand before the reference and after it; gap: quarters between it and the first after
    it that hold no month (the washout).
    """

    quarters: tuple[int, ...]
    beta: np.ndarray
    sigma: np.ndarray
    pre: int
    post: int
    gap: int = 0


def joint_quarters(refits: Refits, start: int) -> JointQuarters:
    """The event study of a study's practice-months with the joint covariance of its quarters.

    start: month index in which quarter 0 begins. Raises `ModelRefusal` where quarters are missing before the
    start, or between those after it, so that they are not equally spaced.
    """
    panel, first_post = refits.panel, refits.first_post
    quarters = Quarters.of(panel, start, first_post)
    before = (*(q for q in quarters.estimated if q < quarters.reference), quarters.reference)
    after = tuple(q for q in quarters.estimated if q > quarters.reference)
    if any(len(side) and side != tuple(range(side[0], side[-1] + 1)) for side in (before, after)):
        raise ModelRefusal(
            "bounds on trends need quarters in a row on each side of the start; some lack members of an arm"
        )
    main = fit_panel(panel, {"effect": (panel.months >= first_post).astype(float)})
    months = OrganizationMonths.of(main, first_post)
    if (~months.treated).sum() < 2:
        raise ModelRefusal("bounds on trends need 2 comparison organisations or more")
    profiles = {str(q): (quarters.of_month == q).astype(float) for q in quarters.estimated}
    fit = fit_panel(panel, profiles)
    found = re_panel(
        months.y,
        months.members,
        months.treated,
        first_post,
        refits.covariance,
        months.mean,
        months=months.months,
        weights=panel.by_organization(fit.weights),
        estimates=fit.coefficients,
        sampling_variance=fit.sampling_variance(refits.covariance),
        prior_scale=refits.prior_scale,
    )
    return JointQuarters(
        quarters=quarters.estimated,
        beta=fit.coefficients,
        sigma=found.drift_covariance + fit.sampling_covariance(refits.covariance),
        pre=len(before) - 1,
        post=len(after),
        gap=after[0] - quarters.reference - 1 if after else 0,
    )


def washed_out(gap: int) -> list[str]:
    """What quarters without months after the start mean for bounds; empty where there are none.

    >>> washed_out(1)
    ['1 quarter of the washout has no estimate; trends may part in it as in any other']
    """
    if not gap:
        return []
    quarters, have = ("quarter", "has") if gap == 1 else ("quarters", "have")
    in_it = "it as in any other" if gap == 1 else "each of them as in any other"
    return [f"{gap} {quarters} of the washout {have} no estimate; trends may part in {in_it}"]


def bounds(joint: JointQuarters) -> Mapping[str, pd.DataFrame]:
    """``bounds`` and ``breakdowns`` of `study.robustness_results.Robustness`, 95% intervals.

    Raises `ModelRefusal` as `sensitivity` does.
    """
    steps, breakdowns = [], []
    labels = {e: t.replace("the start", "the washout") if joint.gap else t for e, t in LABELS.items()}
    for kind in KINDS:
        for effect in EFFECTS:
            found = sensitivity(
                joint.beta, joint.sigma, joint.pre, joint.post, kind=kind, effect=effect, gap=joint.gap
            )
            steps += [
                {
                    "kind": kind,
                    "effect": effect,
                    "label": labels[effect],
                    "step": step,
                    "m": m,
                    "unit": UNITS[kind],
                    "lo95": low,
                    "hi95": high,
                }
                for step, (m, low, high) in enumerate(found.frame.itertuples(index=False))
            ]
            low90, high90 = (found.estimate + z * found.se for z in (-Z90, Z90))
            breakdowns.append(
                {
                    "kind": kind,
                    "effect": effect,
                    "label": labels[effect],
                    "estimate": found.estimate,
                    "se": found.se,
                    "lo90": low90,
                    "hi90": high90,
                    "lo95": found.original[0],
                    "hi95": found.original[1],
                    "breakdown": found.breakdown,
                    "unit": UNITS[kind],
                    "pre": found.pre,
                    "post": found.post,
                    "rule": "; ".join([found.rule, *found.warnings, *washed_out(joint.gap)]),
                }
            )
    return {"bounds": pd.DataFrame(steps), "breakdowns": pd.DataFrame(breakdowns)}
