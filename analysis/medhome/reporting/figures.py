"""Results as pictures: pure functions from a result to a `Figure`.

Every figure has a title that is a function of the result (neutral where an interval holds zero), a subtitle
with measure, unit, population and period, a note, a description for those who cannot see it, and its data
as a table. Each is drawn twice, for a wide page and for a phone, so that its text is never scaled down.
Meaning is never carried by colour alone: marks differ in shape or dash, and lines are labelled directly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from medhome.reporting import exhibits, svg, titles, words
from medhome.reporting.blocks import Block, escape, prose
from medhome.reporting.datatable import DataTable, csv_link
from medhome.study.display import absent, count, interval, month_short, months, number, ratio, usd, usd_round
from medhome.study.published import PublishedEffect
from medhome.study.results import Cohort, DataQuality, DidResult, ExpectedCosts, RiskModelResult
from medhome.study.spec import StudySpec

WIDE, NARROW = 736, 342
"""Widths in CSS pixels: the text column of the page, and a phone's."""

INK, MUTE, GRID, BLUE, VERMILION = (svg.PALETTE[c] for c in ("ink", "mute", "grid", "c1", "c2"))
PAPER = svg.PALETTE["bg"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure before it becomes markup: ``draw`` takes a width in pixels and gives a matplotlib figure."""

    id: str
    title: str
    subtitle: str
    note: str
    description: str
    draw: Callable[[int], MplFigure]
    table: DataTable

    def block(self) -> Block:
        """The figure as a part of a page: pictures for both widths, note, data table and downloads."""
        wide, narrow = (svg.drawing(self.draw(w), f"{self.id}-{w}") for w in (WIDE, NARROW))
        pictures = "".join(
            f'<div class="{css}">{svg.inline(s, f"{self.id}-{css}", self.title, self.description)}</div>'
            for css, s in (("wide", wide), ("narrow", narrow)))
        note = " ".join(t for t in (self.note, self._gaps()) if t)
        markup = (
            f'<figure class="fig" id="{self.id}"><p class="ftitle">{prose(self.title)}</p>'
            f'<p class="fsub">{prose(self.subtitle)}</p>{pictures}<figcaption>{prose(note)}</figcaption>'
            f'<div class="dl"><details><summary>Data table</summary>{self.table.html()}</details>{csv_link(self.table)}'
            f'<a download="{self.id}.svg" href="{svg.download_link(wide)}" aria-label="SVG of {escape(self.title)}">SVG</a>'
            f"</div></figure>")
        return Block(html=markup, text="\n".join([self.title, self.subtitle, self.description, note, self.table.plain()]))

    def _gaps(self) -> str:
        return "Gaps: withheld, for small numbers of people." if "withheld" in self.table.csv() else ""


# -- the effect ----------------------------------------------------------------------------------------


def detectable(did: DidResult, published: PublishedEffect, spec: StudySpec) -> Figure:
    """Is the effect, or a published one, large enough for this study to see?"""
    size, value = did.detectable.value, did.headline.value
    low, high = did.headline.ci95 or (None, None)
    low90, high90 = did.headline.ci90 or (None, None)

    def draw(width: int) -> MplFigure:
        figure, axes = _canvas(width, 190)
        ends = [v for v in (low, high, published.effect_pmpm_usd, value) if not absent(v)]
        if not absent(size):
            ends += [-size, size]
            axes.axvspan(-size, size, color=MUTE, alpha=0.12, linewidth=0)
            for edge in (-size, size):
                axes.axvline(edge, color=MUTE, linewidth=1, linestyle=(0, (4, 3)))
            axes.text(0, 2.62, "below what this study can detect", ha="center", va="center", color=MUTE, fontsize=12)
        reach = max((abs(v) for v in ends), default=1.0) * 1.08
        axes.axvline(0, color=INK, linewidth=1)
        if not absent(value):
            if not absent(low):
                axes.plot([low, high], [1.5, 1.5], color=BLUE, linewidth=2, solid_capstyle="butt")
            if not absent(low90):
                axes.plot([low90, high90], [1.5, 1.5], color=BLUE, linewidth=5, solid_capstyle="butt")
            axes.plot([value], [1.5], "o", color=BLUE, markersize=9)
            axes.text(-reach, 1.92, f"Estimate {usd(value)}, 90% and 95% interval", ha="left", va="center", color=BLUE)
        axes.plot([published.effect_pmpm_usd], [0.4], "D", markerfacecolor=PAPER, markeredgecolor=VERMILION,
                  markeredgewidth=2, markersize=8)
        axes.text(-reach, 0.82, f"Published effect {usd(published.effect_pmpm_usd)}", ha="left", va="center", color=VERMILION)
        axes.set_xlim(-reach, reach)
        axes.set_ylim(0, 2.95)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        _money(axes.xaxis, width)
        return figure

    return Figure(
        id="fig-detectable", title=titles.detectable(did),
        subtitle=f"Effect on cost, {_UNIT}; negative means that care cost less. {_period(spec)}",
        note=f"Shaded: effects smaller than the smallest one found with 80% power. {words.interval_basis(did, spec)} "
             f"The diamond is the effect published for {published.program}.",
        description=f"The detectable effect is {usd(size)} PMPM to either side of zero. The estimate is {usd(value)} with a 95% "
                    f"interval of {interval(low, high)}. A published effect is {usd(published.effect_pmpm_usd)}.",
        draw=draw, table=exhibits.detectable(did, published))


def event_study(did: DidResult, spec: StudySpec) -> Figure:
    """How did the difference from the comparison group move, quarter by quarter?"""
    frame = did.event_study.sort_values("quarter", kind="stable").reset_index(drop=True)
    x = frame["quarter"].to_numpy(dtype=float)

    def draw(width: int) -> MplFigure:
        figure, axes = _canvas(width, 320)
        axes.grid(axis="y")
        axes.axvspan(-0.5, x.max() + 0.6, color=BLUE, alpha=0.08, linewidth=0)
        axes.axhline(0, color=MUTE, linewidth=1.4)
        for row in frame.itertuples():
            colour = BLUE if row.quarter >= 0 else MUTE
            if row.reference:
                axes.plot([row.quarter], [0], "o", markersize=8, markerfacecolor=PAPER, markeredgecolor=INK, markeredgewidth=1.6)
            elif not absent(row.estimate):
                axes.plot([row.quarter] * 2, [row.lo95, row.hi95], color=colour, linewidth=2.2, solid_capstyle="butt")
                axes.plot([row.quarter], [row.estimate], "o" if row.quarter >= 0 else "s", color=colour,
                          markersize=7.5 if row.quarter >= 0 else 6.5)
        _headroom(axes, frame[["lo95", "hi95"]])
        _periods(axes, x, spec, narrow=width == NARROW)
        _quarters(axes, frame["quarter"], frame["first_month"], width)
        _money(axes.yaxis, width)
        return figure

    after = frame[(frame["quarter"] >= 0) & frame["estimate"].notna()]
    span = "" if after.empty else (f" After the start the differences run from {usd(after['estimate'].min())} to "
                                   f"{usd(after['estimate'].max())}.")
    return Figure(
        id="fig-event-study", title=titles.event_study(did, spec),
        subtitle=f"Difference from the comparison group, {_UNIT}, relative to the quarter before the start. {_period(spec)}",
        note="Squares (before) and dots (after) are estimates, lines 95% intervals that allow for shocks of whole organisations; the "
             f"hollow dot is the reference quarter. Estimates before the start should lie near zero. {words.before_the_start(did)}",
        description=f"Differences of {count(len(frame))} quarters with 95% intervals.{span}", draw=draw,
        table=exhibits.event_study(did))


# -- expected and actual -------------------------------------------------------------------------------


def series(expected: ExpectedCosts, spec: StudySpec) -> Figure:
    """How did actual cost move against what was expected?"""
    frame = expected.series.sort_values("quarter", kind="stable").reset_index(drop=True)
    x = frame["quarter"].to_numpy(dtype=float)
    actual, hoped = (frame[c].to_numpy(dtype=float) for c in ("actual_pmpm", "expected_pmpm"))

    def draw(width: int) -> MplFigure:
        figure, axes = _canvas(width, 320)
        axes.grid(axis="y")
        after = (x >= -1) & ~np.isnan(actual) & ~np.isnan(hoped)
        axes.fill_between(x, actual, hoped, where=after.tolist(), color=BLUE, alpha=0.14, linewidth=0)
        axes.plot(x, hoped, color=MUTE, linewidth=2, linestyle=(0, (5, 3)))
        axes.plot(x, actual, color=BLUE, linewidth=2.4)
        _headroom(axes, frame[["actual_pmpm", "expected_pmpm"]])
        _periods(axes, x, spec, narrow=width == NARROW)
        _quarters(axes, frame["quarter"], frame["first_month"], width)
        _money(axes.yaxis, width)
        _end_labels(axes, x, [(hoped, "Expected", MUTE), (actual, "Actual", BLUE)])
        return figure

    last = frame.dropna(subset=["actual_pmpm", "expected_pmpm"]).tail(1)
    end = "" if last.empty else (f" In the last quarter shown, expected is {usd(last['expected_pmpm'].iloc[0])} and actual "
                                 f"{usd(last['actual_pmpm'].iloc[0])}.")
    primary = words.primary_definition(expected)
    return Figure(
        id="fig-series", title=titles.series(expected, spec),
        subtitle=f"Cost of members in {words.treated_arm(spec)}, {_UNIT}, by quarter. {_period(spec)}",
        note=f"Dashed: expected cost by definition {primary['definition']} ({primary['label']}); solid: actual cost; shaded: the gap "
             "after the start.",
        description=f"Expected and actual cost over {count(len(frame))} quarters.{end}", draw=draw, table=exhibits.series(expected))


def definitions(expected: ExpectedCosts, spec: StudySpec) -> Figure:
    """Does the answer depend on what "expected" means?"""
    frame = expected.definitions.reset_index(drop=True)

    def draw(width: int) -> MplFigure:
        figure, axes = _canvas(width, 60 + 44 * len(frame))
        ends = frame[["lo95", "hi95", "difference_pmpm"]].to_numpy(dtype=float)
        low, high = min(0.0, np.nanmin(ends)), max(0.0, np.nanmax(ends))
        margin = 0.04 * (high - low or 1.0)
        axes.axvline(0, color=INK, linewidth=1)
        for i, row in enumerate(frame.itertuples()):
            y = len(frame) - i - 0.7
            colour = BLUE if row.compares == "versus expected" else VERMILION
            if not absent(row.lo95):
                axes.plot([row.lo95, row.hi95], [y, y], color=colour, linewidth=2.4 if row.primary else 1.6, solid_capstyle="butt")
            if not absent(row.difference_pmpm):
                axes.plot([row.difference_pmpm], [y], "o" if row.compares == "versus expected" else "D",
                          markersize=9 if row.primary else 7, markeredgecolor=colour, markeredgewidth=1.6,
                          markerfacecolor=colour if row.primary else PAPER)
            label = _shorten(f"{row.definition} {row.label}", 74 if width == WIDE else 36)
            axes.text(low - margin, y + 0.42, label, ha="left", va="center", color=colour, fontsize=11.5,
                      fontweight="bold" if row.primary else "normal")
        axes.set_xlim(low - margin, high + margin)
        axes.set_ylim(0, len(frame))
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        _money(axes.xaxis, width)
        return figure

    parts = [f"{r.definition}: {usd(r.difference_pmpm)}" + ("" if absent(r.lo95) else f" ({interval(r.lo95, r.hi95)})")
             for r in frame.itertuples() if not absent(r.difference_pmpm)]
    return Figure(
        id="fig-definitions", title=titles.definitions(expected),
        subtitle=f"Actual minus expected cost, {_UNIT}; negative means that care cost less. {_period(spec)}",
        note="Round marks compare with expected cost (a change), diamonds with peers (a level). Filled and bold: declared primary "
             "beforehand. Lines are 95% intervals; a mark without a line has none.",
        description=f"Actual minus expected cost. {'; '.join(parts)}." if parts else "No definition could be estimated.",
        draw=draw, table=exhibits.definitions(expected))


def calibration(risk: RiskModelResult, spec: StudySpec) -> Figure:
    """Does the cost model predict well for low- and high-cost members alike?"""
    frame = risk.calibration

    def draw(width: int) -> MplFigure:
        figure, axes = _canvas(width, 290)
        axes.grid(axis="y")
        axes.axhline(1, color=INK, linewidth=1)
        for arm, mark, colour, shift in (("treated", "o", BLUE, -0.12), ("comparison", "s", VERMILION, 0.12)):
            rows = frame[frame["arm"] == arm]
            axes.plot(rows["decile"] + shift, rows["predictive_ratio"], mark, color=colour, markersize=7,
                      markerfacecolor=colour if arm == "treated" else PAPER, markeredgewidth=1.6,
                      label=words.arm_label(arm, spec))
        axes.set_xticks(range(1, 11))
        axes.set_xlabel("Decile of predicted cost, lowest to highest")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: number(v, 1 if abs(v * 10 - round(v * 10)) < 1e-9 else 2)))
        _key(axes)
        _quiet(axes)
        return figure

    known = frame["predictive_ratio"].dropna()
    reach = "" if known.empty else f" They run from {ratio(known.min(), 2)} to {ratio(known.max(), 2)}."
    return Figure(
        id="fig-calibration", title=titles.calibration(risk), subtitle=f"Predicted over actual cost in the baseline, ratio, by arm. "
        f"{months(spec.periods.baseline.first, spec.periods.baseline.last)}",
        note="A ratio of one means that the model is right on average for members of that decile.",
        description=f"Ratios of predicted to actual cost for ten deciles of predicted cost in both arms.{reach}",
        draw=draw, table=exhibits.calibration(risk, spec))


# -- data and cohort -----------------------------------------------------------------------------------


def volumes(quality: DataQuality, spec: StudySpec) -> Figure:
    """Are the data whole, month by month, and alike in both arms?"""
    frame = quality.volumes.assign(
        lines_per_1000=1000 * quality.volumes["claim_lines"] / quality.volumes["member_months"],
        allowed_pmpm=quality.volumes["allowed_usd"] / quality.volumes["member_months"])
    panels = (("lines_per_1000", "Claim lines per thousand member-months", count), ("allowed_pmpm", "Allowed cost, $ PMPM", exhibits.usd0))

    def draw(width: int) -> MplFigure:
        figure, upper = _canvas(width, 460, rows=2)
        every = np.array(sorted(frame["month"].unique()), dtype=float)
        for axes, (column, label, write) in zip(upper, panels, strict=True):
            axes.grid(axis="y")
            axes.axvline(spec.periods.start_month - 0.5, color=INK, linewidth=1)
            lines = []
            for arm, dash, colour in (("treated", "-", BLUE), ("comparison", (0, (5, 2)), VERMILION)):
                values = frame[frame["arm"] == arm].set_index("month")[column].reindex(every).to_numpy(dtype=float)
                axes.plot(every, values, color=colour, linewidth=1.8, linestyle=dash)
                lines.append((values, words.arm_label(arm, spec), colour))
            axes.set_title(label, loc="left", fontsize=12, color=MUTE)
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _, w=write: w(v)))
            axes.yaxis.set_major_locator(MaxNLocator(4))
            ticks = [m for m in every if int(m) % 12 == 0]
            axes.set_xticks(ticks or every[:1], [str(int(m) // 12) for m in ticks] or [month_short(every[0])])
            _quiet(axes)
            _end_labels(axes, every, lines)
        return figure

    return Figure(
        id="fig-volumes", title="Claims by month and arm",
        subtitle=f"Claim lines and allowed cost of members in the study. {_span(frame['month'])}",
        note=f"The line marks the start, {month_short(spec.periods.start_month)}. A sudden fall at the end would mean that claims were "
             "still to be paid.",
        description=f"Claim lines per thousand member-months and allowed cost over {count(frame['month'].nunique())} months, by arm.",
        draw=draw, table=exhibits.volumes(quality, spec))


def waterfall(quality: DataQuality, spec: StudySpec) -> Figure:
    """Where did the dollars in the files go before they became cost in the evaluation?"""
    frame = quality.waterfall.reset_index(drop=True)
    changes = frame["allowed_usd"].to_numpy(dtype=float)

    def draw(width: int) -> MplFigure:
        figure, axes = _canvas(width, 30 + 46 * len(frame))
        running, top = 0.0, max(np.nanmax(np.abs(changes)), 1.0)
        for i, row in enumerate(frame.itertuples()):
            y, value = len(frame) - i - 0.72, float(row.allowed_usd)
            total = i in (0, len(frame) - 1)
            left = 0.0 if total else running
            axes.barh(y, value, left=left, height=0.34, color=BLUE if total else VERMILION, linewidth=0,
                      alpha=1.0)
            if not total:  # a hair line, so that a small step can still be found
                axes.plot([left, left], [y - 0.28, y + 0.28], color=MUTE, linewidth=0.8)
            running = value if total else running + value
            axes.text(0, y + 0.4, _shorten(str(row.label), 84 if width == WIDE else 34), ha="left", va="center", fontsize=11.5)
            axes.text(top * 1.02, y, usd_round(value), ha="left", va="center", fontsize=11.5,
                      fontweight="bold" if total else "normal")
        axes.set_xlim(0, top * (1.18 if width == WIDE else 1.42))
        axes.set_ylim(0, len(frame))
        axes.set_axis_off()
        return figure

    return Figure(
        id="fig-waterfall", title=words.dollars_kept(quality) or "From dollars in the files to cost in the evaluation",
        subtitle=f"Allowed dollars, both arms and everyone else in the files. Paid through {spec.paid_through}",
        note="Blue bars are totals, the others changes; amounts stand at the right.",
        description=f"A waterfall of {count(len(frame))} steps from {usd_round(changes[0])} in the files to {usd_round(changes[-1])} in the "
                    "evaluation.", draw=draw, table=exhibits.waterfall(quality))


def balance(cohort: Cohort, spec: StudySpec) -> Figure:
    """How alike were the arms before the start?"""
    frame = cohort.balance.reset_index(drop=True)

    def draw(width: int) -> MplFigure:
        narrow = width == NARROW
        figure, axes = _canvas(width, 70 + (38 if narrow else 25) * len(frame))
        values = frame["smd"].to_numpy(dtype=float)
        reach = max(0.25, float(np.nanmax(np.abs(values), initial=0.0)) * 1.15)
        axes.axvspan(-words.NOTABLE_SMD, words.NOTABLE_SMD, color=MUTE, alpha=0.12, linewidth=0)
        axes.axvline(0, color=INK, linewidth=1)
        for i, row in enumerate(frame.itertuples()):
            y = len(frame) - i - (0.75 if narrow else 0.5)
            if not absent(row.smd):
                far = abs(row.smd) > words.NOTABLE_SMD
                axes.plot([row.smd], [y], "o", markersize=7.5, markeredgecolor=VERMILION if far else BLUE, markeredgewidth=1.6,
                          markerfacecolor=VERMILION if far else PAPER)
            if narrow:
                axes.text(-reach, y + 0.42, _shorten(str(row.label), 40), ha="left", va="center", fontsize=11.5)
        axes.set_xlim(-reach, reach)
        axes.set_ylim(0, len(frame))
        axes.set_yticks([] if narrow else [len(frame) - i - 0.5 for i in range(len(frame))],
                        [] if narrow else [_shorten(str(t), 36) for t in frame["label"]])
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: number(v, 1)))
        axes.xaxis.set_major_locator(MaxNLocator(7 if not narrow else 5, steps=[1, 2, 5, 10]))
        return figure

    return Figure(
        id="fig-balance", title=titles.balance(cohort),
        subtitle=f"Standardised difference, {words.arm_label('treated', spec).lower()} minus comparison, in standard deviations, at "
                 f"baseline. {months(spec.periods.baseline.first, spec.periods.baseline.last)}",
        note="Shaded: differences of up to 0.1, which are not notable. Filled marks lie outside.",
        description=words.balance(cohort), draw=draw, table=exhibits.balance(cohort, spec))


def organizations(cohort: Cohort, spec: StudySpec) -> Figure:
    """How far did whole organisations move by themselves, and where does the program's lie?"""
    frame = exhibits.organizations(cohort, spec).frame
    known = frame[frame["change_pmpm"].notna() & frame["members"].notna()]

    def draw(width: int) -> MplFigure:
        figure, axes = _canvas(width, 340)
        axes.grid(axis="both")
        axes.axvline(0, color=INK, linewidth=1)
        others, treated = known[known["arm"] != "treated"], known[known["arm"] == "treated"]
        axes.plot(others["change_pmpm"], others["members"], "o", markerfacecolor=PAPER, markeredgecolor=VERMILION, markersize=7,
                  markeredgewidth=1.4, linestyle="none", label="Comparison organisations")
        axes.plot(treated["change_pmpm"], treated["members"], "D", color=BLUE, markersize=9, linestyle="none",
                  label=words.arm_label("treated", spec))
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: count(v)))
        axes.yaxis.set_minor_formatter(FuncFormatter(lambda v, _: ""))
        axes.set_ylabel("Members")
        axes.set_xlabel("Change in cost, $ PMPM")
        _key(axes)
        _quiet(axes)
        _money(axes.xaxis, width)
        return figure

    return Figure(
        id="fig-organizations", title=titles.organizations(cohort),
        subtitle=f"Change in cost from the baseline to after the start, {_UNIT}, not adjusted, by members at baseline. {_period(spec)}",
        note="One mark an organisation. Small organisations scatter more; what a large one does by itself sets how small an effect can "
             "be seen.",
        description=f"Changes in cost of {count(len(known))} organisations by their size.", draw=draw,
        table=exhibits.organizations(cohort, spec))


