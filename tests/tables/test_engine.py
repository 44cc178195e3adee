"""The engine brings whole numbers to Python exactly and leaves nothing behind."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import duckdb
import pytest

from medhome.study.problems import DataProblem, OutOfRoom, StudyFileError
from medhome.tables import engine


def test_wide_integers_do_not_pass_through_a_float(tmp_path):
    wide = 10**37 + 1
    with engine.session(tmp_path) as con:
        con.raw_sql(
            f"CREATE TABLE t AS SELECT {wide}::DECIMAL(38, 0) AS decimal_wide, {2**63 + 1}::HUGEINT AS huge, "
            f"{2**53 + 1}::BIGINT AS whole, 1.25::DECIMAL(9, 2) AS money, DATE '2008-01-31' AS day"
        )
        row = engine.fetch(con.table("t")).iloc[0]
    assert (row["decimal_wide"], row["huge"], row["whole"]) == (wide, 2**63 + 1, 2**53 + 1)
    assert isinstance(row["decimal_wide"], int) and isinstance(row["huge"], int)
    assert row["money"] == Decimal("1.25") and row["day"] == dt.date(2008, 1, 31)


def test_missing_whole_numbers_stay_whole():
    with engine.session() as con:
        con.raw_sql(f"CREATE TABLE t AS SELECT unnest([{2**53 + 1}, NULL])::BIGINT AS x, NULL::BOOLEAN AS b")
        frame = engine.fetch(con.table("t"))
    assert frame["x"].dtype == "Int64" and frame["x"].iloc[0] == 2**53 + 1
    assert frame["b"].dtype == "boolean"


def test_a_sum_beyond_64_bits_is_refused_unless_cast():
    with engine.session() as con:
        con.raw_sql(f"CREATE TABLE t AS SELECT unnest([{2**62}, {2**62}]) AS x")
        table = con.table("t")
        with pytest.raises(Exception, match=r"(?i)out of|overflow|cast|convert|range"):
            engine.fetch(table.aggregate(x=table.x.sum()))
        assert engine.fetch(table.aggregate(x=table.x.cast("decimal(38, 0)").sum()))["x"].iloc[0] == 2**63


def test_nothing_is_left_behind(tmp_path):
    with pytest.raises(RuntimeError), engine.session(tmp_path, memory_limit="1GB") as con:
        assert len(list(tmp_path.iterdir())) == 1
        assert con.raw_sql("SELECT current_setting('memory_limit')").fetchall()[0][0].startswith("95")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("limit", "reason"),
    [("SET max_temp_directory_size = '1MB'", "max|offload"), (None, "File too large")],
    ids=["no room to put aside", "a file of limited size"],
)
def test_a_full_disk_is_said_with_what_to_do_and_nothing_is_left(tmp_path, limit, reason):
    """What does not fit the memory goes to a full disk: by the engine's limit, and by the system's."""
    resource = pytest.importorskip("resource")  # POSIX systems have it
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with (
            pytest.raises(OutOfRoom, match=rf"{reason}.*uses? 20MB.*TMPDIR.*MEDHOME_MEMORY_LIMIT") as full,
            engine.session(tmp_path, memory_limit="20MB") as con,
        ):
            if limit:
                con.raw_sql(limit)
            else:
                resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
            con.raw_sql("CREATE TABLE t AS SELECT hash(range)::VARCHAR AS y FROM range(1000000) ORDER BY y")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert full.value.exit_code == 1 and "\n" not in str(full.value)
    assert list(tmp_path.iterdir()) == []


def test_other_failures_of_the_engine_pass_and_want_of_room_is_no_fault_of_a_file(tmp_path):
    with pytest.raises(duckdb.CatalogException), engine.session(tmp_path) as con:
        con.raw_sql("SELECT * FROM nowhere")
    with pytest.raises(duckdb.IOException), engine.reading("claims.csv"):
        raise duckdb.IOException('IO Error: Could not write file "x": No space left on device')
    with (
        pytest.raises(DataProblem, match=r"claims.csv: cannot be read to its end"),
        engine.reading("claims.csv"),
    ):
        raise duckdb.IOException("IO Error: Invalid row group")


def test_memory_is_named_by_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv(engine.MEMORY_LIMIT, "512MiB")
    with engine.session(tmp_path) as con:
        assert engine.query(con, "SELECT current_setting('memory_limit')") == [("512.0 MiB",)]
    monkeypatch.setenv(engine.MEMORY_LIMIT, "lots")
    with pytest.raises(StudyFileError, match=r"MEDHOME_MEMORY_LIMIT='lots': name an amount"):
        engine.connect()
