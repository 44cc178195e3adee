"""Stays split by day, on every engine: nights counted by hand, and the same cells to the cent."""

from __future__ import annotations

import datetime as dt
import importlib.util
import tomllib
from pathlib import Path

import ibis
import pandas as pd
import pytest
import small_world
from small_world import claim, cost, void

from medhome.tables import collapse, engine, panel, second_engine, spark_engine, triangles
from medhome.tables.bookings import day_number
from medhome.tables.engine import fetch

needs_datafusion = pytest.mark.skipif(
    importlib.util.find_spec("datafusion") is None, reason="pip install 'medhome[engines]'"
)


def stay(claim_id: str, who: str, first: str, last: str, allowed: float, **changes) -> dict:
    columns = {
        "claim_type": "institutional", "bill_type_code": "111", "admission_date": first,
        "discharge_date": last, "claim_end_date": last, "paid_date": last,
    }  # fmt: skip
    return claim(claim_id, who, first, allowed, **(columns | changes))


LEAP = stay("S1", "T", "2008-02-27", "2008-03-02", 1000.01)
TAKEN_BACK = stay("S2", "C", "2008-04-29", "2008-06-03", 3500)
CLAIMS = [
    claim("T0", "T", "2008-01-10", 100), claim("C0", "C", "2008-01-10", 100),
    LEAP, TAKEN_BACK, void("S2V", TAKEN_BACK, "2008-06-20"),
    stay("S3", "C", "2007-12-30", "2008-01-04", 500),
    stay("S4", "T", "2008-05-30", "9999-12-31", 70, paid_date="2008-06-15"),
]  # fmt: skip


def built(con, inputs, spec):
    months = panel.build(con, inputs, spec)
    scored = collapse.score(months, {"intercept": 20000.4})
    cells = collapse.cells(scored, spec)
    return months, cells, triangles.build(inputs, scored, cells, spec)


@needs_datafusion
def test_cells_and_triangles_of_split_stays_are_equal(tmp_path):
    """S1: 27, 28 and 29 February are 3 of 4 nights: $1,000.01 * 3/4 = $750.00 and $250.01.

    S3 begins in December: 2 of 5 nights, so January has $300. S4 has no real end and stays where it began.
    """
    small_world.write(tmp_path, CLAIMS)
    spec = small_world.study(claims__stays="split_by_day")
    other = second_engine.connect()
    with engine.session() as con:
        inputs = small_world.inputs(con, tmp_path, spec)
        months, cells, paid_when = built(con, inputs, spec)
        assert cost(months, "T") == {"2008-01": 100, "2008-02": 750, "2008-03": 250.01, "2008-05": 70}
        assert cost(months, "C") == {"2008-01": 410}
        again, same_cells, same_payments = built(other, second_engine.moved(inputs, other), spec)
    for first, second in (
        (cells.frame, same_cells.frame),
        (paid_when.payments, same_payments.payments),
        (paid_when.cells.frame, same_payments.cells.frame),
        (months.reconciliation, again.reconciliation),
        (months.orphans, again.orphans),
    ):
        pd.testing.assert_frame_equal(second, first, check_exact=True, check_dtype=False)


@pytest.mark.parametrize("name", ["duckdb", pytest.param("datafusion", marks=needs_datafusion)])
def test_days_between_dates_are_those_of_the_calendar(name):
    """Every thirteenth day of 140 years, both sides of leap days, the one of 2000 and the lack of 2100's."""
    first = dt.date(1900, 1, 1)
    days = [first + dt.timedelta(days=13 * i) for i in range(4000)]
    days += [dt.date(2000, 2, 29), dt.date(2000, 3, 1), dt.date(2100, 2, 28), dt.date(2100, 3, 1)]
    con = second_engine.connect() if name == "datafusion" else ibis.duckdb.connect()
    rows = [(i, day) for i, day in enumerate(days)]
    table = con.create_table("days", ibis.memtable(rows, schema={"i": "int64", "day": "date"}))
    found = fetch(table.mutate(n=day_number(table.day)).order_by("i"))["n"].astype(int)
    assert (found - found[0]).tolist() == [(day - first).days for day in days]


def test_the_extras_that_messages_name_are_those_of_the_project():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    assert any(need.startswith("datafusion") for need in extras[second_engine.EXTRA])
    assert any(need.startswith("pyspark") for need in extras[spark_engine.EXTRA])
