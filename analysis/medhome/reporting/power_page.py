"""The page for those who plan a pilot: what a study of each size could find, as curves and tables."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import FuncFormatter

from medhome.reporting.blocks import Block, paragraphs
from medhome.reporting.datatable import Column, DataTable
from medhome.reporting.drawing import BLUE, MUTE, VERMILION, Figure, canvas, money_ticks, quiet
from medhome.reporting.section_page import write_sections
from medhome.study.display import count, share, usd
from medhome.study.power_results import AXES, PowerCurve, significant


def power_in_words(found: PowerCurve) -> Block:
    """What the planned size can find, and what more of anything would change."""
    first, *others = found.in_words()
    return paragraphs([first], css="first") + paragraphs(others)


def power_figure(found: PowerCurve, axis: str) -> Figure:
    """The smallest effect found with 80% power, over one size; all else as planned."""
    rows = found.frame[found.frame["axis"] == axis].reset_index(drop=True)
    x, y = rows["value"].to_numpy(dtype=float), rows["detectable_pmpm"].to_numpy(dtype=float)
    planned = found.plan["detectable_pmpm"]
    at = found.plan[_PLANNED[axis]]
    aim = found.effect_pmpm_usd

    def draw(width: int) -> MplFigure:
        figure, axes = canvas(width, 260)
        axes.grid(axis="y")
        axes.plot(x, y, "-o", color=BLUE, linewidth=2, markersize=6)
        axes.plot([at], [planned], "D", color=VERMILION, markersize=9)
        if aim is not None:
            axes.axhline(aim, color=MUTE, linewidth=1.2, linestyle=(0, (4, 3)))
            axes.annotate(f"effect aimed at, {usd(aim)}", (1, aim), xycoords=("axes fraction", "data"),
                          xytext=(0, 4), textcoords="offset points", ha="right", color=MUTE)  # fmt: skip
        axes.set_xscale("log")
        axes.set_xticks(x)
        axes.minorticks_off()
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: count(v)))
        axes.set_xlabel(AXES[axis])
        axes.set_ylim(0, 1.12 * max(y.max(), planned, aim or 0.0))
        money_ticks(axes.yaxis, width)
        quiet(axes)
        return figure

    ends = f"from {usd(y[0])} at {count(x[0])} to {usd(y[-1])} at {count(x[-1])}"
    return Figure(
        id=f"fig-power-{axis}",
        title=f"{AXES[axis]}: the smallest effect found runs {ends}",
        subtitle="Smallest effect found with 80% power at the 5% level, $ PMPM, to either side.",
        note=f"The diamond is the plan: {usd(planned)} at {count(at)}. All else as planned.",
        description=f"{AXES[axis]}: {ends}; the plan is {usd(planned)}.",
        draw=draw,
        table=power_table(found, axis),
    )


_PLANNED = {
    "practices": "practices_treated",
    "members": "members_per_practice",
    "months": "months_after",
    "organizations": "organizations_treated",
}


def power_table(found: PowerCurve, axis: str) -> DataTable:
    """One size varied: its values, what they can find, and the power for the effect aimed at."""
    frame = found.frame[found.frame["axis"] == axis].reset_index(drop=True)
    columns = [
        Column("value", AXES[axis], count),
        Column("detectable_pmpm", "Detectable", usd, "$ PMPM"),
        Column("detectable_share", "of mean cost", share),
        Column("se_pmpm", "Standard error", usd, "$ PMPM"),
        Column("df", "Degrees of freedom", count),
    ]
    if found.effect_pmpm_usd is not None:
        columns.append(Column("power", "Power", share, f"for {usd(found.effect_pmpm_usd)}"))
    return DataTable(id=f"tbl-power-{axis}", caption=AXES[axis], frame=frame, columns=columns)


def power_assumptions(found: PowerCurve) -> DataTable:
    """What the curves rest on."""
    return DataTable(
        id="tbl-power-assumptions",
        caption="What the curves rest on",
        frame=found.assumptions,
        columns=(
            Column("label", "Quantity"),
            Column("value", "Value", significant),
            Column("unit", "Unit"),
            Column("basis", "Basis"),
        ),
        note="Practices count as equally large. Formula and defaults: docs/power.md.",
    )


def write_power_page(found: PowerCurve, out: Path) -> Path:
    """Write the page: one self-contained file; an earlier one is replaced."""
    shown = [axis for axis in AXES if (found.frame["axis"] == axis).sum() > 1]
    parts = [
        ("", power_in_words(found)),
        *((AXES[axis], power_figure(found, axis).block()) for axis in shown),
        ("Assumptions", power_assumptions(found).block()),
    ]
    return write_sections(parts, out, f"{found.title}: what this study could find")
