"""The engine: DuckDB inside this process, spoken to through Ibis.

`fetch` is the only function that brings rows of an expression back to Python (`query` does it for the SQL
that reads and checks files). Settings that could let a result depend on the
machine are fixed here: rows keep their order, nothing is downloaded, the time zone is UTC.
"""

from __future__ import annotations

import contextlib
import decimal
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import duckdb
import ibis
import ibis.backends.duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from medhome.study.problems import DataProblem, OutOfRoom, StudyFileError

Engine: TypeAlias = ibis.backends.duckdb.Backend
"""What `connect` returns and what functions of this room take as ``con``."""

_NO_FAULT_OF_THE_FILE = (
    duckdb.ParserException,
    duckdb.BinderException,
    duckdb.CatalogException,
)

_NO_ROOM = re.compile(r"no space left|disk quota|file too large|not enough space", re.IGNORECASE)
"""What systems say of a full disk, a quota that is used up and a limit of a file's size."""

_SPILL = "medhome-spill-"
MEMORY_LIMIT = "MEDHOME_MEMORY_LIMIT"
_SIZE = re.compile(r"\d+(\.\d+)?\s*([KMGT]i?B)", re.IGNORECASE)


def usual_memory() -> str:
    """How much memory an engine may use where nobody says: MEDHOME_MEMORY_LIMIT, or 2GB.

    Raises `StudyFileError` for what is no amount of memory.
    """
    named = os.environ.get(MEMORY_LIMIT, "").strip() or "2GB"
    if not _SIZE.fullmatch(named):
        raise StudyFileError(f"{MEMORY_LIMIT}={named!r}: name an amount of memory, for example 8GB")
    return named


def connect(
    threads: int = 2, memory_limit: str | None = None, temp_folder: Path | str | None = None
) -> Engine:
    """A new engine with nothing in it.

    Arguments
        threads: how many cores it may use; results do not depend on it.
        memory_limit: beyond this it spills to disk; `usual_memory` if None.
        temp_folder: where its own spill folder is made; the system's temporary folder if None.

    Returns an Ibis DuckDB backend; give it to `close`, or use `session`.

    >>> con = connect(threads=1)
    >>> int(fetch(con.create_table("t", {"x": [1, 2]}).count().as_table()).iloc[0, 0])
    2
    >>> close(con)
    """
    memory_limit = memory_limit or usual_memory()
    spill = tempfile.mkdtemp(prefix=_SPILL, dir=temp_folder)
    con = ibis.duckdb.connect(threads=threads, memory_limit=memory_limit, temp_directory=spill)
    for setting in (
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "enable_progress_bar = false",
        "preserve_insertion_order = true",
        "TimeZone = 'UTC'",
    ):
        con.raw_sql(f"SET {setting}")
    return con


def close(con: Engine) -> None:
    """Close an engine and remove its spill folder."""
    _close(con, _spill_of(con))


def _spill_of(con: Engine) -> Path:
    return Path(query(con, "SELECT current_setting('temp_directory')")[0][0])


def _close(con: Engine, spill: Path) -> None:
    con.disconnect()
    if spill.name.startswith(_SPILL):
        shutil.rmtree(spill, ignore_errors=True)


@contextlib.contextmanager
def session(
    temp_folder: Path | str | None = None, threads: int = 2, memory_limit: str | None = None
) -> Iterator[Engine]:
    """An engine for a ``with`` block, closed at its end.

    Raises `OutOfRoom` where the engine lacks memory, or a place for what it puts aside.
    """
    memory_limit = memory_limit or usual_memory()
    con = connect(threads=threads, memory_limit=memory_limit, temp_folder=temp_folder)
    spill = _spill_of(con)
    try:
        yield con
    except duckdb.Error as error:
        if not lacks_room(error):
            raise
        raise OutOfRoom(_what_to_do(error, memory_limit, spill.parent)) from None
    finally:
        _close(con, spill)


