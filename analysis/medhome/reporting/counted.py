"""Every count of an evaluation with what it counts, for the audit of all released tables together.

Counts come from the tables that `medhome.reporting.result_names` names: a table that is new there is audited
without a word more. What a count counts is read from the other columns of its row: an arm, an organisation
and its practice, months, and whatever else the row is named by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from medhome.reporting.result_columns import MEMBER_MONTHS, Column, Table
from medhome.reporting.result_names import TABLES
from medhome.reporting.robustness_gate import PRACTICE
from medhome.study.periods import month_index
from medhome.study.results import Evaluation

OF_NOBODY = frozenset(
    (
        *("practices", "organizations", "waves", "months", "quarters", "years", "periods"),
        *("rows", "draws", "specifications", "assignments", "measures", "items"),
    )
)
"""Units of counts that count no people and nothing that people had."""
_PEOPLE = {
    **dict.fromkeys(("members", "people", "people asked", "respondents"), "people"),
    "claim lines": "lines",
}
_NAMES_OF_MORE = ("arm", "dimension", "kind", "stratum", "period")
_TIME = ("month", "quarter", "year", "period", "first_month", "last_month", "months", "step")
ARMS = ("treated", "comparison")
WHOLE = frozenset(("all", "total", "everyone", ""))
"""Values of a column that stand for all its other values together."""

ABOVE = "members_above"
DROPPED = "_dropped"
PEOPLE: Mapping[str, Callable[[str], bool]] = {
    "members": lambda column: not column.endswith(DROPPED),
    "members_dropped": lambda column: column.endswith(DROPPED),
    ABOVE: lambda column: column.startswith("above_"),
    "count": lambda column: True,
    "zero_lines": lambda column: column == "zero_share",
    "without_history": lambda column: column.endswith("_without_history"),
    "without_score": lambda column: column.endswith("_without_score"),
}
"""Counts of people or of rows, and which of the columns that rest on a frame's counts rest on those.

Lines of claims in the reconciliation are withheld with their dollars by `reconciliation_gate`.
"""

Place = tuple[str, int, str]
"""Frame, row by position, column."""
Span = tuple[int, int]


@dataclass(frozen=True)
class Counted:
    """One count, or the member-months of the same row.

    words: what it counts besides the months, by name of the column. span: the months (half-open), None for
    all. value: the true one. of: the count of the same row that it is the member-months of.
    """

    place: Place
    unit: str
    words: Mapping[str, str]
    span: Span | None
    value: float
    of: Place | None = None

    @property
    def arm(self) -> str:
        return self.words.get("arm", "")


def counted(evaluation: Evaluation, *, every_month: bool = False) -> list[Counted]:
    """Every count of people, of what they had, and of their member-months that tables and arms hold.

    Arguments
        every_month: also member-months of whole arms, and those in rows that have no count of their people.
    """
    arms = (("members", "people"), ("clinicians", "clinicians"), ("member_months", MEMBER_MONTHS))
    found = [
        Counted((f"cohort.{name}", row, arm), unit, {"arm": arm}, None, float(n))
        for name, unit in (arms if every_month else arms[:2])
        for row, (arm, n) in enumerate(getattr(evaluation.cohort, name).items())
        if n is not None
    ]
    periods = {
        "baseline": _months(evaluation.periods, "baseline_first", "baseline_last"),
        "performance": _months(evaluation.periods, "start", "through"),
    }
    for table in TABLES:
        part, name = table.frame.split(".")
        found += _of_table(table, getattr(getattr(evaluation, part), name), periods, every_month)
    return found


def resting_on(part: Any, field: str, count: str) -> Iterator[str]:
    """The columns of a frame that rest on one of its counts and are withheld with it."""
    columns = getattr(part, "RESTING", {}).get(field, ())
    rests = PEOPLE.get(count, lambda column: column != count)
    return (column for column in columns if rests(column))


def shown(evaluation: Evaluation, place: Place) -> bool:
    """Whether a released evaluation tells the number at this place."""
    part, name = place[0].split(".")
    held = getattr(getattr(evaluation, part), name)
    value = held[place[2]] if isinstance(held, Mapping) else held[place[2]].iloc[place[1]]
    return value is not None and not pd.isna(value)


def _of_table(
    table: Table, frame: pd.DataFrame, periods: Mapping[str, Span], every_month: bool
) -> Iterator[Counted]:
    inside = {n: c for n, c in table.columns.items() if n in frame}
    counts = {n: c for n, c in inside.items() if _is_counted(n, c)}
    of_counts = {n: c for n, c in inside.items() if c.unit == MEMBER_MONTHS and c.of in counts}
    months = {n: c for n, c in inside.items() if c.unit == MEMBER_MONTHS} if every_month else of_counts
    if not (counts or months) or frame.empty:
        return
    named = [c for c in dict.fromkeys((*table.keys, *_NAMES_OF_MORE)) if c in frame and c not in _TIME]
    for row, values in enumerate(frame.to_dict("records")):
        words = {c: str(values[c]) for c in named if str(values[c]) not in WHOLE}
        if table.arm and "arm" not in words:
            words["arm"] = table.arm
        span = _span(values, periods)
        if span is None and values.get("period") not in (None, ""):
            words["period"] = str(values["period"])
        if "step" in values:
            words["step"] = str(values["step"])
        words = _of_organization(words)
        for name, column in (counts | months).items():
            if pd.isna(values[name]):
                continue
            of = (table.frame, row, column.of) if name in of_counts else None
            unit = MEMBER_MONTHS if name in months else _PEOPLE.get(column.unit, column.unit)
            if name.endswith("_dropped"):
                unit = f"{unit} dropped"
            place = (table.frame, row, name)
            yield Counted(place, unit, _with_arm(words, name), span, float(values[name]), of)


def _is_counted(name: str, column: Column) -> bool:
    return column.kind == "count" and column.unit not in OF_NOBODY


def _with_arm(words: Mapping[str, str], column: str) -> dict[str, str]:
    """The arm that a column's name ends with (``members_treated``)."""
    arm = next((a for a in ARMS if column.endswith(f"_{a}")), None)
    return {**words, "arm": arm} if arm else dict(words)


def _of_organization(words: dict[str, str]) -> dict[str, str]:
    """An organisation's label names its arm as well; a practice's label names its organisation."""
    label = words.pop("label", None)
    if label is None:
        return words
    owner, _, practice = label.partition(PRACTICE)
    return {**words, "organization": owner} | ({"practice": practice} if practice else {})


def _span(row: Mapping[Any, Any], periods: Mapping[str, Span]) -> Span | None:
    if "month" in row:
        return int(row["month"]), int(row["month"]) + 1
    first = row.get("first_month")
    if first is not None and not pd.isna(first):
        if "last_month" in row:
            return int(first), int(row["last_month"]) + 1
        if "quarter" in row:
            return int(first), int(first) + int(row.get("months", 3))
    return periods.get(str(row.get("period")))


def _months(periods: Mapping[str, str], first: str, last: str) -> Span:
    return month_index(periods[first]), month_index(periods[last]) + 1


def ratio_of_months(found: list[Counted]) -> dict[str, tuple[float, float]]:
    """The fewest and the most member-months that a member has in a frame's rows, as a reader may know."""
    values = {c.place: c.value for c in found}
    ratios: dict[str, list[float]] = {}
    for one in found:
        if one.of is not None and values.get(one.of):
            ratios.setdefault(one.place[0], []).append(one.value / values[one.of])
    return {f: (1.0 if min(r) >= 1 else 0.0, float(math.ceil(max(r)))) for f, r in ratios.items()}
