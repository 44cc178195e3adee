"""Cost in a month without exposure: dropped as a step of its own, or kept without member-months."""

from __future__ import annotations

import pandas as pd
import pytest
import small_world
from small_world import claim, cost, person, step

from medhome.models.left_out import left_out
from medhome.tables import collapse, engine
from medhome.tables.engine import fetch

PEOPLE = [
    # No 15th of February, none from 10 March on: of the baseline January alone is exposed, then April on.
    person("T", enrollment_end_date="2008-02-10"),
    person("T", enrollment_start_date="2008-04-01"),
    person("C", enrollment_end_date="2008-04-10"),
    person("D"),
]
CLAIMS = [
    claim("T0", "T", "2008-01-10", 100),
    claim("O1", "T", "2008-02-05", 30),
    claim("O2", "T", "2008-03-20", 7),  # of March: January is as far as April, but April is another period
    claim("C0", "C", "2008-01-10", 200),
    claim("O3", "C", "2008-04-05", 11),  # C has no month of the performance period
    claim("D0", "D", "2008-05-10", 50),
    claim("U0", "unknown", "2008-05-10", 3),  # of nobody in the enrolment file
]


@pytest.fixture(params=["duckdb", "datafusion"])
def con(request):
    if request.param == "datafusion":
        pytest.importorskip("datafusion")
    with engine.session() as files:
        yield files, request.param


def build(con, folder, **changes):
    from medhome.tables import panel, second_engine

    files, name = con
    small_world.write(folder, CLAIMS, PEOPLE)
    spec = small_world.study(**changes)
    tables = small_world.inputs(files, folder, spec)
    if name == "duckdb":
        return panel.build(files, tables, spec), spec
    other = second_engine.connect()
    return panel.build(other, second_engine.moved(tables, other), spec), spec


def amounts(frame: pd.DataFrame) -> dict:
    names = ["members", "lines", "allowed_usd", "paid_usd", "kept_allowed_usd"]
    return {(r["arm"], r["period"]): tuple(r[n] for n in names) for r in frame.to_dict("records")}


def exposure(found) -> int:
    return int(fetch(found.months.aggregate(w=found.months.w.sum()))["w"].iloc[0])


def test_orphan_cost_is_dropped_and_listed(con, tmp_path):
    found, _ = build(con, tmp_path)
    assert cost(found, "T") == {"2008-01": 100}
    assert step(found, "orphan") == {
        ("treated", "baseline"): (-2, -37),
        ("comparison", "performance"): (-1, -11),
        ("none", "performance"): (-1, -3),
    }
    assert amounts(found.orphans) == {
        ("treated", "baseline"): (1, 2, 37, 29.6, 0),
        ("comparison", "performance"): (1, 1, 11, 8.8, 0),
        ("none", "performance"): (0, 1, 3, 2.4, 0),
    }


def test_kept_it_goes_to_the_nearest_month_of_the_period_without_member_months(con, tmp_path):
    """T: $100 + $30 + $7 in the one month of the baseline; C's $11 has no month of its period to go to."""
    as_dropped = exposure(build(con, tmp_path / "dropped")[0])
    found, spec = build(con, tmp_path, population__orphan_cost="keep")
    assert cost(found, "T") == {"2008-01": 137}
    assert cost(found, "C") == {"2008-01": 210}
    assert step(found, "orphan") == {
        ("treated", "baseline"): (-2, -37),
        ("comparison", "performance"): (-1, -11),
        ("none", "performance"): (-1, -3),
    }
    assert step(found, "orphan_kept") == {("treated", "baseline"): (2, 37)}
    assert step(found, "model")[("treated", "baseline")] == (3, 137)
    assert amounts(found.orphans)[("treated", "baseline")] == (1, 2, 37, 29.6, 37)
    assert amounts(found.orphans)[("comparison", "performance")][-1] == 0
    whole = found.waterfall.set_index("reason")["allowed_usd"]
    assert whole.iloc[:-1].sum() == pytest.approx(whole.iloc[-1])
    assert exposure(found) == as_dropped

    # The PMPM identity: T's one baseline month cost $100, and the cells say $137.
    scored = collapse.score(found, {"intercept": 10000.0})
    cells = collapse.cells(scored, spec).frame
    mine = cells[(cells["arm"] == "treated") & (cells["month"] < 2008 * 12 + 3)]
    assert mine["w"].sum() == 1000
    assert mine["w*allowed"].sum() / mine["w"].sum() == 13_700
    (check,) = [c for c in left_out(spec) if c.id == "orphan-cost-kept"]
    assert check.passed is False and check.front_page
    assert not [c for c in left_out(small_world.study()) if c.id == "orphan-cost-kept"]


def test_of_two_months_as_near_the_earlier_is_taken(con, tmp_path):
    files, name = con
    if name != "duckdb":
        pytest.skip("one engine is enough")
    people = [
        person("T", enrollment_end_date="2008-01-31"),
        person("T", enrollment_start_date="2008-03-01"),
        person("C"),
    ]
    claims = [claim("O1", "T", "2008-02-05", 30), claim("C0", "C", "2008-01-10", 1)]
    found = small_world.build(files, tmp_path, claims, people, population__orphan_cost="keep")
    assert cost(found, "T") == {"2008-01": 30}
