"""What several figures share: rows of intervals, organisations by their size, steps of dollars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from medhome.reporting.drawing import (
    BLUE,
    INK,
    MUTE,
    PAPER,
    VERMILION,
    WIDE,
    canvas,
    key,
    money_ticks,
    quiet,
    shortened,
)
from medhome.study.display import WITHHELD, absent, count, usd_round


@dataclass(frozen=True, kw_only=True)
class IntervalRow:
    """One estimate in dollars under its label; ``filled``: drawn larger and bold, the one to read first."""

    label: str
    estimate: float
    lo95: float
    hi95: float
    colour: str
    filled: bool
    mark: str = "o"
    dashed: bool = False


def interval_rows(
    rows: Sequence[IntervalRow], width: int, above: int, each: int, most: tuple[int, int]
) -> MplFigure:
    """Estimates with 95% intervals, one below the other, each under its label, against a line at zero.

    above, each: pixels for the axis and for a row. most: characters of a label on a wide page and on a phone.
    """
    figure, axes = canvas(width, above + each * len(rows))
    ends = np.array([(r.lo95, r.hi95, r.estimate) for r in rows], dtype=float)
    low, high = min(0.0, np.nanmin(ends)), max(0.0, np.nanmax(ends))
    margin = 0.04 * (high - low or 1.0)
    axes.axvline(0, color=INK, linewidth=1)
    for i, row in enumerate(rows):
        y = len(rows) - i - 0.7
        if not absent(row.lo95):
            axes.plot(
                [row.lo95, row.hi95],
                [y, y],
                color=row.colour,
                linewidth=2.4 if row.filled else 1.6,
                linestyle=(0, (4, 3)) if row.dashed else "-",
                solid_capstyle="butt",
            )
        if not absent(row.estimate):
            axes.plot(
                [row.estimate],
                [y],
                row.mark,
                markersize=9 if row.filled else 7,
                markeredgecolor=row.colour,
                markeredgewidth=1.6,
                markerfacecolor=row.colour if row.filled else PAPER,
            )
        axes.text(
            low - margin,
            y + 0.42,
            shortened(row.label, most[0] if width == WIDE else most[1])
            + (" (no estimate)" if absent(row.estimate) else ""),
            ha="left",
            va="center",
            color=row.colour,
            fontsize=11.5 if width == WIDE else 11,
            fontweight="bold" if row.filled else "normal",
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.0},
        )
    axes.set_xlim(low - margin, high + margin)
    axes.set_ylim(0, len(rows))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    money_ticks(axes.xaxis, width)
    return figure


@dataclass(frozen=True, kw_only=True)
class Step:
    """A bar of a waterfall: a total from zero, or a change of what the bars above it come to."""

    label: str
    usd: float
    total: bool


def steps_of_dollars(steps: Sequence[Step], width: int) -> MplFigure:
    """A waterfall from top to bottom: each bar under its label, its dollars at the right; NaN is withheld."""
    figure, axes = canvas(width, 30 + 46 * len(steps))
    at, ends = 0.0, [0.0]
    for step in steps:
        at = float(np.nan_to_num(step.usd)) + (0.0 if step.total else at)
        ends.append(at)
    low = min(ends)
    reach = max(ends) - low or 1.0
    clear = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.0} if low < 0 else None
    at = 0.0
    for i, step in enumerate(steps):
        y, value = len(steps) - i - 0.72, float(np.nan_to_num(step.usd))
        left = 0.0 if step.total else at
        axes.barh(
            y, value, left=left, height=0.34, color=BLUE if step.total else VERMILION, linewidth=0, alpha=1.0
        )
        if not step.total:  # a hair line, so that a small step can still be found
            axes.plot([left, left], [y - 0.2, y + 0.2], color=MUTE, linewidth=0.8)
        at = left + value
        axes.text(
            low,
            y + 0.4,
            shortened(step.label, 84 if width == WIDE else 44),
            ha="left",
            va="center",
            fontsize=11.5,
            bbox=clear,
        )
        axes.text(
            low + reach * 1.02,
            y,
            WITHHELD if absent(step.usd) else usd_round(value),
            ha="left",
            va="center",
            fontsize=11.5,
            fontweight="bold" if step.total else "normal",
        )
    if low < 0:
        axes.axvline(0, color=INK, linewidth=1)
    axes.set_xlim(low, low + reach * (1.18 if width == WIDE else 1.42))
    axes.set_ylim(0, len(steps))
    axes.set_axis_off()
    return figure


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Organisations of one arm: dollars across, members up, and what their mark means."""

    dollars: Sequence[float]
    members: Sequence[float]
    label: str


def by_size(comparison: Marks, treated: Marks, width: int, height: int, across: str) -> MplFigure:
    """Whole organisations by dollars and members: hollow rounds for the comparison, diamonds else."""
    figure, axes = canvas(width, height)
    axes.grid(axis="both")
    axes.axvline(0, color=INK, linewidth=1)
    axes.plot(
        comparison.dollars,
        comparison.members,
        "o",
        markerfacecolor=PAPER,
        markeredgecolor=VERMILION,
        markersize=7,
        markeredgewidth=1.4,
        linestyle="none",
        label=comparison.label,
    )
    if len(treated.members):
        axes.plot(
            treated.dollars,
            treated.members,
            "D",
            color=BLUE,
            markersize=9,
            linestyle="none",
            label=treated.label,
        )
    sizes = [*comparison.members, *treated.members]
    if max(sizes) > 10 * min(sizes):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: count(v)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("Members")
    axes.set_xlabel(across)
    key(axes, columns=2 if width == WIDE else 1)
    quiet(axes)
    money_ticks(axes.xaxis, width)
    return figure
