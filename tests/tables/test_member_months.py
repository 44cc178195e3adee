"""Exposure rules on hand-made spans, the member-months of Tuva's golden people, fractions down to cells."""

from __future__ import annotations

import dozen
import ibis
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from medhome.study.periods import month_index, month_name
from medhome.study.population_choices import EXPOSURE_RULES
from medhome.study.problems import StudyFileError
from medhome.tables import collapse, engine, member_months, panel, sources

RULES = tuple(EXPOSURE_RULES)


@pytest.fixture(scope="module")
def con():
    with engine.session() as con:
        yield con


def exposed(con, spans, months, rule, payer_types=(), death=None):
    """Months and exposures of people: spans are (person, first, last, and flags that differ from usual)."""
    usual = {"x_medical_benefit": 1, "x_pharmacy_benefit": 1, "x_capitated": 0, "payer_type": "commercial"}
    frame = pd.DataFrame(
        [
            {
                "person_id": person,
                "birth_date": "1980-01-01",
                "gender": "female",
                "state": "",
                "enrollment_start_date": first,
                "enrollment_end_date": last,
                "death_date": death,
                **usual,
                **(flags[0] if flags else {}),
            }
            for person, first, last, *flags in spans
        ]
    )
    strings = {c: "string" for c in frame.columns if not c.startswith("x_")}
    table = ibis.memtable(frame, schema=strings | {c: "int32" for c in frame.columns if c.startswith("x_")})
    table = table.mutate(**{c: table[c].cast("date") for c in frame.columns if c.endswith("_date")})
    persons = con.create_table("mm_people", member_months.people(table, dozen.study()), overwrite=True)
    looked_at = tuple(range(month_index(months[0]), month_index(months[1]) + 1))
    found = member_months.exposed(table, persons, looked_at, list(payer_types), rule)
    joined = found.join(persons.select("person_key", "person_id"), "person_key")
    return engine.fetch(joined.order_by("person_id", "month"))


def test_tuvas_golden_people_have_twelve_member_months(con):
    """A1234: 2022-01-01 to 06-15 and open from 08-10; B2468: the whole year; today is 31 January 2023.

    Any overlap counts a month, as in Tuva's core.member_months: twelve for each in 2022 (`claims.md`, 2.4).
    """
    spans = [
        ("A1234", "2022-01-01", "2022-06-15"),
        ("A1234", "2022-08-10", None),
        ("B2468", "2022-01-01", "2022-12-31"),
    ]
    year, today = ("2022-01", "2022-12"), ("2022-01", "2023-01")
    # July is not covered: eleven months of 2022, and the twelfth is January 2023, the month of "today".
    found = exposed(con, spans, today, "any_day").groupby("person_id")["w"].sum()
    assert found.to_dict() == {"A1234": 12_000, "B2468": 12_000}
    assert exposed(con, spans, year, "any_day").groupby("person_id").size().to_dict() == {
        "A1234": 11,
        "B2468": 12,
    }


@pytest.mark.parametrize(
    ("rule", "months"),
    [
        ("mid_month", {"2008-02": 1000}),
        ("first_of_month", {"2008-02": 1000, "2008-03": 1000}),
        ("any_day", {"2008-01": 1000, "2008-02": 1000, "2008-03": 1000}),
        ("full_month", {"2008-02": 1000}),
        # 16 of 31 days are 516.13 thousandths, 14 of 31 are 451.61.
        ("day_fraction", {"2008-01": 516, "2008-02": 1000, "2008-03": 452}),
    ],
)
def test_edge_case_1_enrolled_on_the_16th_gone_on_the_14th(con, rule, months):
    found = exposed(con, [("A", "2008-01-16", "2008-03-14")], ("2008-01", "2008-04"), rule)
    assert {month_name(m): w for m, w in zip(found["month"], found["w"], strict=True)} == months


@pytest.mark.parametrize("rule", RULES)
def test_overlapping_and_touching_spans_count_like_one(con, rule):
    one = [("A", "2008-01-10", "2008-04-20")]
    touching = [("A", "2008-01-10", "2008-02-09"), ("A", "2008-02-10", "2008-04-20")]
    nested = [
        ("A", "2008-01-10", "2008-04-20"),
        ("A", "2008-02-01", "2008-02-03"),
        ("A", "2008-03-05", "2008-04-01"),
    ]
    jumbled = [
        ("A", "2008-03-01", "2008-04-20"),
        ("A", "2008-01-10", "2008-03-10"),
        ("A", "2008-01-10", "2008-01-12"),
    ]
    window = ("2008-01", "2008-05")
    expected = exposed(con, one, window, rule)
    for spans in (touching, nested, jumbled):
        pd.testing.assert_frame_equal(exposed(con, spans, window, rule), expected)


def test_days_between_two_spans_do_not_count(con):
    gap = [("A", "2008-04-01", "2008-04-09"), ("A", "2008-04-19", "2008-04-24")]
    found = exposed(con, gap, ("2008-04", "2008-04"), "day_fraction")
    assert found["w"].tolist() == [500]  # 9 + 6 of 30 days
    assert exposed(con, gap, ("2008-04", "2008-04"), "full_month").empty


