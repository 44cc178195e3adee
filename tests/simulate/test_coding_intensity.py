"""A program that codes more illness than there is: only second diagnoses of its visits change."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from medhome.simulate import WORLDS, simulate_world


def test_coding_without_illness_changes_diagnoses_and_nothing_else(small_world, tmp_path):
    """The same world as `small_world` (seed 1), but for the switch; so frozen risk and cost cannot move."""
    world = replace(WORLDS["coding"], seed=1, effect_pmpm_usd=WORLDS["small"].effect_pmpm_usd)
    simulate_world(world, tmp_path)
    assert (tmp_path / "pharmacy_claim.parquet").read_bytes() == (
        small_world / "pharmacy_claim.parquet").read_bytes()
    honest, coded = (pd.read_parquet(f / "medical_claim.parquet") for f in (small_world, tmp_path))
    pd.testing.assert_frame_equal(
        honest.drop(columns="diagnosis_code_2"), coded.drop(columns="diagnosis_code_2"))
    changed = honest["diagnosis_code_2"].fillna("") != coded["diagnosis_code_2"].fillna("")
    new = coded[changed]
    assert changed.sum() > 100 and honest.loc[changed, "diagnosis_code_2"].isna().all()
    assert (pd.to_datetime(new["claim_start_date"]) >= "2008-06-01").all()
    practices = pd.read_parquet(tmp_path / "provider_practice.parquet").set_index("npi")
    roster = pd.read_parquet(tmp_path / "program_roster.parquet")
    program = set(roster.loc[roster["arm"] == "program", "unit_id"])
    here = practices.loc[new["rendering_npi"].unique()]
    assert set(here["practice_id"]) == program
    assert len(set(new["diagnosis_code_2"])) == 4
