"""OMOP Common Data Model 5.4 tables, turned into the input tables.

The folder holds the tables named in `definitions/omop/tables.csv` under their own column names, as CSV or
Parquet. A visit becomes a claim, its procedures the lines, its conditions the diagnoses; money comes from the
table ``cost``. `docs/adapters/omop.md` says what becomes of each column and what these tables cannot tell.
"""

from __future__ import annotations

from pathlib import Path

from medhome.study.definitions import code_list, contracts
from medhome.study.problems import StudyFileError
from medhome.study.spec import StudySpec
from medhome.tables.engine import Engine, query, reading
from medhome.tables.sources.assemble import listed, longest, make, open_beside
from medhome.tables.sources.files import open_table

SOURCE = "OMOP"

US_DOLLAR = "44818668"
"""The concept of the currency that amounts must be in."""

ICD_10_FROM = "2015-10-01"
"""The day from which claims in the United States code diagnoses in ICD-10-CM instead of ICD-9-CM."""

_EVENTS = {
    "visit": ("visit_occurrence", "visit_occurrence_id"),
    "procedure": ("procedure_occurrence", "procedure_occurrence_id"),
    "drug": ("drug_exposure", "drug_exposure_id"),
}
"""Domains whose cost is read: the table of their events, and its key."""

_ALLOWED = (
    "coalesce(amount_allowed_cents, total_paid_cents, "
    "paid_by_payer_cents + coalesce(paid_by_patient_cents, 0))"
)

_CODES = ("claim_type", "bill_type_code", "revenue_center_code", "place_of_service_code")


def open_tables(con: Engine, spec: StudySpec, folder: Path, problems: list[str]) -> list[str]:
    """Open OMOP tables as enrolment, claims and practices, and native files beside them; returns their names.

    Faults, also amounts in another currency and a ``cost`` table without amounts, are added to ``problems``.
    Raises `StudyFileError` when the study counts drugs and no drug has a cost.
    """
    files = contracts("omop")
    opened = [name for name, about in files.items() if open_table(con, spec, about, folder, problems)]
    beside = open_beside(con, spec, folder, problems, made=("provider_practice",))
    if not problems:
        problems += _cost_faults(con, opened)
    if problems:
        return []
    with reading(str(folder)):
        _costs(con)
        drugs = "drug_exposure" in opened and _any_drug_costed(con)
        _refuse_drugs(spec, drugs)
        make(con, "eligibility", [_spans("payer_plan_period" in opened, "death" in opened, drugs)])
        _visits(con)
        make(con, "medical_claim", [_lines(con)])
        tables = ["eligibility", "medical_claim"]
        if drugs:
            make(con, "pharmacy_claim", [_fills()])
            tables.append("pharmacy_claim")
        make(con, "provider_practice", [_clinicians()])
    return [*tables, "provider_practice", *beside]


def _cost_faults(con: Engine, opened: list[str]) -> list[str]:
    """Amounts that cannot be used: of another currency, or of events that are not there."""
    problems = [
        f"{file}: column currency_concept_id, row {row}: {currency} is not the US dollar ({US_DOLLAR}; "
        f"{count} rows); convert the amounts"
        for (file, row), currency, count in query(
            con,
            "SELECT min((_file, _row)), currency_concept_id, count(*) FROM cost__located "
            f"WHERE coalesce(currency_concept_id, '0') NOT IN ('0', '{US_DOLLAR}') GROUP BY 2 ORDER BY 2",
        )
    ]
    known = {domain: (table, key) for domain, (table, key) in _EVENTS.items() if table in opened}
    problems += [
        f'{file}: column cost_domain_id, row {row}: cost of domain "{domain}" is not read ({count} rows) and '
        f"would be lost; give it to the visit or to a procedure, or leave out these rows"
        for (file, row), domain, count in query(
            con,
            "SELECT min((_file, _row)), cost_domain_id, count(*) FROM cost__located "
            f"WHERE lower(cost_domain_id) NOT IN {listed(_EVENTS)} GROUP BY 2 ORDER BY 2",
        )
    ]
    for domain, (table, key) in known.items():
        (where, count), *_ = query(
            con,
            "SELECT min((_file, _row)), count(*) FROM cost__located "
            f"WHERE lower(cost_domain_id) = '{domain}' "
            f"AND cost_event_id NOT IN (SELECT {key} FROM {table}__located)",
        )
        if count:
            problems.append(
                f"{where[0]}: column cost_event_id, row {where[1]}: {table} has no such event ({count} "
                f"rows), so the cost would be lost; correct or leave out these rows"
            )
    if not query(con, f"SELECT count({_ALLOWED}) FROM cost__located")[0][0]:
        problems.append(
            "cost: no row has amount_allowed, total_paid or paid_by_payer; a study of cost needs the amounts"
        )
    return problems


