"""The Tuva Project's input layer through the native reader: its sample, packed as it comes."""

from __future__ import annotations

import datetime as dt
import gzip
import shutil

import pandas as pd
import pytest
import tiny_world as tiny

from medhome.study.definitions import contracts
from medhome.study.problems import DataProblem
from medhome.tables import engine, member_months, sources

TABLES = ("eligibility", "medical_claim", "pharmacy_claim")


def study(**changes):
    return tiny.study(
        **{
            "arms": {"rule": "hash"},
            "attribution": {"method": "rule"},
            "paid_through": "2018-12",
            "periods": {
                "baseline_first": "2016-01",
                "baseline_last": "2017-06",
                "start": "2017-07",
                "through": "2018-09",
            },
            **changes,
        }
    )


@pytest.fixture(scope="module")
def tuva(shared_data, tmp_path_factory):
    """An engine that has opened the ten people; the files bear the names of the tables, packed."""
    folder = tmp_path_factory.mktemp("tuva")
    for table in TABLES:
        shutil.copy(shared_data / "tuva_input_layer" / f"sample_{table}.csv.gz", folder / f"{table}.csv.gz")
    with engine.session() as con:
        inputs = sources.open_inputs(con, study(), folder)
        yield con, inputs


@pytest.mark.shared_data
def test_the_sample_opens_with_columns_that_medhome_does_not_know(tuva):
    """Counts of README.md: 31 spans, 2,075 lines and 291 fills of ten people."""
    con, inputs = tuva
    assert list(inputs) == list(TABLES)
    counts = [engine.query(con, f"SELECT count(*), count(DISTINCT person_id) FROM {t}")[0] for t in TABLES]
    assert counts[0] == (31, 10)
    assert [rows for rows, _ in counts] == [31, 2075, 291]
    # nine columns that Tuva took out again, and its own file_name, are left aside
    known = {c.engine_name for c in contracts()["eligibility"].expanded()}
    assert set(inputs["eligibility"].columns) <= known


@pytest.mark.shared_data
def test_what_tuva_lacks_gets_its_default(tuva):
    con, _ = tuva
    flags = "x_medical_benefit, x_pharmacy_benefit, x_behavioral_benefit, x_capitated"
    assert engine.query(con, f"SELECT DISTINCT {flags} FROM eligibility") == [(1, 1, 1, 0)]
    statuses = "SELECT DISTINCT x_claim_status, x_adjustment_type FROM medical_claim"
    assert engine.query(con, statuses) == [("paid", "original")]


@pytest.mark.shared_data
def test_rows_and_amounts_against_the_file(tuva, shared_data):
    con, _ = tuva
    first = (
        "SELECT claim_type, claim_start_date, bill_type_code, revenue_center_code, hcpcs_code, charge_cents, "
        "diagnosis_code_type, diagnosis_code_1, facility_npi FROM medical_claim "
        "WHERE claim_id = '1582931' AND claim_line_number = 9"
    )
    day = dt.date(2017, 12, 14)
    codes = ("131", "0481", "75625", 3150500, "icd-10-cm", "I2510", "1003811290")
    assert engine.query(con, first) == [("institutional", day, *codes)]
    for table in ("medical_claim", "pharmacy_claim"):
        frame = pd.read_csv(shared_data / "tuva_input_layer" / f"sample_{table}.csv.gz", dtype=str)
        for amount in ("paid", "allowed", "charge"):
            cents = [round(float(v) * 100) for v in frame[f"{amount}_amount"].dropna()]
            found = engine.query(con, f"SELECT count({amount}_cents), sum({amount}_cents) FROM {table}")
            assert found == [(len(cents), sum(cents) if cents else None)], (table, amount)


def _member_months(inputs, spec, rule):
    """Months of exposure of each person."""
    people = member_months.people(inputs["eligibility"], spec)
    months = member_months.exposed(inputs["eligibility"], people, spec.periods.analysed, [], rule)
    joined = engine.fetch(months.join(people.select("person_key", "person_id"), "person_key"))
    return joined.groupby("person_id")["w"].sum().floordiv(1000).to_dict()


def test_member_months_of_tuva(tmp_path):
    """Tuva's own test of its member months, through the reader: any day of a month counts the whole month.

    A1234 is covered from 2022-01-01 to 06-15 and from 08-10 on, B2468 all year; both have 12 months by the
    end of January 2023.
    """
    tables = tiny.frames()
    spans = [
        ("A1234", "2022-01-01", "2022-06-15"),
        ("A1234", "2022-08-10", ""),
        ("B2468", "2022-01-01", "2022-12-31"),
    ]
    people = pd.DataFrame(spans, columns=["person_id", "enrollment_start_date", "enrollment_end_date"])
    people = people.assign(member_id=people["person_id"], birth_date="1980-01-01", gender="female")
    people = people.assign(payer="P", payer_type="commercial", plan="PPO", data_source="tuva")
    tiny.write(tmp_path, tables | {"eligibility": people}, "csv")
    packed = gzip.compress((tmp_path / "eligibility.csv").read_bytes(), mtime=0)
    (tmp_path / "eligibility.csv").unlink()
    (tmp_path / "eligibility.csv.gz").write_bytes(packed)
    spec = study(
        paid_through="2023-04",
        periods={
            "baseline_first": "2022-01",
            "baseline_last": "2022-06",
            "start": "2022-07",
            "through": "2023-01",
        },
    )
    with engine.session() as con:
        inputs = sources.open_inputs(con, spec, tmp_path)
        assert _member_months(inputs, spec, "any_day") == {"A1234": 12, "B2468": 12}


@pytest.mark.shared_data
def test_member_months_of_the_sample(tuva, shared_data):
    """Every span of the sample is of whole months, so the rules agree; counted again in pandas."""
    _, inputs = tuva
    frame = pd.read_csv(shared_data / "tuva_input_layer" / "sample_eligibility.csv.gz", dtype=str)
    months = {}
    for row in frame.to_dict("records"):
        covered = pd.period_range(row["enrollment_start_date"], row["enrollment_end_date"], freq="M")
        months.setdefault(row["person_id"], set()).update(m for m in covered if m <= pd.Period("2018-09"))
    expected = {person: len(found) for person, found in months.items()}
    for rule in ("any_day", "mid_month", "full_month"):
        assert _member_months(inputs, study(), rule) == expected


def test_a_packed_file_that_is_cut_short(tmp_path):
    """Each way of spoiling a packed file ends in a message with its name."""
    tables = tiny.frames()
    tiny.write(tmp_path, {n: f for n, f in tables.items() if n != "medical_claim"}, "csv")
    packed = gzip.compress(tables["medical_claim"].to_csv(index=False).encode(), mtime=0)
    target = tmp_path / "medical_claim.csv.gz"
    with engine.session() as con:
        target.write_bytes(packed)
        inputs = sources.open_inputs(con, tiny.study(), tmp_path)
        assert engine.fetch(inputs["medical_claim"].count().as_table()).iloc[0, 0] == 18
        for spoilt in (packed[:-20], packed[: len(packed) // 4], b"plain text", b"", packed[:12]):
            target.write_bytes(spoilt)
            with pytest.raises(DataProblem, match=r"medical_claim\.csv\.gz: "):
                sources.open_inputs(con, tiny.study(), tmp_path)
        target.write_bytes(packed)
        shutil.copy(target, tmp_path / "medical_claim.csv")
        with pytest.raises(DataProblem, match=r"medical_claim\.csv and medical_claim\.csv\.gz; keep one"):
            sources.open_inputs(con, tiny.study(), tmp_path)
