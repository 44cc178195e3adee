"""Synthea: the counts of the reference data's README, days and fills by hand, and a study by practice."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
import tiny_world as tiny

from medhome.study.problems import DataProblem
from medhome.tables import checks, engine, panel, sources


def study(**changes):
    return tiny.study(
        **{
            "data": {"source": "synthea", "synthetic": True},
            "arms": {"rule": "hash", "placeholder_practices": 5},
            "attribution": {"method": "rule"},
            "population": {"age_max": 130},
            "paid_through": "2023-12",
            "periods": {
                "baseline_first": "2019-01",
                "baseline_last": "2020-12",
                "start": "2021-01",
                "through": "2023-06",
                "run_out_months": 3,
            },
            **changes,
        }
    )


def _one(con, sql):
    return engine.query(con, sql)[0]


@pytest.fixture(scope="module")
def synthea(shared_data):
    """An engine that has opened the 115 people."""
    with engine.session() as con:
        sources.open_inputs(con, study(), shared_data / "synthea115")
        yield con


# The figures below are those of README.md in the folder synthea115 of the reference data.


@pytest.mark.shared_data
def test_row_counts_of_the_readme(synthea):
    counts = {
        "patients": 115,
        "payer_transitions": 1147,
        "payers": 10,
        "encounters": 7074,
        "medications": 6535,
        "procedures": 15328,
        "conditions": 4194,
        "organizations": 271,
        "providers": 271,
    }
    for table, rows in counts.items():
        assert _one(synthea, f"SELECT count(*) FROM {table}") == (rows,), table


@pytest.mark.shared_data
def test_every_row_and_dollar_arrives(synthea):
    """Claims and fills against the files themselves, read apart from this package's columns."""
    uninsured = "payer = (SELECT id FROM payers WHERE name = 'NO_INSURANCE')"
    spans, without = _one(synthea, f"SELECT count(*), sum(({uninsured})::INT) FROM payer_transitions")
    assert _one(synthea, "SELECT count(*) FROM eligibility") == (spans - without,) == (1019,)
    # one line for each encounter and each procedure; the encounters' cost is on the first lines
    assert _one(synthea, "SELECT count(*), count(DISTINCT claim_id) FROM medical_claim") == (22402, 7074)
    for ours, theirs in (
        ("sum(allowed_cents) FROM medical_claim", "sum(total_claim_cost_cents) FROM encounters"),
        ("sum(paid_cents) FROM medical_claim", "sum(payer_coverage_cents) FROM encounters"),
        ("sum(allowed_cents) FROM pharmacy_claim", "sum(totalcost_cents) FROM medications"),
        ("count(*) FROM pharmacy_claim", "sum(dispenses) FROM medications"),
        ("count(*) FROM provider_practice", "count(*) FROM providers"),
    ):
        assert _one(synthea, f"SELECT {ours}") == _one(synthea, f"SELECT {theirs}"), ours


@pytest.mark.shared_data
def test_the_top_organisation_holds_72_percent_of_office_visits(synthea):
    """Of a person's visits in an office since 2019: the README's figure, by the lines that became claims."""
    share = _one(
        synthea,
        """SELECT avg(top / visits) FROM (
               SELECT person_id, max(n) AS top, sum(n) AS visits FROM (
                   SELECT person_id, billing_npi, count(*) AS n FROM medical_claim
                   WHERE claim_start_date >= DATE '2019-01-01' AND claim_line_number = 1
                   AND place_of_service_code = '11' GROUP BY ALL)
               GROUP BY 1)""",
    )
    assert round(100 * share[0]) == 72


@pytest.mark.shared_data
def test_no_diagnosis_is_made_up(synthea):
    held = sources.columns_held(synthea, "medical_claim")
    assert not [column for column in held if column.startswith(("diagnosis", "procedure"))]
    assert _one(synthea, "SELECT count(diagnosis_code_1), count(paid_date) FROM medical_claim") == (0, 0)
    assert _one(synthea, "SELECT count(ndc_code) FROM pharmacy_claim") == (0,)


@pytest.mark.shared_data
def test_kinds_of_payer(synthea):
    """Spans by payer, counted in the file: six commercial ones, Medicare with dual eligibility, Medicaid."""
    found = engine.query(synthea, "SELECT payer_type, count(*) FROM eligibility GROUP BY 1 ORDER BY 1")
    commercial = 89 + 107 + 100 + 91 + 183 + 115
    assert found == [("commercial", commercial), ("medicaid", 158), ("medicare", 132 + 44)]
    # the span that Synthea ends in the year 292278994 is open
    assert _one(synthea, "SELECT count(*) FROM eligibility WHERE enrollment_end_date IS NULL") == (1,)


