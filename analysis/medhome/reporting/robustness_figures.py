"""Other estimators, leaving one out and bounds, as pictures: pure functions from a result to a `Figure`."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import MaxNLocator

from medhome.reporting import robustness_exhibits, study_words
from medhome.reporting import robustness_words as told
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
from medhome.study.display import absent, count, interval, number, usd
from medhome.study.results import DidResult
from medhome.study.robustness_results import Robustness
from medhome.study.spec import StudySpec

_HOW_FAR = {
    "relative-magnitudes": "From quarter to quarter trends may part by this many times the largest change "
    "before the start.",
    "smoothness": "At $0.00 a straight drift goes on as before; else its slope may change by this much from "
    "quarter to quarter.",
}


def methods(found: Robustness, spec: StudySpec) -> Figure:
    """Does the answer depend on the estimator?"""
    frame = found.methods.reset_index(drop=True)

    def draw(width: int) -> MplFigure:
        rows = [
            IntervalRow(
                label=str(r.label),
                estimate=r.estimate,
                lo95=r.lo95,
                hi95=r.hi95,
                colour=BLUE if r.valid else MUTE,
                filled=r.headline,
                dashed=not r.valid,
            )
            for r in rows_of(frame)
        ]
        return interval_rows(rows, width, 40, 46, (84, 46))

    parts = [
        f"{r.label}: {usd(r.estimate)} ({interval(r.lo95, r.hi95)})"
        for r in rows_of(frame)
        if not absent(r.estimate)
    ]
    return Figure(
        id="fig-estimators",
        title=told.title_of_methods(found),
        subtitle=f"Effect on cost, {UNIT}; negative means that care cost less. {study_months(spec)}",
        note="Filled and bold: the headline. Grey and dashed: 95% intervals that are not valid in this "
        "setting: they are drawn to be seen for what they are, not to be read.",
        description=f"Effects by estimator. {'; '.join(parts)}.",
        draw=draw,
        table=robustness_exhibits.methods(found),
    )


def left_out(found: Robustness, unit: str, did: DidResult, spec: StudySpec) -> Figure:
    """Does the effect hang on one organisation, or on one practice? ``unit`` is the frame's name."""
    table = robustness_exhibits.left_out(found, unit, spec)
    frame = table.frame[table.frame["estimate"].notna()].reset_index(drop=True)
    word = "organisation" if unit == "organizations" else "practice"
    low, high = did.headline.ci95 or (None, None)

    def draw(width: int) -> MplFigure:
        figure, axes = canvas(width, 300)
        axes.grid(axis="y")
        if not absent(found.full):
            axes.axhline(found.full, color=BLUE, linewidth=1.4)
        for arm, mark, colour in (("comparison", "o", VERMILION), ("treated", "D", BLUE)):
            mine = frame[frame["arm"] == arm]
            if mine.empty:
                continue
            if "lo95" in mine.columns:
                axes.vlines(mine.index.to_numpy() + 1, mine["lo95"], mine["hi95"], color=colour, linewidth=1)
            axes.plot(
                mine.index.to_numpy() + 1,
                mine["estimate"],
                mark,
                markersize=5.5 if len(frame) > 60 else 6.5,
                markeredgecolor=colour,
                markeredgewidth=1.4,
                markerfacecolor=PAPER if arm == "comparison" else colour,
                linestyle="none",
                label=f"Without one {word} of the "
                + ("comparison" if arm == "comparison" else study_words.treated_arm(spec).split()[-1]),
            )
        _name_the_extremes(axes, frame, width)
        axes.set_xlim(0, len(frame) + 1)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel(f"Rank of the {word} left out, by the effect without it")
        axes.margins(y=0.16)
        key(axes, columns=2 if width == WIDE else 1)
        quiet(axes)
        money_ticks(axes.yaxis, width)
        return figure

    lines = "lo95" in frame.columns
    within = "" if absent(low) else f" The headline's 95% interval is {interval(low, high)}"
    within += "" if absent(low) or lines else "; it is not drawn"
    within += "." if within else ""
    return Figure(
        id=f"fig-without-{unit}",
        title=told.title_of_left_out(found, unit),
        subtitle=f"Effect on cost, {UNIT}, without one {word} at a time. {study_months(spec)}",
        note=f"The line is the effect with all, {usd(found.full)}. "
        + ("Thin lines are 95% intervals." if lines else "Estimates only.")
        + within,
        description=f"{count(len(frame))} effects, each without one {word}, from "
        f"{usd(frame['estimate'].min())} to {usd(frame['estimate'].max())}.",
        draw=draw,
        table=table,
        drawn=("estimate",),
    )


