"""CCLF: hand-made claims, cancelled, replaced and delivered twice, and a beneficiary number that changed."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
import tiny_world as tiny

from medhome.study.definitions import contracts
from medhome.study.problems import DataProblem, StudyFileError
from medhome.tables import checks, engine, sources

JANUARY, FEBRUARY = "2020-01-31", "2020-02-29"
"""Days of two deliveries."""


def study(**changes):
    return tiny.study(
        **{
            "data": {"source": "cclf"},
            "arms": {"rule": "hash"},
            "attribution": {"method": "rule"},
            "outcomes": {"services": "medical"},
            "population": {"age_max": 130, "require_pharmacy_benefit": False},
            "paid_through": "2020-12",
            "periods": {
                "baseline_first": "2019-01",
                "baseline_last": "2019-06",
                "start": "2019-07",
                "through": "2019-12",
            },
            **changes,
        }
    )


def _header(claim, amount, adjustment="0", effective="2019-04-01", filed=JANUARY, **columns):
    plain = {
        "CUR_CLM_UNIQ_ID": claim,
        "FILE_DATE": filed,
        "BENE_MBI_ID": "A1",
        "CLM_TYPE_CD": "60",
        "CLM_FROM_DT": "2019-03-10",
        "CLM_THRU_DT": "2019-03-14",
        "CLM_BILL_FAC_TYPE_CD": "1",
        "CLM_BILL_CLSFCTN_CD": "1",
        "CLM_BILL_FREQ_CD": "1",
        "PRNCPL_DGNS_CD": "I5030",
        "CLM_MDCR_NPMT_RSN_CD": "~",
        "CLM_PMT_AMT": amount,
        "BENE_PTNT_STUS_CD": "01",
        "DGNS_DRG_CD": "0291",
        "FAC_PRVDR_NPI_NUM": "3000000001",
        "ATNDG_PRVDR_NPI_NUM": "1000000009",
        "CLM_ADJSMT_TYPE_CD": adjustment,
        "CLM_EFCTV_DT": effective,
        "CLM_ADMSN_TYPE_CD": "1",
        "CLM_ADMSN_SRC_CD": "1",
        "DGNS_PRCDR_ICD_IND": "0",
        "CLM_MDCR_INSTNL_TOT_CHRG_AMT": "9000.00",
        "CLM_BLG_PRVDR_OSCAR_NUM": "390001",
    }
    return {**plain, **columns}


def _line(claim, number, revenue, hcpcs="~", filed=JANUARY):
    return {
        "CUR_CLM_UNIQ_ID": claim,
        "FILE_DATE": filed,
        "CLM_LINE_NUM": number,
        "CLM_LINE_FROM_DT": "1000-01-01",
        "CLM_LINE_THRU_DT": "9999-12-31",
        "CLM_LINE_PROD_REV_CTR_CD": revenue,
        "CLM_LINE_HCPCS_CD": hcpcs,
        "CLM_LINE_SRVC_UNIT_QTY": "1",
    }


def _diagnosis(claim, place, code, filed=JANUARY):
    return {"CUR_CLM_UNIQ_ID": claim, "FILE_DATE": filed, "CLM_VAL_SQNC_NUM": place, "CLM_DGNS_CD": code}


def _visit(claim, paid, allowed, adjustment="0", effective="2019-05-20", filed=JANUARY, **columns):
    plain = {
        "CUR_CLM_UNIQ_ID": claim,
        "FILE_DATE": filed,
        "CLM_LINE_NUM": "1",
        "BENE_MBI_ID": "B1",
        "CLM_FROM_DT": "2019-05-02",
        "CLM_THRU_DT": "2019-05-02",
        "CLM_POS_CD": "11",
        "CLM_LINE_FROM_DT": "2019-05-02",
        "CLM_LINE_THRU_DT": "2019-05-02",
        "CLM_LINE_HCPCS_CD": "99213",
        "CLM_LINE_CVRD_PD_AMT": paid,
        "CLM_LINE_ALOWD_CHRG_AMT": allowed,
        "CLM_LINE_DGNS_CD": "E119",
        "CLM_RNDRG_PRVDR_TAX_NUM": "230000001",
        "RNDRG_PRVDR_NPI_NUM": "1000000001",
        "CLM_CARR_PMT_DNL_CD": "1",
        "CLM_PRCSG_IND_CD": "A",
        "CLM_ADJSMT_TYPE_CD": adjustment,
        "CLM_EFCTV_DT": effective,
        "CLM_CNTL_NUM": f"K-{claim}",
        "CLM_LINE_SRVC_UNIT_QTY": "1",
        "DGNS_PRCDR_ICD_IND": "0",
        "CLM_DGNS_1_CD": "I10",
    }
    return {**plain, **columns}


def frames() -> dict[str, pd.DataFrame]:
    """Two people (A1 becomes A2 and then A3; B1), two deliveries, claims 101 to 112."""
    later = {"CLM_FROM_DT": "2019-08-01", "CLM_THRU_DT": "2019-08-01", "CLM_TYPE_CD": "40"}
    outpatient = {**later, "CLM_BILL_CLSFCTN_CD": "3", "DGNS_DRG_CD": "~", "BENE_MBI_ID": "B1"}
    headers = [
        # A stay of 5,000, cancelled and replaced by 4,200 on one day; the replacement bears the new number.
        _header("101", "5000.00"),
        _header("102", "5000.00", "1", "2019-06-01"),
        _header("103", "4200.00", "2", "2019-06-01", BENE_MBI_ID="A2"),
        # An outpatient claim of 300 that the second delivery brings again, as 310.
        _header("104", "300.00", **outpatient),
        _header("104", "310.00", filed=FEBRUARY, **outpatient),
        # Not paid by Medicare; cancelled altogether; a cancellation of what is not in the files.
        _header("105", "0.00", **{**outpatient, "CLM_MDCR_NPMT_RSN_CD": "N"}),
        _header("106", "700.00", **{**outpatient, "CLM_FROM_DT": "2019-09-01"}),
        _header("107", "700.00", "1", "2019-10-01", **{**outpatient, "CLM_FROM_DT": "2019-09-01"}),
        _header("108", "250.00", "1", **{**outpatient, "CLM_FROM_DT": "2019-07-01"}),
    ]
    lines = [
        *[_line(c, "1", "0120") for c in ("101", "102", "103")],
        _line("103", "2", "0250"),
        _line("104", "3", "0450", "99284"),
        *[_line("104", n, r, h, FEBRUARY) for n, r, h in (("3", "0450", "99284"), ("4", "0300", "80048"))],
        *[_line(c, "1", "0510") for c in ("106", "107", "108")],
    ]
    diagnoses = [
        *[_diagnosis("103", place, code) for place, code in (("1", "I5030"), ("2", "E119"), ("3", "~"))],
        _diagnosis("104", "1", "R079"),
        _diagnosis("104", "1", "R079", FEBRUARY),
        _diagnosis("104", "2", "I10", FEBRUARY),
    ]
    procedure = {"CLM_PRCDR_CD": "5A1D70Z", "CLM_PRCDR_PRFRM_DT": "2019-03-11"}
    procedure |= {"CUR_CLM_UNIQ_ID": "103", "FILE_DATE": JANUARY, "CLM_VAL_SQNC_NUM": "1"}
    visits = [
        # 80 of 100, cancelled and replaced by 88 of 110; one denied; one told in both deliveries.
        _visit("109", "80.00", "100.00", CLM_CNTL_NUM="K1"),
        _visit("110", "80.00", "100.00", "1", "2019-07-01", CLM_CNTL_NUM="K1"),
        _visit("111", "88.00", "110.00", "2", "2019-07-01", CLM_CNTL_NUM="K1"),
        _visit("112", "0.00", "0.00", CLM_CARR_PMT_DNL_CD="0", CLM_PRCSG_IND_CD="D"),
        _visit("113", "40.00", "50.00", BENE_MBI_ID="A1"),
        _visit("113", "40.00", "50.00", BENE_MBI_ID="A1", filed=FEBRUARY),
    ]
    dme = _visit("114", "16.00", "20.00", CLM_LINE_HCPCS_CD="E0601", CLM_POS_CD="12")
    dme |= {"PAYTO_PRVDR_NPI_NUM": "4000000001", "ORDRG_PRVDR_NPI_NUM": "1000000001"}
    people = {
        "BENE_DOB": "1945-05-01",
        "BENE_SEX_CD": "2",
        "BENE_MDCR_STUS_CD": "10",
        "BENE_DEATH_DT": "9999-12-31",
        "GEO_USPS_STATE_CD": "PA",
    }
    listed = [
        {"BENE_MBI_ID": "A1", "FILE_DATE": JANUARY, **people},
        {"BENE_MBI_ID": "A3", "FILE_DATE": FEBRUARY, **people, "BENE_DEATH_DT": "2020-02-20"},
        {"BENE_MBI_ID": "B1", "FILE_DATE": FEBRUARY, **people, "BENE_SEX_CD": "1"},
    ]
    changes = {"FILE_DATE": FEBRUARY, "HICN_MBI_XREF_IND": "M", "PRVS_ID_OBSLT_DT": "2019-05-31"}
    spans = [("A1", "2019-01-01", "2019-12-31"), ("B1", "2019-01-01", "9999-12-31")]
    return {
        "parta_claims_header": pd.DataFrame(headers),
        "parta_claims_revenue_center_detail": pd.DataFrame(lines),
        "parta_diagnosis_code": pd.DataFrame(diagnoses),
        "parta_procedure_code": pd.DataFrame([procedure]),
        "partb_physicians": pd.DataFrame(visits),
        "partb_dme": pd.DataFrame([dme]),
        "beneficiary_demographics": pd.DataFrame(listed),
        "beneficiary_xref": pd.DataFrame(
            [
                {**changes, "PRVS_NUM": "A1", "CRNT_NUM": "A2"},
                {**changes, "PRVS_NUM": "A2", "CRNT_NUM": "A3"},
                {**changes, "HICN_MBI_XREF_IND": "H", "PRVS_NUM": "B1", "CRNT_NUM": "old"},
            ]
        ),
        "enrollment": pd.DataFrame(
            spans, columns=["CURRENT_BENE_MBI_ID", "ENROLLMENT_START_DATE", "ENROLLMENT_END_DATE"]
        ),
    }


@pytest.fixture
def con():
    with engine.session() as opened:
        yield opened


def _open(con, folder, tables=None, kind="csv", spec=None):
    return sources.open_inputs(con, spec or study(), tiny.write(folder, tables or frames(), kind))


def _claims(con, columns, where="true"):
    return engine.query(con, f"SELECT {columns} FROM medical_claim WHERE {where} ORDER BY claim_id, 2")


D = dt.date


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_claims_of_institutions_by_hand(con, tmp_path, kind):
    _open(con, tmp_path, kind=kind)
    found = _claims(
        con,
        "claim_id, claim_line_number, person_id, paid_cents, allowed_cents, bill_type_code, x_claim_status, "
        "x_adjustment_type, paid_date",
        "claim_type = 'institutional'",
    )
    # 101 to 103 are one stay: 5,000 - 5,000 + 4,200. 104: only the second delivery speaks. 105 was not paid.
    # 106 and 107 cancel each other and vanish. 108 takes back what the files do not hold.
    assert found == [
        ("103", 1, "A3", 420000, 420000, "111", "paid", "original", D(2019, 6, 1)),
        ("103", 2, "A3", 0, 0, "111", "paid", "original", D(2019, 6, 1)),
        ("104", 3, "B1", 31000, 31000, "131", "paid", "original", D(2019, 4, 1)),
        ("104", 4, "B1", 0, 0, "131", "paid", "original", D(2019, 4, 1)),
        ("105", 1, "B1", 0, 0, None, "denied", "original", D(2019, 4, 1)),
        ("108", 1, "B1", -25000, -25000, "131", "reversed", "void", D(2019, 4, 1)),
    ]


def test_related_claims_are_added_up_on_the_last(con, tmp_path):
    """Two claims of one biller, person and stay, neither cancelled: 100 + 60, told by the later one."""
    tables = frames()
    rows = [_header("301", "60.00", effective="2019-06-01"), _header("302", "100.00")]
    tables["parta_claims_header"] = pd.DataFrame(rows)
    _open(con, tmp_path, tables)
    found = _claims(con, "claim_id, claim_line_number, paid_cents", "claim_type = 'institutional'")
    assert found == [("301", 1, 16000)]


def test_claims_without_a_biller_are_not_thrown_together(con, tmp_path):
    tables = frames()
    alone = {"CLM_BLG_PRVDR_OSCAR_NUM": "~", "FAC_PRVDR_NPI_NUM": "~"}
    rows = [_header("201", "10.00", **alone), _header("202", "20.00", **alone)]
    tables["parta_claims_header"] = pd.DataFrame(rows)
    _open(con, tmp_path, tables)
    found = _claims(con, "claim_id, claim_line_number, paid_cents", "claim_type = 'institutional'")
    assert found == [("201", 1, 1000), ("202", 1, 2000)]


def test_codes_and_days_of_a_stay(con, tmp_path):
    _open(con, tmp_path)
    stay = _claims(
        con,
        "claim_id, claim_line_number, drg_code, drg_code_type, admission_date, discharge_date, "
        "diagnosis_code_type, diagnosis_code_1, diagnosis_code_2, procedure_code_1, procedure_date_1, "
        "revenue_center_code, hcpcs_code, claim_line_start_date, charge_cents, rendering_npi, facility_npi",
        "claim_id = '103' AND claim_line_number = 1",
    )
    codes = ("icd-10-cm", "I5030", "E119", "5A1D70Z", D(2019, 3, 11), "0120", None, None)
    # charges are netted as payments are: 9,000 - 9,000 + 9,000
    days = ("291", "ms-drg", D(2019, 3, 10), D(2019, 3, 14))
    assert stay == [("103", 1, *days, *codes, 900000, "1000000009", "3000000001")]
    visit = _claims(con, "claim_id, claim_line_number, drg_code, admission_date", "claim_id = '104'")
    assert visit == [("104", 3, None, None), ("104", 4, None, None)]
    # the diagnoses of the delivery that speaks: the principal one of the header first
    codes = _claims(con, "diagnosis_code_1, diagnosis_code_2, diagnosis_code_3", "claim_id = '104'")
    assert set(codes) == {("I5030", "R079", "I10")}


def test_professional_lines_by_hand(con, tmp_path):
    _open(con, tmp_path)
    found = _claims(
        con,
        "claim_id, person_id, paid_cents, allowed_cents, x_claim_status, x_adjustment_type, "
        "x_adjusts_claim_id, rendering_npi, place_of_service_code",
        "claim_type = 'professional'",
    )
    clinician = "1000000001"
    assert found == [
        ("109", "B1", 8000, 10000, "paid", "original", None, clinician, "11"),
        ("110", "B1", -8000, -10000, "reversed", "void", "109", clinician, "11"),
        ("111", "B1", 8800, 11000, "paid", "replacement", "109", clinician, "11"),
        ("112", "B1", 0, 0, "denied", "original", None, clinician, "11"),
        ("113", "A3", 4000, 5000, "paid", "original", None, clinician, "11"),
        ("114", "B1", 1600, 2000, "paid", "original", None, clinician, "12"),
    ]
    assert _claims(con, "diagnosis_code_1, diagnosis_code_2", "claim_id = '109'") == [("E119", "I10")]


def test_the_worked_example_of_the_information_packet(con, tmp_path):
    """CCLF Information Packet, 5.3.2, table 4: one related set and one claim apart come to $260."""
    example = [
        ("1014", "200.00", "0", "2019-07-20"),
        ("1015", "0.00", "2", "2019-09-20"),
        ("1016", "200.00", "1", "2019-08-07"),
        ("1017", "210.00", "2", "2019-09-20"),
        ("1018", "0.00", "2", "2019-08-07"),
        ("1019", "0.00", "1", "2019-10-07"),
    ]
    tables = frames()
    rows = [_header(claim, amount, kind, day) for claim, amount, kind, day in example]
    rows.append(_header("1020", "50.00", effective="2019-09-20", CLM_FROM_DT="2019-03-12"))
    tables["parta_claims_header"] = pd.DataFrame(rows)
    _open(con, tmp_path, tables)
    found = _claims(con, "claim_id, claim_line_number, paid_cents", "claim_type = 'institutional'")
    assert found == [("1017", 1, 21000), ("1020", 1, 5000)]
    assert sum(cents for *_, cents in found) == 26000


def test_enrolment_by_alignment_and_by_delivery(con, tmp_path):
    columns = "person_id, enrollment_start_date, enrollment_end_date, gender, death_date, x_pharmacy_benefit"
    sql = f"SELECT {columns} FROM eligibility ORDER BY ALL"
    _open(con, tmp_path / "aligned")
    assert engine.query(con, sql) == [
        ("A3", D(2019, 1, 1), D(2019, 12, 31), "female", D(2020, 2, 20), 0),
        ("B1", D(2019, 1, 1), None, "male", None, 0),
    ]
    tables = frames()
    del tables["enrollment"], tables["beneficiary_xref"]
    _open(con, tmp_path / "delivered", tables)
    assert engine.query(con, sql) == [
        ("A1", D(2020, 1, 1), D(2020, 1, 31), "female", None, 0),
        ("A3", D(2020, 2, 1), D(2020, 2, 29), "female", D(2020, 2, 20), 0),
        ("B1", D(2020, 2, 1), D(2020, 2, 29), "male", None, 0),
    ]


def test_drugs_cannot_be_counted(con, tmp_path):
    folder = tiny.write(tmp_path, frames(), "csv")
    with pytest.raises(StudyFileError, match=r'set outcomes\.services = "medical"') as caught:
        sources.open_inputs(con, study(outcomes={}, population={}), folder)
    assert "require_pharmacy_benefit" in str(caught.value) and caught.value.exit_code == 2


def test_a_roster_lies_beside_the_files(con, tmp_path):
    native = tiny.frames()
    tables = frames() | {name: native[name] for name in ("provider_practice", "program_roster")}
    spec = study(arms={"program_id": "PCMH"}, attribution={"method": "plurality"})
    inputs = _open(con, tmp_path, tables, "parquet", spec)
    assert list(inputs) == ["eligibility", "medical_claim", "provider_practice", "program_roster"]
    with pytest.raises(DataProblem, match=r"program_roster: there is no program_roster\.parquet"):
        _open(con, tmp_path / "without", frames(), spec=spec)


def test_faults_name_the_file_and_column(con, tmp_path):
    tables = frames()
    tables["parta_claims_header"] = tables["parta_claims_header"].drop(columns="CLM_EFCTV_DT")
    tables["partb_physicians"]["CLM_LINE_CVRD_PD_AMT"] = "much"
    del tables["partb_dme"]
    with pytest.raises(DataProblem) as caught:
        _open(con, tmp_path, tables)
    text = str(caught.value)
    assert "parta_claims_header.csv: column clm_efctv_dt is missing" in text
    assert 'partb_physicians.csv: column clm_line_cvrd_pd_amt, row 1: "much" cannot be read' in text
    assert "partb_dme: there is no partb_dme.parquet" in text


def test_numbers_that_replace_each_other(con, tmp_path):
    tables = frames()
    tables["beneficiary_xref"].loc[1, "CRNT_NUM"] = "A1"
    with pytest.raises(DataProblem, match="prvs_num A1 is replaced again and again"):
        _open(con, tmp_path, tables)


def test_the_tables_pass_the_checks_and_every_file_is_named(con, tmp_path):
    """Files that give no row of their own, such as diagnoses, are among the inputs all the same."""
    tables = frames()
    months = [_visit(f"2{m:02}", "8.00", "10.00", BENE_MBI_ID="A1") for m in range(1, 13)]
    for m, row in enumerate(months, start=1):
        row |= {c: f"2019-{m:02}-05" for c in ("CLM_FROM_DT", "CLM_THRU_DT", "CLM_LINE_FROM_DT")}
        row |= {"CLM_LINE_THRU_DT": f"2019-{m:02}-05", "CLM_EFCTV_DT": f"2019-{m:02}-20"}
    tables["partb_physicians"] = pd.concat([tables["partb_physicians"], pd.DataFrame(months)])
    inputs = _open(con, tmp_path, tables)
    rules, files = checks.check_inputs(con, inputs, study(), tmp_path)
    assert not ((rules["severity"] == "error") & (rules["count"] > 0)).any()
    assert set(files["name"]) == {f"{name}.csv" for name in tables}
    assert set(tables) == set(contracts("cclf"))
