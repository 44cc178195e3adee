"""The second half of a run, from a released evaluation to a published report, with the real notebooks."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import pytest
from notebook_maker import PARAMETERS, write_notebook

from medhome.reporting.json_files import read_json
from medhome.study.provenance import FIXED_ENVIRONMENT, file_digest

HERE = Path(__file__).resolve().parent
SOURCE_ROOT = HERE.parents[1] / "analysis"
BUILD = """
import shutil, sys
from pathlib import Path
from example import STUDY, evaluation, spec
from medhome.reporting import disclosure, manifest, publish, render, results_file, runner
from medhome.study.released import ReleasedRun
from medhome.study.saved import load_evaluation, save_evaluation
from medhome.study.spec import read_study
root, package, notebooks = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
released, gate = disclosure.release(evaluation(), 11)
with publish.building(root) as work:
    shutil.copy(STUDY, work / "study.toml")
    save_evaluation(released, work / "evaluation")
    parts = manifest.describe(spec(), released, gate, package=package, notebooks=notebooks)
    results_file.write(released, spec(), work / "results.json", run_id=parts.run_id)
    executed = runner.execute_notebooks(sorted(notebooks.glob("[0-9]*.ipynb")), {"run": "."}, work)
    shown = ReleasedRun(spec=read_study(work / "study.toml"), evaluation=load_evaluation(work / "evaluation"))
    render.render_pages(executed, work, shown)
    manifest.write(parts, work)
    publish.publish(work, root, parts.run_id)
