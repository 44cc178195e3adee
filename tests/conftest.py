"""What every room's tests share: reference data and browser, and when their absence is a failure.

``MEDHOME_REQUIRE=data,browser,axe`` (set by ``.ci/run``) turns a skip for want of one into a failure.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# As every report is made (study/provenance.py): one thread of linear algebra, set before numpy is imported.
# Small matrices on many threads, with tests side by side on the same cores, take thirty times as long.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import pytest
from hypothesis import settings

try:
    import fcntl
except ImportError:  # Windows: every process makes its own
    fcntl = None  # type: ignore[assignment]

from tests.chromium_over_a_pipe import BROWSERS

# A query is some ten thousand small objects that live on together: looking through all of them after every
# seven hundred new ones is an eighth of the suite's time.
gc.set_threshold(200_000, 20, 50)

ROOT = Path(__file__).resolve().parents[1]
REQUIRED = frozenset(filter(None, os.environ.get("MEDHOME_REQUIRE", "").replace(" ", "").split(",")))
UNKNOWN = REQUIRED - {"data", "browser", "axe"}

# Modules of whole runs, second engines, many simulated worlds: a later Python leaves them out (.ci/run).
SLOW = frozenset(
    f"tests/{name}.py"
    for name in (
        "fuzz/test_fuzz", "models/test_engaged_and_not",
        "models/sensitivity/test_bounds", "models/test_selection", "properties/test_names",
        "reporting/test_disclosure_attacked", "reporting/test_rounding",
        "reporting/test_pages_in_browser", "reporting/test_report", "simulate/test_coded_effects",
        "tables/test_data_room_benchmark",
        "tables/test_engine_choice", "tables/test_engines", "tables/test_properties", "test_end_to_end",
        "test_documents_run", "test_engine_end_to_end", "test_populations_end_to_end",
        "test_reports_end_to_end", "test_restated_end_to_end",
        "test_specification_studies", "test_validation", "test_wheel", "worlds/test_bookings",
        "worlds/test_every_edge_case", "worlds/test_stays_on_engines",
    )
)  # fmt: skip

settings.register_profile("house", derandomize=True, deadline=None, database=None)
settings.load_profile("house")


def shared_folder() -> Path:
    """The folder of public reference data: MEDHOME_SHARED, else ``shared`` beside the checkout."""
    return Path(os.environ.get("MEDHOME_SHARED") or ROOT.parent / "shared")


def pytest_configure(config: pytest.Config) -> None:
    if UNKNOWN:
        raise pytest.UsageError(f"MEDHOME_REQUIRE knows 'data', 'browser' and 'axe', not {sorted(UNKNOWN)}")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--exhaustive", action="store_true", help="all combinations, not only a covering part")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--exhaustive"):
        left_out = [item for item in items if "exhaustive" in item.keywords]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if "exhaustive" not in item.keywords]
    for item in items:
        if item.path.relative_to(ROOT).as_posix() in SLOW:
            item.add_marker(pytest.mark.slow)


def lacking(want: str, reason: str) -> None:
    """Skip the running test because ``want`` is absent, or fail it where ``want`` is required."""
    if want in REQUIRED:
        pytest.fail(f"MEDHOME_REQUIRE asks for {want}: {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public reference data; the test is skipped, saying where to get it, when absent."""
    folder = shared_folder() / "data"
    if not folder.is_dir():
        lacking("data", f"no public reference data in {folder}: docs/reference-data.md says where each file "
                        "comes from; put them there or name the folder above in MEDHOME_SHARED")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium or Chrome on this machine; the test is skipped when there is none."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        lacking("browser", f"none of {', '.join(BROWSERS)} is installed (Debian: apt-get install chromium)")
    assert found is not None
    return found


@pytest.fixture(scope="session")
def axe() -> str:
    """The text of axe-core, which finds what keeps readers out of a page; else a skip."""
    file = ROOT / "build" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
    if not file.is_file():
        lacking("axe", "axe-core is not installed: make build/axe, which asks npm for it")
    return file.read_text(encoding="utf-8")


def _once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that one of the processes that run the tests side by side makes, and all of them read."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ and fcntl is not None:
        root = root.parent
    folder, made = root / name, root / f"{name}.made"
    with (root / f"{name}.lock").open("a") as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a process that failed half-way
            make(folder)
            made.touch()
    return folder


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small simulated world with its study.toml and truth.json: read it, write elsewhere."""
    from medhome import runs

    def make(folder: Path) -> None:
        runs.simulate(folder / "small", "small", seed=1)

    return _once(tmp_path_factory, "simulated", make) / "small"


@dataclass(frozen=True)
class SmallRun:
    """``medhome run`` on the small world, once: the report's folder, what was said, and the messages."""

    report: Path
    said: dict[str, Any]
    messages: str


@pytest.fixture(scope="session")
def small_run(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    """The small world's report, made as a user would: another process, nothing shared. Read it only."""
    from medhome.study.provenance import FIXED_ENVIRONMENT

    def make(folder: Path) -> None:
        clean = {k: v for k, v in os.environ.items() if k not in FIXED_ENVIRONMENT}
        command = [sys.executable, "-m", "medhome", "run", str(small_world / "study.toml")]
        done = subprocess.run(
            [*command, "--data", str(small_world), "--out", str(folder), "--json"],
            capture_output=True, text=True, env=clean,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        (folder / "said.json").write_text(done.stdout)
        (folder / "messages.txt").write_text(done.stderr)

    folder = _once(tmp_path_factory, "first", make)
    said = json.loads((folder / "said.json").read_text())
    return SmallRun(report=Path(said["report"]), said=said, messages=(folder / "messages.txt").read_text())


@pytest.fixture
def evaluated_once(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The same study on the same files is evaluated once, whichever test of whichever process asks again.

    That an evaluation comes out the same when it is repeated is shown by the tests of the same bytes.
    """
    from medhome import evaluate
    from medhome.study.progress import silent
    from medhome.study.provenance import file_digest

    every = evaluate.evaluate

    def once(spec: Any, data: Path, progress: Any = silent, engine: str = "duckdb") -> Any:
        files = sorted(p for p in Path(data).rglob("*") if p.is_file())
        digests = [f"{p.name} {file_digest(p)}" for p in files]
        made_of = [spec.model_dump_json(), engine, *digests]
        name = f"evaluated-{hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]}"

        def make(folder: Path) -> None:
            folder.mkdir()
            (folder / "pickle").write_bytes(pickle.dumps(every(spec, data, progress, engine)))

        return pickle.loads((_once(tmp_path_factory, name, make) / "pickle").read_bytes())

    monkeypatch.setattr(evaluate, "evaluate", once)
