"""Which numbers moved between two reports, and what moved them: data, period, parameters, code, environment.

Restated history stands apart: a month that both reports have should not have moved, and where it did, its
cause is one of its own (`medhome.reporting.restated`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from medhome.reporting.blocks import NOTHING, Block, bullets, paragraphs
from medhome.reporting.datatable import Column, DataTable
from medhome.reporting.differences import Difference, differences, groups, likely_cause, short, what_to_run
from medhome.reporting.restated import Restatement
from medhome.reporting.section_page import write_sections
from medhome.reporting.verify import Published, Verdict, judge
from medhome.study.display import count

MONTH = re.compile(r"\.\d{4}-\d{2}(\.|$)")
_AGREE = ("same", "agrees")


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Two reports side by side.

    moved: numbers of both reports that differ, the headline first; months that both have are in ``history``.
    new, gone: names that only the later, only the earlier report has. shared: how many both have.
    restated: months with their causes, where both reports hold their results and are of one study.
    """

    moved: tuple[Verdict, ...]
    history: tuple[Verdict, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]
    shared: int
    differences: tuple[Difference, ...]
    altered: tuple[str, ...]
    restated: Restatement | None

    @property
    def cause(self) -> str:
        """What moved the numbers, in one sentence."""
        if not (self.moved or self.history):
            return "No number that both reports have moved."
        return likely_cause(self.differences, self.altered)

    def to_plain(self) -> dict[str, Any]:
        return {
            "schema": "medhome/changes/1",
            "shared": self.shared,
            "moved": [_plain(v) for v in self.moved],
            "history": [_plain(v) for v in self.history],
            "new": list(self.new),
            "gone": list(self.gone),
            "differences": [d.to_plain() for d in self.differences],
            "groups": list(groups(self.differences)),
            "cause": self.cause,
            "tell_apart": list(what_to_run(self.differences)),
            "altered": list(self.altered),
            "restated": None if self.restated is None else self.restated.to_plain(),
        }

    def to_text(self, most: int = 25) -> str:
        """The counts, the cause, what differs, the numbers that moved, restated months."""
        lines = [_counted(self), self.cause]
        lines += [f"to tell them apart, run {what}" for what in what_to_run(self.differences)]
        lines += [
            f"  {d.group:11} {d.name}: {short(d.old)} then, {short(d.new)} now" for d in self.differences
        ]
        if self.moved:
            lines += ["numbers that moved:", *(f"  {_line(v)}" for v in self.moved[:most])]
            if len(self.moved) > most:
                lines.append(f"  ... and {len(self.moved) - most} more; --json lists all")
        if self.history:
            lines.append(f"months that both reports have, with other numbers: {len(self.history)} numbers")
        if self.restated is not None:
            lines += [self.restated.to_text()]
        return "\n".join(lines)


def compare(old: Published, new: Published, restated: Restatement | None) -> Changes:
    """Set a later report beside an earlier one.

    Arguments
        old, new: what `verify.read_published` read.
        restated: `restated.restatement` of the two, where there is one.
    """
    verdicts = [v for v in judge(old, new.numbers) if v.verdict not in _AGREE]
    differ = [v for v in verdicts if v.verdict == "differs"]
    return Changes(
        moved=tuple(v for v in differ if not MONTH.search(v.name)),
        history=tuple(v for v in differ if MONTH.search(v.name)),
        new=tuple(v.name for v in verdicts if v.verdict == "new"),
        gone=tuple(v.name for v in verdicts if v.verdict == "missing"),
        shared=len(set(old.numbers) & set(new.numbers)),
        differences=differences(old.manifest, new.manifest),
        altered=tuple(dict.fromkeys((*old.altered, *new.altered))),
        restated=restated,
    )


def write_changes_page(found: Changes, out: Path, title: str) -> Path:
    """Write the comparison as a page of its own; it lies outside the reports, which it does not change."""
    return write_sections(blocks(found), out, title)


def blocks(found: Changes) -> list[tuple[str, Block]]:
    """The page's sections: what moved the numbers, the numbers, months restated, names that came and went."""
    runs = what_to_run(found.differences)
    apart = paragraphs(["To tell the causes apart, run:"]) + bullets(runs) if runs else NOTHING
    return [
        ("", paragraphs([_counted(found), found.cause]) + apart),
        ("What differs between the runs", differing(found.differences)),
        ("Numbers that moved", _numbers("moved", "Numbers of both reports that differ", found.moved)),
        ("Restated history", _restated(found)),
        (
            "Numbers of one report only",
            paragraphs(
                [
                    f"New: {count(len(found.new))}. No longer there: {count(len(found.gone))}.",
                ]
            ),
        ),
    ]


def differing(found: tuple[Difference, ...], old: str = "Then", new: str = "Now") -> Block:
    """Table: every line of the manifests that differs."""
    if not found:
        return paragraphs(["Data, parameters, code and environment are the same in both."])
    frame = pd.DataFrame(
        [{"name": d.name, "group": d.group, "old": short(d.old), "new": short(d.new)} for d in found]
    )
    return DataTable(
        id="differences",
        caption="What is not the same in the two manifests",
        columns=(
            Column("name", "What"),
            Column("group", "Kind"),
            Column("old", old),
            Column("new", new),
        ),
        frame=frame,
    ).block()


def _restated(found: Changes) -> Block:
    if found.restated is None:
        return paragraphs(["Months were not compared: no saved results, or results of two studies."])
    first = found.restated.to_text().splitlines()[0]
    return paragraphs([f"{first}."]) + _numbers(
        "history", "Numbers of months that both reports have", found.history
    )


def _numbers(name: str, caption: str, verdicts: tuple[Verdict, ...]) -> Block:
    if not verdicts:
        return NOTHING
    columns = (
        Column("name", "Number"),
        Column("label", "What it is"),
        Column("old", "Then", _amount),
        Column("new", "Now", _amount),
        Column("change", "Change", _amount),
        Column("unit", "Unit"),
    )
    rows = [_plain(v) | {"label": v.label, "unit": v.unit} for v in verdicts]
    for row in rows:
        row["name"] = row["name"] if row["part"] == "value" else f"{row['name']} ({row['part']})"
    return DataTable(id=name, caption=caption, columns=columns, frame=pd.DataFrame(rows)).block()


def _amount(value: Any) -> str:
    if value is None or value != value:
        return "–"
    return f"{value:,.6g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def _counted(found: Changes) -> str:
    return (
        f"{count(len(found.moved) + len(found.history))} of {count(found.shared)} numbers that both reports "
        f"have moved, {count(len(found.history))} of them about months that both have; "
        f"{count(len(found.new))} are new, {count(len(found.gone))} are gone."
    )


def _line(verdict: Verdict) -> str:
    plain = _plain(verdict)
    what = verdict.name if verdict.part == "value" else f"{verdict.name} ({verdict.part})"
    change = "" if plain["change"] is None else f", change {_amount(plain['change'])}"
    return f"{what}: {_amount(plain['old'])} then, {_amount(plain['new'])} now {verdict.unit}{change}"


def _plain(verdict: Verdict) -> dict[str, Any]:
    old, new = verdict.published, verdict.found
    numeric = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (old, new))
    return {
        "name": verdict.name,
        "part": verdict.part,
        "old": old,
        "new": new,
        "change": new - old if numeric else None,
    }
