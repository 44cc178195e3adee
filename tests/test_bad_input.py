"""Bad input: one clear message that names the place, the right exit code, and earlier reports untouched."""

from __future__ import annotations

import shutil
import sys

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from medhome import cli
from medhome.study.provenance import FIXED_ENVIRONMENT


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the command line in this process: exit code and what it said on standard error."""
    for name, value in FIXED_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    def call(*words) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["medhome", *map(str, words)])
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0), capsys.readouterr().err
        return 0, capsys.readouterr().err

    return call


@pytest.fixture
def world(small_world, tmp_path):
    """A copy of the small world that a test may spoil, with an earlier report beside it."""
    shutil.copytree(small_world, tmp_path / "world")
    earlier = tmp_path / "reports" / "small" / "2010-03"
    earlier.mkdir(parents=True)
    (earlier / "index.html").write_text("the earlier report")
    return tmp_path / "world"


def _refused(command, world, *, code, says, study=None):
    reports = world.parent / "reports"
    before = sorted(p.relative_to(reports) for p in reports.rglob("*"))
    exit_code, message = command("run", study or world / "study.toml", "--data", world, "--out", reports)
    assert exit_code == code, message
    assert "Traceback" not in message
    for text in says:
        assert text in message, message
    assert sorted(p.relative_to(reports) for p in reports.rglob("*")) == before
    assert (reports / "small" / "2010-03" / "index.html").read_text() == "the earlier report"


def _rewrite(path, change):
    table = change(pq.read_table(path))
    pq.write_table(table, path)


def test_a_missing_column(command, world):
    _rewrite(world / "eligibility.parquet", lambda t: t.drop_columns(["birth_date"]))
    _refused(command, world, code=4, says=["eligibility.parquet", "birth_date", "missing"])


def test_a_wrong_type(command, world):
    def spoil(table):
        values = [str(v) for v in table["allowed_amount"].to_pylist()]
        values[6] = "a lot"
        i = table.schema.get_field_index("allowed_amount")
        return table.set_column(i, "allowed_amount", pa.array(values))

    _rewrite(world / "medical_claim.parquet", spoil)
    _refused(command, world, code=4, says=["medical_claim.parquet", "allowed_amount", "row 7", "a lot"])


def test_a_date_that_does_not_parse(command, world):
    frame = pq.read_table(world / "eligibility.parquet").to_pandas()
    frame = frame.astype(str).replace({"None": "", "nan": "", "NaT": ""})
    frame.loc[4, "enrollment_start_date"] = "2008-02-31"
    (world / "eligibility.parquet").unlink()
    frame.to_csv(world / "eligibility.csv", index=False)
    _refused(command, world, code=4, says=["eligibility.csv", "enrollment_start_date", "row 5", "2008-02-31"])


@pytest.mark.parametrize(
    "name", ["eligibility.parquet", "medical_claim.parquet", "provider_practice.parquet"]
)
def test_an_empty_file(command, world, name):
    (world / name).write_bytes(b"")
    _refused(command, world, code=4, says=[name, "empty"])


def test_a_table_without_rows(command, world):
    _rewrite(world / "eligibility.parquet", lambda t: t.slice(0, 0))
    _refused(command, world, code=4, says=["eligibility.parquet", "no rows"])


def test_a_truncated_parquet(command, world):
    path = world / "medical_claim.parquet"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    _refused(command, world, code=4, says=["medical_claim.parquet"])


def test_a_missing_file(command, world):
    (world / "program_roster.parquet").unlink()
    _refused(command, world, code=4, says=["program_roster"])


def test_an_empty_folder(command, world, tmp_path):
    (tmp_path / "nothing").mkdir()
    code, message = command(
        "run", world / "study.toml", "--data", tmp_path / "nothing", "--out", tmp_path / "r"
    )
    assert code == 4 and "eligibility" in message and "medical_claim" in message
    code, message = command(
        "run", world / "study.toml", "--data", tmp_path / "nowhere", "--out", tmp_path / "r"
    )
    assert code == 4 and "nowhere" in message


def test_an_unknown_study_key(command, world):
    text = (world / "study.toml").read_text().replace("run_out_months", "runout_months")
    (world / "study.toml").write_text(text)
    _refused(
        command, world, code=2, says=["study.toml", "periods.runout_months", 'did you mean "run_out_months"']
    )


def test_a_period_without_data(command, world):
    def without_march_2009(table):
        frame = table.to_pandas()
        day = pd.to_datetime(frame["claim_start_date"])
        keep = ~((day.dt.year == 2009) & (day.dt.month == 3))
        return table.filter(pa.array(keep.to_numpy()))

    _rewrite(world / "medical_claim.parquet", without_march_2009)
    _refused(command, world, code=4, says=["medical_claim", "2009-03"])


def test_a_start_outside_the_data(command, world):
    text = (world / "study.toml").read_text()
    for old, new in (
        ('baseline_first = "2006-06"', 'baseline_first = "2012-06"'),
        ('baseline_last = "2008-05"', 'baseline_last = "2014-05"'),
        ('start = "2008-06"', 'start = "2014-06"'),
        ('through = "2010-03"', 'through = "2016-03"'),
        ('paid_through = "2010-06"', 'paid_through = "2016-06"'),
    ):
        assert old in text
        text = text.replace(old, new)
    (world / "study.toml").write_text(text)
    _refused(command, world, code=4, says=["periods.start", "2014-06"])


@pytest.mark.parametrize(("gone", "left"), [("comparison", "program"), ("program", "comparison")])
def test_an_empty_arm(command, world, gone, left):
    _rewrite(
        world / "program_roster.parquet",
        lambda t: t.filter(pa.array([a == left for a in t["arm"].to_pylist()])),
    )
    named = "treated" if gone == "program" else "comparison"
    _refused(command, world, code=4, says=["program_roster", named])


def test_a_mistyped_month(command, world):
    code, message = command("run", world / "study.toml", "--data", world, "--through", "2009-13")
    assert code == 2 and "2009-13" in message


def test_a_fee_schedule_with_two_rates_in_one_month(command, world):
    text = (world / "study.toml").read_text(encoding="utf-8")
    twice = '[[fees]]\nname = "Care-management fee"\npmpm_usd = 2.00\nfirst = "2009-01"\n\n[disclosure]'
    (world / "study.toml").write_text(text.replace("[disclosure]", twice, 1), encoding="utf-8")
    _refused(command, world, code=2, says=["study.toml", "Care-management fee", "two rates in 2009-01"])