def _costs(con: Engine) -> None:
    """Table omop__cost: what each event cost, one row per domain and event."""
    con.raw_sql(
        f"""CREATE OR REPLACE TEMP TABLE omop__cost AS
        SELECT lower(cost_domain_id) AS domain, cost_event_id AS event,
            CAST(sum({_ALLOWED}) AS BIGINT) AS allowed,
            CAST(sum(coalesce(paid_by_payer_cents, total_paid_cents - coalesce(paid_by_patient_cents, 0)))
                AS BIGINT) AS paid,
            CAST(sum(total_charge_cents) AS BIGINT) AS charge,
            CAST(sum(paid_patient_copay_cents) AS BIGINT) AS copayment,
            CAST(sum(paid_patient_coinsurance_cents) AS BIGINT) AS coinsurance,
            CAST(sum(paid_patient_deductible_cents) AS BIGINT) AS deductible,
            min(revenue_code_source_value) AS revenue, min(drg_source_value) AS drg
        FROM cost__located GROUP BY 1, 2"""
    )


def _any_drug_costed(con: Engine) -> bool:
    return query(con, "SELECT count(allowed) FROM omop__cost WHERE domain = 'drug'")[0][0] > 0


def _refuse_drugs(spec: StudySpec, drugs: bool) -> None:
    if drugs:
        return
    if spec.outcomes.services == "all" or spec.population.require_pharmacy_benefit:
        raise StudyFileError(
            'data.source = "omop": no drug exposure has a cost, so drugs cannot be counted: set '
            'outcomes.services = "medical" and population.require_pharmacy_benefit = false'
        )


def _spans(covered: bool, deaths: bool, drugs: bool) -> tuple[dict[str, str], str]:
    """Spans of cover, or of observation where no cover is recorded."""
    table, stem = ("payer_plan_period", "payer_plan_period") if covered else ("observation_period",) * 2
    payer = "s.payer_source_value" if covered else "NULL"
    died = "(SELECT NULL::VARCHAR AS person_id, NULL::DATE AS death_date WHERE false)"
    if deaths:
        died = "(SELECT person_id, death_date FROM death__located)"
    relation = f"""(
        SELECT s.*, p.* EXCLUDE (person_id, _file, _row), d.death_date, {payer} AS payer
        FROM {table}__located AS s LEFT JOIN person__located AS p USING (person_id)
        LEFT JOIN {died} AS d USING (person_id))"""
    birth = "make_date(year_of_birth, coalesce(month_of_birth, 7), coalesce(day_of_birth, 1))"
    columns = {
        "person_id": "person_id",
        "member_id": "person_id",
        "birth_date": f"coalesce(birth_datetime, {birth})",
        "death_date": "death_date",
        "gender": "CASE gender_concept_id WHEN '8507' THEN 'male' WHEN '8532' THEN 'female' "
        "ELSE 'unknown' END",
        "race": "race_source_value",
        "ethnicity": "ethnicity_source_value",
        "enrollment_start_date": f"{stem}_start_date",
        "enrollment_end_date": f"{stem}_end_date",
        "payer": "payer",
        "payer_type": _payer_type(),
        "plan": "plan_source_value" if covered else "NULL",
        "data_source": f"'{SOURCE}'",
        "x_pharmacy_benefit": "1" if drugs else "0",
    }
    return columns, relation


def _payer_type() -> str:
    """The kind of payer, where its name in the source says it."""
    kinds = ("commercial", "medicare", "medicaid")
    named = " ".join(f"WHEN contains(lower(payer), '{kind}') THEN '{kind}'" for kind in kinds)
    return f"CASE {named} ELSE 'unknown' END"


def _concepts(kind: str) -> str:
    rows = code_list("omop_concepts")
    values = []
    for row in rows[rows["kind"] == kind].to_dict("records"):
        codes = ", ".join(f"'{row[c]}'" if row[c] else "NULL::VARCHAR" for c in _CODES)
        values.append(f"('{row['concept_id']}', {codes})")
    return f"(SELECT * FROM (VALUES {', '.join(values)}) AS listed(concept_id, {', '.join(_CODES)}))"


