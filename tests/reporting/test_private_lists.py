"""Lists of people as files: private, whole, safe in a spreadsheet, and never inside a report."""

from __future__ import annotations

import datetime as dt
import shutil
import stat

import pandas as pd
import pytest

from medhome import reports
from medhome.reporting import manifest, private_lists
from medhome.reporting.json_files import read_json, write_json
from medhome.reporting.private_lists import write_lists
from medhome.study.list_results import TABLES, ProgramLists, dictionary
from medhome.study.problems import DisclosureRefused, StudyFileError

DAY = dt.date(2009, 6, 30)


def row(table, n: int) -> dict:
    """A row of a list, with text that a spreadsheet would run."""
    made = {"text": "=1+1", "integer": n, "number": 10 / 3, "date": DAY}
    return {c.name: made[c.kind] for c in table.columns}


def found(rows: int = 2) -> ProgramLists:
    frames = {}
    for table in TABLES:
        frame = pd.DataFrame([row(table, n) for n in range(rows)], columns=[c.name for c in table.columns])
        if rows and "last_service_date" in frame:
            frame["last_service_date"] = pd.Series([None, DAY], dtype=object)
        frames[table.name] = frame
    return ProgramLists(study_id="demo", as_of=DAY, frames=frames, about={"as_of": DAY.isoformat()})


def test_the_folder_says_that_it_is_private_and_only_its_owner_reads_it(tmp_path):
    folder = write_lists(found(), tmp_path / "out")
    assert folder == tmp_path / "out" / "demo-private-lists" / "2009-06-30"
    names = {f"{t.name}.{e}" for t in TABLES for e in ("csv", "parquet")}
    assert {p.name for p in folder.iterdir()} == names | {
        "README.md", "data-dictionary.md", "lists.json", ".gitignore",
    }  # fmt: skip
    for path in (folder.parent, folder):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in folder.iterdir())
    assert "PRIVATE" in (folder / "README.md").read_text() and (folder / ".gitignore").read_text() == "*\n"


def test_text_that_a_spreadsheet_would_run_is_neutralised_in_csv_alone(tmp_path):
    folder = write_lists(found(), tmp_path)
    for table in TABLES:
        text = (folder / f"{table.name}.csv").read_text(encoding="utf-8")
        assert ",=1+1" not in text and "\n=1+1" not in text and "'=1+1" in text
        frame = pd.read_parquet(folder / f"{table.name}.parquet")
        assert list(frame.columns) == [c.name for c in table.columns]
        assert (frame[[c.name for c in table.columns if c.kind == "text"]] == "=1+1").all(axis=None)
    gaps = (folder / "gaps_in_care.csv").read_text(encoding="utf-8").splitlines()
    assert gaps[1].endswith(",2009-06-30,'=1+1,") and gaps[2].endswith(",2009-06-30,'=1+1,2009-06-30")


def test_the_same_lists_are_the_same_bytes_and_replace_those_of_the_day(tmp_path):
    first = {p.name: p.read_bytes() for p in write_lists(found(), tmp_path).iterdir()}
    folder = write_lists(found(), tmp_path)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == first
    (folder / "old.csv").write_text("left over")
    again = write_lists(found(0), tmp_path)
    assert not (again / "old.csv").exists() and len(pd.read_parquet(again / "high_risk.parquet")) == 0
    assert [p.name for p in again.parent.iterdir()] == ["2009-06-30"]


@pytest.mark.parametrize("broken", ["_write", "_replace"])
def test_a_failure_leaves_the_earlier_lists_whole(tmp_path, monkeypatch, broken):
    folder = write_lists(found(), tmp_path)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}

    def fails(*_given):
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        if broken == "_write":
            patched.setattr(private_lists, "_write", fails)
        else:
            own = type(folder).rename
            fail_on = lambda path, to: fails() if path.name.startswith(".building") else own(path, to)  # noqa: E731
            patched.setattr(type(folder), "rename", fail_on)
        with pytest.raises(OSError, match="no space"):
            write_lists(found(0), tmp_path)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert [p.name for p in folder.parent.iterdir()] == ["2009-06-30"]


def test_lists_are_refused_inside_a_report(tmp_path):
    report = tmp_path / "reports" / "demo" / "2010-03"
    report.mkdir(parents=True)
    (report / "manifest.json").write_text("{}")
    for out in (report, report / "private"):
        with pytest.raises(StudyFileError, match="lies inside the report"):
            write_lists(found(), out)
    assert [p.name for p in report.iterdir()] == ["manifest.json"]
    assert write_lists(found(), report.parent.parent).is_dir()  # beside reports is another matter


def test_lists_that_are_put_into_a_report_by_hand_do_not_leave_with_it(example_report, tmp_path):
    report = tmp_path / "report"
    shutil.copytree(example_report, report)
    shutil.copytree(write_lists(found(), tmp_path), report / "lists")
    target = reports.release(report, tmp_path / "released")
    assert not (target / "lists").exists() and (target / "index.html").is_file()
    document = read_json(report / "manifest.json")
    document["outputs"] = manifest.outputs(report)  # as if the manifest spoke for them
    write_json(document, report / "manifest.json")
    with pytest.raises(DisclosureRefused, match=r"high_risk\.parquet: has the column person_id"):
        reports.release(report, tmp_path / "released")


def test_the_dictionary_says_every_column():
    text = dictionary()
    for table in TABLES:
        own = text.partition(f"## {table.name}\n")[2].partition("\n## ")[0]
        assert all(f"| {c.name} | {c.kind} | {c.unit} | {c.meaning} |" in own for c in table.columns)
