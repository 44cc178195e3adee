"""Input tables made from the files of another format: selects brought into the shape of a contract.

An adapter opens the files of its format with `open_table`, writes one select per kind of row, and calls
`make`. What its format does not hold (the program's roster, and often the practices) is read from native
files that lie in the same folder: `open_beside`.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from medhome.study.definitions import contract, contracts
from medhome.study.spec import StudySpec
from medhome.tables.engine import Engine, query
from medhome.tables.sources.files import open_table

CLAIMS_AND_ENROLMENT = ("eligibility", "medical_claim", "pharmacy_claim")
"""What an adapter makes itself; a native file of this name beside its files would be a second truth."""


def make(con: Engine, table: str, selects: list[tuple[dict[str, str], str]]) -> None:
    """Store a table in the shape of its contract.

    Arguments
        table: an input table.
        selects: for each kind of row, SQL by engine name of a column, and the relation it is selected from,
            which has ``_file`` and ``_row``. Columns not named get their default, or nulls; of a numbered
            series those named and the first.

    Makes ``<table>__located`` and the view ``<table>``, as `shape.shape` does.
    """
    about = contract(table)
    given = {name for columns, _ in selects for name in columns}
    shaped = []
    for column in about.expanded():
        later = column.name.rpartition("_")[2].isdigit() and not column.name.endswith("_1")
        if column.engine_name in given or not later:
            shaped.append(column)
    queries = []
    for columns, relation in selects:
        values = []
        for column in shaped:
            default = f"'{column.default}'"
            if not column.default:
                default = "NULL"
            elif column.default.startswith("="):
                default = columns.get(column.default[1:], "NULL")
            value = columns.get(column.engine_name, default)
            if column.default and column.engine_name in columns:
                value = f"coalesce({value}, {default})"
            values.append(f"CAST({value} AS {column.engine_type}) AS {column.engine_name}")
        queries.append(f"SELECT {', '.join(values)}, _file, _row FROM {relation}")
    con.raw_sql(f"CREATE OR REPLACE TABLE {table}__located AS {' UNION ALL '.join(queries)}")
    con.raw_sql(f"CREATE OR REPLACE VIEW {table} AS SELECT * EXCLUDE (_file, _row) FROM {table}__located")
    held = ",".join(column.engine_name for column in shaped if column.engine_name in given)
    con.raw_sql(f"COMMENT ON TABLE {table}__located IS '{held}'")


def open_beside(
    con: Engine, spec: StudySpec, folder: Path, problems: list[str], made: Collection[str]
) -> list[str]:
    """Open the native tables that lie beside the files of another format; returns their names.

    Arguments
        made: tables that the adapter makes from its own files, which are left alone, as are claims and
            enrolment.

    Faults, and the want of a table that the study needs (a roster, with ``arms.rule = "roster"``), are added
    to ``problems``.
    """
    return [
        table
        for table, about in contracts().items()
        if table not in (*CLAIMS_AND_ENROLMENT, *made) and open_table(con, spec, about, folder, problems)
    ]


def longest(con: Engine, relation: str, column: str, most: int) -> int:
    """How many values the longest list of a column holds, ``most`` at most."""
    found = query(con, f"SELECT max(len({column})) FROM {relation}")[0][0]
    return min(int(found or 0), most)


def listed(codes: Collection[str]) -> str:
    """Texts as the right side of an SQL ``IN``.

    >>> listed(["11", "22"])
    "('11', '22')"
    """
    return "(" + ", ".join("'" + code.replace("'", "''") + "'" for code in codes) + ")"
