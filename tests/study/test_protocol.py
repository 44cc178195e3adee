"""A study file is locked, amended, and cannot be changed behind its lock's back."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from front_door import typed
from medhome import reports, runs
from medhome.cli import app
from medhome.reporting.made_with import commit_that_holds
from medhome.reporting.protocol_words import (
    amendments_table,
    lock_in_words,
    locked_in_words,
    protocol_lock,
)
from medhome.study import protocol
from medhome.study.as_run import changed_since_lock, study_through
from medhome.study.periods import month_index
from medhome.study.problems import DataProblem, StudyFileError
from medhome.study.provenance import file_digest
from medhome.study.released import ReleasedRun
from medhome.study.spec import StudySpec, read_study

DEMO = Path(__file__).resolve().parents[2] / "analysis" / "studies" / "demo.toml"


def at(month, before=None, digest="a" * 64, reason=""):
    """The demonstration, whose performance period is June 2008 to March 2010, locked with data of a month."""
    return protocol.locked(
        read_study(DEMO),
        digest,
        before=before,
        commit="c" * 40,
        latest_incurred=None if month is None else month_index(month),
        reason=reason,
    )


@pytest.mark.parametrize(
    ("latest", "when", "words"),
    [
        ("2008-05", "before", "before the performance period, which began in June 2008"),
        ("2008-06", "during", "inside the performance period, June 2008 to March 2010: its outcomes up"),
        ("2010-03", "during", "inside the performance period"),
        ("2010-04", "after", "after the performance period, June 2008 to March 2010"),
        (None, "no data", "No data were named then"),
    ],
)
def test_the_latest_month_says_whether_outcomes_could_be_read(latest, when, words):
    lock = at(latest)
    assert lock.first.when == when
    said = " ".join(lock_in_words(lock, lock.amendments(read_study(DEMO))))
    assert words in said and "at commit cccccccccccc" in said and "It was not amended since." in said


def changed(section: str, key: str, value) -> StudySpec:
    plain = read_study(DEMO).model_dump()
    plain[section][key] = value
    return StudySpec.model_validate(plain)


def test_an_amendment_that_was_not_locked_is_listed_and_a_new_period_is_none():
    lock = at("2008-05")
    assert lock.amendments(changed("periods", "through", "2009-12")) == ()
    (found,) = lock.amendments(changed("outcomes", "cap_usd_per_year", 50_000))
    assert found.entry is None and found.changes == {"outcomes.cap_usd_per_year": (100_000, 50_000)}
    assert "The latest change was not locked." in lock_in_words(lock, (found,))[1]


def test_a_lock_is_a_chain_and_a_changed_entry_is_found(tmp_path):
    study = tmp_path / "study.toml"
    shutil.copy(DEMO, study)
    assert reports.lock(study).number == 1
    with pytest.raises(StudyFileError, match="locked as it is"):
        reports.lock(study)
    study.write_text(DEMO.read_text().replace("cap_usd_per_year = 100000", "cap_usd_per_year = 50000"))
    with pytest.raises(StudyFileError, match="--reason"):
        reports.lock(study)
    assert reports.lock(study, reason="the payer  changed\nits cap").number == 2

    path = tmp_path / "study.lock.json"
    lock = protocol.read_lock(path)
    assert lock is not None
    (found,) = lock.amendments(read_study(study))
    assert found.entry is not None and found.entry.reason == "the payer changed its cap"
    assert found.changes == {"outcomes.cap_usd_per_year": (100_000, 50_000)}

    plain = json.loads(path.read_text())
    plain["entries"][0]["choices"]["outcomes.cap_usd_per_year"] = 50_000
    path.write_text(json.dumps(plain))
    with pytest.raises(StudyFileError, match="was changed after it was written"):
        protocol.read_lock(path)
    path.write_text(json.dumps({"schema": protocol.SCHEMA, "entries": plain["entries"][1:]}))
    with pytest.raises(StudyFileError, match="was changed after it was written"):
        protocol.read_lock(path)
    path.write_text("{}")
    with pytest.raises(StudyFileError, match="not a lock that medhome wrote"):
        protocol.read_lock(path)


def test_the_data_of_the_lock_are_read_for_dates_of_service_alone(small_world, tmp_path):
    """The small world's claims run through June 2010; nobody knows it better than its own files."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    study = tmp_path / "study.toml"
    shutil.copy(small_world / "study.toml", study)
    days = [
        pc.max(pq.read_table(small_world / f"{table}.parquet", columns=[column])[column]).as_py()
        for table, column in (("medical_claim", "claim_start_date"), ("pharmacy_claim", "dispensing_date"))
    ]
    entry = reports.lock(study, small_world)
    assert entry.latest_incurred == f"{max(days):%Y-%m}"
    assert runs.latest_incurred_month(read_study(study), small_world) == month_index(entry.latest_incurred)


