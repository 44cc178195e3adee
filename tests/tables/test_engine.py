"""The engine brings whole numbers to Python exactly and leaves nothing behind."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

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
