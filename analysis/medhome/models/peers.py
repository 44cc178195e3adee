"""How far an organisation's cost level lies from what its peers would lead one to expect.

A level gap ("versus peers") is another question than a change ("versus expected"): organisations differ from
each other before any program, and the organisation-month random-effects interval removes exactly those
differences. The interval here is therefore a prediction interval: where would the gap of one more
organisation of this size fall if it were drawn from the same population as the comparison organisations?

    gap_j ~ N(arm mean, tau^2 + v_j)

tau is the sd between organisations, v_j the noise of organisation j's own members: the comparison members'
squared residuals per member-month, divided by the organisation's member-months. tau is integrated over a grid
from 0 to 150% of mean cost with the comparisons' restricted likelihood and a half-normal prior of scale 30%
of mean cost: wide, so that the data speak, and proper, so that few comparisons give a wide interval and no
infinite one. Given tau the gap has variance ``sum of share^2 (tau^2 + v)`` over both arms, shares of
member-months; the interval is that of the mixture. Plug-in estimates of tau with t quantiles cover 90% where
they promise 95% when the treated organisation is much larger than its comparisons; this covers 93 to 100%
(`tests/models/test_peers.py`). After Higgins, Thompson and Spiegelhalter 2009 (predictive distribution in
random-effects meta-analysis).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medhome.models.inference.mixture import mixture

Interval = tuple[float, float]
PRIOR_SCALE = 0.30
"""Scale of the half-normal prior on tau as a share of mean cost: a judgement, and a wide one."""
GRID_END, GRID_POINTS = 1.5, 301


@dataclass(frozen=True, kw_only=True)
class LevelGap:
    """A level gap in dollars PMPM, with its prediction interval (None with fewer than two comparisons)."""

    value: float
    se: float | None
    ci90: Interval | None
    ci95: Interval | None
    comparisons: int
    between_sd: float | None

    @property
    def note(self) -> str:
        """How the interval was made, in a sentence."""
        if self.se is None:
            return "No interval: fewer than two comparison organisations."
        return (
            f"Interval: where one more organisation of this size would fall, from how {self.comparisons} "
            f"comparison organisations differ (sd between them {self.between_sd:.2f} PMPM, prior scale "
            f"{PRIOR_SCALE:.0%} of cost)."
        )


def level_gap(
    gap: np.ndarray,
    member_months: np.ndarray,
    treated: np.ndarray,
    variance_per_member_month: float,
    mean: float,
) -> LevelGap:
    """Do the treated organisations cost more than their peers, beyond how far peers differ among themselves?

    Arguments
        gap: actual minus expected PMPM of each organisation, in dollars.
        member_months: of each organisation in the period.
        treated: True for the treated ones.
        variance_per_member_month: members' residual variance; an organisation's noise is this divided by its
            member-months (dollars squared).
        mean: PMPM of the comparison arm, which the prior scale refers to.

    >>> found = level_gap(np.array([-5.0, 3.0, -3.0]), np.array([1e4, 1e4, 1e4]),
    ...                   np.array([True, False, False]), 1e4, 300.0)
    >>> found.value, found.ci95[0] < -5.0 < found.ci95[1]
    (-5.0, True)
    """
    share_t = member_months[treated] / member_months[treated].sum()
    share_c = member_months[~treated] / member_months[~treated].sum()
    value = float(share_t @ gap[treated] - share_c @ gap[~treated])
    count = int((~treated).sum())
    if count < 2:
        return LevelGap(value=value, se=None, ci90=None, ci95=None, comparisons=count, between_sd=None)
    noise = variance_per_member_month / member_months
    tau = np.linspace(0.0, GRID_END * mean, GRID_POINTS)
    posterior = posterior_of_tau(tau, gap[~treated], noise[~treated], PRIOR_SCALE * mean)
    total = tau[:, None] ** 2 + noise
    variance = total[:, treated] @ share_t**2 + total[:, ~treated] @ share_c**2
    found = mixture(posterior, np.full((1, len(tau)), value), np.sqrt(variance)[None])[0]
    return LevelGap(
        value=value,
        se=found.sd,
        ci90=found.ci90,
        ci95=found.ci95,
        comparisons=count,
        between_sd=float(posterior @ tau),
    )


def posterior_of_tau(tau: np.ndarray, gap: np.ndarray, noise: np.ndarray, scale: float) -> np.ndarray:
    """Posterior weights of the sd between organisations on an even grid (end points at half weight).

    Restricted likelihood ``-1/2 [sum log V + log sum 1/V + sum (gap - centre)^2 / V]``, V = tau^2 + noise,
    times a half-normal prior of the given scale.
    """
    variance = np.maximum(tau[:, None] ** 2 + noise, 1e-12 * scale**2)
    precision = 1 / variance
    centre = (precision * gap).sum(1) / precision.sum(1)
    error = (precision * (gap - centre[:, None]) ** 2).sum(1)
    loglik = -0.5 * (np.log(variance).sum(1) + np.log(precision.sum(1)) + error)
    weight = np.exp(loglik - loglik.max()) * np.exp(-0.5 * (tau / scale) ** 2)
    weight[[0, -1]] *= 0.5
    return weight / weight.sum()
