"""What identifies the input files: their bytes, and their content whatever the format and order of rows."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd

from medhome.study.definitions import Contract, contracts
from medhome.study.provenance import file_digest
from medhome.tables.engine import Engine, query
from medhome.tables.sources import columns_held, located

INPUTS = ("role", "name", "rows", "bytes", "sha256", "content_sha256")


def input_files(con: Engine, tables: list[str], folder: Path, source: str = "native") -> pd.DataFrame:
    """Which files were read, and what do they hold? One row per table and file (`DataQuality.inputs`).

    Arguments
        tables: the input tables that were opened.
        source: the format of the files. Of another format than the native one, files that give no row of
            their own to an input table (lists of diagnoses, say) come last, under their own table's name.

    ``sha256`` is that of the bytes. ``content_sha256`` is that of the rows as read (columns of the contract
    that the file holds, typed, codes and amounts as the engine has them): the same rows in another order, or
    as CSV instead of Parquet, have the same digest.
    """
    rows: list[tuple] = []
    digests: dict[str, str] = {}
    about = contracts() | (contracts(source) if source != "native" else {})
    theirs = [t for t in contracts(source) if t not in tables] if source != "native" else []
    opened = {name for (name,) in query(con, "SELECT table_name FROM information_schema.tables")}
    for table in [*tables, *(t for t in theirs if located(t) in opened)]:
        held = columns_held(con, table)
        listed_before = set(digests) if table in theirs else set()
        for name, count, total in query(con, _content_sql(table, held)):
            if name in listed_before:
                continue
            if name not in digests:
                digests[name] = file_digest(folder / name)
            said = [table, [[c, _type(about[table], c)] for c in held], count, str(total)]
            content = hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()
            rows.append((table, name, count, (folder / name).stat().st_size, digests[name], content))
    return pd.DataFrame(rows, columns=list(INPUTS))


def _content_sql(table: str, held: list[str]) -> str:
    """Rows of a table by file, and the sum of a 64-bit number made from the md5 of each row's text.

    Addition is exact (128 bits) and does not mind the order. Unit separators keep neighbours apart; an empty
    text does not occur (it is read as missing), so missing and empty cannot be confused.
    """
    text = ", chr(31), ".join(held)
    return (
        f"SELECT _file, count(*), sum(CAST(md5_number(concat({text})) >> 64 AS UBIGINT)) "
        f"FROM {located(table)} GROUP BY _file ORDER BY _file"
    )


def _type(about: Contract, column: str) -> str:
    return next(c.engine_type for c in about.expanded() if c.engine_name == column)
