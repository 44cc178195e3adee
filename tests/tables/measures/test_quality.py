"""Care due, gaps and days covered, by hand."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
import small_world

from medhome.study.periods import month_index
from medhome.tables.engine import session
from medhome.tables.measures.due import Lookback
from medhome.tables.measures.evaluation import collapse_measures
from medhome.tables.measures.lines import FIRST_DAY
from medhome.tables.measures.medication import days_covered
from medhome.tables.measures.years import Year, continuous, years_of

NO_STAYS = pd.DataFrame({"row": [], "admit": [], "discharge": []}, dtype="int64")


def covered(fills: list[tuple], stays: list[tuple] = (), window=(1, 100)) -> tuple[int, int, int]:
    """Days covered, days in all, fills of one person, from (day, supply, drug) and (admit, discharge)."""
    frame = pd.DataFrame([(0, f[0], f[2] if len(f) > 2 else 7, f[1]) for f in fills],
                         columns=["row", "day", "drug", "supply"])  # fmt: skip
    in_hospital = pd.DataFrame([(0, *s) for s in stays], columns=["row", "admit", "discharge"])
    found = days_covered(frame, in_hospital if len(stays) else NO_STAYS, 1, window)
    return int(found.covered[0]), int(found.days[0]), int(found.fills[0])


def test_early_fills_are_shifted_and_gaps_are_not_covered():
    assert covered([(1, 30), (31, 30)]) == (60, 100, 2)  # one after the other
    assert covered([(1, 30), (21, 30)]) == (60, 100, 2)  # ten days early: begins on day 31
    assert covered([(1, 30), (21, 30), (41, 30)]) == (90, 100, 3)  # the third on day 61
    assert covered([(1, 30), (51, 30)]) == (60, 100, 2)  # twenty days without
    assert covered([(1, 30), (21, 30), (65, 30)]) == (90, 100, 3)  # what was early is used up by day 60


def test_the_clock_starts_with_the_first_fill_and_stops_with_the_window():
    assert covered([(41, 30), (71, 90)]) == (60, 60, 2)
    assert covered([(91, 30)]) == (10, 10, 1)
    assert covered([(101, 30)]) == (0, 0, 0) and covered([(0, 30)]) == (0, 0, 0)
    assert covered([(1, 30), (1, 30)]) == (30, 100, 1)  # the same row twice
    assert covered([(5, 0)]) == (0, 0, 0)


def test_different_drugs_may_cover_the_same_day_which_counts_once():
    assert covered([(1, 30, 7), (1, 30, 8)]) == (30, 100, 1)
    assert covered([(1, 30, 7), (21, 30, 8)]) == (50, 100, 2)


def test_hospital_days_are_taken_out_and_what_was_in_hand_lasts_on():
    # Days 11 to 15 in hospital: 95 days are left, and 30 days of supply still cover 30 of them.
    assert covered([(1, 30)], [(11, 16)]) == (30, 95, 1)
    # Two fills end to end over the stay: nothing is lost, nothing gained.
    assert covered([(1, 30), (36, 30)], [(11, 16)]) == (60, 95, 2)
    # A fill in hospital begins at the discharge.
    assert covered([(12, 30)], [(11, 16)]) == (30, 85, 1)
    # A stay before the first fill, one past the window, one of no night, two that overlap.
    assert covered([(21, 30)], [(1, 11)]) == (30, 80, 1)
    assert covered([(1, 100)], [(91, 200)]) == (90, 90, 1)
    assert covered([(1, 30)], [(11, 11)]) == (30, 100, 1)
    assert covered([(1, 30)], [(11, 16), (14, 18)]) == (30, 93, 1)


def test_the_threshold_is_met_exactly():
    frame = pd.DataFrame({"row": [0, 0, 1, 1], "day": [1, 41, 1, 41], "drug": 7, "supply": [40, 40, 40, 39]})
    found = days_covered(frame, NO_STAYS, 2, (1, 100))
    assert found.covered.tolist() == [80, 79]
    assert found.reaches(0.8).tolist() == [True, False]


def test_people_are_kept_apart():
    frame = pd.DataFrame({"row": [0, 1, 1, 3], "day": [1, 1, 21, 91], "drug": 7, "supply": [30, 30, 30, 30]})
    stays = pd.DataFrame({"row": [1], "admit": [11], "discharge": [16]})
    found = days_covered(frame, stays, 4, (1, 100))
    assert found.covered.tolist() == [30, 60, 0, 10] and found.days.tolist() == [100, 95, 0, 10]


def spans(*rows: tuple[int, int, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["row", "first", "last"])


@pytest.mark.parametrize(
    ("rows", "enrolled"),
    [
        ([(0, 1, 365)], True),
        ([(0, 46, 365)], True),  # a gap of 45 days at the beginning
        ([(0, 47, 365)], False),  # of 46
        ([(0, 1, 100), (0, 146, 365)], True),
        ([(0, 1, 100), (0, 111, 200), (0, 211, 365)], False),  # two gaps
        ([(0, 1, 100), (0, 101, 200), (0, 150, 365)], True),  # touching and overlapping
        ([(0, 1, 300), (0, 50, 60), (0, 320, 365)], True),  # one inside another
        ([(0, 1, 364)], False),  # not there on the last day
        ([(0, 200, 365), (0, -50, 180)], True),
        ([], False),
    ],
)
def test_one_gap_of_45_days_is_forgiven(rows, enrolled):
    assert continuous(spans(*rows), 1, (1, 365), 1, 45).tolist() == [enrolled]


def test_years_are_whole_and_count_from_the_start():
    study = small_world.study(
        periods__baseline_first="2006-06", periods__baseline_last="2008-05", periods__start="2008-06",
        periods__through="2010-03", paid_through="2010-06",
    )  # fmt: skip
    found = [(y.first, y.period) for y in years_of(study)]
    assert found == [(month_index("2006-06"), "baseline"), (month_index("2007-06"), "baseline"),
                     (month_index("2008-06"), "performance")]  # fmt: skip
    opens = dt.date.fromordinal(Year(month_index("2007-06"), "baseline").opens - FIRST_DAY)
    assert opens == dt.date(2007, 6, 1)


def test_look_back_is_cut_alike_in_every_year():
    years = [Year(24072, "baseline"), Year(24084, "performance")]  # 2006 and 2007
    look = Lookback(reach=24060, years=years)  # claims from January 2005: a year before, two at the end
    for year in years:
        first, last = look.at_end(year, 120)
        assert last == year.closes and first == year.back(24)
        assert look.at_start(year, 120) == (Year(year.first - 12, "").opens, year.opens - 1)
        assert look.at_end(year, 12) == (year.opens, year.closes)
    assert Lookback(reach=24072, years=years).at_start(years[1], 12) is None


STUDY = {
    "measures__enabled": True, "periods__baseline_first": "2007-01", "periods__baseline_last": "2007-12",
    "periods__start": "2008-01", "periods__through": "2008-12", "paid_through": "2009-03",
}  # fmt: skip


def visit(person: str, day: str, code: str = "99213", dx: str = "V700", number: list = []) -> dict:  # noqa: B006
    number.append(1)
    return small_world.claim(f"K{len(number)}", person, day, 50, hcpcs_code=code, diagnosis_code_1=dx)


def fill(person: str, day: str, drug: str, supply: int, number: list = []) -> dict:  # noqa: B006
    number.append(1)
    return small_world.FILL | {"claim_id": f"R{len(number)}", "person_id": person, "dispensing_date": day,
                               "paid_date": day, "x_drug_class": drug, "days_supply": supply,
                               "ndc_code": "99001010010"}  # fmt: skip


LINES = [
    visit("D", "2006-01-10"),  # claims begin
    visit("T", "2007-02-01", dx="25000"), visit("T", "2007-03-01", dx="25000"),
    visit("T", "2008-05-01", "83036"),
    visit("C", "2006-05-01", dx="25000"), visit("C", "2007-05-01", dx="25000"),
    visit("C", "2006-06-01", "83036"), visit("C", "2007-06-01", "83036"),
    visit("D", "2007-01-05", dx="25000"), visit("D", "2007-02-05", dx="25000"),
    visit("D", "2008-01-05", dx="25000"),
    visit("D", "2008-03-05", "83036"),
    *(visit("D", f"{y}-{m:02d}-20", "93000") for y in (2007, 2008) for m in range(1, 13)),
]  # fmt: skip
FILLS = [
    fill("C", "2008-02-01", "antidiabetic", 30),
    *(fill("T", f"2007-{m:02d}-01", "statin", 30) for m in (1, 2, 12)),
    *(fill("T", f"2008-{m:02d}-01", "statin", 30) for m in range(1, 13)),
    *(
        fill(who, f"{y}-{m:02d}-01", "statin", 90)
        for who in "CD"
        for y in (2007, 2008)
        for m in (1, 4, 7, 10)
    ),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quality")
    listed = [small_world.attributed(who, p, "200701") for who, p in small_world.PRACTICES.items()]
    with session(threads=1) as con:
        panel = small_world.build(con, folder, LINES, fills=FILLS, listed=listed, **STUDY)
        spec = small_world.study(**STUDY)
        return collapse_measures(small_world.inputs(con, folder, spec), panel, spec, folder)


def rates(found) -> dict[str, list[tuple[float, float]]]:
    return {
        m.measure: list(m.rates[["events", "denominator"]].itertuples(index=False, name=None))
        for m in found.measures
    }


def test_diabetes_tests_due_and_given_by_hand(found):
    """T has its test in the second year only; C is ill by a fill in the second; D has it in the second."""
    assert rates(found)["diabetes_a1c"] == [(0, 1), (1, 1), (1, 2), (1, 2)]


def test_gaps_open_at_the_start_and_closed_by_hand(found):
    assert rates(found)["closed_diabetes_a1c"] == [(0, 1), (1, 1), (0, 1), (1, 1)]
    assert [m.measure for m in found.measures if m.gap] == ["closed_diabetes_a1c"]


def test_statins_by_hand(found):
    """T: 31 January fills, then none until December 2007: 90 of 365 days; monthly in 2008: 360 of 366."""
    assert rates(found)["covered_statin"] == [(0, 1), (1, 1), (2, 2), (2, 2)]


def test_measures_nobody_is_due_or_has_had_are_named(found):
    why = dict(found.unknown[["measure", "why"]].itertuples(index=False))
    assert why["well_child"].startswith("nobody to count")
    assert why["influenza"] == "no such event is on the claims of either arm"
    assert why["diabetes_eye"] == "no such event is on the claims of either arm"
    assert not set(why) & set(rates(found))


def test_shares_lie_in_the_year_s_first_month_with_members_as_weight(found):
    one = next(m for m in found.measures if m.measure == "diabetes_a1c")
    assert sorted(set(one.cells.frame["month"])) == [month_index("2007-01"), month_index("2008-01")]
    assert one.cells.member_months.sum() == 6 and one.cells.total("events").sum() == 3
    assert np.array_equal(one.organizations[["d0", "d1"]].sum().to_numpy(), [3, 3])
