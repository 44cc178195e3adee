"""A whole run with an invented evaluation and two small notebooks: kept when nothing changed, whole or absent
when its kernel or the runner is killed, or the disk is full, at several moments."""

from __future__ import annotations

import dataclasses
import os
import resource
import shutil
import signal
import sys
import tempfile
import types
from pathlib import Path

import pandas as pd
import pytest
from example import STUDY, evaluation
from notebook_maker import PARAMETERS, write_notebook

import medhome
from medhome import runs
from medhome.reporting import standing
from medhome.reporting.failures import NotebookFailed
from medhome.reporting.json_files import read_json
from medhome.study.problems import MedhomeError
from medhome.study.provenance import file_digest

if os.name != "posix":
    pytest.skip("forks, signals and file-size limits of POSIX systems", allow_module_level=True)

TABLES = ("eligibility.csv", "medical_claim.csv")


def inputs(data: Path) -> pd.DataFrame:
    """What reading the data folder would say of its files."""
    rows = [
        (path.stem, path.name, 3, path.stat().st_size, file_digest(path), file_digest(path))
        for path in sorted(data.glob("*.csv"))
    ]
    return pd.DataFrame(rows, columns=["role", "name", "rows", "bytes", "sha256", "content_sha256"])


class Place:
    """A study, its data and its report."""

    def __init__(self, base: Path) -> None:
        self.study, self.data, self.out = base / "study.toml", base / "data", base / "reports"
        self.notebooks, self.report = base / "notebooks", base / "reports" / "demo" / "2010-03"
        self.data.mkdir(parents=True)
        shutil.copyfile(STUDY, self.study)
        for name in TABLES:
            (self.data / name).write_text("a,b\n1,2\n")
        write_notebook(self.notebooks / "01-first.ipynb", [PARAMETERS, "print('first')", "print('more')"])
        write_notebook(self.notebooks / "02-second.ipynb", [PARAMETERS, "print('second')"])

    def run(self, **settings) -> runs.Published:
        return runs.run(self.study, self.data, self.out, jobs=1, **settings)

    def kept_runs(self) -> list[str]:
        return [p.name for p in (self.report / ".runs").glob("[!.]*")]

    def seen(self) -> dict[str, bytes]:
        """What a reader finds: every file below the report's folder, the run log apart."""
        run = self.report / "current"
        return {
            p.relative_to(run).as_posix(): p.read_bytes()
            for p in sorted(run.rglob("*"))
            if p.is_file() and p.name != "run-log.json"
        }


@pytest.fixture(scope="module")
def invented():
    """Instead of engine and models: the invented evaluation, and a count of how often it was asked for."""
    fake = types.SimpleNamespace(asked=0, seeds=lambda spec: {})

    def evaluate(spec, data, progress, engine):
        fake.asked += 1
        found = evaluation()
        progress("evaluated", 0, 0)
        return dataclasses.replace(found, quality=dataclasses.replace(found.quality, inputs=inputs(data)))

    fake.evaluate = evaluate
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "medhome.evaluate", fake)
        patch.setattr(medhome, "evaluate", fake, raising=False)
        yield fake


@pytest.fixture(scope="module")
def published(invented, tmp_path_factory):
    """One run. Read it only."""
    from medhome.reporting import engine  # noqa: F401  (once, for every child below)

    place = Place(tmp_path_factory.mktemp("runs") / "place")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "notebooks_folder", lambda: place.notebooks)
        assert not place.run().unchanged
    return place


@pytest.fixture
def place(published, tmp_path, monkeypatch):
    """A copy of the run, to change."""
    copied = Place(tmp_path / "place")
    shutil.copytree(published.out, copied.out, symlinks=True)
    monkeypatch.setattr(runs, "notebooks_folder", lambda: copied.notebooks)
    return copied


@pytest.fixture
def quick(published, monkeypatch):
    """Notebooks as they were executed once: for tests of what comes before and after them."""

    def executed(sources, parameters, work, **_):
        return sorted(shutil.copytree(published.report / "notebooks", work / "notebooks").iterdir())

    monkeypatch.setattr(runs.runner, "execute_notebooks", executed)


def test_a_rerun_in_which_nothing_changed_keeps_the_report_and_runs_nothing(place, invented, monkeypatch):
    before, asked, said = place.seen(), invented.asked, []
    monkeypatch.setattr(runs, "make_pages", lambda *_, **__: pytest.fail("pages were made"))
    again = place.run(progress=lambda stage, done, total: said.append(stage))
    assert again.unchanged and invented.asked == asked and place.seen() == before
    assert said == ["nothing changed: the report is kept (--force makes it anew)"]
    assert again.run_id == read_json(place.report / "manifest.json")["run_id"]
    assert again.headline == read_json(place.report / "results.json")["numbers"]["did.total_pmpm"]


def test_force_makes_the_same_report_anew(place, invented, quick):
    before, asked = place.seen(), invented.asked
    again = place.run(force=True)
    assert not again.unchanged and invented.asked == asked + 1
    assert place.seen() == before


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


