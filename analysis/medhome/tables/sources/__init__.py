"""Input files of a study, read into the shape of their contracts.

Whatever the format of the files, `open_inputs` gives the same tables: the columns of
`definitions/contracts`, amounts as whole cents (``allowed_amount`` is ``allowed_cents``), dates as dates,
codes in upper case without dots, optional columns that the files lack as typed nulls or with their default.
Of a numbered series (``diagnosis_code_1`` ...) the first is always there, and as many others as the files
hold: `series` lists them.

Beside each table the engine holds a view `<table>__located` with two more columns, ``_file`` and ``_row``
(the first row after a header is 1), from which the checks say where a fault lies.
"""

from __future__ import annotations

from pathlib import Path

import ibis

from medhome.study.definitions import contracts
from medhome.study.problems import DataProblem
from medhome.study.spec import StudySpec
from medhome.tables.engine import Engine, query
from medhome.tables.sources import cclf, native, omop, synpuf, synthea

_SOURCES = {
    "native": native.open_tables,
    "synpuf": synpuf.open_tables,
    "cclf": cclf.open_tables,
    "omop": omop.open_tables,
    "synthea": synthea.open_tables,
}


def open_inputs(con: Engine, spec: StudySpec, folder: Path | str) -> dict[str, ibis.Table]:
    """What do the files of a study say, whatever their format?

    Arguments
        con: an engine (`engine.connect`).
        spec: the study; ``data.source`` names the format of the files.
        folder: where the files lie.

    Returns the input tables by name, each in the shape of its contract; an optional table without a file is
    left out. Raises one `DataProblem` that lists every fault found: missing, empty or truncated files,
    missing columns, wrong types, and cells that cannot be read, with file, column, row and value.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataProblem(f"{folder}: there is no such folder; name the folder of the input files")
    _forget(con)
    problems: list[str] = []
    tables = _SOURCES[spec.data.source](con, spec, folder, problems)
    if problems:
        noun = "problem" if len(problems) == 1 else "problems"
        raise DataProblem("\n".join([f"{folder}: {len(problems)} {noun}", *(f"  {p}" for p in problems)]))
    return {name: con.table(name) for name in tables}


def series(table: ibis.Table, stem: str) -> list[str]:
    """The numbered columns that a table holds, in order.

    >>> series(ibis.table({"x_2": "string", "x_1": "string", "x_type": "string"}, name="t"), "x")
    ['x_1', 'x_2']
    """
    numbered = [
        (int(name[len(stem) + 1 :]), name)
        for name in table.columns
        if name.startswith(f"{stem}_") and name[len(stem) + 1 :].isdigit()
    ]
    return [name for _, name in sorted(numbered)]


def located(table: str) -> str:
    """Name of the view of an input table, or of a file of another format, that also says file and row.

    >>> located("eligibility")
    'eligibility__located'
    """
    if not any(table in contracts(source) for source in _SOURCES):
        raise KeyError(f"{table} is no table of any format")
    return f"{table}__located"


def columns_held(con: Engine, table: str) -> list[str]:
    """The columns of an input table that its files hold (the others are nulls or defaults)."""
    rows = query(
        con,
        "SELECT comment FROM (SELECT view_name AS name, comment FROM duckdb_views() UNION ALL "
        f"SELECT table_name, comment FROM duckdb_tables()) WHERE name = '{located(table)}'",
    )
    return rows[0][0].split(",")


def _forget(con: Engine) -> None:
    """Drop what an earlier study left in the engine under the names of input tables."""
    tables = {table for source in _SOURCES for table in contracts(source)}
    ours = {f"{table}{end}" for table in tables for end in ("", "__located", "__raw", "__told")}
    held = query(con, "SELECT table_name, table_type FROM information_schema.tables")
    for name, kind in held:
        if name in ours:
            con.raw_sql(f"DROP {'VIEW' if kind == 'VIEW' else 'TABLE'} {name}")