@pytest.mark.shared_data
def test_a_study_by_organisation(shared_data, tmp_path):
    """Attribution to the organisation with most visits in 2018; the two largest are the arms.

    Practices and their members are counted from the files again, in pandas.
    """
    folder = tmp_path / "synthea"
    folder.mkdir()
    for path in (shared_data / "synthea115").glob("*.parquet"):
        (folder / path.name).symlink_to(path)
    encounters = pd.read_parquet(folder / "encounters.parquet")
    office = encounters[
        encounters["ENCOUNTERCLASS"].isin(["ambulatory", "wellness", "outpatient", "virtual"])
        & encounters["START"].str[:4].eq("2018")
    ].assign(day=lambda frame: frame["START"].str[:10])
    days = office.groupby(["PATIENT", "ORGANIZATION"])["day"].agg(["nunique", "max"]).reset_index()
    cost = office.groupby(["PATIENT", "ORGANIZATION"])["TOTAL_CLAIM_COST"].sum().rename("cost").reset_index()
    ranked = days.merge(cost).sort_values(
        ["PATIENT", "nunique", "max", "cost", "ORGANIZATION"], ascending=[True, False, False, False, True]
    )
    home = ranked.drop_duplicates("PATIENT").set_index("PATIENT")["ORGANIZATION"]
    sizes = home.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    first, second = sizes.index[:2]
    roster = pd.DataFrame(
        {
            "program_id": "PCMH",
            "unit_type": "organization",
            "unit_id": [first, second],
            "start_date": "2021-01-01",
            "end_date": "",
            "arm": ["program", "comparison"],
        }
    )
    roster.to_csv(folder / "program_roster.csv", index=False)
    spec = study(
        arms={"program_id": "PCMH"},
        attribution={"method": "plurality"},
        outcomes={"services": "medical", "cap_usd_per_year": None},
        population={"age_max": 130, "require_pharmacy_benefit": False},
        risk={"model": "none"},
    )
    with engine.session() as con:
        inputs = sources.open_inputs(con, spec, folder)
        assert list(inputs)[-2:] == ["provider_practice", "program_roster"]
        built = panel.build(con, inputs, spec)
        months = engine.fetch(built.table.select("person_id", "practice_id", "arm", "month", "allowed_cents"))
    arms = months.drop_duplicates("person_id").set_index("person_id")
    assert set(arms.loc[arms["arm"] == "treated", "practice_id"]) == {first}
    assert set(arms.loc[arms["arm"] == "comparison", "practice_id"]) == {second}
    assert (arms["practice_id"] == home[arms.index]).all()
    found = months.set_index(["person_id", "month"])["allowed_cents"].to_dict()
    assert found == _cost_by_month(folder, home.index[home.isin([first, second])])


def _cost_by_month(folder, people):
    """Cents of the encounters of each person and month in which the 15th was insured and the person lived."""
    spans = pd.read_parquet(folder / "payer_transitions.parquet")
    payers = pd.read_parquet(folder / "payers.parquet").set_index("Id")["NAME"]
    spans = spans[spans["PAYER"].map(payers) != "NO_INSURANCE"]
    deaths = pd.read_parquet(folder / "patients.parquet").set_index("Id")["DEATHDATE"]
    encounters = pd.read_parquet(folder / "encounters.parquet")
    cents = (100 * encounters["TOTAL_CLAIM_COST"]).round().astype("int64")
    spent = cents.groupby([encounters["PATIENT"], encounters["START"].str[:7]]).sum().to_dict()
    found = {}
    for person in people:
        mine = spans[spans["PATIENT"] == person]
        starts = mine["START_DATE"].str[:10]
        ends = mine["END_DATE"].str[:10].where(mine["END_DATE"].str.len() == 20, "9999")
        for month in pd.period_range("2019-01", "2023-06", freq="M"):
            lived = not isinstance(deaths[person], str) or str(month) <= deaths[person][:7]
            if lived and ((starts <= f"{month}-15") & (ends > f"{month}-15")).any():
                found[person, month.year * 12 + month.month - 1] = spent.get((person, str(month)), 0)
    return found


