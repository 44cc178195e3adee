"""CMS Claim and Claim Line Feed (CCLF) files, as Medicare sends them to accountable care organisations.

The folder holds the files as tables named in `definitions/cclf/tables.csv` (``parta_claims_header`` for CCLF1
and so on), each with CMS's own column names and a ``file_date``; several deliveries may lie one upon another.
`docs/adapters/cclf.md` says what becomes of each column and what these files cannot tell.

Order of work: the last delivery of each claim speaks; claims of institutions that Medicare did not pay come
as denied; beneficiary numbers are replaced by those in force; claims of institutions with the same biller,
days and beneficiary are one claim, whose payment is the sum with cancellations negative.
Names of columns and this order: CCLF Information Packet, 5.2 and 5.3, and
github.com/tuva-health/medicare_cclf_connector (commit c07f6e1).
"""

from __future__ import annotations

from pathlib import Path

from medhome.study.definitions import contracts
from medhome.study.problems import StudyFileError
from medhome.study.spec import StudySpec
from medhome.tables.engine import Engine, query, reading
from medhome.tables.sources.assemble import longest, make, open_beside
from medhome.tables.sources.files import open_table

SOURCE = "CCLF"

MISSING = ("~", "1000-01-01", "9999-12-31")
"""What CMS writes for a missing value."""

_CONSTANTS = {"payer": "'Medicare'", "plan": "'fee for service'", "data_source": f"'{SOURCE}'"}

_CODE_SYSTEM = "CASE dgns_prcdr_icd_ind WHEN '0' THEN 'icd-10-{0}' WHEN '9' THEN 'icd-9-{0}' END"

# Skilled nursing (20, 30) and inpatient claims (60, 61): their first and last day are those of a stay.
_STAY = "clm_type_cd IN ('20', '30', '60', '61')"

_LONGEST_CHAIN = 20


def open_tables(con: Engine, spec: StudySpec, folder: Path, problems: list[str]) -> list[str]:
    """Open CCLF files as eligibility and medical_claim, and native files beside them; returns their names.

    Faults are added to ``problems``. Raises `StudyFileError` when the study counts drugs, whose cost CCLF
    does not hold.
    """
    _refuse_drugs(spec)
    files = contracts("cclf")
    opened = [
        name for name, about in files.items() if open_table(con, spec, about, folder, problems, MISSING)
    ]
    beside = open_beside(con, spec, folder, problems, made=())
    if problems:
        return []
    with reading(str(folder)):
        _numbers_in_force(con, "beneficiary_xref" in opened, problems)
        if problems:
            return []
        make(con, "eligibility", [_spans(con, "enrollment" in opened)])
        _institutional(con, "parta_procedure_code" in opened)
        claims = [_institutional_lines(con), _unpaid()]
        claims += [_professional_lines(con, file) for file in ("partb_physicians", "partb_dme")]
        make(con, "medical_claim", claims)
    return ["eligibility", "medical_claim", *beside]


def _refuse_drugs(spec: StudySpec) -> None:
    faults = []
    if spec.outcomes.services == "all":
        faults.append(
            'outcomes.services = "all" counts drugs, but CCLF7 holds only what the patient paid for them, '
            'not their cost: set outcomes.services = "medical"'
        )
    if spec.population.require_pharmacy_benefit:
        faults.append(
            "population.require_pharmacy_benefit = true would leave nobody, as the cost of no drug is known: "
            "set it to false"
        )
    if faults:
        raise StudyFileError("\n  ".join(['data.source = "cclf":', *faults]))


def _last_delivery(table: str) -> str:
    """The rows of the last delivery that holds a claim; a claim's rows come together in each."""
    return (
        f"(SELECT * FROM {table}__located "
        "QUALIFY rank() OVER (PARTITION BY cur_clm_uniq_id ORDER BY file_date DESC NULLS LAST) = 1)"
    )


