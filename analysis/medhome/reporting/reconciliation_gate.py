"""Small counts of claim lines in the dollar reconciliation, and what would give one away by subtraction.

The reconciliation is a table of steps by columns (arm and period), the waterfall its column of totals. A
column's changes add up to its last row, and the columns to the waterfall: a cell that is withheld alone in
its row or column follows from the rest. So further cells are withheld until none does.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medhome.study.problems import DisclosureRefused
from medhome.study.results import DataQuality

_AMOUNTS = ["lines", "allowed_usd", "paid_usd"]
_TOTAL = ("total", "")
_ORPHAN_STEPS = ("orphan", "orphan_kept")

Cell = tuple[int, tuple[str, str]]


@dataclass
class _Grid:
    """Lines and dollars by step and column, the total last; which cells are withheld, and which must be."""

    lines: dict[Cell, int]
    usd: dict[Cell, float]
    steps: list[int]
    columns: list[tuple[str, str]]
    sensitive: set[Cell] = field(default_factory=set)
    hidden: set[Cell] = field(default_factory=set)

    def sums(self) -> Iterator[dict[Cell, int]]:
        """The sums that a reader knows to be zero: cells with their signs, those without lines left out.

        A step that cannot have lines in a column is known to have none, whether or not it is shown.
        """
        last = self.steps[-1]
        for column in self.columns:
            yield self._known({(s, column): -1 if s == last else 1 for s in self.steps})
        if len(self.columns) > 1:
            for step in self.steps:
                yield self._known({(step, c): -1 if c == _TOTAL else 1 for c in self.columns})

    def _known(self, cells: dict[Cell, int]) -> dict[Cell, int]:
        return {cell: sign for cell, sign in cells.items() if self.lines[cell]}

    def told(self) -> list[Cell]:
        """The sensitive cells whose lines follow from those that are shown."""
        unknown = sorted(c for c in self.hidden if self.lines[c])
        at = {cell: i for i, cell in enumerate(unknown)}
        rows = [{at[c]: sign for c, sign in cells.items() if c in at} for cells in self.sums()]
        matrix = np.zeros((len(rows), len(unknown)))
        for i, row in enumerate(rows):
            for j, sign in row.items():
                matrix[i, j] = sign
        _, size, right = np.linalg.svd(matrix, full_matrices=True)
        rank = int((size > 1e-9).sum())
        free = (right[rank:] ** 2).sum(axis=0)  # how far a cell can move with all that is shown unchanged
        return [c for c in unknown if c in self.sensitive and free[at[c]] < 1e-9]

    def cost(self, cells: set[Cell]) -> tuple[float, ...]:
        """What withholding these further cells takes from the reader; a cell without lines hides nothing."""
        ends = {self.steps[0], self.steps[-1]}
        return (
            sum(not self.lines[c] for c in cells),
            sum(c[1] == _TOTAL for c in cells) + sum(c[0] in ends for c in cells),
            len(cells),
            sum(abs(self.usd[c]) for c in cells),
        )


def release_reconciliation(
    released: DataQuality, whole: DataQuality, floor: int
) -> tuple[DataQuality, int, int]:
    """Withhold small counts of claim lines with their dollars, and the cells from which one would follow.

    Arguments
        released: small counts of people already withheld. whole: nothing withheld.

    Frames ``waterfall``, ``reconciliation`` and ``orphans`` (which repeat two of its steps) are withheld
    together. Returns them released, how many cells were small, and how many were withheld further. Raises
    `DisclosureRefused` when a small count still follows.
    """
    if whole.waterfall.empty:
        return released, 0, 0
    grid = _grid(whole)
    grid.sensitive = _sensitive(grid, whole, floor)
    grid.hidden = set(grid.sensitive)
    _complete(grid, floor)
    if grid.told():
        raise DisclosureRefused(
            f"dollar reconciliation: a count of fewer than {floor} claim lines follows from the released "
            "ones; nothing was released"
        )
    return _applied(grid, released, whole), len(grid.sensitive), len(grid.hidden - grid.sensitive)


def _grid(whole: DataQuality) -> _Grid:
    table, total = whole.reconciliation, whole.waterfall
    lines = {(int(r["step"]), _TOTAL): int(r["lines"]) for r in total.to_dict("records")}
    usd = {(int(r["step"]), _TOTAL): float(r["allowed_usd"]) for r in total.to_dict("records")}
    columns: list[tuple[str, str]] = []
    for row in table.to_dict("records"):
        column = (str(row["arm"]), str(row["period"]))
        columns += [] if column in columns else [column]
        lines[int(row["step"]), column] = int(row["lines"])
        usd[int(row["step"]), column] = float(row["allowed_usd"])
    steps = [int(s) for s in total["step"]]
    for cell in ((s, c) for s in steps for c in columns):
        lines.setdefault(cell, 0)
        usd.setdefault(cell, 0.0)
    return _Grid(lines=lines, usd=usd, steps=steps, columns=[*columns, _TOTAL])


def _sensitive(grid: _Grid, whole: DataQuality, floor: int) -> set[Cell]:
    """Cells of few lines, of few people, or of people whose number is not known."""
    found = {cell for cell, n in grid.lines.items() if 0 < abs(n) < floor}
    rows = whole.reconciliation.to_dict("records")
    few = {(str(r["arm"]), str(r["period"])) for r in rows if r["members"] < floor}
    few = {c for c in few if any(grid.lines[s, c] for s in grid.steps)}
    found |= {cell for cell in grid.lines if cell[1] in few}
    steps = whole.waterfall.loc[whole.waterfall["reason"].isin(_ORPHAN_STEPS), "step"]
    for row in whole.orphans.to_dict("records"):
        if row["members"] < floor:
            cells = {(int(s), (row["arm"], row["period"])) for s in steps}
            found |= {c for c in cells if grid.lines.get(c) or grid.usd.get(c)}
    return found


def _complete(grid: _Grid, floor: int) -> None:
    """Withhold further cells until no sensitive one follows and no sum of withheld ones is small."""
    while True:
        told = grid.told()
        further = _around(grid, told[0]) if told else _beside(grid, floor)
        if not further:
            return
        grid.hidden |= further


def _around(grid: _Grid, cell: Cell) -> set[Cell]:
    """Three cells that make a rectangle with this one: lines may be in one or the other, for all one sees."""
    step, column = cell
    others = [c for c in grid.columns if c != column]
    best: set[Cell] = set()
    for other_step in (s for s in grid.steps if s != step):
        for other in others or [column]:
            corners = {(other_step, column), (step, other), (other_step, other)} - grid.hidden
            if others and not all(grid.lines[c] for c in corners):
                continue
            if corners and (not best or grid.cost(corners) < grid.cost(best)):
                best = corners
    return best


def _beside(grid: _Grid, floor: int) -> set[Cell]:
    """A cell more in a row or column whose withheld ones are a small count together."""
    for cells in grid.sums():
        unseen = [c for c in cells if c in grid.hidden]
        together = abs(sum(cells[c] * grid.lines[c] for c in unseen))
        shown = [c for c in cells if c not in grid.hidden]
        if 0 < together < floor and unseen and shown:
            return {min(shown, key=lambda c: (grid.cost({c}), c))}
    return set()


def _applied(grid: _Grid, released: DataQuality, whole: DataQuality) -> DataQuality:
    total, table, orphans = (
        getattr(released, name).copy() for name in ("waterfall", "reconciliation", "orphans")
    )
    for frame in (total, table, orphans):
        for name in (c for c in (*_AMOUNTS, "members", "kept_allowed_usd") if c in frame):
            frame[name] = frame[name].astype("float64")
    total.loc[[(int(s), _TOTAL) in grid.hidden for s in total["step"]], _AMOUNTS] = math.nan
    gone = [c for c in grid.columns if all((s, c) in grid.hidden for s in grid.steps if grid.lines[s, c])]
    places = list(zip(table["arm"], table["period"], strict=True))
    at: list[Any] = list(zip(table["step"], places, strict=True))
    table.loc[[p in gone for p in places], [*_AMOUNTS, "members"]] = math.nan
    table.loc[[(int(s), p) in grid.hidden for s, p in at], _AMOUNTS] = math.nan
    steps = whole.waterfall.loc[whole.waterfall["reason"].isin(_ORPHAN_STEPS), "step"]
    hidden = [
        any((int(s), p) in grid.hidden for s in steps) or p in gone
        for p in zip(orphans["arm"], orphans["period"], strict=True)
    ]
    orphans.loc[hidden, [c for c in orphans if c not in ("arm", "period")]] = math.nan
    return dataclasses.replace(released, waterfall=total, reconciliation=table, orphans=orphans)
