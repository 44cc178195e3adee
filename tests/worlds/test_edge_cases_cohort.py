"""Edge cases of who is compared, by hand: infants, special categories, deaths, employers, months in a row.

The worlds are those of `small_world`: T is in the program, C and D are compared.
"""

from __future__ import annotations

import pytest
import small_world
from small_world import claim, person

from medhome.study.periods import month_index
from medhome.study.problems import DataProblem
from medhome.tables.engine import fetch, session


@pytest.fixture(scope="module")
def con():
    with session() as con:
        yield con


def lost(found, rule: str) -> dict[str, tuple[int, float, float]]:
    """Members, member-months and dollars that a rule took, by arm, where it took any."""
    frame = found.attrition.frame
    rows = frame[(frame["rule"] == rule) & (frame["member_months_dropped"] > 0)]
    return {
        r.arm: (r.members_dropped, r.member_months_dropped, r.allowed_usd_dropped) for r in rows.itertuples()
    }


def months_of(found, who: str) -> list[str]:
    mine = found.members.filter(found.members.person_id == who)
    rows = fetch(found.months.semi_join(mine, "person_key").order_by("month"))
    return [f"{m // 12}-{m % 12 + 1:02d}" for m in rows["month"]]


def stratum(found, who: str) -> str:
    return fetch(found.members.filter(found.members.person_id == who))["stratum"].iloc[0]


LINES = [
    claim("t1", "T", "2008-02-10", 100.00),
    claim("c1", "C", "2008-02-10", 40.00),
    claim("c2", "C", "2008-05-10", 60.00),
    claim("d1", "D", "2008-05-10", 7.00),
]
BABY = [person("T"), person("C", birth_date="2007-05-20"), person("D", birth_date="2003-05-20")]


def test_infants_are_a_stratum_and_stay_in_it(con, tmp_path):
    """C is 7 months old in January 2008 and 12 in May: an infant throughout, as strata are frozen."""
    found = small_world.build(con, tmp_path, LINES, BABY)
    assert [stratum(found, who) for who in "TCD"] == ["adults", "infants", "children"]
    assert len(months_of(found, "C")) == 6
    as_child = small_world.build(con, tmp_path / "b", LINES, BABY, population__infants="children")
    assert [stratum(as_child, who) for who in "TCD"] == ["adults", "children", "children"]


def test_infants_left_out_leave_month_by_month_as_they_age(con, tmp_path):
    """C turns 1 in May: January to April go (4 months, 40.00 and the fill of 10.00), May and June stay."""
    found = small_world.build(con, tmp_path, LINES, BABY, population__infants="exclude")
    assert months_of(found, "C") == ["2008-05", "2008-06"]
    assert lost(found, "infants") == {"comparison": (0, 4, 50.00)}
    assert small_world.cost(found, "C") == {"2008-05": 60.00}


SPECIAL = [
    *LINES,
    claim("x1", "C", "2007-11-10", 500.00, diagnosis_code_1="5856"),
    claim("x2", "D", "2007-11-11", 900.00, bill_type_code="811", claim_type="institutional"),
]


def test_special_categories_are_known_before_the_baseline_and_kept_by_default(con, tmp_path):
    kept = small_world.build(con, tmp_path / "a", SPECIAL)
    assert [stratum(kept, who) for who in "TCD"] == ["adults"] * 3
    apart = small_world.build(con, tmp_path / "b", SPECIAL, population__special_categories="separate")
    assert [stratum(apart, who) for who in "TCD"] == ["adults", "esrd", "hospice"]
    assert {"special:esrd", "special:hospice"} <= set(apart.terms)
    later = [*LINES, claim("x1", "C", "2008-01-10", 500.00, diagnosis_code_1="5856")]
    after = small_world.build(con, tmp_path / "c", later, population__special_categories="separate")
    assert stratum(after, "C") == "adults"  # it began in the baseline: nobody is moved by it


def test_special_categories_left_out_take_members_months_and_dollars(con, tmp_path):
    """D in hospice: one member, six months, 7.00. A void of C's only code takes the category back."""
    back = small_world.void("x3", SPECIAL[-2], "2007-12-20")
    out = small_world.build(con, tmp_path, [*SPECIAL, back], population__special_categories="exclude")
    assert lost(out, "special_categories") == {"comparison": (1, 6, 7.00)}
    assert months_of(out, "D") == []


def test_special_categories_by_columns_of_enrolment(con, tmp_path):
    """Medicare status 11 (aged with ESRD) for T and 10 for C; D's hospice flag began in the baseline."""
    people = [
        person("T", medicare_status_code="11", hospice_flag=0),
        person("C", medicare_status_code="10", hospice_flag=0),
        person("D", medicare_status_code="10", hospice_flag=0, enrollment_end_date="2008-02-29"),
        person("D", medicare_status_code="10", hospice_flag=1, enrollment_start_date="2008-03-01"),
    ]
    apart = small_world.build(con, tmp_path, LINES, people, population__special_categories="separate")
    assert [stratum(apart, who) for who in "TCD"] == ["esrd", "adults", "adults"]


