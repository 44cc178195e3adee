"""A verification as files: a page, its JSON, and the text of a certificate that a reviewer can sign.

They lie outside the report, which must not change by being verified.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from medhome.reporting.blocks import NOTHING, Block, bullets, paragraphs
from medhome.reporting.changes import differing
from medhome.reporting.consistency import Consistency
from medhome.reporting.datatable import Column, DataTable
from medhome.reporting.json_files import write_json
from medhome.reporting.section_page import write_sections
from medhome.reporting.verify import Verdict, Verification
from medhome.study.display import count
from medhome.version import __version__

PAGE, DOCUMENT = "verification.html", "verification.json"
_AGREE = ("same", "agrees")
_MEANING = (
    "same: equal after rounding to ten significant digits. agrees: within the tolerance of its kind, which "
    "results.json states. differs: not. missing: published, but not found again. new: found, not published."
)


def write_verification(found: Verification | Consistency, folder: Path) -> Path:
    """Write ``verification.html`` and ``verification.json`` into a folder. Returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(found.to_plain(), folder / DOCUMENT)
    if isinstance(found, Consistency):
        return write_sections(_of_files(found), folder / PAGE, "Verification without the data")
    return write_sections(_of_numbers(found), folder / PAGE, f"{found.study}: verification")


def certificate(found: Verification | Consistency) -> str:
    """The text of a certificate: what was done, what came out, and room for a name."""
    lines = ["CERTIFICATE OF REPRODUCTION", ""]
    if isinstance(found, Consistency):
        lines += [
            f"Run:      {found.run_id}",
            "Done:     the report's own files were held against one another; nothing was computed anew",
            f"Outcome:  {'they agree' if found.agrees else 'they do NOT agree'}",
            *(f"          {one.line}" for one in found.held),
        ]
    else:
        counted = ", ".join(f"{n} {verdict}" for verdict, n in found.counts.items() if n)
        lines += [
            f"Study:    {found.study}",
            f"Run:      {found.run_id}",
            "Done:     the study was run again from its study file and data; every number was compared",
            f"Outcome:  {'verified' if found.agrees else 'NOT verified'}: {counted or 'no numbers'}",
        ]
        lines += [f"          {v.line}" for v in found.verdicts if v.verdict not in _AGREE]
        lines += [f"          {found.cause}"] if found.cause else []
        lines += [f"Drift:    {line}" for line in found.drift] or ["Drift:    none"]
    return "\n".join(
        [
            *lines,
            f"With:     medhome {__version__}",
            "",
            "I ran the command above myself. I do not certify that the study's design or its data are sound.",
            "",
            "Name:       ______________________________",
            "Date:       ______________________________",
            "Signature:  ______________________________",
            "",
        ]
    )


def _of_numbers(found: Verification) -> list[tuple[str, Block]]:
    """The differing first, with what is not as published beside them."""
    bad = [v for v in found.verdicts if v.verdict not in _AGREE]
    counted = ", ".join(f"{count(n)} {verdict}" for verdict, n in found.counts.items() if n)
    word = "verified" if found.agrees else "not verified"
    total = count(len(found.verdicts))
    first = paragraphs([f"{total} numbers, {word}: {counted}.", found.cause], css="first")
    altered = bullets(f"{name} is not the file that the manifest describes." for name in found.altered)
    return [
        ("", first + altered),
        ("Numbers that do not agree", _table("not-agreeing", "Numbers that do not agree", bad)),
        ("What is not as published", differing(found.differences, "Published", "Here")),
        ("Every number", paragraphs([_MEANING]) + _folded(found)),
    ]


def _of_files(found: Consistency) -> list[tuple[str, Block]]:
    word = "agree with one another" if found.agrees else "do not agree with one another"
    failed = [f for h in found.held for f in h.findings]
    return [
        ("", paragraphs([f"The report's files {word}. Nothing was computed anew."], css="first")),
        ("What does not agree", bullets(failed)),
        ("What was held against what", bullets(f"{one.line}." for one in found.held)),
        ("Files that are not here", bullets(found.absent)),
        ("Amounts that results.json does not hold as they are", bullets(found.unsupported)),
    ]


def _folded(found: Verification) -> Block:
    table = _table("all-numbers", "Every number and its verdict", list(found.verdicts))
    if not table.html:
        return NOTHING
    summary = f"<summary>{count(len(found.verdicts))} numbers</summary>"
    return Block(html=f"<details>{summary}\n{table.html}\n</details>", text=table.text)


def _table(name: str, caption: str, verdicts: list[Verdict]) -> Block:
    if not verdicts:
        return NOTHING
    frame = pd.DataFrame(
        {
            "name": [v.name if v.part == "value" else f"{v.name} ({v.part})" for v in verdicts],
            "verdict": [v.verdict for v in verdicts],
            "published": [_written(v.published) for v in verdicts],
            "found": [_written(v.found) for v in verdicts],
            "unit": [v.unit for v in verdicts],
        }
    )
    columns = (
        Column("name", "Number"),
        Column("verdict", "Verdict"),
        Column("published", "Published"),
        Column("found", "Found"),
        Column("unit", "Unit"),
    )
    return DataTable(id=name, caption=caption, columns=columns, frame=frame).block()


def _written(value: Any) -> str:
    return "no value" if value is None else f"{value:,.10g}" if isinstance(value, float) else str(value)
