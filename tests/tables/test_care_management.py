"""Care management from events, by hand: seven members of two practices, and every event that does not fit."""

from __future__ import annotations

from types import SimpleNamespace

import dozen
import ibis
import numpy as np
import pandas as pd
import pytest
import tiny_world as tiny

from medhome.study.care_management_choices import CareManagementChoices
from medhome.study.periods import month_index
from medhome.tables import checks, sources
from medhome.tables.care_management import describe, waits
from medhome.tables.engine import session

APRIL = month_index("2008-04")
LABELS = {("O1", "treated"): "Program"}
# person_key, person, practice, arm, expected cents, months from April on. E moves from P2 to P1 in May.
MEMBERS = [
    (1, "A", "P1", "treated", 10_000, (0, 1, 2)),
    (2, "B", "P1", "treated", 20_000, (0,)),
    (3, "C", "P1", "treated", 30_000, (0, 1, 2)),
    (4, "D", "P1", "treated", 40_000, (2,)),
    (5, "E", "P2", "treated", 50_000, (0,)),
    (6, "F", "P2", "treated", 60_000, (0, 1, 2)),
    (7, "G", "X1", "comparison", 70_000, (0, 1, 2)),
    (8, "E", "P1", "treated", 50_000, (1, 2)),
]
EVENTS = [
    ("A", "2008-03-20", "identified", None),  # lists are drawn before the start
    ("A", "2008-04-10", "reached", 5.0),
    ("A", "2008-05-02", "engaged", 30.0),
    ("A", "2008-05-20", "contact", 20.0),
    ("A", "2008-06-03", "contact", -5.0),  # minutes below zero are not summed
    ("A", "2008-06-03", "contact", -5.0),  # the same row again
    ("B", "2008-04-05", "identified", None),
    ("B", "2008-04-20", "contact", 30.0),  # spoken with: reached
    ("B", "2008-05-10", "contact", 10.0),  # no member-month
    ("C", "2008-04-01", "identified", None),
    ("C", "2008-04-03", "outreach", None),  # no stage
    ("D", "2008-06-11", "reached", None),  # never identified
    ("E", "2008-04-01", "reached", None),  # before identification
    ("E", "2008-04-10", "identified", None),
    ("E", "2008-04-15", "engaged", None),
    ("E", "2008-06-01", "closed", None),
    ("E", "2008-07-02", "contact", None),  # after the last month
    ("F", "2008-03-01", "reached", None),  # before the start
    ("G", "2008-04-01", "identified", None),  # the comparison's
    ("Z", "2008-04-01", "contact", None),  # nobody's
]


def events() -> pd.DataFrame:
    frame = pd.DataFrame(EVENTS, columns=["person_id", "event_date", "event_type", "minutes"])
    frame["event_date"] = pd.to_datetime(frame["event_date"]).dt.date
    return frame.assign(practice_id="P1", list_id="L", reason=pd.Series([None] * len(frame), dtype="str"))


def found(spec, wave: dict[str, int] | None = None, frame: pd.DataFrame | None = None):
    with session() as con:
        months = [(key, APRIL + m, 1000) for key, *_, kept in MEMBERS for m in kept]
        members = pd.DataFrame(
            [row[:5] for row in MEMBERS],
            columns=["person_key", "person_id", "practice_id", "arm", "expected_cents"],
        ).assign(organization_id=lambda m: np.where(m["arm"] == "treated", "O1", "O2"))
        if wave:
            members["wave"] = members["practice_id"].map(wave).fillna(0).astype("int32")
        kinds = {"person_id": "string", "practice_id": "string", "event_type": "string",
                 "event_date": "date", "list_id": "string", "reason": "string", "minutes": "float64"}
        scored = SimpleNamespace(
            con=con,
            months=con.create_table("m", pd.DataFrame(months, columns=["person_key", "month", "w"])),
            members=con.create_table("p", members),
        )
        table = con.create_table("e", ibis.memtable(events() if frame is None else frame).cast(kinds))
        return describe({"care_management": table}, scored, LABELS, spec)


@pytest.fixture(scope="module")
def whole():
    return found(dozen.study())


def test_the_funnel_counts_people_once_and_later_stages_in_earlier_ones(whole):
    assert whole.given
    assert whole.stages["members"].tolist() == [7, 5, 4, 2]
    assert whole.stages["previous_share"].tolist()[1:] == [5 / 7, 4 / 5, 2 / 4]
    np.testing.assert_allclose(whole.stages["expected_pmpm"], [2600 / 7, 300, 300, 300])
    parts = whole.practices.set_index("label")
    assert parts.index.tolist() == ["All practices", "Program, practice 01", "Program, practice 02"]
    stages = parts[["members", "identified", "reached", "engaged"]]
    assert stages.to_numpy().tolist() == [[7, 5, 4, 2], [5, 4, 3, 1], [2, 1, 1, 1]]


def test_work_is_counted_in_member_months_only(whole):
    parts = whole.practices.set_index("label")
    assert parts["member_months"].tolist() == [14, 10, 4]
    assert parts["engaged_member_months"].tolist() == [5, 2, 3]
    assert parts["contacts"].tolist() == [3, 3, 0]
    assert parts["minutes"].tolist() == [50, 50, 0]
    np.testing.assert_allclose(parts["contacts_per_1000"], [3000 / 14, 300, 0])
    np.testing.assert_allclose(parts["contacts_per_engaged_month"], [2 / 5, 1, 0])


