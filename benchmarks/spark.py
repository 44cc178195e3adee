"""From claim files to `Cells` on Spark in this process: how long per million lines, beside DuckDB?

    python -m benchmarks.spark --copies 1 4 16 --out docs/benchmarks/spark.md

The small world is copied as in ``benchmarks.data_room``. Each size goes through the chain on both engines;
cells must be the same. Needs the extra: ``pip install -e '.[spark]'``, and Java.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.data_room import CLAIMS, COEFFICIENTS, counted, multiply
from medhome import runs
from medhome.study.cells import Cells
from medhome.study.provenance import package_versions
from medhome.study.spec import StudySpec, read_study
from medhome.tables import collapse, engine, panel, sources, spark_engine


def cells_of(con: Any, inputs: dict[str, Any], spec: StudySpec) -> Cells:
    """The chain from input tables to cells, with fixed coefficients."""
    return collapse.cells(collapse.score(panel.build(con, inputs, spec), COEFFICIENTS), spec)


def timed(work: Callable[[], Any], processors: Callable[[], float]) -> tuple[Any, float, float]:
    """What some work gives, its seconds, and its seconds of processors."""
    began, busy = time.perf_counter(), processors()
    found = work()
    return found, time.perf_counter() - began, processors() - busy


def with_java(con: Any) -> float:
    """Processor seconds so far of this process and of Spark's Java (Linux)."""
    pid = con._session.sparkContext._gateway.proc.pid
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK") + time.process_time()


def one_size(folder: Path, spark: Any) -> dict[str, Any]:
    """Both engines on one folder: seconds, processor seconds, and whether the cells are the same."""
    spec = read_study(folder / "study.toml")
    with engine.session() as con:
        inputs = sources.open_inputs(con, spec, folder)
        first, seconds, busy = timed(lambda: cells_of(con, inputs, spec), time.process_time)
        there, moving, _ = timed(lambda: spark_engine.moved(inputs, spark), time.process_time)
    other, spark_seconds, spark_busy = timed(lambda: cells_of(spark, there, spec), lambda: with_java(spark))
    return {
        "lines": sum(counted(folder)[t] for t in CLAIMS),
        "duckdb": (seconds, busy),
        "moved": moving,
        "spark": (spark_seconds, spark_busy),
        "same": first.frame.astype(str).equals(other.frame.astype(str)),
    }


def page(rows: list[dict[str, Any]], copies: list[int]) -> str:
    """The sizes as a page of Markdown, with the cost of one more million lines."""
    table = "\n".join(
        f"| {r['lines']:,} | {r['duckdb'][0]:.1f} ({r['duckdb'][1]:.1f}) | {r['moved']:.1f} | "
        f"{r['spark'][0]:.1f} ({r['spark'][1]:.1f}) | {'yes' if r['same'] else 'NO'} |"
        for r in rows
    )
    more = (rows[-1]["lines"] - rows[0]["lines"]) / 1e6
    each = {
        e: [(b - a) / more for a, b in zip(rows[0][e], rows[-1][e], strict=True)] for e in ("duckdb", "spark")
    }
    versions = ", ".join(
        f"{k} {v}" for k, v in package_versions().items() if k in ("duckdb", "ibis-framework")
    )
    import pyspark

    local, remote = each["duckdb"], each["spark"]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
    return f"""# The chain on Spark, beside DuckDB

Command: `python -m benchmarks.spark --copies {" ".join(map(str, copies))}`

| claim lines | DuckDB, s (of processors) | to Spark's files, s | Spark, s (of processors) | same cells |
|---:|---:|---:|---:|---|
{table}

From the smallest size to the largest, each further million lines costs {local[0]:.1f} s
({local[1]:.1f} of processors) on DuckDB and {remote[0]:.1f} s ({remote[1]:.1f} of processors) on Spark.
What is left at no lines at all is Spark's planning and the start of its tasks.

Both on two cores of one machine that was shared: seconds depend on its load, processor seconds much less.
Spark in local mode (`tables/spark_engine.py`, `LOCAL`), one session for all sizes, smallest first.

Machine: {machine}, Python {platform.python_version()}; pyspark {pyspark.__version__}, {versions}.
Date: {dt.date.today().isoformat()}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 4, 16], help="sizes, smallest first")
    parser.add_argument("--folder", type=Path, help="where the input tables are written (default: temporary)")
    parser.add_argument("--out", type=Path, help="file for the table of results")
    wanted = parser.parse_args()
    if len(wanted.copies) < 2:
        parser.error("--copies needs two sizes or more: the cost of a million lines is their difference")
    rows = []
    with tempfile.TemporaryDirectory(dir=wanted.folder) as name:
        world, inputs = Path(name) / "world", Path(name) / "inputs"
        runs.simulate(world, "small", seed=1)
        spark = spark_engine.connect()
        for copies in wanted.copies:
            multiply(world, inputs, copies)
            rows.append(one_size(inputs, spark))
            print(rows[-1], flush=True)
        spark_engine.close(spark)
    text = page(rows, wanted.copies)
    print(text)
    if wanted.out:
        wanted.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
