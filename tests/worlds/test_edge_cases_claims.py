"""The edge cases of claims, each by its number in the list of methods, with the arithmetic beside it."""

from __future__ import annotations

import pandas as pd
import pytest
import small_world
from small_world import build, claim, cost, person, step, void

from medhome.study.problems import StudyFileError
from medhome.tables import engine, waterfall

PEOPLE = [claim("T0", "T", "2008-01-10", 100), claim("C0", "C", "2008-01-10", 100)]


@pytest.fixture(scope="module")
def con():
    with engine.session() as con:
        yield con


def test_case_02_newborn_cost_on_the_mothers_claim_stays_with_her(con, tmp_path):
    birth = claim(
        "B1",
        "T",
        "2008-02-10",
        9000,
        claim_type="institutional",
        bill_type_code="111",
        admission_date="2008-02-10",
        discharge_date="2008-02-12",
        claim_end_date="2008-02-12",
    )
    visit = claim("B2", "N", "2008-03-20", 100)
    people = [person(p) for p in ("T", "C", "D")]
    people.append(person("N", birth_date="2008-02-10", enrollment_start_date="2008-03-01"))
    found = build(con, tmp_path, [*PEOPLE, birth, visit], people)
    assert cost(found, "T") == {"2008-01": 100, "2008-02": 9000}
    # The child's own number comes later; it was in no practice before the baseline.
    assert step(found, "attributed") == {("none", "baseline"): (-1, -100)}


STAY = claim(
    "S1",
    "T",
    "2008-03-28",
    7000.10,
    claim_type="institutional",
    bill_type_code="111",
    admission_date="2008-03-28",
    discharge_date="2008-04-04",
    claim_end_date="2008-04-04",
    paid_date="2008-04-28",
)


def test_case_04_a_stay_over_the_start_counts_in_the_month_of_admission(con, tmp_path):
    found = build(con, tmp_path, [*PEOPLE, STAY])
    assert cost(found, "T") == {"2008-01": 100, "2008-03": 7000.10}
    assert step(found, "files")[("treated", "baseline")] == (2, 7100.10)


def test_case_04_a_stay_split_by_day_is_one_admission_and_adds_up(con, tmp_path):
    found = build(con, tmp_path / "a", [*PEOPLE, STAY], claims__stays="split_by_day")
    # Nights of 28, 29, 30, 31 March and of 1, 2, 3 April: 700,010 cents * 4 // 7 = 400,005
    assert cost(found, "T") == {"2008-01": 100, "2008-03": 4000.05, "2008-04": 3000.05}
    assert step(found, "files") == {
        ("treated", "baseline"): (2, 4100.05),
        ("treated", "performance"): (0, 3000.05),  # the line, and so the admission, is March's
        ("comparison", "baseline"): (2, 110),
    }
    undone = build(
        con, tmp_path / "b", [*PEOPLE, STAY, void("S1V", STAY, "2008-05-28")], claims__stays="split_by_day"
    )
    assert cost(undone, "T") == {"2008-01": 100}


def test_case_05_reversal_after_the_cut(con, tmp_path):
    taken_back = void("T0V", PEOPLE[0], "2008-05-05")  # January + 3 months of run-out end in April
    found = build(con, tmp_path / "a", [*PEOPLE, taken_back])
    assert cost(found, "T") == {"2008-01": 100}
    assert step(found, "late_reversals") == {("treated", "baseline"): (-1, 100)}  # the known overstatement
    in_time = build(con, tmp_path / "b", [*PEOPLE, taken_back | {"paid_date": "2008-04-30"}])
    assert cost(in_time, "T") == {}
    assert step(in_time, "reversed") == {("treated", "baseline"): (1, -100)}


def test_case_06_a_reversal_is_dated_to_the_month_that_it_takes_back(con, tmp_path):
    dated = void("T0V", PEOPLE[0], "2008-03-05", claim_start_date="2008-03-05", claim_end_date="2008-03-05")
    found = build(con, tmp_path / "a", [*PEOPLE, dated])
    assert cost(found, "T") == {}  # not 100 in January and -100 in March
    # Lateness counts from the original month: April's payment is in time for January, May's is late.
    late = build(con, tmp_path / "b", [*PEOPLE, dated | {"paid_date": "2008-05-02"}])
    assert cost(late, "T") == {"2008-01": 100}