"""


def build(root: Path, folder: Path, checkout: Path, environment: dict[str, str]) -> None:
    folder.mkdir()
    base = {k: v for k, v in os.environ.items() if k not in FIXED_ENVIRONMENT}
    path = os.pathsep.join([str(checkout / "analysis"), str(HERE)])
    done = subprocess.run(
        [sys.executable, "-c", BUILD, root, checkout / "analysis" / "medhome", checkout / "notebooks"],
        cwd=folder,
        env={**base, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """The same run twice: other folders, hash seed, time zone, threads, processor, locale and home."""
    base = tmp_path_factory.mktemp("reports")
    checkouts = base / "checkout", base / "another checkout"
    for checkout in checkouts:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(SOURCE_ROOT / "medhome", checkout / "analysis" / "medhome", ignore=ignored)
        shutil.copytree(HERE.parents[1] / "notebooks", checkout / "notebooks")
    first, second = base / "one", base / "another place with blanks" / "deeper"
    build(first, base / "cwd1", checkouts[0], {"PYTHONHASHSEED": "1"})
    build(
        second,
        base / "cwd2",
        checkouts[1],
        {
            "PYTHONHASHSEED": "123",
            "TZ": "Asia/Tokyo",
            "OMP_NUM_THREADS": "2",
            "OPENBLAS_NUM_THREADS": "2",
            "OPENBLAS_CORETYPE": "Sandybridge",
            "LC_ALL": "C",
            "HOME": str(base / "cwd2"),
        },
    )
    return first, second


def content(root: Path) -> dict[str, bytes]:
    run = (root / "current").resolve()
    return {p.relative_to(run).as_posix(): p.read_bytes() for p in run.rglob("*") if p.is_file()}


def test_two_runs_give_the_same_bytes(reports):
    first, second = (content(r) for r in reports)
    assert sorted(first) == sorted(second)
    assert [name for name in first if first[name] != second[name]] == []
    assert sum(name.endswith(".html") for name in first) >= 5


def test_the_manifest_describes_every_file(reports):
    root = reports[0]
    manifest = read_json(root / "manifest.json")
    described = {o["name"]: o["sha256"] for o in manifest["outputs"]}
    assert set(described) == set(content(root)) - {"manifest.json"}
    assert all(file_digest(root / name) == digest for name, digest in described.items())
    assert read_json(root / "results.json")["run_id"] == manifest["run_id"]
    ids = [e["id"] for e in manifest["exhibits"]]
    assert {"fig-event-study", "tbl-cohort-flow", "tbl-savings"} <= set(ids)
    assert all(e["title"] and e["function"] for e in manifest["exhibits"])


def test_no_page_or_notebook_betrays_this_machine(reports):
    for name, data in content(reports[1]).items():
        if name.endswith((".html", ".ipynb", ".json", ".toml")):
            text = data.decode("utf-8")
            assert "another place" not in text, name
            assert str(SOURCE_ROOT) not in text, name
            assert not re.search(r"/(tmp|home|root)/", re.sub(r"data:[^\"']*", "", text)), name


def test_pages_of_a_report_link_to_one_another_and_to_nothing_else(reports):
    root = reports[0]
    pages = sorted(root.glob("*.html"))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text and "@import" not in text
        for link in re.findall(r"\bhref=\"([^\"]*)\"", text):
            if link.startswith("data:"):
                continue
            file, _, anchor = link.partition("#")
            target = (root / file).read_text(encoding="utf-8") if file else text
            assert not anchor or f'id="{anchor}"' in target, (page.name, link)
        assert len(re.findall(r"<h1\b", text)) == 1
        ids = re.findall(r"<(?!text|tspan)[a-z]+\b[^>]*?\sid=\"([^\"]+)\"", text)
        assert len(ids) == len(set(ids)), page.name


def test_what_was_withheld_is_in_no_page(reports):
    """The keys that the input rules keep as examples are private."""
    for name, data in content(reports[0]).items():
        assert b"secret-key-1" not in data, name


def test_the_whole_report_is_small(reports):
    pages = [data for name, data in content(reports[0]).items() if name.endswith(".html")]
    assert sum(map(len, pages)) < 2_000_000


def test_kept_notebooks_obey_the_rules_of_the_runner():
    from medhome.reporting.parameters import check_notebook

    # The notebooks of a report are numbered; validation.ipynb has no run (tests/test_validation.py).
    kept = sorted((HERE.parents[1] / "notebooks").glob("[0-9]*.ipynb"))
    assert len(kept) >= 6
    for path in kept:
        notebook = nbformat.read(path, as_version=4)
        assert check_notebook(notebook, path.name) == {"run": (None, {str, type(None)})}
        for cell in notebook.cells:
            assert not cell.get("outputs") and cell.get("execution_count") is None, path.name


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX systems")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_runner_that_is_ended_takes_its_kernel_with_it(tmp_path, sent):
    source = write_notebook(
        tmp_path / "n.ipynb",
        [
            PARAMETERS,
            "import os; open('kernel', 'w').write(str(os.getpid()))",
            "import time; time.sleep(600)",
        ],
    )
    work, temporary = tmp_path / "work", Path(tempfile.mkdtemp(prefix="m", dir="/tmp"))
    work.mkdir()
    code = (
        # A process started in the background of a shell inherits that Ctrl-C is ignored: ask for it again.
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from pathlib import Path; from medhome.reporting.runner import execute_notebooks;"
        "execute_notebooks([Path(sys.argv[1])], {}, Path(sys.argv[2]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE_ROOT), "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", code, source, work]
    runner = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        kernel = int(_wait_for(lambda: (work / "kernel").exists() and (work / "kernel").read_text()))
        runner.send_signal(sent)
        said = runner.communicate(timeout=60)[1]
        _wait_for(lambda: not _runs(kernel))
        assert list((work / "notebooks").iterdir()) == []
        if sent == signal.SIGINT:
            assert said.rstrip().endswith("KeyboardInterrupt")
            assert list(temporary.iterdir()) == []
    finally:
        runner.kill()
        runner.communicate()
        shutil.rmtree(temporary)


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
        return not Path("/proc").is_dir()
    return state != "Z"


def _wait_for(condition, seconds: int = 60):
    for _ in range(seconds * 10):
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    pytest.fail("waited in vain")
