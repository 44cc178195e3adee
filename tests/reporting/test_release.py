"""A release is refused for each thing that may not leave the house, and copies the rest whole."""

from __future__ import annotations

import dataclasses
import shutil

import pandas as pd
import pytest

from medhome import reports, runs
from medhome.reporting import release
from medhome.reporting.json_files import read_json, write_json
from medhome.reporting.verify import read_published
from medhome.study.problems import DisclosureRefused, StudyFileError


@pytest.fixture
def copied(example_report, tmp_path):
    shutil.copytree(example_report, tmp_path / "report")
    return tmp_path / "report"


def described_anew(folder):
    """Give the changed files of a report the digests that the manifest would have."""
    from medhome.reporting import manifest

    document = read_json(folder / "manifest.json")
    document["outputs"] = manifest.outputs(folder)
    write_json(document, folder / "manifest.json")


def refused(folder):
    """The audits that a report fails."""
    candidate = release.Candidate(
        folder=folder, published=read_published(folder), run=runs.released_run(folder)
    )
    return {a.id: a.findings for a in release.audit(candidate) if a.findings}


def test_a_gated_report_is_released_whole_without_the_run_log(copied, tmp_path):
    (copied / "run-log.json").write_text("{}")
    target = reports.release(copied, tmp_path / "released")
    assert target == tmp_path / "released" / "demo" / "2010-03"
    assert (target / "index.html").read_bytes() == (copied / "index.html").read_bytes()
    assert not (target / "run-log.json").exists()
    said = read_json(target / "disclosure.json")
    assert {a["id"] for a in said["audits"]} == {name for name, _, _ in release.AUDITS}
    assert not any(a["findings"] for a in said["audits"]) and said["threshold"] == 11
    (copied / "index.html").write_text("another")
    described_anew(copied)
    reports.release(copied, tmp_path / "released")
    assert (target / "index.html").read_text() == "another"
    assert [p.name for p in target.parent.iterdir()] == ["2010-03"]


def _small_count_in_results(folder):
    results = read_json(folder / "results.json")
    results["numbers"]["cohort.members.treated"]["value"] = 7
    write_json(results, folder / "results.json")


def _withheld_with_a_value(folder):
    results = read_json(folder / "results.json")
    name = next(k for k, v in results["numbers"].items() if v.get("suppressed"))
    results["numbers"][name]["value"] = 4_000
    write_json(results, folder / "results.json")


def _small_count_in_a_frame(folder):
    path = folder / "evaluation" / "cohort.organizations.parquet"
    frame = pd.read_parquet(path)
    frame.loc[0, "members"] = 3
    frame.to_parquet(path, index=False)


def _person_rows(folder):
    path = folder / "evaluation" / "cohort.organizations.parquet"
    pd.read_parquet(path).assign(person_id="A").to_parquet(path, index=False)


def _undeclared_table(folder):
    pd.DataFrame({"a": [1]}).to_parquet(folder / "evaluation" / "members.parquet", index=False)


def _path(folder):
    (folder / "index.html").write_text("<p>made in " + "/home" + "/somebody/study</p>")


def _host(folder):
    import socket

    (folder / "index.html").write_text(f"<p>{socket.gethostname()}</p>")


def _another_kind(folder):
    (folder / "claims.duckdb").write_text("x")


@pytest.mark.parametrize(
    ("change", "audit"),
    [
        (_small_count_in_results, "results"),
        (_withheld_with_a_value, "results"),
        (_small_count_in_a_frame, "small-counts"),
        (_person_rows, "rows"),
        (_undeclared_table, "rows"),
        (_path, "machine"),
        (_host, "machine"),
        (_another_kind, "files"),
    ],
)
def test_each_audit_can_fail_and_then_nothing_is_written(copied, tmp_path, change, audit, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "node-17-of-the-clinic")
    assert refused(copied) == {}
    change(copied)
    described_anew(copied)
    assert audit in refused(copied)
    with pytest.raises(DisclosureRefused, match=f"{audit}: "):
        reports.release(copied, tmp_path / "released")
    assert not (tmp_path / "released").exists()


def test_a_file_changed_after_publication_is_not_released(copied):
    (copied / "index.html").write_text("changed")
    assert "files" in refused(copied)


def test_a_count_that_follows_by_subtraction_is_refused(copied):
    candidate = release.Candidate(
        folder=copied, published=read_published(copied), run=runs.released_run(copied)
    )
    flow = candidate.run.evaluation.attrition.frame.copy()
    first = flow.index[flow["arm"] == "treated"][:2]
    flow.loc[first, "members"] = [20_000.0, 19_995.0]
    flow.loc[first[1], "members_dropped"] = float("nan")
    whole = candidate.run.evaluation
    found = dataclasses.replace(whole, attrition=dataclasses.replace(whole.attrition, frame=flow))
    spoilt = dataclasses.replace(candidate, run=dataclasses.replace(candidate.run, evaluation=found))
    assert "subtraction" in {a.id for a in release.audit(spoilt) if a.findings}


def test_a_release_does_not_go_into_the_report(copied):
    with pytest.raises(StudyFileError, match="inside the report"):
        reports.release(copied, copied / "released")