DEAD = [person("T"), person("C", death_date="2008-05-02"), person("D")]


def test_03_the_dead_are_kept_to_the_month_of_death_and_not_annualised(con, tmp_path):
    """C dies on 2 May after a stay of 90,000.00: five months, 90,050.00 in all, 18,010.00 a month."""
    lines = [*LINES[:2], claim("c9", "C", "2008-05-01", 90_000.00)]
    found = small_world.build(con, tmp_path, lines, DEAD)
    assert months_of(found, "C") == [f"2008-0{m}" for m in range(1, 6)]
    spent = small_world.cost(found, "C")
    assert sum(spent.values()) == 90_050.00 and sum(spent.values()) / 5 == 18_010.00


def test_decedents_left_out_are_a_labelled_sensitivity(con, tmp_path):
    """C dies in May: the member's five months, 40.00 + 60.00 and the fill of 10.00 go; nobody else does."""
    found = small_world.build(con, tmp_path, LINES, DEAD, population__decedents="exclude")
    assert lost(found, "decedents") == {"comparison": (1, 5, 110.00)}
    frame = found.attrition.frame
    label = frame.loc[frame["rule"] == "decedents", "label"].iloc[0]
    assert label == "Alive through 2008-06 (sensitivity)"
    later = [person("T"), person("C", death_date="2008-07-02"), person("D")]
    after = small_world.build(con, tmp_path / "b", LINES, later, population__decedents="exclude")
    assert lost(after, "decedents") == {}


WORK = [
    person("T", group_id="MILL"),
    person("C", group_id="MILL", enrollment_end_date="2008-03-31"),
    person("C", group_id="SHOP", enrollment_start_date="2008-04-01"),
    person("D", group_id="SHOP"),
]


def test_15_a_benefit_change_of_one_employer_can_be_left_out(con, tmp_path):
    """SHOP turns to a high deductible in April: C's cost falls from 40.00 to 0.00 there, D's from 30.00.

    With SHOP the comparison falls by (50 + 30) / 6 - 0 / 6 = 13.33 PMPM; without it C's baseline stays
    alone, with 50.00 in three months, and C's months in SHOP and D leave: 3 + 6 months, 30.00.
    """
    lines = [LINES[0], LINES[1], claim("d1", "D", "2008-02-10", 30.00)]
    whole = small_world.build(con, tmp_path / "a", lines, WORK)
    spent = sum(sum(small_world.cost(whole, who).values()) for who in "CD")
    assert spent / 6 == pytest.approx(80.00 / 6)
    out = small_world.build(con, tmp_path / "b", lines, WORK, population__employer_groups_excluded=["SHOP"])
    assert lost(out, "employer_groups") == {"comparison": (1, 9, 30.00)}
    assert months_of(out, "C") == ["2008-01", "2008-02", "2008-03"]
    assert sum(small_world.cost(out, "C").values()) / 3 == pytest.approx(50.00 / 3)


def test_15_an_employer_group_that_nobody_has_is_refused(con, tmp_path):
    with pytest.raises(DataProblem, match=r"group_id: no row has 'SHIP'; correct population\.employer_"):
        small_world.build(con, tmp_path, LINES, WORK, population__employer_groups_excluded=["SHIP", "MILL"])


BROKEN = [
    person("T"),
    person("C", enrollment_end_date="2008-02-29"),
    person("C", enrollment_start_date="2008-04-01"),
    person("D", enrollment_end_date="2008-04-30"),
]


@pytest.mark.parametrize(("rule", "left"), [("total", "TCD"), ("continuous", "TD")])
def test_months_in_a_row_are_not_months_in_all(con, tmp_path, rule, left):
    """C has 2 + 3 months with a gap in March, D four in a row: in all, both have four; in a row, D."""
    found = small_world.build(
        con, tmp_path, LINES, BROKEN, population__min_months=4, population__min_months_rule=rule
    )
    assert "".join(who for who in "TCD" if months_of(found, who)) == left
    taken = {} if rule == "total" else {"comparison": (1, 5, 110.00)}
    assert lost(found, "min_months") == taken


def test_months_in_a_row_go_on_over_the_washout(con, tmp_path):
    """April and May are washed out: January to March and June are four in a row."""
    found = small_world.build(
        con,
        tmp_path,
        LINES,
        population__min_months=4,
        population__min_months_rule="continuous",
        periods__washout_months=2,
    )
    assert months_of(found, "C") == ["2008-01", "2008-02", "2008-03", "2008-06"]
    assert month_index("2008-06") == found.months.month.max().execute()
