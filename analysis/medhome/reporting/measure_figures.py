"""Use of care, quality and gaps as pictures: expected and actual side by side, and gaps closed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from medhome.reporting import measure_exhibits as exhibits
from medhome.reporting import measure_words as words
from medhome.reporting.drawing import BLUE, INK, MUTE, PAPER, WIDE, Figure, canvas, key, quiet, shortened
from medhome.reporting.study_words import arm_label
from medhome.reporting.words import rows_of
from medhome.study.display import absent, number
from medhome.study.measure_results import Measures
from medhome.study.spec import StudySpec


def effects(found: Measures, family: str, spec: StudySpec) -> Figure:
    """Expected and actual of each measure of a family: in percent of the baseline, shares in percent."""
    frame = words.of_family(found.effects, family)
    frame = frame[frame["estimate"].notna()].reset_index(drop=True)
    points = frame["unit"].eq("share").all()
    scale = pd.Series(100.0, index=frame.index) if points else 100 / frame["treated_baseline"]
    ends = expected_and_actual(frame, scale)
    unit = "% of those who are due it" if points else "% of the rate before the start"
    who = arm_label("treated", spec)
    return Figure(
        id=f"fig-measures-{family}",
        title=f"{words.FAMILIES[family]}: expected and actual",
        subtitle=f"{who}, after the start; in {unit}; line: 95% interval of expected",
        note="",
        description="For each measure a line for the interval of what was expected, a ring for the expected "
        f"and a filled mark for the actual value, in {unit}.",
        draw=lambda width: dumbbells(width, frame["label"], ends),
        table=exhibits.effects(found, family, spec),
        drawn=("estimate",),
    )


def closure(found: Measures, spec: StudySpec) -> Figure:
    """The share of open gaps that was closed, before and after the start, in both arms."""
    frame = found.gaps[~found.gaps["measure"].str.startswith("composite_")]
    places = ["measure", "label", "arm", "period"]
    wide = frame.set_index(places)["rate"].unstack(["arm", "period"])
    wide = wide.reindex(pd.MultiIndex.from_frame(frame[places[:2]].drop_duplicates())).dropna(how="all")
    return Figure(
        id="fig-gap-closure",
        title="Gaps in care closed within the year",
        subtitle="% of the gaps open at the start of a year; from before the program (ring) to after "
        "(filled)",
        note="",
        description="For each measure and arm a line from the share of gaps closed before the "
        "program's start "
        "to the share closed after it.",
        draw=lambda width: _slopes(width, wide, spec),
        table=exhibits.gaps(found, spec),
        drawn=("rate",),
    )


def expected_and_actual(frame: pd.DataFrame, scale: pd.Series) -> pd.DataFrame:
    """What the treated were expected to have after the start, with its interval, and what they had."""
    return pd.DataFrame(
        {
            "expected": (frame["treated_performance"] - frame["estimate"]) * scale,
            "actual": frame["treated_performance"] * scale,
            "low": (frame["treated_performance"] - frame["hi95"]) * scale,
            "high": (frame["treated_performance"] - frame["lo95"]) * scale,
        }
    )


def dumbbells(width: int, labels: pd.Series, ends: pd.DataFrame) -> MplFigure:
    """A row a label: expected as a ring with its interval, actual as a mark: `expected_and_actual`."""
    figure, axes = canvas(width, 60 + 46 * len(ends))
    for i, row in enumerate(rows_of(ends)):
        y = len(ends) - i - 0.7
        if not absent(row.low) and not absent(row.high):
            axes.plot([row.low, row.high], [y, y], color=MUTE, linewidth=1.4, solid_capstyle="butt")
        axes.plot([row.expected, row.actual], [y, y], color=BLUE, linewidth=3, solid_capstyle="butt")
        name = {"label": "expected"} if i == 0 else {}
        axes.plot([row.expected], [y], "o", markersize=8, markerfacecolor=PAPER, markeredgecolor=INK,
                  linestyle="none", **name)  # fmt: skip
        name = {"label": "actual"} if i == 0 else {}
        axes.plot([row.actual], [y], "o", markersize=8, color=BLUE, linestyle="none", **name)
    _named(axes, labels, ends.to_numpy(dtype=float), width)
    return figure


def _slopes(width: int, wide: pd.DataFrame, spec: StudySpec) -> MplFigure:
    figure, axes = canvas(width, 60 + 62 * len(wide))
    colours = {"treated": BLUE, "comparison": MUTE}
    shown = []
    for i, (_index, row) in enumerate(wide.iterrows()):
        for arm, shift in (("treated", 0.0), ("comparison", -0.22)):
            y = len(wide) - i - 0.62 + shift
            before, after = (100 * row.get((arm, p), np.nan) for p in ("baseline", "performance"))
            shown += [before, after]
            axes.plot([before, after], [y, y], color=colours[arm], linewidth=2)
            axes.plot([before], [y], "o", markersize=7, markerfacecolor=PAPER, markeredgecolor=colours[arm])
            name = {"label": arm_label(arm, spec)} if i == 0 else {}
            axes.plot([after], [y], "o", markersize=7, color=colours[arm], linestyle="none", **name)
    labels = pd.Series([label for _measure, label in wide.index])
    _named(axes, labels, np.array(shown, dtype=float), width)
    return figure


def _named(axes: Axes, labels: pd.Series, values: np.ndarray, width: int) -> None:
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    margin = 0.04 * (high - low or 1.0)
    axes.set_xlim(low - margin, high + margin)
    for i, label in enumerate(labels):
        text = shortened(str(label), 84 if width == WIDE else 46)
        axes.text(low - margin, len(labels) - i - 0.28, text, ha="left", va="center", color=INK)
    axes.set_ylim(-0.1, len(labels) + 0.1)
    axes.set_yticks([])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{number(v, 0)}%"))
    axes.xaxis.set_major_locator(MaxNLocator(8 if width == WIDE else 5))
    quiet(axes)
    if len(labels):
        key(axes)
