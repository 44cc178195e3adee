"""The world of dozen.txt as input files: one text table each, written as CSV in the native format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from medhome.study.cells import Cells
from medhome.study.spec import StudySpec, _validated
from medhome.tables import collapse, panel, sources
from medhome.tables.panel import Panel

TEXT = Path(__file__).with_name("dozen.txt")

_RENAMED = {
    "line": "claim_line_number",
    "allowed": "allowed_amount",
    "hcpcs": "hcpcs_code",
    "place": "place_of_service_code",
    "revenue": "revenue_center_code",
    "bill": "bill_type_code",
    "npi": "rendering_npi",
    "dx": "diagnosis_code_1",
    "status": "x_claim_status",
    "adjustment": "x_adjustment_type",
    "adjusts": "x_adjusts_claim_id",
}


def study(**changes) -> StudySpec:
    """The study of the dozen; ``section__key=value`` changes one key."""
    plain: dict = {
        "id": "dozen",
        "title": "Dozen",
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
        "attribution": {"lookback_months": 3},
        "risk": {"lookback_months": 3},
        "outcomes": {"cap_usd_per_year": 1000},
    }
    for key, value in changes.items():
        section, _, name = key.partition("__")
        if name:
            plain.setdefault(section, {})[name] = value
        else:
            plain[section] = value
    return _validated(plain, source="dozen")


def frames() -> dict[str, pd.DataFrame]:
    """The input tables, every cell as text, empty cells missing."""
    tables: dict[str, list[list[str]]] = {}
    for line in TEXT.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("["):
            rows = tables.setdefault(line.strip("[] "), [])
        else:
            rows.append([None if cell == "." else cell for cell in line.split()])
    found = {name: pd.DataFrame(rows[1:], columns=rows[0]) for name, rows in tables.items()}
    for name in ("medical_claim", "pharmacy_claim"):
        found[name] = found[name].rename(columns=_RENAMED)
    people = found["eligibility"]
    people["payer_type"] = "commercial"
    claims = found["medical_claim"]
    claims["claim_type"] = claims.pop("kind").map({"p": "professional", "i": "institutional"})
    claims["claim_start_date"] = claims.pop("start")
    claims["claim_end_date"] = claims["claim_start_date"]
    stay = claims["bill_type_code"] == "111"
    claims["admission_date"] = claims["claim_start_date"].where(stay)
    claims["diagnosis_code_type"] = "icd-9-cm"
    for unused in ("rendering_tin", "billing_npi", "billing_tin", "facility_npi"):
        claims[unused] = None
    fills = found["pharmacy_claim"]
    fills["dispensing_date"] = fills.pop("start")
    fills["ndc_code"] = "00000000000"
    fills["days_supply"] = "30"
    fills["quantity"] = "30"
    fills["prescribing_provider_npi"] = None
    for name in ("eligibility", "medical_claim", "pharmacy_claim"):
        found[name] = found[name].assign(
            member_id=found[name]["person_id"], payer="A", plan="B", data_source="C"
        )
    return found


def write(folder: Path, tables: dict[str, pd.DataFrame]) -> Path:
    """The tables as CSV files in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return folder


@dataclass(frozen=True)
class Built:
    """A study run to cells, with the scored panel."""

    spec: StudySpec
    panel: Panel
    cells: Cells


def build(con, folder: Path, spec: StudySpec, coefficients: dict[str, float] | None = None) -> Built:
    """A study run from its files to cells, scored with these coefficients (cents)."""
    months = panel.build(con, sources.open_inputs(con, spec, folder), spec)
    scored = collapse.score(months, coefficients or {"intercept": 100.4, "condition:diabetes": 50.1})
    return Built(spec, scored, collapse.cells(scored, spec))
