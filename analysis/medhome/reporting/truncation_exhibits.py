"""High-cost truncation on the page: who and what is above the cap, and the effect at other caps."""

from __future__ import annotations

import pandas as pd

from medhome.reporting.blocks import NOTHING, Block, paragraphs
from medhome.reporting.cohort_exhibits import by_arm, usd0
from medhome.reporting.datatable import Column, DataTable, Row, records
from medhome.study.display import absent, count, pmpm, share, usd
from medhome.study.released import ReleasedRun
from medhome.study.spec import StudySpec
from medhome.study.truncation_results import Truncation

_PERIODS = {"baseline": "Baseline", "performance": "After the start"}


def cost_above_the_cap(report: ReleasedRun) -> Block:
    """Table: members and dollars above the yearly cap, by arm and period."""
    found, spec = report.evaluation.truncation, report.spec
    cap = spec.outcomes.cap_usd_per_year
    if cap is None or found.above_cap.empty:
        return NOTHING
    return above_cap(found, spec).block()


def effect_at_other_caps(report: ReleasedRun) -> Block:
    """Table: the effect with cost truncated at other caps, and not at all."""
    found = report.evaluation.truncation
    if found.cap_grid.empty:
        return NOTHING
    return paragraphs([in_words(found.cap_grid)]) + cap_grid(found).block()


def in_words(grid: pd.DataFrame) -> str:
    """How far the estimate moves from cap to cap."""
    low, *_between, high = sorted(records(grid), key=lambda row: row["estimate"])
    return (
        f"Across these caps the effect lies between {pmpm(low['estimate'])} ({_named(low)}) and "
        f"{pmpm(high['estimate'])} ({_named(high)})."
    )


def above_cap(found: Truncation, spec: StudySpec) -> DataTable:
    """Members with cost above the cap in some 12-month window, and the dollars that the cap takes."""
    frame = by_arm(found.above_cap, spec)
    frame = frame.assign(period_label=[_PERIODS.get(str(p), str(p)) for p in frame["period"]])
    for name in ("above_usd", "above_share"):
        frame[f"{name}_withheld"] = frame["members_above"].isna()
    return DataTable(
        id="tbl-above-cap",
        caption="Members and allowed cost above the yearly cap",
        frame=frame,
        columns=(
            Column("period_label", "Period", beneath=Column("arm_label", "arm")),
            Column("members", "Members", count),
            Column("members_above", "Above the cap", count, "members"),
            Column("allowed_usd", "Allowed", usd0, "$, nothing cut off"),
            Column("above_usd", "Cut off", usd0, "$"),
            Column("above_share", "Share cut off", lambda value: share(value, 2), "of dollars"),
        ),
        counts=Truncation.COUNTS["above_cap"],
        resting=Truncation.RESTING["above_cap"],
        note=f"The cap is {usd0(spec.outcomes.cap_usd_per_year)} per member and 12 months from the start, "
        "the same in both arms. Cost above it is cut off; the member stays.",
    )


def cap_grid(found: Truncation) -> DataTable:
    """The effect at each cap of the grid, with its interval."""
    grid = found.cap_grid
    label = [str(row.label) + (" (this study)" if row.declared else "") for row in grid.itertuples()]
    return DataTable(
        id="tbl-cap-grid",
        caption="The effect with cost truncated at other caps",
        frame=grid.assign(name=label),
        columns=(
            Column("name", "Cap"),
            Column("cap_usd", "Dollars", usd0, "per member and 12 months"),
            Column("estimate", "Effect", usd, "$ PMPM"),
            Column("se", "Standard error", usd, "$ PMPM"),
            Column("lo95", "95% interval", usd, "$ PMPM", upper="hi95"),
        ),
        strong=[bool(d) for d in grid["declared"]],
        note="The study's own model and interval, on allowed cost cut off at each cap. The cap is that of "
        "the 12 months from the start; other years follow the study's trend.",
    )


def _named(row: Row) -> str:
    return "no cap" if absent(row["cap_usd"]) else f"a cap of {usd0(row['cap_usd'])}"
