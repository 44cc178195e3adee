"""How one member's months vary together, estimated from exact cross-products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medhome.study.cells import MonthPairs
from medhome.study.periods import month_name
from medhome.study.problems import ModelRefusal

SMALLEST_EIGENVALUE = 1e-3
"""Eigenvalues of the member covariance are raised to this share of the monthly variance. A lag-averaged
covariance can have negative ones; at exactly zero the density without organisation shocks would not exist."""


@dataclass(frozen=True, kw_only=True)
class MemberCovariance:
    """Covariance of one member's monthly cost over months, dollars squared.

    months: (T,) month indices; by_lag: ``lag`` -> covariance, for every lag between two of the months;
    matrix: (T, T), positive definite; clipped: smallest eigenvalue before it was raised.
    """

    months: np.ndarray
    by_lag: Mapping[int, float]
    matrix: np.ndarray
    clipped: float

    def contrast_variance(self, shares: np.ndarray, members: float = 1.0) -> float:
        """Sampling variance of ``shares @ cost`` for an organisation of constant size (B of one member)."""
        return float(shares @ self.matrix @ shares) / members


def member_covariance(pairs: MonthPairs, months: Sequence[int] | np.ndarray) -> MemberCovariance:
    """How one member's months vary together: the sampling part of the random-effects variance.

    With e_it = y_it less the organisation's mean of month t, ``gamma(k)`` is the sum of e_is e_it over all
    organisations, month pairs k apart and members present in both, divided by the sum of
    sqrt(M_js M_jt). Turnover is in it: pairs that nobody shares count in the divisor only. The numerator is
    exact (whole numbers of cents).

    Raises `ModelRefusal` when the pairs miss a month, or hold no variation.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"organization_id": "A", "month_s": [1, 1, 2], "month_t": [1, 2, 2],
    ...                       "members": 2, "sum_s": [400, 400, 600], "sum_t": [400, 600, 600],
    ...                       "sum_st": [100_000, 140_000, 200_000]})
    >>> found = member_covariance(MonthPairs(frame=frame), (1, 2))  # 1 and 3 dollars, then 2 and 4
    >>> [round(found.by_lag[lag], 12) for lag in (0, 1)]
    [1.0, 1.0]
    """
    months = np.asarray(months, dtype=int)
    wanted = set(months.tolist())
    frame = pairs.frame[pairs.frame["month_s"].isin(wanted) & pairs.frame["month_t"].isin(wanted)]
    column = {
        name: [int(v) for v in frame[name]]
        for name in ("month_s", "month_t", "members", "sum_s", "sum_t", "sum_st")
    }
    organization = frame["organization_id"].tolist()
    alone = {
        (o, s): (n, total)
        for o, s, t, n, total in zip(
            organization,
            column["month_s"],
            column["month_t"],
            column["members"],
            column["sum_s"],
            strict=True,
        )
        if s == t
    }
    top: dict[int, float] = {}
    for o, s, t, n, sum_s, sum_t, sum_st in zip(organization, *column.values(), strict=True):
        size_s, total_s = alone[o, s]
        size_t, total_t = alone[o, t]
        if size_s == 0 or size_t == 0:
            continue
        # sum (y_s - m_s)(y_t - m_t) with m = total/size, over the common divisor size_s * size_t
        exact = (
            sum_st * size_s * size_t
            - total_t * sum_s * size_s
            - total_s * sum_t * size_t
            + n * total_s * total_t
        )
        top[t - s] = top.get(t - s, 0.0) + exact / (size_s * size_t)
    bottom: dict[int, float] = {}
    by_organization: dict[str, dict[int, int]] = {}
    for (o, s), (n, _) in alone.items():
        by_organization.setdefault(o, {})[s] = n
    for sizes in by_organization.values():
        root = np.sqrt(np.array([sizes.get(m, 0) for m in months], dtype=float))
        product = np.outer(root, root)
        for k in range(len(months)):
            for t in range(k, len(months)):
                lag = int(months[t] - months[k])
                bottom[lag] = bottom.get(lag, 0.0) + product[k, t]
    missing = [m for m in months.tolist() if all(m not in sizes for sizes in by_organization.values())]
    if missing:
        raise ModelRefusal(
            f"member covariance: no member in month {month_name(missing[0])}; check periods in the study "
            "file, and eligibility"
        )
    by_lag = {
        lag: float(top.get(lag, 0.0) / pairs.scale**2 / bottom[lag]) if bottom[lag] else 0.0
        for lag in sorted(bottom)
    }
    if not by_lag[0] > 0:
        raise ModelRefusal(
            "member covariance: every member of an organisation costs the same in a month; there is no "
            "variation between members to learn from: check the amounts of medical_claim and pharmacy_claim"
        )
    raw = np.array([[by_lag[abs(int(s - t))] for t in months] for s in months])
    values, vectors = np.linalg.eigh(raw)
    floor = SMALLEST_EIGENVALUE * by_lag[0]
    matrix = raw if values.min() >= floor else (vectors * np.maximum(values, floor)) @ vectors.T
    return MemberCovariance(
        months=months, by_lag=by_lag, matrix=(matrix + matrix.T) / 2, clipped=float(values.min())
    )
