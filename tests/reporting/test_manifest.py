"""The manifest tells what made a report, and neither where nor when."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess

import pytest
from example import evaluation, spec
from notebook_maker import PARAMETERS, write_notebook

from medhome.reporting import manifest
from medhome.reporting.disclosure import release
from medhome.study.problems import DataProblem
from medhome.study.provenance import file_digest


@pytest.fixture
def place(tmp_path):
    """A small package and a notebook outside any repository."""
    package = tmp_path / "root" / "analysis" / "medhome"
    (package / "definitions").mkdir(parents=True)
    (package / "version.py").write_text("1")
    (package / "definitions" / "sources.csv").write_text("id\n")
    (tmp_path / "root" / "requirements.lock").write_text("numpy==2\n")
    write_notebook(tmp_path / "root" / "notebooks" / "01-findings.ipynb", [PARAMETERS, "# Words"])
    return tmp_path / "root"


def described(root, study=None, found=None):
    released, gate = release(found or evaluation(), 11)
    return manifest.describe(
        study or spec(), released, gate, package=root / "analysis" / "medhome", notebooks=root / "notebooks"
    )


def test_what_it_tells(place):
    plain = described(place).to_plain()
    assert plain["schema"] == "medhome/manifest/1"
    assert plain["period"] == {
        "id": "2010-03",
        "first": "2006-06-01",
        "last": "2010-03-31",
        "paid_through": "2010-06-30",
    }
    assert plain["code"]["git_commit"] is None
    assert plain["environment"]["lock"]["file"] == "requirements.lock"
    assert plain["environment"]["variables"]["PYTHONHASHSEED"] == "0"
    assert plain["parameters"]["outcomes.cap_usd_per_year"] == 100_000
    assert "outcomes.cap_usd_per_year" in plain["parameters_default"]
    assert "periods.through" not in plain["parameters_default"]
    assert plain["seeds"] == {"root": 20080601, "steps": {}}
    assert [i["role"] for i in plain["inputs"]] == sorted(i["role"] for i in plain["inputs"])
    assert plain["inputs"][0]["sensitivity"] == "synthetic"
    assert plain["disclosure"]["threshold"] == 11
    assert [s["notebook"] for s in plain["steps"]] == ["notebooks/01-findings.ipynb"]


def test_defaults_are_told_after_a_rerun_with_a_new_period(place):
    plain = described(place, study=spec().rerun_through("2009-12")).to_plain()
    assert plain["period"]["id"] == "2009-12"
    assert "risk.min_members_per_term" in plain["parameters_default"]


def test_another_folder_gives_the_same_bytes(place, tmp_path):
    shutil.copytree(place, tmp_path / "another place" / "r")
    texts = []
    for root in (place, tmp_path / "another place" / "r"):
        out = root / "out"
        out.mkdir()
        manifest.write(described(root), out)
        texts.append((out / "manifest.json").read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    assert str(tmp_path) not in texts[0]


@pytest.mark.parametrize("change", ["study", "data", "source", "notebook", "lock"])
def test_the_run_id_follows_everything_that_makes_the_numbers(place, change):
    before = described(place)
    found, study = evaluation(), spec()
    if change == "study":
        study = spec().rerun_through("2009-12")
    if change == "data":
        inputs = found.quality.inputs.copy()
        inputs.loc[1, "sha256"] = "f" * 64
        found = dataclasses.replace(found, quality=dataclasses.replace(found.quality, inputs=inputs))
    if change == "source":
        (place / "analysis" / "medhome" / "version.py").write_text("x")
    if change == "notebook":
        write_notebook(place / "notebooks" / "01-findings.ipynb", [PARAMETERS, "# Other words"])
    if change == "lock":
        (place / "requirements.lock").write_text("numpy==3\n")
    after = described(place, study, found)
    assert after.run_id != before.run_id
    assert after.to_plain()["steps"][0]["key"] != before.to_plain()["steps"][0]["key"]


def test_the_run_id_does_not_follow_the_outputs(place, tmp_path):
    made = described(place)
    (tmp_path / "index.html").write_text("x")
    manifest.write(made, tmp_path)
    written = json.loads((tmp_path / "manifest.json").read_text())
    assert written["run_id"] == made.run_id


def test_a_path_as_a_name_of_an_input_is_refused(place):
    found = evaluation()
    inputs = found.quality.inputs.assign(name="/secret/place/claims.parquet")
    found = dataclasses.replace(found, quality=dataclasses.replace(found.quality, inputs=inputs))
    with pytest.raises(DataProblem, match="name the file only"):
        described(place, found=found)


def test_outputs_have_digests_and_leave_out_what_changes(tmp_path):
    (tmp_path / "notebooks").mkdir()
    for name in ("index.html", "notebooks/01.ipynb", "run-log.json", "manifest.json", ".hidden"):
        (tmp_path / name).write_text(name)
    found = manifest.outputs(tmp_path)
    assert [o["name"] for o in found] == ["index.html", "notebooks/01.ipynb"]
    assert found[0] == {
        "name": "index.html",
        "sha256": file_digest(tmp_path / "index.html"),
        "bytes": 10,
        "class": "release",
    }


def test_exhibits_name_cell_and_function(tmp_path):
    path = write_notebook(
        tmp_path / "01-findings.ipynb", [PARAMETERS, "medhome.show(medhome.cohort_flow(report))"]
    )
    notebook = json.loads(path.read_text())
    markup = (
        '<div class="tbl" id="tbl-flow"><table><caption>Who is <b>left</b> &amp; why</caption></table></div>'
    )
    notebook["cells"][1]["outputs"] = [{"data": {"text/html": [markup]}, "output_type": "display_data"}]
    path.write_text(json.dumps(notebook))
    assert manifest.exhibits([path]) == [
        {
            "id": "tbl-flow",
            "title": "Who is left & why",
            "step": "01-findings",
            "cell": "cell-1",
            "function": "medhome.cohort_flow",
        }
    ]


@pytest.fixture
def git(place):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")

    def run(*arguments):
        settings = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(place), *settings, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    run("init", "-q")
    return run


def test_the_commit_of_a_checkout_and_whether_its_sources_were_changed(place, git):
    git("add", "analysis")
    git("commit", "-qm", "x")
    code = described(place).to_plain()["code"]
    assert (code["git_commit"], code["git_dirty"]) == (git("rev-parse", "HEAD"), False)
    (place / "reports").mkdir()
    (place / "reports" / "x").write_text("x")
    assert described(place).to_plain()["code"] == code
    (place / "analysis" / "medhome" / "version.py").write_text("x")
    assert described(place).to_plain()["code"]["git_dirty"] is True


def test_a_package_installed_inside_another_repository_has_no_commit(place, git):
    (place / "README").write_text("x")
    git("add", "README")
    git("commit", "-qm", "x")
    assert described(place).to_plain()["code"]["git_commit"] is None


def test_the_run_log_is_kept_apart(tmp_path):
    manifest.write_run_log(tmp_path, [{"stage": "a", "seconds": 1.5}])
    assert json.loads((tmp_path / "run-log.json").read_text())["entries"] == [{"seconds": 1.5, "stage": "a"}]
    assert manifest.outputs(tmp_path) == []