def test_case_06_a_practice_month_may_be_negative(con, tmp_path):
    refund = void(
        "R1", claim("?", "T", "2008-02-10", 70), "2008-02-28", x_adjusts_claim_id="not-in-the-files"
    )
    found = build(con, tmp_path, [*PEOPLE, refund])
    assert cost(found, "T") == {"2008-01": 100, "2008-02": -70}  # T is all of practice P1
    assert step(found, "model")[("treated", "baseline")] == (2, 30)


def test_case_07_lines_that_differ_only_in_the_paid_date_count_once(con, tmp_path):
    first = claim("A1", "T", "2008-02-11", 60, paid_date="2008-02-20")
    again = first | {"claim_id": "A2", "paid_date": "2008-03-20"}
    third = first | {"claim_id": "A3", "paid_date": "2008-04-20"}
    other_service = again | {"claim_id": "A4", "hcpcs_code": "99214"}
    same_payment = first | {"claim_id": "A5"}  # two services of one day, paid together
    claims = [*PEOPLE, first, again, third, other_service, same_payment]
    found = build(con, tmp_path / "drop", claims)
    assert step(found, "duplicate") == {("treated", "baseline"): (-2, -120)}
    assert cost(found, "T") == {"2008-01": 100, "2008-02": 180}
    kept = build(con, tmp_path / "keep", claims, claims__duplicates="keep")
    assert step(kept, "duplicate") == {}
    assert cost(kept, "T") == {"2008-01": 100, "2008-02": 300}


def test_case_07_billed_taken_back_and_billed_again_is_no_duplicate(con, tmp_path):
    first = claim("A1", "T", "2008-02-11", 60, paid_date="2008-02-20")
    again = first | {"claim_id": "A2", "paid_date": "2008-03-20"}
    found = build(con, tmp_path, [*PEOPLE, first, void("A1V", first, "2008-03-01"), again])
    assert cost(found, "T") == {"2008-01": 100, "2008-02": 60}
    assert step(found, "duplicate") == {}


def replacing(claim_id: str, target: str, allowed: float, paid_date: str) -> dict:
    return claim(
        claim_id,
        "T",
        "2008-02-11",
        allowed,
        paid_date=paid_date,
        x_adjustment_type="replacement",
        x_adjusts_claim_id=target,
    )


def test_the_last_adjustment_paid_by_the_cut_stands(con, tmp_path):
    first = claim("A1", "T", "2008-02-11", 60, paid_date="2008-02-20")
    second = replacing("A2", "A1", 50, "2008-03-10")
    third = replacing("A3", "A2", 40, "2008-04-10")
    beside = replacing("A3", "A1", 40, "2008-04-10")  # both name the original
    late = replacing("A4", "A3", 30, "2008-06-01")  # February + 3 months end in May
    for number, claims in enumerate(([third], [beside], [third, late])):
        found = build(con, tmp_path / str(number), [*PEOPLE, first, second, *claims])
        assert cost(found, "T") == {"2008-01": 100, "2008-02": 40}
        assert step(found, "replaced") == {("treated", "baseline"): (-2, -110)}
    with_void = build(con, tmp_path / "void", [*PEOPLE, first, void("A1V", first, "2008-03-10"), second])
    assert cost(with_void, "T") == {"2008-01": 100, "2008-02": 50}
    assert step(with_void, "replaced") == {}


DENIED = claim("Z1", "T", "2008-02-12", 0, x_claim_status="denied")
ENCOUNTER = claim("Z2", "T", "2008-02-13", 0, x_capitated=1)
PRICED = claim("Z3", "T", "2008-05-13", 55, x_capitated=1)


