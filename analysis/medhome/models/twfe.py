"""Two-way fixed effects on member-months, exactly, from the moments of practice-months.

The question: by how many dollars PMPM did the treated arm's cost move against the comparison arm's, after
practice effects, month effects and member-level covariates are taken out?

    y_ipt = a_p + d_t + sum_k b_k (treated_p x profile_k(t)) + x_i' g + e_ipt

by least squares with exposure as weights. Nothing but cell moments is needed: the treatment does not vary
inside a practice-month, so between-cell sums come from cell means, and within-cell sums of x and y from the
exact integers. The coefficients are linear in the cells: ``b = sum of weights * (mean y - g mean x)``.

Small-sample rule, named in results: CR1 = G/(G-1) (N-1)/(N-K) times the cluster sandwich, N member-months,
K slopes plus month effects (practice effects are nested in the clusters and not counted), t with G-1. This
is the default of fixest and reghdfe; other programs count K or G in another way and differ by some percent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.models.inference.conventional import TTest, t_test
from medhome.study.cells import Cells, moment_name
from medhome.study.problems import ModelRefusal

RULE = (
    "CR1: G/(G-1) (N-1)/(N-K) times the cluster sandwich, N member-months, K slopes and month effects, t "
    "with G-1 degrees of freedom"
)
ARMS = ("treated", "comparison")


@dataclass(frozen=True, kw_only=True)
class PracticeMonths:
    """Cell means and within-cell sums as arrays of practices (P) by months (T); zeros where nobody was.

    members: exposure in member-months; rows: member-months counted once each; y: mean outcome, dollars PMPM;
    x: (Q, P, T) mean covariates; within_xx (Q, Q, P, T), within_xy (Q, P, T): sums of products of deviations
    from the cell's means, times exposure; treated (P,); organization (P,)
    position in ``organizations``, which are organisations within an arm.
    """

    practices: tuple[str, ...]
    organizations: tuple[str, ...]
    organization: np.ndarray
    treated: np.ndarray
    months: np.ndarray
    members: np.ndarray
    rows: np.ndarray
    y: np.ndarray
    x: np.ndarray
    within_xx: np.ndarray
    within_xy: np.ndarray
    covariates: tuple[str, ...]

    @classmethod
    def of(
        cls, cells: Cells, outcome: str, covariates: Sequence[str], unit: str = "practice_id"
    ) -> PracticeMonths:
        """Arrange cells; raises `ModelRefusal` for an empty arm or a unit that is in both arms."""
        keys = tuple(dict.fromkeys(("organization_id", unit, "arm", "month")))
        cells = cells.by(*keys)
        cells = cells.where(cells.member_months > 0)
        frame = cells.frame
        for arm in ARMS:
            if not (frame["arm"] == arm).any():
                raise ModelRefusal(
                    f"difference in differences: the {arm} arm has no member-months; check [arms] and "
                    "[population] of the study file"
                )
        frame = frame.assign(site=_labels(frame["organization_id"], frame[unit]))
        units = frame[["organization_id", "site", "arm"]].drop_duplicates().sort_values("site", kind="stable")
        twice = units["site"][units["site"].duplicated()]
        if len(twice):
            organization, name = twice.iloc[0].split("\x1f")
            raise ModelRefusal(
                f"difference in differences: {unit} {name!r} of organisation {organization!r} is in both "
                "arms; a practice must keep its arm through the study"
            )
        practices = tuple(units["site"])
        # An organisation in both arms is two clusters, one in each.
        clusters = _labels(units["organization_id"], units["arm"])
        organizations = tuple(sorted(set(clusters)))
        months = np.array(sorted(set(frame["month"].astype(int))), dtype=int)
        row = frame["site"].map({p: i for i, p in enumerate(practices)}).to_numpy()
        column = np.searchsorted(months, frame["month"].to_numpy(dtype=int))

        def spread(values: np.ndarray) -> np.ndarray:
            out = np.zeros((len(practices), len(months)))
            out[row, column] = values
            return out

        Q, shape = len(covariates), (len(practices), len(months))
        within_xx, within_xy = np.zeros((Q, Q, *shape)), np.zeros((Q, *shape))
        for a, first in enumerate(covariates):
            within_xy[a] = spread(_within(cells, first, outcome))
            for b, second in enumerate(covariates):
                within_xx[a, b] = spread(_within(cells, first, second))
        position = {o: i for i, o in enumerate(organizations)}
        return cls(
            practices=practices,
            organizations=organizations,
            organization=np.array([position[o] for o in clusters]),
            treated=(units["arm"] == "treated").to_numpy(dtype=bool),
            months=months,
            members=spread(cells.member_months),
            rows=spread(frame["rows"].to_numpy(dtype=float)),
            y=spread(cells.mean(outcome)),
            x=np.array([spread(cells.mean(v)) for v in covariates]).reshape(Q, *shape),
            within_xx=within_xx,
            within_xy=within_xy,
            covariates=tuple(covariates),
        )

    def by_organization(self, values: np.ndarray) -> np.ndarray:
        """Sums over the practices of each organisation: (..., P, T) to (..., J, T)."""
        out = np.zeros((*values.shape[:-2], len(self.organizations), values.shape[-1]))
        for p, j in enumerate(self.organization):
            out[..., j, :] += values[..., p, :]
        return out

    @property
    def organization_treated(self) -> np.ndarray:
        treated = np.zeros(len(self.organizations), dtype=bool)
        treated[self.organization[self.treated]] = True
        return treated


@dataclass(frozen=True, kw_only=True)
class TwoWayFit:
    """A fitted two-way model.

    names, coefficients: the K treatment profiles, dollars PMPM; slopes: of the covariates, in their order.
    dropped: covariates without variation, left out.
    weights: (K, P, T) with ``coefficients = (weights * (y - slopes x)).sum()``.
    covariance: cluster level -> (K, K); clusters: level -> G; rows: member-months; parameters: K of the rule.
    """

    panel: PracticeMonths
    names: tuple[str, ...]
    coefficients: np.ndarray
    slopes: np.ndarray
    dropped: tuple[str, ...]
    weights: np.ndarray
    covariance: Mapping[str, np.ndarray]
    clusters: Mapping[str, int]
    rows: int
    parameters: int
    rule: str = RULE

    @property
    def adjusted(self) -> np.ndarray:
        """(P, T) mean outcome less the covariates' part, dollars PMPM."""
        return self.panel.y - np.tensordot(self.slopes, self.panel.x, axes=1)

    def test(self, cluster: str, which: int = 0) -> TTest:
        """t interval of a coefficient with clusters of a level ("practice", "organization")."""
        se = np.sqrt(self.covariance[cluster][which, which])
        return t_test(float(self.coefficients[which]), float(se), self.clusters[cluster] - 1)

    def influence(self, level: str) -> tuple[float, float]:
        """How many equal clusters carry the first coefficient, and the largest cluster's share of it.

        G / (1 + squared coefficient of variation of the partial leverages); a partial leverage is the share
        of the coefficient's own variation that a cluster brings.
        """
        seen = self.panel.members > 0
        brought = np.where(seen, self.weights[0] ** 2 / np.where(seen, self.panel.members, 1.0), 0.0).sum(1)
        practice = level == "practice"
        own = np.bincount(np.arange(len(brought)) if practice else self.panel.organization, brought)
        own = own / own.sum()
        return float(len(own) / (1 + own.var() / own.mean() ** 2)), float(own.max())

    def sampling_variance(self, member_covariance: np.ndarray) -> np.ndarray:
        """(K,) variance of the coefficients from members alone, whose months covary as in (T, T)."""
        scaled = self._by_member()
        return np.einsum("kpt,kpt->k", scaled @ member_covariance, scaled)

    def sampling_covariance(self, member_covariance: np.ndarray) -> np.ndarray:
        """(K, K) covariance of the coefficients from members alone; its diagonal is `sampling_variance`."""
        scaled = self._by_member()
        return np.einsum("kpt,lpt->kl", scaled @ member_covariance, scaled)

    def _by_member(self) -> np.ndarray:
        """(K, P, T) the weights over the root of the members: what one member's months add to."""
        seen = self.panel.members > 0
        return np.where(seen, self.weights / np.sqrt(np.where(seen, self.panel.members, 1.0)), 0.0)


