"""OMOP CDM 5.4: five visits with procedures, conditions, drugs and costs, worked by hand."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
import tiny_world as tiny

from medhome.study.definitions import contracts
from medhome.study.problems import DataProblem, StudyFileError
from medhome.tables import checks, engine, sources

DOLLARS = 44818668


def study(**changes):
    return tiny.study(
        **{
            "data": {"source": "omop"},
            "arms": {"rule": "hash"},
            "attribution": {"method": "rule"},
            "periods": {
                "baseline_first": "2015-07",
                "baseline_last": "2015-08",
                "start": "2015-09",
                "through": "2015-10",
                "run_out_months": 3,
            },
            "paid_through": "2016-01",
            **changes,
        }
    )


def _cost(number, event, domain, **amounts):
    plain = {
        "cost_id": number,
        "cost_event_id": event,
        "cost_domain_id": domain,
        "currency_concept_id": DOLLARS,
        "total_paid": None,
        "paid_by_payer": None,
        "paid_by_patient": None,
        "amount_allowed": None,
        "revenue_code_source_value": None,
        "drg_source_value": None,
    }
    return {**plain, **amounts}


def frames() -> dict[str, pd.DataFrame]:
    person = {
        "person_id": [1, 2],
        "gender_concept_id": [8507, 8532],
        "year_of_birth": [1960, 1990],
        "month_of_birth": [5, None],
        "day_of_birth": [17, None],
        "birth_datetime": ["1960-05-17 00:00:00", None],
        "race_source_value": ["w", None],
    }
    visits = [
        # an office visit, a stay, an emergency visit, an outpatient visit at an office, one of unknown kind
        (10, 1, 581477, "2015-07-06", "2015-07-06", 100, 7),
        (11, 1, 9201, "2015-09-28", "2015-10-02", 101, 8),
        (12, 2, 9203, "2015-08-01", "2015-08-01", None, 8),
        (13, 2, 9202, "2015-10-12", "2015-10-12", 100, 7),
        (14, 2, 0, "2015-09-12", "2015-09-12", 100, None),
    ]
    visit_columns = ("visit_occurrence_id", "person_id", "visit_concept_id", "visit_start_date")
    visit_columns += ("visit_end_date", "provider_id", "care_site_id")
    procedures = [
        (200, 1, "2015-07-06", None, 10, "99213"),
        (201, 1, "2015-07-06", 101, 10, "80048"),
        (202, 1, "2015-09-29", 101, 11, "0DTJ4ZZ"),
        (203, 2, "2015-10-12", None, 13, "99214"),
        (204, 2, "2015-10-20", 100, None, "G0439"),
    ]
    procedure_columns = ("procedure_occurrence_id", "person_id", "procedure_date", "provider_id")
    procedure_columns += ("visit_occurrence_id", "procedure_source_value")
    conditions = [
        (300, 1, "2015-07-06", 10, "250.00"),
        (301, 1, "2015-07-06", 10, "401.9"),
        (302, 1, "2015-07-06", 10, "250.00"),
        (303, 1, "2015-10-02", 11, "I50.9"),
        (304, 2, "2015-07-15", None, "311"),
    ]
    condition_columns = ("condition_occurrence_id", "person_id", "condition_start_date")
    condition_columns += ("visit_occurrence_id", "condition_source_value")
    drugs = [
        (400, 1, "2015-07-07", 30, 30.0, 100, "00002143480"),
        (401, 1, "2015-07-07", 30, 30.0, 100, "311040"),
        (402, 2, "2015-10-12", 10, 20.0, 101, "311040"),
    ]
    drug_columns = ("drug_exposure_id", "person_id", "drug_exposure_start_date", "days_supply", "quantity")
    drug_columns += ("provider_id", "drug_source_value")
    costs = [
        # the office visit is costed by procedure: 100 allowed, of which 20 by the patient; 30 in total
        _cost(1, 200, "Procedure", amount_allowed=100, paid_by_payer=80, paid_by_patient=20),
        _cost(2, 201, "Procedure", total_paid=30),
        # the stay has a cost of its own, which holds that of its procedure
        _cost(3, 11, "Visit", amount_allowed=12000.5, paid_by_payer=11000, drg_source_value="291"),
        _cost(4, 202, "Procedure", amount_allowed=5000, paid_by_payer=5000),
        # the emergency visit: paid by the payer and the patient; the procedure without a visit
        _cost(5, 12, "Visit", paid_by_payer=400, paid_by_patient=50, revenue_code_source_value="451"),
        _cost(6, 204, "Procedure", amount_allowed=120, paid_by_payer=120),
        _cost(7, 400, "Drug", total_paid=35.25, paid_by_payer=30),
        _cost(8, 402, "Drug", total_paid=10),
    ]
    return {
        "person": pd.DataFrame(person),
        "death": pd.DataFrame({"person_id": [2], "death_date": ["2016-01-05"]}),
        "observation_period": pd.DataFrame(
            {
                "person_id": [1, 2],
                "observation_period_start_date": "2010-01-01",
                "observation_period_end_date": "2017-12-31",
            }
        ),
        "payer_plan_period": pd.DataFrame(
            {
                "person_id": [1, 2],
                "payer_plan_period_start_date": ["2015-01-01", "2015-07-01"],
                "payer_plan_period_end_date": ["2015-12-31", "2016-01-31"],
                "payer_source_value": ["Blue Commercial PPO", "State"],
                "plan_source_value": ["PPO", None],
            }
        ),
        "visit_occurrence": pd.DataFrame(visits, columns=list(visit_columns)),
        "procedure_occurrence": pd.DataFrame(procedures, columns=list(procedure_columns)),
        "condition_occurrence": pd.DataFrame(conditions, columns=list(condition_columns)),
        "drug_exposure": pd.DataFrame(drugs, columns=list(drug_columns)),
        "cost": pd.DataFrame(costs),
        "provider": pd.DataFrame(
            {
                "provider_id": [100, 101, 102],
                "npi": ["1000000001", None, "1000000003"],
                "specialty_concept_id": [38004456, 38004451, 38004446],
                "care_site_id": [7, 8, None],
            }
        ),
        "care_site": pd.DataFrame(
            {
                "care_site_id": [7, 8],
                "care_site_name": ["Clinic", "Hospital"],
                "place_of_service_concept_id": [8940, 8717],
            }
        ),
    }


def whole(tables):
    """Frames as a database writes them: whole numbers stay whole where some are missing."""
    return {name: frame.convert_dtypes() for name, frame in tables.items()}


@pytest.fixture
def con():
    with engine.session() as opened:
        yield opened


def _open(con, folder, tables=None, kind="csv", spec=None):
    return sources.open_inputs(con, spec or study(), tiny.write(folder, whole(tables or frames()), kind))


D = dt.date


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_lines_and_amounts_by_hand(con, tmp_path, kind):
    _open(con, tmp_path, kind=kind)
    found = engine.query(
        con,
        "SELECT claim_id, claim_line_number, claim_type, bill_type_code, place_of_service_code, "
        "revenue_center_code, hcpcs_code, allowed_cents, paid_cents, rendering_npi FROM medical_claim "
        "ORDER BY 1, 2",
    )
    doctor, surgeon = "1000000001", "101"
    assert found == [
        ("10", 1, "professional", None, "11", None, None, 0, 0, doctor),
        ("10", 2, "professional", None, "11", None, "99213", 10000, 8000, doctor),
        ("10", 3, "professional", None, "11", None, "80048", 3000, 3000, surgeon),
        ("11", 1, "institutional", "111", None, None, None, 1200050, 1100000, surgeon),
        ("11", 2, "institutional", "111", None, None, None, 0, 0, surgeon),
        ("12", 1, "institutional", "131", None, "0451", None, 45000, 40000, None),
        ("13", 1, "professional", None, "11", None, None, 0, 0, doctor),
        ("13", 2, "professional", None, "11", None, "99214", 0, 0, doctor),
        ("14", 1, "professional", None, None, None, None, 0, 0, doctor),
        ("condition-304", 1, "professional", None, None, None, None, 0, 0, None),
        ("procedure-204", 1, "professional", None, None, None, "G0439", 12000, 12000, doctor),
    ]


def test_diagnoses_and_days_by_hand(con, tmp_path):
    """The code system follows the last day of the claim: ICD-10-CM from 1 October 2015 on."""
    _open(con, tmp_path)
    found = engine.query(
        con,
        "SELECT claim_id, claim_start_date, claim_end_date, admission_date, discharge_date, drg_code, "
        "diagnosis_code_type, diagnosis_code_1, diagnosis_code_2 FROM medical_claim "
        "WHERE claim_line_number = 1 AND diagnosis_code_1 IS NOT NULL ORDER BY 1",
    )
    visit, first, last, apart = D(2015, 7, 6), D(2015, 9, 28), D(2015, 10, 2), D(2015, 7, 15)
    assert found == [
        ("10", visit, visit, None, None, None, "icd-9-cm", "25000", "4019"),
        ("11", first, last, first, last, "291", "icd-10-cm", "I509", None),
        ("condition-304", apart, apart, None, None, None, "icd-9-cm", "311", None),
    ]


def test_people_fills_and_clinicians_by_hand(con, tmp_path):
    inputs = _open(con, tmp_path)
    assert list(inputs) == ["eligibility", "medical_claim", "pharmacy_claim", "provider_practice"]
    columns = (
        "person_id, birth_date, gender, enrollment_start_date, enrollment_end_date, payer_type, death_date"
    )
    assert engine.query(con, f"SELECT {columns}, x_pharmacy_benefit FROM eligibility ORDER BY 1") == [
        ("1", D(1960, 5, 17), "male", D(2015, 1, 1), D(2015, 12, 31), "commercial", None, 1),
        ("2", D(1990, 7, 1), "female", D(2015, 7, 1), D(2016, 1, 31), "unknown", D(2016, 1, 5), 1),
    ]
    columns = "claim_id, dispensing_date, ndc_code, allowed_cents, paid_cents, prescribing_provider_npi"
    # exposure 401 has no cost: an order, not a fill
    assert engine.query(con, f"SELECT {columns} FROM pharmacy_claim ORDER BY 1") == [
        ("400", D(2015, 7, 7), "00002143480", 3525, 3000, "1000000001"),
        ("402", D(2015, 10, 12), None, 1000, 1000, "101"),
    ]
    columns = "npi, practice_id, organization_id, practice_name, x_primary_care"
    assert engine.query(con, f"SELECT {columns} FROM provider_practice ORDER BY 1") == [
        ("1000000001", "7", "7", "Clinic", 1),
        ("101", "8", "8", "Hospital", 0),
    ]


def test_observation_where_no_cover_is_recorded(con, tmp_path):
    tables = frames()
    del tables["payer_plan_period"], tables["death"]
    _open(con, tmp_path, tables)
    found = engine.query(
        con, "SELECT enrollment_start_date, enrollment_end_date, payer_type, death_date FROM eligibility"
    )
    assert found == [(D(2010, 1, 1), D(2017, 12, 31), "unknown", None)] * 2


def test_drugs_without_a_cost_cannot_be_counted(con, tmp_path):
    tables = frames()
    tables["cost"] = tables["cost"].query("cost_domain_id != 'Drug'")
    with pytest.raises(StudyFileError, match=r'set outcomes\.services = "medical"'):
        _open(con, tmp_path, tables)
    spec = study(outcomes={"services": "medical"}, population={"require_pharmacy_benefit": False})
    inputs = _open(con, tmp_path, tables, spec=spec)
    assert "pharmacy_claim" not in inputs
    assert engine.query(con, "SELECT DISTINCT x_pharmacy_benefit FROM eligibility") == [(0,)]


def test_dollars_that_would_be_lost_are_named(con, tmp_path):
    tables = frames()
    tables["cost"].loc[0, "currency_concept_id"] = 44818669
    tables["cost"].loc[1, "cost_domain_id"] = "Device"
    tables["cost"].loc[4, "cost_event_id"] = 99
    with pytest.raises(DataProblem) as caught:
        _open(con, tmp_path, tables)
    text = str(caught.value)
    assert "cost.csv: column currency_concept_id, row 1: 44818669 is not the US dollar" in text
    assert 'cost.csv: column cost_domain_id, row 2: cost of domain "Device" is not read (1 rows)' in text
    assert "cost.csv: column cost_event_id, row 5: visit_occurrence has no such event (1 rows)" in text


def test_a_cost_table_without_amounts(con, tmp_path):
    tables = frames()
    tables["cost"] = tables["cost"].assign(total_paid=None, amount_allowed=None, paid_by_payer=None)
    with pytest.raises(DataProblem, match="cost: no row has amount_allowed, total_paid or paid_by_payer"):
        _open(con, tmp_path, tables)


def test_faults_name_the_file_and_column(con, tmp_path):
    tables = frames()
    tables["visit_occurrence"] = tables["visit_occurrence"].drop(columns="visit_concept_id")
    del tables["care_site"]
    with pytest.raises(DataProblem) as caught:
        _open(con, tmp_path, tables)
    text = str(caught.value)
    assert "visit_occurrence.csv: column visit_concept_id is missing" in text
    assert "care_site: there is no care_site.parquet" in text


def test_the_tables_pass_the_checks_and_every_file_is_named(con, tmp_path):
    tables = frames()
    inputs = _open(con, tmp_path, tables)
    rules, files = checks.check_inputs(con, inputs, study(), tmp_path)
    assert not ((rules["severity"] == "error") & (rules["count"] > 0)).any()
    assert set(tables) == set(contracts("omop"))
    assert set(files["name"]) == {f"{name}.csv" for name in tables}
