"""Effects on two measures in a simulated world: other codes, the same cost, and found again."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pandas as pd
import pytest

from medhome.models import rates
from medhome.simulate import WORLDS, simulate_world
from medhome.study.spec import StudySpec
from medhome.tables import panel, sources
from medhome.tables.engine import session
from medhome.tables.measures.evaluation import collapse_measures

WORLD = replace(
    WORLDS["coverage"], seed=20260, program_members=1_500, program_sites=3, program_clinicians=40,
    comparison_members=4_500, comparison_organizations=12, comparison_size_min=100, comparison_size_max=1_000,
)  # fmt: skip


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """The same world without and with effects: folders."""
    folder = tmp_path_factory.mktemp("worlds")
    with_effects = replace(WORLD, a1c_effect_share=0.5, imaging_effect_share=0.25)
    for name, world in (("plain", WORLD), ("effects", with_effects)):
        simulate_world(world, folder / name)
    return folder


@pytest.fixture(scope="module")
def found(worlds):
    """Effects of both worlds, by measure."""
    effects = {}
    for name in ("plain", "effects"):
        plain = tomllib.loads((worlds / name / "study.toml").read_text(encoding="utf-8"))
        plain["measures"] = {
            "enabled": True,
            "families": ["utilisation", "chronic"],
            "leave_out": ["follow_up_7", "follow_up_30", "days_to_follow_up", "readmissions"],
        }
        spec = StudySpec.model_validate(plain)
        with session() as con:
            inputs = sources.open_inputs(con, spec, worlds / name)
            built = panel.build(con, inputs, spec)
            collapsed = collapse_measures(inputs, built, spec, worlds / name)
        effects[name] = rates.describe(collapsed, spec).effects
    return {name: frame.set_index("measure") for name, frame in effects.items()}


def test_no_column_but_the_service_changes(worlds):
    plain, changed = (pd.read_parquet(worlds / n / "medical_claim.parquet") for n in ("plain", "effects"))
    assert (plain["hcpcs_code"] != changed["hcpcs_code"]).fillna(False).sum() > 100
    columns = [c for c in plain if c != "hcpcs_code"]
    pd.testing.assert_frame_equal(plain[columns], changed[columns])
    for name in ("eligibility", "pharmacy_claim", "care_management"):
        first, second = ((worlds / n / f"{name}.parquet").read_bytes() for n in ("plain", "effects"))
        assert first == second


@pytest.mark.parametrize("measure", ["diabetes_a1c", "advanced_imaging"])
def test_injected_effects_are_recovered_within_4_standard_errors(found, measure):
    """What was injected is the treated arm's rate with the effect less that without it, all else the same."""
    with_effect, without = found["effects"].loc[measure], found["plain"].loc[measure]
    injected = with_effect["treated_performance"] - without["treated_performance"]
    assert abs(injected) > 0.05 * without["treated_performance"]
    assert with_effect["comparison_performance"] == without["comparison_performance"]
    assert abs(with_effect["estimate"] - injected) < 4 * with_effect["se"]


def test_a_quarter_of_the_images_are_gone(found):
    after = {name: frame.loc["advanced_imaging", "treated_performance"] for name, frame in found.items()}
    assert after["effects"] / after["plain"] == pytest.approx(0.75, abs=0.12)


def test_measures_left_alone_stay_as_they_are(found):
    for measure in ("admissions", "primary_care_visits", "specialist_visits", "asthma_controller"):
        pd.testing.assert_series_equal(
            found["effects"].loc[measure].drop(["p_holm", "p_bh"]),
            found["plain"].loc[measure].drop(["p_holm", "p_bh"]),
        )
