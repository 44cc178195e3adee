"""On DE-SynPUF: every measure that its fields allow, and the others named with what is missing."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from medhome.study.spec import StudySpec
from medhome.tables import panel, sources
from medhome.tables.engine import session
from medhome.tables.measures.evaluation import collapse_measures

STUDY = Path(__file__).parents[3] / "analysis" / "studies" / "synpuf.toml"
KNOWN = {
    *("admissions", "emergency_visits", "emergency_avoidable", "emergency_avoidable_wider", "readmissions"),
    *("follow_up_7", "follow_up_30", "days_to_follow_up", "advanced_imaging"),
    *("colorectal", "influenza", "mammography", "composite_preventive"),
    *("diabetes_a1c", "diabetes_eye", "diabetes_kidney", "diabetes_lipid", "composite_chronic"),
}
UNKNOWN = {
    "admissions_maternity": "no such event",
    "admissions_newborn": "no such event",
    "admissions_preventable": "no stay has an ICD-10 diagnosis",
    "generic_share": "generic_drugs.csv",
    "primary_care_visits": "no primary-care clinician",
    "specialist_visits": "no primary-care clinician",
    "well_child": "nobody to count",
    **dict.fromkeys(
        ("asthma_controller", "copd_inhaler", "covered_antidiabetic", "covered_statin",
         "covered_antihypertensive"),
        "x_drug_class is empty",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def found(shared_data):
    data = shared_data / "synpuf_claims500"
    plain = tomllib.loads(STUDY.read_text(encoding="utf-8"))
    plain["measures"] = {"enabled": True, "value_sets": os.path.relpath(shared_data / "value_sets", data)}
    spec = StudySpec.model_validate(plain)
    with session() as con:
        inputs = sources.open_inputs(con, spec, data)
        return collapse_measures(inputs, panel.build(con, inputs, spec), spec, data)


def test_what_the_fields_allow_is_measured_and_the_rest_is_named(found):
    assert {m.measure for m in found.measures} == KNOWN
    why = dict(found.unknown[["measure", "why"]].itertuples(index=False))
    assert set(why) == set(UNKNOWN)
    for measure, reason in UNKNOWN.items():
        assert reason in why[measure], measure


def test_shares_are_parts_of_visits_and_rates_are_possible(found):
    rates = {m.measure: m.rates.set_index(["arm", "period"]) for m in found.measures}
    names = ("visits", "avoidable", "avoidable_wider")
    visits, narrow, wide = (rates[f"emergency_{n}"]["events"] for n in names)
    assert (narrow <= wide).all() and (wide <= visits).all() and (narrow > 0).all()
    for frame in rates.values():
        shares = frame.loc[frame["unit"] == "share", "rate"]
        assert shares.between(0, 1).all()


def test_look_back_beyond_the_claims_is_said(found):
    notes = {m.measure: m.note for m in found.measures}
    assert notes["mammography"] == "look-back of 24 months cut to 12, in every year"
