"""Facts of the world that are data, not code: table contracts, code lists, and where each came from.

The files lie in `medhome/definitions` and travel in the wheel. `sources.csv` there has one row per file:
title, publisher, version, licence, day of retrieval and sha256.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

DEFINITIONS = Path(__file__).resolve().parent.parent / "definitions"

_ENGINE_TYPES = {
    "id": "VARCHAR",
    "text": "VARCHAR",
    "code": "VARCHAR",
    "enum": "VARCHAR",
    "date": "DATE",
    "money": "BIGINT",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "flag": "INTEGER",
}

_IN_WORDS = {
    "id": "text",
    "text": "text",
    "code": "code",
    "enum": "one of a list",
    "date": "date",
    "money": "dollars",
    "integer": "whole number",
    "number": "number",
    "flag": "0 or 1",
}


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of an input table.

    Arguments
        name: its name in the file; a series is written ``diagnosis_code_1..25``.
        type: id, text (kept as they are), code (upper case, no dots), enum (lower case, one of ``allowed``),
            date, money (dollars in the file, whole cents in the engine), integer, number, flag (0 or 1).
        required_by: "all", or the part of a study that needs the column; empty where it is optional.
        filled: a row without a value is an error.
        width: codes of digits are padded with zeros to this many.
        default: value where the file has none; ``=other`` takes the value of another column.
    """

    table: str
    name: str
    type: str
    unit: str
    key: bool
    required_by: str
    filled: bool
    width: int | None
    allowed: tuple[str, ...]
    default: str
    description: str

    @property
    def engine_name(self) -> str:
        """Name in the engine: ``allowed_amount`` of the file becomes ``allowed_cents``."""
        return self.name.removesuffix("_amount") + "_cents" if self.type == "money" else self.name

    @property
    def engine_type(self) -> str:
        """Type in the engine, as SQL writes it."""
        return _ENGINE_TYPES[self.type]

    @property
    def series(self) -> bool:
        """Whether the name stands for numbered columns."""
        return ".." in self.name

    def members(self) -> Iterator[Column]:
        """The column itself, or the numbered columns of a series, of which only the first is required."""
        if not self.series:
            yield self
            return
        stem, last = self.name.split("..")
        stem, first = stem.rsplit("_", 1)
        for number in range(int(first), int(last) + 1):
            needed = self.required_by if number == int(first) else ""
            yield Column(**{**vars(self), "name": f"{stem}_{number}", "required_by": needed})


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What one input table must look like: its grain and its columns, in order."""

    table: str
    grain: str
    required_by: str
    key_severity: str
    description: str
    columns: tuple[Column, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that together name a row."""
        return tuple(c.name for c in self.columns if c.key)

    def expanded(self) -> tuple[Column, ...]:
        """The columns with every series written out."""
        return tuple(m for c in self.columns for m in c.members())


def read_csv(name: str) -> pd.DataFrame:
    """A definitions file as text columns, empty cells as empty text.

    >>> list(read_csv("tables.csv").columns[:2])
    ['table', 'grain']
    """
    return pd.read_csv(DEFINITIONS / name, dtype=str, keep_default_na=False, encoding="utf-8")


@functools.cache
def contracts(source: str = "native") -> dict[str, Contract]:
    """The contract of every input table, by table name.

    ``source`` is "native" for the tables of a study, or the name of another format for its files as they are
    before an adapter turns them into these ("synpuf", "cclf", "omop", "synthea").

    >>> contracts()["medical_claim"].key
    ('claim_id', 'claim_line_number', 'data_source')
    """
    index, folder = ("tables.csv", "contracts") if source == "native" else (f"{source}/tables.csv", source)
    found = {}
    for table in _rows(index):
        columns = tuple(_column(row) for row in _rows(f"{folder}/{table['table']}.csv"))
        found[table["table"]] = Contract(columns=columns, **table)
    return found


def contract(table: str) -> Contract:
    """The contract of one input table."""
    return contracts()[table]


def code_list(name: str) -> pd.DataFrame:
    """A code list of ``definitions/codelists``, one row per code, every column as text."""
    return read_csv(f"codelists/{name}.csv")


def sources() -> pd.DataFrame:
    """Where each definitions file came from: file, title, publisher, version, licence, retrieved, sha256."""
    return read_csv("sources.csv")


def study_template() -> str:
    """A commented study file with every key: what `medhome init` writes.

    >>> study_template().splitlines()[0][:17]
    '# A medhome study'
    """
    return (DEFINITIONS / "study-template.toml").read_text(encoding="utf-8")


def data_dictionary() -> str:
    """The contracts as a page of Markdown: what `docs/data-dictionary.md` and `medhome init` show."""
    lines = [
        "# Data dictionary",
        "",
        "The input tables of a study, made from the contracts in `analysis/medhome/definitions/contracts`.",
        "",
        "A folder holds each table as `<table>.parquet`, `<table>.csv`, `<table>.csv.gz`, or a folder",
        "`<table>/` of such parts. Columns that are not listed are ignored. Dates are written YYYY-MM-DD. "
        "Amounts are dollars",
        "in the files and from there on whole cents (`allowed_amount` becomes `allowed_cents`), rounded half",
        "away from zero. Codes are read without dots and in upper case; codes of digits get their leading",
        "zeros back.",
        "",
        '"Needed": **yes** for every study; a name says which part of a study needs the column; empty means',
        "optional. A key column is marked *key*. *Filled*: a row without a value is an error.",
        "",
    ]
    for table in contracts().values():
        when = f"needed when `{table.required_by}`"
        need = {"all": "every study", "": "optional"}.get(table.required_by, when)
        lines += [f"## {table.table}", "", f"{table.description} {table.grain.capitalize()}; {need}.", ""]
        lines += ["| column | type | needed | filled | allowed | default | meaning |"]
        lines += ["|---|---|---|---|---|---|---|"]
        for column in table.columns:
            need = "**yes**" if column.required_by == "all" else column.required_by
            name = f"`{column.name}`" + (" *key*" if column.key else "")
            cells = (
                name,
                _IN_WORDS[column.type],
                need,
                "yes" if column.filled else "",
                ", ".join(column.allowed),
                f"`{column.default.removeprefix('=')}`" if column.default else "",
                column.description,
            )
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _rows(name: str) -> list[dict[str, str]]:
    with (DEFINITIONS / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _column(row: dict[str, str]) -> Column:
    return Column(
        table=row["table"],
        name=row["column"],
        type=row["type"],
        unit=row["unit"],
        key=row["key"] == "yes",
        required_by=row["required_by"],
        filled=row["filled"] == "yes",
        width=int(row["width"]) if row["width"] else None,
        allowed=tuple(a for a in row["allowed"].split("|") if a),
        default=row["default"],
        description=row["description"],
    )
