"""CMS DE-SynPUF (2008-2010 Data Entrepreneurs' Synthetic Public Use File), turned into the input tables.

The folder holds ``bene``, ``inpatient``, ``outpatient``, ``carrier`` and ``pde``, each as Parquet, CSV or a
folder of parts, with CMS's own column names. `docs/adapters/synpuf.md` says what becomes of each column and
what is lost. There is no program, no practice and no date of payment in these files.
"""

from __future__ import annotations

from pathlib import Path

from medhome.study.definitions import contracts
from medhome.study.spec import StudySpec
from medhome.tables.engine import Engine, reading
from medhome.tables.sources.assemble import make, open_beside
from medhome.tables.sources.files import open_table

SOURCE = "DE-SynPUF"

_CONSTANTS = {"payer": "'Medicare'", "plan": "'fee for service'", "data_source": f"'{SOURCE}'"}

# The kind of institution is in the name of the file, not in its rows: 111 is a hospital's inpatient bill,
# 131 its outpatient bill.
_BILL_TYPES = {"inpatient": "111", "outpatient": "131"}


def open_tables(con: Engine, spec: StudySpec, folder: Path, problems: list[str]) -> list[str]:
    """Open the files of DE-SynPUF as eligibility, medical_claim and pharmacy_claim; returns these names.

    Native files beside them (a roster, say) are opened too. Faults are added to ``problems``.
    """
    files = contracts("synpuf")
    opened = [name for name, about in files.items() if open_table(con, spec, about, folder, problems)]
    beside = open_beside(con, spec, folder, problems, made=())
    if not problems:
        problems += _uneven_lines(con)
    if problems:
        return []
    with reading(str(folder)):
        make(con, "eligibility", [_spans()])
        claims = [*_institutional(con, "inpatient"), *_institutional(con, "outpatient"), *_carrier_lines(con)]
        make(con, "medical_claim", claims)
        tables = ["eligibility", "medical_claim"]
        if "pde" in opened:
            make(con, "pharmacy_claim", [_fills()])
            tables.append("pharmacy_claim")
    return tables + beside


def _uneven_lines(con: Engine) -> list[str]:
    """Line columns of the carrier file that end before its last line."""
    held = {stem: numbers for stem, numbers in _numbered(con, "carrier").items() if stem != "icd9_dgns_cd"}
    lines = sorted(set().union(*held.values()))
    return [
        f"carrier: column {stem}_{n} is missing, while other columns of line {n} are there; add it"
        for n in lines
        for stem in held
        if n not in held[stem]
    ]


def _spans() -> tuple[dict[str, str], str]:
    """Spans of fee-for-service months, with and without drug cover.

    The files give numbers of months, not which: they are placed from January on (up to the month of death).
    A month counts when Parts A and B were held and Medicare Advantage was not; a year whose Part D months are
    fewer is cut in two, the first part with pharmacy benefit.
    """
    relation = """(
        SELECT *, greatest(0, least(months, CASE WHEN year(bene_death_dt) = bene_year
                                                 THEN month(bene_death_dt) ELSE 12 END)) AS covered
        FROM (SELECT *, least(bene_hi_cvrage_tot_mons, bene_smi_cvrage_tot_mons) - bene_hmo_cvrage_tot_mons
                     AS months FROM bene__located)
        WHERE bene_death_dt IS NULL OR year(bene_death_dt) >= bene_year
    ) AS b, (VALUES (1), (0)) AS benefit(pharmacy)
    WHERE CASE WHEN pharmacy = 1 THEN least(covered, plan_cvrg_mos_num) > 0
               ELSE covered > plan_cvrg_mos_num END"""
    first = "CASE WHEN pharmacy = 1 THEN 0 ELSE plan_cvrg_mos_num END"
    end = "CASE WHEN pharmacy = 1 THEN least(covered, plan_cvrg_mos_num) ELSE covered END"
    january = "make_date(bene_year, 1, 1)"
    columns = {
        **_CONSTANTS,
        "person_id": "desynpuf_id",
        "member_id": "desynpuf_id",
        "birth_date": "bene_birth_dt",
        "death_date": "bene_death_dt",
        "gender": "CASE bene_sex_ident_cd WHEN '1' THEN 'male' WHEN '2' THEN 'female' ELSE 'unknown' END",
        "race": "bene_race_cd",
        "state": "sp_state_code",
        "payer_type": "'medicare'",
        "enrollment_start_date": f"CAST({january} + to_months(CAST({first} AS INTEGER)) AS DATE)",
        "enrollment_end_date": f"CAST({january} + to_months(CAST({end} AS INTEGER)) AS DATE) - 1",
        "x_pharmacy_benefit": "pharmacy",
    }
    return columns, relation


