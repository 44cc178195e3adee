"""Washout on the page: the effect with the first months of the program left out."""

from __future__ import annotations

from medhome.reporting.blocks import NOTHING, Block, paragraphs
from medhome.reporting.datatable import Column, DataTable, records
from medhome.study.display import absent, count, pmpm, usd
from medhome.study.released import ReleasedRun
from medhome.study.washout_results import Washout


def effect_after_a_washout(report: ReleasedRun) -> Block:
    """Table: the effect with the first months after the start left out."""
    found = report.evaluation.washout
    if found.grid.empty:
        return NOTHING
    return paragraphs([in_words(found)]) + washout(found).block()


def in_words(found: Washout) -> str:
    """How far the estimate moves when months of implementation are left out."""
    rows = records(found.grid)
    own = next(row for row in rows if row["declared"])
    others = [row for row in rows if not row["declared"] and not absent(row["estimate"])]
    if not others:
        return (
            "The study is too short to leave further months of implementation out: no month after the start "
            "would be left."
        )
    said = ", and ".join(
        f"with the first {count(row['months_left_out'])} months left out it is {pmpm(row['estimate'])}"
        for row in others
    )
    return f"The effect of this study is {pmpm(own['estimate'])}; {said}."


def washout(found: Washout) -> DataTable:
    """The effect for each number of months left out, with its interval."""
    grid = found.grid
    label = [_named(row["months_left_out"], bool(row["declared"])) for row in records(grid)]
    note = (
        "The study's own model and interval on the months that are left. A program that needs time to work "
        "shows a larger effect when its first months are left out; fewer months also make a wider interval."
    )
    missing = [
        f"{_named(row['months_left_out'], False)}: {row['why']}." for row in records(grid) if row["why"]
    ]
    return DataTable(
        id="tbl-washout",
        caption="The effect with the first months after the start left out",
        frame=grid.assign(name=label),
        columns=(
            Column("name", "Left out"),
            Column("months_after", "Months after", count, "that stay"),
            Column("estimate", "Effect", usd, "$ PMPM"),
            Column("se", "Standard error", usd, "$ PMPM"),
            Column("lo95", "95% interval", usd, "$ PMPM", upper="hi95"),
        ),
        strong=[bool(d) for d in grid["declared"]],
        note="\n".join([note, *missing]),
    )


def _named(months: int, declared: bool) -> str:
    words = "No month" if months == 0 else f"The first {count(months)} months"
    return f"{words} (this study)" if declared else words