def _numbers_in_force(con: Engine, listed: bool, problems: list[str]) -> None:
    """Table cclf__numbers: each beneficiary number that was replaced (``old``), and that in force (``new``).

    A number may have been replaced several times; the chain is followed to its end.
    """
    source = "(SELECT NULL::VARCHAR AS prvs_num, NULL::VARCHAR AS crnt_num WHERE false)"
    if listed:
        source = """(
            SELECT prvs_num, crnt_num FROM beneficiary_xref__located
            WHERE coalesce(hicn_mbi_xref_ind, 'M') = 'M' AND prvs_num <> crnt_num
            QUALIFY row_number() OVER (PARTITION BY prvs_num
                ORDER BY file_date DESC NULLS LAST, prvs_id_obslt_dt DESC NULLS LAST, crnt_num DESC) = 1)"""
    con.raw_sql(
        f"""CREATE OR REPLACE TEMP TABLE cclf__numbers AS
        WITH RECURSIVE step AS (SELECT * FROM {source}), chain AS (
            SELECT prvs_num AS old, crnt_num AS new, 1 AS length FROM step
            UNION ALL
            SELECT chain.old, step.crnt_num, chain.length + 1 FROM chain
            JOIN step ON step.prvs_num = chain.new WHERE chain.length < {_LONGEST_CHAIN})
        SELECT old, new, length FROM chain
        QUALIFY row_number() OVER (PARTITION BY old ORDER BY length DESC) = 1"""
    )
    endless = query(con, f"SELECT min(old), count(*) FROM cclf__numbers WHERE length >= {_LONGEST_CHAIN}")[0]
    if endless[1]:
        problems.append(
            f"beneficiary_xref: prvs_num {endless[0]} is replaced again and again without an end "
            f"({endless[1]} such numbers); correct crnt_num"
        )


def _spans(con: Engine, aligned: bool) -> tuple[dict[str, str], str]:
    """Spans of alignment, or, where no such table is given, months of the deliveries that list a person."""
    con.raw_sql(
        """CREATE OR REPLACE TEMP TABLE cclf__people AS
        WITH numbered AS (
            SELECT * EXCLUDE (_file, _row), coalesce(new, bene_mbi_id) AS person
            FROM beneficiary_demographics__located LEFT JOIN cclf__numbers ON old = bene_mbi_id)
        SELECT * FROM numbered QUALIFY row_number() OVER (PARTITION BY person
            ORDER BY file_date DESC NULLS LAST, (new IS NOT NULL), bene_mbi_id) = 1"""
    )
    if aligned:
        spans = """(
            SELECT DISTINCT ON (person, first, last) coalesce(new, current_bene_mbi_id) AS person,
                enrollment_start_date AS first, enrollment_end_date AS last, _file, _row
            FROM enrollment__located LEFT JOIN cclf__numbers ON old = current_bene_mbi_id
            ORDER BY person, first, last, _file, _row)"""
    else:
        spans = """(
            SELECT DISTINCT ON (person, first) coalesce(new, bene_mbi_id) AS person,
                CAST(date_trunc('month', file_date) AS DATE) AS first, last_day(file_date) AS last,
                _file, _row
            FROM beneficiary_demographics__located LEFT JOIN cclf__numbers ON old = bene_mbi_id
            ORDER BY person, first, _file, _row)"""
    columns = {
        **_CONSTANTS,
        "person_id": "s.person",
        "member_id": "s.person",
        "birth_date": "bene_dob",
        "death_date": "bene_death_dt",
        "gender": "CASE bene_sex_cd WHEN '1' THEN 'male' WHEN '2' THEN 'female' ELSE 'unknown' END",
        "race": "bene_race_cd",
        "state": "geo_usps_state_cd",
        "zip_code": "geo_zip5_cd",
        "payer_type": "'medicare'",
        "enrollment_start_date": "first",
        "enrollment_end_date": "last",
        "original_reason_entitlement_code": "bene_orgnl_entlmt_rsn_cd",
        "dual_status_code": "bene_dual_stus_cd",
        "medicare_status_code": "bene_mdcr_stus_cd",
        "x_pharmacy_benefit": "0",
    }
    return columns, f"{spans} AS s LEFT JOIN cclf__people AS p ON p.person = s.person"


