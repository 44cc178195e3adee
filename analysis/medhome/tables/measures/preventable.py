"""Which stays would good care outside the hospital have prevented? AHRQ's Prevention Quality Indicators.

The code lists are AHRQ's, read from the study's folder of value sets (``pqi_value_sets.csv``); what combines
them is AHRQ's too, as its indicator descriptions say. Diagnoses are ICD-10-CM, procedures ICD-10-PCS: stays
coded in ICD-9-CM cannot be classified.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.study.problems import DataProblem
from medhome.tables.measures.value_sets import ValueSets, plain

FILE = "pqi_value_sets.csv"
INDICATORS = ("01", "03", "05", "07", "08", "11", "12", "14", "15", "16")


@dataclass(frozen=True)
class _Rule:
    """One indicator: sets of principal diagnoses, ages, sets that leave a stay out."""

    principal: tuple[str, ...] = ()
    age_min: int = 18
    age_max: int = 130
    not_diagnosis: tuple[str, ...] = ()
    not_procedure: tuple[str, ...] = ()


_CARDIAC = ("appendix_b/cardiac_procedure_codes",)
_CYSTIC = "cystic_fibrosis_and_anomalies_of_the_respiratory_system"
_IMMUNE = "appendix_c/immunocompromised_state_"
_RULES = {
    "01": _Rule(("01/diabetes_with_short-term_complications_diagnosis_codes",)),
    "03": _Rule(("03/diabetes_with_long-term_complications_diagnosis_codes",)),
    "05": _Rule(
        ("05/chronic_obstructive_pulmonary_disorder", "05/asthma"), 40, not_diagnosis=(f"05/{_CYSTIC}",)
    ),
    "07": _Rule(("07/hypertension_diagnosis_codes",), not_procedure=_CARDIAC),
    "08": _Rule(("08/heart_failure_diagnosis_codes",), not_procedure=_CARDIAC),
    "11": _Rule(
        ("11/community_acquired_bacterial_pneumonia_diagnosis_codes",),
        not_diagnosis=("11/sickle_cell_anemia_or_hb-s_disease_diagnosis_codes", f"{_IMMUNE}diagnosis_codes"),
        not_procedure=(f"{_IMMUNE}procedure_codes",),
    ),
    "12": _Rule(
        ("12/urinary_tract_infection_diagnosis_codes",),
        not_diagnosis=("12/kidney_or_urinary_tract_disorder_diagnosis_codes", f"{_IMMUNE}diagnosis_codes"),
        not_procedure=(f"{_IMMUNE}procedure_codes",),
    ),
    "14": _Rule(("14/uncontrolled_diabetes_diagnosis_codes",)),
    "15": _Rule(("15/asthma_diagnosis_codes",), 18, 39, not_diagnosis=(f"15/{_CYSTIC}_diagnosis_codes",)),
}


def indicators(stays: pd.DataFrame, age: np.ndarray, sets: ValueSets) -> pd.DataFrame:
    """Which indicators does each stay meet? One 0/1 column per indicator, rows as in ``stays``.

    Arguments
        stays: ``system``, ``dx1``, ``diagnoses``, ``procedures`` (joined by blanks), ``transfer_in``.
        age: (n,) completed years at admission. sets: with `FILE`.

    Stays that came from another facility, stays of pregnancy and birth, and stays without an ICD-10 diagnosis
    meet none. Raises `DataProblem` where the file lacks a list that an indicator needs.
    """
    codes = _lists(sets)
    first = stays["dx1"].tolist()
    all_dx = [set(d.split()) for d in stays["diagnoses"]]
    all_px = [set(p.split()) for p in stays["procedures"]]
    eligible = (stays["system"] == "icd-10-cm").to_numpy() & ~stays["transfer_in"].to_numpy(dtype=bool)
    eligible &= ~np.isin(first, list(codes["appendix_f/mdc_14_principal_diagnosis_codes"]))
    found = {}
    for number in INDICATORS[:-1]:
        rule = _RULES[number]
        principal = frozenset().union(*(codes[name] for name in rule.principal))
        out_dx = frozenset().union(*(codes[name] for name in rule.not_diagnosis))
        out_px = frozenset().union(*(codes[name] for name in rule.not_procedure))
        met = eligible & np.isin(first, list(principal)) & (age >= rule.age_min) & (age <= rule.age_max)
        for i in np.flatnonzero(met):
            out = bool(all_dx[i] & out_dx) or bool(all_px[i] & out_px)
            if number == "07":  # dialysis access with kidney disease
                kidney = all_dx[i] & codes["07/exclusion_kidney_disease_diagnosis_codes"]
                out |= bool(kidney) and bool(
                    all_px[i] & codes["07/exclusion_dialysis_access_procedure_codes"]
                )
            met[i] = not out
        found[number] = met.astype(np.int8)
    amputated = np.zeros(len(stays), dtype=np.int8)
    for i in np.flatnonzero(eligible & (age >= 18)):
        amputated[i] = (
            bool(all_px[i] & codes["16/lower-extremity_amputation_procedure_codes"])
            and bool(all_dx[i] & codes["16/diabetes_diagnosis_codes"])
            and not all_dx[i] & codes["16/traumatic_amputation_of_the_lower_extremity_diagnosis_codes"]
        )
    found["16"] = amputated
    return pd.DataFrame(found, index=stays.index)


def _lists(sets: ValueSets) -> dict[str, frozenset[str]]:
    frame = sets.read(FILE, ["code", "value_set_name", "pqi_number"])
    names = frame["pqi_number"] + "/" + frame["value_set_name"]
    found = {
        str(name): frozenset(plain(part["code"])) for name, part in frame.groupby(names.to_numpy(), sort=True)
    }
    needed = {"appendix_f/mdc_14_principal_diagnosis_codes"}
    needed |= {n for r in _RULES.values() for n in (*r.principal, *r.not_diagnosis, *r.not_procedure)}
    needed |= {f"07/exclusion_{n}_codes" for n in ("kidney_disease_diagnosis", "dialysis_access_procedure")}
    needed |= {
        f"16/{n}_codes"
        for n in (
            "lower-extremity_amputation_procedure",
            "diabetes_diagnosis",
            "traumatic_amputation_of_the_lower_extremity_diagnosis",
        )
    }
    if lacking := sorted(needed - set(found)):
        raise DataProblem(f"value set {sets.path(FILE)}: lacks the lists {', '.join(lacking)}; copy it again")
    return found
