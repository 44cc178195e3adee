"""From columns as a file holds them to columns as the contract asks: one SQL expression per column."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from medhome.study.definitions import Column, Contract
from medhome.study.problems import printable
from medhome.study.spec import StudySpec
from medhome.tables.engine import Engine, query

_EXAMPLES = 3
_LIMIT_CENTS = 10**15

_ADVICE = {
    "date": "write dates as YYYY-MM-DD",
    "money": "write dollars as 1234.56, without signs or separators",
    "integer": "write a whole number",
    "number": "write a number as 12.5",
    "flag": "write 1 or 0",
}

_ASKED = {
    "date": "dates",
    "money": "dollars",
    "integer": "whole numbers",
    "number": "numbers",
    "flag": "0 or 1",
}

_KINDS = {
    "VARCHAR": "text",
    "DATE": "date",
    "BOOLEAN": "boolean",
    "DOUBLE": "float",
    "FLOAT": "float",
    "NULL": "null",
    '"NULL"': "null",
    "TINYINT": "integer",
    "SMALLINT": "integer",
    "INTEGER": "integer",
    "BIGINT": "integer",
    "UTINYINT": "integer",
    "USMALLINT": "integer",
    "UINTEGER": "integer",
    "UBIGINT": "integer",
    "HUGEINT": "integer",
}

_READABLE = {
    "id": {"text", "integer"},
    "text": {"text", "integer", "float", "decimal", "boolean"},
    "code": {"text", "integer"},
    "enum": {"text"},
    "date": {"text", "date", "timestamp"},
    "money": {"text", "integer", "float", "decimal"},
    "integer": {"text", "integer", "float", "decimal"},
    "number": {"text", "integer", "float", "decimal"},
    "flag": {"text", "integer", "float", "decimal", "boolean"},
}


@dataclass(frozen=True, kw_only=True)
class Raw:
    """A table as the files hold it, known to the engine.

    relation: its name in the engine; it has the files' columns, and ``_file`` and ``_row``.
    columns: name (lower case) to type, as the engine writes types.
    lacking: columns that some of several parts lack, with the names of these parts.
    label: the file or folder, for messages.
    """

    relation: str
    columns: dict[str, str]
    label: str
    lacking: dict[str, list[str]] = field(default_factory=dict)


def needed(required_by: str, spec: StudySpec) -> bool:
    """Whether this study needs a table or column: ``all``, or a key and value as ``arms.rule=state``."""
    if "=" not in required_by:
        return required_by == "all"
    key, value = required_by.split("=")
    found: object = spec
    for part in key.split("."):
        found = getattr(found, part)
    return str(found) == value


def shape(
    con: Engine, spec: StudySpec, contract: Contract, raw: Raw, problems: list[str], keep: bool = False
) -> None:
    """Make the contract-shaped view of a raw table, and `<table>__located` beside it.

    The comment of `<table>__located` lists the columns that the files hold. Faults are added to
    ``problems``; where there is one, no view is made. With ``keep`` the shaped rows are
    stored once (text files), else they are read from the files each time (Parquet).
    """
    before = len(problems)
    chosen: list[tuple[Column, str]] = []
    bad: list[tuple[Column, str, str]] = []
    for column in contract.expanded():
        kind = _kind(raw.columns.get(column.name))
        absent = column.name not in raw.columns or column.name in raw.lacking
        if absent and needed(column.required_by, spec):
            problems += [_missing(raw, column, file) for file in raw.lacking.get(column.name, [raw.label])]
        elif kind in ("absent", "null"):
            if kind == "null" or not _later_in_series(column):
                chosen.append((column, f"CAST(NULL AS {column.engine_type})"))
        elif kind not in _READABLE[column.type] and not _all_null(con, raw, column):
            problems.append(_wrong_type(raw, column))
        elif kind not in _READABLE[column.type]:
            chosen.append((column, f"CAST(NULL AS {column.engine_type})"))
        else:
            value, fault = expression(column, kind)
            chosen.append((column, value))
            if fault:
                bad.append((column, value, fault))
    tidy = _survey(con, raw, chosen, bad, problems)
    if len(problems) > before:
        return
    chosen = [(c, f'"{c.name}"' if c.name in tidy else value) for c, value in chosen]
    names = {column.name: value for column, value in chosen}
    listed = [
        f"{value if column.name in tidy else _default(column, value, names)} AS {column.engine_name}"
        for column, value in chosen
    ]
    what = "TABLE" if keep else "VIEW"
    con.raw_sql(
        f"CREATE OR REPLACE {what} {contract.table}__located AS "
        f"SELECT {', '.join(listed)}, _file, _row FROM {raw.relation}"
    )
    con.raw_sql(
        f"CREATE OR REPLACE VIEW {contract.table} AS "
        f"SELECT * EXCLUDE (_file, _row) FROM {contract.table}__located"
    )
    held = ",".join(c.engine_name for c, _ in chosen if c.name in raw.columns)
    con.raw_sql(f"COMMENT ON {what} {contract.table}__located IS '{held}'")


def expression(column: Column, kind: str) -> tuple[str, str]:
    """SQL of a column's value, and SQL that is true where a cell cannot be read (empty if none can fail)."""
    x = f'"{column.name}"'
    text = f"nullif(trim({x}), '')"
    if column.type in ("id", "text", "code", "enum"):
        return _text(column, kind, x, text), ""
    if column.type == "date":
        if kind == "date":
            return x, _beyond(x)
        if kind == "timestamp":
            return f"CAST({x} AS DATE)", _beyond(f"CAST({x} AS DATE)")
        value = f"coalesce(try_cast({text} AS DATE), CAST(try_strptime({text}, '%Y%m%d') AS DATE))"
        return value, f"({text} IS NOT NULL AND ({value} IS NULL OR {_beyond(value)}))"
    if column.type == "flag":
        if kind == "boolean":
            return f"CAST({x} AS INTEGER)", ""
        if kind == "text":
            value = (
                f"CASE WHEN lower({text}) IN ('1', '1.0', 'true', 't', 'yes', 'y') THEN 1 "
                f"WHEN lower({text}) IN ('0', '0.0', 'false', 'f', 'no', 'n') THEN 0 END"
            )
            return value, f"({text} IS NOT NULL AND {value} IS NULL)"
        value = f"CASE WHEN {x} = 1 THEN 1 WHEN {x} = 0 THEN 0 END"
        return value, f"({x} IS NOT NULL AND {value} IS NULL)"
    number = f"try_cast({text} AS DECIMAL(38, 12))" if kind == "text" else x
    unread = f"({text} IS NOT NULL AND {number} IS NULL)" if kind == "text" else "false"
    endless = f"NOT isfinite({x})" if kind == "float" else "false"
    if column.type == "number":
        return f"CAST({number} AS DOUBLE)", _any(unread, endless)
    scale = 100 if column.type == "money" else 1
    large = f"abs({number}) > {_LIMIT_CENTS // scale}"
    broken = "false" if column.type == "money" or kind == "integer" else f"{number} <> floor({number})"
    whole = f"{number} * {scale}" if kind == "integer" else f"round({number} * {scale})"
    return f"try_cast({whole} AS BIGINT)", _any(unread, endless, large, broken)


