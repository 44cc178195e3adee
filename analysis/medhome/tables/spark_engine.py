"""The chain on Apache Spark: a laptop's two cores, or a cluster for tens of millions of members.

The chain from input tables to `Cells` names no engine (`tables.second_engine`). Here it runs on Spark SQL,
spoken to through Ibis: the same cells to the cent. Files are read and checked by DuckDB either way; `moved`
hands the tables over. What to set on a cluster, and what it costs: ``docs/engines.md``.

PySpark is an optional extra (``pip install 'medhome[spark]'``) and needs a Java of 17 or later.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ibis.expr.types import Table

from medhome.study.problems import StudyFileError

EXTRA = "spark"
"""The optional extra that brings PySpark."""

LOCAL = {
    "spark.master": "local[2]",
    "spark.app.name": "medhome",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "2g",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.sql.shuffle.partitions": "4",
}
"""Spark inside this process, on two cores, that listens to this machine only. Settings override it."""

EXACT = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}
"""What a result could depend on: sums too wide for their type are errors, days are those of UTC."""

_NOT_YET = "PySpark does not yet fully support pandas"
_SHARE = "medhome-spark-"


def connect(settings: Mapping[str, str] | None = None, folder: Path | str | None = None) -> Any:
    """A Spark session with nothing in it, as an Ibis backend; give it to `close`.

    Arguments
        settings: Spark's own, over `LOCAL`: ``{"spark.master": "spark://head:7077"}``. Settings of the
            session that is open in this process already keep their value.
        folder: where tables on the way are kept, seen by all workers of a cluster; a temporary folder of this
            machine if None.

    Raises `StudyFileError` where PySpark or a Java is not found.
    """
    try:
        backend = _backend()
    except ImportError as missing:
        raise StudyFileError(
            f"Spark needs {missing.name}, which is not installed: pip install 'medhome[{EXTRA}]'"
        ) from missing
    if not java():
        raise StudyFileError(
            "Spark needs Java, and neither JAVA_HOME nor the path names one: install a Java of 17 or later"
        )
    from pyspark.sql import SparkSession

    own = Path(tempfile.mkdtemp(prefix=_SHARE, dir=folder))
    began = SparkSession.getActiveSession() is None
    builder = SparkSession.builder.config("spark.sql.warehouse.dir", str(own))
    for name, value in {**LOCAL, **EXACT, **(settings or {})}.items():
        builder = builder.config(name, value)
    con = backend()
    with _of_arrow():
        con.do_connect(builder.getOrCreate())
    con.folder, con.began = own, began
    con.raw_sql(f"CREATE DATABASE `{_database(own)}` LOCATION '{own}/tables'")
    con.raw_sql(f"USE `{_database(own)}`")
    return con


def close(con: Any) -> None:
    """Drop what is in the engine, remove its folder, and end the session if `connect` began it."""
    con.end()


def moved(inputs: Mapping[str, Table], con: Any) -> dict[str, Table]:
    """The same tables on Spark, by way of Parquet files in its folder.

    Arguments
        inputs: contract-shaped tables by name, as `sources.open_inputs` gives them.
        con: what `connect` gave.

    Rows are streamed to files and read by Spark's workers: none passes through Python.
    """
    found = {}
    for name, table in inputs.items():
        file = con.folder / f"{name}.parquet"
        table.to_parquet(file)
        found[name] = con.read_parquet(str(file), table_name=f"input_{name}")
    return found


def java() -> str | None:
    """The Java that Spark would start: that of JAVA_HOME, else the first on the path; None without one."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which(str(Path(home) / "bin" / "java")) if home else shutil.which("java")


@contextlib.contextmanager
def _of_arrow() -> Iterator[None]:
    """Without what PySpark says of pandas 3 when loaded: of frames handed over, and ours are Arrow tables."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_NOT_YET, category=FutureWarning)
        yield


@functools.cache
def _backend() -> type:
    with _of_arrow():
        from ibis.backends.pyspark import Backend
    import pyarrow as pa
    import sqlglot.expressions as sge
    from ibis.backends.sql.compilers.pyspark import PySparkCompiler
    from ibis.formats.pyarrow import PyArrowSchema

    class Compiler(PySparkCompiler):
        """Whole-number division that is whole: Ibis 12 divides as doubles, which keep 53 bits."""

        def visit_FloorDivide(self, op: Any, *, left: Any, right: Any) -> Any:
            if not (op.left.dtype.is_integer() and op.right.dtype.is_integer()):
                return super().visit_FloorDivide(op, left=left, right=right)
            whole = sge.paren(sge.paren(left) - self.f.pmod(left, right))
            return self.cast(whole / sge.paren(right), op.dtype)

    class SparkEngine(Backend):
        """Spark with this compiler, whose rows come and go as Arrow tables: exact, and without pandas."""

        folder: Path
        began: bool

        def end(self) -> None:
            self.raw_sql("USE default")
            self.raw_sql(f"DROP DATABASE `{_database(self.folder)}` CASCADE")
            if self.began:
                self._session.stop()
            shutil.rmtree(self.folder, ignore_errors=True)

        def to_pyarrow(self, expr: Any, /, *, params: Any = None, limit: Any = None, **_: Any) -> Any:
            table = expr.as_table()
            self._run_pre_execute_hooks(table)
            found = self._session.sql(self.compile(table, params=params, limit=limit)).toArrow()
            return expr.__pyarrow_result__(found.cast(PyArrowSchema.from_ibis(table.schema())))

        def _register_in_memory_table(self, op: Any) -> None:
            rows = op.data.to_pyarrow(op.schema).replace_schema_metadata(None)
            self._session.createDataFrame(_plain(rows)).createOrReplaceTempView(op.name)

    def _plain(rows: pa.Table) -> pa.Table:
        kinds = [pa.string() if pa.types.is_large_string(f.type) else f.type for f in rows.schema]
        return rows.cast(pa.schema(list(zip(rows.schema.names, kinds, strict=True))))

    SparkEngine.compiler = Compiler()
    SparkEngine.register_options()
    return SparkEngine


def _database(folder: Path) -> str:
    return folder.name.replace("-", "_")