def test_case_08_a_denied_line_is_not_a_capitated_encounter(con, tmp_path):
    found = build(con, tmp_path, [*PEOPLE, DENIED, ENCOUNTER, PRICED])
    assert step(found, "denied") == {("treated", "baseline"): (-1, 0)}
    shares = found.encounters.set_index(["arm", "period"])
    # Treated, baseline: T0 and the encounter; the denied line is none. After: the encounter with a price.
    assert shares.loc[("treated", "baseline"), ["lines", "zero_lines", "zero_share"]].tolist() == [2, 1, 0.5]
    assert shares.loc[("treated", "performance"), ["lines", "zero_lines"]].tolist() == [1, 0]
    assert shares.loc[("comparison", "baseline"), ["lines", "zero_lines"]].tolist() == [1, 0]


def test_case_08_rules_on_capitation(con, tmp_path):
    other = claim("C1", "C", "2008-03-05", 60, rendering_npi="N2")
    claims = [*PEOPLE, other, DENIED, ENCOUNTER | {"service_unit_quantity": 2}, PRICED]
    as_paid = build(con, tmp_path / "0", claims)
    assert cost(as_paid, "T") == {"2008-01": 100, "2008-05": 55}
    assert "capitation" not in set(as_paid.reconciliation["reason"])
    priced = build(con, tmp_path / "1", claims, claims__capitation="shadow_price")
    # 99213 of both arms in the baseline: (100 + 100 + 60) / 3 = 86.666..., two units 173.33
    assert cost(priced, "T") == {"2008-01": 100, "2008-02": 173.33, "2008-05": 55}
    assert step(priced, "capitation") == {("treated", "baseline"): (0, 173.33)}
    without = build(con, tmp_path / "2", claims, claims__capitation="exclude")
    assert cost(without, "T") == {"2008-01": 100}
    assert step(without, "capitation") == {
        ("treated", "baseline"): (-1, 0),
        ("treated", "performance"): (-1, -55),
    }
    people = [person("T", x_capitated=1), person("C", x_capitated=0), person("D", x_capitated=0)]
    people[0]["enrollment_end_date"] = "2008-05-14"  # not there on 15 May
    paid = build(
        con,
        tmp_path / "3",
        claims,
        people,
        claims__capitation="add_payment",
        claims__capitation_pmpm_usd=40.0,
    )
    assert cost(paid, "T") == {"2008-01": 140, "2008-02": 40, "2008-03": 40, "2008-04": 40}
    assert step(paid, "capitation")[("treated", "performance")] == (-1, 40 - 55)
    with pytest.raises(StudyFileError, match="needs capitation_pmpm_usd"):
        small_world.study(claims__capitation="add_payment")
    with pytest.raises(StudyFileError, match="counts only where"):
        small_world.study(claims__capitation_pmpm_usd=40.0)


def test_case_09_months_from_65_leave_where_medicare_pays_first(con, tmp_path):
    people = [person("T", birth_date="1943-03-20"), person("C"), person("D")]
    claims = [
        *PEOPLE,
        claim("A1", "T", "2008-02-11", 60),
        claim("A2", "T", "2008-03-01", 12),
        claim("A3", "T", "2008-05-11", -5),
    ]  # what is left after Medicare, and a recovery
    found = build(con, tmp_path, claims, people)
    assert cost(found, "T") == {"2008-01": 100, "2008-02": 60}  # 65 in March: that month has left
    assert step(found, "age") == {
        ("treated", "baseline"): (-1, -12),
        ("treated", "performance"): (-1, 5),
    }


