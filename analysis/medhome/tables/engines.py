"""The engines that the chain from input tables to `Cells` runs on, by name.

Files are read and checked by DuckDB whatever the choice; the tables are then handed over. Numbers are the
same to the cent, so the choice is no part of a study nor of its fingerprint (`docs/engines.md`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ibis.expr.types import Table

from medhome.study.problems import StudyFileError
from medhome.tables import second_engine, spark_engine
from medhome.tables.engine import session

OWN = "duckdb"
"""The engine that always is there, inside this process."""

Inputs = Mapping[str, Table]


@dataclass(frozen=True)
class _Other:
    connect: Callable[[], Any]
    moved: Callable[[Inputs, Any], dict[str, Table]]
    close: Callable[[Any], None] = lambda con: None


_OTHERS = {
    "datafusion": _Other(second_engine.connect, second_engine.moved),
    "spark": _Other(spark_engine.connect, spark_engine.moved, spark_engine.close),
}
ENGINES = (OWN, *_OTHERS)


@dataclass(frozen=True)
class Opened:
    """An engine that is ready, and the DuckDB that reads files for it.

    con: where the chain runs. files: where `sources.open_inputs` opens tables and `checks` checks them.
    """

    con: Any
    files: Any
    hand_over: Callable[[Inputs, Any], dict[str, Table]]

    def moved(self, inputs: Inputs) -> dict[str, Table]:
        """The same tables in the engine of the chain."""
        return self.hand_over(inputs, self.con)


@contextlib.contextmanager
def opened(name: str = OWN) -> Iterator[Opened]:
    """An engine by its name in `ENGINES`, closed at the end of the ``with`` block.

    Raises `StudyFileError` for another name, and, naming the extra to install, where the engine is missing.

    >>> with opened("duckdb") as engine:
    ...     engine.con is engine.files
    True
    """
    if name not in ENGINES:
        raise StudyFileError(f"there is no engine {name!r}: choose one of {', '.join(ENGINES)}")
    with session() as files:
        if name == OWN:
            yield Opened(files, files, lambda inputs, _con: dict(inputs))
            return
        other = _OTHERS[name]
        con = other.connect()
        try:
            yield Opened(con, files, other.moved)
        finally:
            other.close(con)
