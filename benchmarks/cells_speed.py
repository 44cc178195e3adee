"""One pass to `Cells`, then every regression from them: how long beside packages that hold the rows?

    python -m benchmarks.cells_speed --members 300000 3000000 --peers PEERS/bin/python \
        --out docs/benchmarks/cells_speed.md

Writes member-months of 300 practices over 36 months as Parquet, 36 rows a member, in parts. Then, each in a
process of its own and all in one run:

- scan: the regression's columns read and summed by a bare DuckDB query;
- cells: `collapse` of the files, then `cost ~ treat + age + risk + female | practice + month` clustered by
  practice; then from the same cells an event study, 40 subgroups and 2,000 bootstrap draws of it;
- doubles: the same sums in doubles, by SQL (not offered: their last digits depend on the threads);
- pyfixest and linearmodels, when an environment with them is given, on sizes that memory allows.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.cells_speed_page import page
from medhome.study.provenance import FIXED_ENVIRONMENT

PRACTICES, MONTHS, START = 300, 36, 24
KEYS = ["practice", "month", "treat"]
COVARIATES = ["age", "risk", "female"]
LARGEST_FOR_PEERS = 20_000_000
"""Rows above which the peers are not run: they would need more memory than a small machine has."""

AREAS, DRAWS = 40, 2000


def write(folder: Path, members: int, per_part: int = 50_000) -> None:
    """Write the member-months of a made-up panel: cost in cents, risk in thousandths, narrow whole numbers.

    Members fall on practices of unequal size; a third of the practices is treated from month 24 on. Costs are
    skewed, with a third of zeros. Rows are in the order of members and months, as claims panels are.
    """
    folder.mkdir(parents=True)
    con = duckdb.connect()
    con.execute("SET threads = 2")
    con.execute("SET memory_limit = '1GB'")
    for part, first in enumerate(range(0, members, per_part)):
        end = min(first + per_part, members)
        con.execute(
            f"""COPY (
            WITH drawn AS (
                SELECT j, {", ".join(f"(hash(j, {k}) % 1000000) / 1e6 AS u{k}" for k in range(1, 5))}
                FROM range({first}, {end}) AS r(j)),
            members AS (
                SELECT j, floor({PRACTICES} * pow(u1, 1.3))::SMALLINT AS practice,
                    (18 + floor(62 * u2))::TINYINT AS age,
                    (1000 * (-ln(1 - 0.999 * u3)) * (0.6 + 0.4 * u2))::SMALLINT AS risk,
                    (u4 < 0.52)::TINYINT AS female FROM drawn),
            months AS (
                SELECT members.*, t::SMALLINT AS month,
                    (practice % 3 = 0 AND t >= {START})::TINYINT AS treat,
                    (hash(j, t, 5) % 1000000) / 1e6 AS v, (hash(j, t, 6) % 1000000) / 1e6 AS z
                FROM members, range({MONTHS}) AS q(t))
            SELECT practice, month, treat, age, risk, female,
                (CASE WHEN z < 0.35 THEN 0 ELSE 100 * (-ln(1 - v * 0.9999)) * (120 + 4.0 * age
                    + 150.0 * risk / 1000 + 25.0 * female + practice % 17 * 6.0 + 1.5 * month - 18.0 * treat
                    + (hash(practice, month) % 1000) / 25.0) END)::INTEGER AS cost
            FROM months ORDER BY j, month)
            TO '{folder / f"part-{part:04d}.parquet"}' (FORMAT parquet, COMPRESSION zstd)"""
        )
    con.close()


def scan(folder: Path) -> dict[str, Any]:
    """The columns read and summed."""
    con = _bare()
    columns = ", ".join(f"sum({c})" for c in [*KEYS, "cost", *COVARIATES])
    began, worked = time.perf_counter(), time.process_time()
    con.execute(f"SELECT {columns} FROM {_parts(folder)}").fetchall()
    return {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - worked}


def doubles(folder: Path) -> dict[str, Any]:
    """The sums of `cells`, in doubles."""
    con = _bare()
    names = ["cost", *COVARIATES]
    pairs = combinations_with_replacement(names, 2)
    sums = [f"sum({v}::DOUBLE)" for v in names] + [f"sum({a}::DOUBLE * {b}::DOUBLE)" for a, b in pairs]
    began, worked = time.perf_counter(), time.process_time()
    selected = f"{', '.join(KEYS)}, count(*), {', '.join(sums)}"
    con.execute(f"SELECT {selected} FROM {_parts(folder)} GROUP BY ALL ORDER BY ALL").fetchall()
    return {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - worked}


def _bare() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    for setting in ("threads = 2", "memory_limit = '600MB'", "perfect_ht_threshold = 18"):
        con.execute(f"SET {setting}")
    con.execute("SET preserve_insertion_order = false")
    return con


def _parts(folder: Path) -> str:
    return f"read_parquet('{folder.as_posix()}/*.parquet')"


def cells(folder: Path) -> dict[str, Any]:
    """Files to cells to the regression; then what else the cells give."""
    import numpy as np

    from medhome.models.cell_moments import CellMoments, Term
    from medhome.models.cells_profiles import event_study, subgroups
    from medhome.models.cells_regression import regress
    from medhome.models.cells_resampling import bootstrap
    from medhome.tables.moments import collapse

    design: dict[str, Any] = {"effects": ("practice", "month"), "cluster": "practice"}
    began, worked = time.perf_counter(), time.process_time()
    found = collapse(
        f"{folder}/*.parquet", KEYS, ["cost"], COVARIATES, held={"cost": 100, "risk": 1000}, threads=2
    )
    collapsed = time.perf_counter()
    moments = CellMoments.of(found, ["cost", *COVARIATES])
    treat = Term(name="treat", factor=moments.keys["treat"].to_numpy(dtype=float))
    fit = regress(moments, "cost", [treat, *COVARIATES], **design)
    estimate, se = fit["treat"], fit.test("treat").se
    ended, cpu = time.perf_counter(), time.process_time() - worked

    practice = moments.keys["practice"].to_numpy()
    time_to = np.where(practice % 3 == 0, moments.keys["month"] - float(START), np.nan)
    events = event_study(moments, "cost", time_to, COVARIATES, **design)
    studied = time.perf_counter()
    areas = subgroups(moments.label(area=practice % AREAS), "cost", treat, "area", COVARIATES, **design)
    grouped = time.perf_counter()
    draws = bootstrap(events, draws=DRAWS, seed=1)
    return {
        "rows": fit.rows,
        "cells": len(found.frame),
        "estimate": estimate,
        "se": se,
        "seconds": ended - began,
        "collapse_seconds": collapsed - began,
        "cpu_seconds": cpu,
        "event_seconds": studied - ended,
        "event_terms": len(events.names),
        "subgroup_seconds": grouped - studied,
        "subgroups": int(areas["estimate"].notna().sum()),
        "bootstrap_seconds": time.perf_counter() - grouped,
        "draws": int(np.isfinite(draws).all(axis=1).sum()),
    }


WORK = {"scan": scan, "cells": cells, "doubles": doubles}


def measured(command: list[str]) -> dict[str, Any]:
    """Run a piece of work in a process of its own; what its last line says, or why it ended."""
    environment = {**os.environ, **FIXED_ENVIRONMENT}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def own(work: str, folder: Path, repeats: int) -> dict[str, Any]:
    """The quickest of several runs of a piece of our work."""
    command = [sys.executable, "-m", "benchmarks.cells_speed", "--work", work, "--folder", str(folder)]
    return min((measured(command) for _ in range(repeats)), key=lambda found: found["seconds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, nargs="+", default=[300_000, 3_000_000], help="36 rows each")
    parser.add_argument("--peers", type=Path, help="Python of an environment with pyfixest and linearmodels")
    parser.add_argument("--repeats", type=int, default=3, help="runs of ours, of which the quickest counts")
    parser.add_argument("--folder", type=Path, help="where the rows are written (default: temporary)")
    parser.add_argument("--out", type=Path, help="file for the table of results")
    parser.add_argument("--work", choices=sorted(WORK), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.work:
        found = WORK[wanted.work](wanted.folder)
        found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(found))
        return
    sizes = []
    with tempfile.TemporaryDirectory(dir=wanted.folder) as name:
        for members in wanted.members:
            rows = Path(name) / str(members)
            write(rows, members)
            size: dict[str, Any] = {"members": members, "load": os.getloadavg()[0]}
            size["bytes"] = sum(f.stat().st_size for f in rows.iterdir())
            for work in ("scan", "cells", "doubles"):
                size[work] = own(work, rows, wanted.repeats)
            if wanted.peers and members * MONTHS <= LARGEST_FOR_PEERS:
                script = Path(__file__).with_name("cells_speed_peers.py")
                for peer in ("pyfixest", "linearmodels"):
                    size[peer] = measured([str(wanted.peers), str(script), peer, str(rows)])
            print(json.dumps(size), flush=True)
            sizes.append(size)
    text = page(sizes, repeats=wanted.repeats, largest_for_peers=LARGEST_FOR_PEERS)
    print(text)
    if wanted.out:
        wanted.out.parent.mkdir(parents=True, exist_ok=True)
        wanted.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
