"""RE-panel's posterior for one panel after another, each with its own covariance: a benchmark's short cut.

`models.inference.random_effects` shares the matrices of its grid between the panels of one covariance. Where
the members' covariance is estimated anew in every panel nothing is shared, and the same numbers are reached
with less work, for panels without gaps and treated organisations of one size:

- in the eigenvectors of the members' covariance relative to R(rho) every comparison's precision is diagonal;
- the treated arm's own months after the start are absorbed by its own month effects: what is left of that arm
  is the mean of its months before, and its organisations' deviations from their mean;
- one Cholesky factor of [[H, g], [g', q]] gives the determinant of H and q - g'H^+g together.

`benchmarks.few_clusters` compares the intervals with those of ``re_panel_runs`` and stops where they differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from medhome.models.inference.contrasts import month_shares, signed_weights
from medhome.models.inference.panel_likelihood import AUTOCORRELATIONS, GRID_STEP, correlation
from medhome.models.inference.random_effects import GRID_END, PRIOR_SCALE

SHARES = np.linspace(0.0, GRID_END, round(GRID_END / GRID_STEP) + 1)


@dataclass(frozen=True)
class Posterior:
    """weight (R, S) of the grid's points, sd (R, S) of the member-weighted effect there, the effect itself,
    and the posterior mean of A."""

    weight: np.ndarray
    sd: np.ndarray
    estimate: float
    A: float

    def inside(self, half: float) -> float:
        """Posterior that the effect is within `half` of its estimate."""
        return float((self.weight * (2 * special.ndtr(half / self.sd) - 1)).sum())

    def half(self, level: float = 0.95) -> float:
        """Half the length of the interval: the mixture is symmetric about the estimate."""
        low, high = 0.0, 12 * float(self.sd.max())
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if self.inside(middle) < level else (low, middle)
        return (low + high) / 2


class Design:
    """What all panels of one setting share: members (J,), the treated organisations first and of one size."""

    def __init__(self, members: np.ndarray, treated: int, months: int, before: int, mean: float) -> None:
        if np.ptp(members[:treated]) > 0:
            raise ValueError("the short cut needs treated organisations of one size")
        self.members, self.treated, self.before, self.mean = members, treated, before, mean
        self.share = month_shares(np.arange(months) >= before)
        self.weights = signed_weights(members, np.arange(len(members)) < treated)
        drift = [correlation(np.arange(months), rho) for rho in AUTOCORRELATIONS]
        self.roots = np.linalg.cholesky(np.array(drift))
        self.inverse = np.linalg.inv(self.roots)
        # The factor of the leading months is the leading block of the factor.
        self.inverse_before = np.linalg.inv(self.roots[:, :before, :before])
        self.unit_A = np.array([self.share @ R @ self.share for R in drift])
        # Comparisons of one size are taken together: position of each in a table (sizes, most of one size).
        self.sizes, of = np.unique(members[treated:], return_inverse=True)
        order = np.argsort(of, kind="stable")
        self.many = np.bincount(of)
        place = np.arange(len(of)) - np.repeat(np.cumsum(self.many) - self.many, self.many)
        self.slot = (of[order], place)
        self.order = treated + order

    def posterior(self, y: np.ndarray, covariance: np.ndarray) -> Posterior:
        """y: (J, T) panel; covariance: (T, T) of one member's months, positive definite."""
        sigma2 = (SHARES * self.mean) ** 2
        c_sampling = self.share @ covariance @ self.share
        loglik = self._loglik(y, covariance, sigma2)
        weight = np.exp(loglik - loglik.max()) * np.exp(-0.5 * (SHARES / PRIOR_SCALE) ** 2)
        weight[:, [0, -1]] *= 0.5
        weight /= weight.sum()
        A = sigma2 * self.unit_A[:, None]
        a = self.weights
        return Posterior(
            weight=weight,
            sd=np.sqrt(A * (a @ a) + c_sampling * (a**2 / self.members).sum()),
            estimate=float(a @ (y @ self.share)),
            A=float((weight * A).sum()),
        )

    def _loglik(self, y: np.ndarray, covariance: np.ndarray, sigma2: np.ndarray) -> np.ndarray:
        """(R, S) restricted log likelihood, up to a constant."""
        n1, t0, T = self.treated, self.before, y.shape[1]
        values, vectors, turn = _rotations(self.inverse, covariance)
        values_before, _, turn_before = _rotations(self.inverse_before, covariance[:t0, :t0])
        back = self.roots @ vectors  # the inverse of `turn`
        centred = y - y.mean(1, keepdims=True)
        arm = y[:n1].mean(0)
        apart = centred[:n1] - centred[:n1].mean(0)
        spread = np.zeros((len(self.sizes), self.many.max(), T))
        spread[self.slot] = centred[self.order]
        S = len(sigma2)
        bordered = np.empty((len(turn), S, T + 1, T + 1))
        log_det = np.empty((len(turn), S))
        diagonal = np.arange(T)
        for r, B in enumerate(turn):
            ones = B.sum(1)
            scale2 = sigma2[:, None, None] + values[r] / self.sizes[:, None]  # (S, A, K)
            precision = 1 / scale2
            total = precision @ ones**2  # (S, A)
            along = precision * (ones / np.sqrt(total)[..., None])  # (S, A, K) V^-1 1, scaled
            weighted = along * np.sqrt(self.many)[:, None]
            z = spread @ B.T  # (A, G, K)
            summed = z.sum(1)
            inner = along.transpose(1, 0, 2) @ z.transpose(0, 2, 1)  # (A, S, G)
            H = -(weighted.transpose(0, 2, 1) @ weighted)
            H[:, diagonal, diagonal] += self.many @ precision
            g = np.ones(len(self.sizes)) @ (precision * summed) - (inner.sum(2).T[:, None] @ along)[:, 0]
            q = np.tensordot(precision, (z**2).sum(1), 2) - np.einsum("asg,asg->s", inner, inner)
            log_det[r] = (np.log(scale2) @ np.ones(T) + np.log(total)) @ self.many

            # The treated arm before the start.
            Bp = turn_before[r]
            scale_before = (sigma2[:, None] + values_before[r] / self.members[0]) / n1
            p, o = 1 / scale_before, Bp.sum(1)
            total = p @ o**2
            d = p * (o / np.sqrt(total)[:, None])
            E = Bp @ back[r][:t0]
            lone = Bp @ (arm[:t0] - arm[:t0].mean())
            H += (E.T * p[:, None, :]) @ E
            root = d @ E
            H -= root[:, :, None] * root[:, None, :]
            g += (p * lone) @ E - (d @ lone)[:, None] * root
            q += p @ lone**2 - (d @ lone) ** 2
            log_det[r] += np.log(scale_before).sum(1) + np.log(total)

            if n1 > 1:  # its organisations about their mean, all months
                scale1 = sigma2[:, None] + values[r] / self.members[0]
                p = 1 / scale1
                total = p @ ones**2
                d = p * (ones / np.sqrt(total)[:, None])
                z1 = apart @ B.T
                q += p @ (z1**2).sum(0) - ((d @ z1.T) ** 2).sum(1)
                log_det[r] += (n1 - 1) * (np.log(scale1).sum(1) + np.log(total))

            null = back[r].sum(0) / np.sqrt(T)
            level = np.trace(H, axis1=1, axis2=2) / T
            bordered[r, :, :T, :T] = H + level[:, None, None] * np.outer(null, null)
            bordered[r, :, T, :T] = g
            bordered[r, :, :T, T] = g
            bordered[r, :, T, T] = q
            log_det[r] -= np.log(level)
        factor = np.diagonal(np.linalg.cholesky(bordered), axis1=2, axis2=3)
        log_root = 2 * np.log(np.diagonal(self.roots, axis1=1, axis2=2))
        same = (self.many.sum() + n1 - 2) * log_root.sum(1) + log_root[:, :t0].sum(1)
        log_det += same[:, None] + 2 * np.log(factor[..., :T]).sum(2)
        return -0.5 * (log_det + factor[..., T] ** 2)


def _rotations(inverse: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(eigenvalues (R, K), eigenvectors, B) with V^-1 = B' diag(1 / (sigma^2 + values / members)) B."""
    values, vectors = np.linalg.eigh(inverse @ covariance @ inverse.transpose(0, 2, 1))
    return np.maximum(values, 0.0), vectors, vectors.transpose(0, 2, 1) @ inverse
