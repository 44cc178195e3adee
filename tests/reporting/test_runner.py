"""Each way in which plain papermill goes wrong and that the runner answers for, with real kernels.

Parameters that are unknown, of another type, derived or declared twice: test_parameters. Publication after a
killed kernel, a killed runner, a full disk: test_runs_kept_and_broken and test_publish_moments. What a
notebook printed by chance: test_normalise. What importing costs: tests/test_public_api.
"""

from __future__ import annotations

import inspect
import os
import sys
import tempfile
import threading
from pathlib import Path

import nbformat
import pytest
from notebook_maker import PARAMETERS, write_notebook

from medhome.reporting import kernels
from medhome.reporting.failures import NotebookDefect, NotebookFailed, NotRepeatable
from medhome.reporting.runner import execute_notebooks, run_notebook
from medhome.study.problems import StudyFileError

ORDINARY = [
    PARAMETERS,
    "# Text",
    "import os\nprint(run, sorted(os.listdir(run or '.')))\nprint('second line')",
    "{'beta', 'alpha', 'gamma'}, hash('x'), __import__('time').tzname",
    "",
]


@pytest.fixture
def make(tmp_path):
    def run(*cells, parameters=None, out=tmp_path / "out" / "n.ipynb", **settings):
        source = write_notebook(tmp_path / "source" / "n.ipynb", cells)
        out.parent.mkdir(exist_ok=True)
        return run_notebook(source, parameters or {}, out, **settings)

    return run


@pytest.fixture(autouse=True)
def nothing_left_behind(tmp_path, monkeypatch):
    """No kernel home and no process stays, whatever happened."""
    base = Path(tempfile.mkdtemp(prefix="m", dir="/tmp" if os.name == "posix" else None))
    monkeypatch.setattr(tempfile, "tempdir", str(base))
    started = []
    launch = kernels.PrivateKernelManager._async_launch_kernel

    async def recorded(self, *args, **settings):
        await launch(self, *args, **settings)
        started.append(self)

    monkeypatch.setattr(kernels.PrivateKernelManager, "_async_launch_kernel", recorded)
    yield started
    left = [p.name for p in base.iterdir() if p.name.startswith("mh")]
    assert left == []
    for kernel in started:
        with pytest.raises(ProcessLookupError):
            os.kill(kernel.process_id, 0)
    base.rmdir()
    assert not list(tmp_path.rglob("*.tmp"))


