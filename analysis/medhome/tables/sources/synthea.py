"""Synthea's CSV export (MITRE's generator of made-up patients), turned into the input tables.

The folder holds ``patients``, ``payer_transitions``, ``payers``, ``encounters``, ``procedures``,
``organizations``, ``providers`` and ``medications`` under Synthea's own column names, as CSV or Parquet.
`docs/adapters/synthea.md` says what becomes of each column and what these files cannot tell: above all,
there are no diagnoses in ICD and no services in HCPCS. Days are those of UTC, as Synthea writes them.
"""

from __future__ import annotations

from pathlib import Path

from medhome.study.definitions import code_list, contracts
from medhome.study.spec import StudySpec
from medhome.tables.engine import Engine, query, reading
from medhome.tables.sources.assemble import listed, make, open_beside
from medhome.tables.sources.files import open_table

SOURCE = "Synthea"

MISSING = ("292278994-08-17T07:12:55Z",)
"""The largest instant of the language that Synthea is written in: a span that does not end."""

NOT_INSURED = "NO_INSURANCE"

PRIMARY_CARE = (
    "GENERAL PRACTICE",
    "FAMILY PRACTICE",
    "INTERNAL MEDICINE",
    "PEDIATRICS",
    "PEDIATRIC MEDICINE",
)
"""Specialties that count as primary care."""

_CODES = ("claim_type", "bill_type_code", "revenue_center_code", "place_of_service_code", "hcpcs_code")


def open_tables(con: Engine, spec: StudySpec, folder: Path, problems: list[str]) -> list[str]:
    """Open Synthea's files as enrolment, claims and practices, and native files beside; returns their names.

    Faults, also encounters of a class that is not in ``codelists/synthea_encounters.csv``, are added to
    ``problems``.
    """
    files = contracts("synthea")
    opened = [
        name for name, about in files.items() if open_table(con, spec, about, folder, problems, MISSING)
    ]
    beside = open_beside(con, spec, folder, problems, made=("provider_practice",))
    if not problems:
        problems += _unknown_classes(con)
    if problems:
        return []
    with reading(str(folder)):
        make(con, "eligibility", [_spans()])
        make(con, "medical_claim", [_encounters(), _procedures()])
        tables = ["eligibility", "medical_claim"]
        if "medications" in opened:
            make(con, "pharmacy_claim", [_fills()])
            tables.append("pharmacy_claim")
        make(con, "provider_practice", [_clinicians()])
    return [*tables, "provider_practice", *beside]


def _unknown_classes(con: Engine) -> list[str]:
    known = code_list("synthea_encounters")["encounterclass"]
    found = query(
        con,
        "SELECT min((_file, _row)), encounterclass, count(*) FROM encounters__located "
        f"WHERE lower(encounterclass) NOT IN {listed(known)} GROUP BY 2 ORDER BY 2",
    )
    return [
        f'{file}: column encounterclass, row {row}: "{name}" is no class that is known ({count} rows); '
        f"known are {', '.join(known)}"
        for (file, row), name, count in found
    ]


def _classes() -> str:
    """The classes of encounters with the codes that stand for them, as a relation."""
    rows = code_list("synthea_encounters")
    values = []
    for row in rows.to_dict("records"):
        codes = ", ".join(f"'{row[c]}'" if row[c] else "NULL" for c in _CODES)
        values.append(f"('{row['encounterclass']}', {codes})")
    return f"(VALUES {', '.join(values)}) AS class(class, {', '.join(_CODES)})"


def _spans() -> tuple[dict[str, str], str]:
    """Spans of cover; those without insurance are none. A span ends on the day before the next begins."""
    relation = f"""(
        SELECT t.*, p.* EXCLUDE (id, _file, _row), y.name, y.ownership
        FROM payer_transitions__located AS t
        LEFT JOIN patients__located AS p ON p.id = t.patient
        LEFT JOIN payers__located AS y ON y.id = t.payer
        WHERE coalesce(y.name, '') <> '{NOT_INSURED}')"""
    columns = {
        "person_id": "patient",
        "member_id": "coalesce(memberid, patient)",
        "birth_date": "birthdate",
        "death_date": "deathdate",
        "gender": "CASE upper(gender) WHEN 'M' THEN 'male' WHEN 'F' THEN 'female' ELSE 'unknown' END",
        "race": "race",
        "ethnicity": "ethnicity",
        "state": "state",
        "zip_code": "zip",
        "enrollment_start_date": "start_date",
        "enrollment_end_date": "CASE WHEN end_date > start_date THEN end_date - 1 ELSE end_date END",
        "payer": "coalesce(name, payer)",
        "payer_type": "CASE WHEN name IN ('Medicare', 'Dual Eligible') THEN 'medicare' "
        "WHEN name = 'Medicaid' THEN 'medicaid' WHEN upper(ownership) = 'PRIVATE' THEN 'commercial' "
        "ELSE 'other' END",
        "plan": "name",
        "data_source": f"'{SOURCE}'",
    }
    return columns, relation


