"""A world of a dozen members (dozen.txt): every PMPM to the cent, computed by hand in the comments."""

from __future__ import annotations

import pytest

from medhome.study.periods import month_index
from medhome.tables import cohort, collapse
from medhome.tables.engine import fetch

START = month_index("2008-04")

# Who counts in which months (b: January to March, p: April to June), and at what cost.
#   O1 (program): M01 6 months; b 100.00 + 400.10, p 30.05 (drug) + 120.00
#                 M02 not in January (from the 16th) nor February (to the 14th): May and June; p 75.25;
#                     50.00 of January is cost without enrolment
#                 M03 three spans that touch and overlap: 6 months; b 60.00, p 200.00
#   O2:           M04 6 months; January 300.00 stays (its void came after the cut);
#                     February 200.00 - 200.00 + 150.00; p 90.00
#                 M05 6 months; 500.00 denied; b 110.00, p 45.00 (another fill denied)
#                 M06 6 months; b 400.00 + stay of 2,500.00 that begins on 30 March; p 700.00 + 500.00
#                 M09 turns 65 in February: January only; b 130.00
#                 M12 no drug benefit until March: April to June; p 55.50
#                 M13 6 months, no cost (one visit each at P1 and P2: P2 is the later, P1 cost more)
#   O3:           M07 6 months; January's 85.00 paid four months later; b 95.00, p 35.00
#                 M08 died on 20 May: 5 months; b 240.00, p 900.00 (June's 33.00 has no month)
#                 M14 6 months; p 77.00, paid on an unknown day (visits on one day at P1 and P3: P3 cost more)
BY_HAND = {
    # organisation, period: member-months, allowed, allowed capped at 1,000 a year, paid, paid capped
    ("O1", "b"): (6, 560.10, 560.10, 80.00 + 350.00 + 48.00, 478.00),
    ("O1", "p"): (8, 425.30, 425.30, 20.00 + 96.00 + 60.20 + 180.00, 356.20),
    # M06: b 400 + 2,500 is cut at 1,000; p 700 + 500 is cut at 1,000. Paid: 320 + 2,375 is cut; 560 + 400 not
    ("O2", "b"): (13, 3590.00, 1690.00, 360.00 + 88.00 + 2695.00 + 104.00, 360.00 + 88.00 + 1000.00 + 104.00),
    ("O2", "p"): (15, 1390.50, 1190.50, 72.00 + 35.00 + 960.00 + 44.40, 1111.40),
    ("O3", "b"): (9, 335.00, 335.00, 76.00 + 192.00, 268.00),
    ("O3", "p"): (8, 1012.00, 1012.00, 28.00 + 850.00 + 61.60, 939.60),
}


def by_organization(cells):
    period = ["b" if m < START else "p" for m in cells.frame["month"]]
    return cells.relabel(period=period).by("organization_id", "period")


def test_every_pmpm_to_the_cent(dozen_built):
    merged = by_organization(dozen_built.cells)
    found = {}
    for i, key in enumerate(zip(merged.frame["organization_id"], merged.frame["period"], strict=True)):
        sums = [
            round(float(merged.total(v)[i]), 6) for v in ("allowed", "allowed_capped", "paid", "paid_capped")
        ]
        found[key] = (merged.member_months[i], *sums)
    assert found == {key: tuple(round(v, 6) for v in values) for key, values in BY_HAND.items()}
    pmpm = dict(zip(found, merged.mean("allowed_capped"), strict=True))
    assert pmpm["O1", "b"] == pytest.approx(93.35, abs=1e-12)  # 560.10 / 6
    assert pmpm["O2", "b"] == pytest.approx(130.00, abs=1e-12)  # 1,690.00 / 13
    assert pmpm["O1", "p"] == pytest.approx(53.1625, abs=1e-12)  # 425.30 / 8


