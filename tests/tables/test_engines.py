"""The same study on two engines: every table that leaves the engine is the same, to the cent."""

from __future__ import annotations

import datetime as dt
import importlib.util

import dozen
import ibis
import pandas as pd
import pytest

from medhome.simulate import WORLDS, simulate_world
from medhome.study.problems import StudyFileError
from medhome.study.spec import read_study
from medhome.tables import balance, collapse, engine, panel, second_engine, sources, triangles
from medhome.tables.engine import fetch

INSTALLED = importlib.util.find_spec("datafusion") is not None
needs_datafusion = pytest.mark.skipif(
    not INSTALLED, reason="the second engine is not installed: pip install 'medhome[engines]'"
)
COEFFICIENTS = {"intercept": 20000.4}


def everything(con, inputs, spec) -> dict[str, pd.DataFrame]:
    """Every frame that leaves the engine, and the tables inside it in the order of their keys."""
    months = panel.build(con, inputs, spec)
    scored = collapse.score(months, COEFFICIENTS | dict.fromkeys(months.terms, 33.35))
    cells = collapse.cells(scored, spec)
    paid_when = triangles.build(inputs, scored, cells, spec)
    found = {
        "attrition": months.attrition.frame,
        "waterfall": months.waterfall,
        "volumes": months.volumes,
        "practices": months.practices,
        "clinicians": months.clinicians,
        "rows": collapse.member_rows(months, spec).frame,
        "cells": cells.frame,
        "payments": paid_when.payments,
        "cells by kind of service": paid_when.cells.frame,
        "months": fetch(scored.months.order_by("person_key", "month")),
        "members": fetch(scored.members.order_by("person_key")),
        "sample by md5": fetch(collapse.sampled(scored.members, 7).order_by("person_key")),
        "categories": fetch(scored.categories.order_by("person_key", "month", "category")),
    }
    found |= {f"pairs of {y}": collapse.month_pairs(scored, y).frame for y in panel.OUTCOMES}
    cohort = balance.describe(scored, spec)
    return found | {"balance": cohort.balance, "organizations": cohort.organizations}


def assert_same(folder, spec) -> dict[str, pd.DataFrame]:
    with engine.session() as con:
        inputs = sources.open_inputs(con, spec, folder)
        first = everything(con, inputs, spec)
        other = second_engine.connect()
        second = everything(other, second_engine.moved(inputs, other), spec)
    assert list(first) == list(second)
    for name, frame in first.items():
        # Whole numbers may come in another width; values may not differ at all.
        pd.testing.assert_frame_equal(second[name], frame, check_exact=True, check_dtype=False, obj=name)
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