def _visits(con: Engine) -> None:
    """Table omop__line: one row per claim line.

    A visit is line 1 of its claim and its procedures are the further lines. Where the visit itself has a
    cost, that is the claim's, on line 1, and costs of its procedures are left out, as they are in it.
    Procedures and conditions without a visit are claims of one line.
    """
    con.raw_sql(
        f"""CREATE OR REPLACE TEMP TABLE omop__line AS
        WITH kinds AS {_concepts("visit")}, places AS {_concepts("place")},
        visit AS (
            SELECT v.*, coalesce(k.claim_type, 'professional') AS claim_type, k.bill_type_code,
                coalesce(k.place_of_service_code, p.place_of_service_code) AS place,
                k.revenue_center_code AS revenue_of_kind, c.allowed IS NOT NULL AS has_cost
            FROM visit_occurrence__located AS v LEFT JOIN kinds AS k ON k.concept_id = v.visit_concept_id
            LEFT JOIN care_site__located AS s ON s.care_site_id = v.care_site_id
            LEFT JOIN places AS p ON p.concept_id = s.place_of_service_concept_id
            LEFT JOIN omop__cost AS c ON c.domain = 'visit' AND c.event = v.visit_occurrence_id),
        performed AS (
            SELECT r.*, v.visit_occurrence_id AS visit FROM procedure_occurrence__located AS r
            LEFT JOIN (SELECT visit_occurrence_id FROM visit) AS v
            ON v.visit_occurrence_id = r.visit_occurrence_id),
        line AS (
            SELECT visit_occurrence_id AS claim, 1 AS nth, visit_occurrence_id AS visit, person_id,
                provider_id, visit_start_date AS day, NULL AS code, NULL AS quantity, 'visit' AS domain,
                visit_occurrence_id AS event, _file, _row
            FROM visit
            UNION ALL
            SELECT coalesce(visit, 'procedure-' || procedure_occurrence_id),
                CASE WHEN visit IS NULL THEN 1 ELSE 1 + row_number() OVER (PARTITION BY visit ORDER BY
                    procedure_date, length(procedure_occurrence_id), procedure_occurrence_id) END,
                visit, person_id, provider_id, procedure_date, procedure_source_value, quantity, 'procedure',
                procedure_occurrence_id, _file, _row
            FROM performed
            UNION ALL
            SELECT 'condition-' || condition_occurrence_id, 1, NULL, person_id, NULL, condition_start_date,
                NULL, NULL, 'condition', condition_occurrence_id, _file, _row
            FROM condition_occurrence__located
            WHERE coalesce(visit_occurrence_id, '') NOT IN (SELECT visit_occurrence_id FROM visit)),
        found AS (
            SELECT coalesce(v.visit_occurrence_id, 'condition-' || o.condition_occurrence_id) AS claim,
                condition_source_value AS code, min(length(condition_occurrence_id)) AS digits,
                min(condition_occurrence_id) AS place
            FROM condition_occurrence__located AS o
            LEFT JOIN (SELECT visit_occurrence_id FROM visit) AS v
            ON v.visit_occurrence_id = o.visit_occurrence_id
            WHERE condition_source_value IS NOT NULL GROUP BY 1, 2),
        diagnoses AS (
            SELECT claim, list(code ORDER BY digits, place, code) AS diagnoses FROM found GROUP BY 1)
        SELECT l.*, d.diagnoses, v.claim_type, v.bill_type_code, v.place, v.revenue_of_kind,
            coalesce(v.visit_start_date, l.day) AS first, coalesce(v.visit_end_date, l.day) AS last,
            coalesce(l.provider_id, v.provider_id) AS clinician, v.care_site_id AS site,
            c.* EXCLUDE (domain, event), l.domain <> 'visit' AND coalesce(v.has_cost, false) AS in_visit
        FROM line AS l LEFT JOIN visit AS v ON v.visit_occurrence_id = l.visit
        LEFT JOIN omop__cost AS c ON c.domain = l.domain AND c.event = l.event
        LEFT JOIN diagnoses AS d ON d.claim = l.claim"""
    )


