"""Placebos, leaving one out, other estimators and bounds as tables: pure functions from a result."""

from __future__ import annotations

import pandas as pd

from medhome.reporting.cohort_exhibits import month_column
from medhome.reporting.datatable import Column, DataTable
from medhome.reporting.robustness_words import CHOICES
from medhome.reporting.study_words import arm_label
from medhome.study.display import count, number, usd
from medhome.study.robustness_results import Robustness
from medhome.study.spec import StudySpec

UNITS = {
    "relative-magnitudes": "times the largest change from quarter to quarter before the start",
    "smoothness": "$ PMPM by which a drift may bend from quarter to quarter",
}
_INTERVAL = Column("lo95", "95% interval", usd, "$ PMPM", upper="hi95")


def methods(found: Robustness) -> DataTable:
    """The effect by estimator; rows whose interval is not valid here in grey."""
    return estimators(
        found.methods,
        table_id="tbl-estimators",
        caption="The effect by estimator",
        note="All on the same cost: organisations or practices by month or quarter, less the covariates' "
        "part at the headline's own slopes.",
    )


def estimators(frame: pd.DataFrame, *, table_id: str, caption: str, note: str) -> DataTable:
    """One row for each estimator, with what its interval is worth."""
    return DataTable(
        id=table_id,
        caption=caption,
        frame=frame,
        columns=(
            Column("label", "Estimator", beneath=Column("reading", "what its interval is worth here")),
            Column("estimate", "Estimate", usd, "$ PMPM"),
            Column("se", "Standard error", usd, "$ PMPM"),
            _INTERVAL,
        ),
        muted=[not bool(v) for v in frame["valid"]],
        strong=[bool(v) for v in frame["headline"]],
        note=note,
    )


def placebo_starts(found: Robustness) -> DataTable:
    """The effect of each start that did not happen."""
    return DataTable(
        id="tbl-placebo-starts",
        caption="Effects of starts inside the baseline",
        frame=found.placebo_starts,
        columns=(
            month_column("month", "Start"),
            Column("months_before", "Months before", count),
            Column("months_after", "Months after", count),
            Column("estimate", "Effect", usd, "$ PMPM"),
            Column("se", "Standard error", usd, "$ PMPM"),
            _INTERVAL,
        ),
        note="Months of the baseline alone; the model and the interval are the headline's.",
    )


def left_out(found: Robustness, unit: str, spec: StudySpec) -> DataTable:
    """The effect without each organisation, or each practice; unit is the frame's name."""
    frame = getattr(found, unit)
    frame = frame.assign(arm_label=[arm_label(str(a), spec) for a in frame["arm"]]).sort_values(
        "estimate", kind="stable"
    )
    word = "organisation" if unit == "organizations" else "practice"
    return DataTable(
        id=f"tbl-without-{unit}",
        caption=f"The effect without one {word}",
        frame=frame,
        columns=(
            Column("label", "Left out", beneath=Column("arm_label", "arm")),
            Column("members", "Members", count),
            Column("estimate", "Effect without it", usd, "$ PMPM"),
            *([_INTERVAL] if "lo95" in frame.columns else []),
            Column("change", "Change", usd, "$ PMPM"),
            Column("why", "Note", seldom=True),
        ),
        counts=Robustness.COUNTS[unit],
        resting=Robustness.RESTING[unit],
        note="Intervals: of the headline's kind, with the shocks of organisations as estimated with all."
        if unit == "organizations"
        else "Members: the most in one month.",
    )


def placebo_arm(found: Robustness) -> DataTable:
    """The effect of each comparison organisation, had it been the program."""
    return DataTable(
        id="tbl-placebo-arm",
        caption="Each comparison organisation taken for the program",
        frame=found.placebo_arm.sort_values("estimate", kind="stable"),
        columns=(
            Column("label", "Organisation"),
            Column("members", "Members", count),
            Column("estimate", "Effect", usd, "$ PMPM"),
            Column("why", "Note", seldom=True),
        ),
        counts=Robustness.COUNTS["placebo_arm"],
        resting=Robustness.RESTING["placebo_arm"],
    )


def placebo_outcomes(found: Robustness) -> DataTable:
    """The effect on outcomes that the program cannot have changed, each in its own unit."""
    return DataTable(
        id="tbl-placebo-outcomes",
        caption="Effects on what the program cannot have changed",
        frame=found.placebo_outcomes,
        columns=(
            Column("label", "Claims for", beneath=Column("unit", "counted as")),
            Column("people", "People", count),
            Column("level", "Comparison, before", number),
            Column("estimate", "Effect", number),
            Column("se", "Standard error", number),
            Column("lo95", "95% interval", number, upper="hi95"),
            Column("why", "Note", seldom=True),
        ),
        counts=Robustness.COUNTS["placebo_outcomes"],
        resting=Robustness.RESTING["placebo_outcomes"],
        note="Claims whose first diagnosis is in the named list. People: the fewest who had one in an arm "
        "before or after the start. Not adjusted; the interval is of the headline's kind.",
    )


def bounds(found: Robustness, kind: str) -> DataTable:
    """The interval of each effect when trends may part, by how far; kind of `study.sensitivity_bounds`."""
    write = number if kind == "relative-magnitudes" else usd
    rules = found.breakdowns.loc[found.breakdowns["kind"] == kind, "rule"].drop_duplicates()
    return DataTable(
        id=f"tbl-bounds-{kind}",
        caption=f"The effect when trends may have parted: {CHOICES[kind].lower()}",
        frame=found.bounds[found.bounds["kind"] == kind],
        columns=(
            Column("label", "Effect"),
            Column("m", "How far", write, UNITS[kind]),
            _INTERVAL,
        ),
        note="\n".join(f"{r[:1].upper()}{r[1:]}." for r in rules),
    )
