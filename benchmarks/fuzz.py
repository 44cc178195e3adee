"""Do spoilt input folders end in a result or in a message that helps, and never in anything else?

    python -m benchmarks.fuzz --folders 500 --notebooks 20 --out docs/benchmarks/fuzz.md

Each folder is the tiny study of ``tests/fuzz`` spoilt in a way drawn from its number, and goes through
``check`` and ``evaluate``; some go through ``medhome run`` with the notebooks too. Needs the checkout, at its
root.
"""

from __future__ import annotations

import argparse
import collections
import datetime as dt
import multiprocessing
import os
import platform
import queue
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from medhome.study.provenance import FIXED_ENVIRONMENT, package_versions

OUTCOMES = ("result", "exit 1", "exit 2", "exit 4", "exit 5")
STILL_SECONDS = 3600
"""Longest wait for one folder on a busy machine; what works all the while is ended by its processor time."""


def work(orders: Connection, processor_seconds: int) -> None:
    """A process of its own: folders by number, one after the other, each within its processor time."""
    from tests.fuzz import mutations, passage

    def too_long(*_: Any) -> None:
        raise TimeoutError(f"more than {processor_seconds} s of processor time")

    signal.signal(signal.SIGPROF, too_long)
    while (order := orders.recv()) is not None:
        seed, notebooks = order
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "folder"
            kind, what = mutations.mutate(seed, folder)
            signal.setitimer(signal.ITIMER_PROF, processor_seconds)
            found = passage.through(folder, notebooks=notebooks)
            signal.setitimer(signal.ITIMER_PROF, 0)
        orders.send((seed, kind, what, found.outcome, found.fault))


class Worker:
    """The process that takes the folders; one that stands still or dies is ended and replaced."""

    def __init__(self, processor_seconds: int) -> None:
        self.processor_seconds = processor_seconds
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.orders, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, self.processor_seconds), daemon=False)
        self.process.start()
        theirs.close()

    def folder(self, seed: int, notebooks: bool) -> tuple[int, str, str, str, str]:
        """Kind, words, outcome and fault of one folder."""
        self.orders.send((seed, notebooks))
        try:
            if self.orders.poll(STILL_SECONDS):
                return self.orders.recv()
            fault = f"still at work after {STILL_SECONDS} s"
        except EOFError:
            self.process.join()
            fault = f"the process ended with {self.process.exitcode}"
        self.process.kill()
        self.process.join()
        self._start()
        from tests.fuzz.mutations import KINDS

        return seed, KINDS[seed % len(KINDS)].__name__, "", "fault", fault

    def end(self) -> None:
        self.orders.send(None)
        self.process.join()


def table(rows: list[tuple[int, str, str, str, str]], notebooks: int, seconds: float) -> str:
    """The page of ``docs/benchmarks``: counts by kind and outcome, the machine, and every fault."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for _, kind, _, outcome, fault in rows:
        counts[kind]["fault" if fault else outcome] += 1
    total = sum(counts.values(), collections.Counter())
    heads = [*OUTCOMES, "fault"]
    lines = [
        "# Spoilt input folders",
        "",
        f"`python -m benchmarks.fuzz --folders {len(rows)} --notebooks {notebooks}`: each folder is the tiny",
        "study of `tests/fuzz/draft.py`, spoilt in a way drawn from its number, and goes through `check` and",
        f"`evaluate`; {notebooks} of them go through `medhome run` with the notebooks as well. A fault is",
        "anything but a result or an explained refusal that names its place: another exception, a hang,",
        "files left behind, a report that is not whole, an input folder that was changed.",
        "",
        "| spoilt | folders | " + " | ".join(heads) + " |",
        "|---|---:|" + "---:|" * len(heads),
    ]
    for kind, found in [*sorted(counts.items()), ("all", total)]:
        numbers = " | ".join(str(found[head]) for head in heads)
        lines.append(f"| {kind.replace('_', ' ')} | {sum(found.values())} | {numbers} |")
    faults = [f"- folder {seed}, {kind.replace('_', ' ')} ({what}): {fault.splitlines()[0]}"
              for seed, kind, what, _, fault in rows if fault]
    held = package_versions()
    versions = ", ".join(f"{name} {held[name]}" for name in ("duckdb", "pandas", "pyarrow") if name in held)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
    lines += [
        "",
        "Exit codes: 1 a model refused, 2 study file, 4 input data, 5 disclosure refused.",
        "",
        *(["## Faults", "", *faults, ""] if faults else []),
        f"{machine}, Python {platform.python_version()}; {versions}; {seconds / 60:.0f} minutes, machine "
        f"shared; {dt.date.today()}.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folders", type=int, default=500)
    parser.add_argument("--first", type=int, default=0, help="number of the first folder")
    parser.add_argument("--notebooks", type=int, default=20, help="how many go through the notebooks too")
    parser.add_argument("--workers", type=int, default=1, help="processes that take folders side by side")
    parser.add_argument("--minutes", type=float, help="begin no further folder after this long")
    parser.add_argument("--processor-seconds", type=int, default=120, help="longest time of one folder")
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    if any(os.environ.get(k) != v for k, v in FIXED_ENVIRONMENT.items()):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **FIXED_ENVIRONMENT})

    every = max(1, wanted.folders // wanted.notebooks) if wanted.notebooks else 0
    began, rows, left = time.perf_counter(), [], wanted.notebooks
    jobs, done = [], 0
    for seed in range(wanted.first, wanted.first + wanted.folders):
        with_notebooks = bool(left) and (seed - wanted.first) % every == every - 1
        left -= with_notebooks
        jobs.append((seed, with_notebooks))
    free: queue.Queue[Worker] = queue.Queue()
    for _ in range(wanted.workers):
        free.put(Worker(wanted.processor_seconds))

    def one(job: tuple[int, bool]) -> tuple[int, str, str, str, str] | None:
        if wanted.minutes and time.perf_counter() - began > 60 * wanted.minutes:
            return None
        worker = free.get()
        try:
            return worker.folder(*job)
        finally:
            free.put(worker)

    with ThreadPoolExecutor(wanted.workers) as pool:
        for (seed, with_notebooks), row in zip(jobs, pool.map(one, jobs), strict=True):
            if row is None:
                continue
            rows.append(row)
            done += with_notebooks
            note = " (with notebooks)" if with_notebooks else ""
            print(f"{seed:5} {row[1]:22} {row[3]:8}{note} {row[2][:80]}", flush=True)
            if row[4]:
                print(f"      FAULT {row[4]}", flush=True)
    for _ in range(wanted.workers):
        free.get().end()
    if len(rows) < len(jobs):
        print(f"{len(jobs) - len(rows)} of {len(jobs)} folders were left: {wanted.minutes} minutes are over")
    page = table(rows, done, time.perf_counter() - began)
    print(page)
    if wanted.out:
        wanted.out.parent.mkdir(parents=True, exist_ok=True)
        wanted.out.write_text(page, encoding="utf-8")
    sys.exit(int(any(row[4] for row in rows)))


if __name__ == "__main__":
    main()
