"""HHS-HCC V07 and V08, and CMS-HCC V22, by risk-adjustment-model: one call for each different person."""

from __future__ import annotations

from collections.abc import Hashable
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from medhome.models.risk_scores.cms_hcc import entitlement, population_by_age
from medhome.models.risk_scores.scoring import codes_of

OLDEST = 64
"""HHS-HCC is fitted on members under 65; the library would score older ones as 60 and over."""
_V08_FROM = 2025
Scored = tuple[float, float, float, str]


def score(library: ModuleType, people: pd.DataFrame, model: str, year: int, weights: str) -> pd.DataFrame:
    """Raw score, its parts and its categories; `scoring.Scorer`."""
    rows = []
    if model == "cms-hcc-v22":
        processor = library.MedicareModelV22(year=year)
        rows = [_medicare(processor, person) for person in people.to_dict("records")]
    else:
        version = library.CommercialModelV08 if year >= _V08_FROM else library.CommercialModelV07
        processor = version(year=year)
        rows = [_commercial(processor, person) for person in people.to_dict("records")]
    return pd.DataFrame(rows, columns=["raw_score", "demographic_part", "disease_part", "categories"])


def _medicare(processor: Any, person: dict[Hashable, Any]) -> Scored:
    if person["sex"] not in ("F", "M"):
        return np.nan, np.nan, np.nan, ""
    return _parts(
        processor.score(
            gender=person["sex"],
            orec=entitlement(person["age"], person["orec"]),
            medicaid=bool(int(person["ltimcaid"])),
            diagnosis_codes=codes_of(person["icd10"]),
            age=int(person["age"]),
            population=population_by_age(person["age"], person["population"]),
        )
    )


def _commercial(processor: Any, person: dict[Hashable, Any]) -> Scored:
    if person["sex"] not in ("F", "M") or person["age"] > OLDEST:
        return np.nan, np.nan, np.nan, ""
    return _parts(
        processor.score(
            gender=person["sex"],
            metal_level=person["metal_level"],
            csr_indicator=int(person["csr_indicator"]),
            enrollment_days=int(person["enrollment_days"]),
            diagnosis_codes=codes_of(person["icd10"]),
            ndc_codes=codes_of(person["ndc"]),
            age=int(person["age"]),
            verbose=False,
        )
    )


def _parts(found: Any) -> Scored:
    return (
        round(found.score_raw, 6),
        round(found.demographic_score_raw, 6),
        round(found.disease_score_raw, 6),
        ";".join(sorted(found.category_list)),
    )
