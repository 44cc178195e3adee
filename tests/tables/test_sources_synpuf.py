"""DE-SynPUF: every check of the reference data's README, and the placing of months by hand."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
import tiny_world as tiny

from medhome.study.definitions import contracts
from medhome.study.problems import DataProblem
from medhome.tables import engine, sources


def study(**changes):
    return tiny.study(
        **{
            "data": {"source": "synpuf"},
            "arms": {"rule": "hash"},
            "attribution": {"method": "rule"},
            "paid_through": "2009-12",
            "periods": {
                "baseline_first": "2008-01",
                "baseline_last": "2008-12",
                "start": "2009-01",
                "through": "2009-12",
                "run_out_months": 0,
            },
            **changes,
        }
    )


@pytest.fixture(scope="module")
def synpuf(shared_data):
    """An engine that has opened the 500 beneficiaries."""
    with engine.session() as con:
        sources.open_inputs(con, study(), shared_data / "synpuf_claims500")
        yield con


def _one(con, sql):
    return engine.query(con, sql)[0]


# The figures below are those of README.md in the folder synpuf_claims500 of the reference data; amounts there
# are in dollars, here in cents.


@pytest.mark.shared_data
def test_row_counts_of_the_readme(synpuf):
    counts = {
        "bene": 998,
        "inpatient": 225,
        "outpatient": 2827,
        "carrier": 16677,
        "pde": 17443,
    }
    for table, rows in counts.items():
        assert _one(synpuf, f"SELECT count(*) FROM {table}") == (rows,)
    years = engine.query(synpuf, "SELECT bene_year, count(*) FROM bene GROUP BY 1 ORDER BY 1")
    assert years == [(2008, 500), (2009, 498)]


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("which", "dollars"),
    [
        ("SELECT sum(paid_cents) FROM medical_claim__located WHERE _file = 'inpatient.parquet'", 1_963_900),
        ("SELECT sum(paid_cents) FROM medical_claim__located WHERE _file = 'outpatient.parquet'", 782_630),
        ("SELECT sum(paid_cents) FROM medical_claim__located WHERE _file = 'carrier.parquet'", 1_415_240),
        (
            "SELECT sum(paid_cents) FROM medical_claim WHERE claim_type = 'professional' "
            "AND x_claim_status = 'paid'",
            1_295_550,
        ),
        ("SELECT sum(allowed_cents) FROM pharmacy_claim", 1_080_520),
        ("SELECT sum(medreimb_ip_cents) FROM bene", 1_994_070),
        ("SELECT sum(medreimb_op_cents) FROM bene", 784_630),
        ("SELECT sum(medreimb_car_cents) FROM bene", 1_364_860),
    ],
)
def test_payments_of_the_readme(synpuf, which, dollars):
    assert _one(synpuf, which) == (dollars * 100,)


@pytest.mark.shared_data
def test_drug_cost_per_person_year_of_the_readme(synpuf):
    """People without a fill count as 0."""
    found = engine.query(
        synpuf,
        """SELECT bene_year, bene_sex_ident_cd, round(sum(cents) / 100 / count(*), 1) FROM (
               SELECT bene_year, bene_sex_ident_cd, desynpuf_id, coalesce(sum(allowed_cents), 0) AS cents
               FROM bene LEFT JOIN pharmacy_claim
               ON person_id = desynpuf_id AND year(dispensing_date) = bene_year
               GROUP BY ALL) GROUP BY ALL ORDER BY ALL""",
    )
    assert found == [(2008, "1", 877.7), (2008, "2", 1146.7), (2009, "1", 956.5), (2009, "2", 1263.7)]


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("lines", "summary", "share"),
    [
        ("_file = 'inpatient.parquet'", "medreimb_ip_cents", 94.8),
        ("_file = 'outpatient.parquet'", "medreimb_op_cents", 99.9),
        ("_file = 'carrier.parquet'", "medreimb_car_cents", 41.6),
        ("_file = 'carrier.parquet' AND x_claim_status = 'paid'", "medreimb_car_cents", 60.3),
    ],
)
def test_claims_against_the_beneficiary_summary(synpuf, lines, summary, share):
    """Per cent of person-years equal within $1, a claim counting in the year of its last day.

    Computed from the files apart from this package: 946, 997, 415 and 602 of 998 person-years.
    """
    found = _one(
        synpuf,
        f"""SELECT round(100 * avg(CASE WHEN abs({summary} - coalesce(cents, 0)) <= 100 THEN 1 ELSE 0 END), 1)
            FROM bene LEFT JOIN (
                SELECT person_id, year(claim_end_date) AS year, sum(paid_cents) AS cents
                FROM medical_claim__located WHERE {lines} GROUP BY ALL)
            ON person_id = desynpuf_id AND year = bene_year""",
    )
    assert found == (share,)


@pytest.mark.shared_data
def test_the_claims_of_real_files(synpuf):
    claims = synpuf.table("medical_claim")
    known = {c.engine_name for c in contracts()["medical_claim"].expanded()}
    assert set(claims.columns) <= known
    assert sources.series(claims, "diagnosis_code") == [f"diagnosis_code_{n}" for n in range(1, 7)]
    # the first outpatient claim of the file: paid -40.00, two services, one of them on a line without amounts
    lines = engine.query(
        synpuf,
        "SELECT claim_line_number, hcpcs_code, paid_cents, claim_start_date, diagnosis_code_1, "
        "bill_type_code FROM medical_claim WHERE claim_id = '391582254311834' ORDER BY 1",
    )
    day = dt.date(2009, 4, 25)
    assert lines == [(1, "80048", -4000, day, "4019", "131"), (2, "83880", 0, day, "4019", "131")]
    stay = _one(
        synpuf,
        "SELECT paid_cents, allowed_cents, admission_date, discharge_date, drg_code, bill_type_code "
        "FROM medical_claim WHERE claim_id = '45211150070294' AND claim_line_number = 1",
    )
    assert stay == (500000, 606800, dt.date(2009, 9, 13), dt.date(2009, 9, 20), "335", "111")
    assert _one(synpuf, "SELECT count(*) FROM medical_claim WHERE paid_date IS NOT NULL") == (0,)


@pytest.mark.shared_data
def test_person_months_of_the_real_files(synpuf):
    """Months in spans are those of A and B without Advantage, cut at the month of death: counted apart."""
    bene = synpuf.table("bene").to_pandas()
    months = bene[["bene_hi_cvrage_tot_mons", "bene_smi_cvrage_tot_mons"]].min(axis=1)
    months = (months - bene["bene_hmo_cvrage_tot_mons"]).clip(lower=0)
    died = pd.to_datetime(bene["bene_death_dt"]).dt.month.fillna(12)
    found = _one(
        synpuf,
        "SELECT sum(datediff('month', enrollment_start_date, enrollment_end_date + 1)) FROM eligibility",
    )
    assert found == (int(pd.concat([months, died], axis=1).min(axis=1).sum()),)


def _bene(**columns):
    plain = {
        "BENE_YEAR": 2008,
        "DESYNPUF_ID": "A",
        "BENE_BIRTH_DT": dt.date(1940, 5, 1),
        "BENE_DEATH_DT": None,
        "BENE_SEX_IDENT_CD": "1",
        "SP_STATE_CODE": "39",
        "BENE_HI_CVRAGE_TOT_MONS": 12,
        "BENE_SMI_CVRAGE_TOT_MONS": 12,
        "BENE_HMO_CVRAGE_TOT_MONS": 0,
        "PLAN_CVRG_MOS_NUM": "00",
    }
    return {**plain, **columns}


def _files(folder, bene):
    """CMS files of one beneficiary with one carrier claim, and no rows that matter elsewhere."""
    folder.mkdir()
    pd.DataFrame([bene]).to_parquet(folder / "bene.parquet")
    day = dt.date(2008, 3, 4)
    claim = {
        "DESYNPUF_ID": "A",
        "CLM_ID": "1",
        "CLM_FROM_DT": day,
        "CLM_THRU_DT": day,
        "ICD9_DGNS_CD_1": "4019",
    }
    line = {
        "PRF_PHYSN_NPI_": "1",
        "TAX_NUM_": "2",
        "HCPCS_CD_": "99213",
        "LINE_NCH_PMT_AMT_": 40.0,
        "LINE_BENE_PTB_DDCTBL_AMT_": 0.0,
        "LINE_COINSRNC_AMT_": 10.0,
        "LINE_ALOWD_CHRG_AMT_": 50.0,
        "LINE_PRCSG_IND_CD_": "A",
        "LINE_ICD9_DGNS_CD_": "25000",
    }
    lines = {f"{k}1": v for k, v in line.items()} | {f"{k}2": v for k, v in line.items()}
    lines |= {"LINE_PRCSG_IND_CD_2": "O", "HCPCS_CD_2": None}
    pd.DataFrame([claim | lines]).to_parquet(folder / "carrier.parquet")
    stay = claim | {"SEGMENT": 1, "CLM_PMT_AMT": 100.0, "AT_PHYSN_NPI": "1"}
    stay |= {"ICD9_PRCDR_CD_1": None, "HCPCS_CD_1": None, "NCH_BENE_BLOOD_DDCTBL_LBLTY_AM": 1.0}
    inpatient = stay | {"CLM_ADMSN_DT": day, "NCH_BENE_DSCHRG_DT": day, "CLM_DRG_CD": "39"}
    inpatient |= {"NCH_BENE_IP_DDCTBL_AMT": 20.0, "NCH_BENE_PTA_COINSRNC_LBLTY_AM": 3.0}
    pd.DataFrame([inpatient, inpatient | {"SEGMENT": 2}]).to_parquet(folder / "inpatient.parquet")
    outpatient = stay | {"CLM_ID": "2", "NCH_BENE_PTB_DDCTBL_AMT": None, "NCH_BENE_PTB_COINSRNC_AMT": 5.0}
    pd.DataFrame([outpatient]).to_parquet(folder / "outpatient.parquet")
    return folder


def _opened(con, folder):
    spec = study(outcomes={"services": "medical"})
    return sources.open_inputs(con, spec, folder)


D = dt.date


@pytest.mark.parametrize(
    ("bene", "spans"),
    [
        # full year without drug cover, and with it
        ({}, [(D(2008, 1, 1), D(2008, 12, 31), 0)]),
        ({"PLAN_CVRG_MOS_NUM": "12"}, [(D(2008, 1, 1), D(2008, 12, 31), 1)]),
        # 10 months of both parts, of which 4 in Advantage: 6 months; drug cover in the first 2
        (
            {"BENE_SMI_CVRAGE_TOT_MONS": 10, "BENE_HMO_CVRAGE_TOT_MONS": 4, "PLAN_CVRG_MOS_NUM": "02"},
            [(D(2008, 1, 1), D(2008, 2, 29), 1), (D(2008, 3, 1), D(2008, 6, 30), 0)],
        ),
        # only Part A, and only Advantage: no span
        ({"BENE_SMI_CVRAGE_TOT_MONS": 0}, []),
        ({"BENE_HMO_CVRAGE_TOT_MONS": 12}, []),
        # died in February: up to the end of that month
        ({"BENE_DEATH_DT": D(2008, 2, 1), "PLAN_CVRG_MOS_NUM": "12"}, [(D(2008, 1, 1), D(2008, 2, 29), 1)]),
    ],
)
def test_months_are_placed_from_january(tmp_path, bene, spans):
    with engine.session() as con:
        _opened(con, _files(tmp_path / "cms", _bene(**bene)))
        found = engine.query(
            con,
            "SELECT enrollment_start_date, enrollment_end_date, x_pharmacy_benefit FROM eligibility "
            "ORDER BY enrollment_start_date",
        )
        assert found == spans


def test_lines_amounts_and_status_by_hand(tmp_path):
    with engine.session() as con:
        inputs = _opened(con, _files(tmp_path / "cms", _bene()))
        assert list(inputs) == ["eligibility", "medical_claim"]
        found = engine.query(
            con,
            "SELECT claim_id, claim_line_number, claim_type, hcpcs_code, allowed_cents, paid_cents, "
            "x_claim_status, diagnosis_code_1, drg_code FROM medical_claim ORDER BY ALL",
        )
    # stay: 100 + 20 + 1 (blood) + 3; segment 2 repeats it and is left out. Outpatient: 100 + 0 + 1 + 5.
    assert sorted(found, key=str) == [
        ("1", 1, "institutional", None, 12400, 10000, "paid", "4019", "039"),
        ("1", 1, "professional", "99213", 5000, 4000, "paid", "25000", None),
        ("1", 2, "professional", None, 5000, 4000, "denied", "25000", None),
        ("2", 1, "institutional", None, 10600, 10000, "paid", "4019", None),
    ]


def test_faults_name_the_cms_file_and_column(tmp_path):
    folder = _files(tmp_path / "cms", _bene(BENE_HMO_CVRAGE_TOT_MONS="many"))
    frame = pd.read_parquet(folder / "carrier.parquet").drop(columns="LINE_PRCSG_IND_CD_1")
    frame.to_parquet(folder / "carrier.parquet")
    (folder / "outpatient.parquet").unlink()
    with engine.session() as con, pytest.raises(DataProblem) as caught:
        _opened(con, folder)
    text = str(caught.value)
    assert 'bene.parquet: column bene_hmo_cvrage_tot_mons, row 1: "many"' in text
    assert "carrier.parquet: column line_prcsg_ind_cd_1 is missing" in text
    assert "outpatient: there is no outpatient.parquet" in text


def test_a_line_without_its_amount(tmp_path):
    folder = _files(tmp_path / "cms", _bene())
    frame = pd.read_parquet(folder / "carrier.parquet").drop(columns="LINE_ALOWD_CHRG_AMT_2")
    frame.to_parquet(folder / "carrier.parquet")
    with engine.session() as con, pytest.raises(DataProblem, match="line_alowd_chrg_amt_2 is missing"):
        _opened(con, folder)


def test_csv_as_cms_writes_it(tmp_path):
    """Text columns, dates as YYYYMMDD: the same rows as from Parquet."""
    folder = _files(tmp_path / "cms", _bene(BENE_DEATH_DT=D(2008, 2, 1)))
    found = []
    with engine.session() as con:
        for kind in ("parquet", "csv"):
            inputs = _opened(con, folder)
            found.append({n: engine.fetch(t.order_by(t.columns)) for n, t in inputs.items()})
            if kind == "parquet":
                for path in folder.iterdir():
                    frame = pd.read_parquet(path)
                    for column in frame.columns[frame.columns.str.endswith("_DT")]:
                        frame[column] = [f"{d:%Y%m%d}" if d else None for d in frame[column]]
                    frame.to_csv(path.with_suffix(".csv"), index=False)
                    path.unlink()
    for name in found[0]:
        pd.testing.assert_frame_equal(found[0][name], found[1][name])
