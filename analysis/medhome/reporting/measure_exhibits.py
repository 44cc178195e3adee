"""Exhibits T11 and T12, and the gaps in care: one table a family."""

from __future__ import annotations

import pandas as pd

from medhome.reporting import measure_words as words
from medhome.reporting.datatable import Column, DataTable, records
from medhome.reporting.study_words import arm_label
from medhome.study.display import count, number, p_value
from medhome.study.measure_results import Measures
from medhome.study.spec import StudySpec

_EFFECT_COUNTS = Measures.COUNTS["effects"]
_EFFECT_RESTING = Measures.RESTING["effects"]


def effects(found: Measures, family: str, spec: StudySpec) -> DataTable:
    """Rates of both arms in both periods, the effect with its interval, and p-values as they are adjusted."""
    frame = words.of_family(found.effects, family)

    def rate(name: str, label: str, after: Column | None = None) -> Column:
        return Column(name, label, number, by_row=lambda row: words.value(row, name), beneath=after)

    means = [
        rate(f"{arm}_baseline", f"{arm_label(arm, spec)} before", rate(f"{arm}_performance", "after"))
        for arm in ("treated", "comparison")
    ]
    notes = [
        "Before, and beneath it after, the start. Rates are per 1,000 member-years, shares in percent; "
        "effects per 1,000 member-years or in percentage points, actual minus expected. Holm: p-value "
        "adjusted for the measures of this table; BH: adjusted for the share of false findings (Benjamini "
        "and Hochberg)."
    ]
    notes += [f"{row['label']}: {row['note']}." for row in records(frame) if row["note"]]
    return DataTable(
        id=f"tbl-measures-{family}",
        caption=f"{words.FAMILIES[family]}: rates and effects",
        frame=frame,
        columns=(
            Column("label", "Measure"),
            *means,
            Column("estimate", "Effect", number, by_row=lambda row: words.effect_value(row, "estimate")),
            Column("lo95", "95% interval", number, upper="hi95", by_row=words.effect_interval),
            Column("p", "p", p_value),
            Column("p_holm", "Holm", p_value, beneath=Column("p_bh", "BH", p_value)),
        ),
        counts=_EFFECT_COUNTS,
        resting=_EFFECT_RESTING,
        note="\n".join(notes),
    )


def eligible(found: Measures, family: str, spec: StudySpec) -> DataTable:
    """Members counted, with an event, and the rate, by measure, arm and period."""
    frame = words.of_family(found.rates, family)
    return _by_period(
        frame.assign(unit=frame["unit"]),
        spec,
        f"tbl-eligible-{family}",
        f"{words.FAMILIES[family]}: members and events",
        ("Counted over", "Events"),
    )


def gaps(found: Measures, spec: StudySpec) -> DataTable:
    """Gaps open at the start of a year and closed in it, by measure, arm and period."""
    return _by_period(
        found.gaps.assign(unit="share"),
        spec,
        "tbl-gaps",
        "Gaps in care open at the start of a year, and closed in it",
        ("Open", "Closed"),
    )


def unknown(found: Measures) -> DataTable:
    """Measures that the input does not let be known, and why."""
    return DataTable(
        id="tbl-measures-unknown",
        caption="Measures that are not known from this input",
        frame=found.unknown,
        columns=(Column("label", "Measure"), Column("why", "Why")),
    )


def _by_period(
    frame: pd.DataFrame, spec: StudySpec, id: str, caption: str, names: tuple[str, str]
) -> DataTable:
    shown = frame.assign(
        arm_label=[arm_label(arm, spec) for arm in frame["arm"]],
        when=frame["period"].map({"baseline": "before", "performance": "after"}),
    )
    return DataTable(
        id=id,
        caption=caption,
        frame=shown,
        columns=(
            Column("label", "Measure"),
            Column("arm_label", "Arm"),
            Column("when", "Period"),
            Column("members", "Members", count),
            Column("members_with", "Members with an event", count),
            Column("denominator", names[0], count),
            Column("events", names[1], count),
            Column("rate", "Rate", number, by_row=lambda row: words.value(row, "rate")),
        ),
        counts=Measures.COUNTS["gaps"],
        resting=Measures.RESTING["gaps"],
        note="Counted over: member-months for rates per 1,000 member-years, else members of each year, "
        "discharges or fills. Members of several years count in each.",
    )