def _text(column: Column, kind: str, x: str, text: str) -> str:
    if kind == "float":
        # A whole number that passed through a float (as where values are missing) is shown whole.
        whole = f"CAST(try_cast({x} AS BIGINT) AS VARCHAR)"
        text = f"CASE WHEN {x} = floor({x}) THEN {whole} ELSE CAST({x} AS VARCHAR) END"
    elif kind != "text":
        text = f"CAST({x} AS VARCHAR)"
    if column.type == "enum":
        return f"lower({text})"
    if column.type != "code":
        return text
    code = f"nullif(upper(replace({text}, '.', '')), '')"
    if not column.width:
        return code
    digits = f"ltrim({code}, '0')"
    return (
        f"CASE WHEN length({code}) = {column.width} THEN {code} "
        f"WHEN regexp_full_match({code}, '[0-9]+') AND length({digits}) <= {column.width} "
        f"THEN lpad({digits}, {column.width}, '0') ELSE {code} END"
    )


def _beyond(day: str) -> str:
    """SQL that is true for a day that no calendar of four-digit years has."""
    return f"(isinf({day}) OR {day} > DATE '9999-12-31')"


def _any(*conditions: str) -> str:
    real = [c for c in conditions if c != "false"]
    return f"({' OR '.join(real)})" if real else ""


