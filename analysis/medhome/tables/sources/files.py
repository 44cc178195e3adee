"""Parquet and CSV files: found by table name, read with file and row, their faults in words."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from dataclasses import replace
from pathlib import Path

import duckdb

from medhome.study.definitions import Contract
from medhome.study.problems import DataProblem
from medhome.study.spec import StudySpec
from medhome.tables.engine import Engine, lacks_room, query, reading
from medhome.tables.sources.shape import Raw, needed, shape

_MAGIC = b"PAR1"
_ENDINGS = (".parquet", ".csv", ".csv.gz")
_TAKEN = {"_file", "_row", "_path", "file_row_number"}
"""Names by which the reader says where a row comes from."""


def open_table(
    con: Engine,
    spec: StudySpec,
    contract: Contract,
    folder: Path,
    problems: list[str],
    missing: tuple[str, ...] = (),
) -> bool:
    """Open one table in the shape of its contract, from ``<table>.parquet``, ``.csv``, ``.csv.gz`` or parts.

    ``missing`` are texts (dates as YYYY-MM-DD) by which a format says that a value is missing, such as ``~``.

    Returns whether it was opened. Faults are added to ``problems``, as is the want of a file that the study
    needs.
    """
    parts = find_parts(folder, contract.table, problems)
    if not parts:
        if parts is not None and needed(contract.required_by, spec):
            problems.append(_no_file(contract))
        return False
    before = len(problems)
    try:
        with reading(", ".join(p.relative_to(folder).as_posix() for p in parts)):
            _open(con, spec, contract, folder, parts, problems, missing)
    except DataProblem as problem:
        problems.append(str(problem))
    return len(problems) == before


def find_parts(folder: Path, table: str, problems: list[str]) -> list[Path] | None:
    """The files of one table in name order; none where there is no such file.

    None where the folder is ambiguous, which is added to ``problems``.
    """
    found = [*(folder / f"{table}{ending}" for ending in _ENDINGS), folder / table]
    found = [p for p in found if p.exists()]
    if len(found) > 1:
        names = " and ".join(p.name for p in found)
        problems.append(f"{table}: the folder holds {names}; keep one")
        return None
    if not found or found[0].is_file():
        return found
    parts = sorted(p for p in found[0].iterdir() if p.name.endswith(_ENDINGS))
    if not parts:
        problems.append(f"{table}: the folder {table} holds no .parquet, .csv or .csv.gz file")
        return None
    if len({p.suffix == ".parquet" for p in parts}) > 1:
        problems.append(f"{table}: the folder {table} holds Parquet and CSV parts; keep one kind")
        return None
    return parts


def read_parquet(
    con: Engine, relation: str, folder: Path, parts: list[Path], problems: list[str]
) -> Raw | None:
    """Make a view of Parquet files with ``_file`` and ``_row``; None where a file cannot be read."""
    schemas: dict[Path, dict[str, str]] = {}
    for part in parts:
        name = part.relative_to(folder).as_posix()
        fault = _parquet_fault(part)
        if fault is None:
            try:
                described = query(con, f"DESCRIBE SELECT * FROM read_parquet({_quoted(part)})")
                schemas[part] = {row[0].lower(): row[1] for row in described}
            except duckdb.Error as error:
                if lacks_room(error):
                    raise
                fault = f"cannot be read as Parquet ({str(error).splitlines()[0]}); write it again"
        if fault:
            problems.append(f"{name}: {fault}")
    if len(schemas) < len(parts):
        return None
    label = parts[0].relative_to(folder).as_posix() if len(parts) == 1 else f"{relation.split('__')[0]}/"
    schema = _one_schema(folder, schemas, problems)
    if schema is None:
        return None
    files = ", ".join(_quoted(p) for p in parts)
    prefix = len(folder.as_posix().rstrip("/")) + 2
    con.raw_sql(
        f"CREATE OR REPLACE VIEW {relation} AS SELECT * EXCLUDE (_path, file_row_number), "
        f"substr(_path, {prefix}) AS _file, file_row_number + 1 AS _row "
        f"FROM read_parquet([{files}], filename = '_path', file_row_number = true, union_by_name = true)"
    )
    return Raw(relation=relation, columns=schema[0], lacking=schema[1], label=label)


def read_csv(con: Engine, relation: str, folder: Path, parts: list[Path], problems: list[str]) -> Raw | None:
    """Store CSV files as text columns with ``_file`` and ``_row``; None where a file cannot be read."""
    headers: dict[Path, dict[str, str]] = {}
    selects = []
    for part in parts:
        name = part.relative_to(folder).as_posix()
        header, fault = _csv_header(part)
        if fault:
            problems.append(f"{name}: {fault}")
            continue
        headers[part] = dict.fromkeys(header, "VARCHAR")
        named = ", ".join(f"{_literal(c)}: 'VARCHAR'" for c in header)
        selects.append(
            f"SELECT *, {_literal(name)} AS _file, row_number() OVER () AS _row FROM read_csv("
            f"{_quoted(part)}, columns = {{{named}}}, header = true, auto_detect = false, delim = ',', "
            f"quote = '\"', escape = '\"', strict_mode = true)"
        )
    if len(headers) < len(parts):
        return None
    schema = _one_schema(folder, headers, problems)
    if schema is None:
        return None
    try:
        con.raw_sql(f"CREATE OR REPLACE TABLE {relation} AS {' UNION ALL BY NAME '.join(selects)}")
    except duckdb.Error as error:
        if lacks_room(error):
            raise
        problems.append(_csv_fault(folder, parts, error))
        return None
    label = parts[0].relative_to(folder).as_posix() if len(parts) == 1 else f"{relation.split('__')[0]}/"
    return Raw(relation=relation, columns=schema[0], lacking=schema[1], label=label)


def _open(
    con: Engine,
    spec: StudySpec,
    contract: Contract,
    folder: Path,
    parts: list[Path],
    problems: list[str],
    missing: tuple[str, ...],
) -> None:
    is_text = parts[0].suffix != ".parquet"
    reader = read_csv if is_text else read_parquet
    raw = reader(con, f"{contract.table}__raw", folder, parts, problems)
    if raw is None:
        return
    rows = query(con, f"SELECT count(*) FROM {raw.relation}")[0][0]
    if rows == 0 and contract.required_by:
        problems.append(f"{raw.label}: no rows; a study needs {contract.grain}")
        return
    told = _told(con, raw, missing) if missing else raw
    shape(con, spec, contract, told, problems, keep=is_text)
    if is_text:
        if missing:
            con.raw_sql(f"DROP VIEW {told.relation}")
        con.raw_sql(f"DROP TABLE {raw.relation}")


def _told(con: Engine, raw: Raw, missing: tuple[str, ...]) -> Raw:
    """A view of the raw rows in which what the format writes for a missing value is missing."""
    said = ", ".join(_literal(text) for text in missing)
    told = []
    for name, kind in raw.columns.items():
        if kind == "VARCHAR":
            text = f'trim("{name}")'
        elif kind == "DATE" or kind.startswith("TIMESTAMP"):
            text = f'CAST(CAST("{name}" AS DATE) AS VARCHAR)'
        else:
            continue
        told.append(f'CASE WHEN {text} NOT IN ({said}) THEN "{name}" END AS "{name}"')
    relation = raw.relation.replace("__raw", "__told")
    replaced = f"REPLACE ({', '.join(told)})" if told else ""
    con.raw_sql(f"CREATE OR REPLACE VIEW {relation} AS SELECT * {replaced} FROM {raw.relation}")
    return replace(raw, relation=relation)


def _no_file(contract: Contract) -> str:
    table = contract.table
    why = f" (needed because of {contract.required_by} in the study)" if "=" in contract.required_by else ""
    return (
        f"{table}: there is no {table}.parquet, {table}.csv, {table}.csv.gz or folder {table}/{why}; "
        f"add {contract.grain} ({contract.description.rstrip('.')})"
    )


def _parquet_fault(path: Path) -> str | None:
    size = path.stat().st_size
    if size == 0:
        return "the file is empty; write it again"
    with path.open("rb") as stream:
        head = stream.read(4)
        stream.seek(max(0, size - 4))
        tail = stream.read(4)
    if head != _MAGIC:
        return "not a Parquet file; write it as Parquet, or name it .csv if it is text"
    if size < 12 or tail != _MAGIC:
        return "the file is cut short (its end is missing); copy or write it again"
    return None


def _csv_header(path: Path) -> tuple[list[str], str | None]:
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig", newline="") as stream:
            header = [c.strip().lower() for c in next(csv.reader(stream), [])]
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        return [], f"cannot be unpacked ({error}); copy or write it again"
    except (UnicodeDecodeError, csv.Error) as error:
        return [], f"cannot be read as UTF-8 comma-separated text ({error}); write it again as such"
    if not header:
        return [], "the file is empty; write a header and rows"
    if len(header) == 1 and re.search(r"[;\t|]", header[0]):
        return [], "columns are not separated by commas; write it as comma-separated text"
    twice = sorted({c for c in header if header.count(c) > 1})
    if twice or "" in header:
        named = ", ".join(twice) or "empty name"
        return [], f"the header names a column twice or not at all ({named}); fix it"
    return header, None


def _csv_fault(folder: Path, parts: list[Path], error: duckdb.Error) -> str:
    text = str(error)
    name = next((p for p in parts if p.as_posix() in text), parts[0]).relative_to(folder).as_posix()
    line = re.search(r"Line: (\d+)", text)
    where = f", row {int(line[1]) - 1}" if line else ""
    wanted = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text)
    what = f"has {wanted[2]} columns, not {wanted[1]}" if wanted else text.splitlines()[0]
    return f"{name}{where}: {what}; check quotes, commas and line ends here"


def _one_schema(
    folder: Path, schemas: dict[Path, dict[str, str]], problems: list[str]
) -> tuple[dict[str, str], dict[str, list[str]]] | None:
    """The columns of all parts with their types, and which parts lack a column; None where types disagree."""
    columns: dict[str, str] = {}
    first: dict[str, str] = {}
    before = len(problems)
    for part, schema in schemas.items():
        file = part.relative_to(folder).as_posix()
        problems += [
            f"{file}: column {name} has a name that the reader itself needs; rename it, or leave it out"
            for name in sorted(_TAKEN & set(schema))
        ]
        for name, kind in schema.items():
            known = columns.get(name)
            if known is None or known.strip('"') == "NULL":
                columns[name], first[name] = kind, file
            elif known != kind and kind.strip('"') != "NULL":
                problems.append(
                    f"{file}: column {name} holds {kind}, but {known} in {first[name]}; write them alike"
                )
    lacking = {
        name: [p.relative_to(folder).as_posix() for p, schema in schemas.items() if name not in schema]
        for name in columns
    }
    return None if len(problems) > before else (columns, {n: files for n, files in lacking.items() if files})


def _quoted(path: Path) -> str:
    """A path as an SQL string in which nothing is taken for a wildcard."""
    return _literal(re.sub(r"([\[*?])", r"[\1]", path.as_posix()))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
