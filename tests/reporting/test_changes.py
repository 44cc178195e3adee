"""What moved between two reports, what made it move, and which steps of a report are stale."""

from __future__ import annotations

import copy
import dataclasses
import shutil

import pytest
from example import STUDY

from medhome import reports, runs
from medhome.reporting import changes, standing
from medhome.reporting.differences import differences, groups, what_to_run
from medhome.reporting.json_files import read_json, write_json
from medhome.reporting.verify import read_published
from medhome.study.problems import StudyFileError
from medhome.study.spec import read_study

OTHER = {
    "data": lambda m: m["inputs"][0].update(content_sha256="f" * 64),
    "period": lambda m: m["parameters"].update({"periods.through": "2010-06"}),
    "parameters": lambda m: m["parameters"].update({"outcomes.cap_usd_per_year": 50_000}),
    "code": lambda m: m["code"].update(source_sha256="e" * 64),
    "environment": lambda m: m["environment"]["packages"].update(numpy="9.9"),
}


@pytest.fixture
def later(example_report):
    """The example report and itself with other numbers and another manifest."""

    def other(*kinds, numbers=()):
        old = read_published(example_report)
        moved, manifest = copy.deepcopy(dict(old.numbers)), copy.deepcopy(dict(old.manifest))
        for name in numbers:
            moved[name]["value"] += 1
        for kind in kinds:
            OTHER[kind](manifest)
        return changes.compare(old, dataclasses.replace(old, numbers=moved, manifest=manifest), None)

    return other


@pytest.mark.parametrize("kind", sorted(OTHER))
def test_one_thing_that_differs_is_named_as_what_moved_the_numbers(later, kind):
    found = later(kind, numbers=["did.total_pmpm"])
    assert groups(found.differences) == (kind,)
    assert found.cause.startswith("Likely cause: ") and what_to_run(found.differences) == ()
    assert [v.name for v in found.moved] == ["did.total_pmpm"] and found.history == ()
    assert found.to_plain()["moved"][0]["change"] == pytest.approx(1.0)
    assert found.to_text().endswith("did.total_pmpm: -4.2 then, -3.2 now USD PMPM, change 1")


def test_two_things_that_differ_cannot_be_told_apart_and_the_runs_that_could_are_listed(later):
    found = later("data", "code", numbers=["did.total_pmpm"])
    assert found.cause.startswith("Possible causes: the input data and the code.")
    assert len(what_to_run(found.differences)) == 2
    assert "to tell them apart, run" in found.to_text()


def test_a_commit_is_recorded_but_is_no_cause(later, example_report):
    old = read_published(example_report).manifest
    new = copy.deepcopy(dict(old))
    new["code"]["git_commit"] = "a" * 40
    found = differences(old, new)
    assert len(found) == 1 and not found[0].moves_numbers and groups(found) == ()
    nothing = later(numbers=["did.total_pmpm"])
    assert nothing.cause.startswith("Nothing that was recorded differs")
    assert later("code").cause == "No number that both reports have moved."


def test_months_that_both_reports_have_stand_apart(later):
    month = "data.month.2009-01.treated.allowed_usd"
    found = later("data", numbers=["did.total_pmpm", month])
    assert [v.name for v in found.history] == [month]
    assert [v.name for v in found.moved] == ["did.total_pmpm"]


def test_the_page_of_a_comparison_lies_outside_the_reports(example_report, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(example_report, other)
    results = read_json(other / "results.json")
    results["numbers"]["savings.net_pmpm"]["value"] += 0.5
    write_json(results, other / "results.json")
    found = reports.compare(example_report, other, tmp_path / "compare.html")
    assert found.altered == ("results.json",) and "results.json changed after publication" in found.cause
    page = (tmp_path / "compare.html").read_text()
    assert "savings.net_pmpm" in page and "default-src 'none'" in page
    assert found.restated is not None and found.restated.months.empty
    with pytest.raises(StudyFileError, match="inside the report"):
        reports.compare(example_report, other, example_report / "compare.html")


@pytest.fixture
def stand(example_report):
    def look(report=example_report, spec=None, data=None, notebooks=None):
        return standing.standing(
            read_published(report),
            "example",
            spec or read_study(STUDY),
            report,
            package=runs.PACKAGE,
            notebooks=notebooks or runs.notebooks_folder(),
            data=data,
        )

    return look


def reasons(found):
    return {step.id: step.reasons for step in found.steps if step.reasons}


def test_a_report_made_here_is_current(stand):
    found = stand()
    assert not found.stale and reasons(found) == {}
    assert found.to_text().startswith("example: current\n")
    assert "--data" in found.unseen[0]


def test_a_changed_study_makes_every_step_stale_and_says_which_key(stand):
    spec = read_study(STUDY)
    other = spec.model_copy(update={"seed": spec.seed + 1})
    found = stand(spec=other)
    assert reasons(found)["evaluation"] == (f"study file: seed is {spec.seed + 1}, was {spec.seed}",)
    assert reasons(found)["01-findings"] == ("follows the evaluation",)
    assert "published files" not in reasons(found)


def test_missing_input_files_and_changed_bytes_are_named(stand, example_report, tmp_path):
    inputs = read_published(example_report).manifest["inputs"]
    (tmp_path / inputs[0]["name"]).write_bytes(b"x")
    said = reasons(stand(data=tmp_path))["evaluation"]
    assert f"{inputs[0]['name']} ({inputs[0]['role']}) has other bytes" in said[0]
    assert all("is not in the folder" in reason for reason in said[1:]) and len(said) == len(inputs)


def test_another_notebook_or_page_is_stale_alone(stand, example_report, tmp_path):
    shutil.copytree(runs.notebooks_folder(), tmp_path / "notebooks")
    path = tmp_path / "notebooks" / "05-savings.ipynb"
    notebook = read_json(path)
    notebook["cells"].pop()
    write_json(notebook, path)
    (tmp_path / "notebooks" / "06-how-sure-are-we.ipynb").unlink()
    shutil.copytree(example_report, tmp_path / "report")
    (tmp_path / "report" / "index.html").write_text("another page")
    found = stand(report=tmp_path / "report", notebooks=tmp_path / "notebooks")
    assert reasons(found) == {
        "05-savings": ("the notebook has other cells",),
        "06-how-sure-are-we": ("the notebook is no longer there",),
        "published files": ("index.html: not the file that the manifest describes",),
    }


def test_a_study_without_a_report_is_stale(tmp_path):
    found = reports.status(STUDY, out=tmp_path)
    assert found.stale and "there is no report yet" in found.to_text()