# -- parts of a drawing --------------------------------------------------------------------------------

_UNIT = "$ per member per month"


def _canvas(width: int, height: int, rows: int = 1) -> Any:
    with svg.style():
        figure = MplFigure(figsize=(width / 72, height / 72), layout="constrained")
        figure.get_layout_engine().set(w_pad=2 / 72, h_pad=3 / 72, hspace=0.06)  # type: ignore[union-attr]
        axes = figure.subplots(rows, 1)
        for one in np.atleast_1d(axes):
            one.set_axisbelow(True)
            one.tick_params(length=3)
        return figure, axes


def _money(axis: Any, width: int) -> None:
    axis.set_major_formatter(FuncFormatter(lambda v, _: usd(v, 0 if float(v).is_integer() else 2)))
    axis.set_major_locator(MaxNLocator(8 if width == WIDE else 5, steps=[1, 2, 2.5, 5, 10]))


def _quiet(axes: Axes) -> None:
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _headroom(axes: Axes, values: pd.DataFrame) -> None:
    """Room above the data for the labels of the periods."""
    array = values.to_numpy(dtype=float)
    if np.isnan(array).all():
        return
    low, high = np.nanmin(array), np.nanmax(array)
    reach = high - low or 1.0
    axes.set_ylim(low - 0.06 * reach, high + 0.16 * reach)