def test_a_capped_year_keeps_what_each_month_adds_below_the_cap(dozen_built):
    members = dozen_built.panel.members.select("person_key", "person_id")
    months = fetch(dozen_built.panel.months.join(members, "person_key").order_by("person_id", "month"))
    m06 = months[months["person_id"] == "M06"]
    assert m06["allowed_cents"].tolist() == [40000, 0, 250000, 70000, 0, 50000]
    assert m06["allowed_capped_cents"].tolist() == [40000, 0, 60000, 70000, 0, 30000]
    others = months[months["person_id"] != "M06"]
    assert (others["allowed_capped_cents"] == others["allowed_cents"]).all()


def test_the_waterfall_follows_every_dollar(dozen_built):
    steps = dozen_built.panel.waterfall.set_index("reason")
    assert dict(zip(steps.index, zip(steps["lines"], steps["allowed_usd"], strict=True), strict=True)) == {
        "files": (58, 9917.90),
        "reversed": (3, -560.00),  # V12 60, C09 300, C11 200
        "denied": (-3, -605.00),  # V10 60, C14 500, R03 45
        "after_run_out": (-2, -150.00),  # C20 85, C23 65
        "late_reversals": (-1, 300.00),  # C09
        "duplicate": (0, 0.00),
        "replaced": (0, 0.00),  # C12 replaces C10, which C11 takes back
        "outside_months": (
            -22,
            -1100.00,
        ),  # all V but V10: 16 of 60, one of 90, one of 80, three of 10, less V12's 60
        "orphan": (-3, -95.00),  # C04 50, C26 33, C34 12 (nobody knows M99)
        "benefits": (-1, -210.00),  # C31
        "age": (-1, -140.00),  # C28
        "attributed": (-1, -20.00),  # C29: M10's one visit was denied, the other taken back
        "arm": (-1, -25.00),  # C30: P4 left the comparison before the start, and is in another program
        "above_cap": (0, -2100.00),  # M06: 1,900 in the baseline, 200 after
        "model": (26, 5212.90),
    }
    for column in ("lines", "allowed_usd", "paid_usd"):
        changes = steps[column].iloc[:-1].sum()
        assert changes == pytest.approx(steps.loc["model", column], abs=1e-9)
    assert steps.loc["model", "paid_usd"] == pytest.approx(sum(v[4] for v in BY_HAND.values()), abs=1e-9)


def test_attrition_by_rule_and_arm(dozen_built):
    frame = dozen_built.panel.attrition.frame.set_index(["rule", "arm"])
    assert list(dict.fromkeys(frame.index.get_level_values("rule"))) == [
        "enrolled",
        "benefits",
        "age",
        "attributed",
        "arm",
    ]
    assert frame.loc[("enrolled", "treated"), ["members", "member_months"]].tolist() == [3, 14]
    assert frame.loc[("enrolled", "comparison"), ["members", "member_months"]].tolist() == [9, 53]
    assert frame.loc[("benefits", "comparison"), ["members_dropped", "member_months_dropped"]].tolist() == [
        0,
        3,
    ]
    assert frame.loc[("age", "comparison"), ["member_months_dropped", "allowed_usd_dropped"]].tolist() == [
        5,
        140.00,
    ]
    assert frame.loc[
        ("attributed", "not attributed"), ["members_dropped", "allowed_usd_dropped"]
    ].tolist() == [1, 20.0]
    assert frame.loc[("arm", "excluded"), ["members", "members_dropped"]].tolist() == [0, 1]
    assert frame.loc[("arm", "treated"), ["members", "member_months"]].tolist() == [3, 14]
    assert frame.loc[("arm", "comparison"), ["members", "member_months"]].tolist() == [9, 45]