def test_case_14_a_fee_schedule_change_is_price_and_not_quantity(con, tmp_path):
    claims = [
        *[claim(f"T{m}", "T", f"2008-0{m}-10", 100 if m < 4 else 125) for m in range(1, 7)],
        *[claim(f"C{m}", "C", f"2008-0{m}-10", 100, rendering_npi="N2") for m in range(1, 7)],
        *[claim(f"D{m}", "C", f"2008-0{m}-20", 100, rendering_npi="N2") for m in range(4, 7)],
    ]
    found = build(con, tmp_path, claims, claims__prices=True).prices.set_index(["arm", "category"])
    treated, compared = found.loc[("treated", "primary_care")], found.loc[("comparison", "primary_care")]
    # T: one visit a month at 100, then at 125. C and D: 3 visits in 6 member-months, then 6, all at 100.
    assert treated[["baseline_pmpm", "performance_pmpm"]].tolist() == [100, 125]
    assert treated[["quantity_pmpm", "price_pmpm"]].tolist() == pytest.approx([0, 25])
    assert treated["standardised_performance_pmpm"] - treated["standardised_baseline_pmpm"] == pytest.approx(
        0
    )
    assert compared[["quantity_pmpm", "price_pmpm"]].tolist() == pytest.approx([50, 0])
    whole = found.loc[("comparison", "all")]  # and the fill of January, 10 in 6 member-months, which ends
    assert whole["change_pmpm"] == pytest.approx(50 - 10 / 6)
    orderings = (
        ("quantity_at_baseline_prices_pmpm", "price_at_performance_quantities_pmpm"),
        ("quantity_at_performance_prices_pmpm", "price_at_baseline_quantities_pmpm"),
    )
    for quantity, price in orderings:
        assert (found[quantity] + found[price]).tolist() == pytest.approx(found["change_pmpm"].tolist())


def test_totals_repeated_on_lines_count_once_where_the_study_says_so(con, tmp_path):
    lines = [
        claim("H1", "T", "2008-02-11", 90, claim_line_number=n, charge_amount="150.00") for n in (1, 2, 3)
    ]
    own = [claim("H2", "T", "2008-02-12", a, claim_line_number=n) for n, a in ((1, 30), (2, 20))]
    single = claim("H3", "T", "2008-02-13", 11)
    claims = [*PEOPLE, *lines, *own, single]
    assert cost(build(con, tmp_path / "a", claims), "T")["2008-02"] == 270 + 50 + 11
    found = build(con, tmp_path / "b", claims, claims__header_amounts="header")
    assert cost(found, "T")["2008-02"] == 90 + 50 + 11
    assert step(found, "header") == {("treated", "baseline"): (-2, -180)}


def test_the_reconciliation_places_every_dollar_by_arm_and_period(con, tmp_path):
    claims = [
        *PEOPLE,
        claim("A1", "T", "2007-12-10", 11),  # before the baseline
        claim("A2", "T", "2008-07-10", 12),  # later than the last month analysed
        claim("A3", "T", "2008-04-10", 13),  # in the washout below
        claim("A4", "T", "2008-05-10", 14, paid_date="2008-09-10"),  # four months after May
        claim("A5", "X", "2008-05-10", 15),  # in no enrolment span
        claim("A6", "E", "2008-05-10", 16),  # in no practice
        claim("A7", "C", "2008-05-10", 17, x_claim_status="denied"),
        claim("A8", "D", "2008-06-10", 1800),
        claim("A9", "D", "2008-06-20", 700),
    ]
    people = [person("T"), person("C"), person("D", enrollment_end_date="2008-06-30"), person("E")]
    found = build(con, tmp_path, claims, people, periods__washout_months=1, outcomes__cap_usd_per_year=2000)
    steps = {r: step(found, r) for r in dict.fromkeys(found.reconciliation["reason"])}
    assert {r: s for r, s in steps.items() if s and r not in ("files", "model")} == {
        "denied": {("comparison", "performance"): (-1, -17)},
        "after_run_out": {("treated", "performance"): (-1, -14)},
        "outside_months": {
            ("treated", "before"): (-1, -11),
            ("treated", "washout"): (-1, -13),
            ("treated", "later"): (-1, -12),
        },
        "orphan": {("none", "performance"): (-1, -15)},
        "attributed": {("none", "performance"): (-1, -16)},
        "above_cap": {("comparison", "performance"): (0, -500)},
    }
    assert steps["model"] == {
        ("treated", "baseline"): (1, 100),
        ("comparison", "baseline"): (2, 110),
        ("comparison", "performance"): (2, 2000),
    }
    frame = found.reconciliation
    for _column, rows in frame.groupby(["arm", "period"]):
        cents = (rows[["allowed_usd", "paid_usd"]] * 100).round().astype("int64")
        assert cents.iloc[:-1].sum().tolist() == cents.iloc[-1].tolist()
        assert rows["lines"].iloc[:-1].sum() == rows["lines"].iloc[-1]
    whole = found.waterfall.set_index("reason")["allowed_usd"]
    assert whole.iloc[0] == pytest.approx(sum(float(c["allowed_amount"]) for c in claims) + 10)
    assert whole.iloc[:-1].sum() == pytest.approx(whole.iloc[-1])
    people_in = frame.drop_duplicates(["arm", "period"]).set_index(["arm", "period"])["members"]
    assert people_in[("comparison", "performance")] == 2 and people_in[("none", "performance")] == 1


