"""Which measures does the input let be known? The others are named, with the reason, and never shown as
zero."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.tables.engine import fetch
from medhome.tables.measures.definitions import Measure
from medhome.tables.measures.use_of_care import Care
from medhome.tables.services import primary_care_npis


def why_unknown(measure: Measure, care: Care, inputs: Mapping[str, Table], facts: dict[str, bool]) -> str:
    """Why a measure cannot be known from these inputs, in words; empty where it can.

    Arguments
        facts: `facts` of the inputs.
    """
    if missing := care.sets.missing(measure.value_sets):
        return f"needs {' and '.join(missing)} in the folder of value sets (measures.value_sets)"
    if measure.counts in ("primary_care_visits", "specialist_visits") and not facts["clinicians"]:
        return "provider_practice names no primary-care clinician who is on the claims"
    if measure.counts == "preventable_admissions" and not facts["icd10_stays"]:
        return "no stay has an ICD-10 diagnosis, and the lists are in ICD-10"
    drugs = measure.counts in ("generic_fills", "days_covered") or measure.population.pharmacy
    if drugs and care.drugs is None:
        return "there is no pharmacy_claim"
    lists = [measure.list] if measure.counts == "days_covered" else [s.list for s in measure.numerator]
    systems = {system for name in lists for system, _code in care.lists[name]} if lists else set()
    if systems and systems <= {"drug-class"} and not facts["drug_classes"]:
        return "pharmacy_claim.x_drug_class is empty; give drug codes (ndc) in measures.lists"
    return ""


def facts(care: Care, inputs: Mapping[str, Table]) -> dict[str, bool]:
    """What the inputs hold: primary-care clinicians on claims, stays in ICD-10, drug classes."""
    classes = False
    if care.drugs is not None:
        named = care.drugs.filter(_.drug_class != "").limit(1)
        classes = len(fetch(named.select("person_id"))) > 0
    clinicians = bool(primary_care_npis(inputs)) and len(
        fetch(care.medical.filter(_.category == "primary_care").select("person_id").limit(1))
    )
    return {
        "clinicians": bool(clinicians),
        "icd10_stays": bool((care.episodes["system"] == "icd-10-cm").any()),
        "drug_classes": classes,
    }


def listed(rows: list[tuple[Measure, str]]) -> pd.DataFrame:
    """Measures and why they are unknown: ``Measures.unknown``."""
    return pd.DataFrame(
        [{"measure": m.id, "family": m.family, "label": m.label, "why": why} for m, why in rows],
        columns=["measure", "family", "label", "why"],
    ).astype("str")
