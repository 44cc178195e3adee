"""Regressions on cells again and again: without each cluster, and with clusters drawn anew.

A draw of clusters counts each cluster's rows 0, 1, 2, ... times. Effects that lie inside one cluster are
taken out within it once, whatever the draw; the rest of the normal equations are sums of one block per
cluster, so that thousands of draws are one matrix product and one batch of small solves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medhome.models.cells_regression import CellsFit, clusters
from medhome.models.panels.absorb import Effects
from medhome.models.panels.sandwich import nested
from medhome.study.problems import ModelRefusal

_STEP = 21
"""Step of the random numbers of the cluster bootstrap."""

LARGEST_BLOCKS = 50_000_000
"""Numbers in all clusters' blocks together."""


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """Normal equations of each cluster. A: (G, M, M), b: (G, M), with M = K terms and then effects that are
    not nested in clusters, one level of each left out; K: number of terms."""

    A: np.ndarray
    b: np.ndarray
    K: int

    @classmethod
    def of(cls, fit: CellsFit) -> Blocks:
        """The blocks of a fit's own clusters."""
        design, moments = fit.design, fit.design.moments
        code, labels = clusters(moments, fit.cluster)
        G, K, n = len(labels), len(fit.names), len(moments.weight)
        levels = design.effects.levels
        own = {name: level for name, level in levels.items() if nested(level, code)}
        explicit = [np.ones((1, n))] if not own else []
        for level in (level for name, level in levels.items() if name not in own):
            # One level is left out: the constant, or the nested effects, stand for it.
            explicit.append((np.arange(1, level.max() + 1)[:, None] == level).astype(float))
        X = np.vstack([design.Z, *explicit, design.y])
        M = len(X) - 1
        if G * M * M > LARGEST_BLOCKS:
            raise ModelRefusal(
                f"resampling of clusters: {G:,} clusters with {M:,} terms and levels of effects across "
                "clusters are too many; take coarser effects"
            )
        if own:
            X = Effects(levels=own, weights=moments.weight).residual(X.T).T
        A, b = np.zeros((G, M, M)), np.zeros((G, M))
        order = np.argsort(code, kind="stable")
        ends = np.searchsorted(code[order], np.arange(G + 1))
        for g in range(G):
            here = order[ends[g] : ends[g + 1]]
            part = X[:, here]
            product = (part * moments.weight[here]) @ part.T
            A[g], b[g] = product[:M, :M], product[:M, M]
        for (i, j), values in design.zz.items():
            inside = np.bincount(code, values, G)
            A[:, i, j] += inside
            if i != j:
                A[:, j, i] += inside
        for i, values in design.zy.items():
            b[:, i] += np.bincount(code, values, G)
        return cls(A=A, b=b, K=K)

    def solve(self, counts: np.ndarray, chunk: int = 250) -> np.ndarray:
        """(R, K) coefficients with each cluster counted as in (R, G); NaN where a draw does not tell them."""
        G, M = self.b.shape
        flat = np.concatenate([self.A.reshape(G, M * M), self.b], axis=1)
        whole = np.sqrt(np.einsum("gmm->m", self.A))
        found = [
            _solved(sums[:, : M * M].reshape(-1, M, M), sums[:, M * M :], self.K, whole)
            for start in range(0, len(counts), chunk)
            for sums in [counts[start : start + chunk].astype(float) @ flat]
        ]
        return np.concatenate(found) if found else np.zeros((0, self.K))


def leave_one_out(fit: CellsFit) -> np.ndarray:
    """(G, K) coefficients without each cluster; NaN where they cannot be told without it."""
    return Blocks.of(fit).solve(1.0 - np.eye(fit.clusters))


def bootstrap(fit: CellsFit, draws: int = 2000, seed: int = 0) -> np.ndarray:
    """(draws, K) coefficients with the fit's clusters drawn with replacement (pairs cluster bootstrap).

    A cluster drawn twice counts twice. A draw in which a coefficient cannot be told from the effects (no
    treated cluster in it) is NaN: count them, do not hide them.
    """
    rng = np.random.default_rng([seed, _STEP])
    G = fit.clusters
    return Blocks.of(fit).solve(rng.multinomial(G, np.full(G, 1 / G), size=draws))


def _solved(A: np.ndarray, b: np.ndarray, K: int, whole: np.ndarray) -> np.ndarray:
    """Coefficients of the first K of M terms, for R systems at once; whole: (M,) sizes in all clusters."""
    R, M = b.shape
    # What is left of a column that a draw does not vary is rounding, to be measured by the whole sample.
    size = np.sqrt(np.einsum("rmm->rm", A))
    size = np.where(size > 1e-6 * whole, size, whole)
    A, b = A / size[:, :, None] / size[:, None, :], b / size
    term, effect = slice(0, K), slice(K, M)
    if M > K:
        right = np.concatenate([A[:, effect, term], b[:, effect, None]], axis=2)
        taken = _minimum(A[:, effect, effect], right)
        A, b = (
            A[:, term, term] - A[:, term, effect] @ taken[:, :, :K],
            b[:, term] - (A[:, term, effect] @ taken[:, :, K:])[:, :, 0],
        )
    least = np.linalg.eigvalsh((A + A.transpose(0, 2, 1)) / 2)[:, 0] if K else np.ones(R)
    told = least > 1e-10
    found = np.full((R, K), np.nan)
    found[told] = np.linalg.solve(A[told], b[told][:, :, None])[:, :, 0]
    return found / size[:, term]


def _minimum(A: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solutions of symmetric systems, by least norm where a level of an effect is not in the draw."""
    sound = np.linalg.eigvalsh(A)[:, 0] > 1e-9
    found = np.zeros_like(right)
    found[sound] = np.linalg.solve(A[sound], right[sound])
    for r in np.flatnonzero(~sound):
        found[r] = np.linalg.pinv(A[r], rcond=1e-10, hermitian=True) @ right[r]
    return found
