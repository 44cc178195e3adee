"""Effect and expected cost as pictures: pure functions from a result to a `Figure`.

Every title is a function of the result, neutral where an interval holds zero. Meaning is never carried by
colour alone: marks differ in shape or dash, and lines are labelled directly.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import FuncFormatter

from medhome.reporting import exhibits, study_words, titles, words
from medhome.reporting.drawing import (
    BLUE,
    INK,
    MUTE,
    NARROW,
    PAPER,
    UNIT,
    VERMILION,
    Figure,
    before_and_after,
    canvas,
    end_labels,
    headroom,
    key,
    money_ticks,
    quarter_ticks,
    quiet,
    study_months,
)
from medhome.reporting.estimate_drawings import IntervalRow, interval_rows
from medhome.study.display import absent, count, interval, months, number, ratio, usd
from medhome.study.published import PublishedEffect
from medhome.study.results import DidResult, ExpectedCosts, RiskModelResult
from medhome.study.spec import StudySpec


def detectable(did: DidResult, published: PublishedEffect, spec: StudySpec) -> Figure:
    """Is the effect, or a published one, large enough for this study to see?"""
    size, value = did.detectable.value, did.headline.value
    low, high = did.headline.ci95 or (None, None)
    low90, high90 = did.headline.ci90 or (None, None)

    def draw(width: int) -> MplFigure:
        figure, axes = canvas(width, 200)
        ends = [v for v in (low, high, published.effect_pmpm_usd, value) if not absent(v)]
        if not absent(size):
            ends += [-size, size]
            axes.axvspan(-size, size, color=MUTE, alpha=0.12, linewidth=0)
            for edge in (-size, size):
                axes.axvline(edge, color=MUTE, linewidth=1, linestyle=(0, (4, 3)))
            axes.text(0, 2.66, "below what this study can detect", ha="center", va="bottom", color=MUTE)
        reach = max((abs(v) for v in ends), default=1.0) * 1.08
        left = -reach if absent(size) else -min(reach, size) * 0.98
        axes.axvline(0, color=INK, linewidth=1)
        if not absent(value):
            if not absent(low):
                axes.plot([low, high], [1.55, 1.55], color=BLUE, linewidth=2, solid_capstyle="butt")
            if not absent(low90):
                axes.plot([low90, high90], [1.55, 1.55], color=BLUE, linewidth=5, solid_capstyle="butt")
            axes.plot([value], [1.55], "o", color=BLUE, markersize=9)
            # On a phone the longer label would lie over the line at zero.
            ends_named = ", 90% and 95% interval" if width > NARROW else ""
            axes.text(left, 2.1, f"Estimate {usd(value)}{ends_named}", ha="left", va="center", color=BLUE)
        axes.plot(
            [published.effect_pmpm_usd],
            [0.4],
            "D",
            markerfacecolor=PAPER,
            markeredgecolor=VERMILION,
            markeredgewidth=2,
            markersize=8,
        )
        axes.text(
            left,
            0.95,
            f"Published effect {usd(published.effect_pmpm_usd)}",
            ha="left",
            va="center",
            color=VERMILION,
        )
        axes.set_xlim(-reach, reach)
        axes.set_ylim(0, 2.6)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        money_ticks(axes.xaxis, width)
        return figure

    return Figure(
        id="fig-detectable",
        title=titles.detectable(did),
        subtitle=f"Effect on cost, {UNIT}; negative means that care cost less. {study_months(spec)}",
        note="Shaded: effects smaller than the smallest one found with 80% power. "
        f"{words.interval_basis(did, spec)} The diamond is the effect published for "
        f"{published.program}.",
        description=f"The detectable effect is {usd(size)} PMPM to either side of zero. The estimate is "
        f"{usd(value)} with a 95% interval of {interval(low, high)}. A published effect is "
        f"{usd(published.effect_pmpm_usd)}.",
        draw=draw,
        table=exhibits.detectable(did, published),
    )


def event_study(did: DidResult, spec: StudySpec) -> Figure:
    """How did the difference from the comparison group move, quarter by quarter?"""
    frame = did.event_study.sort_values("quarter", kind="stable").reset_index(drop=True)
    x = frame["quarter"].to_numpy(dtype=float)
    ends = ["band_lo", "band_hi"] if "band_lo" in frame else ["lo95", "hi95"]

    def draw(width: int) -> MplFigure:
        figure, axes = canvas(width, 320)
        axes.grid(axis="y")
        axes.axvspan(-0.5, x.max() + 0.6, color=BLUE, alpha=0.08, linewidth=0)
        known = frame[frame["estimate"].notna() & ~frame["reference"].astype(bool)]
        axes.vlines(known["quarter"], known[ends[0]], known[ends[1]], color=MUTE, linewidth=1)
        axes.axhline(0, color=MUTE, linewidth=1.4)
        for row in words.rows_of(frame):
            colour = BLUE if row.quarter >= 0 else MUTE
            if row.reference:
                axes.plot(
                    [row.quarter],
                    [0],
                    "o",
                    markersize=8,
                    markerfacecolor=PAPER,
                    markeredgecolor=INK,
                    markeredgewidth=1.6,
                )
            elif not absent(row.estimate):
                axes.plot(
                    [row.quarter] * 2,
                    [row.lo95, row.hi95],
                    color=colour,
                    linewidth=2.2,
                    solid_capstyle="butt",
                )
                axes.plot(
                    [row.quarter],
                    [row.estimate],
                    "o" if row.quarter >= 0 else "s",
                    color=colour,
                    markersize=7.5 if row.quarter >= 0 else 6.5,
                )
        headroom(axes, frame[ends])
        before_and_after(axes, x, spec, narrow=width == NARROW)
        quarter_ticks(axes, frame["quarter"], frame["first_month"], width)
        money_ticks(axes.yaxis, width)
        return figure

    after = frame[(frame["quarter"] >= 0) & frame["estimate"].notna()]
    span = (
        ""
        if after.empty
        else (
            f" After the start the differences run from {usd(after['estimate'].min())} to "
            f"{usd(after['estimate'].max())}."
        )
    )
    return Figure(
        id="fig-event-study",
        title=titles.event_study(did, spec),
        subtitle=f"Difference from the comparison group, {UNIT}, relative to the quarter before the start. "
        f"{study_months(spec)}",
        note="Squares (before) and dots (after) are estimates, thick lines 95% intervals, thin ones a band "
        "that holds all quarters at once with 95%; both allow for shocks of whole organisations. The hollow "
        "dot is the reference quarter. Estimates before the start "
        f"should lie near zero. {words.before_the_start(did)}",
        description=f"Differences of {count(len(frame))} quarters with 95% intervals.{span}",
        draw=draw,
        table=exhibits.event_study(did),
        drawn=("estimate",),
    )


def series(expected: ExpectedCosts, spec: StudySpec) -> Figure:
    """How did actual cost move against what was expected?"""
    frame = expected.series.sort_values("quarter", kind="stable").reset_index(drop=True)
    x = frame["quarter"].to_numpy(dtype=float)
    actual, hoped = (frame[c].to_numpy(dtype=float) for c in ("actual_pmpm", "expected_pmpm"))

    def draw(width: int) -> MplFigure:
        figure, axes = canvas(width, 320)
        axes.grid(axis="y")
        after = (x >= -1) & ~np.isnan(actual) & ~np.isnan(hoped)
        axes.fill_between(x, actual, hoped, where=after.tolist(), color=BLUE, alpha=0.14, linewidth=0)
        axes.plot(x, hoped, color=MUTE, linewidth=2, linestyle=(0, (5, 3)))
        axes.plot(x, actual, color=BLUE, linewidth=2.4)
        headroom(axes, frame[["actual_pmpm", "expected_pmpm"]])
        before_and_after(axes, x, spec, narrow=width == NARROW)
        quarter_ticks(axes, frame["quarter"], frame["first_month"], width)
        money_ticks(axes.yaxis, width)
        end_labels(axes, x, [(hoped, "Expected", MUTE), (actual, "Actual", BLUE)], 270)
        return figure

    last = frame.dropna(subset=["actual_pmpm", "expected_pmpm"]).tail(1)
    end = (
        ""
        if last.empty
        else (
            f" In the last quarter shown, expected is {usd(last['expected_pmpm'].iloc[0])} and actual "
            f"{usd(last['actual_pmpm'].iloc[0])}."
        )
    )
    primary = words.primary_definition(expected)
    return Figure(
        id="fig-series",
        title=titles.series(expected, spec),
        subtitle=f"Cost of members in {study_words.treated_arm(spec)}, {UNIT}, by quarter. "
        f"{study_months(spec)}",
        note=f"Dashed: expected cost by definition {words.definition_name(primary['definition'])} "
        f"({primary['label']}); solid: actual cost; shaded: the gap after the start.",
        description=f"Expected and actual cost over {count(len(frame))} quarters.{end}",
        draw=draw,
        table=exhibits.series(expected),
        drawn=("expected_pmpm", "actual_pmpm"),
    )


def definitions(expected: ExpectedCosts, spec: StudySpec) -> Figure:
    """Does the answer depend on what "expected" means?"""
    frame = expected.definitions.reset_index(drop=True)

    def draw(width: int) -> MplFigure:
        rows = []
        for r in words.rows_of(frame):
            change = r.compares == "versus expected"
            rows.append(
                IntervalRow(
                    label=f"{words.definition_name(r.definition)} {r.label}",
                    estimate=r.difference_pmpm,
                    lo95=r.lo95,
                    hi95=r.hi95,
                    colour=BLUE if change else VERMILION,
                    filled=r.primary,
                    mark="o" if change else "D",
                )
            )
        return interval_rows(rows, width, 60, 44, (74, 42))

    parts = [
        f"{r.definition}: {usd(r.difference_pmpm)}"
        + ("" if absent(r.lo95) else f" ({interval(r.lo95, r.hi95)})")
        for r in words.rows_of(frame)
        if not absent(r.difference_pmpm)
    ]
    return Figure(
        id="fig-definitions",
        title=titles.definitions(expected),
        subtitle=f"Actual minus expected cost, {UNIT}; negative means that care cost less. "
        f"{study_months(spec)}",
        note="Round marks compare with expected cost (a change), diamonds with peers (a level). Filled and "
        "bold: declared primary beforehand. Lines are 95% intervals; a mark without a line has none.",
        description=f"Actual minus expected cost. {'; '.join(parts)}."
        if parts
        else "No definition could be estimated.",
        draw=draw,
        table=exhibits.definitions(expected),
    )


def calibration(risk: RiskModelResult, spec: StudySpec) -> Figure:
    """Does the cost model predict well for low- and high-cost members alike?"""
    frame = risk.calibration

    def draw(width: int) -> MplFigure:
        figure, axes = canvas(width, 290)
        axes.grid(axis="y")
        axes.axhline(1, color=INK, linewidth=1)
        for arm, mark, colour, shift in (("treated", "o", BLUE, -0.12), ("comparison", "s", VERMILION, 0.12)):
            rows = frame[frame["arm"] == arm]
            axes.plot(
                rows["decile"] + shift,
                rows["predictive_ratio"],
                mark,
                color=colour,
                markersize=7,
                markerfacecolor=colour if arm == "treated" else PAPER,
                markeredgewidth=1.6,
                label=study_words.arm_label(arm, spec),
            )
        axes.set_xticks(range(1, 11))
        axes.set_xlabel("Decile of predicted cost, lowest to highest")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: number(v, 2)))
        key(axes)
        quiet(axes)
        return figure

    known = frame["predictive_ratio"].dropna()
    reach = "" if known.empty else f" They run from {ratio(known.min(), 2)} to {ratio(known.max(), 2)}."
    return Figure(
        id="fig-calibration",
        title=titles.calibration(risk),
        subtitle="Predicted over actual cost in the baseline, ratio, by arm. "
        f"{months(spec.periods.baseline.first, spec.periods.baseline.last)}",
        note="A ratio of one means that the model is right on average for members of that decile.",
        description="Ratios of predicted to actual cost for ten deciles of predicted cost in both "
        f"arms.{reach}",
        draw=draw,
        table=exhibits.calibration(risk, spec),
        drawn=("predictive_ratio",),
    )