def _periods(axes: Axes, x: np.ndarray, spec: StudySpec, narrow: bool) -> None:
    axes.axvline(-0.5, color=INK, linewidth=1)
    axes.set_xlim(x.min() - 0.6, x.max() + 0.6)
    top = axes.get_xaxis_transform()
    after = "after" if narrow else f"after the start, {month_short(spec.periods.start_month)}"
    axes.text(-0.62, 0.985, "before", ha="right", va="top", color=MUTE, transform=top)
    axes.text(-0.38, 0.985, after, ha="left", va="top", color=BLUE, transform=top)
    _quiet(axes)


def _quarters(axes: Axes, quarters: pd.Series, first_months: pd.Series, width: int) -> None:
    """Two-line labels: the month in which a quarter begins, and its year where that changes."""
    step = 1 if width == WIDE and len(quarters) <= 18 else 2 if len(quarters) <= 24 and width == WIDE else 4
    ticks, labels, year = [], [], None
    for i, (quarter, first) in enumerate(zip(quarters, first_months, strict=True)):
        if i % step:
            continue
        name, this = month_short(first).split()
        ticks.append(quarter)
        labels.append(f"{name}\n{this}" if this != year else name)
        year = this
    axes.set_xticks(ticks, labels)


def _end_labels(axes: Axes, x: np.ndarray, lines: Sequence[tuple[np.ndarray, str, str]]) -> None:
    """Name each line at its last point, moved apart where they would touch."""
    low, high = axes.get_ylim()
    apart = 0.075 * (high - low) * 320 / (axes.figure.get_figheight() * 72 / len(axes.figure.axes))
    placed = []
    for values, label, colour in lines:
        where = np.flatnonzero(~np.isnan(values))
        if len(where):
            placed.append([float(values[where[-1]]), label, colour])
    placed.sort(key=lambda p: p[0])
    for below, above in zip(placed, placed[1:], strict=False):
        if above[0] - below[0] < apart:
            middle = (above[0] + below[0]) / 2
            below[0], above[0] = middle - apart / 2, middle + apart / 2
    for y, label, colour in placed:
        axes.annotate(label, (x.max(), y), xytext=(8, 0), textcoords="offset points", ha="left", va="center", color=colour,
                      fontweight="bold", annotation_clip=False)


def _key(axes: Axes) -> None:
    """What the marks mean, above the drawing."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, frameon=False, handletextpad=0.3, columnspacing=1.4,
                borderaxespad=0, fontsize=12)


def _period(spec: StudySpec) -> str:
    return months(spec.periods.baseline.first, spec.periods.performance.last)


def _span(column: pd.Series) -> str:
    return months(column.min(), column.max()) if len(column) else ""


def _shorten(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
