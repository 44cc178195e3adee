"""Practices side by side: their changes, what chance alone would do at their size, and shrunken estimates.

A practice's change less the comparison arm's mean change, adjusted as the headline, has the noise of its
members; practices also differ by themselves, with a standard deviation that all of them together tell
(restricted likelihood, averaged over how likely each value is). The empirical Bayes estimate draws each
practice towards the mean of its arm, the more the noisier it is (Efron and Morris 1973, Journal of the
American Statistical Association 68:117-130).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.models.inference.contrasts import contrasts, organization_shares
from medhome.models.inference.two_period import grid_of
from medhome.models.linear_effects import baseline_of
from medhome.models.twfe import TwoWayFit
from medhome.study.results import Cohort
from medhome.study.where_results import empty, typed

Z95, Z998 = 1.959963984540054, 3.090232306167813
"""Limits of a funnel: 95% and 99.8% (Spiegelhalter 2005, Statistics in Medicine 24:1185-1202)."""

FEWEST_PRACTICES = 3


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """``Where.practices`` and what goes with it."""

    frame: pd.DataFrame
    between_sd_pmpm: float | None = None
    treated_mean_pmpm: float | None = None
    outside: int | None = None


def funnel(fit: TwoWayFit, member: np.ndarray, first_post: int, cohort: Cohort) -> Funnel:
    """Which practices' cost changed more than their size leads one to expect?

    Arguments
        fit: the headline's fit. member: (T, T) covariance of one member's months. cohort: neutral names.

    Practices without members on one side of the start have no change and no row; fewer than three on either
    side of the comparison give no funnel.
    """
    panel = fit.panel
    after = panel.months >= first_post
    exposure = panel.members[panel.treated].sum(0)
    shares, kept = organization_shares(panel.members, after, exposure)
    treated = panel.treated[kept]
    if min(treated.sum(), (~treated).sum()) < FEWEST_PRACTICES:
        return Funnel(frame=empty("practices"))
    changes = contrasts(fit.adjusted, panel.members, panel.treated, after, exposure)
    seen = panel.members > 0
    scaled = np.divide(shares, np.sqrt(panel.members), out=np.zeros_like(shares), where=seen)
    variance = np.einsum("pt,ts,ps->p", scaled, member, scaled)[kept]
    size = changes.members
    comparison = float(size[~treated] @ changes.change[~treated] / size[~treated].sum())
    estimate = changes.change - comparison
    grid = grid_of(changes, variance, baseline_of(panel, first_post))
    # Given practices' own sd, and then over how likely each is: a plug-in of nothing would shrink to a point.
    trust = 1 - variance / grid.variance
    mean, spread = np.zeros(grid.variance.shape), np.zeros(grid.variance.shape)
    for arm in (True, False):
        mine = treated == arm
        precision = 1 / grid.variance[:, mine]
        total = precision.sum(1, keepdims=True)
        mean[:, mine] = (precision @ estimate[mine])[:, None] / total
        spread[:, mine] = 1 / total
    given = mean + trust * (estimate - mean)
    shrunken = grid.posterior @ given
    sd = np.sqrt(grid.posterior @ (trust * variance + (1 - trust) ** 2 * spread + (given - shrunken) ** 2))
    error = np.sqrt(variance)
    labels = _labels(fit, kept, cohort)
    frame = typed(
        "practices",
        [
            {
                "label": labels[p],
                "arm": "treated" if treated[p] else "comparison",
                "members": float(round(size[p])),
                "estimate": estimate[p],
                "se": error[p],
                "shrunken": shrunken[p],
                "lo95": shrunken[p] - Z95 * sd[p],
                "hi95": shrunken[p] + Z95 * sd[p],
                "limit95": Z95 * error[p],
                "limit998": Z998 * error[p],
            }
            for p in range(len(estimate))
        ],
    )
    centre = float((grid.posterior @ mean)[treated][0])
    return Funnel(
        frame=frame,
        between_sd_pmpm=float(grid.posterior @ grid.sd),
        treated_mean_pmpm=centre,
        outside=int((np.abs(estimate - centre) > Z95 * error)[treated].sum()),
    )


def _labels(fit: TwoWayFit, kept: np.ndarray, cohort: Cohort) -> list[str]:
    """Neutral names: practices are numbered inside their organisation, in the order of their ids."""
    known = cohort.organizations
    keys = zip(known["organization_id"].astype(str), known["arm"].astype(str), strict=True)
    names = dict(zip(keys, known["label"].astype(str), strict=True))
    panel = fit.panel
    owners = [panel.organizations[j].split("\x1f") for j in panel.organization]
    mine = [names[organization, arm] for organization, arm in owners]
    number = pd.Series(mine).groupby(mine).cumcount() + 1
    every = [f"{name}, practice {n:02d}" for name, n in zip(mine, number, strict=True)]
    return [label for label, here in zip(every, kept, strict=True) if here]
