"""From claim files to `Cells`: how long, with how much memory, beside a bare scan of the same columns?

    python -m benchmarks.data_room --lines 20000000 --out docs/benchmarks/data_room.md

A simulated world is written many times over, as folders of Parquet parts in the native format: each copy has
people and claims of its own (a suffix on their identifiers) and the same practices. Then, each in a process
of its own, twice, on all rows and on half of them:

- chain: files opened, member-months built, members scored with fixed coefficients, cost summed to `Cells`;
- check: the files opened, every rule of the input checks, and the digests of the files' content;
- scan: the columns that the chain reads, read and summed by a bare DuckDB query.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from medhome.study.provenance import FIXED_ENVIRONMENT, package_versions

CLAIMS = ("medical_claim", "pharmacy_claim")
COPIED = {
    "eligibility": ("person_id", "member_id"),
    "medical_claim": ("person_id", "member_id", "claim_id", "x_adjusts_claim_id"),
    "pharmacy_claim": ("person_id", "member_id", "claim_id", "x_adjusts_claim_id"),
}
"""Tables that are written many times over, with the identifiers that get a suffix."""

SHARED = ("provider_practice", "program_roster", "study.toml")
"""What all copies have in common: files copied as they are, by the start of their name."""

SCANNED = {
    "eligibility": (
        *("person_id", "birth_date", "gender", "enrollment_start_date", "enrollment_end_date", "payer_type"),
        *("death_date", "x_medical_benefit", "x_pharmacy_benefit", "x_capitated"),
    ),
    "medical_claim": (
        *("person_id", "claim_type", "claim_start_date", "admission_date", "bill_type_code", "hcpcs_code"),
        *("place_of_service_code", "revenue_center_code", "diagnosis_code_type", "diagnosis_code_1"),
        *("diagnosis_code_2", "rendering_npi", "allowed_amount", "paid_amount", "paid_date"),
        *("x_claim_status", "x_adjustment_type"),
    ),
    "pharmacy_claim": (
        *("person_id", "dispensing_date", "allowed_amount", "paid_amount", "paid_date"),
        *("x_claim_status", "x_adjustment_type"),
    ),
}
"""The columns that the chain reads, by table."""

COEFFICIENTS = {"intercept": 20_000.0}
"""Cents PMPM of the score: what it is does not change the work, and every copy scores alike."""

TARGET_SECONDS, TARGET_GIB, TARGET_DOUBLING, TARGET_RULES = 60.0, 4.0, 2.3, 3.0


def multiply(world: Path, folder: Path, copies: int, repeats: int = 1, per_part: int = 8) -> None:
    """Write a world's input tables many times over, in parts of a few copies each.

    Arguments
        world: folder of a native world in Parquet, with its ``study.toml``.
        folder: where to write; made, and emptied of an earlier world.
        copies: how often. repeats: how often the claims of each copy, so that members have more of them.
        per_part: copies in one part, so that the memory needed does not grow.

    Copy 0 has the world's people with the suffix ``-0``, its claims with ``-0-0``, and so on.
    """
    if copies < 1:
        raise ValueError(f"copies = {copies}: at least 1")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in sorted(world.iterdir()):
        if file.name.startswith(SHARED):
            shutil.copy(file, folder / file.name)
    con = duckdb.connect()
    con.execute("SET threads = 2")
    for table, ids in COPIED.items():
        source = world / f"{table}.parquet"
        held = {row[0] for row in con.execute(f"DESCRIBE SELECT * FROM '{source}'").fetchall()}
        named = ", ".join(f"{name} || '-' || {_suffix(name)} AS {name}" for name in ids if name in held)
        again = repeats if table in CLAIMS else 1
        (folder / table).mkdir()
        for part, first in enumerate(range(0, copies, per_part)):
            end = min(first + per_part, copies)
            con.execute(
                f"COPY (SELECT t.* REPLACE ({named}) FROM range({first}, {end}) AS r(copy), "
                f"range({again}) AS s(repeat), '{source}' AS t) "
                f"TO '{folder / table / f'part-{part:04d}.parquet'}' (FORMAT parquet)"
            )
    con.close()


def _suffix(name: str) -> str:
    return "copy || '-' || repeat" if "claim_id" in name else "copy"


def counted(folder: Path) -> dict[str, int]:
    """Rows of the tables copied, and bytes of their parts."""
    found = {}
    for table in COPIED:
        parts = f"{folder.as_posix()}/{table}/*.parquet"
        found[table] = duckdb.sql(f"SELECT count(*) FROM read_parquet('{parts}')").fetchall()[0][0]
    found["bytes"] = sum(f.stat().st_size for f in folder.rglob("*.parquet"))
    return found


def chain(folder: Path) -> dict[str, Any]:
    """Files to cells: seconds by step, and totals of the cells."""
    from medhome.study.spec import read_study
    from medhome.tables import collapse, engine, panel, sources

    worked = time.process_time()
    spec = read_study(folder / "study.toml")
    marks = {"begin": time.perf_counter()}
    with engine.session() as con:
        inputs = sources.open_inputs(con, spec, folder)
        marks["opened"] = time.perf_counter()
        months = panel.build(con, inputs, spec)
        marks["member-months"] = time.perf_counter()
        scored = collapse.score(months, COEFFICIENTS)
        cells = collapse.cells(scored, spec)
        marks["cells"] = time.perf_counter()
        enrolled = int(months.attrition.frame.query("step == 0")["member_months"].sum())
    times = list(marks.values())
    steps = dict(zip(list(marks)[1:], (b - a for a, b in itertools.pairwise(times)), strict=True))
    frame = cells.frame
    sums = [c for c in frame.columns if c == "w" or c.startswith("w*")]
    return {
        "seconds": times[-1] - times[0],
        "cpu_seconds": time.process_time() - worked,
        "steps": steps,
        "member_months_enrolled": enrolled,
        "rows": len(frame),
        "totals": {c: sum(int(v) for v in frame[c]) for c in ["rows", *sums]},
    }


def check(folder: Path) -> dict[str, Any]:
    """The input checks: seconds of opening, of all rules, and of the digests of the files."""
    from medhome.study.spec import read_study
    from medhome.tables import checks, engine, sources
    from medhome.tables.fingerprints import input_files

    spec = read_study(folder / "study.toml")
    marks = [(time.perf_counter(), time.process_time())]
    with engine.session() as con:
        inputs = sources.open_inputs(con, spec, folder)
        marks.append((time.perf_counter(), time.process_time()))
        checks.input_rules(con, inputs, spec)
        marks.append((time.perf_counter(), time.process_time()))
        input_files(con, list(inputs), folder, spec.data.source)
        marks.append((time.perf_counter(), time.process_time()))
    parts = ("opened", "rules", "digests")
    spent = {
        part: (b[0] - a[0], b[1] - a[1])
        for part, (a, b) in zip(parts, itertools.pairwise(marks), strict=True)
    }
    return {part: {"seconds": wall, "cpu_seconds": cpu} for part, (wall, cpu) in spent.items()}


def scan(folder: Path) -> dict[str, Any]:
    """A bare pass over the columns that the chain reads: amounts, days and lengths of texts summed."""
    con = duckdb.connect()
    con.execute("SET threads = 2")
    began, worked = time.perf_counter(), time.process_time()
    for table, columns in SCANNED.items():
        relation = f"read_parquet('{folder.as_posix()}/{table}/*.parquet')"
        kinds = {r[0]: r[1] for r in con.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}
        sums = [_sum(c, kinds[c]) for c in columns if c in kinds]
        con.execute(f"SELECT count(*), {', '.join(sums)} FROM {relation}").fetchall()
    return {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - worked}


def _sum(column: str, kind: str) -> str:
    if kind == "VARCHAR":
        return f"sum(strlen({column}))"
    return f"sum({column} - DATE '2000-01-01')" if kind == "DATE" else f"sum({column})"


def measured(work: str, folder: Path) -> dict[str, Any]:
    """Run one piece of work in a process of its own, with its peak memory in GiB (``peak_gib``).

    Memory is the sum of proportional set sizes of the process and its children, looked at ten times a second
    (Linux); elsewhere it is missing.
    """
    command = [sys.executable, "-m", "benchmarks.data_room", "--work", work, "--folder", str(folder)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **FIXED_ENVIRONMENT}
    )
    peak = [0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            peak[0] = max(peak[0], _pss_kib(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    said, _ = process.communicate()
    done.set()
    watcher.join()
    if process.returncode:
        raise RuntimeError(f"{work} of {folder} ended with {process.returncode}")
    return {**json.loads(said.splitlines()[-1]), "peak_gib": peak[0] / 2**20 if peak[0] else None}


def _pss_kib(pid: int) -> int:
    total = 0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                total += _pss_kib(int(child))
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return total  # it has ended, or this is not Linux
    return total


def page(sizes: Mapping[str, Mapping[str, Any]], wanted: argparse.Namespace) -> str:
    """The result as a page of Markdown: a column per size, half and whole."""
    whole, half = sizes["whole"], sizes["half"]
    doubling = whole["chain"]["seconds"] / half["chain"]["seconds"]
    work = whole["chain"]["cpu_seconds"] / half["chain"]["cpu_seconds"]
    rows = [
        ("claim lines", lambda s: f"{sum(s['count'][t] for t in CLAIMS):,}"),
        ("member-months enrolled in months analysed", lambda s: f"{s['chain']['member_months_enrolled']:,}"),
        ("size of the files, MB", lambda s: f"{s['count']['bytes'] / 1e6:,.0f}"),
        ("**files to cells, s**", lambda s: f"**{s['chain']['seconds']:.1f}**"),
        ("– files opened, s", lambda s: f"{s['chain']['steps']['opened']:.1f}"),
        ("– member-months with their cost, s", lambda s: f"{s['chain']['steps']['member-months']:.1f}"),
        ("– scored and summed to cells, s", lambda s: f"{s['chain']['steps']['cells']:.1f}"),
        ("processor time of it, s", lambda s: f"{s['chain']['cpu_seconds']:.1f}"),
        ("peak memory of it, GiB", lambda s: _gib(s["chain"]["peak_gib"])),
        ("bare scan-and-sum of the same columns, s", lambda s: f"{s['scan']['seconds']:.1f}"),
        ("processor time of it, s", lambda s: f"{s['scan']['cpu_seconds']:.1f}"),
        ("peak memory of it, GiB", lambda s: _gib(s["scan"]["peak_gib"])),
        ("chain over scan", lambda s: f"{s['chain']['seconds'] / s['scan']['seconds']:.1f}"),
        ("the same by processor time", lambda s: f"{_work_ratio(s):.1f}"),
        ("all rules of the input checks, s", lambda s: _spent(s, "rules", 1)),
        ("the same by 5 million claim lines, s", lambda s: _spent(s, "rules", _per_five_million(s))),
        ("digests of the files' content, s", lambda s: _spent(s, "digests", 1)),
        ("load of the machine before (1 minute)", lambda s: f"{s['load']:.1f}"),
    ]
    table = "\n".join(f"| {label} | {show(half)} | {show(whole)} |" for label, show in rows)
    versions = ", ".join(f"{k} {v}" for k, v in package_versions().items())
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
    options = f"--lines {wanted.lines} --world {wanted.world} --repeats {wanted.repeats}"
    return f"""# From claim files to cells: time and memory

