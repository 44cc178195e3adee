"""Placebos as pictures: starts that did not happen, and organisations taken for the program."""

from __future__ import annotations

from matplotlib.figure import Figure as MplFigure

from medhome.reporting import robustness_exhibits, study_words
from medhome.reporting import robustness_words as told
from medhome.reporting.drawing import (
    BLUE,
    INK,
    MUTE,
    PAPER,
    UNIT,
    WIDE,
    Figure,
    canvas,
    money_ticks,
    quiet,
    study_months,
)
from medhome.reporting.estimate_drawings import Marks, by_size
from medhome.reporting.words import rows_of
from medhome.study.display import absent, count, month_short, months, usd
from medhome.study.results import DidResult
from medhome.study.robustness_results import Robustness
from medhome.study.spec import StudySpec


def placebo_starts(found: Robustness, did: DidResult, spec: StudySpec) -> Figure:
    """What would starts have shown at which nothing happened?"""
    frame = found.placebo_starts.reset_index(drop=True)
    start = spec.periods.start_month

    def draw(width: int) -> MplFigure:
        figure, axes = canvas(width, 300)
        axes.grid(axis="y")
        axes.axhline(0, color=INK, linewidth=1)
        for row in rows_of(frame):
            if not absent(row.lo95):
                axes.plot(
                    [row.month] * 2, [row.lo95, row.hi95], color=MUTE, linewidth=1.8, solid_capstyle="butt"
                )
            if not absent(row.estimate):
                axes.plot(
                    [row.month],
                    [row.estimate],
                    "s",
                    markersize=6.5,
                    markeredgecolor=MUTE,
                    markeredgewidth=1.6,
                    markerfacecolor=PAPER,
                )
        low, high = did.headline.ci95 or (None, None)
        if not absent(low):
            axes.plot([start] * 2, [low, high], color=BLUE, linewidth=2.4, solid_capstyle="butt")
        if not absent(did.headline.value):
            axes.plot([start], [did.headline.value], "o", color=BLUE, markersize=9)
        first = min([*frame["month"].tolist(), start])
        axes.set_xlim(first - 1.2, start + 1.2)
        ticks = [m for m in range(int(first), start + 1) if (m - start) % (3 if width == WIDE else 6) == 0]
        axes.set_xticks(ticks, [month_short(m).replace(" ", "\n") for m in ticks])
        top = axes.get_xaxis_transform()
        axes.text(start, 1.02, "the start", ha="right", va="bottom", color=BLUE, transform=top)
        axes.text(
            first, 1.02, "starts that did not happen", ha="left", va="bottom", color=MUTE, transform=top
        )
        quiet(axes)
        money_ticks(axes.yaxis, width)
        return figure

    return Figure(
        id="fig-placebo-starts",
        title=told.title_of_starts(found),
        subtitle=f"Effect on cost, {UNIT}, by month of the start. Baseline, "
        f"{months(spec.periods.baseline.first, spec.periods.baseline.last)}",
        note="Hollow squares: starts inside the baseline, with its months alone; the dot: the program's own "
        "start. Lines are 95% intervals of the headline's kind.",
        description=" ".join(t for t in told.starts(found) if t) or "No start could be tried.",
        draw=draw,
        table=robustness_exhibits.placebo_starts(found),
        drawn=("estimate",),
    )


def placebo_arm(found: Robustness, spec: StudySpec, members: float | None) -> Figure:
    """How large are effects in organisations without a program? ``members``: of the program."""
    frame = found.placebo_arm
    known = frame[frame["estimate"].notna() & frame["members"].notna()]

    def draw(width: int) -> MplFigure:
        own = [(e, n) for e, n in [(found.full, members)] if e is not None and n is not None]
        return by_size(
            Marks(
                dollars=known["estimate"].tolist(),
                members=known["members"].tolist(),
                label="Comparison organisations taken for it",
            ),
            Marks(
                dollars=[e for e, _ in own],
                members=[n for _, n in own],
                label=study_words.arm_label("treated", spec),
            ),
            width,
            330,
            "Effect on cost, $ PMPM",
        )

    return Figure(
        id="fig-placebo-arm",
        title=told.title_of_placebo_arm(found, spec),
        subtitle=f"Effect on cost, {UNIT}, of each comparison organisation against the others, by members. "
        f"{study_months(spec)}",
        note="One mark an organisation; nothing happened in any of the round ones. Small organisations "
        "scatter more.",
        description=f"Effects of {count(len(known))} comparison organisations, from "
        f"{usd(known['estimate'].min())} to {usd(known['estimate'].max())}, by their size.",
        draw=draw,
        table=robustness_exhibits.placebo_arm(found),
        drawn=("estimate", "members"),
    )