def _institutional(con: Engine, procedures: bool) -> None:
    """Table cclf__institutional: one row per final claim of an institution and revenue-centre line.

    Of the claims with the same biller, days and beneficiary, the last to take effect that is no cancellation
    is kept, with the sum of their payments. Where every claim was cancelled nothing is kept, unless what was
    cancelled lies outside the files: then the cancellation is kept, with its negative sum.
    """
    sign = "CASE WHEN clm_adjsmt_type_cd = '1' THEN -1 ELSE 1 END"
    con.raw_sql(
        f"""CREATE OR REPLACE TEMP TABLE cclf__final AS
        WITH paid AS (
            SELECT *, coalesce(new, bene_mbi_id) AS person, {sign} AS sign,
                coalesce(clm_blg_prvdr_oscar_num, fac_prvdr_npi_num, cur_clm_uniq_id) AS biller
            FROM {_last_delivery("parta_claims_header")} LEFT JOIN cclf__numbers ON old = bene_mbi_id
            WHERE clm_mdcr_npmt_rsn_cd IS NULL)
        SELECT *, sum(sign) OVER related AS standing,
            CAST(sum(sign * clm_pmt_amt_cents) OVER related AS BIGINT) AS net_cents,
            CAST(sum(sign * clm_mdcr_instnl_tot_chrg_amt_cents) OVER related AS BIGINT) AS net_charge_cents
        FROM paid
        WINDOW related AS (PARTITION BY biller, clm_from_dt, clm_thru_dt, person)
        QUALIFY row_number() OVER (
                PARTITION BY biller, clm_from_dt, clm_thru_dt, person
                ORDER BY sign DESC, clm_efctv_dt DESC NULLS LAST, length(cur_clm_uniq_id) DESC,
                    cur_clm_uniq_id DESC) = 1
            AND (standing > 0 OR net_cents <> 0)"""
    )
    done = "NULL::VARCHAR AS cur_clm_uniq_id, NULL::VARCHAR[] AS procedures, NULL::DATE[] AS procedure_days"
    performed = f"(SELECT {done} WHERE false)"
    if procedures:
        performed = f"""(
            SELECT cur_clm_uniq_id, list(clm_prcdr_cd ORDER BY clm_val_sqnc_num, clm_prcdr_cd) AS procedures,
                list(clm_prcdr_prfrm_dt ORDER BY clm_val_sqnc_num, clm_prcdr_cd) AS procedure_days
            FROM {_last_delivery("parta_procedure_code")} WHERE clm_prcdr_cd IS NOT NULL GROUP BY 1)"""
    con.raw_sql(
        f"""CREATE OR REPLACE TEMP TABLE cclf__institutional AS
        WITH codes AS (
            SELECT cur_clm_uniq_id, clm_dgns_cd AS code, clm_val_sqnc_num AS place
            FROM {_last_delivery("parta_diagnosis_code")}
            UNION ALL SELECT cur_clm_uniq_id, prncpl_dgns_cd, -1 FROM cclf__final),
        diagnoses AS (
            SELECT cur_clm_uniq_id, list(code ORDER BY place, code) AS diagnoses FROM (
                SELECT cur_clm_uniq_id, code, min(place) AS place FROM codes WHERE code IS NOT NULL
                GROUP BY ALL)
            GROUP BY 1),
        lines AS (
            SELECT * EXCLUDE (file_date, _file, _row),
                row_number() OVER (PARTITION BY cur_clm_uniq_id ORDER BY clm_line_num, _file, _row) AS nth
            FROM {_last_delivery("parta_claims_revenue_center_detail")})
        SELECT * FROM cclf__final LEFT JOIN lines USING (cur_clm_uniq_id)
        LEFT JOIN diagnoses USING (cur_clm_uniq_id) LEFT JOIN {performed} USING (cur_clm_uniq_id)"""
    )