def _default(column: Column, value: str, names: dict[str, str]) -> str:
    if not column.default:
        return value
    if column.default.startswith("="):
        return f"coalesce({value}, {names[column.default[1:]]})"
    literal = column.default if column.type == "flag" else f"'{column.default}'"
    return f"coalesce({value}, {literal})"


def _kind(engine_type: str | None) -> str:
    if engine_type is None:
        return "absent"
    if engine_type.startswith("DECIMAL"):
        return "decimal"
    if engine_type.startswith("TIMESTAMP"):
        return "timestamp"
    if engine_type.startswith("ENUM"):
        return "text"
    return _KINDS.get(engine_type, engine_type)


def _later_in_series(column: Column) -> bool:
    stem, _, number = column.name.rpartition("_")
    return bool(stem) and number.isdigit() and int(number) > 1


def _all_null(con: Engine, raw: Raw, column: Column) -> bool:
    counted = query(con, f'SELECT count("{column.name}") FROM {raw.relation}')
    return counted[0][0] == 0


def _missing(raw: Raw, column: Column, file: str) -> str:
    near = difflib.get_close_matches(column.name, set(raw.columns) - {column.name}, n=1, cutoff=0.7)
    hint = f'; the file has "{near[0]}": is it the same?' if near else ""
    return f"{file}: column {column.name} is missing ({column.description.rstrip('.')}); add it{hint}"


def _wrong_type(raw: Raw, column: Column) -> str:
    return (
        f"{raw.label}: column {column.name} holds {raw.columns[column.name]}; "
        f"the contract asks for {_ASKED.get(column.type, 'text')}; write it as such"
    )


def _survey(
    con: Engine,
    raw: Raw,
    chosen: list[tuple[Column, str]],
    bad: list[tuple[Column, str, str]],
    problems: list[str],
) -> set[str]:
    """One pass over the raw rows: cells that cannot be read, and columns that already are as asked.

    Returns text columns in which every value is there and stays as it is when read. They are passed on
    untouched: a plain column is read, joined and filtered several times faster than an expression.
    """
    text = [
        (c, value)
        for c, value in chosen
        if c.engine_type == "VARCHAR" and c.name in raw.columns and _kind(raw.columns[c.name]) == "text"
    ]
    wanted = [f"sum(CASE WHEN {fault} THEN 1 ELSE 0 END)" for _, _, fault in bad]
    for column, value in text:
        # A missing value is as asked, unless a default takes its place.
        all_rows = "count(*)" if column.default else f'count("{column.name}")'
        wanted.append(f'{all_rows} - sum(CASE WHEN {value} = "{column.name}" THEN 1 ELSE 0 END)')
    if not wanted:
        return set()
    counts = [int(n or 0) for n in query(con, f"SELECT {', '.join(wanted)} FROM {raw.relation}")[0]]
    for (column, _, fault), count in zip(bad, counts, strict=False):
        if count:
            problems += _bad_cells(con, raw, column, fault, count)
    return {c.name for (c, _), count in zip(text, counts[len(bad) :], strict=True) if not count}


def _bad_cells(con: Engine, raw: Raw, column: Column, fault: str, count: int) -> list[str]:
    rows = query(
        con,
        f'SELECT _file, _row, CAST("{column.name}" AS VARCHAR) FROM {raw.relation} '
        f"WHERE {fault} ORDER BY _file, _row LIMIT {_EXAMPLES}",
    )
    advice = _ADVICE[column.type]
    said = [
        f'{file}: column {column.name}, row {row}: "{printable(value)}" cannot be read; {advice}'
        for file, row, value in rows
    ]
    if count > len(rows):
        said.append(f"{raw.label}: column {column.name}: {count - len(rows):,} more such rows")
    return said