CHANGES = {
    "an amount": (
        lambda p, m: (p.data / TABLES[1]).write_text("a,b\n1,3\n"),
        "data: medical_claim.csv (medical_claim) has other bytes",
    ),
    "a file gone": (
        lambda p, m: (p.data / TABLES[1]).unlink(),
        "data: medical_claim.csv (medical_claim) is not in the folder",
    ),
    "a table more": (
        lambda p, m: (p.data / "survey.csv").write_text("a\n"),
        "data: survey.csv is in the folder, and was not read",
    ),
    "a comment": (lambda p, m: lengthen(p.study), "study file: study.toml is not as the report has it"),
    "a choice": (
        lambda p, m: p.study.write_text(p.study.read_text().replace("seed = 20080601", "seed = 1")),
        "study file: seed is 1, was 20080601",
    ),
    "a cell": (
        lambda p, m: write_notebook(p.notebooks / "02-second.ipynb", [PARAMETERS, "print('other')"]),
        "the notebook has other cells",
    ),
    "a notebook more": (
        lambda p, m: write_notebook(p.notebooks / "03-third.ipynb", [PARAMETERS, "1"]),
        "a notebook that the report does not have",
    ),
    "a page by hand": (
        lambda p, m: lengthen(p.report / "current" / "01-first.html"),
        "01-first.html: not the file that the manifest describes",
    ),
    "a page lost": (
        lambda p, m: (p.report / "current" / "01-first.html").unlink(),
        "01-first.html: is not there",
    ),
    "the code": (
        lambda p, m: m.setattr("medhome.reporting.made_with.source_digest", lambda package: "f" * 64),
        "code: the package's sources are not those that made the report",
    ),
    "a package": (
        lambda p, m: m.setattr("medhome.reporting.made_with.package_versions", lambda: {"numpy": "9.9"}),
        "environment: package numpy is '9.9'",
    ),
    "a damaged report": (lambda p, m: (p.report / "current" / "results.json").write_text("{"), None),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changed_is_run_again_and_named(place, monkeypatch, change):
    class RunAgain(Exception):
        pass

    def stop(*_):
        raise RunAgain

    spoil, reason = CHANGES[change]
    spoil(place, monkeypatch)
    if reason is not None:
        found = runs.standing_of(place.study, runs.study_through(place.study, None), place.data, place.report)
        assert reason in found.to_text()
    monkeypatch.setattr(medhome.evaluate, "evaluate", stop)
    with pytest.raises(RunAgain):
        place.run()


def test_files_beside_the_data_that_no_table_is_named_after_do_not_count(place):
    for name in ("notes.txt", "truth.json", "other.csv"):
        (place.data / name).write_text("x")
    assert place.run().unchanged
    native = runs.study_through(place.study, None)
    other = native.model_copy(update={"data": native.data.model_copy(update={"source": "synpuf"})})
    added = list(standing._added_files(inputs(place.data).to_dict("records"), place.data, other))
    assert added == ["data: notes.txt is in the folder, and was not read"]


def kill_the_runner() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fill_the_disk() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def run_in_a_child(place: Place, moment: tuple[str, int], happens, folder: Path) -> tuple[int, str]:
    """A run in another process, in which something happens at a moment. Returns its exit code and message."""
    said = place.out.parent / "said"
    child = os.fork()
    if child == 0:
        code = 70
        try:
            tempfile.tempdir = str(folder)
            with said.open("w") as stream:
                os.dup2(stream.fileno(), 2)
            happened = []

            def progress(stage: str, done: int, total: int) -> None:
                if (stage, done) == moment and not happened:
                    happened.append(stage)
                    happens()

            try:
                place.run(progress=progress)
                code = 0
            except MedhomeError as problem:
                code = problem.exit_code
                os.write(2, str(problem).encode()[:2000])
            except OSError as problem:
                code = 28
                os.write(2, str(problem).encode())
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, said.read_text()


@pytest.fixture
def short():
    """A folder for temporary files with room for the names of sockets; what killed processes leave goes."""
    folder = Path(tempfile.mkdtemp(prefix="m", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


# What happens at which message of the run: before any kernel, between two cells, between two notebooks,
# before the manifest.
@pytest.mark.parametrize(
    ("happens", "moment"),
    [
        (kill_the_runner, ("evaluated", 0)),
        (kill_the_runner, ("02-second", 0)),
        (kill_the_runner, ("pages written", 0)),
        (fill_the_disk, ("evaluated", 0)),
        (fill_the_disk, ("01-first", 2)),
        (fill_the_disk, ("pages written", 0)),
    ],
)
def test_a_run_that_is_broken_off_leaves_the_earlier_report(place, short, request, happens, moment):
    before = place.seen()
    if moment[0] == "pages written":
        request.getfixturevalue("quick")
    (place.data / TABLES[1]).write_text("a,b\n1,3\n")
    code, said = run_in_a_child(place, moment, happens, short)
    assert code == -signal.SIGKILL if happens is kill_the_runner else code in (1, 28), said
    assert place.seen() == before
    assert place.kept_runs() == [Path(os.readlink(place.report / "current")).name]
    if happens is fill_the_disk:
        assert [p.name for p in (place.report / ".runs").glob(".building*")] == []


def test_a_kernel_that_is_killed_leaves_the_earlier_report(place):
    """Kill -9 in the second notebook: papermill alone would mark it, and every later cell, as completed."""
    before = place.seen()
    cells = [PARAMETERS, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "print('later')"]
    write_notebook(place.notebooks / "02-second.ipynb", cells)
    with pytest.raises(NotebookFailed, match=r"02-second.ipynb, cell 2: the kernel died"):
        place.run()
    assert place.seen() == before
    assert place.kept_runs() == [Path(os.readlink(place.report / "current")).name]
