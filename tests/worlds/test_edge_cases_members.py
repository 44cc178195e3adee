"""Edge cases of members, arms and caps, by hand in the world of the dozen (tests/tables/dozen.txt) or less.

The number in a test's name is that of the list of edge cases of the design's methods, section 6.
"""

from __future__ import annotations

import dozen
import pandas as pd
import pytest
import small_world
import test_populations as populations_world
from small_world import claim, clinician, person

from medhome.models import checks
from medhome.study.periods import month_index
from medhome.study.problems import DataProblem
from medhome.tables import collapse, engine, selection, truncation


@pytest.fixture(scope="module")
def con():
    with engine.session() as con:
        yield con


def more(tables, **cells):
    """The dozen with one more claim line: its last one with these cells changed."""
    lines = tables["medical_claim"]
    tables["medical_claim"] = pd.concat([lines, lines.iloc[[-1]].assign(**cells)], ignore_index=True)
    return tables


def built(con, folder, tables, **changes):
    dozen.write(folder, tables)
    return dozen.build(con, folder, dozen.study(**changes), {"intercept": 100.0})


def months_of(found, person):
    table = found.panel.table
    return engine.fetch(table.filter(table.person_id == person).order_by("month"))


def test_01_gone_before_the_15th_of_the_next_month_leaves_cost_and_no_month(con, tmp_path):
    """M13, enrolled 01-16 to 02-14, has C98 (70.00) on 1 February: orphan cost by mid-month, not by days."""
    tables = more(
        dozen.frames(), claim_id="C98", person_id="M13", claim_start_date="2008-02-01", allowed_amount="70.00"
    )
    people = tables["eligibility"]
    mine = people["person_id"] == "M13"
    # From 16 January to 13 February only: no 15th inside.
    people.loc[mine, "enrollment_start_date"] = "2008-01-16"
    people.loc[mine, "enrollment_end_date"] = "2008-02-14"
    found = built(con, tmp_path / "a", tables)
    assert months_of(found, "M13").empty
    # The dozen's own 95.00 of orphan cost, and 70.00.
    steps = found.panel.waterfall.set_index("reason")
    assert steps.loc["orphan", "allowed_usd"] == pytest.approx(-165.00)
    by_days = built(con, tmp_path / "b", tables, population__exposure="day_fraction")
    assert months_of(by_days, "M13")["w"].tolist() == [516, 483]  # 16 of 31 days, 14 of 29
    assert months_of(by_days, "M13")["allowed_cents"].tolist() == [0, 7000]


def test_03_a_stay_of_90000_before_a_death_on_the_second_is_kept_and_truncated(con, tmp_path):
    """M08 dies on 2 May, on that day a stay of $90,900: member and May stay, the cap of $1,000 cuts."""
    tables = dozen.frames()
    people, lines = tables["eligibility"], tables["medical_claim"]
    people.loc[people["person_id"] == "M08", "death_date"] = "2008-05-02"
    lines.loc[lines["claim_id"] == "C25", "allowed_amount"] = "90900.00"
    found = built(con, tmp_path / "a", tables)
    mine = months_of(found, "M08")
    assert mine["month"].tolist() == list(range(month_index("2008-01"), month_index("2008-05") + 1))
    assert mine["allowed_cents"].tolist()[-1] == 9_090_000
    assert mine["allowed_capped_cents"].tolist()[-1] == 100_000
    by_days = built(con, tmp_path / "b", tables, population__exposure="day_fraction")
    assert months_of(by_days, "M08")["w"].tolist() == [1000, 1000, 1000, 1000, 65]  # 2 of 31 days: 64.5


def test_10_who_moves_to_the_other_arm_stays_where_the_baseline_put_them(con, tmp_path):
    """M04 (comparison, P2) goes to the program's N1 three times after the start: the arm stays."""
    tables = dozen.frames()
    for number in range(3):
        more(
            tables,
            claim_id=f"X{number}",
            person_id="M04",
            claim_start_date=f"2008-05-0{number + 1}",
            rendering_npi="N1",
            allowed_amount="10.00",
            paid_date="2008-05-20",
        )
    mine = months_of(built(con, tmp_path, tables), "M04")
    assert set(mine["arm"]) == {"comparison"} and set(mine["practice_id"]) == {"P2"}
    assert mine.loc[mine["month"] == month_index("2008-05"), "allowed_cents"].tolist() == [3000]


def test_11_who_has_no_visits_is_shown_with_months_and_dollars(con, tmp_path, dozen_attributed):
    """Without M14's visits (V17 to V21) one more member, six months and 77.00 are "not attributed"."""
    tables = dozen.frames()
    lines = tables["medical_claim"]
    gone = lines["claim_id"].isin(["V17", "V18", "V19", "V20", "V21"])
    tables["medical_claim"] = lines[~gone].reset_index(drop=True)
    lost = unattributed(built(con, tmp_path, tables))
    before = dozen_attributed
    assert [lost[c] - before[c] for c in lost.index] == pytest.approx([1, 6, 77.00])


def unattributed(found):
    frame = found.panel.attrition.frame
    row = frame[(frame["rule"] == "attributed") & (frame["arm"] == "not attributed")].iloc[0]
    return row[["members_dropped", "member_months_dropped", "allowed_usd_dropped"]]


@pytest.fixture(scope="module")
def plain(con, tmp_path_factory):
    return built(con, tmp_path_factory.mktemp("plain"), dozen.frames())


@pytest.fixture(scope="module")
def dozen_attributed(plain):
    return unattributed(plain)


# Arms that change ------------------------------------------------------------------------------------------


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


# Benefits and caps -----------------------------------------------------------------------------------------


def test_16_a_drug_benefit_that_begins_mid_study_is_not_zero_drug_cost(plain):
    """M12 has no drug benefit until March 2008: three months leave the denominator, three stay."""
    mine = months_of(plain, "M12")
    assert mine["month"].tolist() == [month_index(m) for m in ("2008-04", "2008-05", "2008-06")]
    frame = plain.panel.attrition.frame
    lost = frame[(frame["rule"] == "benefits") & (frame["arm"] == "comparison")].iloc[0]
    assert (lost["member_months_dropped"], lost["members_dropped"]) == (3, 0)


def test_20_a_cap_that_binds_for_nobody_and_one_that_takes_more_than_5_percent(con, tmp_path, plain):
    """M06: 2,900 in the baseline and 1,200 after the start, against $1,000 a year: 1,900 and 200 above it."""
    frame = truncation.above_cap(plain.panel, plain.spec).set_index(["arm", "period"])
    assert frame["above_usd"].to_dict() == pytest.approx(
        {
            ("treated", "baseline"): 0.0,
            ("treated", "performance"): 0.0,
            ("comparison", "baseline"): 1900.0,
            ("comparison", "performance"): 200.0,
        }
    )
    assert frame["members_above"].tolist() == [0, 0, 1, 1]
    (check,) = checks._cap(plain.cells, plain.spec)
    assert (
        check.passed is False
        and check.front_page
        and "0.0% of allowed dollars in the treated" in check.sentence
    )
    high = built(con, tmp_path, dozen.frames(), outcomes__cap_usd_per_year=1_000_000)
    assert (truncation.above_cap(high.panel, high.spec)["members_above"] == 0).all()
    (check,) = checks._cap(high.cells, high.spec)
    assert check.passed is True
