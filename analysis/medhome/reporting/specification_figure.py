"""The specification curve as a picture: estimates in order above, the choices behind each below."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure

from medhome.reporting.datatable import DataTable
from medhome.reporting.drawing import (
    BLUE,
    GRID,
    INK,
    MUTE,
    NARROW,
    UNIT,
    VERMILION,
    Figure,
    canvas,
    money_ticks,
    quiet,
    study_months,
)
from medhome.reporting.specification_labels import label
from medhome.study.display import count, usd
from medhome.study.spec import StudySpec
from medhome.study.specification_results import AXES, SpecificationCurve

_GAP = 0.55
_ROW = 19


def figure(found: SpecificationCurve, spec: StudySpec, table: DataTable) -> Figure:
    """How does the effect change with every choice that could have been made otherwise?"""
    effects = found.effects
    lines = rows(found)
    low, high = effects["estimate"].min(), effects["estimate"].max()
    own = effects[effects["primary"]]
    mine = "" if own.empty else f" The study's own is {usd(own['estimate'].iloc[0])}."

    def draw(width: int) -> MplFigure:
        reach = lines[-1][2] + 1 if lines else 1
        drawn, (curve, matrix) = canvas(width, 230 + round(_ROW * reach), rows=2)
        curve.get_gridspec().set_height_ratios([190, _ROW * reach])
        _curve(curve, effects, width)
        _matrix(matrix, effects, lines)
        for axes in (curve, matrix):
            axes.set_xlim(-0.02 * len(effects) - 0.5, 1.02 * len(effects) - 0.5)
        return drawn

    return Figure(
        id="fig-specifications",
        title=f"{count(len(effects))} specifications: effects from {usd(low)} to {usd(high)}",
        subtitle=f"Effect on cost, {UNIT}, in order; negative means that care cost less. Below, the "
        f"choices behind each. {study_months(spec)}",
        note="The diamond and the line below it are the study's own specification. A mark in a row means "
        "that the estimate above it was made with that choice.",
        description=f"{count(len(effects))} estimates in order, from {usd(low)} to {usd(high)}, with a row "
        f"of marks for each choice below them.{mine}",
        draw=draw,
        table=table,
    )


def rows(found: SpecificationCurve) -> list[tuple[str, str, float]]:
    """Axis, value and height (downwards) of each row of marks; an axis that stands still has none."""
    lines: list[tuple[str, str, float]] = []
    height = 0.0
    for axis in AXES[:-1]:
        values = list(found.choices.loc[found.choices["axis"] == axis, "value"].astype(str))
        if len(values) < 2:
            continue
        for value in values:
            lines.append((axis, value, height))
            height += 1
        height += _GAP
    return lines


def marks(chosen: np.ndarray) -> tuple[list[float], list[float]]:
    """Places of a row of marks as one broken line: neighbours join, so that a thousand stay one path.

    >>> marks(np.array([True, True, False, True]))[0]
    [-0.4, 1.4, nan, 2.6, 3.4, nan]
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([False], chosen, [False])).astype(int)))
    x: list[float] = []
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        x += [float(first) - 0.4, float(end) - 0.6, float("nan")]
    return x, [0.0 if v == v else float("nan") for v in x]


def _curve(axes: Axes, effects: pd.DataFrame, width: int) -> None:
    x, y = np.arange(len(effects)), effects["estimate"].to_numpy()
    size = float(np.clip((0.55 if width == NARROW else 1.1) * 450 / len(effects), 2.2, 6))
    axes.grid(axis="y")
    axes.axhline(0, color=INK, linewidth=1)
    axes.plot(x, y, "o", color=BLUE, markersize=size, markeredgewidth=0)
    own = np.flatnonzero(effects["primary"])
    if len(own):
        at = own[0]
        axes.plot([at], [y[at]], "D", color=VERMILION, markersize=9)
        left = at > len(effects) / 2
        axes.annotate(
            f"This study {usd(y[at])}",
            (at, y[at]),
            xytext=(-10 if left else 10, 10 if left else -10),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            color=VERMILION,
            fontweight="bold",
        )
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    money_ticks(axes.yaxis, width)
    quiet(axes)


def _matrix(axes: Axes, effects: pd.DataFrame, lines: list[tuple[str, str, float]]) -> None:
    own = np.flatnonzero(effects["primary"])
    for axis, value, height in lines:
        chosen = (effects[axis] == value).to_numpy()
        axes.axhline(-height, color=GRID, linewidth=0.8)
        x, level = marks(chosen)
        axes.plot(
            x, np.array(level) - height, "-", color=MUTE, linewidth=8, solid_capstyle="butt"
        )
        if len(own) and chosen[own[0]]:
            axes.plot([own[0]], [-height], "D", color=VERMILION, markersize=7)
    if len(own) and lines:
        axes.axvline(own[0], color=VERMILION, linewidth=1, linestyle=(0, (3, 3)))
    axes.set_yticks([-h for _a, _v, h in lines], [label(a, v) for a, v, _h in lines])
    axes.set_xticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(axis="y", length=0)
    if lines:
        axes.set_ylim(-lines[-1][2] - 0.7, 0.7)
