"""A million member-years by sixty covariates: how long, and in how much memory, do the cost models take?

``python -m benchmarks.cost_models`` writes ``docs/benchmarks/cost_models.md``. Each model runs in a process
of its own, so that its peak of memory is its own. Two kinds of covariates: numbers that differ in every row
(nothing can be collapsed), and flags and bands, where few patterns stand for many rows.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "cost_models.md"
MOST_SECONDS, MOST_GB = 60.0, 4.0
COVARIATES, FLAGS, CLUSTERS = 60, 4, 400
CASES = [
    ("numbers", "ols", False),
    ("numbers", "poisson", False),
    ("flags", "ols", False),
    ("flags", "poisson", False),
    ("flags", "two-part", False),
    ("flags", "poisson", True),
]
MUST = [("numbers", "ols", False), ("numbers", "poisson", False)]


def member_years(kind: str, rows: int, seed: int = 1) -> pd.DataFrame:
    """Member-years with 60 covariates, months, practice and cost PMPM, a fifth of it zero.

    kind: "numbers" for covariates that differ in every row; "flags" for 4 flags that come together in any
    way, and 56 that are one each for a band.
    """
    rng = np.random.default_rng([seed, rows])
    x = np.zeros((rows, COVARIATES), dtype=np.float64)
    if kind == "numbers":
        for k in range(COVARIATES):
            x[:, k] = rng.normal(size=rows)
    else:
        x[:, :FLAGS] = rng.random((rows, FLAGS)) < 0.15
        x[np.arange(rows), FLAGS + rng.integers(0, COVARIATES - FLAGS, rows)] = rng.random(rows) < 0.95
    slopes = rng.normal(0, 0.08, COVARIATES)
    mean = np.exp(5.5 + x @ slopes)
    frame = pd.DataFrame(x, columns=[f"x{k:02d}" for k in range(COVARIATES)], copy=False)
    frame["months"] = rng.integers(1, 13, rows)
    frame["practice"] = rng.integers(0, CLUSTERS, rows)
    frame["cost"] = np.where(rng.random(rows) < 0.8, rng.gamma(1.0, mean / 0.8), 0.0)
    return frame


def measure(kind: str, family: str, tests: bool, rows: int) -> dict[str, float | str | int | bool]:
    """One fit in this process: wall and processor seconds of the fit, and the peak of the process."""
    import medhome

    frame = member_years(kind, rows)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    start, used = time.perf_counter(), time.process_time()
    found = medhome.cost_model(
        frame, outcome="cost", covariates=[c for c in frame if c.startswith("x")], family=family,
        weights="months", cluster="practice", tests=tests,
    )  # fmt: skip
    wall, cpu = time.perf_counter() - start, time.process_time() - used
    return {
        "kind": kind, "family": family, "tests": tests, "rows": found.rows,
        "coefficients": len(found.coefficients), "seconds": wall, "cpu_seconds": cpu,
        "table_gb": before, "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }  # fmt: skip


def page(found: list[dict[str, float | str | int | bool]], today: date) -> str:
    """The page: what was measured, where, and whether the limits hold."""
    kept = [f for f in found if (f["kind"], f["family"], f["tests"]) in MUST]
    most = max(float(f["cpu_seconds"]) for f in kept), max(float(f["peak_gb"]) for f in kept)
    verdict = "held" if most[0] <= MOST_SECONDS and most[1] <= MOST_GB else "not held"
    machine = f"{platform.system()} {platform.machine()}, {_cores()} cores, {_memory_gb():.0f} GB"
    versions = ", ".join(f"{p} {version(p)}" for p in ("numpy", "scipy", "statsmodels", "pandas"))
    lines = [
        "# Cost models: a million member-years",
        "",
        f"`python -m benchmarks.cost_models`, {today.isoformat()}. {machine}; Python "
        f"{platform.python_version()}, {versions}.",
        "",
        f"Limit for OLS and Poisson on 1,000,000 rows by {COVARIATES} covariates: {MOST_SECONDS:.0f} s and "
        f"{MOST_GB:.0f} GB on two cores. **{verdict.capitalize()}**: at most {most[0]:.1f} processor seconds "
        f"(which one core alone needs, where nothing else runs) and {most[1]:.1f} GB, the table itself "
        "included.",
        "",
        "| covariates | model | tests | rows | coefficients | seconds | processor seconds | table, GB | "
        "peak, GB |",
        "|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {f['kind']} | {f['family']} | {'yes' if f['tests'] else 'no'} | {f['rows']:,} | "
            f"{f['coefficients']} | {f['seconds']:.1f} | {f['cpu_seconds']:.1f} | {f['table_gb']:.1f} | "
            f"{f['peak_gb']:.1f} |"
            for f in found
        ),
        "",
        f"Numbers: {COVARIATES} covariates that differ in every row. Flags: few patterns, fitted from them "
        f"(`docs/methods/cost-models.md`, covariate patterns). Errors by {CLUSTERS} practices, weights in "
        "months. Tests: the five specification tests with ten folds held out. Seconds run from the table in "
        "memory to the result, on a machine that did other work beside it; the peak is that of the whole "
        "process.",
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_gb() -> float:
    import os

    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def main() -> None:
    """Measure every case in a process of its own and write the page."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, default=1_000_000)
    asked.add_argument("--case", help="measure one case here and print it as JSON")
    asked.add_argument("--out", type=Path, default=PAGE)
    chosen = asked.parse_args()
    if chosen.case:
        kind, family, tests = chosen.case.split(":")
        print(json.dumps(measure(kind, family, tests == "tests", chosen.rows)))
        return
    found = []
    for kind, family, tests in CASES:
        case = f"{kind}:{family}:{'tests' if tests else 'none'}"
        command = [sys.executable, "-m", "benchmarks.cost_models", "--rows", str(chosen.rows), "--case", case]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
        print(found[-1], file=sys.stderr, flush=True)
    chosen.out.write_text(page(found, date.today()), encoding="utf-8")


if __name__ == "__main__":
    main()