def _claim() -> dict[str, str]:
    """Columns of a claim that every line of an encounter shares."""
    return {
        "claim_id": "id",
        "person_id": "patient",
        "member_id": "patient",
        "payer": "name",
        "plan": "name",
        "data_source": f"'{SOURCE}'",
        "claim_type": "claim_type",
        "claim_start_date": "start",
        "claim_end_date": "greatest(start, coalesce(stop, start))",
        "admission_date": "CASE WHEN bill_type_code IN ('111', '211') THEN start END",
        "discharge_date": "CASE WHEN bill_type_code IN ('111', '211') THEN stop END",
        "bill_type_code": "bill_type_code",
        "place_of_service_code": "place_of_service_code",
        "rendering_npi": "provider",
        "billing_npi": "organization",
        "facility_npi": "CASE WHEN claim_type = 'institutional' THEN organization END",
        "x_claim_status": "'paid'",
    }


def _claims() -> str:
    return f"""encounters__located AS e JOIN {_classes()} ON class = lower(encounterclass)
        LEFT JOIN (SELECT id AS payer_id, name FROM payers__located) ON payer_id = e.payer"""


def _encounters() -> tuple[dict[str, str], str]:
    """Line 1 of each encounter's claim: the visit, with all that the encounter cost."""
    columns = {
        **_claim(),
        "claim_line_number": "1",
        "revenue_center_code": "revenue_center_code",
        "hcpcs_code": "hcpcs_code",
        "allowed_cents": "total_claim_cost_cents",
        "paid_cents": "payer_coverage_cents",
    }
    return columns, f"(SELECT * FROM {_claims()})"


def _procedures() -> tuple[dict[str, str], str]:
    """Further lines, one per procedure, without amounts: these are in the cost of the encounter."""
    relation = f"""(
        SELECT e.* EXCLUDE (_file, _row), class.*, name, d.day, d._file, d._row,
            1 + row_number() OVER (PARTITION BY e.id ORDER BY d.day, d.code, d._file, d._row) AS line
        FROM (SELECT encounter, start AS day, code, _file, _row FROM procedures__located) AS d
        JOIN ({_claims()}) ON e.id = d.encounter)"""
    columns = {
        **_claim(),
        "claim_line_number": "line",
        "claim_line_start_date": "day",
        "claim_line_end_date": "day",
        "allowed_cents": "0",
        "paid_cents": "0",
    }
    return columns, relation


def _fills() -> tuple[dict[str, str], str]:
    """The dispensings of each prescription, spread evenly over its days, each at the cost of one.

    A prescription without an end goes on to the last day of any encounter, or to death.
    """
    relation = """(
        SELECT m.*, name, nth,
            start + CAST(floor(nth * greatest(last - start, 0) / dispenses) AS INTEGER) AS day
        FROM (
            SELECT m.*, least(coalesce(m.stop, end_of_data), coalesce(deathdate, end_of_data)) AS last,
                row_number() OVER (PARTITION BY encounter, code
                    ORDER BY start, stop, base_cost_cents, dispenses, _file, _row) AS again
            FROM medications__located AS m
            LEFT JOIN (SELECT id, deathdate FROM patients__located) AS p ON p.id = m.patient
            CROSS JOIN (SELECT max(greatest(start, stop)) AS end_of_data FROM encounters__located)) AS m
        LEFT JOIN (SELECT id AS payer_id, name FROM payers__located) ON payer_id = m.payer,
        unnest(range(dispenses)) AS fill(nth))"""
    columns = {
        "claim_id": "concat_ws(':', encounter, code, again)",
        "claim_line_number": "nth + 1",
        "data_source": f"'{SOURCE}'",
        "person_id": "patient",
        "member_id": "patient",
        "payer": "name",
        "plan": "name",
        "dispensing_date": "day",
        "allowed_cents": "base_cost_cents",
        "paid_cents": "payer_coverage_cents",
        "x_claim_status": "'paid'",
    }
    return columns, relation


def _clinicians() -> tuple[dict[str, str], str]:
    """Each clinician in the organisation of the file, always: Synthea's organisations are its practices."""
    relation = """(
        SELECT p.*, o.name AS organization_name FROM providers__located AS p
        LEFT JOIN (SELECT id AS organization_id, name FROM organizations__located) AS o
        ON o.organization_id = p.organization)"""
    columns = {
        "npi": "id",
        "practice_id": "organization",
        "practice_name": "organization_name",
        "organization_id": "organization",
        "specialty": "speciality",
        "x_primary_care": f"CASE WHEN upper(speciality) IN {listed(PRIMARY_CARE)} THEN 1 ELSE 0 END",
        "effective_start_date": "DATE '1900-01-01'",
    }
    return columns, relation
