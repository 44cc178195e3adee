"""The lists that a program works with: what they hold, declared once, and what was found for a day.

From the declaration come the columns of the files, their types, and their data dictionary. Every list has one
row per member or gap and names people: class private, never part of a report.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

PRIVATE = "private"


@dataclass(frozen=True)
class ListColumn:
    """One column of a list: name, type, unit ("" for none), meaning."""

    name: str
    kind: Literal["text", "integer", "number", "date"]
    unit: str
    meaning: str


@dataclass(frozen=True)
class ListTable:
    """One list: its name, what a row is, in which order, and its columns."""

    name: str
    grain: str
    order: str
    columns: tuple[ListColumn, ...]


_PERSON = ListColumn("person_id", "text", "", "the member, as in eligibility")
_MEMBER = ListColumn("member_id", "text", "", "the contract's identifier, as in eligibility")
_PRACTICE = ListColumn("practice_id", "text", "", "practice of the program that the member is attributed to")
_ORGANIZATION = ListColumn("organization_id", "text", "", "organisation of the practice")
_POINTS = ListColumn("score_points", "integer", "points", "sum of the points of every criterion that is met")
_PREDICTED = ListColumn(
    "predicted_cost_pmpm_usd",
    "number",
    "dollars per member per month",
    "predicted allowed cost of the next twelve months, cut at the study's yearly cap; empty where no "
    "criterion asks for it, or the study's own score is used",
)
_OWN = ListColumn(
    "own_score",
    "number",
    "as in risk_score",
    "the study's own score; empty where cost is predicted by the model",
)

TABLES = (
    ListTable(
        "high_risk",
        "one row per member of the program on the high-risk list",
        "rank, person_id",
        (
            ListColumn(
                "rank", "integer", "", "1 is highest: by points, then by prediction; ties share a rank"
            ),
            _PERSON,
            _MEMBER,
            _PRACTICE,
            _ORGANIZATION,
            _POINTS,
            ListColumn("points_predicted_cost", "integer", "points", "of them for predicted cost"),
            ListColumn("points_conditions", "integer", "points", "of them for conditions"),
            ListColumn("points_admissions", "integer", "points", "of them for admissions"),
            ListColumn("points_emergency_visits", "integer", "points", "of them for emergency visits"),
            ListColumn("points_open_gaps", "integer", "points", "of them for open gaps in care"),
            _PREDICTED,
            _OWN,
            ListColumn("reasons", "text", "", "every criterion that is met, what was found, and its points"),
        ),
    ),
    ListTable(
        "gaps_in_care",
        "one row per member of the program and measure of care that is due",
        "practice_id, person_id, measure",
        (
            _PRACTICE,
            _PERSON,
            _MEMBER,
            ListColumn(
                "measure", "text", "", "the measure, by the name of its file (docs/methods/measures.md)"
            ),
            ListColumn("label", "text", "", "the measure in words"),
            ListColumn("family", "text", "", "preventive or chronic"),
            ListColumn(
                "due_since", "date", "day", "first day on which the care was due, as far as claims show"
            ),
            ListColumn(
                "since_basis",
                "text",
                "",
                "service_lapsed: an earlier service stopped counting then; became_eligible: age, condition "
                "and enrolment were met then; claims_begin: due when claims begin, perhaps before",
            ),
            ListColumn(
                "last_service_date", "date", "day", "latest such service on claims; empty: none"
            ),
        ),
    ),
    ListTable(
        "risk_scores",
        "one row per member of the program",
        "person_id",
        (_PERSON, _PRACTICE, _POINTS, _PREDICTED, _OWN),
    ),
)
"""Every list, in the order of the folder."""


@dataclass(frozen=True, kw_only=True)
class ProgramLists:
    """The lists of a program on a day.

    frames: by name in `TABLES`, with those columns. about: what made them, for ``lists.json``: study, inputs,
    criteria, model, counts, measures of which nothing can be said.
    """

    study_id: str
    as_of: dt.date
    frames: Mapping[str, pd.DataFrame]
    about: Mapping[str, Any]


def dictionary() -> str:
    """The data dictionary of the lists, as Markdown."""
    lines = ["# Data dictionary of the lists", ""]
    lines += [
        "Each list is there as Parquet (values as they are) and as CSV (text that a spreadsheet would run as"
    ]
    lines += ["a formula has an apostrophe in front). Dates are YYYY-MM-DD.", ""]
    for table in TABLES:
        lines += [f"## {table.name}", "", f"{table.grain.capitalize()}, ordered by {table.order}.", ""]
        lines += ["| column | type | unit | meaning |", "|---|---|---|---|"]
        lines += [f"| {c.name} | {c.kind} | {c.unit} | {c.meaning} |" for c in table.columns]
        lines.append("")
    return "\n".join(lines)
