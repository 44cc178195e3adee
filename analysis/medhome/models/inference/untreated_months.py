"""Random-effects intervals where organisations come under treatment at different times.

How far organisations wander by themselves is learnt from the months before an organisation's own start alone:
effects that differ by wave and grow with time would otherwise count as wandering. What is learnt then gives
an interval to every estimate that is a weighted sum of practice-months, as `random_effects` does for one
start.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medhome.models.inference.mixture import Mixture, mixture
from medhome.models.inference.panel_likelihood import (
    AUTOCORRELATIONS,
    OrganizationMonths,
    correlation,
    quadratic_forms,
)
from medhome.models.inference.random_effects import PRIOR_SCALE, expected_drift, integrated
from medhome.study.problems import ModelRefusal


@dataclass(frozen=True, kw_only=True)
class UntreatedMonths:
    """effects: one `Mixture` for each estimate. covariance: (K, K) of the estimates, organisations' shocks
    and members together. sigma_mean: posterior mean of an organisation's monthly shock, dollars PMPM."""

    effects: tuple[Mixture, ...]
    covariance: np.ndarray
    sigma_mean: float


def untreated_months(
    y: np.ndarray,
    members: np.ndarray,
    untreated: np.ndarray,
    covariance: np.ndarray,
    mean: float,
    *,
    months: np.ndarray,
    weights: np.ndarray,
    estimates: np.ndarray,
    sampling_covariance: np.ndarray,
    prior_scale: float = PRIOR_SCALE,
) -> UntreatedMonths:
    """The interval of each weighted sum of organisation-months.

    y, members: (J, T) dollars PMPM and member-months. untreated: (J, T) before the organisation's own start.
    covariance: (T, T) of one member's months, dollars squared. mean: the comparisons' PMPM, which the prior's
    scale refers to. weights: (K, J, T); estimates: (K,). sampling_covariance: (K, K), from members. Raises
    `ModelRefusal` for numbers that are not finite, or fewer than two organisations.

    >>> y = np.array([[300., 310., 290.], [280., 300., 310.], [305., 300., 320.]])
    >>> cov = 2e6 * (0.3 * 0.85 ** abs(np.subtract.outer(range(3), range(3))) + 0.7 * np.eye(3))
    >>> w = np.array([[[0., -1., 1.], [0., .5, -.5], [0., .5, -.5]]])
    >>> found = untreated_months(y, np.full((3, 3), 5000.), np.array([[1, 1, 0], [1, 1, 1], [1, 1, 1]]) > 0,
    ...                          cov, 300., months=np.arange(3), weights=w,
    ...                          estimates=(w * y).sum((1, 2)), sampling_covariance=np.array([[900.]]))
    >>> round(found.effects[0].estimate, 2), found.effects[0].sd > 30
    (-35.0, True)
    """
    seen = np.asarray(members, dtype=float) * untreated
    panel = OrganizationMonths(
        y=np.where(seen > 0, y, 0.0),
        members=seen,
        treated=np.zeros(len(y), dtype=bool),
        after=np.zeros(y.shape[1], dtype=bool),
        months=np.asarray(months, dtype=int),
        present=seen > 0,
        covariance=covariance,
    )
    finite = (panel.y, weights, estimates, sampling_covariance, covariance, np.array(mean))
    if not all(np.isfinite(x).all() for x in finite):
        raise ModelRefusal("waves: a cost, a weight, a sampling variance or the mean is not finite")
    if (panel.present.sum(1) > 1).sum() < 2:
        raise ModelRefusal(
            "waves: fewer than 2 organisations have two months before their start: how organisations move by "
            "themselves cannot be learnt"
        )
    grid, posterior, _, _ = integrated(panel, mean, prior_scale)
    rho_index, sigma2 = np.searchsorted(AUTOCORRELATIONS, grid.rho), (grid.sigma_share * mean) ** 2
    unit = np.stack([quadratic_forms(weights, correlation(panel.months, r)).sum(1) for r in AUTOCORRELATIONS])
    variance = (sigma2[:, None] * unit[rho_index]).T + np.diag(sampling_covariance)[:, None]
    drift = expected_drift(panel.months, rho_index, posterior * sigma2)
    centre = np.broadcast_to(estimates[:, None], variance.shape)
    # A base period has no weight, and so no variance: it is not in the mixture.
    real = variance.max(1) > 0
    nothing = Mixture(
        estimate=0.0, sd=0.0, ci80=(0.0, 0.0), ci90=(0.0, 0.0), ci95=(0.0, 0.0), p=1.0,
        probability_below_zero=0.5,
    )  # fmt: skip
    found = iter(mixture(posterior, centre[real], np.sqrt(variance[real])))
    return UntreatedMonths(
        effects=tuple(next(found) if there else nothing for there in real),
        covariance=np.einsum("kjt,ljt->kl", weights @ drift, weights) + sampling_covariance,
        sigma_mean=float(posterior @ (grid.sigma_share * mean)),
    )
