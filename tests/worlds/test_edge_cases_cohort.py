"""Edge cases of who is compared, by hand: infants, special categories, deaths, employers, months in a row.

The worlds are those of `small_world`: T is in the program, C and D are compared.
"""

from __future__ import annotations

import pytest
import small_world
from numpy.testing import assert_allclose
from small_world import attributed, claim, clinician, person

from medhome.models.employers import without_each
from medhome.models.twfe import twfe
from medhome.study.employer_results import Employers
from medhome.study.periods import month_index
from medhome.study.problems import DataProblem
from medhome.tables import collapse
from medhome.tables.employers import employer_cells
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


HOMES = {"T": "P1", "C": "P2", "D": "P3", "E": "P4"}
GROUPS = {"C": "MILL", "D": "SHOP", "E": "FARM"}
PAIRED = [  # beside each of them one in the same practice and group who costs nothing
    person(who + twin, group_id=GROUPS.get(who)) for who in HOMES for twin in ("", "2")
]
FOUR = {
    "clinicians": [clinician(f"N{p[1]}", p, f"O{p[1]}") for p in HOMES.values()],
    "roster": [("practice", p, "program" if p == "P1" else "comparison") for p in HOMES.values()],
    "listed": [attributed(who + twin, p) for who, p in HOMES.items() for twin in ("", "2")],
}
SPENT = [
    *(claim(f"{w}b", w, "2008-02-10", usd) for w, usd in (("T", 600), ("C", 110), ("D", 60), ("E", 60))),
    *(claim(f"{w}p", w, "2008-05-10", usd) for w, usd in (("T", 300), ("C", 180), ("E", 300))),
]
BARE = {"estimation__covariates": []}


def grid_of(con, folder, people=PAIRED, lines=SPENT, **changes):
    """The effect without each employer, the effect of all, and the panel."""
    settings = {**FOUR, **BARE, "population__employer_grid": True} | changes
    built = small_world.build(con, folder, lines, people, **settings)
    own = {k: v for k, v in settings.items() if k not in FOUR}
    spec = small_world.study(**own)
    scored = collapse.score(built, {"intercept": 100.0})
    cells = collapse.cells(scored, spec)
    groups = employer_cells(small_world.inputs(con, folder, spec), scored, cells, spec)
    found = without_each(groups, cells, collapse.month_pairs(scored, "allowed_capped"), spec)
    whole = twfe(cells, "allowed_capped", (), first_post=spec.periods.performance.first)
    return found.grid, float(whole.coefficients[0])


def test_15_the_effect_without_each_employer_group(con, tmp_path):
    """Two members a practice, six member-months a period. PMPM before and after the start:

    T 600/6 = 100, 300/6 = 50: -50. C (MILL) 110 and the fill of 10: 20, 180/6 = 30: +10. D (SHOP) 60/6 = 10,
    0: -10. E (FARM) 10, 300/6 = 50: +40. All: -50 - (10 - 10 + 40)/3 = -63.33. Without MILL
    -50 - (-10 + 40)/2 = -65; without SHOP -50 - (10 + 40)/2 = -75; without FARM -50 - 0 = -50.
    """
    grid, whole = grid_of(con, tmp_path)
    assert whole == pytest.approx(-50 - 40 / 3)
    assert grid["label"].tolist() == [f"Employer group 0{n}" for n in (1, 2, 3)]  # as large: by their id
    assert grid["group_id"].tolist() == ["FARM", "MILL", "SHOP"]
    assert_allclose(grid["estimate"], [-50.0, -65.0, -75.0], rtol=1e-9)
    assert grid["members_treated"].tolist() == [0] * 3 and grid["members_comparison"].tolist() == [2] * 3
    assert_allclose(grid["member_months"], 12.0)
    assert_allclose(grid["share"], 12 / 48)
    assert (grid["lo95"] < grid["estimate"]).all() and (grid["estimate"] < grid["hi95"]).all()


def test_15_only_the_months_through_the_employer_go(con, tmp_path):
    """C moves from MILL to SHOP in April: without SHOP, C's months from April go with D and D2, whose
    practice is then empty: 12 + 3 months. What is left is what the study that excludes SHOP has."""
    moved = [p for p in PAIRED if p["person_id"] != "C"]
    moved += [
        person("C", group_id="MILL", enrollment_end_date="2008-03-31"),
        person("C", group_id="SHOP", enrollment_start_date="2008-04-01"),
    ]
    grid, _ = grid_of(con, tmp_path / "a", moved)
    shop = grid.set_index("group_id").loc["SHOP"]
    assert shop["member_months"] == 12 + 3 and shop["members_comparison"] == 3
    excluded = {"population__employer_grid": False, "population__employer_groups_excluded": ["SHOP"]}
    nothing, without = grid_of(con, tmp_path / "b", moved, **excluded)
    assert_allclose(shop["estimate"], without, rtol=1e-9)
    assert nothing.empty


def test_15_a_group_that_is_an_arm_leaves_nothing_to_tell(con, tmp_path):
    everyone = [{**p, "group_id": "MILL" if p["person_id"][0] in "TC" else "SHOP"} for p in PAIRED]
    grid, _ = grid_of(con, tmp_path, everyone)
    why = grid.set_index("group_id")["why"]
    assert "the treated arm has no member-months" in why["MILL"]
    assert why["SHOP"] == "fewer than 2 comparison organisations are left" and grid["estimate"].isna().all()
    bare, _ = grid_of(con, tmp_path / "b", [{**p, "group_id": None} for p in PAIRED])
    assert bare.empty and list(bare) == list(Employers().grid)


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
