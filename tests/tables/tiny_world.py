"""A study of three people in two practices, small enough to check by hand, as frames that tests may spoil."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from medhome.study.spec import StudySpec, _validated

SOURCE = "claims system"


def study(**changes) -> StudySpec:
    """Baseline 2008-01 to 2008-03, start 2008-04, through 2008-06, paid through 2008-09, no look-back."""
    plain = {
        "id": "tiny",
        "title": "Tiny",
        "seed": 1,
        "paid_through": "2008-09",
        "program": {"name": "A program"},
        "periods": {
            "baseline_first": "2008-01",
            "baseline_last": "2008-03",
            "start": "2008-04",
            "through": "2008-06",
            "run_out_months": 3,
        },
        "arms": {"program_id": "PCMH"},
        "attribution": {"method": "roster"},
        "risk": {"model": "age-sex"},
    }
    for key, value in changes.items():
        section, _, name = key.partition("__")
        if name:
            plain.setdefault(section, {})[name] = value
        else:
            plain[section] = value
    return _validated(plain, source="tiny")


def frames() -> dict[str, pd.DataFrame]:
    """The input tables: two lines a month for person A, one for B, none for C."""
    day = pd.Timestamp
    people = pd.DataFrame(
        {
            "person_id": ["A", "B", "C"],
            "member_id": ["A", "B", "C"],
            "birth_date": [day("1960-05-01").date(), day("1975-01-31").date(), day("2001-12-24").date()],
            "gender": ["female", "male", "female"],
            "enrollment_start_date": [day("2007-01-01").date()] * 3,
            "enrollment_end_date": [None, day("2008-12-31").date(), None],
            "payer": "P",
            "payer_type": "commercial",
            "plan": "PPO",
            "data_source": SOURCE,
        }
    )
    lines = []
    for month in range(1, 7):
        for person, number, allowed in (("A", 1, 100.00), ("A", 2, 20.25), ("B", 1, 50.10)):
            lines.append(
                {
                    "claim_id": f"{person}-{month}",
                    "claim_line_number": number,
                    "claim_type": "professional",
                    "person_id": person,
                    "member_id": person,
                    "payer": "P",
                    "plan": "PPO",
                    "data_source": SOURCE,
                    "claim_start_date": day(2008, month, 10).date(),
                    "claim_end_date": day(2008, month, 10).date(),
                    "allowed_amount": allowed,
                    "paid_amount": allowed * 0.8,
                    "diagnosis_code_type": "icd-9-cm",
                    "diagnosis_code_1": "250.00",
                    "hcpcs_code": "99213",
                    "place_of_service_code": "11",
                    "revenue_center_code": None,
                    "bill_type_code": None,
                    "rendering_npi": "1000000001",
                    "paid_date": day(2008, month, 28).date(),
                }
            )
    fills = pd.DataFrame(
        {
            "claim_id": ["F1", "F2"],
            "claim_line_number": [1, 1],
            "data_source": SOURCE,
            "person_id": ["A", "B"],
            "dispensing_date": [day("2008-02-05").date(), day("2008-05-05").date()],
            "ndc_code": ["2143480", "00002143480"],
            "days_supply": [30, 90],
            "quantity": [30.0, 90.0],
            "allowed_amount": [12.34, 56.78],
            "paid_amount": [10.00, 50.00],
            "paid_date": [day("2008-02-06").date(), day("2008-05-06").date()],
        }
    )
    practices = pd.DataFrame(
        {
            "npi": ["1000000001", "1000000002"],
            "practice_id": ["P1", "P2"],
            "organization_id": ["O1", None],
            "x_primary_care": [1, 1],
            "effective_start_date": [day("2005-01-01").date()] * 2,
            "effective_end_date": [None, None],
        }
    )
    roster = pd.DataFrame(
        {
            "program_id": ["PCMH", "PCMH"],
            "unit_type": ["practice", "practice"],
            "unit_id": ["P1", "P2"],
            "start_date": [day("2008-04-01").date()] * 2,
            "end_date": [None, None],
            "arm": ["program", "comparison"],
        }
    )
    return {
        "eligibility": people,
        "medical_claim": pd.DataFrame(lines),
        "pharmacy_claim": fills,
        "provider_practice": practices,
        "program_roster": roster,
    }


def write(folder: Path, tables: dict[str, pd.DataFrame], kind: str = "parquet") -> Path:
    """Write the tables as files; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in tables.items():
        if kind == "csv":
            frame.to_csv(folder / f"{name}.csv", index=False)
        else:
            frame.to_parquet(folder / f"{name}.parquet", index=False)
    return folder