def twfe(
    cells: Cells,
    outcome: str,
    covariates: Sequence[str] = ("expected",),
    *,
    first_post: int,
    unit: str = "practice_id",
    profiles: Mapping[str, np.ndarray] | None = None,
) -> TwoWayFit:
    """Fit the two-way model at the top of the module.

    cells: practice-months with the moments of outcome and covariates; outcome and covariates: variables of
    the cells; first_post: month index of the first performance month; unit: the key with fixed effects;
    profiles: name -> (T,) what multiplies the treated arm in each month (months in ascending order); the
    indicator of the performance period when left out.

    Raises `ModelRefusal` when an arm is empty or a coefficient cannot be told from the fixed effects.

    >>> frame = pd.DataFrame({"organization_id": list("AABB"), "practice_id": list("AABB"),
    ...     "arm": ["treated"] * 2 + ["comparison"] * 2, "stratum": "adults", "month": [1, 2, 1, 2],
    ...     "rows": 2, "w": 2000, "w*cost": [400_000, 300_000, 200_000, 240_000]})
    >>> fit = twfe(Cells(scales={"cost": 100}, frame=frame), "cost", (), first_post=2)
    >>> round(float(fit.coefficients[0]), 6)  # (1.50 - 2.00) - (1.20 - 1.00)
    -0.7
    """
    panel = PracticeMonths.of(cells, outcome, covariates, unit)
    if profiles is None:
        profiles = {"effect": (panel.months >= first_post).astype(float)}
    return fit_panel(panel, profiles)


