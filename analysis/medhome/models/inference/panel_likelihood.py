"""The restricted likelihood of an organisation-month panel over a grid of (sigma, rho).

The working part of RE-panel; the question and the model are at the top of ``random_effects``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from medhome.models.inference.contrasts import signed_weights
from medhome.study.problems import ModelRefusal

GRID_STEP = 0.005
AUTOCORRELATIONS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.97)


@dataclass(frozen=True, kw_only=True)
class OrganizationMonths:
    """Organisation-months with members, and the pieces of the likelihood that no grid point changes."""

    y: np.ndarray
    members: np.ndarray
    treated: np.ndarray
    after: np.ndarray
    months: np.ndarray
    present: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(
        cls,
        y: np.ndarray,
        members: np.ndarray,
        treated: np.ndarray,
        first_post: int,
        covariance: np.ndarray,
        months: np.ndarray | None,
    ) -> OrganizationMonths:
        y, treated = np.asarray(y, dtype=float), np.asarray(treated, dtype=bool)
        months = np.arange(y.shape[1]) if months is None else np.asarray(months, dtype=int)
        members = np.asarray(members, dtype=float)
        members = np.broadcast_to(members[:, None] if members.ndim == 1 else members, y.shape)
        covariance = np.asarray(covariance, dtype=float)
        if covariance.shape != (len(months), len(months)):
            raise ValueError(f"covariance is {covariance.shape}; the panel has {len(months)} months")
        present = members > 0
        if not all(np.isfinite(x).all() for x in (members, y[present], covariance)):
            raise ModelRefusal("RE-panel: a cost, a number of members or the member covariance is not finite")
        after = months >= first_post
        for side, name in ((after, "after"), (~after, "before")):
            if not present[treated][:, side].any() or not present[~treated][:, side].any():
                raise ModelRefusal(
                    f"RE-panel needs members of both arms {name} the start; an arm has none: check periods "
                    "and [arms] of the study file, and program_roster"
                )
        return cls(
            y=np.where(present, y, 0.0),
            members=members,
            treated=treated,
            after=after,
            months=months,
            present=present,
            covariance=covariance,
        )

    def default_weights(self) -> np.ndarray:
        """a_j c_t: member weights between organisations, equal months within the sides of the start."""
        both = self.present[:, self.after].any(1) & self.present[:, ~self.after].any(1)
        size = np.where(both, self.members.sum(1) / np.maximum(self.present.sum(1), 1), 0.0)
        signed = signed_weights(size, self.treated)
        side = np.where(self.after, 1.0, -1.0) * self.present
        count = np.where(
            self.after,
            (self.present & self.after).sum(1)[:, None],
            (self.present & ~self.after).sum(1)[:, None],
        )
        return signed[:, None] * side / np.maximum(count, 1)

    def sampling_variance(self, weights: np.ndarray) -> np.ndarray:
        """(K, J) variance from members of sums with these weights."""
        scaled = np.where(self.present, weights / np.sqrt(np.where(self.present, self.members, 1.0)), 0.0)
        return quadratic_forms(scaled, self.covariance)

    def columns(self) -> np.ndarray:
        """(J, T) the month parameter of each organisation-month: T common ones, then the treated arm's."""
        T, before = len(self.months), int((~self.after).sum())
        common = np.arange(T)
        own = np.where(self.after, common + T - before, common)
        return np.where(self.treated[:, None], own, common)


@dataclass(frozen=True, kw_only=True)
class Grid:
    sigma_share: np.ndarray
    rho: np.ndarray
    loglik: np.ndarray  # (N, G)
    gls: np.ndarray  # (N, G)
    var_gls: np.ndarray  # (G,)


