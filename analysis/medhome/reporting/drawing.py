"""What every figure is made of: the `Figure` with its markup, and the parts of a drawing.

A figure has a title, a subtitle, a note, a description for those who cannot see it, and its data as a table.
It is drawn twice, for a wide page and for a phone, so that its text is never scaled down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

from medhome.reporting import svg
from medhome.reporting.blocks import Block, escape, prose
from medhome.reporting.datatable import DataTable, csv_link
from medhome.reporting.exhibit_numbers import numbered
from medhome.study.display import month_short, months, usd
from medhome.study.spec import StudySpec

WIDE, NARROW = 736, 342
"""Widths in CSS pixels: the text column of the page, and a phone's."""

INK, MUTE, GRID, BLUE, VERMILION = (svg.PALETTE[c] for c in ("ink", "mute", "grid", "c1", "c2"))
PAPER = svg.PALETTE["bg"]


UNIT = "$ per member per month"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure before it becomes markup: ``draw`` takes a width in pixels and gives a matplotlib figure.

    ``drawn`` are the columns of the table that the picture shows; where one is withheld, the note says so.
    """

    id: str
    title: str
    subtitle: str
    note: str
    description: str
    draw: Callable[[int], MplFigure]
    table: DataTable
    drawn: Sequence[str] = ()

    def with_table(self) -> Block:
        """The figure, and below it its table in full, which is then not repeated under the picture."""
        return self.block(table_follows=True) + self.table.block()

    def block(self, *, table_follows: bool = False) -> Block:
        """The figure as a part of a page: pictures for both widths, note, data table and downloads.

        table_follows: the page shows the table itself; the figure leads to it and does not repeat it.
        """
        with svg.style():
            wide, narrow = (svg.drawing(self.draw(w), f"{self.id}-{w}") for w in (WIDE, NARROW))
        pictures = "".join(
            f'<div class="{css}">{svg.inline(s, f"{self.id}-{css}", self.title, self.description)}</div>'
            for css, s in (("wide", wide), ("narrow", narrow))
        )
        note = " ".join(t for t in (self.note, self._gaps()) if t)
        subtitle = numbered(self.table.id, self.subtitle)
        data = (
            f'<a href="#{escape(self.table.id)}">Data table</a>'
            if table_follows
            else f"<details><summary>Data table</summary>{self.table.html()}</details>{csv_link(self.table)}"
        )
        svg_file = f'<a download="{self.id}.svg" href="{svg.download_link(wide)}"'
        markup = (
            f'<figure class="fig" id="{self.id}"><p class="ftitle">{prose(self.title)}</p>'
            f'<p class="fsub">{prose(subtitle)}</p>{pictures}<figcaption>{prose(note)}</figcaption>'
            f'<div class="dl">{data}{svg_file} aria-label="SVG of {escape(self.title)}">SVG</a>'
            "</div></figure>"
        )
        told = [self.title, subtitle, self.description, note]
        return Block(
            html=markup,
            text="\n".join([*told, *([] if table_follows else [self.table.plain()])]),
        )

    def _gaps(self) -> str:
        hidden = any(self.table.is_withheld(row, name) for row in self.table.rows() for name in self.drawn)
        return "What is missing here is withheld, for small numbers of people." if hidden else ""


def canvas(width: int, height: int, rows: int = 1) -> Any:
    layout = ConstrainedLayoutEngine(w_pad=2 / 72, h_pad=3 / 72, hspace=0.06)
    figure = MplFigure(figsize=(width / 72, height / 72), dpi=72, layout=layout)
    axes = figure.subplots(rows, 1)
    for one in np.atleast_1d(axes):
        one.set_axisbelow(True)
        one.tick_params(length=3)
    return figure, axes


def money_ticks(axis: Any, width: int) -> None:
    axis.set_major_formatter(FuncFormatter(lambda v, _: usd(v, 0 if float(v).is_integer() else 2)))
    axis.set_major_locator(MaxNLocator(8 if width == WIDE else 5, steps=[1, 2, 2.5, 5, 10]))


def quiet(axes: Axes) -> None:
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def headroom(axes: Axes, values: pd.DataFrame) -> None:
    """Room above the data for the labels of the periods."""
    array = values.to_numpy(dtype=float)
    if np.isnan(array).all():
        return
    low, high = np.nanmin(array), np.nanmax(array)
    reach = high - low or 1.0
    axes.set_ylim(low - 0.06 * reach, high + 0.16 * reach)


def before_and_after(axes: Axes, x: np.ndarray, spec: StudySpec, narrow: bool) -> None:
    axes.axvline(-0.5, color=INK, linewidth=1)
    axes.set_xlim(x.min() - 0.6, x.max() + 0.6)
    top = axes.get_xaxis_transform()
    after = "after" if narrow else f"after the start, {month_short(spec.periods.start_month)}"
    axes.text(-0.62, 0.985, "before", ha="right", va="top", color=MUTE, transform=top)
    axes.text(-0.38, 0.985, after, ha="left", va="top", color=BLUE, transform=top)
    quiet(axes)


def quarter_ticks(axes: Axes, quarters: pd.Series, first_months: pd.Series, width: int) -> None:
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


def end_labels(axes: Axes, x: np.ndarray, lines: Sequence[tuple[np.ndarray, str, str]], height: int) -> None:
    """Name two lines at their last points, moved apart where the names would touch.

    ``height`` is that of the axes in pixels, more or less.
    """
    ends = [(values[np.flatnonzero(~np.isnan(values))], label, colour) for values, label, colour in lines]
    places = [float(known[-1]) for known, _, _ in ends if len(known)]
    low, high = axes.get_ylim()
    apart = 20 * (high - low) / height
    if len(places) == 2 and abs(places[0] - places[1]) < apart:
        middle, up = sum(places) / 2, 1 if places[0] >= places[1] else -1
        places = [middle + up * apart / 2, middle - up * apart / 2]
    for place, (_, label, colour) in zip(places, [e for e in ends if len(e[0])], strict=True):
        axes.annotate(
            label,
            (x.max(), place),
            xytext=(8, 0),
            textcoords="offset points",
            ha="left",
            va="center",
            color=colour,
            fontweight="bold",
            annotation_clip=False,
        )


def key(axes: Axes, columns: int = 2) -> None:
    """What the marks mean, above the drawing."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=columns,
        frameon=False,
        handletextpad=0.3,
        columnspacing=1.4,
        borderaxespad=0,
        fontsize=12,
    )


def study_months(spec: StudySpec) -> str:
    return months(spec.periods.baseline.first, spec.periods.performance.last)


def month_span(column: pd.Series) -> str:
    return months(column.min(), column.max()) if len(column) else ""


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
