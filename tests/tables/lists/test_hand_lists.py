"""The lists of a few people, claim by claim: members of the day, what is due since when, and points."""

from __future__ import annotations

import datetime as dt

import ibis
import pandas as pd
import pytest
import small_world as hand

from medhome import lists
from medhome.study.problems import DataProblem
from medhome.study.spec import StudySpec
from medhome.tables import sources
from medhome.tables.as_of import known_on
from medhome.tables.engine import session
from medhome.tables.lists import predictors
from medhome.tables.measures.definitions import chosen

DAY = dt.date(2008, 6, 30)
CRITERIA = [
    {"kind": "conditions", "any_of": ["heart_failure", "copd"], "months": 12, "points": 2},
    {"kind": "admissions", "at_least": 1, "months": 12, "points": 2, "each": True},
    {"kind": "emergency_visits", "at_least": 2, "months": 6, "points": 1},
    {"kind": "open_gaps", "at_least": 2, "points": 1},
]
HOME = hand.PRACTICES["T"]


def study(**changes) -> StudySpec:
    return hand.study(**{"lists__criteria": CRITERIA, "lists__threshold_points": 1, **changes})


def visit(number: int, who: str, day: str, code: str = "V70.0", **changes) -> dict:
    return hand.claim(f"{number}", who, day, 50.0, diagnosis_code_1=code, **changes)


def stay(number: int, who: str, first: str, last: str, code: str, **changes) -> dict:
    institution = {"claim_type": "institutional", "bill_type_code": "111", "place_of_service_code": None,
                   "hcpcs_code": None, "revenue_center_code": "0120", "rendering_npi": None}  # fmt: skip
    dates = {"admission_date": first, "discharge_date": last, "claim_end_date": last, "paid_date": last}
    return visit(number, who, first, code, **institution, **dates, **changes)


def emergency(number: int, who: str, day: str) -> dict:
    return visit(number, who, day, "786.50", claim_type="institutional", bill_type_code="131",
                 place_of_service_code=None, hcpcs_code="99283", revenue_center_code="0450")  # fmt: skip


PEOPLE = [
    hand.person("T", birth_date="1952-03-10", gender="female"),
    hand.person("U", birth_date="1956-05-20", gender="female", enrollment_start_date="2007-09-01"),
    hand.person("gone", enrollment_end_date="2008-05-31"),
    hand.person("dead", death_date="2008-06-10"),
    hand.person("leaves", enrollment_end_date="2008-07-31", death_date="2008-07-20"),
    hand.person("old", birth_date="1920-01-01"),
    hand.person("elsewhere"),
    hand.person("C"),
]
CLAIMS = [
    visit(1, "C", "2006-02-01"),  # claims begin
    visit(10, "T", "2007-09-05", "250.00"),
    visit(11, "T", "2007-11-20", "250.00"),
    visit(12, "T", "2007-05-15", hcpcs_code="83036"),
    visit(13, "T", "2008-02-01", hcpcs_code="80061"),
    visit(14, "T", "2006-02-15", hcpcs_code="77057"),
    visit(20, "U", "2008-01-10", "250.00", hcpcs_code="92014"),
    visit(21, "leaves", "2007-08-01", "496"),
    visit(22, "leaves", "2007-06-29", "428.0"),  # a day before the twelve months
    stay(30, "T", "2008-05-01", "2008-05-04", "428.0"),
    stay(31, "T", "2007-06-15", "2007-06-18", "428.0"),  # before the twelve months
    stay(32, "T", "2008-01-10", "2008-01-12", "486"),
    stay(33, "T", "2008-06-28", "2008-07-02", "428.0"),  # not over on the day
    stay(34, "U", "2008-02-10", "2008-02-12", "650", drg_code="775", drg_code_type="ms-drg"),
    emergency(40, "U", "2008-03-01"),
    emergency(41, "U", "2008-04-01"),
    emergency(42, "U", "2008-04-02") | {"paid_date": "2008-07-01"},  # not paid by the day
    emergency(43, "leaves", "2008-04-01"),
    visit(50, "U", "2008-06-20", "428.0", x_claim_status="denied"),
    visit(51, "U", "2008-06-20", "496"),
    hand.void("52", visit(51, "U", "2008-06-20", "496"), "2008-06-29"),
]
ATTRIBUTED = [
    *(hand.attributed(p["person_id"], HOME, "200806") for p in PEOPLE[:6]),
    hand.attributed("elsewhere", HOME, "200807"),
    hand.attributed("elsewhere", hand.PRACTICES["C"], "200806"),
    hand.attributed("C", hand.PRACTICES["C"], "200806"),
]


def made(folder, spec: StudySpec, day: dt.date = DAY, **switches) -> dict[str, pd.DataFrame]:
    hand.write(folder, CLAIMS, PEOPLE, listed=ATTRIBUTED, **switches)
    with session() as con:
        return lists.lists_of(con, sources.open_inputs(con, spec, folder), spec, folder, day)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return made(tmp_path_factory.mktemp("hand"), study(population__age_max=64))


def test_members_are_those_of_the_day(found):
    scores = found[0]["risk_scores"]
    assert scores["person_id"].tolist() == ["T", "U", "leaves"]
    assert set(scores["practice_id"]) == {HOME} and scores["predicted_cost_pmpm_usd"].isna().all()