def test_who_is_attributed_where_with_which_conditions(dozen_built):
    members = fetch(dozen_built.panel.members.order_by("person_id")).set_index("person_id")
    assert members["practice_id"].to_dict() == {
        **dict.fromkeys(["M01", "M02", "M03"], "P1"),
        **dict.fromkeys(["M04", "M05", "M06", "M09", "M12", "M13"], "P2"),
        **dict.fromkeys(["M07", "M08", "M14"], "P3"),  # N3 moved from P1 (31 October: M02) to P3
    }
    assert members.loc[["M01", "M07", "M09", "M12"], "age"].tolist() == [37, 5, 64, 17]
    assert members.loc[["M01", "M07", "M09", "M12"], "band"].tolist() == [
        "F35-44",
        "F5-11",
        "M55-64",
        "F12-17",
    ]
    assert members.index[members["stratum"] == "children"].tolist() == ["M03", "M07", "M12"]
    flags = {
        c: members.index[members[c] == 1].tolist() for c in members.columns if c.startswith("condition:")
    }
    assert {c: who for c, who in flags.items() if who} == {
        "condition:diabetes": ["M01"],
        "condition:asthma": ["M03"],
        "condition:hypertension": ["M04"],
        "condition:heart_failure": ["M06"],
        "condition:copd": ["M08"],
    }


def test_expected_cost_is_rounded_once_and_the_same_in_every_month(dozen_built):
    members = fetch(dozen_built.panel.members.order_by("person_id")).set_index("person_id")
    assert members.loc["M01", "expected_cents"] == 151  # 100.4 + 50.1 = 150.5, halves up
    assert (members.drop(index="M01")["expected_cents"] == 100).all()
    merged = by_organization(dozen_built.cells)
    assert merged.total("expected")[0] == pytest.approx((3 * 151 + 3 * 100) / 100)
    # M01: 10,000 + 40,010 cents at 151; M03: 6,000 at 100
    assert int(merged.frame["w*allowed*expected"].iloc[0]) == 1000 * (50010 * 151 + 6000 * 100)
    assert int(merged.frame["w*expected*expected"].iloc[0]) == 1000 * 3 * (151**2 + 100**2)
    # M06: 40,000 and 60,000 cents in the baseline; M04 30,000 and 15,000; M05 11,000; M09 13,000
    squares = 40000**2 + 60000**2 + 30000**2 + 15000**2 + 11000**2 + 13000**2
    assert int(merged.frame["w*allowed_capped*allowed_capped"].iloc[2]) == 1000 * squares


def test_month_pairs_over_members_present_in_both(dozen_built):
    pairs = collapse.month_pairs(dozen_built.panel, "allowed_capped").frame
    pairs = pairs.set_index(["organization_id", "month_s", "month_t"])
    january, march, may, june = (month_index(f"2008-{m:02d}") for m in (1, 3, 5, 6))
    # O3 in March and June: M07 0 and 35.00, M14 0 and 0; M08 (240.00 in March) is not there in June
    assert pairs.loc[("O3", march, june)].tolist() == [2, 0, 3500, 0]
    # O3 in March and May: M08 240.00 and 900.00
    assert pairs.loc[("O3", march, may)].tolist() == [3, 24000, 90000, 24000 * 90000]
    # O2 in January with itself: M04 300, M06 400, M09 130; M05 and M13 nothing
    assert pairs.loc[("O2", january, january)].tolist() == [5, 83000, 83000, 30000**2 + 40000**2 + 13000**2]
    assert len(pairs) == 3 * 6 * 7 // 2


def test_rows_hold_a_member_and_period_each_without_identifier(dozen_built):
    rows = collapse.member_rows(dozen_built.panel, dozen_built.spec)
    assert not {"person_id", "person_key"} & set(rows.frame.columns)
    assert len(rows.frame) == 10 + 11  # M02 and M12 have no baseline, M09 no performance months
    first = rows.frame.iloc[0]  # M01, baseline
    assert first[["organization_id", "arm", "stratum", "period", "w", "allowed", "paid", "age"]].tolist() == [
        "O1",
        "treated",
        "adults",
        "baseline",
        3000,
        50010,
        43000,
        37,
    ]
    assert first[["age_sex:F35-44", "condition:diabetes", "condition:copd"]].tolist() == [1, 1, 0]
    bands = rows.frame[[t for t in rows.terms if t.startswith("age_sex:")]]
    assert (bands.sum(axis=1) == 1).all()
    for outcome in ("allowed", "allowed_capped", "paid", "paid_capped"):
        total = sum(int(v) for v in dozen_built.cells.frame[f"w*{outcome}"]) // 1000
        assert rows.frame[outcome].sum() == total
    assert rows.frame["w"].sum() == dozen_built.cells.frame["w"].sum()