def grid_likelihood(panel: OrganizationMonths, runs: np.ndarray, mean: float, end: float) -> Grid:
    """Restricted log likelihood and GLS effect of panels (N, J, T) at every (sigma, rho).

    For a given rho, V_j = L (sigma^2 + Lambda_j) L' in the eigenvectors of L^-1 S_j L^-T (R = L L'), so one
    eigen-decomposition serves every sigma, and every organisation whose members by month are in proportion:
    their sums over months are taken together (`_Alike`).
    """
    shares = np.linspace(0.0, end, round(end / GRID_STEP) + 1)
    T = panel.y.shape[1]
    columns = panel.columns()
    size = T + int(panel.after.sum())
    null = _null_space(panel, columns, size)
    used = np.zeros(size, dtype=bool)
    used[columns[panel.present]] = True
    target = _mean_effect(size, T, int((~panel.after).sum()), used)
    count = np.maximum(panel.present.sum(1), 1)
    centred = np.where(panel.present, runs - runs.sum(2, keepdims=True) / count[:, None], 0.0)
    alike = _Alike.of(panel)

    n = len(runs)
    loglik = np.full((len(AUTOCORRELATIONS), len(shares), n), -np.inf)
    gls, var_gls = np.zeros_like(loglik), np.zeros(loglik.shape[:2])
    for r, rho in enumerate(AUTOCORRELATIONS):
        turned, log_root = [], 0.0
        for group in alike:
            group.rotate(panel.covariance, correlation(panel.months, rho))
            log_root += group.log_root * len(group.who)
            turned.append(np.matmul(centred[:, group.who], group.rotation.T))  # (N, A, K)
        # No organisation shocks and a singular member covariance: the density does not exist.
        exists = (shares * mean) ** 2 + min(float(g.spectrum.min()) for g in alike) > 0
        sigma2 = (shares[exists] * mean) ** 2
        H, g = np.zeros((len(sigma2), size, size)), np.zeros((len(sigma2), n, size))
        log_det, quadratic = np.full(len(sigma2), log_root), np.zeros((len(sigma2), n))
        for group, z in zip(alike, turned, strict=True):
            rotation, ones = group.rotation, group.rotation.sum(1)  # B 1
            scale2 = sigma2[:, None, None] + group.spectrum  # (S, A, K)
            precision = 1 / scale2
            total = precision @ ones**2  # (S, A) 1'V^-1 1
            root = (precision * ones) @ rotation / np.sqrt(total)[..., None]  # (S, A, T) V^-1 1
            by_month = z.transpose(2, 0, 1)  # (K, N, A)
            along = np.matmul(z.transpose(1, 0, 2), (precision * ones).transpose(1, 2, 0)).transpose(2, 1, 0)
            along = along / np.sqrt(total)[:, None]  # (S, N, A)
            index = columns[group.who[0]]
            summed = precision.sum(1)[:, :, None] * rotation
            block = rotation.T @ summed - root.transpose(0, 2, 1) @ root
            H[:, index[:, None], index[None, :]] += block
            toward = np.matmul(by_month, precision.transpose(2, 1, 0)).transpose(2, 1, 0)  # (S, N, K)
            g[:, :, index] += toward @ rotation - along @ root
            flat = precision.reshape(len(sigma2), -1)
            quadratic += (z.reshape(n, -1) ** 2 @ flat.T).T - (along**2).sum(2)
            log_det += np.log(scale2).sum((1, 2)) + np.log(total).sum(1)
        log_pdet, solved, solved_target = _solve(H, g, target, null)
        quadratic -= (g * solved).sum(2)
        loglik[r, exists] = -0.5 * ((log_det + log_pdet)[:, None] + quadratic)
        gls[r, exists] = solved @ target
        var_gls[r, exists] = solved_target @ target
    # sigma varies slowest: (S, R) and its flat order.
    return Grid(
        sigma_share=np.repeat(shares, len(AUTOCORRELATIONS)),
        rho=np.tile(AUTOCORRELATIONS, len(shares)),
        loglik=loglik.transpose(2, 1, 0).reshape(n, -1),
        gls=gls.transpose(2, 1, 0).reshape(n, -1),
        var_gls=var_gls.T.reshape(-1),
    )