@pytest.mark.parametrize("rule", RULES)
def test_another_plan_and_employer_inside_a_month_is_one_month(con, rule):
    spans = [
        ("A", "2008-01-01", "2008-02-10", {"payer_type": "commercial"}),
        ("A", "2008-02-11", "2008-03-31", {"payer_type": "exchange"}),
    ]
    found = exposed(con, spans, ("2008-01", "2008-03"), rule)
    assert found["w"].tolist() == [1000, 1000, 1000]
    wanted = exposed(con, spans, ("2008-01", "2008-03"), rule, payer_types=["exchange"])["payer"].tolist()
    # February is the exchange's on the 15th and on some days, not on the first and not on every day.
    february = {"mid_month": 1, "any_day": 1, "first_of_month": 0, "full_month": 0, "day_fraction": 0}[rule]
    assert wanted == [0, february, 1]


def test_a_benefit_of_half_a_month_is_no_benefit_of_the_days(con):
    spans = [
        ("A", "2008-01-01", "2008-01-20", {"x_pharmacy_benefit": 0}),
        ("A", "2008-01-21", "2008-02-29", {"x_pharmacy_benefit": 1}),
    ]
    months = ("2008-01", "2008-02")
    assert exposed(con, spans, months, "full_month")["pharmacy"].tolist() == [0, 1]
    assert exposed(con, spans, months, "any_day")["pharmacy"].tolist() == [1, 1]
    assert exposed(con, spans, months, "mid_month")["pharmacy"].tolist() == [0, 1]
    assert exposed(con, spans, months, "day_fraction")["medical"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("rule", "months"),
    [
        ("mid_month", [1000, 1000]),
        ("full_month", [1000, 1000]),
        ("day_fraction", [1000, 69]),  # 2 of 29 days: 68.97
    ],
)
def test_nothing_counts_after_the_month_of_death(con, rule, months):
    found = exposed(con, [("A", "2008-01-01", None)], ("2008-01", "2008-06"), rule, death="2008-02-02")
    assert found["w"].tolist() == months


def test_an_unknown_rule_is_refused():
    with pytest.raises(StudyFileError, match=r"population\.exposure"):
        dozen.study(population__exposure="by_guess")


def test_fractions_reach_the_cells_exactly(con, tmp_path):
    """M02 by days: 2008-01-16 to 02-14 and from 05-01: 516 and 483 thousandths, then two whole months.

    Its claims of January and February (C04, C05 ...) count in full: cost is that of the month.
    """
    spec = dozen.study(population__exposure="day_fraction")
    folder = dozen.write(tmp_path, dozen.frames())
    built = dozen.build(con, folder, spec, {"intercept": 100.0})
    members = engine.fetch(built.panel.members.select("person_key", "person_id"))
    key = int(members.loc[members["person_id"] == "M02", "person_key"].iloc[0])
    months = engine.fetch(built.panel.months.filter(built.panel.months.person_key == key).order_by("month"))
    assert months["w"].tolist() == [516, 483, 1000, 1000]
    every = engine.fetch(built.panel.table.order_by("person_key", "month"))
    frame = built.cells.frame
    assert sum(frame["w"]) == every["w"].sum() and sum(frame["rows"]) == len(every)
    cost, w, expected = (every[c].astype(object) for c in ("allowed_capped_cents", "w", "expected_cents"))
    assert sum(frame["w*allowed_capped"]) == 1000 * sum(cost)
    assert sum(frame["w*expected"]) == sum(w * expected)
    assert sum(frame["w*expected*expected"]) == sum(w * expected * expected)
    assert sum(frame["w*allowed_capped*expected"]) == 1000 * sum(cost * expected)
    squares = sum(1_000_000 * int(c) ** 2 / int(n) for c, n in zip(cost, w, strict=True))
    assert_allclose(sum(frame["w*allowed_capped*allowed_capped"]), squares, atol=len(every))
    rows = collapse.member_rows(built.panel, spec).frame
    assert rows["w"].sum() == every["w"].sum() and rows["allowed"].sum() == every["allowed_cents"].sum()
    last = built.panel.attrition.frame.query("step == step.max()")
    assert last["member_months"].sum() == pytest.approx(every["w"].sum() / 1000, abs=1e-9)
    assert built.panel.volumes["member_months"].sum() == pytest.approx(every["w"].sum() / 1000, abs=1e-9)


@pytest.mark.parametrize("rule", RULES)
def test_the_pmpm_of_cells_is_dollars_over_member_months(con, tmp_path, rule):
    spec = dozen.study(population__exposure=rule)
    built = dozen.build(con, dozen.write(tmp_path, dozen.frames()), spec, {"intercept": 100.0})
    one = built.cells.by()
    every = engine.fetch(built.panel.months)
    dollars, months = every["allowed_capped_cents"].sum() / 100, every["w"].sum() / 1000
    assert_allclose(one.mean("allowed_capped"), [dollars / months], rtol=1e-12)
    assert built.panel.waterfall["allowed_usd"].iloc[-1] == pytest.approx(dollars)


def test_capitated_months_leave_the_denominator_when_asked(con, tmp_path):
    tables = dozen.frames()
    people = tables["eligibility"].assign(x_capitated="0")
    people.loc[people["person_id"] == "M13", "x_capitated"] = "1"
    tables["eligibility"] = people
    folder = dozen.write(tmp_path, tables)
    kept = panel.build(con, sources.open_inputs(con, dozen.study(), folder), dozen.study())
    assert "M13" in engine.fetch(kept.members)["person_id"].tolist()
    assert "claims" not in set(kept.attrition.frame["rule"])
    spec = dozen.study(population__capitated_months="drop")
    left = panel.build(con, sources.open_inputs(con, spec, folder), spec)
    assert "M13" not in engine.fetch(left.members)["person_id"].tolist()
    lost = left.attrition.frame.query("rule == 'claims'")
    assert (lost["members_dropped"].sum(), lost["member_months_dropped"].sum()) == (1, 6)