def _claim_of_institution() -> dict[str, str]:
    return {
        **_CONSTANTS,
        "claim_id": "cur_clm_uniq_id",
        "claim_type": "'institutional'",
        "person_id": "person",
        "member_id": "person",
        "claim_start_date": "clm_from_dt",
        "claim_end_date": "clm_thru_dt",
        "admission_date": f"CASE WHEN {_STAY} THEN clm_from_dt END",
        "discharge_date": f"CASE WHEN {_STAY} THEN clm_thru_dt END",
        "admit_type_code": "clm_admsn_type_cd",
        "admit_source_code": "clm_admsn_src_cd",
        "discharge_disposition_code": "bene_ptnt_stus_cd",
        "drg_code_type": "CASE WHEN dgns_drg_cd IS NOT NULL THEN 'ms-drg' END",
        "drg_code": "right(lpad(dgns_drg_cd, 4, '0'), 3)",
        "bill_type_code": "clm_bill_fac_type_cd || clm_bill_clsfctn_cd || clm_bill_freq_cd",
        "rendering_npi": "atndg_prvdr_npi_num",
        "billing_npi": "coalesce(clm_blg_prvdr_npi_num, fac_prvdr_npi_num)",
        "facility_npi": "fac_prvdr_npi_num",
        "paid_date": "clm_efctv_dt",
    }


def _institutional_lines(con: Engine) -> tuple[dict[str, str], str]:
    """Lines of claims of institutions: the claim's amounts on the first, none on the others."""
    first = "(nth IS NULL OR nth = 1)"
    source = "cclf__institutional"
    columns = {
        **_claim_of_institution(),
        "claim_line_number": "coalesce(clm_line_num, 1)",
        "claim_line_start_date": "clm_line_from_dt",
        "claim_line_end_date": "clm_line_thru_dt",
        "revenue_center_code": "clm_line_prod_rev_ctr_cd",
        "hcpcs_code": "clm_line_hcpcs_cd",
        "hcpcs_modifier_1": "hcpcs_1_mdfr_cd",
        "hcpcs_modifier_2": "hcpcs_2_mdfr_cd",
        "service_unit_quantity": "clm_line_srvc_unit_qty",
        "paid_cents": f"CASE WHEN {first} THEN net_cents ELSE 0 END",
        "allowed_cents": f"CASE WHEN {first} THEN net_cents ELSE 0 END",
        "charge_cents": f"CASE WHEN {first} THEN net_charge_cents ELSE 0 END",
        "diagnosis_code_type": _CODE_SYSTEM.format("cm"),
        "procedure_code_type": _CODE_SYSTEM.format("pcs"),
        "x_claim_status": "CASE WHEN standing > 0 THEN 'paid' ELSE 'reversed' END",
        "x_adjustment_type": "CASE WHEN standing > 0 THEN 'original' ELSE 'void' END",
    }
    for n in range(1, longest(con, source, "diagnoses", 25) + 1):
        columns[f"diagnosis_code_{n}"] = f"diagnoses[{n}]"
    for n in range(1, longest(con, source, "procedures", 25) + 1):
        columns |= {f"procedure_code_{n}": f"procedures[{n}]", f"procedure_date_{n}": f"procedure_days[{n}]"}
    return columns, source


def _unpaid() -> tuple[dict[str, str], str]:
    """Claims of institutions that Medicare did not pay: one denied line each, so that they are counted."""
    relation = f"""(
        SELECT *, coalesce(new, bene_mbi_id) AS person
        FROM {_last_delivery("parta_claims_header")} LEFT JOIN cclf__numbers ON old = bene_mbi_id
        WHERE clm_mdcr_npmt_rsn_cd IS NOT NULL)"""
    columns = {
        **_CONSTANTS,
        "claim_id": "cur_clm_uniq_id",
        "claim_line_number": "1",
        "claim_type": "'institutional'",
        "person_id": "person",
        "member_id": "person",
        "claim_start_date": "clm_from_dt",
        "claim_end_date": "clm_thru_dt",
        "paid_date": "clm_efctv_dt",
        "paid_cents": "0",
        "allowed_cents": "0",
        "charge_cents": "clm_mdcr_instnl_tot_chrg_amt_cents",
        "diagnosis_code_type": _CODE_SYSTEM.format("cm"),
        "diagnosis_code_1": "prncpl_dgns_cd",
        "x_claim_status": "'denied'",
    }
    return columns, relation


