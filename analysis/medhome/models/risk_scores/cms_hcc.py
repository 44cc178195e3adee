"""CMS-HCC V24 and V28 by hccinfhir: one call for each different person with the codes that the model maps."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pandas as pd

from medhome.models.risk_scores.scoring import codes_of

_NAMES = {"cms-hcc-v24": "CMS-HCC Model V24", "cms-hcc-v28": "CMS-HCC Model V28"}
_DUAL = {"N": "00", "P": "01", "F": "02"}
"""Medicaid status code of a community population's second letter: none, partial, full benefits."""


def population_by_age(age: int, population: str) -> str:
    """The population given, or community, not dual: aged from 65, disabled before.

    >>> population_by_age(70, ""), population_by_age(45, ""), population_by_age(45, "INS")
    ('CNA', 'CND', 'INS')
    """
    return population or ("CNA" if age >= 65 else "CND")


def entitlement(age: int, orec: object) -> str:
    """Original reason for entitlement as given, or by age: 0 old age, 1 disability."""
    return str(orec) if str(orec) else ("0" if age >= 65 else "1")


def score(library: ModuleType, people: pd.DataFrame, model: str, year: int, weights: str) -> pd.DataFrame:
    """Raw score, its parts and its categories after hierarchies; `scoring.Scorer`."""
    name = _NAMES[model]
    processor = library.HCCInFHIR(
        model_name=name,
        dx_cc_mapping_filename=f"ra_dx_to_cc_{year}.csv",
        hierarchies_filename=f"ra_hierarchies_{year}.csv",
        coefficients_filename=f"ra_coefficients_{year}.csv",
    )
    mapped = {code for code, of in processor.dx_to_cc_mapping if of == name}
    seen: dict[tuple, tuple[float, float, float, str]] = {}
    rows = []
    for person in people.to_dict("records"):
        age, population = int(person["age"]), population_by_age(person["age"], person["population"])
        codes = tuple(sorted(mapped.intersection(codes_of(person["icd10"]))))
        key = (age, str(person["sex"]), population, entitlement(age, person["orec"]), codes)
        if key not in seen:
            seen[key] = _one(library, processor, *key)
        rows.append(seen[key])
    return pd.DataFrame(rows, columns=["raw_score", "demographic_part", "disease_part", "categories"])


def _one(
    library: ModuleType, processor: object, age: int, sex: str, population: str, orec: str, codes: tuple
) -> tuple[float, float, float, str]:
    if sex not in ("F", "M"):
        return np.nan, np.nan, np.nan, ""
    person = library.Demographics(
        age=age,
        sex=sex,
        dual_elgbl_cd=_DUAL.get(population[1], "00") if population != "INS" else "00",
        orec=orec,
        crec=orec,
        lti=population == "INS",
        new_enrollee=False,
        snp=False,
        low_income=False,
    )
    found = processor.calculate_from_diagnosis(list(codes), person)  # type: ignore[attr-defined]
    whole = round(found.risk_score, 6)
    own = round(found.risk_score_demographics, 6)
    return whole, own, round(whole - own, 6), ";".join(sorted(found.hcc_list, key=int))