@pytest.fixture
def checkout(tmp_path):
    """A folder under version control that holds the demonstration's study file; `git` types in it."""

    def git(*words):
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        done = subprocess.run(["git", *who, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q")
    shutil.copy(DEMO, tmp_path / "study.toml")
    git("add", "study.toml")
    git("commit", "-q", "-m", "study")
    return tmp_path / "study.toml", git


def test_the_commit_is_named_only_when_it_holds_the_file_as_it_is(checkout, tmp_path):
    study, git = checkout
    assert commit_that_holds(study) == git("rev-parse", "HEAD")
    (tmp_path / "notes.txt").write_text("a work tree that is dirty elsewhere")
    assert commit_that_holds(study) == git("rev-parse", "HEAD")
    study.write_text("two")
    assert commit_that_holds(study) is None
    git("add", "study.toml")
    assert commit_that_holds(study) is None, "staged is not committed"


def test_a_lock_names_the_commit_or_says_that_none_held_the_file(checkout, tmp_path):
    study, git = checkout
    first = reports.lock(study)
    assert first.commit == git("rev-parse", "HEAD") and first.study_sha256 == file_digest(study)
    assert f"at commit {first.commit[:12]}" in locked_in_words(first)
    study.write_text(study.read_text().replace("cap_usd_per_year = 100000", "cap_usd_per_year = 50000"))
    second = reports.lock(study, reason="the payer changed its cap")
    assert second.commit is None and second.study_sha256 == file_digest(study) != first.study_sha256
    assert f"with the digest {second.study_sha256[:12]}; no commit held it" in locked_in_words(second)


def test_a_lock_without_version_control_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # not even git itself
    shutil.copy(DEMO, tmp_path / "study.toml")
    entry = reports.lock(tmp_path / "study.toml")
    assert entry.commit is None and entry.when == "no data"
    said = locked_in_words(entry)
    assert "no commit held it" in said and "does not show which outcomes could have been read" in said


def test_two_amendments_are_listed_in_order_each_with_its_reason_and_month():
    lock = at("2008-05")
    for month, digest, cap, reason in (("2009-01", "b", 50_000, "first"), ("2010-05", "d", 60_000, "second")):
        lock = protocol.locked(
            changed("outcomes", "cap_usd_per_year", cap), digest * 64, before=lock, commit=None,
            latest_incurred=month_index(month), reason=reason,
        )  # fmt: skip
    spec = changed("outcomes", "cap_usd_per_year", 60_000)
    found = lock.amendments(spec)
    assert [a.changes["outcomes.cap_usd_per_year"] for a in found] == [(100_000, 50_000), (50_000, 60_000)]
    text = amendments_table(found).text
    assert text.index("first") < text.index("second")
    assert "January 2009 (during the performance period)" in text
    assert "May 2010 (after the performance period)" in text
    said = lock_in_words(lock, found)
    assert "before the performance period" in said[0] and said[1] == "It was amended 2 times since."


@pytest.fixture
def in_this_process(monkeypatch):
    monkeypatch.setattr("medhome.cli._fixed_environment", lambda: None)


def test_a_run_says_that_the_study_file_is_not_as_it_was_locked(tmp_path, in_this_process):
    study = tmp_path / "study.toml"
    shutil.copy(DEMO, study)
    assert changed_since_lock(study, read_study(study)) == (), "not locked at all"
    reports.lock(study)
    assert changed_since_lock(study, read_study(study)) == ()
    assert changed_since_lock(study, study_through(study, "2009-12")) == (), "a new period is no amendment"
    study.write_text(study.read_text().replace("cap_usd_per_year = 100000", "cap_usd_per_year = 50000"))
    assert changed_since_lock(study, read_study(study)) == ("outcomes.cap_usd_per_year",)
    done = CliRunner().invoke(app, ["run", str(study), "--data", str(tmp_path / "nowhere")])
    assert "not as it was locked: outcomes.cap_usd_per_year; the report lists this" in done.stderr
    assert isinstance(done.exception, DataProblem), "it is run all the same"


def test_a_run_is_refused_where_the_lock_was_tampered_with(tmp_path, in_this_process):
    study = tmp_path / "study.toml"
    shutil.copy(DEMO, study)
    reports.lock(study)
    path = protocol.lock_path(study)
    path.write_text(path.read_text().replace('"latest_incurred": null', '"latest_incurred": "2008-01"'))
    code, _, message = typed("run", study, "--data", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert code == 2 and "was changed after it was written" in message
    assert not (tmp_path / "out").exists()


def test_page_one_shows_lock_and_amendments_escaped():
    lock = at("2008-05")
    lock = at("2009-01", before=lock, digest="b" * 64, reason="<script>")
    spec = changed("outcomes", "cap_usd_per_year", 50_000)
    report = ReleasedRun(spec=spec, evaluation=None, protocol=lock)  # type: ignore[arg-type]
    block = protocol_lock(report)
    assert "It was amended twice" not in block.text and "It was amended 2 times since." in block.text
    assert "outcomes.cap_usd_per_year" in block.html and "not locked" in block.html
    assert "<script>" not in block.html
    without = protocol_lock(ReleasedRun(spec=spec, evaluation=None))  # type: ignore[arg-type]
    assert without.text.startswith("The study file was not locked")
