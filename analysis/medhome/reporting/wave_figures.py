"""Waves of a program as pictures: by time since the own start, and what two-way fixed effects compare."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from medhome.reporting import wave_exhibits
from medhome.reporting import wave_words as told
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
    headroom,
    key,
    money_ticks,
    quiet,
    study_months,
)
from medhome.reporting.words import rows_of
from medhome.study.display import absent, count, share, usd
from medhome.study.spec import StudySpec
from medhome.study.wave_results import Waves

_MARKS = {
    "treated vs never treated": ("o", BLUE, BLUE),
    "earlier vs later treated": ("s", MUTE, PAPER),
    "later vs earlier treated": ("D", VERMILION, PAPER),
    "later vs always treated": ("^", VERMILION, PAPER),
}


def since_start(found: Waves, spec: StudySpec) -> Figure:
    """How does the effect move with the time since each practice's own start?"""
    table = wave_exhibits.since_start(found)
    frame = table.frame.reset_index(drop=True)
    x = frame["key"].to_numpy(dtype=float)
    name = told.period(found)

    def draw(width: int) -> MplFigure:
        figure, axes = canvas(width, 320)
        axes.grid(axis="y")
        axes.axvspan(-0.5, x.max() + 0.6, color=BLUE, alpha=0.08, linewidth=0)
        axes.axhline(0, color=MUTE, linewidth=1.4)
        for row in rows_of(frame):
            colour = BLUE if row.key >= 0 else MUTE
            if row.reference:
                axes.plot(
                    [row.key], [0], "o",
                    markersize=8, markerfacecolor=PAPER, markeredgecolor=INK, markeredgewidth=1.6,
                )  # fmt: skip
            elif not absent(row.estimate):
                ends = [row.band_lo, row.band_hi]
                axes.plot([row.key] * 2, ends, color=colour, linewidth=1, solid_capstyle="butt")
                for end in ends:
                    axes.plot([row.key - 0.14, row.key + 0.14], [end] * 2, color=colour, linewidth=1)
                axes.plot([row.key] * 2, [row.lo95, row.hi95], color=colour, linewidth=3.2,
                          solid_capstyle="butt")  # fmt: skip
                axes.plot([row.key], [row.estimate], "o" if row.key >= 0 else "s", color=colour, markersize=7)
        headroom(axes, frame[["band_lo", "band_hi"]])
        axes.axvline(-0.5, color=INK, linewidth=1)
        axes.set_xlim(x.min() - 0.6, x.max() + 0.6)
        top = axes.get_xaxis_transform()
        axes.text(-0.62, 0.985, "before", ha="right", va="top", color=MUTE, transform=top)
        axes.text(-0.38, 0.985, "under the program", ha="left", va="top", color=BLUE, transform=top)
        quiet(axes)
        axes.xaxis.set_major_locator(MaxNLocator(12 if width == WIDE else 6, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: count(v)))
        axes.set_xlabel(f"{name.capitalize()}s since the practice's own start")
        money_ticks(axes.yaxis, width)
        return figure

    return Figure(
        id="fig-wave-events",
        title=told.title_of_events(found),
        subtitle=f"Difference from practices not yet under the program, {UNIT}, relative to the {name} "
        f"before a practice's own start. {study_months(spec)}",
        note="Squares (before) and dots (under the program) are estimates, thick lines 95% intervals, thin "
        "lines with ends a band that holds all of them at once with 95%; both allow for shocks of whole "
        f"organisations. The hollow dot is the reference. Late {name}s rest on the waves that started "
        "early.",
        description=f"Effects by {name} since the start: {told.described(frame)}.",
        draw=draw,
        table=table,
        drawn=("estimate",),
    )


def comparisons(found: Waves, spec: StudySpec) -> Figure:
    """Which comparisons make up two-way fixed effects, and what does each find?"""
    table = wave_exhibits.comparisons(found)
    frame = table.frame.reset_index(drop=True)
    known = frame[frame["estimate"].notna()]

    def draw(width: int) -> MplFigure:
        figure, axes = canvas(width, 320)
        axes.grid(axis="y")
        axes.axhline(0, color=INK, linewidth=1)
        if not absent(found.two_way):
            axes.axhline(found.two_way, color=MUTE, linewidth=1.4, linestyle=(0, (4, 3)))
        for kind, (mark, edge, face) in _MARKS.items():
            mine = known[known["kind"] == kind]
            if mine.empty:
                continue
            axes.plot(
                mine["weight"], mine["estimate"], mark, linestyle="none", markersize=8, markeredgewidth=1.6,
                markeredgecolor=edge, markerfacecolor=face, label=wave_exhibits.comparison_kind(kind),
            )  # fmt: skip
        axes.set_xlim(0, float(np.nanmax([*known["weight"], 0.01])) * 1.08)
        axes.margins(y=0.12)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: share(v, 0)))
        axes.set_xlabel("Weight in two-way fixed effects")
        key(axes, columns=2 if width == WIDE else 1)
        quiet(axes)
        money_ticks(axes.yaxis, width)
        return figure

    return Figure(
        id="fig-wave-comparisons",
        title=told.title_of_comparisons(found),
        subtitle=f"Two-by-two comparisons by their weight, {UNIT}. {study_months(spec)}",
        note=f"Dashed: two-way fixed effects, {usd(found.two_way)}, the mean of the comparisons by weight.",
        description=f"{count(len(known))} comparisons from {usd(known['estimate'].min())} to "
        f"{usd(known['estimate'].max())}, of which {share(found.already)} of the weight is with practices "
        "under the program already.",
        draw=draw,
        table=table,
        drawn=("estimate",),
    )
