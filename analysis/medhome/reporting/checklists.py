"""Reporting checklists, filled: RECORD, TREND, HARPER and TARGET, item by item, with a link to each place.

Items are named by their numbers and told in our own words (``definitions/checklists.csv``); the published
forms hold the binding text. auto: answered from the study file and the results. author: only the author can
answer, or must add. not applicable: with the reason.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from medhome.reporting.blocks import Block, escape
from medhome.reporting.checklist_words import ANSWERS
from medhome.reporting.datatable import Column, DataTable
from medhome.study.definitions import DEFINITIONS
from medhome.study.display import count
from medhome.study.released import ReleasedRun

TITLES = {
    "RECORD": "RECORD: studies of routinely collected health data",
    "TREND": "TREND: evaluations without randomisation",
    "HARPER": "HARPER: protocols of real-world evidence",
    "TARGET": "TARGET: emulations of a target trial",
}
SOURCES = {
    "RECORD": "Benchimol and others, PLoS Medicine 2015, 12(10): e1001885.",
    "TREND": "Des Jarlais and others, American Journal of Public Health 2004, 94(3): 361-366.",
    "HARPER": "Wang and others, Value in Health 2022, 25(10): 1663-1672.",
    "TARGET": "Cashin and others, JAMA 2025, doi 10.1001/jama.2025.13350. Written for trials of individuals; "
    "a difference in differences maps to it in part. The numbers here agree with a published paraphrase of "
    "its 21 items, and were not compared with the form itself: compare them.",
}
_NOT_APPLICABLE = "not applicable: "

Status = Literal["auto", "author", "not applicable"]


@dataclass(frozen=True, kw_only=True)
class Item:
    """One item of a checklist, filled as far as the report can.

    place: page and anchor of the report where it stands; empty where there is none.
    text: the answer, the reason why it does not apply, or what the author should write.
    """

    checklist: str
    section: str
    item: str
    about: str
    status: Status
    place: str
    text: str


def filled(report: ReleasedRun) -> tuple[Item, ...]:
    """Every item of every checklist for one report."""
    with (DEFINITIONS / "checklists.csv").open(encoding="utf-8", newline="") as lines:
        return tuple(_item(row, report) for row in csv.DictReader(lines))


def document(items: tuple[Item, ...]) -> dict[str, Any]:
    """What ``checklists.json`` holds."""
    lists = {
        name: [
            {k: getattr(i, k) for k in ("section", "item", "about", "status", "place", "text")}
            for i in items
            if i.checklist == name
        ]
        for name in TITLES
    }
    return {"schema": "medhome/checklists/1", "checklists": lists}


def checklist(name: str, items: tuple[Item, ...]) -> Block:
    """One checklist as a table, with what is left to the author counted above it."""
    own = [i for i in items if i.checklist == name]
    by_status = {s: sum(i.status == s for i in own) for s in ("auto", "author", "not applicable")}
    frame = pd.DataFrame(
        [
            {
                "item": i.item,
                "about": i.about,
                "status": i.status,
                "text": i.text,
                "where": _where(i.place),
                "place": i.place,
            }
            for i in own
        ]
    )
    table = DataTable(
        id=f"tab-{name.lower()}",
        caption=f"Checklist {TITLES[name]}",
        columns=(
            Column("item", "Item"),
            Column("about", "About"),
            Column("status", "Status"),
            Column("text", "What this report says"),
            Column("where", "Where", link="place"),
        ),
        frame=frame,
        note=f"Items in our own words. {SOURCES[name]}",
        muted=[i.status == "not applicable" for i in own],
    )
    outside = by_status["not applicable"]
    counted = (
        f"{count(by_status['auto'])} items are answered from the study, {count(by_status['author'])} are the "
        f"author's, {count(outside)} {'does' if outside == 1 else 'do'} not apply."
    )
    shown = table.block()
    folded = f"<details><summary>{escape(counted)}</summary>\n{shown.html}\n</details>"
    return Block(html=folded, text=f"{counted}\n\n{shown.text}")


def _item(row: dict[str, str], report: ReleasedRun) -> Item:
    note = row["note"]
    known = {k: row[k] for k in ("checklist", "section", "item", "about")}
    if note.startswith(_NOT_APPLICABLE):
        reason = note.removeprefix(_NOT_APPLICABLE)
        return Item(**known, status="not applicable", place="", text=f"{reason[:1].upper()}{reason[1:]}")
    answer = " ".join(ANSWERS[row["fill"]](report).split()) if row["fill"] else ""
    to_write = f"Author: {note}" if note else "Author: not said in the study file."
    if not answer:
        return Item(**known, status="author", place=row["place"], text=to_write)
    text = f"{answer} Author: {note}" if note else answer
    return Item(**known, status="auto", place=row["place"], text=text)


def _where(place: str) -> str:
    """The link's words: the section's heading."""
    _, _, anchor = place.partition("#")
    return anchor.replace("-", " ") if anchor else "–"
