"""Edge cases of members, arms and caps, each by hand in the world of the dozen (tests/tables/dozen.txt).

The number in a test's name is that of the list of edge cases of the design's methods, section 6.
"""

from __future__ import annotations

import dozen
import pandas as pd
import pytest

from medhome.models import checks
from medhome.study.periods import month_index
from medhome.tables import engine, truncation


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
