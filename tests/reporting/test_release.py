"""A release is refused for each thing that may not leave the house, and copies the rest whole."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import shutil
import urllib.parse

import pandas as pd
import pytest

from medhome import reports, runs
from medhome.reporting import release, released_text, results_file
from medhome.reporting.json_files import read_json, write_json
from medhome.reporting.verify import read_published
from medhome.study.problems import DataProblem, DisclosureRefused, StudyFileError


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


def _number_of_another_run(folder):
    results = read_json(folder / "results.json")
    results["numbers"]["did.total_pmpm"]["value"] *= 1 + 1e-6
    write_json(results, folder / "results.json")


def _small_count_by_subtraction(folder):
    """Saved results and results.json edited alike: of a row of the flow all but the last number is told."""
    path = folder / "evaluation" / "attrition.frame.parquet"
    flow = pd.read_parquet(path)
    first, second = flow.index[flow["arm"] == "treated"][:2]
    flow.loc[[first, second], "members"] = [float("nan"), 30_000.0]
    flow.loc[second, "members_dropped"] = 4.0 - 30_000.0
    flow.to_parquet(path, index=False)
    run = runs.released_run(folder)
    results_file.write(run.evaluation, run.spec, folder / "results.json", run_id="")


def _small_count_on_a_page(folder):
    page = '<a href="data:text/csv;charset=utf-8,Arm,Members%0Atreated,7%0A">CSV</a>'
    (folder / "index.html").write_text(page)


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
        (_path, "text"),
        (_host, "text"),
        (_number_of_another_run, "agreement"),
        (_small_count_by_subtraction, "derived"),
        (_small_count_on_a_page, "derived"),
        (_another_kind, "files"),
    ],
)
def test_each_audit_can_fail_and_then_nothing_is_written(copied, tmp_path, change, audit, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "node-17-of-the-clinic")
    change(copied)
    described_anew(copied)
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


def test_a_small_count_that_follows_after_an_edit_is_named(copied, tmp_path):
    _small_count_by_subtraction(copied)
    described_anew(copied)
    found = refused(copied)
    assert "agreement" not in found and "results" not in found
    with pytest.raises(DisclosureRefused, match=r"derived: results\.json: attrition\.\w+\.treated\.members"):
        reports.release(copied, tmp_path / "released")


def test_the_record_of_a_release_says_what_was_audited(copied, tmp_path):
    said = read_json(reports.release(copied, tmp_path / "released") / "disclosure.json")
    assert said["audit"] == "passed" and said["policy"] == "cms-11" and said["identifiers_of_the_inputs"] == 0
    assert said["numbers"] == len(read_json(copied / "results.json")["numbers"])
    assert {"agreement", "derived", "text"} <= {a["id"] for a in said["audits"]}


PLANTED = {
    "an absolute path": "kept in " + "/home" + "/somebody/study.toml",
    "fetched from the network": '<img src="https://example.org/a.png">',
    "this machine": "made on node-17-of-the-clinic",
    "this machine's user": "made by drsomebody",
    "social security": "078-05-1120",
    "Medicare beneficiary": "1EG4-TE5-MK73",
    "an identifier of the input tables": "member M00000417 had",
}


@pytest.mark.parametrize("sign", PLANTED)
@pytest.mark.parametrize(
    "name", ["a.html", "link.html", "coded.html", "a.ipynb", "a.json", "a.csv", "a.svg", "a.parquet"]
)
def test_what_is_planted_in_any_kind_of_file_is_found_with_its_place(tmp_path, monkeypatch, name, sign):
    monkeypatch.setattr("socket.gethostname", lambda: "node-17-of-the-clinic")
    monkeypatch.setattr("getpass.getuser", lambda: "drsomebody")
    path, known = tmp_path / name, frozenset({"M00000417"})
    plant(path, "all is well")
    assert list(released_text.findings(path, known)) == []
    plant(path, PLANTED[sign])
    (found, *_) = list(released_text.findings(path, known))
    assert sign in found and re.search(WHERE[name], found), found


WHERE = {
    "a.html": "line 3: ", "link.html": "line 2", "coded.html": "line 2",
    "a.ipynb": r"cells\[0\]\.outputs\[0\]\.data\.text/html: ",
    "a.json": "numbers.label: ", "a.csv": "line 2: ", "a.svg": "line 3: ", "a.parquet": "column label: ",
}  # fmt: skip


def plant(path, words):
    """A small file of its kind that holds the words."""
    quoted = urllib.parse.quote(f"Arm,Note\ntreated,{words}\n")
    coded = base64.b64encode(f"Arm,Note\ntreated,{words}\n".encode()).decode()
    html = ["<p>\n", "before\n", f"{words}</p>\n"]
    cell = {"cell_type": "code", "source": [], "outputs": [{"data": {"text/html": html}}]}
    made = {
        "a.html": "".join(html),
        "a.svg": f"<svg>\n<text>\n{words}</text></svg>",
        "link.html": f'<p>\n<a href="data:text/csv;charset=utf-8,{quoted}">CSV</a></p>',
        "coded.html": f'<p>\n<a href="data:text/csv;base64,{coded}">CSV</a></p>',
        "a.ipynb": json.dumps({"cells": [cell]}),
        "a.json": json.dumps({"numbers": {"label": words}}),
        "a.csv": f"Arm,Note\ntreated,{words}\n",
    }
    if path.suffix == ".parquet":
        pd.DataFrame({"label": ["one", words]}).to_parquet(path)
    else:
        path.write_text(made[path.name])


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.html", "link.html", "a.parquet"])
def test_a_column_of_identifiers_is_known_by_its_head(tmp_path, name):
    made = {
        "a.json": '{"rows": [{"claim_id": 4}]}',
        "a.csv": "BENE_ID,cost\n1,2\n",
        "a.html": '<tr><th scope="col">Person ID</th></tr><tr><th scope="row">person_id</th></tr>',
        "link.html": '<a href="data:text/csv,person_id,cost%0A1,2%0A">CSV</a>',
    }
    if name == "a.parquet":
        pd.DataFrame({"member_id": [1]}).to_parquet(tmp_path / name)
    else:
        (tmp_path / name).write_text(made[name])
    (found,) = released_text.findings(tmp_path / name, frozenset())
    assert "a column of identifiers" in found


def test_identifiers_of_the_inputs_are_looked_for_where_the_inputs_are_at_hand(copied, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    names = [i["name"] for i in read_json(copied / "manifest.json")["inputs"]]
    rows = pd.DataFrame({"person_id": ["M00000417", "12"], "allowed_amount": ["1.00", "417.00"]})
    for name in names:
        rows.to_csv(data / name, index=False) if name.endswith(".csv") else rows.to_parquet(data / name)
    assert released_text.identifiers(data, names) == {"M00000417"}  # two digits cannot be told from a count
    reports.release(copied, tmp_path / "released", data)
    (copied / "index.html").write_text("<p>12 and M00000417</p>")
    described_anew(copied)
    reports.release(copied, tmp_path / "without")
    with pytest.raises(
        DisclosureRefused, match=r"text: index\.html: line 1: an identifier of the input tables"
    ):
        reports.release(copied, tmp_path / "released", data)
    (data / names[0]).unlink()
    with pytest.raises(DataProblem, match="is not there"):
        reports.release(copied, tmp_path / "released", data)
