"""Group-time effects and their averages as weighted sums of practices' periods.

Without covariates a group-time effect is linear in cost: the wave's practices at the time and its base, less
the practices it is compared with. As weights it can be given any interval that a sum of practice-months can
have. The sums are those of `panels.group_time` and `panels.aggregation`, and are checked against them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medhome.models.panels.aggregation import AGGREGATES, KEYS, aggregate
from medhome.models.panels.group_time_cells import GroupTime, compared_with, units_of
from medhome.study.panel_data import PanelData

SAME = 1e-8


@dataclass(frozen=True, kw_only=True)
class Averages:
    """Averages of the cells: kind, key (NaN for the overall ones), and (R, C) weights of the cells.

    reference: (R,) base times, whose effect is 0 by construction.
    """

    kind: tuple[str, ...]
    key: np.ndarray
    weights: np.ndarray
    reference: np.ndarray


def cell_weights(data: PanelData, effects: GroupTime, control: str) -> np.ndarray:
    """(C, U, T) weights of units' periods in each group-time effect; zero in base periods."""
    units = units_of(data)
    out = np.zeros((len(effects.group), data.units, len(data.times)))
    place = {float(t): i for i, t in enumerate(data.times)}
    for c, (g, time, before) in enumerate(zip(effects.group, effects.time, effects.base_time, strict=True)):
        if effects.reference[c]:
            continue
        t, b = place[float(time)], place[float(before)]
        seen = np.isfinite(units.y[:, t]) & np.isfinite(units.y[:, b])
        others = compared_with(units.first, data, float(g), max(t, b), control, effects.anticipation)
        size = np.where(seen, units.w[:, b], 0.0)
        own, compared = size * (units.first == g), size * (others & (units.first != g))
        weight = own / own.sum() - compared / compared.sum()
        out[c, :, t] += weight
        out[c, :, b] -= weight
    _same(np.einsum("cut,ut->c", out, np.nan_to_num(units.y)), effects.estimate)
    return out


def averages(effects: GroupTime) -> Averages:
    """All four averages, each kind's overall one first, then its rows by key."""
    waves = np.unique(effects.group)
    size = np.array([effects.weights[effects.first_treated == g].sum() for g in waves])
    share = size[np.searchsorted(waves, effects.group)]
    after = effects.time >= effects.group
    event = effects.time - effects.group
    kinds: list[str] = []
    keys: list[float] = []
    rows: list[np.ndarray] = []
    references: list[bool] = []

    def add(kind: str, key: float, row: np.ndarray, reference: bool = False) -> None:
        kinds.append(kind)
        keys.append(key)
        rows.append(row / row.sum())
        references.append(reference)

    for kind in AGGREGATES:
        expected = aggregate(effects, kind)
        if kind == "simple":
            add(kind, np.nan, np.where(after, share, 0.0))
        else:
            of = {"dynamic": event, "group": effects.group, "calendar": effects.time}[kind]
            wanted = after | (kind == "dynamic")
            alike = np.ones_like(share) if kind == "group" else share
            by = [np.where(wanted & (of == key), alike, 0.0) for key in expected.key]
            by = [row / row.sum() for row in by]
            if kind == "group":
                mixed = np.array(by).T @ size[np.searchsorted(waves, expected.key)]
            else:
                counted = expected.key >= 0 if kind == "dynamic" else np.ones(len(by), dtype=bool)
                mixed = np.array(by)[counted].sum(0)
            add(kind, np.nan, mixed)
            for key, row, base in zip(expected.key, by, expected.reference, strict=True):
                add(KEYS[kind], float(key), row, bool(base))
            _same(np.array(by) @ effects.estimate, expected.by_estimate)
        overall = len(rows) - 1 - len(expected.key)
        _same(rows[overall] @ effects.estimate, np.array(expected.estimate))
    return Averages(
        kind=tuple(kinds), key=np.array(keys), weights=np.array(rows), reference=np.array(references)
    )


def _same(ours: np.ndarray, theirs: np.ndarray) -> None:
    """The weights are those of the estimator, or nothing that rests on them may be shown."""
    if not np.allclose(ours, theirs, rtol=SAME, atol=SAME * max(1.0, float(np.abs(theirs).max(initial=0)))):
        raise ValueError("group-time effects: the weighted sums are not the estimates")