def test_cost_by_kind_of_service(dozen_built):
    joined = dozen_built.panel.categories.semi_join(dozen_built.panel.months, ["person_key", "month"])
    found = fetch(
        joined.group_by("category").aggregate(cents=joined.allowed_cents.sum()).order_by("category")
    )
    assert dict(zip(found["category"], found["cents"], strict=True)) == {
        "emergency": 40010,
        "inpatient": 340000,
        "outpatient": 20000,
        "pharmacy": 7505,
        "primary_care": 731290 - 40010 - 340000 - 20000 - 7505,
    }


def test_volumes_by_arm_and_month(dozen_built):
    volumes = dozen_built.panel.volumes.set_index(["arm", "month"])
    assert volumes.loc[("treated", START - 3)].tolist() == [1, 100.00, 2.0, 2]
    assert volumes.loc[("comparison", START - 2)].tolist() == [5, 355.00, 7.0, 7]
    assert volumes["allowed_usd"].sum() == pytest.approx(7312.90)


def test_describe_balance_and_organizations(dozen_built):
    found = cohort.describe(dozen_built.panel, dozen_built.spec)
    balance = found.balance.set_index("characteristic")
    # Treated: M01 (37) and M03 (7), three months each. Comparison: M04, M05, M06, M07, M08, M13, M14 three
    # months each (48, 22, 52, 5, 57, 19, 35), M09 one (64).
    assert balance.loc["age", "treated"] == pytest.approx(22.0)
    assert balance.loc["age", "comparison"] == pytest.approx(
        (3 * (48 + 22 + 52 + 5 + 57 + 19 + 35) + 64) / 22
    )
    # 0/1 characteristics have variance m(1 - m): 0.25 and 3/22 * 19/22.
    children = balance.loc["children"]
    assert children["treated"] == pytest.approx(0.5)
    assert children["comparison"] == pytest.approx(3 / 22)
    variance = 3 / 22 * 19 / 22
    assert children["smd"] == pytest.approx((0.5 - 3 / 22) / ((0.25 + variance) / 2) ** 0.5)
    assert children["variance_ratio"] == pytest.approx(0.25 / variance)
    assert balance.loc["baseline_pmpm", "treated"] == pytest.approx(560.10 / 6)
    assert balance.loc["baseline_pmpm", "comparison"] == pytest.approx(2025.00 / 22)
    assert balance.loc["expected_pmpm", "treated"] == pytest.approx(1.255)
    assert set(balance["unit"]) == {"years", "share", "USD PMPM"}
    organizations = found.organizations.set_index("organization_id")
    assert organizations["label"].to_dict() == {"O1": "Program", "O2": "Comparison 01", "O3": "Comparison 02"}
    assert organizations.loc["O2", ["practices", "clinicians", "members"]].tolist() == [
        1,
        1,
        6,
    ]  # N5: not primary
    assert organizations.loc["O2", ["baseline_member_months", "performance_member_months"]].tolist() == [
        13,
        15,
    ]
    assert organizations.loc["O2", "baseline_pmpm"] == pytest.approx(130.00)
    assert found.members == {"treated": 3, "comparison": 9}
    assert found.member_months == {"treated": 14.0, "comparison": 45.0}
    assert found.clinicians == {"treated": 1, "comparison": 2}
    assert found.organizations_n == {"treated": 1, "comparison": 2}
