"""A program that codes more illness than there is: only concurrent risk believes its diagnoses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from numpy.testing import assert_allclose

from medhome import adjustment
from medhome.models.linear_effects import NUMBERS, effect_on
from medhome.models.risk_scores.cautions import risk_checks
from medhome.simulate import WORLDS, simulate_world
from medhome.study.results import Estimate
from medhome.study.spec import read_study
from medhome.tables import collapse, panel, sources
from medhome.tables.engine import session

WORLD = replace(WORLDS["coding"], seed=1)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory) -> Path:
    """The world that codes more, and the same without: a program without any effect in both."""
    folder = tmp_path_factory.mktemp("coding")
    for name, world in (("coded", WORLD), ("honest", replace(WORLD, coding_intensity_share=0.0))):
        simulate_world(world, folder / name)
    return folder


@pytest.fixture(scope="module")
def found(worlds):
    """The study's risk beside concurrent risk in both worlds; who is where in which month is the same."""
    spec = read_study(worlds / "coded" / "study.toml")
    beside = {}
    with session() as con:
        months = None
        for name in ("coded", "honest"):
            inputs = sources.open_inputs(con, spec, worlds / name)
            months = months or panel.build(con, inputs, spec)
            risk = adjustment.adjusted(inputs, months, spec, beside=True)
            risk = adjustment.with_cells(risk, collapse.cells(risk.scored, spec), spec)
            pairs = collapse.month_pairs_of(risk.scored, ("allowed_capped",))["allowed_capped"]
            own = effect_on(risk.cells, "allowed_capped", pairs, spec, spec.periods.performance.first)
            ends = {f"ci{level}": (own[f"lo{level}"], own[f"hi{level}"]) for level in ("90", "95")}
            headline = Estimate(value=own["estimate"], unit="USD PMPM", se=own["se"], **ends)
            effect = SimpleNamespace(headline=headline)  # the one field of `DidResult` that is read
            beside[name] = adjustment.side_by_side(risk, pairs, spec, effect)
    return spec, beside


def test_coding_without_illness_changes_diagnoses_and_nothing_else(worlds):
    """So frozen risk and cost cannot move."""
    for table in ("pharmacy_claim", "eligibility", "provider_practice"):
        first, second = ((worlds / n / f"{table}.parquet").read_bytes() for n in ("coded", "honest"))
        assert first == second
    honest, coded = (pd.read_parquet(worlds / n / "medical_claim.parquet") for n in ("honest", "coded"))
    pd.testing.assert_frame_equal(
        honest.drop(columns="diagnosis_code_2"), coded.drop(columns="diagnosis_code_2"))
    changed = honest["diagnosis_code_2"].fillna("") != coded["diagnosis_code_2"].fillna("")
    new = coded[changed]
    assert changed.sum() > 100 and honest.loc[changed, "diagnosis_code_2"].isna().all()
    assert (pd.to_datetime(new["claim_start_date"]) >= "2008-06-01").all()
    practices = pd.read_parquet(worlds / "coded" / "provider_practice.parquet").set_index("npi")
    roster = pd.read_parquet(worlds / "coded" / "program_roster.parquet")
    program = set(roster.loc[roster["arm"] == "program", "unit_id"])
    here = practices.loc[new["rendering_npi"].unique()]
    assert set(here["practice_id"]) == program
    assert len(set(new["diagnosis_code_2"])) == 4


def test_coding_fools_concurrent_risk_and_not_risk_at_baseline(found):
    """Nothing was saved: frozen risk's interval holds zero, concurrent risk's lies below it altogether."""
    _, beside = found
    rows = {name: adjusted.effects.set_index("timing") for name, adjusted in beside.items()}
    coded, honest = rows["coded"], rows["honest"]
    numbers = list(NUMBERS)
    for timing in ("none", "baseline"):
        assert_allclose(
            coded.loc[timing, numbers].astype(float), honest.loc[timing, numbers].astype(float), rtol=1e-9)
    assert coded.loc["baseline", "lo95"] < 0 < coded.loc["baseline", "hi95"]
    assert coded.loc["concurrent", "hi95"] < 0
    assert honest.loc["concurrent", "lo95"] < 0 < honest.loc["concurrent", "hi95"]
    gap = {name: r.loc["concurrent", "estimate"] - r.loc["baseline", "estimate"] for name, r in rows.items()}
    assert gap["coded"] < -50 < -10 < gap["honest"] < 10


def test_the_drift_of_scores_gives_coding_away_on_the_first_page(found):
    spec, beside = found
    checks = {n: {c.id: c for c in risk_checks(beside[n], spec)}["risk-drift"] for n in beside}
    assert checks["coded"].passed is False and checks["coded"].front_page
    assert "coding or illness moved in one arm only" in checks["coded"].sentence
    assert checks["honest"].passed is True
