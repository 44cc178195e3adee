"""Edge cases of arms that change, each by hand in a small world (`small_world`).

The number in a test's name is that of the list of edge cases of the design's methods, section 6.
"""

from __future__ import annotations

import pytest
import small_world
import test_populations as populations_world
from small_world import claim, clinician, person

from medhome.study.periods import month_index
from medhome.study.problems import DataProblem
from medhome.tables import collapse, engine, selection


@pytest.fixture(scope="module")
def con():
    with engine.session() as con:
        yield con


def test_10_a_crossover_counts_where_it_was_attributed_and_is_shown_where_it_was_seen(con, tmp_path):
    """The payer lists T with P1 in January and with P2 from April; D from May nowhere. T costs $100 in
    February and $40 in May, C $30 in May, D $8 in April."""
    months = ("200804", "200805", "200806")
    listed = [small_world.attributed(who, practice) for who, practice in small_world.PRACTICES.items()]
    listed += [small_world.attributed(who, "P2", month) for who in "TC" for month in months]
    listed += [small_world.attributed("D", "P2", "200804")]
    lines = [("T", "02", 100), ("T", "05", 40), ("C", "05", 30), ("D", "04", 8)]
    claims = [claim(f"X{i}", who, f"2008-{m}-03", usd) for i, (who, m, usd) in enumerate(lines)]
    found = small_world.build(con, tmp_path, claims, listed=listed)
    assert small_world.cost(found, "T") == {"2008-02": 100.0, "2008-05": 40.0}
    scored = collapse.score(found, {"intercept": 100.0})
    spec = small_world.study()
    flows = selection.describe(small_world.inputs(con, tmp_path, spec), scored, spec)
    seen = flows.crossovers.set_index(["arm", "seen_in"])[["members", "member_months", "allowed_usd"]]
    assert seen.loc[("treated", "comparison")].tolist() == [1, 3.0, 40.0]
    assert seen.loc[("treated", "treated")].tolist() == [0, 0.0, 0.0]
    assert seen.loc[("comparison", "comparison")].tolist() == [2, 4.0, 38.0]
    assert seen.loc[("comparison", "not attributed")].tolist() == [1, 2.0, 0.0]
    # As treated, the program has nobody left after the start, and that is said.
    afresh = {"attribution__population": "dynamic", "attribution__freeze": "period"}
    dynamic = small_world.build(con, tmp_path / "dynamic", claims, listed=listed, **afresh)
    rows = engine.fetch(dynamic.table.filter(dynamic.table.month >= month_index("2008-04")))
    assert set(rows["arm"]) == {"comparison"}


def test_10_practices_of_both_arms_are_refused_by_name(con, tmp_path):
    roster = [*small_world.ROSTER, ("practice", "P1", "comparison"), ("practice", "P2", "program")]
    with pytest.raises(
        DataProblem, match=r"practice 'P1' is listed as .*; practice 'P2' is listed as"
    ) as told:
        small_world.build(con, tmp_path, [claim("A", "T", "2008-02-05", 1)], roster=roster)
    assert told.value.exit_code == 4


def test_11_healthy_people_without_visits_stay_in_the_denominator_of_the_market(con, tmp_path):
    """N, whom nobody saw before the baseline, has six months and $44: nowhere by attribution, of the
    program's market by home. The program's PMPM is 63 / 18 without N, and 107 / 24 with."""
    for population, dollars, months in (("intention_to_treat", 63, 18), ("market", 107, 24)):
        found = populations_world.built(con, tmp_path / population, attribution__population=population)
        rows = engine.fetch(found.table.filter(found.table.arm == "treated"))
        assert (rows["allowed_cents"].sum() / 100, len(rows)) == (dollars, months)


def test_12_a_practice_that_joins_another_demonstration_drops_out_for_those_months(con, tmp_path):
    """P2 is in another demonstration in May: C (with $50) and D lose that month; each reason is a row."""
    claims = [
        claim("A", "C", "2008-04-10", 20),
        claim("B", "C", "2008-05-10", 50),
        claim("E", "T", "2008-05-10", 9),
    ]
    out = [
        {"practice_id": "P2", "first": "2008-05", "last": "2008-05", "reason": "another demonstration"},
        {"organization_id": "O1", "first": "2008-06", "reason": "sold"},
    ]
    found = small_world.build(con, tmp_path, claims, arms__exclusions=out)
    assert small_world.cost(found, "C") == {"2008-01": 10.0, "2008-04": 20.0}
    frame = found.attrition.frame.set_index(["rule", "arm"])
    columns = ["members_dropped", "member_months_dropped", "allowed_usd_dropped"]
    assert frame.loc[("exclusion_1", "comparison"), columns].tolist() == [0, 2, 50.0]
    assert frame.loc[("exclusion_1", "treated"), columns].tolist() == [0, 0, 0.0]
    assert frame.loc[("exclusion_2", "treated"), columns].tolist() == [0, 1, 0.0]
    assert "2008-05 to 2008-05 (another demonstration)" in frame.loc[("exclusion_1", "comparison"), "label"]
    assert small_world.step(found, "exclusion_1") == {("comparison", "performance"): (-1, -50.0)}
    wrong = [{"practice_id": "P22", "first": "2008-05", "reason": "a"}]
    with pytest.raises(DataProblem, match=r"'P22' is neither in .*; did you mean 'P2'\?"):
        small_world.build(con, tmp_path / "wrong", claims, arms__exclusions=wrong)