def lacks_room(error: Exception) -> bool:
    """Whether an engine failed for want of memory or disk, which is no fault of data or statement."""
    return isinstance(error, duckdb.OutOfMemoryException) or (
        isinstance(error, duckdb.Error) and bool(_NO_ROOM.search(str(error)))
    )


def _what_to_do(error: Exception, memory_limit: str, folder: Path) -> str:
    free = shutil.disk_usage(folder).free / 1e9
    reason = str(error).splitlines()[0].rstrip(":. ")
    return (
        f"the engine ran out of room ({reason}). It may use {memory_limit} of memory and puts the rest aside "
        f"in {folder}, where {free:,.1f} GB are free: name a folder with more room in TMPDIR, or give it "
        f"more memory with {MEMORY_LIMIT} (for example 8GB). Nothing was published, earlier reports are "
        "untouched"
    )


def fetch(expr: ibis.Table) -> pd.DataFrame:
    """Run an expression and bring its rows to Python, exactly.

    Whole numbers of 64 bits or less come as int64 (Int64 where some are missing); wider ones, which the
    engine holds as ``decimal(38, 0)``, as Python ints in an object column: never through a float, which keeps
    only 53 bits. Decimals with a fraction come as `decimal.Decimal`, dates as `datetime.date`.
    Rows come in the engine's order: sort in the expression where order matters.

    An expression that can pass 64 bits (a sum of products of cents) must be cast to ``decimal(38, 0)``
    before it is summed; one that passes them uncast raises rather than wraps.
    """
    table = expr.to_pyarrow()
    return pd.DataFrame({name: _exact(table.column(name)) for name in table.column_names})


def query(con: Engine, sql: str) -> list[tuple]:
    """Rows of an SQL query as exact Python values: for files and input checks, which are the engine's own."""
    return con.con.execute(sql).fetchall()


@contextlib.contextmanager
def reading(where: str) -> Iterator[None]:
    """Turn a failure of the engine to read a file into a `DataProblem` that names it.

    A statement that the engine does not understand, and want of memory, are no fault of the file and pass.
    """
    try:
        yield
    except _NO_FAULT_OF_THE_FILE:
        raise
    except duckdb.Error as error:
        if lacks_room(error):
            raise
        reason = str(error).splitlines()[0].rstrip(": ")
        raise DataProblem(f"{where}: cannot be read to its end ({reason}); copy or write it again") from None


def _exact(column: pa.ChunkedArray) -> pd.Series:
    kind = column.type
    if pa.types.is_decimal128(kind) and kind.scale == 0 and not column.null_count:
        parts = [_whole_numbers(chunk) for chunk in column.chunks]
        return pd.Series(np.concatenate(parts) if parts else np.array([], dtype=object), dtype=object)
    if pa.types.is_decimal(kind):
        values: list[object] = column.to_pylist()
        if kind.scale == 0:
            values = [int(v) if isinstance(v, decimal.Decimal) else None for v in values]
        return pd.Series(values, dtype=object)
    if pa.types.is_integer(kind) and column.null_count:
        return pd.Series(column.to_pylist(), dtype="Int64")
    if pa.types.is_boolean(kind) and column.null_count:
        return pd.Series(column.to_pylist(), dtype="boolean")
    return column.to_pandas(date_as_object=True)


def _whole_numbers(chunk: pa.Array) -> np.ndarray:
    """Python ints of a chunk of 128-bit decimals without fraction or nulls, from their two halves."""
    halves = np.frombuffer(chunk.buffers()[1], dtype="<i8")
    low, high = halves[0::2], halves[1::2]
    within = slice(chunk.offset, chunk.offset + len(chunk))
    low, high = low[within], high[within]
    found = low.astype(object)
    # What fits 64 bits has nothing but its sign in the upper half.
    for i in np.flatnonzero(high != low >> 63):
        found[i] = (int(high[i]) << 64) + (int(low[i]) & 0xFFFF_FFFF_FFFF_FFFF)
    return found
