"""Cells as arrays: means and scatter of named variables, ready for least squares.

A regression on rows needs, of the rows in a cell, their weight, the means of y and x, and the scatter of y
and x around those means; nothing else. These arrays are taken from the whole numbers of `Cells` once and then
serve any number of models.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from medhome.models.panels.absorb import Effects
from medhome.study.cells import Cells
from medhome.study.problems import ModelRefusal

PATTERN = "pattern"
MEMBER = "member"
"""Name of the effect of every member, for moments made by `CellMoments.of_members`."""

_CUT = (
    "member effects: months were taken out of the cells after the members' means were fixed; filter the rows "
    "and collapse again"
)


def effect_name(effect: str | tuple[str, ...]) -> str:
    """How an effect or a cluster is called.

    >>> effect_name("month"), effect_name(("area", "month"))
    ('month', 'area by month')
    """
    return effect if isinstance(effect, str) else " by ".join(effect)


@dataclass(frozen=True, kw_only=True)
class Term:
    """A regressor: ``factor`` (one number per cell) times ``variable`` (of the rows), either left out as 1.

    ``Term("treat", factor=treated_after)`` is a treatment that does not vary inside a cell,
    ``Term("age", variable="age")`` a covariate, and both together a covariate's slope in some cells.
    """

    name: str
    factor: np.ndarray | None = None
    variable: str | None = None


@dataclass(frozen=True, kw_only=True)
class CellMoments:
    """Arrays of n cells. Cells without weight are left out.

    keys: (n) the key columns; weight: (n,) in rows or member-months; rows: (n,) rows counted once each;
    names: V variables; mean: (V, n) in their own units; scatter: (V, V, n) weighted sums of products of
    deviations from the cell's means; members: empty, or the keys whose levels are groups of members with the
    same months, when the scatter is also around member means (`of_members`); kept: effects once arranged.
    """

    keys: pd.DataFrame
    weight: np.ndarray
    rows: np.ndarray
    names: tuple[str, ...]
    mean: np.ndarray
    scatter: np.ndarray
    members: tuple[str, ...] = ()
    kept: dict = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, cells: Cells, variables: Sequence[str]) -> CellMoments:
        """Arrange cells for models of these variables; `ModelRefusal` when a moment was not collapsed.

        A product of two outcomes is not collapsed and not needed: its scatter is NaN.
        """
        names = tuple(dict.fromkeys(variables))
        for name in names:
            if not cells.has(name):
                raise ModelRefusal(f"regression on cells: the cells hold no variable {name!r}")
        if cells.weight_scale and (cells.frame["w"].to_numpy() == 0).any():
            cells = cells.where(cells.frame["w"].to_numpy() != 0)
        n = len(cells.frame)
        scatter = np.full((len(names), len(names), n), np.nan)
        for a, first in enumerate(names):
            for b, second in enumerate(names[: a + 1]):
                if cells.has(first, second):
                    scatter[a, b] = scatter[b, a] = cells.scatter(first, second)
        return cls(
            keys=cells.frame[list(cells.keys)].reset_index(drop=True),
            weight=cells.member_months,
            rows=cells.frame["rows"].to_numpy(dtype=float),
            names=names,
            mean=np.array([cells.mean(v) for v in names]).reshape(len(names), n),
            scatter=scatter,
        )

    @classmethod
    def of_members(cls, cells: Cells, variables: Sequence[str]) -> CellMoments:
        """Arrange cells of patterns (`tables.moments.collapse_members`) for a model with member effects.

        The scatter is that around member means and the pattern's months, and stands in the first month of
        each pattern. A pattern that lacks a month refuses: member means would be of other months.
        """
        if PATTERN not in cells.keys:
            raise ModelRefusal(
                "member effects need cells of patterns: collapse with collapse_members, because a member's "
                "mean cannot be had from sums over members"
            )
        plain = cls.of(cells, variables)
        month = cells.keys[cells.keys.index(PATTERN) + 1]
        group = [k for k in cells.keys if k != month]
        code = plain.keys.groupby(group, sort=False).ngroup().to_numpy()
        months = np.bincount(code)
        expected = np.array([int(p, 16).bit_count() for p in plain.keys[PATTERN]])
        if (months[code] != expected).any():
            raise ModelRefusal(_CUT)
        first = np.zeros(len(code), dtype=bool)
        first[np.unique(code, return_index=True)[1]] = True
        scatter = np.full_like(plain.scatter, np.nan)
        for a, one in enumerate(plain.names):
            for b, two in enumerate(plain.names[: a + 1]):
                column = f"m*{'*'.join(sorted((one, two)))}"
                if column in cells.frame.columns:
                    scatter[a, b] = scatter[b, a] = _within(cells, one, two, column, code, months) * first
        return replace(plain, scatter=scatter, members=tuple(group))

    def where(self, mask: np.ndarray | pd.Series) -> CellMoments:
        """The cells for which the mask is true."""
        mask = np.asarray(mask, dtype=bool)
        if self.members:
            code = self.codes(MEMBER)
            seen = np.bincount(code, mask, code.max() + 1)
            if ((seen > 0) & (seen < np.bincount(code))).any():
                raise ModelRefusal(_CUT)
        return replace(
            self,
            keys=self.keys[mask].reset_index(drop=True),
            weight=self.weight[mask],
            rows=self.rows[mask],
            mean=self.mean[:, mask],
            scatter=self.scatter[:, :, mask],
        )

    def reweighted(self, factors: np.ndarray) -> CellMoments:
        """Cells whose rows count ``factors`` times; those that count nothing are left out."""
        factors = np.asarray(factors, dtype=float)
        if factors.shape != self.weight.shape or not (np.isfinite(factors) & (factors >= 0)).all():
            raise ModelRefusal("reweighting needs one finite factor of zero or more for each cell")
        scaled = replace(self, weight=self.weight * factors, scatter=self.scatter * factors)
        return scaled.where(factors > 0)

    def effects(self, absorbed: Sequence[str | tuple[str, ...]]) -> Effects:
        """These keys as effects to be taken out, arranged once; without any, a constant."""
        n = len(self.weight)
        name = ("effects", *absorbed)
        if name not in self.kept:
            levels = {effect_name(e): self.codes(e) for e in absorbed} or {"constant": np.zeros(n, dtype=int)}
            self.kept[name] = Effects(levels=levels, weights=self.weight)
        return self.kept[name]

    def position(self, variable: str) -> int:
        if variable not in self.names:
            raise ModelRefusal(f"regression on cells: the moments hold no variable {variable!r}")
        return self.names.index(variable)

    def codes(self, effect: str | Sequence[str]) -> np.ndarray:
        """(n,) level of a key, or of several keys together, numbered in sorted order."""
        columns = [effect] if isinstance(effect, str) else list(effect)
        if columns == [MEMBER]:
            columns = list(self.members) or columns
        for column in columns:
            if column not in self.keys.columns:
                known = ", ".join(map(str, self.keys.columns))
                raise ModelRefusal(f"regression on cells: {column!r} is not a key; keys are {known}")
        if tuple(columns) not in self.kept:
            groups = self.keys.groupby(columns, sort=True, observed=True)
            self.kept[tuple(columns)] = groups.ngroup().to_numpy()
        return self.kept[tuple(columns)]

    def label(self, **columns: Sequence | np.ndarray) -> CellMoments:
        """The same cells with further key columns (an area, a cohort, a size class)."""
        return replace(self, keys=self.keys.assign(**columns))


def _within(
    cells: Cells, one: str, two: str, column: str, code: np.ndarray, months: np.ndarray
) -> np.ndarray:
    """Sums over a pattern of products of what is left of two variables after member and month means."""
    frame = cells.frame
    names = [re.sub(r"^m", "w", column), f"w*{one}", f"w*{two}", column]
    product, x, y, members = ([int(v) for v in frame[c]] for c in names)
    weight = [int(v) for v in frame["w"]]
    G = len(months)
    total, by_member, by_x, by_y, by_month, count = ([0] * G for _ in range(6))
    for i, g in enumerate(code):
        total[g] += product[i]
        by_member[g] += members[i]
        by_x[g] += x[i]
        by_y[g] += y[i]
        by_month[g] += x[i] * y[i]
        count[g] = weight[i]
    scale = cells.scales[one] * cells.scales[two] * cells.weight_scale
    found = np.array(
        [
            # All terms over the common denominator N n, in whole numbers: nothing cancels in doubles.
            (t * N * n - m * N - (s * n - bx * by)) / (N * n * scale)
            for t, m, s, bx, by, N, n in zip(
                total, by_member, by_month, by_x, by_y, count, months.tolist(), strict=True
            )
        ]
    )
    return found[code]
