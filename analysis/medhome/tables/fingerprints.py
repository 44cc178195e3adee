"""What identifies the input files: their bytes, and their content whatever the format and order of rows."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd

from medhome.study.definitions import contract
from medhome.study.provenance import file_digest
from medhome.tables.engine import Engine, query
from medhome.tables.sources import columns_held, located

INPUTS = ("role", "name", "rows", "bytes", "sha256", "content_sha256")


def input_files(con: Engine, tables: list[str], folder: Path) -> pd.DataFrame:
    """Which files were read, and what do they hold? One row per table and file (`DataQuality.inputs`).

    ``sha256`` is that of the bytes. ``content_sha256`` is that of the rows as read (columns of the contract
    that the file holds, typed, codes and amounts as the engine has them): the same rows in another order, or
    as CSV instead of Parquet, have the same digest.
    """
    rows = []
    digests: dict[str, str] = {}
    for table in tables:
        held = columns_held(con, table)
        for name, count, total in query(con, _content_sql(table, held)):
            if name not in digests:
                digests[name] = file_digest(folder / name)
            about = [table, [[c, _type(table, c)] for c in held], count, str(total)]
            content = hashlib.sha256(json.dumps(about, separators=(",", ":")).encode()).hexdigest()
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


def _type(table: str, column: str) -> str:
    return next(c.engine_type for c in contract(table).expanded() if c.engine_name == column)