def test_an_ordinary_run(make, nothing_left_behind):
    seen = []
    out = make(*ORDINARY, parameters={"run": "."}, on_progress=lambda *step: seen.append(step))
    notebook = nbformat.read(out, as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[1].source == '# Parameters\nrun = "."'
    assert notebook.cells[3].outputs[0].text == ". []\nsecond line\n"
    assert "('UTC', 'UTC')" in notebook.cells[4].outputs[0].data["text/plain"]
    assert seen == [("n", k, 4) for k in range(5)]
    assert [k.transport for k in nothing_left_behind] == ["ipc"]
    assert out.stat().st_mode & 0o044 == 0o044 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_same_bytes_in_another_folder_with_other_seed_zone_threads_and_settings(make, tmp_path, monkeypatch):
    first = make(*ORDINARY, parameters={"run": "."}).read_bytes()
    settings = tmp_path / "user settings"
    (settings / "profile_default" / "startup").mkdir(parents=True)
    (settings / "profile_default" / "startup" / "00.py").write_text("print('user was here')")
    for name, value in {
        "PYTHONHASHSEED": "123",
        "TZ": "Asia/Tokyo",
        "OMP_NUM_THREADS": "2",
        "IPYTHONDIR": str(settings),
        "LC_ALL": "de_DE.UTF-8",
        "PYTHONWARNINGS": "error",
        "SECRET_TOKEN": "x",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(settings)
    other = tmp_path / "another folder"
    assert make(*ORDINARY, parameters={"run": "."}, out=other / "n.ipynb").read_bytes() == first


def test_the_kernel_does_not_see_the_rest_of_the_environment(make, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "x")
    out = make(PARAMETERS, "import os; 'SECRET_TOKEN' in os.environ")
    assert nbformat.read(out, as_version=4).cells[1].outputs[0].data["text/plain"] == "False"


BROKEN = {
    "error": ("1 / 0", NotebookFailed, "n.ipynb, cell 2: ZeroDivisionError: division by zero"),
    "ended": ("import os; os._exit(1)", NotebookFailed, "n.ipynb, cell 2: the kernel died"),
    "slow": ("import time; time.sleep(60)", NotebookFailed, "n.ipynb, cell 2: took longer than 2 s"),
    "exit": ("import sys; sys.exit()", NotebookFailed, "n.ipynb, cell 2: SystemExit"),
    "warning": ("import warnings; warnings.warn('odd')", NotRepeatable, "cell 2: wrote to standard error"),
    "address": ("class A: pass\nA()", NotRepeatable, "cell 2, line 1: an object's address"),
    "folder": ("import os; os.getcwd()", NotRepeatable, "cell 2, line 1: "),
    "typo": (None, StudyFileError, 'unknown parameter .rum.; did you mean "run"'),
    "capture": ("%%capture\n1", NotebookDefect, "%%capture is not allowed"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_failed_run_names_the_cell_and_leaves_the_older_output(make, tmp_path, case):
    source, kind, message = BROKEN[case]
    out = tmp_path / "out" / "n.ipynb"
    out.parent.mkdir()
    out.write_text("older")
    with pytest.raises(kind, match=message):
        make(
            PARAMETERS,
            source or "1",
            "print('later')",
            parameters=None if source else {"rum": "."},
            timeout=2,
        )
    assert out.read_text() == "older"
    assert [p.name for p in out.parent.iterdir()] == ["n.ipynb"]


@pytest.mark.parametrize(
    ("name", "code"), [("DataProblem", 4), ("StudyFileError", 2), ("ModelRefusal", 1), ("X", 1)]
)
def test_problems_of_medhome_keep_their_exit_code(make, name, code):
    with pytest.raises(NotebookFailed, match=f"{name}: claims.csv, row 3") as problem:
        make(PARAMETERS, f"class {name}(Exception): pass\nraise {name}('claims.csv, row 3: no date')")
    assert problem.value.exit_code == code
    assert problem.value.cell == 2 and problem.value.ename == name
    assert "raise" in problem.value.traceback


def test_a_kernel_that_does_not_start_says_why(make, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false" if os.path.exists("/bin/false") else sys.executable)
    with pytest.raises(NotebookFailed, match=r"n.ipynb: the kernel did not start"):
        make(PARAMETERS, "1", start_timeout=20)


def test_a_kernel_that_does_not_answer_is_given_up(make, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import time; time.sleep(30)")
    with pytest.raises(NotebookFailed, match=r"the kernel did not start: .* 1 seconds"):
        make(PARAMETERS, "1", start_timeout=1, environment={"PYTHONPATH": str(tmp_path)})


def test_a_long_temporary_folder_still_gets_short_sockets(make, tmp_path, monkeypatch, nothing_left_behind):
    long = tmp_path / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    make(PARAMETERS, "1")
    assert nothing_left_behind[0].transport == "ipc"
    assert len(nothing_left_behind[0].ip) < 100


def test_tcp_start_failures_are_tried_once_more(make, monkeypatch, nothing_left_behind):
    monkeypatch.setattr(kernels, "_short_folder", lambda: None)
    attempts = []
    launch = kernels.PrivateKernelManager._async_launch_kernel

    async def fails_first(self, *args, **settings):
        attempts.append(self.transport)
        if len(attempts) == 1:
            raise RuntimeError("Address already in use")
        await launch(self, *args, **settings)

    monkeypatch.setattr(kernels.PrivateKernelManager, "_async_launch_kernel", fails_first)
    make(PARAMETERS, "1")
    assert attempts == ["tcp", "tcp"]


def test_a_cell_and_a_start_have_a_limit_without_being_asked(monkeypatch):
    """papermill alone waits for ever for a cell."""
    limits = {name: p.default for name, p in inspect.signature(run_notebook).parameters.items()}
    assert limits["timeout"] == 600 and limits["start_timeout"] == 60


@pytest.mark.parametrize("count", [10, pytest.param(40, marks=pytest.mark.exhaustive)])
def test_notebooks_side_by_side_in_one_folder(tmp_path, nothing_left_behind, count):
    """Eight workers, more notebooks than workers, over Unix sockets (in rounds: benchmarks/kernels.py)."""
    sources = [
        write_notebook(tmp_path / f"{n:02d}_part.ipynb", [PARAMETERS, f"print({n}, run)"])
        for n in range(count)
    ]
    work = tmp_path / "work"
    threads = set()
    done = execute_notebooks(
        sources, {"run": "."}, work, jobs=8, on_progress=lambda *_: threads.add(threading.get_ident())
    )
    assert [p.relative_to(work).as_posix() for p in done] == [
        f"notebooks/{n:02d}_part.ipynb" for n in range(count)
    ]
    texts = [nbformat.read(p, as_version=4).cells[2].outputs[0].text for p in done]
    assert texts == [f"{n} .\n" for n in range(count)]
    assert len(threads) == 8
    assert [k.transport for k in nothing_left_behind] == ["ipc"] * count
    assert len({k.connection_file for k in nothing_left_behind}) == count


def test_one_failure_stops_the_others(tmp_path):
    slow = write_notebook(tmp_path / "a.ipynb", [PARAMETERS, "import time; time.sleep(300)"])
    bad = write_notebook(tmp_path / "b.ipynb", [PARAMETERS, "1 / 0"])
    never = write_notebook(tmp_path / "c.ipynb", [PARAMETERS, "1"])
    with pytest.raises(NotebookFailed, match=r"b.ipynb, cell 2: ZeroDivisionError"):
        execute_notebooks([slow, bad, never], {"run": "."}, tmp_path / "work")
    assert list((tmp_path / "work" / "notebooks").iterdir()) == []


def test_a_bad_parameter_is_refused_before_any_kernel_starts(tmp_path, nothing_left_behind):
    good = write_notebook(tmp_path / "a.ipynb", [PARAMETERS])
    other = write_notebook(tmp_path / "b.ipynb", [("ran = None", "parameters")])
    with pytest.raises(StudyFileError, match=r"b.ipynb: unknown parameter 'run'; did you mean \"ran\""):
        execute_notebooks([good, other], {"run": "."}, tmp_path / "work")
    assert nothing_left_behind == []


def test_a_cell_without_its_count_was_not_run_whatever_the_metadata_say():
    """What papermill leaves behind a dead kernel: later cells "completed", with no error and no output."""
    from medhome.reporting.engine import _check_executed

    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell("1", execution_count=1), nbformat.v4.new_code_cell("2")]
    notebook.cells[1].metadata["papermill"] = {"status": "completed", "exception": False}
    with pytest.raises(NotebookFailed, match=r"n.ipynb, cell 2: was not run to its end"):
        _check_executed(notebook, "n.ipynb")
    notebook.cells[1].source = " "
    _check_executed(notebook, "n.ipynb")
