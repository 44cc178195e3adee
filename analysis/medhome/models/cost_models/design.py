"""How does a table become the outcome, columns, weights and clusters of a cost model?

A table is checked once, here. Nothing is dropped and nothing is filled: a missing value is refused with its
column and row. Rows are put into one order, so that the order of the file cannot move a digit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.models.panels.absorb import codes
from medhome.study.problems import DataProblem, StudyFileError, printable

MOST_LEVELS = 200
COLLINEAR = 1e-10
LARGEST = 1e12
"""Larger numbers than this are no cost and no covariate; their squares would drown all others."""
INTERCEPT = "intercept"


@dataclass(frozen=True, kw_only=True)
class Term:
    """One covariate: ``number``, ``flag`` (0 or 1) or ``category`` with its levels, the reference first."""

    name: str
    kind: str
    columns: tuple[int, ...]
    levels: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CostTable:
    """N rows ready to fit: y, x (N, K) with the intercept first, weights, clusters (N,) 0..G-1.

    kept: columns of x that earlier ones do not explain; dropped: names of the others. by_row: no cluster
    column was named, so that each row stands for itself. negative, negative_sum: outcomes below zero.

    Where rows are sums of like rows (`patterns.collapsed`), counts (N,) is how many each one stands for, y
    their weighted mean, within (N,) the weighted mean of their squared deviations from it, and pattern (N,)
    numbers the distinct rows of x. Otherwise the three are none.
    """

    y: np.ndarray
    x: np.ndarray
    weights: np.ndarray
    cluster: np.ndarray
    names: tuple[str, ...]
    terms: tuple[Term, ...]
    kept: tuple[int, ...]
    by_row: bool
    weighted: bool
    outcome_name: str
    negative: int
    negative_sum: float
    counts: np.ndarray | None = None
    within: np.ndarray | None = None
    pattern: np.ndarray | None = None

    @property
    def size(self) -> int:
        """How many rows of the table as it was given."""
        return len(self.y) if self.counts is None else int(self.counts.sum())

    @property
    def scatter(self) -> np.ndarray:
        """(N,) mean squared deviation from y of the rows that each row stands for."""
        return np.zeros(len(self.y)) if self.within is None else self.within

    def of_each(self, values: np.ndarray) -> np.ndarray:
        """Values (N,) as often as rows stand behind them."""
        return values if self.counts is None else np.repeat(values, self.counts)

    def rows_of(self, rows: np.ndarray) -> int:
        """How many rows of the table as it was given stand behind these rows (a mask or positions)."""
        return len(self.y[rows]) if self.counts is None else int(self.counts[rows].sum())

    @property
    def dropped(self) -> tuple[str, ...]:
        return tuple(n for k, n in enumerate(self.names) if k not in self.kept)

    @property
    def kept_names(self) -> tuple[str, ...]:
        return tuple(self.names[k] for k in self.kept)

    @property
    def clusters(self) -> int:
        return int(self.cluster.max()) + 1

    def term(self, name: str) -> Term:
        for term in self.terms:
            if term.name == name:
                return term
        raise StudyFileError(
            f"{printable(name)} is no covariate of this model; its covariates are "
            f"{', '.join(t.name for t in self.terms) or 'none'}"
        )

    def contrasts(self, name: str) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """(words, x with the change, x without) for a covariate: each level against the reference, 1 against
        0, or one unit more than observed. Kept columns only."""
        term = self.term(name)
        low, high = self.x.copy(), self.x.copy()
        if term.kind == "category":
            low[:, term.columns] = 0.0
            found = []
            for column, level in zip(term.columns, term.levels[1:], strict=True):
                changed = low.copy()
                changed[:, column] = 1.0
                found.append((f"{level} against {term.levels[0]}", changed[:, self.kept], low[:, self.kept]))
            return found
        column = term.columns[0]
        if term.kind == "flag":
            low[:, column], high[:, column] = 0.0, 1.0
            return [("1 against 0", high[:, self.kept], low[:, self.kept])]
        high[:, column] += 1.0
        return [("one unit more", high[:, self.kept], low[:, self.kept])]


def cost_table(
    frame: pd.DataFrame,
    *,
    outcome: str,
    covariates: Sequence[str],
    weights: str | None = None,
    cluster: str | None = None,
    categorical: Sequence[str] = (),
    reference: Mapping[str, str] | None = None,
) -> CostTable:
    """Check a table (one row per person and period) and build its design.

    Text columns, and those named in `categorical`, become one 0/1 column per level but the reference (the
    first in sorted order, or the one named). Raises `DataProblem` naming column and row.

    >>> frame = pd.DataFrame({"cost": [1.0, 2.0, 4.0], "sex": ["F", "M", "F"]})
    >>> cost_table(frame, outcome="cost", covariates=["sex"]).names
    ('intercept', 'sex=M')
    """
    chosen = dict(reference or {})
    for name in (outcome, *covariates, *([weights] if weights else []), *([cluster] if cluster else [])):
        if name not in frame.columns:
            there = ", ".join(printable(c, 30) for c in list(frame.columns)[:30])
            raise DataProblem(f"there is no column {printable(name)!r}; columns are {there}")
    if len(set(covariates)) < len(covariates) or outcome in covariates:
        raise StudyFileError("a covariate is named twice, or is the outcome itself")
    for asked in (*categorical, *chosen):
        if asked not in covariates:
            raise StudyFileError(f"{printable(asked)} is not among the covariates")
    if frame.empty:
        raise DataProblem("the table has no rows")
    y = _number(frame, outcome)
    w = _number(frame, weights) if weights else np.ones(len(y))
    if (w <= 0).any():
        row = int(np.flatnonzero(w <= 0)[0])
        raise DataProblem(f"column {weights!r}, row {row + 1}: a weight must be above zero; it is {w[row]:g}")
    columns, names, terms = [np.ones(len(y))], [INTERCEPT], []
    for name in covariates:
        kind, labels, made = _columns(frame, name, name in categorical, chosen.get(name))
        place = tuple(range(len(names), len(names) + len(made)))
        terms.append(Term(name=name, kind=kind, columns=place, levels=labels))
        columns += made
        names += [f"{name}={level}" for level in labels[1:]] if kind == "category" else [name]
    x = np.column_stack(columns)
    group = _clusters(frame, cluster) if cluster else np.zeros(len(y), dtype=np.int64)
    mix = x @ np.sqrt(np.arange(2.0, 2.0 + x.shape[1]))
    order = np.lexsort((mix, y, w, group))
    x, y, w, group = x[order], y[order], w[order], group[order]
    return CostTable(
        y=y,
        x=x,
        weights=w,
        cluster=group if cluster else np.arange(len(y)),
        names=tuple(names),
        terms=tuple(terms),
        kept=independent_columns(x, w),
        by_row=cluster is None,
        weighted=weights is not None,
        outcome_name=outcome,
        negative=int((y < 0).sum()),
        negative_sum=float(y[y < 0].sum()),
    )


def independent_columns(x: np.ndarray, weights: np.ndarray) -> tuple[int, ...]:
    """Columns of x (N, K; the intercept first) that earlier ones do not explain, by elimination.

    >>> independent_columns(np.array([[1.0, 2, 4], [1, 3, 6], [1, 5, 10]]), np.ones(3))
    (0, 1)
    """
    centred = x[:, 1:] - np.average(x[:, 1:], axis=0, weights=weights)
    gram = centred.T @ (weights[:, None] * centred)
    raw = (weights[:, None] * x[:, 1:] ** 2).sum(0)
    size = np.diag(gram).copy()
    scale = np.where(size > COLLINEAR * raw, np.sqrt(np.maximum(size, 1e-300)), np.inf)
    left = gram / np.outer(scale, scale)
    kept = [0]
    for k in range(len(size)):
        if left[k, k] > COLLINEAR:
            kept.append(k + 1)
            left = left - np.outer(left[:, k], left[k]) / left[k, k]
    return tuple(kept)


def _columns(
    frame: pd.DataFrame, name: str, categorical: bool, reference: str | None
) -> tuple[str, tuple[str, ...], list[np.ndarray]]:
    column = frame[name]
    if pd.api.types.is_bool_dtype(column) and not categorical:
        _present(column, name)
        return "flag", (), [column.to_numpy(dtype=float)]
    if pd.api.types.is_numeric_dtype(column) and not categorical:
        if reference is not None:
            raise StudyFileError(
                f"{printable(name)} is a number and has no reference level; name it categorical"
            )
        values = _number(frame, name)
        return "flag" if np.isin(values, (0.0, 1.0)).all() else "number", (), [values]
    _present(column, name)
    if pd.api.types.is_float_dtype(column) and (column == column.round()).all():
        column = column.astype("int64")
    text = column.astype(str).to_numpy(dtype=object)
    numeric = pd.api.types.is_numeric_dtype(column)
    levels = [str(v) for v in sorted(column.unique())] if numeric else sorted(set(text))
    if len(levels) > MOST_LEVELS:
        raise DataProblem(
            f"column {printable(name)!r} has {len(levels):,} levels, more than {MOST_LEVELS}: it looks "
            f"like a key, "
            "not a covariate; name it as the cluster, or group its levels"
        )
    if reference is not None:
        if reference not in levels:
            raise StudyFileError(
                f"{printable(name)} has no level {printable(reference)!r}; levels are "
                f"{', '.join(printable(v, 30) for v in levels[:20])}"
            )
        levels.remove(reference)
        levels.insert(0, reference)
    return "category", tuple(levels), [(text == level).astype(float) for level in levels[1:]]


def _clusters(frame: pd.DataFrame, name: str) -> np.ndarray:
    _present(frame[name], name)
    values = frame[name]
    return codes(
        values.to_numpy() if pd.api.types.is_numeric_dtype(values) else values.astype(str).to_numpy(str)
    )


def _present(column: pd.Series, name: str) -> None:
    missing = column.isna().to_numpy()
    if missing.any():
        raise DataProblem(
            f"column {printable(name)!r} is empty in {int(missing.sum()):,} rows, the first is row "
            f"{int(np.flatnonzero(missing)[0]) + 1}; fill them or leave these rows out, and say so"
        )


def _number(frame: pd.DataFrame, name: str) -> np.ndarray:
    column = frame[name]
    _present(column, name)
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    wrong = ~np.isfinite(values)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DataProblem(
            f"column {printable(name)!r}, row {row + 1}: {printable(column.iloc[row])!r} is no finite number"
        )
    large = np.abs(values) > LARGEST
    if large.any():
        row = int(np.flatnonzero(large)[0])
        raise DataProblem(
            f"column {printable(name)!r}, row {row + 1}: {values[row]:g} is beyond {LARGEST:g}; check its "
            "unit, or correct the value"
        )
    return values
