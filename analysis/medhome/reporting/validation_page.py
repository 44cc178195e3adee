"""The validation page: golden values of reference implementations, ours beside them, by estimator."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from medhome.reporting.blocks import NOTHING, Block, escape, paragraphs
from medhome.reporting.datatable import Column, DataTable
from medhome.reporting.section_page import write_sections
from medhome.study.validation_results import ValidationResult

TITLE = "Validation: our numbers beside those of reference implementations"


def values_in_words(found: ValidationResult) -> Block:
    """What was compared, how well it agrees, and what was not compared."""
    counts, entries = found.counts(), found.by_entry()
    compared = found.frame[found.frame["verdict"].isin(["within", "outside"])]
    exact = compared[compared["measure"] == "relative"]["digits"]
    total = counts["within"] + counts["outside"]
    sentences = [
        f"{total:,} golden values of {(entries['values'] > 0).sum()} entries were computed again; "
        f"{counts['within']:,} are within their tolerance, {counts['outside']:,} are not."
    ]
    if len(exact):
        sentences.append(
            f"Of {len(exact):,} values with a relative tolerance half agree to {exact.median():.1f} digits "
            f"or more, and nine in ten to {exact.quantile(0.1):.1f} or more. Values printed to few places or "
            "drawn at random have an absolute tolerance; their note says which."
        )
    if counts["departure"]:
        sentences.append(f"Departures on purpose among the values: {counts['departure']:,}.")
    for verdict, words in (("data absent", "Not computed, for want of data"),
                           ("not repeatable", "Not repeatable")):  # fmt: skip
        own = entries[entries["verdict"] == verdict]
        sentences += [f"{words}: {row['id']} ({row['note']})." for row in own.to_dict("records")]
    return paragraphs(sentences)


def _digits(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1f}"


def _entries(found: ValidationResult, section: str) -> DataTable:
    frame = found.by_entry()
    frame = frame[frame["section"] == section].reset_index(drop=True)
    columns = (
        Column("estimator", "Estimator", beneath=Column("specification", "Specification")),
        Column("values", "Values", lambda v: f"{v:,}"),
        Column("digits", "Fewest digits", _digits),
        Column("verdict", "Verdict"),
        Column("reference", "Reference and version"),
    )
    return DataTable(
        id=f"validation-{section.lower().replace(' ', '-')}",
        caption=section,
        columns=columns,
        frame=frame,
        muted=(frame["values"] == 0).tolist(),
        strong=(frame["verdict"] == "outside").tolist(),
    )


def values_by_entry(found: ValidationResult) -> Block:
    """One table for each group of estimators: how many values, the fewest digits, reference and version."""
    out = NOTHING
    for section in found.entries["section"].unique():
        out = out + _entries(found, section).block()
    return out


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.13g}"


def values_one_by_one(found: ValidationResult) -> Block:
    """Every value, entry by entry, folded: golden, ours, digits, tolerance, note."""
    out = NOTHING
    for entry in found.entries.to_dict("records"):
        own = found.frame[found.frame["id"] == entry["id"]].reset_index(drop=True)
        table = DataTable(
            id=f"values-{entry['id']}",
            caption=f"{entry['estimator']}: {entry['specification']}. {entry['reference']}",
            columns=(
                Column("quantity", "Quantity"),
                Column("golden", "Golden", _number),
                Column("ours", "Ours", _number),
                Column("digits", "Digits", _digits),
                Column("tolerance", "Tolerance", lambda v: _number(float(v))),
                Column("verdict", "Verdict"),
                Column("note", "Note"),
            ),
            frame=own.assign(note=own["note"].replace("", None)),
            strong=(own["verdict"] == "outside").tolist(),
        ).block()
        summary = f"<summary>{escape(entry['id'])}: {len(own):,} rows</summary>"
        folded = f"<details>{summary}\n{table.html}\n</details>"
        out = out + Block(html=folded, text=f"{entry['id']}\n{table.text}")
    return out


def departures_on_purpose(found: ValidationResult) -> Block:
    """Where we differ from a reference on purpose, and which page of the register says why."""
    return DataTable(
        id="departures",
        caption="Departures on purpose",
        columns=(
            Column("subject", "Subject"),
            Column("reference_gives", "The reference"),
            Column("ours", "Ours"),
            Column("register", "Register"),
        ),
        frame=pd.DataFrame(found.departures),
    ).block()


def write_validation_page(found: ValidationResult, out: Path) -> Path:
    """Write the page, whole or not at all: one self-contained file; an earlier one is replaced."""
    parts = (
        ("", values_in_words(found)),
        ("By estimator", values_by_entry(found)),
        ("Departures on purpose", departures_on_purpose(found)),
        ("Every value", values_one_by_one(found)),
    )
    return write_sections(parts, out, TITLE)