def test_what_is_due_and_since_when(found):
    due = found[0]["gaps_in_care"]
    rows = {(r.person_id, r.measure): (str(r.due_since), r.since_basis, str(r.last_service_date))
            for r in due.itertuples()}  # fmt: skip
    assert rows == {
        # Diabetes since its second day; the test of May 2007 counted through May 2008.
        ("T", "diabetes_a1c"): ("2008-05-15", "service_lapsed", "2007-05-15"),
        ("T", "diabetes_eye"): ("2007-11-20", "became_eligible", "None"),
        # Mammography of February 2006 counts 24 months.
        ("T", "mammography"): ("2008-02-15", "service_lapsed", "2006-02-15"),
        # U, 52 and diabetic, is not asked for by the day: of twelve months of enrolment 62 days are missing.
    }
    unknown = {row["measure"]: row["why"] for row in found[1]["measures_unknown"]}
    assert unknown["influenza"] == "no member has such a service on any claim"
    asked = {m.id for m in chosen(study()) if m.counts == "care"}
    assert asked - set(unknown) == {"diabetes_a1c", "diabetes_eye", "diabetes_lipid", "mammography"}


def test_points_and_reasons(found):
    risky = found[0]["high_risk"]
    assert risky[["rank", "person_id", "score_points"]].to_numpy().tolist() == [
        [1, "T", 7], [2, "leaves", 2], [3, "U", 1],
    ]  # fmt: skip
    reasons = dict(zip(risky["person_id"], risky["reasons"], strict=True))
    assert reasons["T"] == (
        "Heart failure (2 points); 2 admissions in 12 months (4 points); 3 gaps in care open (1 point)"
    )
    assert reasons["leaves"] == "Chronic obstructive pulmonary disease (2 points)"
    assert reasons["U"] == "2 emergency visits in 6 months (1 point)"
    parts = [c for c in risky if c.startswith("points_")]
    assert (risky[parts].sum(axis=1) == risky["score_points"]).all()


def refused(folder, spec: StudySpec, day: dt.date = DAY, **switches) -> str:
    with pytest.raises(DataProblem) as problem:
        made(folder, spec, day, **switches)
    assert "\n" not in str(problem.value)
    return str(problem.value)


def test_a_day_before_the_data_is_refused(tmp_path):
    said = refused(tmp_path, study(), dt.date(2005, 12, 31))
    assert said.startswith("medical_claim: no claim had been incurred and paid by 2005-12-31")


def test_a_day_without_the_program_is_refused(tmp_path):
    said = refused(tmp_path, study(), dt.date(2008, 3, 31))
    assert "nobody is in the program 'PCMH' on 2008-03-31 (no row of the program begins by then)" in said


def test_a_program_without_members_is_refused(tmp_path):
    said = refused(tmp_path, study(population__age_min=120, population__age_max=130))
    assert "nobody is a member of the program on 2008-06-30" in said


def test_the_model_stands_where_a_year_of_cost_and_its_run_out_are_known():
    spec = study(risk__lookback_months=12)
    assert predictors.fit_day(dt.date(2009, 6, 30), spec, dt.date(2005, 6, 1)) == (dt.date(2008, 3, 31), 12)
    assert predictors.fit_day(dt.date(2009, 6, 29), spec, dt.date(2007, 12, 9)) == (dt.date(2008, 2, 29), 3)
    with pytest.raises(DataProblem, match="begin in 2008-04; predicted cost needs diagnoses up to 2008-03"):
        predictors.fit_day(dt.date(2009, 6, 30), spec, dt.date(2008, 4, 1))


def test_the_model_learns_from_the_year_after_what_was_known(tmp_path):
    """Known on 31 December 2006; cost of 2007 alone, cut at the cap, paid within three months."""
    spec = study(risk__lookback_months=12, outcomes__cap_usd_per_year=1000)
    late = visit(60, "C", "2007-05-02") | {"paid_date": "2007-09-01"}  # a fourth month of run-out
    dear = visit(61, "T", "2007-03-03") | {"allowed_amount": "5000.00", "paid_amount": "4000.00"}
    ill = [visit(62, "C", "2006-12-02", "496"), visit(63, "C", "2006-12-03", "428.0")]
    ill[1]["paid_date"] = "2007-01-02"
    people = [p | {"enrollment_start_date": "2006-01-01"} for p in PEOPLE if p["person_id"] != "U"]
    hand.write(tmp_path, [*CLAIMS, late, dear, *ill], [*people, PEOPLE[1]])
    with session() as con:
        known = known_on(sources.open_inputs(con, spec, tmp_path), DAY)
        rows = predictors.year_after(con, known, spec, dt.date(2006, 12, 31), DAY, 12)
    # T at the cap, two visits of one other, five people who were not seen in time.
    assert sorted(rows.frame["allowed_capped"]) == [0] * 5 + [10_000, 100_000]
    assert (rows.frame["w"] == 12_000).all()  # but U, who came in September 2007, is not among them
    assert rows.frame["condition:copd"].sum() == 1  # the heart failure was paid for in 2007
    assert "condition:heart_failure" not in rows.terms


def test_scores_of_ones_own_are_the_latest_by_the_day():
    days = {"T1": "2007-12-31", "T2": "2008-05-31", "U": "2007-06-30"}
    rows = [(who[0], dt.date.fromisoformat(day), "ACG", n + 0.5) for n, (who, day) in enumerate(days.items())]
    schema = {"person_id": "string", "as_of_date": "date", "score_name": "string", "score": "float64"}
    scores = ibis.memtable(rows, schema=schema)
    found = predictors.own_scores({"risk_score": scores}, study(), DAY)
    assert found.to_numpy().tolist() == [["T", 1.5]]  # U's is older than twelve months
    with pytest.raises(DataProblem, match="no score was made from diagnoses between 2006-06-30 and"):
        predictors.own_scores({"risk_score": scores}, study(), dt.date(2007, 6, 29))
    with pytest.raises(DataProblem, match="but the data folder has no such table"):
        predictors.own_scores({}, study(), DAY)
