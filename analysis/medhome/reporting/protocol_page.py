"""The page of the protocol: what was declared, when it was locked, what was amended, and the checklists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from medhome.reporting import checklist_words as answers
from medhome.reporting.blocks import Block
from medhome.reporting.checklists import TITLES, checklist, document, filled
from medhome.reporting.datatable import Column, DataTable
from medhome.reporting.json_files import write_json
from medhome.reporting.protocol_words import protocol_lock
from medhome.reporting.report_pages import PROTOCOL_PAGE, PROTOCOL_TITLE, the_question
from medhome.reporting.section_page import write_sections
from medhome.study.released import ReleasedRun

CHECKLISTS = "checklists.json"

_ELEMENTS = (
    ("Question", "question"),
    ("Design", "design"),
    ("Estimand", "estimand"),
    ("Time zero and periods", "time_zero"),
    ("Data", "data_sources"),
    ("Population", "population"),
    ("Exclusions", "exclusions"),
    ("Exposure", "program"),
    ("Assignment", "assignment"),
    ("Outcome", "outcome"),
    ("Follow-up", "follow_up"),
    ("Covariates", "covariates"),
    ("Analysis", "analysis"),
    ("Missing months and cost", "missing"),
    ("Disclosure", "disclosure"),
)


def write_protocol(report: ReleasedRun, folder: Path, context: Mapping[str, Any]) -> Path:
    """Write ``protocol.html`` and ``checklists.json`` into the folder of a run. Returns the page."""
    items = filled(report)
    write_json(document(items), folder / CHECKLISTS)
    sections = [
        ("", the_question(report)),
        ("The protocol", declared(report)),
        ("Locked and amended", protocol_lock(report)),
        *((name, checklist(name, items)) for name in TITLES),
    ]
    title = f"{report.spec.title}: {PROTOCOL_TITLE[:1].lower()}{PROTOCOL_TITLE[1:]}"
    return write_sections(sections, folder / PROTOCOL_PAGE, title, context)


def declared(report: ReleasedRun) -> Block:
    """Table: the protocol's elements as the study file declares them."""
    rows = [
        {"element": name, "declared": answers.ANSWERS[key](report) or "Not said in the study file."}
        for name, key in _ELEMENTS
    ]
    return DataTable(
        id="tab-protocol",
        caption="The protocol as the study file declares it",
        columns=(Column("element", "Element"), Column("declared", "As declared")),
        frame=pd.DataFrame(rows),
        note="Every choice, with its value, stands in study.toml beside this page.",
    ).block()
