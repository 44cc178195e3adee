"""The arrays of a regression on cells: cell means with and without effects, and the scatter inside cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from medhome.models.cell_moments import MEMBER, CellMoments, Term
from medhome.models.panels.absorb import Effects
from medhome.study.problems import ModelRefusal

Effect: TypeAlias = str | tuple[str, ...]
_COLLINEAR = 1e-9


@dataclass(frozen=True, kw_only=True)
class CellDesign:
    """The arrays of a regression: Z (K, n) cell means of the terms, y (n,), both as they are and without
    effects (Zr, yr), and the scatter inside cells, zz (K, K, n) and zy (K, n)."""

    moments: CellMoments
    names: tuple[str, ...]
    dropped: tuple[str, ...]
    absorbed: tuple[Effect, ...]
    effects: Effects
    Z: np.ndarray
    y: np.ndarray
    Zr: np.ndarray
    yr: np.ndarray
    zz: Mapping[tuple[int, int], np.ndarray] = field(repr=False)
    zy: Mapping[int, np.ndarray] = field(repr=False)

    def inside(self, weight: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Sums of the scatter over cells, each cell counted ``weight`` times."""
        K = len(self.names)
        A, b = np.zeros((K, K)), np.zeros(K)
        for (i, j), values in self.zz.items():
            A[i, j] = A[j, i] = values.sum() if weight is None else values @ weight
        for i, values in self.zy.items():
            b[i] = values.sum() if weight is None else values @ weight
        return A, b


def design_of(
    moments: CellMoments, outcome: str, terms: Sequence[Term], absorbed: tuple[Effect, ...]
) -> CellDesign:
    """Arrange a regression; raises `ModelRefusal` as `cells_regression.regress` says."""
    if len(moments.weight) == 0:
        raise ModelRefusal("regression on cells: no cell has weight; the subset is empty")
    if bool(moments.members) != (MEMBER in absorbed):
        raise ModelRefusal(
            f"regression on cells: effects name {MEMBER!r} exactly when the moments are those of members "
            "(CellMoments.of_members)"
        )
    n = len(moments.weight)
    effects = moments.effects(absorbed)
    names = tuple(t.name for t in terms)
    if len(set(names)) < len(names):
        raise ModelRefusal(f"regression on cells: a term is named twice in {', '.join(names)}")
    place = [None if t.variable is None else moments.position(t.variable) for t in terms]
    factor = [np.ones(n) if t.factor is None else np.asarray(t.factor, dtype=float) for t in terms]
    for t, f in zip(terms, factor, strict=True):
        if f.shape != (n,):
            raise ModelRefusal(
                f"regression on cells: term {t.name!r} has {f.size} numbers for {n} cells with weight"
            )
    Z = np.array([f if p is None else f * moments.mean[p] for f, p in zip(factor, place, strict=True)])
    Z = Z.reshape(len(terms), n)
    out = moments.position(outcome)
    zz, zy = {}, {}
    for i, p in enumerate(place):
        if p is None:
            continue
        zy[i] = factor[i] * moments.scatter[p, out]
        for j in range(i + 1):
            if place[j] is not None:
                zz[i, j] = factor[i] * factor[j] * moments.scatter[p, place[j]]
    # Cell means around the overall mean: what the effects take out does not drown the rest in rounding.
    stacked = np.vstack([Z, moments.mean[out]])
    centred = stacked - (stacked @ moments.weight / moments.weight.sum())[:, None]
    residual = effects.residual(centred.T).T
    design = CellDesign(
        moments=moments, names=names, dropped=(), absorbed=absorbed, effects=effects, Z=centred[:-1],
        y=centred[-1], Zr=residual[:-1], yr=residual[-1], zz=zz, zy=zy,
    )  # fmt: skip
    return _independent(design, {t.name for t in terms if t.variable is None})


def _independent(design: CellDesign, required: set[str]) -> CellDesign:
    """The design without covariates that the terms before them and the effects explain."""
    A = (design.Zr * design.moments.weight) @ design.Zr.T + design.inside()[0]
    own = (design.Z**2) @ design.moments.weight + np.diag(design.inside()[0])
    kept: list[int] = []
    # Treatments first: of a treatment and a covariate that say the same, the covariate goes.
    for k in sorted(range(len(design.names)), key=lambda k: design.names[k] not in required):
        left = A[k, k]
        if kept:
            cross = A[k, kept]
            left -= cross @ np.linalg.lstsq(A[np.ix_(kept, kept)], cross, rcond=None)[0]
        if left > _COLLINEAR * own[k] > 0:
            kept.append(k)
        elif design.names[k] in required:
            raise ModelRefusal(
                f"regression on cells: {design.names[k]!r} cannot be told from the effects and the other "
                "terms; check that some units change it and others do not"
            )
    order = sorted(kept)
    new = {old: i for i, old in enumerate(order)}
    return CellDesign(
        moments=design.moments,
        names=tuple(design.names[k] for k in order),
        dropped=tuple(n for k, n in enumerate(design.names) if k not in new),
        absorbed=design.absorbed,
        effects=design.effects,
        Z=design.Z[order],
        y=design.y,
        Zr=design.Zr[order],
        yr=design.yr,
        zz={(new[i], new[j]): v for (i, j), v in design.zz.items() if i in new and j in new},
        zy={new[i]: v for i, v in design.zy.items() if i in new},
    )
