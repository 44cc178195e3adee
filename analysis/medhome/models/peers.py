"""How far an organisation's cost level lies from what its peers would lead one to expect.

A level gap ("versus peers") is another question than a change ("versus expected"): organisations differ from
each other before any program, and the organisation-month random-effects interval removes exactly those
differences. The interval here is therefore a prediction interval: where would the gap of one more
organisation of this size fall if it were drawn from the same population as the comparison organisations?

``gap_j ~ N(0, tau2 + v_j)``: tau2, the variance between organisations, by the method of Paule and Mandel
(1982, J. Res. Natl. Bur. Stand. 87:377) from the comparison organisations; v_j, the noise of organisation j's
own members, is the comparison members' squared residuals per member-month divided by the organisation's
member-months. The gap's variance adds the treated organisations' part and the comparison mean's part, by
their squared member-month shares; the quantile is Student's t with J0 - 1 degrees of freedom (after Higgins,
Thompson and Spiegelhalter 2009, who use J0 - 2 in meta-analysis, where the mean is estimated by weights).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

Interval = tuple[float, float]


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
            f"Interval: where one more organisation of this size would fall, from the spread of "
            f"{self.comparisons} comparison organisations (between-organisation sd "
            f"{self.between_sd:.2f} PMPM, t with {self.comparisons - 1} df)."
        )


def level_gap(
    gap: np.ndarray, member_months: np.ndarray, treated: np.ndarray, variance_per_member_month: float
) -> LevelGap:
    """Do the treated organisations cost more than their peers, beyond how far peers differ among themselves?

    Arguments
        gap: actual minus expected PMPM of each organisation, in dollars.
        member_months: of each organisation in the period.
        treated: True for the treated ones.
        variance_per_member_month: members' residual variance; an organisation's noise is this divided by its
            member-months (dollars squared).

    >>> import numpy as np
    >>> found = level_gap(np.array([-5.0, 3.0, -3.0]), np.array([100.0, 50.0, 50.0]),
    ...                   np.array([True, False, False]), 0.0)
    >>> found.value, round(found.between_sd ** 2, 6)
    (-5.0, 18.0)
    """
    share_t = member_months[treated] / member_months[treated].sum()
    share_c = member_months[~treated] / member_months[~treated].sum()
    value = float(share_t @ gap[treated] - share_c @ gap[~treated])
    count = int((~treated).sum())
    if count < 2:
        return LevelGap(value=value, se=None, ci90=None, ci95=None, comparisons=count, between_sd=None)
    noise = variance_per_member_month / member_months
    between = between_variance(gap[~treated], noise[~treated])
    variance = share_t**2 @ (between + noise[treated]) + share_c**2 @ (between + noise[~treated])
    se = float(np.sqrt(variance))
    reach90, reach95 = (se * float(stats.t.ppf(q, count - 1)) for q in (0.95, 0.975))
    return LevelGap(
        value=value,
        se=se,
        ci90=(value - reach90, value + reach90),
        ci95=(value - reach95, value + reach95),
        comparisons=count,
        between_sd=float(np.sqrt(between)),
    )


def between_variance(gap: np.ndarray, noise: np.ndarray) -> float:
    """Variance between organisations beyond their members' noise (Paule and Mandel); zero where none shows.

    >>> import numpy as np
    >>> round(between_variance(np.array([3.0, -3.0, 0.0]), np.array([1.0, 1.0, 1.0])), 6)
    8.0
    """
    degrees = len(gap) - 1

    def excess(tau2: float) -> float:
        weight = 1 / (tau2 + noise)
        centre = (weight @ gap) / weight.sum()
        return float(weight @ (gap - centre) ** 2 - degrees)

    spread = float(((gap - gap.mean()) ** 2).sum())
    if spread == 0:
        return 0.0
    least = 0.0 if (noise > 0).all() else 1e-12 * spread
    if excess(least) <= 0:
        return 0.0
    # At twice the sum of squares the excess is at most one half minus the degrees of freedom: below zero.
    return float(optimize.brentq(excess, least, 2 * spread, xtol=1e-12 * spread, rtol=1e-12))