def _files(folder, **changes):
    """Two people: one insured with two visits and a prescription, one without insurance."""
    day = "2020-03-01T23:30:00Z"
    tables = {
        "patients": {
            "Id": ["p1", "p2"],
            "BIRTHDATE": ["1980-01-02", "2015-06-07"],
            "DEATHDATE": [None, "2020-12-01"],
            "GENDER": ["F", "M"],
        },
        "payers": {
            "Id": ["y1", "y0"],
            "NAME": ["Anthem", "NO_INSURANCE"],
            "OWNERSHIP": ["PRIVATE", "NO_INSURANCE"],
        },
        "payer_transitions": {
            "PATIENT": ["p1", "p1", "p2"],
            "START_DATE": ["2019-06-05T01:00:00Z", "2020-06-05T01:00:00Z", "2019-01-01T00:00:00Z"],
            "END_DATE": ["2020-06-05T01:00:00Z", "292278994-08-17T07:12:55Z", "2020-01-01T00:00:00Z"],
            "PAYER": ["y1", "y1", "y0"],
        },
        "organizations": {"Id": ["o1"], "NAME": ["Clinic"]},
        "providers": {"Id": ["d1"], "ORGANIZATION": ["o1"], "SPECIALITY": ["GENERAL PRACTICE"]},
        "encounters": {
            "Id": ["e1", "e2"],
            "START": [day, "2020-12-31T10:00:00Z"],
            "STOP": ["2020-03-02T00:15:00Z", "2021-01-01T10:00:00Z"],
            "PATIENT": ["p1", "p2"],
            "ORGANIZATION": ["o1", "o1"],
            "PROVIDER": ["d1", "d1"],
            "PAYER": ["y1", "y0"],
            "ENCOUNTERCLASS": ["wellness", "inpatient"],
            "TOTAL_CLAIM_COST": [150.25, 9000.0],
            "PAYER_COVERAGE": [100.0, 0.0],
        },
        "procedures": {
            "START": [day],
            "PATIENT": ["p1"],
            "ENCOUNTER": ["e1"],
            "CODE": ["430193006"],
        },
        "medications": {
            "START": [day, day],
            "STOP": ["2020-03-31T23:30:00Z", None],
            "PATIENT": ["p1", "p2"],
            "PAYER": ["y1", "y0"],
            "ENCOUNTER": ["e1", "e2"],
            "CODE": ["308192", "198405"],
            "BASE_COST": [10.0, 5.0],
            "PAYER_COVERAGE": [8.0, 0.0],
            "DISPENSES": [3, 2],
            "TOTALCOST": [30.0, 10.0],
        },
    }
    frames = {name: pd.DataFrame(columns) for name, columns in tables.items()}
    for name, frame in changes.items():
        frames[name] = frame
    return tiny.write(folder, {name: frame for name, frame in frames.items() if frame is not None}, "csv")


D = dt.date


def test_spans_lines_and_fills_by_hand(tmp_path):
    with engine.session() as con:
        sources.open_inputs(con, study(), _files(tmp_path))
        spans = engine.query(
            con, "SELECT person_id, enrollment_start_date, enrollment_end_date FROM eligibility ORDER BY 2"
        )
        lines = engine.query(
            con,
            "SELECT claim_id, claim_line_number, claim_type, claim_start_date, claim_end_date, hcpcs_code, "
            "place_of_service_code, bill_type_code, allowed_cents, paid_cents, rendering_npi "
            "FROM medical_claim ORDER BY 1, 2",
        )
        fills = engine.query(
            con,
            "SELECT person_id, claim_line_number, dispensing_date, allowed_cents, paid_cents "
            "FROM pharmacy_claim ORDER BY 1, 2",
        )
    assert spans == [("p1", D(2019, 6, 5), D(2020, 6, 4)), ("p1", D(2020, 6, 5), None)]
    visit = ("professional", D(2020, 3, 1), D(2020, 3, 2))
    assert lines == [
        ("e1", 1, *visit, "99396", "11", None, 15025, 10000, "d1"),
        ("e1", 2, *visit, None, "11", None, 0, 0, "d1"),
        ("e2", 1, "institutional", D(2020, 12, 31), D(2021, 1, 1), None, None, "111", 900000, 0, "d1"),
    ]
    # 30 days in three: days 0, 10 and 20. Without an end: to death on 1 December, 275 days, halved to 137.
    assert fills == [
        ("p1", 1, D(2020, 3, 1), 1000, 800),
        ("p1", 2, D(2020, 3, 11), 1000, 800),
        ("p1", 3, D(2020, 3, 21), 1000, 800),
        ("p2", 1, D(2020, 3, 1), 500, 0),
        ("p2", 2, D(2020, 7, 16), 500, 0),
    ]


def test_faults_name_the_file_and_row(tmp_path):
    folder = _files(tmp_path, providers=None)
    frame = pd.read_csv(folder / "encounters.csv").assign(ENCOUNTERCLASS=["wellness", "spa"])
    frame.to_csv(folder / "encounters.csv", index=False)
    with engine.session() as con:
        with pytest.raises(DataProblem, match=r"providers: there is no providers\.parquet"):
            sources.open_inputs(con, study(), folder)
        tables = {"Id": ["d1"], "ORGANIZATION": ["o1"], "SPECIALITY": ["GENERAL PRACTICE"]}
        pd.DataFrame(tables).to_csv(folder / "providers.csv", index=False)
        with pytest.raises(DataProblem, match=r'encounters\.csv: column encounterclass, row 2: "spa"'):
            sources.open_inputs(con, study(), folder)


@pytest.mark.shared_data
def test_the_tables_pass_the_checks(synthea, shared_data):
    """No error; the missing dates of payment and the care of the uninsured are warned of."""
    inputs = {name: synthea.table(name) for name in ("eligibility", "medical_claim", "pharmacy_claim")}
    inputs["provider_practice"] = synthea.table("provider_practice")
    rules, files = checks.check_inputs(synthea, inputs, study(), shared_data / "synthea115")
    broken = rules[rules["count"] > 0].set_index(["table", "rule"])["count"]
    assert not (rules.loc[rules["count"] > 0, "severity"] == "error").any()
    assert broken["medical_claim", "paid_date_unknown"] == 22402
    assert broken["medical_claim", "outside_enrolment"] > 0
    assert len(files) == 9