def fit_panel(panel: PracticeMonths, profiles: Mapping[str, np.ndarray]) -> TwoWayFit:
    """The same fit of practice-months that are arranged already; profiles and refusals as in `twfe`."""
    covariates, names = panel.covariates, tuple(profiles)
    W = panel.members
    D = panel.treated[:, None] * np.array([np.asarray(profiles[n], dtype=float) for n in names])[:, None, :]
    within = _Within(W)
    Dr, xr, yr = within(D), within(panel.x), within(panel.y[None])[0]
    for name, residual, raw in zip(names, Dr, D, strict=True):
        if (W * residual**2).sum() <= 1e-9 * (W * raw**2).sum():
            raise ModelRefusal(
                f"difference in differences: {name!r} cannot be told from practice and month effects; both "
                "arms need members before and after the start"
            )

    total_xx = np.einsum("apt,bpt,pt->ab", xr, xr, W) + panel.within_xx.sum((2, 3))
    scale = np.einsum("apt,pt->a", panel.x**2, W)
    kept = [q for q in range(len(covariates)) if total_xx[q, q] > 1e-10 * scale[q] > 0]
    K, Q = len(names), len(kept)
    Z = np.concatenate([Dr, xr[kept]])
    A = np.einsum("apt,bpt,pt->ab", Z, Z, W)
    A[K:, K:] += panel.within_xx[np.ix_(kept, kept)].sum((2, 3))
    right = np.einsum("apt,pt,pt->a", Z, W, yr)
    right[K:] += panel.within_xy[kept].sum((1, 2))
    size = np.sqrt(np.diag(A))
    if np.linalg.cond(A / np.outer(size, size)) > 1e10:
        raise ModelRefusal(
            f"difference in differences: {', '.join((*names, *(covariates[q] for q in kept)))} cannot be "
            "told apart (collinear); leave one out"
        )
    beta = np.linalg.solve(A, right)
    slopes = np.zeros(len(covariates))
    slopes[kept] = beta[K:]

    # Scores of a practice: treatment rows from cell means, covariate rows also from inside the cells.
    error = yr - np.tensordot(beta, Z, axes=1)
    scores = np.einsum("apt,pt,pt->ap", Z, W, error)
    inside = panel.within_xy[kept] - np.einsum("abpt,b->apt", panel.within_xx[np.ix_(kept, kept)], beta[K:])
    scores[K:] += inside.sum(2)
    rows, parameters = int(panel.rows.sum()), K + Q + len(panel.months)
    bread = np.linalg.inv(A)
    covariance, clusters = {}, {}
    for level, label in (("practice", np.arange(len(panel.practices))), ("organization", panel.organization)):
        G = int(label.max()) + 1
        grouped = np.zeros((K + Q, G))
        for p, g in enumerate(label):
            grouped[:, g] += scores[:, p]
        factor = G / max(G - 1, 1) * (rows - 1) / max(rows - parameters, 1)
        covariance[level] = (factor * bread @ grouped @ grouped.T @ bread)[:K, :K]
        clusters[level] = G
    return TwoWayFit(
        panel=panel,
        names=names,
        coefficients=beta[:K],
        slopes=slopes,
        dropped=tuple(v for q, v in enumerate(covariates) if q not in kept),
        weights=np.einsum("kl,lpt,pt->kpt", np.linalg.inv(A[:K, :K]), Dr, W),
        covariance=covariance,
        clusters=clusters,
        rows=rows,
        parameters=parameters,
    )


class _Within:
    """Takes practice and month effects out of (..., P, T) arrays by weighted least squares, exactly."""

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = weights
        self.practice = weights.sum(1)
        self.share = weights / self.practice[:, None]
        normal = np.diag(weights.sum(0)) - weights.T @ self.share
        self.months = np.linalg.pinv(normal, rcond=1e-12, hermitian=True)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        # The second pass takes out what rounding left of the first.
        for _ in range(2):
            weighted = self.weights * values
            by_practice = weighted.sum(-1)
            month = (weighted.sum(-2) - by_practice @ self.share) @ self.months
            practice = (by_practice - month @ self.weights.T) / self.practice
            values = values - practice[..., :, None] - month[..., None, :]
        return np.where(self.weights > 0, values, 0.0)


def _labels(first: pd.Series, second: pd.Series) -> pd.Series:
    """Two keys as one, in the order of the two."""
    return first.astype(str).str.cat(second.astype(str), sep="\x1f")


def _within(cells: Cells, first: str, second: str) -> np.ndarray:
    """Sum of w (first - cell mean)(second - cell mean) by cell, exact up to one division."""
    if not cells.has(first, second):
        raise ModelRefusal(
            f"difference in differences: the cells hold no moment {moment_name(first, second)}, which a "
            "covariate needs"
        )
    return cells.scatter(first, second)