def test_12_a_practice_that_closes_keeps_its_members_unless_they_are_attributed_afresh(con, tmp_path):
    """P2 closes on 31 January; K, who had gone there, goes to P3, of O3, in March."""
    closes = clinician("N2", "P2", "O2", effective_end_date="2008-01-31")
    changes = {
        "people": [person("S"), person("K"), person("J")],
        "claims": [
            claim("A", "S", "2007-11-05", 60),
            claim("B", "S", "2008-02-05", 60),
            claim("C", "K", "2007-11-05", 60, rendering_npi="N2"),
            claim("D", "K", "2008-03-05", 60, rendering_npi="N3"),
            # Nobody works in P2 any more: no visit that counts.
            claim("E", "J", "2007-11-05", 60, rendering_npi="N2"),
            claim("F", "J", "2008-03-05", 60, rendering_npi="N2"),
        ],
        "clinicians": [small_world.CLINICIANS[0], closes, clinician("N3", "P3", "O3")],
        "roster": [*small_world.ROSTER, ("practice", "P3", "comparison")],
    }
    assert _practices(populations_world.built(con, tmp_path / "itt", **changes)) == {
        "S": ["P1"] * 6,
        "K": ["P2"] * 6,
        "J": ["P2"] * 6,
    }
    afresh = {"attribution__population": "dynamic", "attribution__freeze": "period"}
    assert _practices(populations_world.built(con, tmp_path / "dynamic", **changes | afresh)) == {
        "S": ["P1"] * 6,
        "K": ["P2"] * 3 + ["P3"] * 3,
        "J": ["P2"] * 3,
    }


def test_12_a_practice_that_merges_keeps_its_organisation_and_arm(con, tmp_path):
    """From April P2 is O1's, and its clinician is listed there: for the study P2 stays O2's, and compared."""
    clinicians = [
        small_world.CLINICIANS[0],
        clinician("N2", "P2", "O2", effective_end_date="2008-03-31"),
        clinician("N2", "P2", "O1", effective_start_date="2008-04-01"),
        clinician("N2", "P1", "O1", effective_start_date="2008-04-01"),
    ]
    found = small_world.build(con, tmp_path, [claim("A", "T", "2008-02-05", 1)], clinicians=clinicians)
    practices = found.practices.set_index("practice_id")
    assert practices.loc["P2"].tolist() == ["O2", "comparison"]
    members = engine.fetch(found.members.order_by("person_id")).set_index("person_id")
    assert members["organization_id"].to_dict() == {"C": "O2", "D": "O2", "T": "O1"}


def test_13_a_comparison_practice_that_is_itself_recognised_can_be_left_out(con, tmp_path):
    """Of P2 (C: $20 in February, $50 in May) and P3 (D: $5) of the comparison, O2 with P2 is recognised from
    the first month: six months and $80 (with C's drugs) go, and D alone is compared."""
    claims = [
        claim("A", "C", "2008-02-10", 20),
        claim("B", "C", "2008-05-10", 50),
        claim("E", "D", "2008-05-10", 5),
    ]
    changes = {
        "clinicians": [*small_world.CLINICIANS, clinician("N3", "P3", "O3")],
        "roster": [*small_world.ROSTER, ("organization", "O3", "comparison")],
        "listed": [small_world.attributed(*pair) for pair in (("T", "P1"), ("C", "P2"), ("D", "P3"))],
        "arms__exclusions": [{"organization_id": "O2", "first": "2008-01", "reason": "recognised itself"}],
    }
    found = small_world.build(con, tmp_path, claims, **changes)
    frame = found.attrition.frame.set_index(["rule", "arm"])
    columns = ["members_dropped", "member_months_dropped", "allowed_usd_dropped"]
    assert frame.loc[("exclusion_1", "comparison"), columns].tolist() == [1, 6, 80.0]
    assert frame.loc[("exclusion_1", "comparison"), ["members", "allowed_usd"]].tolist() == [1, 5.0]
    assert engine.fetch(found.members.order_by("person_id"))["person_id"].tolist() == ["D", "T"]


def _practices(found):
    """The practice of each person by month of the study."""
    rows = engine.fetch(found.table.order_by("person_id", "month"))
    return {who: mine["practice_id"].tolist() for who, mine in rows.groupby("person_id", sort=False)}
