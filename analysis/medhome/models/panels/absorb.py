"""Least squares with absorbed fixed effects: which slopes remain once units, months, areas are taken out?

Exact, not iterated to a tolerance that somebody chose: the largest effect is swept out by weighted means and
the others by one dense solve; only past `DENSE_AT_MOST` further levels does a conjugate-gradient solve take
over, whose result is checked. Levels with a single row (singletons) are kept and counted: dropping them would
lose units with one month before the start. Columns that the effects or earlier columns explain are dropped by
name, in the order given, with a warning. Source: ``docs/methods/panel-estimators.md``, fixed effects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

from medhome.study.problems import ModelRefusal

COLLINEAR = 1e-10
"""Share of a column's own variation (about its mean) below which it counts as explained by the others."""
DENSE_AT_MOST = 2500
SOLVED = 1e-9
CONJUGATE_STOP = 1e-26


def codes(values: np.ndarray) -> np.ndarray:
    """(N,) positions 0..L-1 of the sorted distinct values."""
    return np.unique(np.asarray(values), return_inverse=True)[1].reshape(-1).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Effects:
    """Fixed effects of N rows: ``levels`` maps a name to (N,) positions; weights (N,) positive.

    >>> e = Effects(levels={"unit": np.array([0, 0, 1, 1])}, weights=np.ones(4))
    >>> e.residual(np.array([1.0, 3.0, 5.0, 5.0])).tolist()
    [-1.0, 1.0, 0.0, 0.0]
    """

    levels: Mapping[str, np.ndarray]
    weights: np.ndarray

    @cached_property
    def sizes(self) -> dict[str, int]:
        return {name: int(level.max()) + 1 for name, level in self.levels.items()}

    @cached_property
    def singletons(self) -> dict[str, int]:
        """How many levels of each effect hold a single row."""
        return {name: int((np.bincount(level) == 1).sum()) for name, level in self.levels.items()}

    @cached_property
    def _order(self) -> list[str]:
        return sorted(self.levels, key=lambda name: (-self.sizes[name], name))

    @cached_property
    def _dummies(self) -> csr_matrix:
        """Indicators (N, L) of all effects but the largest."""
        rows = len(self.weights)
        offset, columns = 0, []
        for name in self._order[1:]:
            columns.append(self.levels[name] + offset)
            offset += self.sizes[name]
        column = np.stack(columns, axis=1).ravel()
        start = np.arange(0, len(column) + 1, len(columns))
        return csr_matrix((np.ones(len(column)), column, start), shape=(rows, offset))

    def _means(self, x: np.ndarray) -> np.ndarray:
        level = self.levels[self._order[0]]
        mass = np.bincount(level, weights=self.weights)
        if x.shape[1] == 1:
            return (np.bincount(level, weights=self.weights * x[:, 0]) / mass)[level][:, None]
        spread = csr_matrix((self.weights, (level, np.arange(len(level)))), shape=(len(mass), len(level)))
        return (np.asarray(spread @ x) / mass[:, None])[level]

    @cached_property
    def _gram(self) -> tuple[csr_matrix, csr_matrix, np.ndarray]:
        """Gram of the dummies, their cross with the largest effect, and that effect's weights."""
        level = self.levels[self._order[0]]
        D = self._dummies
        weighted = D.multiply(self.weights[:, None]).tocsr()
        first = csr_matrix((np.ones(len(level)), (np.arange(len(level)), level)))
        return (
            (D.T @ weighted).tocsr(),
            (first.T @ weighted).tocsr(),
            np.bincount(level, weights=self.weights),
        )

    @cached_property
    def _inverse(self) -> np.ndarray:
        gram, cross, mass = self._gram
        swept = gram.toarray() - (cross.T @ cross.multiply(1 / mass[:, None])).toarray()
        scale = np.sqrt(np.maximum(gram.diagonal(), 1e-300))
        value, vector = np.linalg.eigh(swept / np.outer(scale, scale))
        kept = value > 1e-11
        vector = vector[:, kept] / scale[:, None]
        return (vector / value[kept]) @ vector.T

    def _conjugate(self, right: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Solve the swept normal equations for columns of ``right``, from data of square ``size``."""
        gram, cross, mass = self._gram
        scale = np.asarray(gram.diagonal())[:, None]

        def swept(v: np.ndarray) -> np.ndarray:
            return gram @ v - cross.T @ ((cross @ v) / mass[:, None])

        x = np.zeros_like(right)
        r = right.copy()
        z = r / scale
        p = z.copy()
        rz = (r * z).sum(0)
        for _ in range(5000):
            going = rz > CONJUGATE_STOP * size
            if not going.any():
                break
            p = p * going  # a solved column stays: further steps follow rounding only
            moved = swept(p)
            curve = (p * moved).sum(0)
            step = np.divide(rz, curve, out=np.zeros_like(rz), where=going & (curve > 0))
            x += step * p
            r -= step * moved
            z = r / scale
            new = (r * z).sum(0)
            p = z + np.divide(new, rz, out=np.zeros_like(rz), where=rz > 0) * p
            rz = new
        return x

    def residual(self, x: np.ndarray) -> np.ndarray:
        """Columns of x (N,) or (N, K) less their weighted projection on all the effects."""
        x = np.asarray(x, dtype=float)
        if not self.levels:
            return x.copy()
        flat = x.ndim == 1
        block = x[:, None] if flat else x
        if block.shape[1] == 0:
            return x.copy()
        out = block
        for _ in range(1 if len(self.levels) == 1 else 2):  # the second pass removes the first's rounding
            out = out - self._means(out)
            if len(self.levels) > 1:
                D = self._dummies
                right = np.asarray(D.T @ (self.weights[:, None] * out))
                if D.shape[1] <= DENSE_AT_MOST:
                    solved = self._inverse @ right
                else:
                    solved = self._conjugate(right, (self.weights[:, None] * block**2).sum(0))
                out = out - np.asarray(D @ solved)
                out = out - self._means(out)
        self._check(block, out)
        return out[:, 0] if flat else out

    def _check(self, before: np.ndarray, after: np.ndarray) -> None:
        size = np.sqrt(np.average(before**2, axis=0, weights=self.weights))
        for name, level in self.levels.items():
            mass = np.bincount(level, weights=self.weights)
            for k in range(after.shape[1]):
                left = np.abs(np.bincount(level, weights=self.weights * after[:, k]) / mass).max()
                if left > SOLVED * max(size[k], 1e-300):
                    raise ModelRefusal(
                        f"The fixed effect {name} could not be taken out exactly ({left:.2g} is left); "
                        "scale the column, or drop levels that hang together by a few rows only."
                    )


@dataclass(frozen=True, kw_only=True)
class Regression:
    """A weighted least-squares (or last weighted step of a generalised linear) fit, ready for a sandwich.

    names, beta: (K,) kept columns. design: (N, K) with the effects taken out. residual: (N,) on the response
    scale; a row's score is weights * design * residual and bread is the inverse of design' weights design.
    effects: what was absorbed. dropped: collinear columns. linear: False for a generalised linear fit.
    """

    names: tuple[str, ...]
    beta: np.ndarray
    design: np.ndarray
    residual: np.ndarray
    weights: np.ndarray
    bread: np.ndarray
    effects: Effects
    dropped: tuple[str, ...] = ()
    linear: bool = True
    score_residual: np.ndarray | None = field(default=None)

    @property
    def rows(self) -> int:
        return len(self.residual)

    @property
    def warnings(self) -> tuple[str, ...]:
        found = []
        if self.dropped:
            found.append(
                f"Dropped as collinear with the fixed effects or earlier columns: {', '.join(self.dropped)}."
            )
        for name, count in self.effects.singletons.items():
            if count:
                found.append(f"{count} level{'s' if count > 1 else ''} of {name} with a single row, kept.")
        return tuple(found)

    def position(self, name: str) -> int:
        """Where a column stands; a dropped one is refused, because its coefficient does not exist."""
        if name not in self.names:
            raise ModelRefusal(
                f"{name} cannot be told apart from the fixed effects and the other columns; "
                "leave out the column that repeats it."
            )
        return self.names.index(name)

    def scores(self) -> np.ndarray:
        """(N, K) weights * design * residual."""
        base = self.weights * self.residual if self.score_residual is None else self.score_residual
        return self.design * base[:, None]


def least_squares(
    outcome: np.ndarray,
    columns: np.ndarray,
    names: Sequence[str],
    *,
    weights: np.ndarray | None = None,
    effects: Mapping[str, np.ndarray] | None = None,
) -> Regression:
    """Weighted least squares of outcome (N,) on columns (N, K) with 0 to 4 absorbed effects.

    effects: name to (N,) values of any kind. Without effects a constant is a column of the caller's.

    >>> y, d = np.array([1.0, 3.0, 1.0, 2.0]), np.array([0.0, 1.0, 0.0, 0.0])
    >>> unit, time = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> least_squares(y, d[:, None], ["d"], effects={"unit": unit, "time": time}).beta.round(9).tolist()
    [1.0]
    """
    y = np.asarray(outcome, dtype=float)
    x = np.asarray(columns, dtype=float).reshape(len(y), -1)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    if len(effects or {}) > 4:
        raise ModelRefusal(f"{len(effects or {})} fixed effects asked for; at most 4 can be absorbed.")
    absorbed = Effects(levels={k: codes(v) for k, v in (effects or {}).items()}, weights=w)
    kept, tilde = independent(x, absorbed)
    gram = tilde.T @ (w[:, None] * tilde)
    y_tilde = absorbed.residual(y)
    bread = symmetric_inverse(gram)
    beta = bread @ (tilde.T @ (w * y_tilde))
    residual = y_tilde - tilde @ beta
    beta = beta + bread @ (tilde.T @ (w * residual))
    residual = y_tilde - tilde @ beta
    return Regression(
        names=tuple(names[k] for k in kept),
        beta=beta,
        design=tilde,
        residual=residual,
        weights=w,
        bread=bread,
        effects=absorbed,
        dropped=tuple(name for k, name in enumerate(names) if k not in kept),
    )


def independent(x: np.ndarray, effects: Effects) -> tuple[list[int], np.ndarray]:
    """Columns that neither the effects nor earlier columns explain, and those with the effects taken out."""
    w = effects.weights
    tilde = effects.residual(x)
    centred = x - np.average(x, axis=0, weights=w) if effects.levels else x
    size = (w[:, None] * centred**2).sum(0)
    basis: list[np.ndarray] = []
    kept = []
    for k in range(x.shape[1]):
        left = tilde[:, k]
        for _ in range(2):
            for b in basis:
                left = left - b * ((w * b) @ left)
        norm = (w * left) @ left
        if size[k] > 0 and norm > COLLINEAR * size[k]:
            kept.append(k)
            basis.append(left / np.sqrt(norm))
    return kept, tilde[:, kept]


def symmetric_inverse(gram: np.ndarray) -> np.ndarray:
    """Inverse of a positive definite matrix with its diagonal scaled to one; singular parts are left out."""
    scale = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    value, vector = np.linalg.eigh(gram / np.outer(scale, scale))
    kept = value > 1e-12 * max(1.0, value.max(initial=0.0))
    vector = vector[:, kept] / scale[:, None]
    return np.asarray((vector / value[kept]) @ vector.T)
