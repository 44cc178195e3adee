"""A second engine, on which the same member-months must come out to the cent.

The chain from input tables to `Cells` is written in Ibis and names no engine. Run on another one, with its
own planner, arithmetic and order of rows, it shows what rests on one engine's habits. Files are read and
checked by DuckDB either way (that part is its SQL); `moved` hands the tables over.

The second engine is DataFusion, an optional extra (``pip install 'medhome[engines]'``). Which others were
tried, and which operations they lack: ``docs/adr/0008-second-engine.md``.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from ibis.expr.types import Table

from medhome.study.problems import StudyFileError

EXTRA = "engines"
"""The optional extra that brings the second engine."""


def connect() -> Any:
    """A new DataFusion engine with nothing in it, as an Ibis backend; in memory.

    Raises `StudyFileError` where the extra is not installed.
    """
    try:
        backend = _backend()
    except ImportError as missing:
        raise StudyFileError(
            f"the second engine needs {missing.name}, which is not installed: pip install 'medhome[{EXTRA}]'"
        ) from missing
    return backend().connect()


def moved(inputs: Mapping[str, Table], con: Any) -> dict[str, Table]:
    """The same tables in another engine.

    Arguments
        inputs: contract-shaped tables by name, as `sources.open_inputs` gives them.
        con: the engine that they go to; it holds them in memory.
    """
    return {
        name: con.create_table(name, table.to_pyarrow().replace_schema_metadata(None), overwrite=True)
        for name, table in inputs.items()
    }


@functools.cache
def _backend() -> type:
    import ibis.backends.datafusion as datafusion
    from ibis.backends.sql.compilers.datafusion import DataFusionCompiler

    class Compiler(DataFusionCompiler):
        """Dates in queries as dates: Ibis 12 writes them as nanoseconds, which end in the year 2262, and a
        comparison then loses rows with the open end 9999-12-31, without a word. And md5, which DataFusion
        has and Ibis does not know of."""

        def visit_NonNullLiteral(self, op: Any, *, value: Any, dtype: Any) -> Any:
            if dtype.is_date():
                return self.cast(value.isoformat(), dtype)
            return super().visit_NonNullLiteral(op, value=value, dtype=dtype)

        def visit_HexDigest(self, op: Any, *, arg: Any, how: str) -> Any:
            if how != "md5":
                raise NotImplementedError(f"{how}: only md5 is the same on both engines")
            return self.f.md5(arg)

    class SecondEngine(datafusion.Backend):
        """DataFusion with this compiler, and small tables without the notes that pandas leaves in a schema:
        DataFusion refuses to change the order of a join whose sides have different notes."""

        compiler = Compiler()

        def _register_in_memory_table(self, op: Any) -> None:
            self.con.from_arrow(op.data.to_pyarrow(op.schema).replace_schema_metadata(None), op.name)

    return SecondEngine
