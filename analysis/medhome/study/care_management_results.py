"""Care management: who was identified, reached and engaged, how often they were in contact, and how soon."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pandas as pd

from medhome.study.frames import frame_of_rows, frame_without_rows

STAGES = ("members", "identified", "reached", "engaged")
"""People in the funnel, each stage a part of the one before."""

_WORK = {"contacts": "float64", "minutes": "float64", "contacts_per_1000": "float64"}
_WAITS = dict.fromkeys(("wait_q1_days", "wait_median_days", "wait_q3_days"), "float64")
KINDS: dict[str, dict[str, str]] = {
    "stages": {
        "stage": "str", "label": "str", "members": "float64", "previous_share": "float64",
        "expected_pmpm": "float64",
    },
    "practices": {
        "label": "str", **dict.fromkeys(STAGES, "float64"), "member_months": "float64",
        "engaged_member_months": "float64", **_WORK, "contacts_per_engaged_month": "float64", **_WAITS,
    },
    "months": {
        "month": "int64", "member_months": "float64", **dict.fromkeys(STAGES[1:], "float64"),
        "engaged_member_months": "float64", **_WORK,
    },
    "doses": {
        "band": "str", "label": "str", "members": "float64", "share": "float64",
        "engaged_member_months": "float64", "contacts": "float64", "expected_pmpm": "float64",
    },
    "notes": {"reason": "str", "label": "str", "rows": "float64"},
}  # fmt: skip
ALL = "All practices"


def empty(name: str) -> pd.DataFrame:
    """A frame of `CareManagement` without rows."""
    return frame_without_rows(KINDS[name])


def typed(name: str, rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows as one of the frames of `CareManagement`."""
    return frame_of_rows(rows, KINDS[name])


@dataclass(frozen=True, kw_only=True)
class CareManagement:
    """What did care managers do, with whom, and how soon? Nothing here is an effect.

    given: whether the study has a table ``care_management`` and asks for it.
    stages: the funnel of the program's members: ``stage`` (of `STAGES`), ``label``, ``members``,
        ``previous_share`` (of the stage before), ``expected_pmpm`` (mean frozen expected cost: what they
        would cost by what was known before the program).
    practices: a row for `ALL`, then one per practice of the program: ``label`` (neutral), the four stages,
        ``member_months`` (after the start), ``engaged_member_months`` (from the month of engagement on),
        ``contacts``, ``minutes`` (of the work counted), ``contacts_per_1000`` (member-months),
        ``contacts_per_engaged_month``, ``wait_q1_days``, ``wait_median_days``, ``wait_q3_days``: days from
        identification to the first contact, members never reached counted as waiting for ever; missing where
        that share was not reached.
    months: one row per month: stages entered in it, and the same numbers.
    doses: engaged members by contacts per engaged member-month: ``band``, ``label``, ``members``, ``share``,
        ``engaged_member_months``, ``contacts``, ``expected_pmpm``. A description, never an effect.
    notes: what became of the rows of the table: ``reason``, ``label``, ``rows``.
    """

    given: bool = False
    stages: pd.DataFrame = field(default_factory=lambda: empty("stages"))
    practices: pd.DataFrame = field(default_factory=lambda: empty("practices"))
    months: pd.DataFrame = field(default_factory=lambda: empty("months"))
    doses: pd.DataFrame = field(default_factory=lambda: empty("doses"))
    notes: pd.DataFrame = field(default_factory=lambda: empty("notes"))
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {
        "stages": ("members",),
        "practices": (*STAGES, "contacts"),
        "months": (*STAGES[1:], "contacts"),
        "doses": ("members",),
        "notes": ("rows",),
    }
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {
        "stages": ("previous_share", "expected_pmpm"),
        "practices": (
            *("member_months", "engaged_member_months", "minutes", "contacts_per_1000"),
            *("contacts_per_engaged_month", *_WAITS),
        ),
        "months": ("member_months", "engaged_member_months", "minutes", "contacts_per_1000"),
        "doses": ("share", "engaged_member_months", "contacts", "expected_pmpm"),
        "notes": (),
    }
