"""A published report afterwards, through the front door: stale, compared, examined, not fit to be packed.

Drawn again, released, verified without data, packed and reproduced: tests/test_documents_run.py.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import jsonschema
import pytest
from tests import screenshots
from tests.chromium_over_a_pipe import Tab, started
from typer.testing import CliRunner

from medhome import reports
from medhome.cli import app, main
from medhome.study.problems import StudyFileError


@pytest.fixture
def medhome(monkeypatch):
    """Run a command in this process. Returns its exit code, and what it printed."""
    monkeypatch.setattr("medhome.cli._fixed_environment", lambda: None)

    def run(*words):
        done = CliRunner().invoke(app, [str(w) for w in words])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout

    return run


@pytest.fixture
def copied(small_run, tmp_path):
    """The small report, to change."""
    shutil.copytree(small_run.report / "current", tmp_path / "report")
    return tmp_path / "report"


def _bytes(report: Path) -> dict[str, bytes]:
    run = (report / "current").resolve() if (report / "current").exists() else report
    return {
        p.relative_to(run).as_posix(): p.read_bytes()
        for p in sorted(run.rglob("*"))
        if p.is_file() and p.name != "run-log.json"
    }


def test_a_report_is_current_until_its_data_change(medhome, small_run, small_world, tmp_path):
    study = small_world / "study.toml"
    out = small_run.report.parents[1]
    code, said = medhome("status", study, "--data", small_world, "--out", out, "--json")
    assert code == 0, said
    shutil.copytree(small_world, tmp_path / "data")
    with (tmp_path / "data" / "eligibility.parquet").open("ab") as stream:
        stream.write(b" ")
    code, said = medhome("status", study, "--data", tmp_path / "data", "--out", out)
    assert code == 3 and "data: eligibility.parquet (eligibility) has other bytes" in said
    code, said = medhome("status", study, "--out", out, "--through", "2009-12")
    assert code == 3 and "there is no report yet" in said


def test_an_engine_without_room_is_said_in_one_line_and_leaves_the_report(
    medhome, copied, small_world, monkeypatch, capsys
):
    """Too little memory for what cannot be put aside: exit 1, the older report whole, nothing half made."""
    out = copied.parent / "reports"
    shutil.copytree(copied, out / "small" / "2010-03")
    before = {p.relative_to(out).as_posix() for p in out.rglob("*")}, _bytes(out / "small" / "2010-03")
    words = ["run", small_world / "study.toml", "--data", small_world, "--out", out, "--force"]
    monkeypatch.setenv("MEDHOME_MEMORY_LIMIT", "10MB")
    monkeypatch.setattr(sys, "argv", ["medhome", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("medhome: the engine ran out of room (Out of Memory")
    assert "earlier reports are untouched" in said
    after = {p.relative_to(out).as_posix() for p in out.rglob("*")}, _bytes(out / "small" / "2010-03")
    assert after == before


def test_a_real_report_opens_in_a_browser_without_a_request_a_complaint_or_a_fault(chromium, small_run):
    """Every page of a run on a phone and on a desk, and its findings on paper."""
    seen = list(screenshots.views(small_run.report / "current", chromium, (390, 1180), ("light",), False))
    assert len({view.page for view in seen}) > 8 and len(seen) == 2 * len({view.page for view in seen})
    odd = {view.name: (view.faults, view.requests, view.complaints) for view in seen}
    assert {name: found for name, found in odd.items() if any(found)} == {}
    with started(chromium) as browser:
        tab = Tab(browser)
        tab.open((small_run.report / "current" / "index.html").as_uri())
        assert len(re.findall(rb"/Type\s*/Page\b(?!s)", tab.pdf())) == 2, "findings on two sheets"


def test_two_reports_of_one_run_have_no_number_that_moved(medhome, small_run, copied):
    code, said = medhome("compare", small_run.report, copied)
    assert code == 0 and "No number that both reports have moved." in said


def test_who_names_no_data_is_told_so(medhome, small_run):
    assert medhome("verify", small_run.report)[0] == 2


def test_the_schema_and_the_environment_are_printed(medhome, small_run, tmp_path):
    code, said = medhome("schema", "--out", tmp_path / "study.schema.json")
    assert code == 0 and json.loads((tmp_path / "study.schema.json").read_text())["title"]
    for name in ("results", "manifest"):
        code, said = medhome("schema", name)
        document = json.loads((small_run.report / f"{name}.json").read_text())
        assert code == 0
        jsonschema.Draft202012Validator(json.loads(said)).validate(document)
    assert medhome("schema", "report")[0] == 2
    code, said = medhome("doctor", small_run.report, "--json")
    assert code in (0, 3) and json.loads(said)["exit_code"] == code


def test_a_package_is_refused_with_other_code_or_another_world(medhome, small_run, copied, tmp_path):
    with pytest.raises(StudyFileError, match="is not what the report was made from"):
        reports.bundle(small_run.report, tmp_path / "package", world="small", seed=2)
    manifest = json.loads((copied / "manifest.json").read_text())
    manifest["code"]["source_sha256"] = "f" * 64
    (copied / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StudyFileError, match="was made with other code"):
        reports.bundle(copied, tmp_path / "package")
    assert not (tmp_path / "package").exists()
