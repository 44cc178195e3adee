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
    eigen-decomposition an organisation serves every sigma.
    """
    shares = np.linspace(0.0, end, round(end / GRID_STEP) + 1)
    J, T = panel.y.shape
    after, first = panel.after, int((~panel.after).sum())
    columns = panel.columns()
    size = T + int(after.sum())
    null = _null_space(panel, columns, size)
    used = np.zeros(size, dtype=bool)
    used[columns[panel.present]] = True
    target = _mean_effect(size, T, first, used)
    count = np.maximum(panel.present.sum(1), 1)
    centred = np.where(panel.present, runs - runs.sum(2, keepdims=True) / count[:, None], 0.0)
    inverse_root = np.where(panel.present, 1 / np.sqrt(np.where(panel.present, panel.members, 1.0)), 0.0)

    points: list[tuple[float, float]] = []
    loglik: list[np.ndarray] = []
    gls: list[np.ndarray] = []
    var_gls: list[float] = []
    for rho in AUTOCORRELATIONS:
        drift = correlation(panel.months, rho)
        # rotations: rows of B_j with V_j^-1 = B_j' diag(1 / (sigma^2 + lambda_j)) B_j, zero where no members
        rotation, spectrum = np.zeros((J, T, T)), np.ones((J, T))
        log_root = np.zeros(J)
        for j in np.flatnonzero(panel.present.any(1)):
            seen = panel.present[j]
            lower = linalg.cholesky(drift[np.ix_(seen, seen)], lower=True)
            scale = inverse_root[j, seen]
            sampling = panel.covariance[np.ix_(seen, seen)] * np.outer(scale, scale)
            half = linalg.solve_triangular(lower, sampling, lower=True)
            values, vectors = np.linalg.eigh(linalg.solve_triangular(lower, half.T, lower=True))
            kept = slice(0, len(values))
            rotation[j, kept][:, seen] = linalg.solve_triangular(lower, vectors, lower=True, trans="T").T
            spectrum[j, kept] = np.maximum(values, 0.0)
            log_root[j] = 2 * np.log(np.diag(lower)).sum()
        live = np.arange(T) < panel.present.sum(1)[:, None]
        ones = rotation.sum(2)  # B_j 1
        some = panel.present.any(1)
        turned = np.einsum("jkt,njt->njk", rotation, centred)
        stacks = [(arm, rotation[arm].reshape(-1, T)) for arm in (panel.treated, ~panel.treated)]
        for share in shares:
            scale2 = np.where(live, (share * mean) ** 2 + spectrum, 1.0)
            if (scale2 <= 0).any():
                # No organisation shocks and a singular member covariance: the density does not exist.
                points.append((share, rho))
                loglik.append(np.full(len(runs), -np.inf))
                gls.append(np.zeros(len(runs)))
                var_gls.append(0.0)
                continue
            precision = live / scale2
            toward = np.einsum("jkt,jk->jt", rotation, precision * ones)  # V^-1 1
            total = np.where(some, (precision * ones**2).sum(1), 1.0)  # 1'V^-1 1
            root = toward / np.sqrt(total)[:, None]
            along = np.einsum("njk,jk->nj", turned, precision * ones) / np.sqrt(total)
            H, g = np.zeros((size, size)), np.zeros((len(runs), size))
            for arm, stack in stacks:
                index = columns[np.argmax(arm)]
                H[np.ix_(index, index)] += stack.T @ (precision[arm].reshape(-1, 1) * stack)
                H[np.ix_(index, index)] -= root[arm].T @ root[arm]
                g[:, index] += (turned[:, arm] * precision[arm]).reshape(len(runs), -1) @ stack
                g[:, index] -= along[:, arm] @ root[arm]
            log_pdet, solved, solved_target = _solve(H, g, target, null)
            quadratic = (turned**2 * precision).sum((1, 2)) - (along**2).sum(1) - (g * solved).sum(1)
            log_det = log_root.sum() + np.log(scale2).sum() + np.log(total).sum()
            points.append((share, rho))
            loglik.append(-0.5 * (log_det + log_pdet + quadratic))
            gls.append(solved @ target)
            var_gls.append(float(target @ solved_target))
    where = np.array(points)
    order = np.lexsort((where[:, 1], where[:, 0]))
    return Grid(
        sigma_share=where[order, 0],
        rho=where[order, 1],
        loglik=np.array(loglik)[order].T,
        gls=np.array(gls)[order].T,
        var_gls=np.array(var_gls)[order],
    )


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
) -> tuple[float, np.ndarray, np.ndarray]:
    """Log pseudo-determinant of H, and H^+ applied to the rows of g and to the target."""
    level = np.trace(H) / len(H)
    factor = linalg.cho_factor(H + level * (null @ null.T), lower=True)
    log_pdet = 2 * np.log(np.diag(factor[0])).sum() - null.shape[1] * np.log(level)
    inside = target - null @ (null.T @ target)
    return float(log_pdet), linalg.cho_solve(factor, g.T).T, linalg.cho_solve(factor, inside)


def correlation(months: np.ndarray, rho: float) -> np.ndarray:
    return rho ** np.abs(np.subtract.outer(months, months)).astype(float)


def quadratic_forms(weights: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """w'Mw for the rows of weights (K, J, T): (K, J)."""
    return np.einsum("kjt,kjt->kj", weights @ matrix, weights)
