"""What is in each small world: the rows of its tables, the choices of its study, and what must come out."""

from __future__ import annotations

import copy
import functools
import re
import tomllib
from dataclasses import dataclass
from typing import Any

from medhome.study.definitions import DEFINITIONS
from medhome.study.periods import month_index, month_name
from medhome.study.problems import StudyFileError

FOLDER = DEFINITIONS / "worlds"
GROUPS = ("members", "claims", "arms", "estimate")
"""The files of worlds beside ``base.toml``, the world that all of them change."""

TABLES = (
    "eligibility",
    "medical_claim",
    "pharmacy_claim",
    "provider_practice",
    "program_roster",
    "provider_attribution",
)

_DAY_RANGE = re.compile(r"(\d{4}-\d{2})-(\d{2})\.\.(\d{4}-\d{2})-\2")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")

Row = dict[str, Any]
Tables = dict[str, list[Row]]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One way to study a world, and what must come out of it.

    name: what was chosen. study: the keys of the study file as nested tables. without: claims that have not
    arrived yet in this delivery. expected: by name, rows or a value; which names there are and what they
    mean stands in ``docs/simulation.md``.
    """

    name: str
    study: dict[str, Any]
    without: tuple[str, ...]
    expected: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class EdgeCase:
    """A world of a few people: ``id`` (edge-01 to edge-25), title, arithmetic in words, tables and choices.

    tables: rows by table, cells as text, None where empty. files: what the study file names, by file name.
    """

    id: str
    title: str
    arithmetic: str
    tables: Tables
    files: dict[str, str]
    choices: tuple[Choice, ...]

    @property
    def case(self) -> int:
        """The number of the case in the list of edge cases."""
        return int(self.id.removeprefix("edge-"))

    def delivered(self, choice: Choice) -> Tables:
        """The tables as this choice finds them."""
        late = set(choice.without)
        return {
            name: [r for r in rows if r.get("claim_id") not in late] if late else rows
            for name, rows in self.tables.items()
        }


def edge_cases() -> tuple[EdgeCase, ...]:
    """All worlds in the order of their cases.

    >>> [case.id for case in edge_cases()][:2]
    ['edge-01', 'edge-02']
    """
    found = [_world(plain) for group in GROUPS for plain in _read(group)["world"]]
    return tuple(sorted(found, key=lambda case: case.case))


def edge_case(world: str) -> EdgeCase:
    """The world of this id. Raises `StudyFileError`.

    >>> edge_case("edge-04").choices[1].study["claims"]
    {'stays': 'split_by_day'}
    """
    for case in edge_cases():
        if case.id == world:
            return case
    raise StudyFileError(f"{world!r} is no edge case; they are edge-01 to edge-25")


def base_rows(table: str) -> list[Row]:
    """The rows that a table has in every world that does not bring its own."""
    return _rows(table, _read("base")["tables"][table])


def base_study() -> dict[str, Any]:
    """The study of every world, before its own choices: nested tables as in a study file.

    >>> base_study()["periods"]["start"]
    '2008-04'
    """
    return copy.deepcopy(_read("base")["study"])


def row(table: str, **cells: Any) -> Row:
    """One row of a table, with the defaults of ``base.toml`` where nothing is said.

    A claim is paid on the 28th of its month, four fifths of it by the payer, and ends on the day it starts.

    >>> row("medical_claim", claim_id="A", person_id="T", claim_start_date="2008-02-10",
    ...     allowed_amount="7000.10")["paid_amount"]
    '5600.08'
    """
    found: Row = _read("base")["defaults"][table] | cells
    empty = {name: None for name, cell in found.items() if cell == "."}
    found |= empty
    if "member_id" in found and found["member_id"] is None:
        found["member_id"] = found["person_id"]
    if table == "medical_claim":
        found.setdefault("claim_end_date", found["claim_start_date"])
        found.setdefault("paid_date", found["claim_start_date"][:8] + "28")
        found.setdefault("paid_amount", _four_fifths(found["allowed_amount"]))
    return found


@functools.cache
def _read(group: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{group}.toml").read_text(encoding="utf-8"))


def _four_fifths(amount: str) -> str:
    """Four fifths of dollars in text, to the nearest cent (a tie is not possible)."""
    cents = round(float(amount) * 100)
    fifth, rest = divmod(abs(cents) * 4, 5)
    paid = fifth + (rest >= 3)
    return f"{'-' if cents < 0 else ''}{paid // 100}.{paid % 100:02d}"


def _cells(text: str) -> list[dict[str, str]]:
    """The rows of a text table: names in its first line, cells between blanks."""
    lines = [line.split() for line in text.strip().splitlines() if line.strip()]
    for line in lines:
        if len(line) != len(lines[0]):
            raise ValueError(f"{' '.join(line)!r} has not {len(lines[0])} cells: {' '.join(lines[0])}")
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def _rows(table: str, text: str) -> list[Row]:
    found: list[Row] = []
    for cells in _cells(text):
        copies = int(cells.pop("copies", "0"))
        for number in range(1, copies + 1) if copies else ("",):
            numbered = {
                name: f"{cell}{number}" if name in ("person_id", "claim_id") else cell
                for name, cell in cells.items()
            }
            found += [row(table, **one) for one in _monthly(numbered)]
    return found


def _monthly(cells: dict[str, str]) -> list[dict[str, str]]:
    """A claim of ``2008-01-10..2008-03-10`` as one of each month, its id with the month behind it."""
    match = _DAY_RANGE.fullmatch(cells.get("claim_start_date", ""))
    if match is None:
        return [cells]
    first, day, last = match.groups()
    months = [month_name(m) for m in range(month_index(first), month_index(last) + 1)]
    return [
        cells | {"claim_start_date": f"{month}-{day}", "claim_id": f"{cells['claim_id']}-{month}"}
        for month in months
    ]


def _world(plain: dict[str, Any]) -> EdgeCase:
    own = plain.get("tables", {})
    tables = {name: _rows(name, own[name]) if name in own else base_rows(name) for name in TABLES}
    if "medical_claim" in own and not plain.get("without_base", False):
        tables["medical_claim"] += base_rows("medical_claim")
    return EdgeCase(
        id=plain["id"],
        title=plain["title"],
        arithmetic=" ".join(plain["arithmetic"].split()),
        tables=tables,
        files=plain.get("files", {}),
        choices=tuple(_choice(plain, choice) for choice in plain["choice"]),
    )


def _choice(world: dict[str, Any], plain: dict[str, Any]) -> Choice:
    plain = copy.deepcopy(plain)
    study = world.get("study", {}) | plain.pop("study", {})
    return Choice(
        name=plain.pop("name"),
        study=_nested(study),
        without=tuple(plain.pop("without", ())),
        expected={name: _expected(value) for name, value in plain.items()},
    )


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Keys like ``claims.stays`` as tables."""
    found: dict[str, Any] = {}
    for key, value in flat.items():
        section, _, name = key.rpartition(".")
        (found.setdefault(section, {}) if section else found)[name] = value
    return found


def _expected(value: Any) -> Any:
    """A text table as rows with numbers as numbers; sentences and single values as they are."""
    if not isinstance(value, str) or "\n" not in value:
        return value
    return [{name: _number(cell) for name, cell in cells.items()} for cells in _cells(value)]


def _number(cell: str) -> Any:
    if cell == ".":
        return None
    if _NUMBER.fullmatch(cell):
        return float(cell) if "." in cell else int(cell)
    return cell
