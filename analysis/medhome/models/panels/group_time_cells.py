"""The cells of waves and times: which units each compares, and what it finds, with influence functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from medhome.models.panels.doubly_robust import CellEffects, design, panel_effects, repeated_effect
from medhome.study.panel_data import NEVER, PanelData
from medhome.study.problems import ModelRefusal


@dataclass(frozen=True, kw_only=True)
class GroupTime:
    """Effects of C cells, the waves first, then time.

    group, time, base_time: (C,) in the units of the data's times. estimate: (C,), 0 in reference cells.
    influence: (n, C) by sampling unit (a unit of a panel, a row of repeated cross-sections), zero where a
    unit is in no such cell; the standard error of an estimate is the root of the sum of squares, divided by
    n. treated, comparison: (C,) units in the cell. first_treated, weights, cluster: (n,) of sampling units.
    repeated: whether sampling units are rows of repeated cross-sections.
    """

    group: np.ndarray
    time: np.ndarray
    base_time: np.ndarray
    estimate: np.ndarray
    influence: np.ndarray
    treated: np.ndarray
    comparison: np.ndarray
    reference: np.ndarray
    first_treated: np.ndarray
    weights: np.ndarray
    cluster: np.ndarray
    clusters: int
    anticipation: float
    repeated: bool
    warnings: tuple[str, ...]

    @property
    def n(self) -> int:
        return len(self.first_treated)

    def parts(self, influence: np.ndarray) -> np.ndarray:
        """(G, k) influence functions summed within clusters and divided by n: sums, not means, so that
        clusters of unequal size count as they should."""
        if self.clusters == self.n:
            return influence / self.n
        order = np.argsort(self.cluster, kind="stable")
        starts = np.searchsorted(self.cluster[order], np.arange(self.clusters))
        return np.add.reduceat(influence[order], starts, axis=0) / self.n

    def covariance(self, influence: np.ndarray) -> np.ndarray:
        """(k, k) covariance of the estimates whose influence functions these are, clustered."""
        parts = self.parts(influence)
        return parts.T @ parts


@dataclass(frozen=True)
class Units:
    """Sampling units of a panel: y, w (U, T) with NaN where not seen; x (U, K) or (U, T, K)."""

    y: np.ndarray
    w: np.ndarray
    x: np.ndarray
    first: np.ndarray


def base_position(times: np.ndarray, group: float, t: int, base: str, anticipation: float) -> int:
    """The position of the base time of (group, times[t]); -1 when there is none."""
    if base == "varying" and times[t] < group:
        return t - 1
    return int(np.searchsorted(times + anticipation, group)) - 1


def listed(values: np.ndarray) -> str:
    return ", ".join(f"{v:g}" for v in values)


def units_of(data: PanelData) -> Units:
    """The rows of a panel as units by times; covariates that never change are kept once a unit."""
    shape = (data.units, len(data.times))
    y, w = np.full(shape, np.nan), np.full(shape, np.nan)
    y[data.unit, data.time], w[data.unit, data.time] = data.outcome, data.weights
    first = np.full(data.units, NEVER)
    first[data.unit] = data.first_treated
    k = data.covariates.shape[1]
    x = np.zeros((data.units, k))
    x[data.unit] = data.covariates
    if k and (x[data.unit] != data.covariates).any():
        x = np.full((*shape, k), np.nan)
        x[data.unit, data.time] = data.covariates
    return Units(y, w, x, first)


def unit_clusters(data: PanelData) -> np.ndarray:
    cluster = np.zeros(data.units, dtype=np.int64)
    cluster[data.unit] = data.cluster
    moved = cluster[data.unit] != data.cluster
    if moved.any():
        who = data.unit_labels[data.unit[int(np.argmax(moved))]]
        raise ModelRefusal(
            f"{data.unit_name} {who!r} changes its {data.cluster_name}: clusters hold whole units"
        )
    return cluster


@dataclass(frozen=True)
class Cell:
    """One wave at one time: positions of its time and base, the column of ``effects`` that is its own, and
    the sampling units behind it; ``effects`` is None in a base time, whose effect is 0 by construction."""

    group: float
    t: int
    base: int
    effects: CellEffects | None
    column: int
    rows: np.ndarray
    treated: int
    comparison: int


def compared_with(
    first: np.ndarray, data: PanelData, group: float, later: int, control: str, anticipation: float
) -> np.ndarray:
    """(n,) who may be compared with the wave when the later of the two times is ``times[later]``."""
    never = ~(first <= data.times[-1])
    if control == "never":
        return never
    return (never | (first > data.times[later] + anticipation)) & (first != group)


def cells_of(
    data: PanelData, waves: np.ndarray, base: str, anticipation: float
) -> Iterator[tuple[float, int, int]]:
    """Wave, position of the time and of its base, for every cell that has a base."""
    for group in waves:
        for t in range(len(data.times)):
            b = base_position(data.times, group, t, base, anticipation)
            if b >= 0:
                yield float(group), t, b


def panel_cells(
    data: PanelData, units: Units, waves: np.ndarray, control: str, method: str, base: str,
    anticipation: float, warnings: list[str],
) -> list[Cell]:
    """Cells of a panel, those that share wave, comparison units and design in one go."""
    found: list[Cell] = []
    batches: dict[tuple, list[tuple[float, int, int]]] = {}
    varying_x, varying_w = units.x.ndim == 3, bool((np.nanstd(units.w, axis=1) > 0).any())
    complete = not np.isnan(units.y).any()
    for group, t, b in cells_of(data, waves, base, anticipation):
        if t == b:
            found.append(Cell(group, t, b, None, 0, np.zeros(0, np.int64), 0, 0))
            continue
        later = data.times[max(t, b)] + anticipation
        between = 0 if control == "never" else int(np.searchsorted(waves, later, side="right"))
        own = (t, b) if not complete else (b if varying_x or varying_w else -1)
        batches.setdefault((group, between, own), []).append((group, t, b))
    trimmed: dict[float, int] = {}
    for (group, *_), cells in batches.items():
        later = max(max(t, b) for _, t, b in cells)
        comparison = compared_with(units.first, data, group, later, control, anticipation)
        ts, bs = np.array([t for _, t, _ in cells]), np.array([b for _, _, b in cells])
        seen = np.isfinite(units.y[:, ts]).all(axis=1) & np.isfinite(units.y[:, bs]).all(axis=1)
        rows = np.flatnonzero(((units.first == group) | comparison) & seen)
        treated = (units.first[rows] == group).astype(float)
        counts = int(treated.sum()), int(len(rows) - treated.sum())
        if min(counts) == 0:
            continue
        where = f"wave {group:g}, times {listed(np.unique(data.times[ts]))}"
        x = design(units.x[rows, bs[0]] if varying_x else units.x[rows], data.covariate_names,
                   treated == 0, where)
        change = units.y[np.ix_(rows, ts)] - units.y[np.ix_(rows, bs)]
        effects = panel_effects(treated, change, x, units.w[rows, bs[0]], method, where)
        trimmed[group] = max(trimmed.get(group, 0), effects.trimmed)
        found += [Cell(g, t, b, effects, i, rows, *counts) for i, (g, t, b) in enumerate(cells)]
    _name_trimmed(trimmed, warnings)
    return found


def repeated_cells(
    data: PanelData, waves: np.ndarray, control: str, method: str, base: str, anticipation: float,
    influence: str, warnings: list[str],
) -> list[Cell]:
    """Cells of repeated cross-sections, one by one; both groups must be there at both times."""
    found: list[Cell] = []
    trimmed: dict[float, int] = {}
    for group, t, b in cells_of(data, waves, base, anticipation):
        if t == b:
            found.append(Cell(group, t, b, None, 0, np.zeros(0, np.int64), 0, 0))
            continue
        comparison = compared_with(data.first_treated, data, group, max(t, b), control, anticipation)
        own = data.first_treated == group
        rows = np.flatnonzero((own | comparison) & ((data.time == t) | (data.time == b)))
        treated, post = own[rows].astype(float), (data.time[rows] == t).astype(float)
        if min(np.bincount((2 * treated + post).astype(int), minlength=4)) == 0:
            continue
        where = f"wave {group:g}, time {data.times[t]:g}"
        x = design(data.covariates[rows], data.covariate_names, treated == 0, where)
        effects = repeated_effect(
            treated, post, data.outcome[rows], x, data.weights[rows], method, where, influence
        )
        trimmed[group] = max(trimmed.get(group, 0), effects.trimmed)
        counts = int(treated.sum()), int(len(rows) - treated.sum())
        found.append(Cell(group, t, b, effects, 0, rows, *counts))
    _name_trimmed(trimmed, warnings)
    return found


def _name_trimmed(trimmed: dict[float, int], warnings: list[str]) -> None:
    warnings += [
        f"wave {g:g}: {count} comparison units resemble only treated ones (propensity 0.995 or more) and "
        "have no weight" for g, count in sorted(trimmed.items()) if count
    ]