def test_waits_count_those_never_reached(whole):
    """A waited 21 days, B 15, C was never reached; D and E were reached before they were identified."""
    row = whole.practices.iloc[0]
    assert row["wait_q1_days"] == 15 and row["wait_median_days"] == 21 and np.isnan(row["wait_q3_days"])
    assert np.isnan(whole.practices.iloc[2]["wait_q1_days"])
    assert waits(np.array([1, 2, 3, 4, 5, 6, 7, 8]), 8) == (2.0, 4.0, 6.0)
    assert all(np.isnan(waits(np.array([]), 0)))


def test_months_hold_the_stages_entered_in_them(whole):
    columns = ["member_months", "identified", "reached", "engaged", "engaged_member_months", "contacts"]
    assert whole.months["month"].tolist() == [APRIL, APRIL + 1, APRIL + 2]
    assert whole.months[columns].to_numpy().tolist() == [
        [5, 3, 3, 1, 1, 1], [4, 0, 0, 1, 2, 1], [5, 1, 1, 0, 2, 1],
    ]  # fmt: skip


def test_doses_describe_the_engaged(whole):
    bands = whole.doses.set_index("band")
    assert bands["members"].to_dict() == {"none": 1, "to-0.25": 0, "to-0.5": 0, "to-1": 1, "above-1": 0}
    assert bands.loc["to-1", ["contacts", "engaged_member_months", "expected_pmpm"]].tolist() == [2, 2, 100]
    assert bands.loc["none", ["contacts", "engaged_member_months", "expected_pmpm"]].tolist() == [0, 3, 500]


def test_every_row_of_the_table_has_one_fate(whole):
    fates = whole.notes.set_index("reason")["rows"].to_dict()
    assert fates == {
        "rows": 20, "repeated": 1, "not_in_program": 2, "after_end": 1, "before_start": 1, "no_stage": 2,
        "no_member_month": 1, "counted": 12, "out_of_order": 2,
    }  # fmt: skip
    assert sum(v for k, v in fates.items() if k not in ("rows", "out_of_order")) == fates["rows"]


def test_the_study_says_which_events_make_a_stage():
    spec = dozen.study(
        care_management={"engaged": ["engaged", "contact"], "contact": ["outreach"], "dose_bands": [0.5]}
    )
    other = found(spec)
    assert other.stages["members"].tolist() == [7, 5, 5, 3]  # C's attempt is a contact, B's contact engages
    assert other.practices["contacts"].tolist() == [1, 1, 0]
    assert other.doses["label"].tolist() == ["No contact", "Up to 0.5", "Above 0.5"]


def test_a_practice_that_starts_later_counts_later():
    later = found(dozen.study(), wave={"P1": APRIL + 1, "P2": APRIL})
    parts = later.practices.set_index("label")
    assert parts.loc["Program, practice 01", "member_months"] == 7
    assert later.notes.set_index("reason")["rows"]["before_start"] == 3  # F, A in April, C's attempt
    assert later.notes.set_index("reason")["rows"]["not_in_program"] == 5  # B has no month after the start


def test_nobody_is_a_funnel_of_none_and_no_table_is_none():
    empty = found(dozen.study(), frame=events().iloc[:0])
    assert empty.given and empty.stages["members"].tolist() == [7, 0, 0, 0]
    assert empty.practices["contacts_per_1000"].tolist() == [0, 0, 0]
    assert empty.doses["members"].sum() == 0
    assert not found(dozen.study(care_management={"enabled": False})).given


@pytest.mark.parametrize(
    ("choice", "words"),
    [({"reached": ["identified"]}, "cannot both identify"), ({"dose_bands": [1.0, 0.5]}, "must ascend"),
     ({"dose_bands": [0.0]}, "above 0")],
)  # fmt: skip
def test_choices_that_contradict_each_other_are_refused(choice, words):
    with pytest.raises(ValueError, match=words):
        CareManagementChoices(**choice)


def test_events_that_do_not_fit_are_counted_with_their_rows(tmp_path):
    tables = tiny.frames()
    person = tables["eligibility"]["person_id"].iloc[0]
    practice = tables["provider_practice"]["practice_id"].iloc[0]
    rows = [
        (person, practice, "2007-12-01", "contact", 5.0),
        (person, practice, "2008-02-01", "identified", None),
        (person, practice, "2008-02-01", "identified", None),
        (person, "P?", "2008-02-03", "reached", -4.0),
        (person, None, "2030-01-01", "closed", None),
        ("Z", practice, "2008-02-01", "engaged", None),
    ]
    frame = pd.DataFrame(rows, columns=["person_id", "practice_id", "event_date", "event_type", "minutes"])
    tables["care_management"] = frame.assign(event_date=pd.to_datetime(frame["event_date"]).dt.date)
    folder, spec = tiny.write(tmp_path / "world", tables, "parquet"), tiny.study()
    with session() as con:
        rules = checks.input_rules(con, sources.open_inputs(con, spec, folder), spec)
    mine = rules[rules["table"] == "care_management"].set_index("rule")
    counts = mine["count"][mine["count"] > 0].to_dict()
    assert counts == {
        "negative_minutes": 1, "event_before_start": 3, "event_after_through": 1, "unknown_person": 1,
        "repeated_event": 1, "unknown_practice": 1, "reached_before_identified": 2,
    }  # fmt: skip
    assert "row 4: person_id" in mine.loc["unknown_practice", "examples"]
    assert "row 1" in mine.loc["reached_before_identified", "examples"]
    assert set(mine["severity"][mine["count"] > 0]) == {"warning", "note"}
