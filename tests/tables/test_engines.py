"""The same study on two engines: every table that leaves the engine is the same, to the cent."""

from __future__ import annotations

import datetime as dt
import importlib.util

import dozen
import ibis
import pandas as pd
import pytest
from every_frame import assert_equal, everything

from medhome.simulate import WORLDS, simulate_world
from medhome.study.problems import StudyFileError
from medhome.study.spec import read_study
from medhome.tables import engine, second_engine, sources
from medhome.tables.engine import fetch

INSTALLED = importlib.util.find_spec("datafusion") is not None
needs_datafusion = pytest.mark.skipif(
    not INSTALLED, reason="the second engine is not installed: pip install 'medhome[engines]'"
)


def assert_same(folder, spec) -> dict[str, pd.DataFrame]:
    with engine.session() as con:
        inputs = sources.open_inputs(con, spec, folder)
        first = everything(con, inputs, spec)
        other = second_engine.connect()
        second = everything(other, second_engine.moved(inputs, other), spec)
    assert_equal(first, second)
    return first


@needs_datafusion
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"population__exposure": "day_fraction", "outcomes__services": "medical"},
        {"population__exposure": "full_month", "outcomes__cap_usd_per_year": None},
    ],
    ids=lambda changes: ", ".join(changes) or "as declared",
)
def test_the_dozen(dozen_folder, changes):
    spec = dozen.study(**changes)
    found = assert_same(dozen_folder, spec)
    assert len(found["cells"]) > 10


@needs_datafusion
def test_a_simulated_world(tmp_path):
    simulate_world(WORLDS["small"], tmp_path)
    found = assert_same(tmp_path, read_study(tmp_path / "study.toml"))
    assert found["waterfall"]["lines"].iloc[0] > 100_000


@needs_datafusion
def test_open_ends_are_later_than_any_date():
    con = second_engine.connect()
    ends = [("A", dt.date(9999, 12, 31)), ("B", dt.date(2008, 1, 15)), ("C", None)]
    spans = con.create_table("spans", ibis.memtable(ends, schema={"who": "string", "until": "date"}))
    later = spans.filter(spans.until >= ibis.date(dt.date(2008, 2, 1)))
    assert fetch(later.select("who"))["who"].tolist() == ["A"]


@pytest.mark.skipif(INSTALLED, reason="the second engine is installed")
def test_without_the_extra_the_message_names_it():
    with pytest.raises(StudyFileError, match=r"medhome\[engines\]"):
        second_engine.connect()
