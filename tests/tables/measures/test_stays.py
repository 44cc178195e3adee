"""Stays, transfers, kinds and returns, by hand."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from medhome.tables.measures import stays as hospital
from medhome.tables.measures.lines import FIRST_DAY

LISTS = {
    "maternity": [("drg", "775"), ("icd-10-cm", "O")],
    "newborn": [("drg", "795"), ("icd-10-cm", "Z38")],
    "transfer_in": [("admit-source", "4")],
}


def day(text: str) -> int:
    return dt.date.fromisoformat(text).toordinal() + FIRST_DAY


def claims(*rows: tuple) -> pd.DataFrame:
    """Claims of one person A: admit, discharge, facility, dx1, then what else is given by name."""
    found = []
    for admit, discharge, facility, dx1, *more in rows:
        row = {
            "person_id": "A", "admit": day(admit), "discharge": day(discharge), "month": 0, "facility":
            facility, "drg": "", "system": "icd-10-cm", "disposition": "01", "source": "1", "dx1": dx1,
            "diagnoses": dx1, "procedures": "",
        }  # fmt: skip
        found.append(row | (more[0] if more else {}))
    return pd.DataFrame(found)


def spans(frame: pd.DataFrame) -> list[tuple[int, int]]:
    first = frame["admit"].iloc[0]
    return [(int(a - first), int(d - first)) for a, d in zip(frame["admit"], frame["discharge"], strict=True)]


def episodes(*rows: tuple) -> pd.DataFrame:
    return hospital.episodes(hospital.stays(claims(*rows)), LISTS)


def test_interim_bills_and_overlaps_are_one_stay_and_a_later_one_is_another():
    found = hospital.stays(
        claims(
            ("2019-01-01", "2019-01-05", "H1", "I509", {"disposition": "30"}),
            ("2019-01-06", "2019-01-09", "H1", "J189", {"disposition": "06", "procedures": "0DT"}),
            ("2019-01-08", "2019-01-08", "H1", "I509"),
            ("2019-01-10", "2019-01-12", "H1", "I509"),
        )
    )
    assert spans(found) == [(0, 8), (9, 11)]
    assert found["disposition"].tolist() == ["06", "01"] and found["dx1"].tolist() == ["I509", "I509"]
    assert found["procedures"].tolist() == ["0DT", ""]


@pytest.mark.parametrize(("dx1", "stays"), [("I5033", 1), ("N179", 2)])
def test_back_on_the_same_day_for_the_same_condition_is_one_stay(dx1, stays):
    found = hospital.stays(
        claims(("2019-01-01", "2019-01-05", "H1", "I509"), ("2019-01-05", "2019-01-07", "H1", dx1))
    )
    assert len(found) == stays


@pytest.mark.parametrize(
    ("second", "facility", "joined"),
    [("2019-01-05", "H2", True), ("2019-01-06", "H2", True), ("2019-01-07", "H2", False),
     ("2019-01-06", "H1", False), ("2019-01-06", "", False), ("2019-01-05", "", True)],
)  # fmt: skip
def test_transfers_join_stays(second, facility, joined):
    found = episodes(
        ("2019-01-01", "2019-01-05", "H1", "I509", {"disposition": "02"}),
        (second, "2019-01-20", facility, "I214", {"disposition": "20"}),
    )
    assert len(found) == (1 if joined else 2)
    if joined:
        assert spans(found) == [(0, 19)]
        assert found[["dx1", "disposition"]].values.tolist() == [["I509", "20"]]


def test_kinds_go_by_the_group_and_without_one_by_the_diagnosis():
    found = episodes(
        ("2019-01-01", "2019-01-02", "H1", "I509", {"drg": "775"}),
        ("2019-02-01", "2019-02-02", "H1", "O80"),
        ("2019-03-01", "2019-03-02", "H1", "O80", {"drg": "292"}),
        ("2019-04-01", "2019-04-02", "H1", "Z3800"),
        ("2019-05-01", "2019-05-02", "H1", "I10", {"source": "4"}),
    )
    assert found["kind"].tolist() == ["maternity", "maternity", "other", "newborn", "other"]
    assert found["transfer_in"].tolist() == [False] * 4 + [True]


def back(found: pd.DataFrame, planned=(), deaths=None, last="2020-12-31") -> list[tuple[int, int, int]]:
    marked = np.zeros(len(found), dtype=bool)
    marked[list(planned)] = True
    index = hospital.readmitted(found, deaths or {}, day(last), 30, marked)
    return [tuple(int(v) for v in row) for row in index.to_numpy()]


CHAIN = (
    ("2019-01-01", "2019-01-05", "H1", "I509"),  # 0: index, back after 26 days
    ("2019-01-31", "2019-02-01", "H1", "J189"),  # 1: the return, itself an index: back after 30 days
    ("2019-03-03", "2019-03-04", "H1", "E119"),  # 2: back after 31 days, which is too late
    ("2019-04-04", "2019-04-05", "H1", "E119"),  # 3
)


def test_a_chain_of_returns():
    assert back(episodes(*CHAIN)) == [(0, 1, 26), (1, 1, 30), (2, 0, -1), (3, 0, -1)]


def test_a_planned_first_return_does_not_count_and_hides_a_later_one():
    rows = (CHAIN[0], ("2019-01-10", "2019-01-12", "H1", "C189"), ("2019-01-20", "2019-01-21", "H1", "J189"))
    assert back(episodes(*rows)) == [(0, 1, 5), (1, 1, 8), (2, 0, -1)]
    assert back(episodes(*rows), planned=[1]) == [(0, 0, 5), (1, 1, 8), (2, 0, -1)]


def test_who_dies_or_leaves_against_advice_or_gives_birth_is_no_index():
    for more in ({"disposition": "20"}, {"disposition": "41"}, {"disposition": "07"}, {"drg": "775"}):
        rows = (("2019-01-01", "2019-01-05", "H1", "I509", more), CHAIN[1])
        assert [i for i, _n, _d in back(episodes(*rows))] == [1]
    rows = (CHAIN[0],)
    assert back(episodes(*rows), deaths={"A": day("2019-01-05")}) == []
    assert back(episodes(*rows), deaths={"A": day("2019-01-06")}) == [(0, 0, -1)]


def test_a_birth_within_the_days_is_no_return_and_a_late_discharge_no_index():
    rows = (CHAIN[0], ("2019-01-10", "2019-01-12", "H1", "O80"))
    assert back(episodes(*rows)) == [(0, 0, 5)]
    assert back(episodes(CHAIN[0]), last="2019-02-04") == [(0, 0, -1)]
    assert back(episodes(CHAIN[0]), last="2019-02-03") == []


def test_same_day_at_the_same_facility_counts_as_a_return_only_for_another_condition():
    other = ("2019-01-05", "2019-01-07", "H1", "N179")
    assert back(episodes(CHAIN[0], other)) == [(0, 1, 0), (1, 0, -1)]
    same = ("2019-01-05", "2019-01-07", "H1", "I5021")
    assert back(episodes(CHAIN[0], same)) == [(0, 0, -1)]


def test_people_are_kept_apart():
    frame = pd.concat([claims(CHAIN[0]), claims(CHAIN[1]).assign(person_id="B")])
    found = hospital.episodes(hospital.stays(frame), LISTS)
    assert back(found) == [(0, 0, -1), (1, 0, -1)]