Command: `python -m benchmarks.data_room {options}`

| quantity | half | whole |
|---|---|---|
{table}

Doubling the rows takes {doubling:.2f} times as long, and {work:.2f} times the processor time (target: at most
{TARGET_DOUBLING}). Targets for 20 million lines on two cores: {TARGET_SECONDS:.0f} s, {TARGET_GIB:.0f} GiB.
For 5 million lines through all rules: {TARGET_RULES:.0f} s.

The chain opens the files, builds the member-months, scores members with fixed coefficients and sums their
cost to cells; the input checks, the risk model and the exhibits are not in it. The load tells how many
processes shared the cores: seconds depend on it and on this process's priority (nice {os.nice(0)}), processor
time much less. Copies of a world compress better
than real claims, which makes the bare scan quicker than it would be.

Machine: {machine}, Python {platform.python_version()}; {versions}.
Date: {dt.date.today().isoformat()}.
"""


def _spent(size: Mapping[str, Any], part: str, share: float) -> str:
    found = size["check"][part]
    return f"{found['seconds'] * share:.1f} ({found['cpu_seconds'] * share:.1f} of processors)"


def _per_five_million(size: Mapping[str, Any]) -> float:
    return 5_000_000 / sum(size["count"][t] for t in CLAIMS)


def _work_ratio(size: Mapping[str, Any]) -> float:
    return size["chain"]["cpu_seconds"] / size["scan"]["cpu_seconds"]


def _gib(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=20_000_000, help="about how many claim lines")
    parser.add_argument("--world", default="small", help="the simulated world that is copied")
    parser.add_argument("--repeats", type=int, default=2, help="how often each copy has its claims")
    parser.add_argument("--folder", type=Path, help="where the input tables are written (default: temporary)")
    parser.add_argument("--out", type=Path, help="file for the table of results")
    parser.add_argument("--work", choices=("chain", "check", "scan"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.work:
        print(json.dumps({"chain": chain, "check": check, "scan": scan}[wanted.work](wanted.folder)))
        return

    from medhome import runs

    with tempfile.TemporaryDirectory(dir=wanted.folder) as name:
        world, inputs = Path(name) / "world", Path(name) / "inputs"
        runs.simulate(world, wanted.world, seed=1)
        multiply(world, inputs, 1, wanted.repeats)
        lines = sum(counted(inputs)[t] for t in CLAIMS)
        copies = max(2, 2 * round(wanted.lines / lines / 2))
        sizes: dict[str, dict[str, Any]] = {}
        for label, number in (("half", copies // 2), ("whole", copies)):
            multiply(world, inputs, number, wanted.repeats)
            found: dict[str, Any] = {"count": counted(inputs), "load": os.getloadavg()[0]}
            found["scan"] = measured("scan", inputs)
            found["chain"] = measured("chain", inputs)
            found["check"] = measured("check", inputs)
            sizes[label] = found
            print(f"{label}: {json.dumps(found)}", flush=True)
    text = page(sizes, wanted)
    print(text)
    if wanted.out:
        wanted.out.parent.mkdir(parents=True, exist_ok=True)
        wanted.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