def test_a_reconciliation_that_does_not_add_up_stops_the_run(con, tmp_path, monkeypatch):
    real = waterfall._by_column

    def one_cent_more(table, arms, spec, key, amounts):
        found = real(table, arms, spec, key, amounts)
        return found if key else found.assign(paid_cents=found["paid_cents"] + 1)

    monkeypatch.setattr(waterfall, "_by_column", one_cent_more)
    with pytest.raises(AssertionError, match="do not add up"):
        build(con, tmp_path, PEOPLE)


def test_a_joined_row_that_counts_twice_stops_the_run(con, tmp_path, monkeypatch):
    real = waterfall._fetched_ledger

    def doubled(booked, arms, spec):
        found = real(booked, arms, spec)
        return pd.concat([found, found.tail(1).assign(disposition="denied")], ignore_index=True)

    monkeypatch.setattr(waterfall, "_fetched_ledger", doubled)
    with pytest.raises(AssertionError, match="but the files hold"):
        build(con, tmp_path, PEOPLE)


def test_a_study_may_bring_its_own_service_categories(con, tmp_path):
    own = (
        {"category": "visits", "claim_type": "professional", "column": "hcpcs_code", "code_prefix": "9921"},
    )
    found = build(
        con,
        tmp_path,
        [*PEOPLE, claim("A1", "T", "2008-02-01", 5, hcpcs_code="73610")],
        claims__service_categories="own.csv",
        claims__service_rules=own,
    )
    rows = engine.fetch(found.categories.group_by("category").aggregate(n=found.categories.lines.sum()))
    assert dict(zip(rows["category"], rows["n"], strict=True)) == {"visits": 2, "other": 1, "pharmacy": 1}
    wrong = ({"category": "visits", "claim_type": "", "column": "allowed_cents", "code_prefix": "9"},)
    with pytest.raises(StudyFileError, match=r"own.csv: column 'allowed_cents' is no code"):
        build(con, tmp_path / "b", PEOPLE, claims__service_categories="own.csv", claims__service_rules=wrong)


def test_the_month_of_a_claim_is_that_in_which_it_began_ended_or_was_paid(con, tmp_path):
    visit = claim("W1", "T", "2008-02-27", 66, claim_end_date="2008-03-02", paid_date="2008-05-10")
    taken_back = void("T0V", PEOPLE[0], "2008-04-20")
    claims = [*PEOPLE, STAY, visit, taken_back]
    began = build(con, tmp_path / "start", claims)
    assert cost(began, "T") == {"2008-02": 66, "2008-03": 7000.10}
    ended = build(con, tmp_path / "end", claims, claims__claims_month="end")
    assert cost(ended, "T") == {"2008-03": 66, "2008-04": 7000.10}  # discharged on 4 April
    booked = build(con, tmp_path / "paid", claims, claims__claims_month="paid")
    # STAY was paid on 28 April, the void of January's visit booked on the 20th, W1 paid in May.
    assert cost(booked, "T") == {"2008-01": 100, "2008-04": 6900.10, "2008-05": 66}
    with pytest.raises(StudyFileError, match='claims_month must be "start"'):
        small_world.study(claims__stays="split_by_day", claims__claims_month="end")
