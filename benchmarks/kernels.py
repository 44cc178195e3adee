"""Do forty notebooks by eight workers all come to their end, round after round?

    python -m benchmarks.kernels [--notebooks 40] [--workers 8] [--rounds 3]

Trivial notebooks, each in a kernel of its own over Unix sockets, as `medhome run` starts them. One line a
round: how many ended, how many failed and why, seconds, and what was left behind. Ends with 1 if one failed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from medhome.reporting import kernels
from medhome.reporting.runner import execute_notebooks
from medhome.study.problems import MedhomeError


def notebook(path: Path, number: int) -> Path:
    """A parameters cell and two cells that print and calculate."""
    parameters = nbformat.v4.new_code_cell("run = None", id="parameters", metadata={"tags": ["parameters"]})
    cells = [
        parameters,
        nbformat.v4.new_code_cell(f"print({number}, run)", id="first"),
        nbformat.v4.new_code_cell("sum(range(1000))", id="second"),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def one_round(count: int, workers: int) -> tuple[int, str, float, str]:
    """Executed notebooks, the failure in words, seconds, and the transport of the kernels."""
    with tempfile.TemporaryDirectory(prefix="kernels") as name:
        folder = Path(name)
        sources = [notebook(folder / f"{n:02d}.ipynb", n) for n in range(count)]
        home = kernels.KernelHome()
        transport = home.transport
        home.remove()
        began, failure = time.perf_counter(), ""
        try:
            execute_notebooks(sources, {"run": "."}, folder / "work", jobs=workers)
        except MedhomeError as problem:
            failure = str(problem).splitlines()[0]
        done = len(list((folder / "work" / "notebooks").glob("*.ipynb")))
        return done, failure, time.perf_counter() - began, transport


def main() -> int:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--notebooks", type=int, default=40)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    failed = 0
    for number in range(1, asked.rounds + 1):
        done, failure, seconds, transport = one_round(asked.notebooks, asked.workers)
        failed += bool(failure)
        print(f"round {number}: {done} of {asked.notebooks} notebooks, {asked.workers} workers, {transport}, "
              f"{seconds:.0f} s{': ' + failure if failure else ''}", flush=True)  # fmt: skip
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