def _name_the_extremes(axes: Axes, frame: object, width: int) -> None:
    """The units without which the effect is lowest and highest."""
    rows = list(rows_of(frame))  # type: ignore[arg-type]
    if len(rows) < 2:
        return
    lines = hasattr(rows[0], "lo95")  # then a label stands beyond the intervals, where no line crosses it
    for place, row, side, up in ((1, rows[0], "left", -12), (len(rows), rows[-1], "right", 12)):
        end = (row.lo95 if up < 0 else row.hi95) if lines else row.estimate
        axes.annotate(
            shortened(str(row.label), 40 if width == WIDE else 26),
            (place, row.estimate if absent(end) else end),
            xytext=(0, up),
            textcoords="offset points",
            ha=side,
            va="center",
            color=MUTE,
            fontsize=11,
        )


def bounds(found: Robustness, kind: str, spec: StudySpec) -> Figure:
    """Which effects remain possible, the further trends may have parted?"""
    table = robustness_exhibits.bounds(found, kind)
    frame = table.frame
    own = found.breakdowns[found.breakdowns["kind"] == kind]
    money = kind == "smoothness"

    def draw(width: int) -> MplFigure:
        figure, panels = canvas(width, 230 * len(own), rows=len(own))
        for axes, row in zip(np.atleast_1d(panels), rows_of(own), strict=True):
            steps = frame[frame["effect"] == row.effect].sort_values("m")
            by = float(steps["m"].diff().median()) if len(steps) > 1 else 1.0
            axes.grid(axis="y")
            axes.axhline(0, color=INK, linewidth=1)
            axes.plot([-by] * 2, [row.lo95, row.hi95], color=MUTE, linewidth=2, solid_capstyle="butt")
            axes.plot(
                [-by],
                [row.estimate],
                "o",
                markersize=7,
                markerfacecolor=PAPER,
                markeredgecolor=MUTE,
                markeredgewidth=1.6,
            )
            for step in rows_of(steps):
                axes.plot(
                    [step.m] * 2, [step.lo95, step.hi95], color=BLUE, linewidth=5, solid_capstyle="butt"
                )
            reach = float(steps["m"].max())
            if 0 < row.breakdown <= reach:
                axes.axvline(row.breakdown, color=VERMILION, linewidth=1.6, linestyle=(0, (4, 3)))
                axes.text(
                    row.breakdown + 0.05 * by,
                    0.97,
                    f"breakdown at {usd(row.breakdown) if money else number(row.breakdown)}",
                    ha="left",
                    va="top",
                    color=VERMILION,
                    transform=axes.get_xaxis_transform(),
                )
            ticks = [-by, *steps["m"]]
            axes.set_xticks(ticks, ["alike", *(usd(m) if money else number(m, 1) for m in steps["m"])])
            axes.set_xlim(-1.6 * by, reach + 0.6 * by)
            axes.set_title(str(row.label), loc="left", fontsize=12, color=MUTE)
            quiet(axes)
            money_ticks(axes.yaxis, width)
            axes.yaxis.set_major_locator(MaxNLocator(5))
        np.atleast_1d(panels)[-1].set_xlabel(
            "Bend of a drift, $ PMPM a quarter" if money else "Parting, times the most before the start"
        )
        return figure

    return Figure(
        id=f"fig-bounds-{kind}",
        title=told.title_of_bounds(found, kind),
        subtitle=f"Effect on cost, {UNIT}: 95% intervals. {study_months(spec)}",
        note=f'Grey, "alike": the event study\'s own interval, which takes the trends of the arms for alike. '
        f"Bars: effects that remain possible when they are not. {_HOW_FAR[kind]}"
        + (" Dashed: the value up to which zero stays outside." if _shown(own, frame) else ""),
        description=" ".join(
            f"{r.label}: {usd(r.estimate)}, breakdown at "
            f"{'any value' if math.isinf(r.breakdown) else number(r.breakdown)}."
            for r in rows_of(own)
        ),
        draw=draw,
        table=table,
    )


def _shown(own: object, frame: object) -> bool:
    """Whether a breakdown value lies inside the drawing."""
    reach = float(frame["m"].max())  # type: ignore[index]
    return any(0 < r.breakdown <= reach for r in rows_of(own))  # type: ignore[arg-type]
