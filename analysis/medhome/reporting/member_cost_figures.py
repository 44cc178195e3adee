"""The members' cost models as pictures: cost by tenth of prediction, and practices beside random panels."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import FuncFormatter

from medhome.reporting import member_cost_exhibits as exhibits
from medhome.reporting import member_cost_words as told
from medhome.reporting import study_words
from medhome.reporting.drawing import (
    BLUE,
    INK,
    MUTE,
    PAPER,
    UNIT,
    VERMILION,
    Figure,
    canvas,
    key,
    money_ticks,
    quiet,
)
from medhome.study.display import count, months, number, ratio
from medhome.study.member_cost_results import MemberCosts
from medhome.study.spec import StudySpec

_MARKS = (("treated", "o", BLUE), ("comparison", "s", VERMILION))


def calibration(found: MemberCosts, spec: StudySpec) -> Figure:
    """Is cost what was predicted, from the lowest to the highest tenth of prediction?"""
    frame = found.ratios[found.ratios["kind"] == "predicted"]

    def draw(width: int) -> MplFigure:
        figure, axes = canvas(width, 340)
        axes.grid(axis="y")
        both = frame[["predicted_pmpm", "actual_pmpm"]].to_numpy(dtype=float)
        top = float(np.nanmax(both)) if np.isfinite(both).any() else 1.0
        axes.plot([0, top], [0, top], color=INK, linewidth=1)
        _by_arm(axes, frame, "predicted_pmpm", "actual_pmpm", spec)
        axes.set_xlabel("Predicted, $ per member per month")
        money_ticks(axes.xaxis, width)
        money_ticks(axes.yaxis, width)
        return figure

    known = frame["predictive_ratio"].dropna()
    reach = (
        ""
        if known.empty
        else f" Predicted over actual cost runs from {ratio(known.min(), 2)} to {ratio(known.max(), 2)}."
    )
    return Figure(
        id="fig-cost-model-calibration",
        title="Actual cost by tenth of predicted cost",
        subtitle=f"{told.family_name(found.primary)}, actual cost, {UNIT}, by arm. "
        f"{months(spec.periods.baseline.first, spec.periods.baseline.last)}",
        note="On the line actual cost is what was predicted. Each mark is a tenth of the member-months of "
        "both arms, in order of predicted cost; practices are predicted by fits without them.",
        description=f"Actual against predicted cost of ten groups by predicted cost in both arms.{reach}",
        draw=draw,
        table=exhibits.by_prediction(found, spec),
        drawn=("predicted_pmpm", "actual_pmpm"),
    )


def practices(found: MemberCosts, spec: StudySpec) -> Figure:
    """Which practices lie outside what chance gives a panel of their size?"""
    frame = found.practices

    def draw(width: int) -> MplFigure:
        figure, axes = canvas(width, 340)
        axes.grid(axis="y")
        axes.axhline(1, color=INK, linewidth=1)
        known = frame[frame[["members", "lo95", "hi95"]].notna().all(axis=1)].sort_values("members")
        axes.fill_between(
            known["members"], known["lo95"], known["hi95"], color=MUTE, alpha=0.18, linewidth=0
        )
        _by_arm(axes, frame, "members", "predictive_ratio", spec)
        axes.set_xlabel("Members of the practice")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: count(v)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: number(v, 2)))
        return figure

    return Figure(
        id="fig-cost-model-practices",
        title="Predicted over actual cost by practice, beside random panels",
        subtitle=f"{told.family_name(found.primary)}, ratio, by number of members. "
        f"{months(spec.periods.baseline.first, spec.periods.baseline.last)}",
        note="Shaded: where the middle 95% of random panels of a practice's size lie. A practice inside it "
        "cannot be told from chance.",
        description="Ratios of predicted to actual cost of practices against their size, with a band that "
        f"narrows as practices grow. {told.practices(found)}",
        draw=draw,
        table=exhibits.practices(found, spec),
        drawn=("predictive_ratio",),
    )


def _by_arm(axes: Axes, frame: pd.DataFrame, x: str, y: str, spec: StudySpec) -> None:
    """Marks of both arms, filled for the program, with their key."""
    for arm, mark, colour in _MARKS:
        rows = frame[frame["arm"] == arm]
        axes.plot(
            rows[x],
            rows[y],
            mark,
            color=colour,
            markersize=7,
            markerfacecolor=colour if arm == "treated" else PAPER,
            markeredgewidth=1.6,
            label=study_words.arm_label(arm, spec),
        )
    key(axes)
    quiet(axes)