@dataclass
class _Alike:
    """Organisations of one arm, present in the same months, whose members by month are in proportion.

    who: (A,) positions. scale: (T,) one over the root of members, as a share of its largest; size: (A,) the
    largest. After `rotate`: rotation (K, T), rows of B with V_j^-1 = B' diag(1 / (sigma^2 + lambda_j)) B and
    K months with members; spectrum (A, K) the lambda_j; log_root the log determinant of R.
    """

    who: np.ndarray
    seen: np.ndarray
    scale: np.ndarray
    size: np.ndarray
    rotation: np.ndarray
    spectrum: np.ndarray
    log_root: float = 0.0

    @classmethod
    def of(cls, panel: OrganizationMonths) -> list[_Alike]:
        """Every organisation with members, once."""
        inverse_root = np.where(panel.present, 1 / np.sqrt(np.where(panel.present, panel.members, 1.0)), 0.0)
        largest = inverse_root.max(1)
        some = np.flatnonzero(panel.present.any(1))
        scale = inverse_root[some] / largest[some, None]
        kinds, where = np.unique(
            np.column_stack([panel.treated[some], scale]), axis=0, return_inverse=True
        )
        nothing = np.zeros((0, 0))
        return [
            cls(
                who=(who := some[where.reshape(-1) == k]),
                seen=kind[1:] > 0,
                scale=kind[1:],
                size=largest[who],
                rotation=nothing,
                spectrum=nothing,
            )
            for k, kind in enumerate(kinds)
        ]

    def rotate(self, covariance: np.ndarray, drift: np.ndarray) -> None:
        """Set rotation and spectrum for one correlation (T, T) of an organisation's months."""
        cut = np.ix_(self.seen, self.seen)
        lower = linalg.cholesky(drift[cut], lower=True)
        sampling = covariance[cut] * np.outer(self.scale[self.seen], self.scale[self.seen])
        half = linalg.solve_triangular(lower, sampling, lower=True)
        values, vectors = np.linalg.eigh(linalg.solve_triangular(lower, half.T, lower=True))
        self.rotation = np.zeros((len(values), len(self.seen)))
        self.rotation[:, self.seen] = linalg.solve_triangular(lower, vectors, lower=True, trans="T").T
        self.spectrum = self.size[:, None] ** 2 * np.maximum(values, 0.0)
        self.log_root = float(2 * np.log(np.diag(lower)).sum())


def _mean_effect(size: int, T: int, first: int, used: np.ndarray) -> np.ndarray:
    """The mean over performance months of treated less common month effects, over months that both have."""
    target = np.zeros(size)
    both = np.array([t for t in range(first, T) if used[t] and used[t + T - first]])
    if len(both):
        target[both] = -1 / len(both)
        target[both + T - first] = 1 / len(both)
    return target


def _null_space(panel: OrganizationMonths, columns: np.ndarray, size: int) -> np.ndarray:
    """Month parameters that no data can tell apart (organisation effects absorb them): (size, k).

    They do not depend on sigma or rho, so they are found once, from whole numbers.
    """
    design = np.zeros((size, size))
    for j in range(len(columns)):
        index = columns[j, panel.present[j]]
        if len(index):
            design[np.ix_(index, index)] += np.eye(len(index)) - 1 / len(index)
    values, vectors = np.linalg.eigh(design)
    return vectors[:, values < 1e-9 * max(values.max(), 1.0)]


def _solve(
    H: np.ndarray, g: np.ndarray, target: np.ndarray, null: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log pseudo-determinants (S,) of H (S, M, M), and H^+ applied to the rows of g (S, N, M) and to the
    target (M,)."""
    level = np.trace(H, axis1=1, axis2=2) / H.shape[1]
    whole = H + level[:, None, None] * (null @ null.T)
    root = np.linalg.cholesky(whole)
    log_pdet = 2 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum(1) - null.shape[1] * np.log(level)
    inside = np.broadcast_to(target - null @ (null.T @ target), (len(H), 1, len(target)))
    right = np.concatenate([g, inside], axis=1).transpose(0, 2, 1)
    solved = np.linalg.solve(whole, right).transpose(0, 2, 1)
    return log_pdet, solved[:, :-1], solved[:, -1]


def correlation(months: np.ndarray, rho: float) -> np.ndarray:
    return rho ** np.abs(np.subtract.outer(months, months)).astype(float)


def quadratic_forms(weights: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """w'Mw for the rows of weights (K, J, T): (K, J)."""
    return np.einsum("kjt,kjt->kj", weights @ matrix, weights)
