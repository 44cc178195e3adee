"""How small an effect could a study of so many clusters find? To be read before the estimate.

Source: methods register, power; variance of a difference in differences of the same people in one period
before and one after, with members inside clusters.
"""

from __future__ import annotations

import numpy as np
from scipy import stats
from statsmodels.stats.power import TTestIndPower


def detectable_standardised(
    per_arm: float, *, power: float = 0.8, level: float = 0.05, ratio: float = 1.0
) -> float:
    """Smallest difference of two means in standard deviations, by the noncentral t; arms n and ratio * n.

    As statsmodels solves it.

    >>> round(detectable_standardised(100), 6)
    0.398139
    """
    found = TTestIndPower().solve_power(nobs1=per_arm, alpha=level, power=power, ratio=ratio)
    return float(np.squeeze(found))


def detectable_effect(
    clusters: tuple[float, float],
    members: tuple[float, float],
    *,
    sd: float,
    icc: float,
    cluster_autocorrelation: float,
    member_autocorrelation: float,
    power: float = 0.8,
    level: float = 0.05,
) -> float:
    """Minimum detectable effect of a two-period study, in the unit of ``sd``.

    clusters, members: clusters of each arm and members of each cluster (treated, comparison). With
    v = sum over arms of 2 sd^2 [icc (1 - r_cl) + (1 - icc)(1 - r_ind)/m] / K, the effect is
    (t_{1-level/2} + t_power) sqrt(v) with K_T + K_C - 2 degrees of freedom.

    >>> round(detectable_effect((20, 20), (50, 50), sd=1000, icc=0.05, cluster_autocorrelation=0.7,
    ...                         member_autocorrelation=0.5), 4)
    201.2904
    """
    df = sum(clusters) - 2
    if df <= 0 or min(clusters) < 1 or min(members) < 1:
        raise ValueError("power needs a cluster and a member in each arm, and three clusters in all")
    between, within = icc * (1 - cluster_autocorrelation), (1 - icc) * (1 - member_autocorrelation)
    variance = sum(2 * sd**2 * (between + within / m) / k for k, m in zip(clusters, members, strict=True))
    return float((stats.t.ppf(1 - level / 2, df) + stats.t.ppf(power, df)) * np.sqrt(variance))
