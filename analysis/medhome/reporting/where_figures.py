"""Where and for whom as pictures: a waterfall by kind of service, groups as rows, practices as a funnel."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import FuncFormatter, LogLocator

from medhome.reporting import study_words, where_exhibits, where_words
from medhome.reporting.drawing import (
    BLUE,
    INK,
    MUTE,
    PAPER,
    UNIT,
    VERMILION,
    WIDE,
    Figure,
    canvas,
    key,
    money_ticks,
    quiet,
    shortened,
    study_months,
)
from medhome.reporting.estimate_drawings import IntervalRow, interval_rows
from medhome.reporting.words import rows_of
from medhome.study.display import WITHHELD, absent, count, usd
from medhome.study.spec import StudySpec
from medhome.study.where_results import Where


def categories(found: Where, spec: StudySpec) -> Figure:
    """Of which kinds of service is the effect made?"""
    frame = found.categories.reset_index(drop=True)
    values = np.nan_to_num(frame["estimate"].to_numpy(dtype=float))
    ends = np.concatenate([[0.0], np.cumsum(values[:-1])])

    def draw(width: int) -> MplFigure:
        figure, axes = canvas(width, 44 + 46 * len(frame))
        low, high = min(0.0, float(ends.min()), values[-1]), max(0.0, float(ends.max()), values[-1])
        reach = (high - low) or 1.0
        axes.axvline(0, color=INK, linewidth=1)
        for i, row in enumerate(rows_of(frame)):
            y, total = len(frame) - i - 0.72, row.category == "all"
            left = 0.0 if total else ends[i]
            axes.barh(y, values[i], left=left, height=0.34, color=BLUE if total else VERMILION, linewidth=0)
            axes.plot([left, left], [y - 0.2, y + 0.2], color=MUTE, linewidth=0.8)
            amount = WITHHELD if absent(row.estimate) else usd(row.estimate)
            axes.text(
                low - 0.03 * reach,
                y + 0.4,
                f"{shortened(str(row.label), 60 if width == WIDE else 30)}: {amount}",
                ha="left",
                va="center",
                fontsize=11.5,
                fontweight="bold" if total else "normal",
            )
        axes.set_xlim(low - 0.03 * reach, high + 0.03 * reach)
        axes.set_ylim(0, len(frame))
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        money_ticks(axes.xaxis, width)
        return figure

    return Figure(
        id="fig-categories",
        title="The effect by kind of service, adding up to all cost",
        subtitle=f"Effect on cost, {UNIT}; negative means that care cost less. {study_months(spec)}",
        note="Each bar begins where the one above it ends; the last is the whole effect, from zero. "
        "Intervals are in the table.",
        description=where_words.categories(found) or "Kinds of service could not be told apart.",
        draw=draw,
        table=where_exhibits.categories(found, spec),
        drawn=("estimate",),
    )


def groups(found: Where, spec: StudySpec) -> Figure:
    """Is the effect another for some members?"""
    frame = found.groups[found.groups["estimate"].notna() & found.groups["lo95"].notna()]
    rows = [
        IntervalRow(
            label=str(row.label),
            estimate=row.estimate,
            lo95=row.lo95,
            hi95=row.hi95,
            colour=BLUE if row.dimension == "all" else INK,
            filled=row.dimension == "all",
        )
        for row in rows_of(frame)
    ]

    def draw(width: int) -> MplFigure:
        return interval_rows(rows, width, 60, 44, (74, 42))

    return Figure(
        id="fig-groups",
        title="The effect by group of members, fixed at the baseline",
        subtitle=f"Effect on cost, {UNIT}; negative means that care cost less. {study_months(spec)}",
        note="Filled: all members, asked beforehand. Lines are 95% intervals of each group alone, not "
        "adjusted for the number of groups; adjusted p-values are in the table.",
        description=where_words.notable(found),
        draw=draw,
        table=where_exhibits.groups(found, spec),
        drawn=("estimate",),
    )


_STEPS = ((1, 1.5, 2, 3, 4, 5, 7), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,))
_LABEL = 44
"""Pixels that a number of members needs beside another."""


def _steps(members: pd.Series, width: int) -> tuple[float, ...]:
    """Which numbers of a decade an axis of sizes can name without their labels touching.

    >>> _steps(pd.Series([900, 1800]), WIDE), _steps(pd.Series([150, 15_000]), 342)
    ((1, 1.5, 2, 3, 4, 5, 7), (1, 3))
    """
    decade = 0.8 * width / max(0.1, 1.1 * math.log10(members.max() / max(members.min(), 1)))
    for steps in _STEPS:
        if decade * min(math.log10(b / a) for a, b in zip(steps, (*steps[1:], 10), strict=True)) >= _LABEL:
            return steps
    return _STEPS[-1]


def practices(found: Where, spec: StudySpec) -> Figure:
    """Do practices differ by more than chance?"""
    frame = found.practices[found.practices["estimate"].notna() & found.practices["members"].notna()]
    centre = found.treated_mean_pmpm or 0.0
    sizes = frame["members"].to_numpy(dtype=float)
    # A member's part of the limits is the same for all but for months without members: its median is drawn.
    unit = {z: float(np.median(frame[z] * np.sqrt(sizes))) for z in ("limit95", "limit998")}
    across = np.geomspace(max(sizes.min(), 1.0) * 0.9, sizes.max() * 1.1, 120)

    def draw(width: int) -> MplFigure:
        figure, axes = canvas(width, 360)
        axes.grid(axis="y")
        axes.axhline(0, color=MUTE, linewidth=1)
        axes.axhline(centre, color=BLUE, linewidth=1.2)
        for name, dash in (("limit95", (5, 3)), ("limit998", (1, 2))):
            for side in (-1, 1):
                axes.plot(
                    across, centre + side * unit[name] / np.sqrt(across), color=MUTE, linewidth=1.2,
                    linestyle=(0, dash),
                )  # fmt: skip
        for arm, mark, colour in (("comparison", "o", VERMILION), ("treated", "D", BLUE)):
            mine = frame[frame["arm"] == arm]
            axes.plot(
                mine["members"],
                mine["estimate"],
                mark,
                markersize=7 if arm == "treated" else 5.5,
                markerfacecolor=colour if arm == "treated" else PAPER,
                markeredgecolor=colour,
                markeredgewidth=1.3,
                linestyle="none",
                label=f"Practices, {study_words.arm_label(arm, spec).lower()}",
            )
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=_steps(frame["members"], width)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: count(v)))
        axes.xaxis.set_minor_formatter(FuncFormatter(lambda v, _: ""))
        axes.set_xlabel("Members a month")
        key(axes, columns=2 if width == WIDE else 1)
        quiet(axes)
        money_ticks(axes.yaxis, width)
        return figure

    return Figure(
        id="fig-practices",
        title="Change of cost by practice against its size",
        subtitle=f"Change less the comparison arm's, {UNIT}. {study_months(spec)}",
        note="Lines: the mean of the program's practices, and around it the limits within which chance alone "
        "leaves 95% (dashed) and 99.8% (dotted) of practices of a size.",
        description=" ".join(where_words.practices(found)),
        draw=draw,
        table=where_exhibits.practices(found, spec),
        drawn=("estimate",),
    )