def _institutional(con: Engine, file: str) -> list[tuple[dict[str, str], str]]:
    """A claim of an institution: amounts on line 1, and a line without amounts for each further service."""
    relation = f"{file}__located WHERE segment = 1"
    held = _numbered(con, file)
    inpatient = file == "inpatient"
    coinsurance = "nch_bene_pta_coinsrnc_lblty_am" if inpatient else "nch_bene_ptb_coinsrnc_amt"
    deductible = "nch_bene_ip_ddctbl_amt" if inpatient else "nch_bene_ptb_ddctbl_amt"
    shared = f"coalesce({deductible}_cents, 0) + coalesce(nch_bene_blood_ddctbl_lblty_am_cents, 0)"
    columns = {
        **_CONSTANTS,
        "claim_id": "clm_id",
        "claim_type": "'institutional'",
        "person_id": "desynpuf_id",
        "member_id": "desynpuf_id",
        "claim_start_date": "coalesce(clm_from_dt, clm_thru_dt)",
        "claim_end_date": "coalesce(clm_thru_dt, clm_from_dt)",
        "bill_type_code": f"'{_BILL_TYPES[file]}'",
        "rendering_npi": "at_physn_npi",
        "diagnosis_code_type": "'icd-9-cm'",
        "x_claim_status": "'paid'",
        **{f"diagnosis_code_{n}": f"icd9_dgns_cd_{n}" for n in held["icd9_dgns_cd"]},
    }
    if inpatient:
        columns |= {
            "claim_start_date": "coalesce(clm_admsn_dt, clm_from_dt, clm_thru_dt)",
            "admission_date": "clm_admsn_dt",
            "discharge_date": "nch_bene_dschrg_dt",
            "drg_code": "clm_drg_cd",
            "drg_code_type": "'ms-drg'",
            "procedure_code_type": "'icd-9-pcs'",
            **{f"procedure_code_{n}": f"icd9_prcdr_cd_{n}" for n in held["icd9_prcdr_cd"]},
        }
    amounts = {
        "paid_cents": "clm_pmt_amt_cents",
        "deductible_cents": shared,
        "coinsurance_cents": f"coalesce({coinsurance}_cents, 0)",
        "allowed_cents": f"clm_pmt_amt_cents + {shared} + coalesce({coinsurance}_cents, 0)",
    }
    lines = []
    for n in held["hcpcs_cd"]:
        line = {**columns, "claim_line_number": str(n), "hcpcs_code": f"hcpcs_cd_{n}"}
        first = n == 1
        line |= amounts if first else dict.fromkeys(amounts, "0")
        lines.append((line, relation if first else f"{relation} AND hcpcs_cd_{n} IS NOT NULL"))
    return lines


def _carrier_lines(con: Engine) -> list[tuple[dict[str, str], str]]:
    """The lines that a carrier claim holds side by side, where a service or an amount is given."""
    held = _numbered(con, "carrier")
    of_claim = {f"diagnosis_code_{n + 1}": f"icd9_dgns_cd_{n}" for n in held["icd9_dgns_cd"]}
    lines = []
    for n in held["hcpcs_cd"]:
        columns = {
            **_CONSTANTS,
            "claim_id": "clm_id",
            "claim_line_number": str(n),
            "claim_type": "'professional'",
            "person_id": "desynpuf_id",
            "member_id": "desynpuf_id",
            "claim_start_date": "coalesce(clm_from_dt, clm_thru_dt)",
            "claim_end_date": "coalesce(clm_thru_dt, clm_from_dt)",
            "allowed_cents": f"coalesce(line_alowd_chrg_amt_{n}_cents, 0)",
            "paid_cents": f"coalesce(line_nch_pmt_amt_{n}_cents, 0)",
            "deductible_cents": f"line_bene_ptb_ddctbl_amt_{n}_cents",
            "coinsurance_cents": f"line_coinsrnc_amt_{n}_cents",
            "hcpcs_code": f"hcpcs_cd_{n}",
            "rendering_npi": f"prf_physn_npi_{n}",
            "rendering_tin": f"tax_num_{n}",
            "diagnosis_code_type": "'icd-9-cm'",
            "diagnosis_code_1": f"line_icd9_dgns_cd_{n}",
            **of_claim,
            "x_claim_status": f"CASE WHEN line_prcsg_ind_cd_{n} = 'A' THEN 'paid' ELSE 'denied' END",
        }
        amounts = f"line_nch_pmt_amt_{n}_cents <> 0 OR line_alowd_chrg_amt_{n}_cents <> 0"
        given = f"hcpcs_cd_{n} IS NOT NULL OR {amounts}"
        lines.append((columns, f"carrier__located WHERE {given}"))
    return lines


def _fills() -> tuple[dict[str, str], str]:
    columns = {
        **_CONSTANTS,
        "claim_id": "pde_id",
        "claim_line_number": "1",
        "person_id": "desynpuf_id",
        "member_id": "desynpuf_id",
        "dispensing_date": "srvc_dt",
        "ndc_code": "prod_srvc_id",
        "days_supply": "days_suply_num",
        "quantity": "qty_dspnsd_num",
        "allowed_cents": "tot_rx_cst_amt_cents",
        "paid_cents": "tot_rx_cst_amt_cents - ptnt_pay_amt_cents",
        "copayment_cents": "ptnt_pay_amt_cents",
        "x_claim_status": "'paid'",
    }
    return columns, "pde__located"


def _numbered(con: Engine, file: str) -> dict[str, list[int]]:
    """The numbers of each series that a file's rows hold, in order."""
    held = con.table(f"{file}__located").columns
    found = {}
    for column in contracts("synpuf")[file].columns:
        if column.series:
            stem, cents = column.name.split("..")[0].rsplit("_", 1)[0], "_cents" * (column.type == "money")
            found[stem] = [n for n in range(1, 46) if f"{stem}_{n}{cents}" in held]
    return found
