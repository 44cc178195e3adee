"""Members of each kind by arm and period: by hand, and adding up to the cells."""

from __future__ import annotations

import dozen
import pytest
import small_world
from numpy.testing import assert_allclose
from small_world import claim, person

from medhome.tables import collapse, strata
from medhome.tables.engine import session


@pytest.fixture(scope="module")
def con():
    with session() as con:
        yield con


def described(panel, spec):
    scored = collapse.score(panel, {"intercept": 100.0})
    return strata.by_arm(collapse.cells(scored, spec), collapse.member_rows(panel, spec), spec)


def test_children_and_adults_by_hand(con, tmp_path):
    """T: adult, 30.00 in three months, 60.00 in two after. C: child, 40.00 and the fill of 10.00 in three
    months, then 6.00 in three. D: adult, 0.00 in three months, then 12.00 in three."""
    lines = [
        claim("t1", "T", "2008-02-10", 30.00),
        claim("t2", "T", "2008-05-10", 60.00),
        claim("c1", "C", "2008-02-10", 40.00),
        claim("c2", "C", "2008-06-10", 6.00),
        claim("d1", "D", "2008-06-10", 12.00),
    ]
    people = [
        person("T", enrollment_end_date="2008-05-31"),
        person("C", birth_date="2000-05-20"),
        person("D"),
    ]
    panel = small_world.build(con, tmp_path, lines, people)
    found = described(panel, small_world.study())
    rows = [tuple(row) for row in found.itertuples(index=False)]
    assert rows == [
        ("treated", "adults", "baseline", 1, 3.0, 1.0, 10.0),
        ("treated", "adults", "performance", 1, 2.0, 1.0, 30.0),
        ("comparison", "adults", "baseline", 1, 3.0, 0.5, 0.0),
        ("comparison", "adults", "performance", 1, 3.0, 0.5, 4.0),
        ("comparison", "children", "baseline", 1, 3.0, 0.5, pytest.approx(50 / 3)),
        ("comparison", "children", "performance", 1, 3.0, 0.5, 2.0),
    ]


def test_special_categories_are_rows_of_their_own_and_all_add_up_to_the_cells(con, tmp_path):
    tables = dozen.frames()
    tables["medical_claim"].loc[tables["medical_claim"]["claim_id"] == "V04", "diagnosis_code_1"] = "5856"
    spec = dozen.study(population__special_categories="separate", population__exposure="day_fraction")
    built = dozen.build(con, dozen.write(tmp_path, tables), spec, {"intercept": 100.0})
    found = strata.by_arm(built.cells, collapse.member_rows(built.panel, spec), spec)
    assert {"adults", "esrd"} <= set(found["stratum"])
    assert_allclose(found["member_months"].sum(), built.cells.member_months.sum())
    assert_allclose(
        (found["pmpm"] * found["member_months"]).sum(), built.cells.total("allowed_capped").sum()
    )
    assert_allclose(found.groupby(["arm", "period"])["share"].sum(), 1.0)
    first = found[found["period"] == "baseline"]
    before = built.panel.months.month < spec.periods.baseline.end
    assert first["members"].sum() == built.panel.months.filter(before).person_key.nunique().execute()