def _professional_lines(con: Engine, file: str) -> tuple[dict[str, str], str]:
    """Lines of physicians or of medical equipment; a cancellation is a void of its own, amounts negative."""
    physicians = file == "partb_physicians"
    relation = f"""(
        SELECT *, coalesce(new, bene_mbi_id) AS person,
            CASE WHEN clm_adjsmt_type_cd = '1' THEN -1 ELSE 1 END AS sign,
            first_value(cur_clm_uniq_id) OVER (
                PARTITION BY clm_cntl_num, clm_line_num, person
                ORDER BY clm_adjsmt_type_cd, clm_efctv_dt NULLS FIRST, cur_clm_uniq_id) AS original
        FROM {_last_delivery(file)} LEFT JOIN cclf__numbers ON old = bene_mbi_id)"""
    denied = "clm_carr_pmt_dnl_cd = '0' OR clm_carr_pmt_dnl_cd BETWEEN 'D' AND 'Y'"
    denied += " OR clm_prcsg_ind_cd NOT IN ('A', 'R', 'S')"
    adjusts = "clm_adjsmt_type_cd <> '0' AND clm_cntl_num IS NOT NULL AND original <> cur_clm_uniq_id"
    columns = {
        **_CONSTANTS,
        "claim_id": "cur_clm_uniq_id",
        "claim_line_number": "clm_line_num",
        "claim_type": "'professional'",
        "person_id": "person",
        "member_id": "person",
        "claim_start_date": "coalesce(clm_line_from_dt, clm_from_dt)",
        "claim_end_date": "coalesce(clm_line_thru_dt, clm_thru_dt)",
        "claim_line_start_date": "clm_line_from_dt",
        "claim_line_end_date": "clm_line_thru_dt",
        "place_of_service_code": "clm_pos_cd",
        "hcpcs_code": "clm_line_hcpcs_cd",
        "paid_date": "clm_efctv_dt",
        "paid_cents": "sign * coalesce(clm_line_cvrd_pd_amt_cents, 0)",
        "allowed_cents": "sign * coalesce(clm_line_alowd_chrg_amt_cents, 0)",
        "x_claim_status": f"CASE WHEN {denied} THEN 'denied' WHEN sign < 0 THEN 'reversed' ELSE 'paid' END",
        "x_adjustment_type": "CASE clm_adjsmt_type_cd WHEN '1' THEN 'void' WHEN '2' THEN 'replacement' "
        "ELSE 'original' END",
        "x_adjusts_claim_id": f"CASE WHEN {adjusts} THEN original END",
    }
    if not physicians:
        columns |= {"rendering_npi": "ordrg_prvdr_npi_num", "billing_npi": "payto_prvdr_npi_num"}
        return columns, relation
    columns |= {
        "hcpcs_modifier_1": "hcpcs_1_mdfr_cd",
        "hcpcs_modifier_2": "hcpcs_2_mdfr_cd",
        "service_unit_quantity": "clm_line_srvc_unit_qty",
        "rendering_npi": "coalesce(clm_rndrg_prvdr_npi_num, rndrg_prvdr_npi_num)",
        "rendering_tin": "clm_rndrg_prvdr_tax_num",
        "diagnosis_code_type": _CODE_SYSTEM.format("cm"),
        "diagnosis_code_1": "coalesce(clm_line_dgns_cd, clm_dgns_1_cd)",
    }
    held = con.table(f"{file}__located").columns
    for n in range(1, 13):
        if f"clm_dgns_{n}_cd" in held:
            columns[f"diagnosis_code_{n + 1}"] = f"clm_dgns_{n}_cd"
    return columns, relation