def _lines(con: Engine) -> tuple[dict[str, str], str]:
    source = "omop__line"
    relation = f"""(
        SELECT l.*, coalesce(p.npi, l.clinician) AS npi FROM {source} AS l
        LEFT JOIN (SELECT provider_id AS known, npi FROM provider__located) AS p ON p.known = l.clinician)"""
    stay = "bill_type_code IN ('111', '211')"
    columns = {
        "claim_id": "claim",
        "claim_line_number": "nth",
        "claim_type": "coalesce(claim_type, 'professional')",
        "person_id": "person_id",
        "member_id": "person_id",
        "data_source": f"'{SOURCE}'",
        "claim_start_date": "first",
        "claim_end_date": "last",
        "claim_line_start_date": "day",
        "claim_line_end_date": "day",
        "admission_date": f"CASE WHEN {stay} THEN first END",
        "discharge_date": f"CASE WHEN {stay} THEN last END",
        "drg_code_type": "CASE WHEN drg IS NOT NULL THEN 'ms-drg' END",
        "drg_code": "drg",
        "bill_type_code": "bill_type_code",
        "revenue_center_code": "coalesce(revenue, revenue_of_kind)",
        "place_of_service_code": "CASE WHEN claim_type = 'professional' THEN place END",
        "hcpcs_code": "CASE WHEN regexp_full_match(code, '[0-9A-Z][0-9]{3}[0-9A-Z]') THEN code END",
        "service_unit_quantity": "quantity",
        "rendering_npi": "npi",
        "billing_npi": "site",
        "diagnosis_code_type": f"CASE WHEN last < DATE '{ICD_10_FROM}' THEN 'icd-9-cm' ELSE 'icd-10-cm' END",
        "allowed_cents": "CASE WHEN in_visit THEN 0 ELSE coalesce(allowed, 0) END",
        "paid_cents": "CASE WHEN in_visit THEN 0 ELSE coalesce(paid, 0) END",
        "charge_cents": "CASE WHEN NOT in_visit THEN charge END",
        "copayment_cents": "CASE WHEN NOT in_visit THEN copayment END",
        "coinsurance_cents": "CASE WHEN NOT in_visit THEN coinsurance END",
        "deductible_cents": "CASE WHEN NOT in_visit THEN deductible END",
        "x_claim_status": "'paid'",
    }
    for n in range(1, longest(con, source, "diagnoses", 25) + 1):
        columns[f"diagnosis_code_{n}"] = f"diagnoses[{n}]"
    return columns, relation


def _fills() -> tuple[dict[str, str], str]:
    """Drug exposures that have a cost; the others are orders or notes of which nobody knows the price."""
    relation = """(
        SELECT x.*, coalesce(p.npi, x.provider_id) AS prescriber, c.* EXCLUDE (domain, event)
        FROM drug_exposure__located AS x
        JOIN omop__cost AS c ON c.domain = 'drug' AND c.event = x.drug_exposure_id AND c.allowed IS NOT NULL
        LEFT JOIN (SELECT provider_id AS known, npi FROM provider__located) AS p
        ON p.known = x.provider_id)"""
    columns = {
        "claim_id": "drug_exposure_id",
        "claim_line_number": "1",
        "data_source": f"'{SOURCE}'",
        "person_id": "person_id",
        "member_id": "person_id",
        "dispensing_date": "drug_exposure_start_date",
        "ndc_code": "CASE WHEN regexp_full_match(drug_source_value, '[0-9]{11}') THEN drug_source_value END",
        "days_supply": "days_supply",
        "quantity": "quantity",
        "refills": "refills",
        "prescribing_provider_npi": "prescriber",
        "allowed_cents": "allowed",
        "paid_cents": "paid",
        "charge_cents": "charge",
        "copayment_cents": "copayment",
        "coinsurance_cents": "coinsurance",
        "deductible_cents": "deductible",
        "x_claim_status": "'paid'",
    }
    return columns, relation


def _clinicians() -> tuple[dict[str, str], str]:
    """Each clinician in the site of the table, always; sites are practices, each its own organisation."""
    relation = """(
        SELECT p.*, s.care_site_name FROM provider__located AS p
        LEFT JOIN (SELECT care_site_id, care_site_name FROM care_site__located) AS s USING (care_site_id)
        WHERE p.care_site_id IS NOT NULL)"""
    rows = code_list("omop_concepts")
    primary = listed(rows.loc[rows["kind"] == "specialty", "concept_id"])
    columns = {
        "npi": "coalesce(npi, provider_id)",
        "practice_id": "care_site_id",
        "practice_name": "care_site_name",
        "organization_id": "care_site_id",
        "specialty": "coalesce(specialty_source_value, specialty_concept_id)",
        "x_primary_care": f"CASE WHEN specialty_concept_id IN {primary} THEN 1 ELSE 0 END",
        "effective_start_date": "DATE '1900-01-01'",
    }
    return columns, relation
