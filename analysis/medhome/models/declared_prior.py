"""A probability of savings: only a prior that was declared beforehand gives one."""

from __future__ import annotations

import math
from statistics import NormalDist

from medhome.study.expected_choices import SavingsPrior


def probability_above(threshold: float, estimate: float, se: float, prior: SavingsPrior) -> float:
    """How probable are savings above a threshold, given a normal prior and an estimate of normal error?

    All in dollars PMPM, savings positive. The posterior is normal with precision ``1/sd^2 + 1/se^2`` and the
    precision-weighted mean of both.

    >>> belief = SavingsPrior(mean_pmpm_usd=0.0, sd_pmpm_usd=3.0, source="earlier studies")
    >>> round(probability_above(0.0, 4.0, 3.0, belief), 4)  # posterior mean 2, sd 3/sqrt(2)
    0.8271
    """
    known, believed = 1 / se**2, 1 / prior.sd_pmpm_usd**2
    mean = (known * estimate + believed * prior.mean_pmpm_usd) / (known + believed)
    return NormalDist(mean, 1 / math.sqrt(known + believed)).cdf(2 * mean - threshold)
