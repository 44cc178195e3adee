"""Data and cohort as pictures: pure functions from a result to a `Figure`."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from medhome.reporting import cohort_exhibits, cohort_words, study_words, titles, words
from medhome.reporting.cohort_exhibits import usd0
from medhome.reporting.drawing import (
    BLUE,
    INK,
    MUTE,
    NARROW,
    PAPER,
    UNIT,
    VERMILION,
    Figure,
    canvas,
    end_labels,
    month_span,
    quiet,
    shortened,
    study_months,
)
from medhome.reporting.estimate_drawings import Marks, Step, by_size, steps_of_dollars
from medhome.study.display import absent, count, month, month_short, months, number, usd_round
from medhome.study.periods import month_index
from medhome.study.results import Cohort, DataQuality
from medhome.study.spec import StudySpec


def volumes(quality: DataQuality, spec: StudySpec) -> Figure:
    """Are the data whole, month by month, and alike in both arms?"""
    frame = quality.volumes.assign(
        lines_per_1000=1000 * quality.volumes["claim_lines"] / quality.volumes["member_months"],
        allowed_pmpm=quality.volumes["allowed_usd"] / quality.volumes["member_months"],
    )
    panels = (
        ("lines_per_1000", "Claim lines per thousand member-months", count),
        ("allowed_pmpm", "Allowed cost, $ PMPM", usd0),
    )

    def draw(width: int) -> MplFigure:
        figure, upper = canvas(width, 460, rows=2)
        every = np.array(sorted(frame["month"].unique()), dtype=float)
        for axes, (column, label, write) in zip(upper, panels, strict=True):
            axes.grid(axis="y")
            axes.axvline(spec.periods.start_month - 0.5, color=INK, linewidth=1)
            lines = []
            for arm, dash, colour in (("treated", "-", BLUE), ("comparison", (0, (5, 2)), VERMILION)):
                values = (
                    frame[frame["arm"] == arm].set_index("month")[column].reindex(every).to_numpy(dtype=float)
                )
                axes.plot(every, values, color=colour, linewidth=1.8, linestyle=dash)
                lines.append((values, study_words.arm_label(arm, spec), colour))
            axes.set_title(label, loc="left", fontsize=12, color=MUTE)
            axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
            axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _, w=write: w(v)))
            axes.yaxis.set_major_locator(MaxNLocator(4))
            ticks = [m for m in every if int(m) % 12 == 0]
            axes.set_xticks(ticks or every[:1], [str(int(m) // 12) for m in ticks] or [month_short(every[0])])
            quiet(axes)
            end_labels(axes, every, lines, 180)
        return figure

    return Figure(
        id="fig-volumes",
        title="Claims by month and arm",
        subtitle=f"Claim lines and allowed cost of members in the study. {month_span(frame['month'])}",
        note=f"The line marks the start, {month_short(spec.periods.start_month)}. A sudden fall at the end "
        "would mean that claims were still to be paid.",
        description="Claim lines per thousand member-months and allowed cost over "
        f"{count(frame['month'].nunique())} months, by arm.",
        draw=draw,
        table=cohort_exhibits.volumes(quality, spec),
        drawn=("claim_lines", "allowed_usd"),
    )


def waterfall(quality: DataQuality, spec: StudySpec) -> Figure:
    """Where did the dollars in the files go before they became cost in the evaluation?"""
    frame = quality.waterfall.reset_index(drop=True)
    changes = frame["allowed_usd"].to_numpy(dtype=float)

    last = len(frame) - 1
    steps = [
        Step(label=str(row.label), usd=row.allowed_usd, total=i in (0, last))
        for i, row in enumerate(words.rows_of(frame))
    ]
    return Figure(
        id="fig-waterfall",
        title=titles.waterfall(quality),
        subtitle="Allowed dollars, both arms and everyone else in the files. Paid through "
        f"{month(month_index(spec.paid_through))}",
        note="Blue bars are totals, the others changes; amounts stand at the right.",
        description=f"A waterfall of {count(len(frame))} steps from {usd_round(changes[0])} in the files to "
        f"{usd_round(changes[-1])} in the evaluation.",
        draw=lambda width: steps_of_dollars(steps, width),
        table=cohort_exhibits.waterfall(quality),
    )


def balance(cohort: Cohort, spec: StudySpec) -> Figure:
    """How alike were the arms before the start?"""
    frame = cohort.balance.reset_index(drop=True)

    def draw(width: int) -> MplFigure:
        narrow = width == NARROW
        figure, axes = canvas(width, 70 + (38 if narrow else 25) * len(frame))
        values = frame["smd"].to_numpy(dtype=float)
        reach = max(0.25, float(np.nanmax(np.abs(values), initial=0.0)) * 1.15)
        axes.axvspan(-cohort_words.NOTABLE_SMD, cohort_words.NOTABLE_SMD, color=MUTE, alpha=0.12, linewidth=0)
        axes.axvline(0, color=INK, linewidth=1)
        for i, row in enumerate(words.rows_of(frame)):
            y = len(frame) - i - (0.75 if narrow else 0.5)
            if not absent(row.smd):
                far = abs(row.smd) > cohort_words.NOTABLE_SMD
                axes.plot(
                    [row.smd],
                    [y],
                    "o",
                    markersize=7.5,
                    markeredgecolor=VERMILION if far else BLUE,
                    markeredgewidth=1.6,
                    markerfacecolor=VERMILION if far else PAPER,
                )
            if narrow:
                axes.text(
                    -reach, y + 0.42, shortened(str(row.label), 40), ha="left", va="center", fontsize=11.5
                )
        axes.set_xlim(-reach, reach)
        axes.set_ylim(0, len(frame))
        axes.set_yticks(
            [] if narrow else [len(frame) - i - 0.5 for i in range(len(frame))],
            [] if narrow else [shortened(str(t), 44) for t in frame["label"]],
        )
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: number(v, 1)))
        axes.xaxis.set_major_locator(MaxNLocator(7 if not narrow else 5, steps=[1, 2, 5, 10]))
        return figure

    return Figure(
        id="fig-balance",
        title=titles.balance(cohort),
        subtitle=f"Standardised difference, {study_words.arm_label('treated', spec).lower()} minus "
        "comparison, in standard deviations, at baseline. "
        f"{months(spec.periods.baseline.first, spec.periods.baseline.last)}",
        note="Shaded: differences of up to 0.1, which are not notable. Filled marks lie outside.",
        description=cohort_words.balance(cohort),
        draw=draw,
        table=cohort_exhibits.balance(cohort, spec),
    )


def organizations(cohort: Cohort, spec: StudySpec) -> Figure:
    """How far did whole organisations move by themselves, and where does the program's lie?"""
    frame = cohort_exhibits.organizations(cohort, spec).frame
    known = frame[frame["change_pmpm"].notna() & frame["members"].notna()]

    def draw(width: int) -> MplFigure:
        others, treated = (
            Marks(dollars=f["change_pmpm"].tolist(), members=f["members"].tolist(), label=label)
            for f, label in (
                (known[known["arm"] != "treated"], "Comparison organisations"),
                (known[known["arm"] == "treated"], study_words.arm_label("treated", spec)),
            )
        )
        return by_size(others, treated, width, 340, "Change in cost, $ PMPM")

    return Figure(
        id="fig-organizations",
        title=titles.organizations(cohort),
        subtitle=f"Change in cost from the baseline to after the start, {UNIT}, not adjusted, by members at "
        f"baseline. {study_months(spec)}",
        note="One mark an organisation. Small organisations scatter more; what a large one does by itself "
        "sets how small an effect can be seen.",
        description=f"Changes in cost of {count(len(known))} organisations by their size.",
        draw=draw,
        table=cohort_exhibits.organizations(cohort, spec),
        drawn=("members", "change_pmpm"),
    )
