"""A specification of the curve is the headline of a study file that makes the same choice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from medhome import evaluate
from medhome.models import did
from medhome.models.specifications import curve, primary
from medhome.study.spec import StudySpec, read_study


def changed(world: Path, **sections: dict) -> StudySpec:
    plain = read_study(world / "study.toml").model_dump()
    for name, choices in sections.items():
        plain[name] |= choices
    return StudySpec.model_validate(plain)


def headline(spec: StudySpec, world: Path):
    study = evaluate.collapse_study(spec, world)
    return study, did.estimate(study.cells, study.pairs["allowed_capped"], spec).headline


@pytest.fixture(scope="module")
def found(small_world):
    choices = {"attributions": ["stable"], "caps": [20_000], "weights": [], "populations": []}
    spec = changed(small_world, specifications=choices | {"estimators": []})
    study, effect = headline(spec, small_world)
    return spec, curve(study.by_attribution, effect, spec), effect


def row(found, **choices: str):
    spec, curve_found, _effect = found
    frame, wanted = curve_found.specifications, primary(spec) | choices
    return frame[np.logical_and.reduce([frame[a] == v for a, v in wanted.items()])].iloc[0]


def test_the_primary_is_the_headline(found):
    effect, own = found[2], row(found)
    assert own["primary"] and (own["lo95"], own["hi95"]) == effect.ci95
    assert_allclose(own["estimate"], effect.value, rtol=0, atol=1e-9)


def test_another_attribution_is_the_study_that_declares_it(found, small_world):
    alone = changed(small_world, attribution={"population": "stable"}, specifications={"enabled": False})
    study, effect = headline(alone, small_world)
    assert study.by_attribution == {}
    assert_allclose(row(found, attribution="stable")["estimate"], effect.value, rtol=0, atol=1e-9)
    assert abs(effect.value - found[2].value) > 0.01


def test_another_cap_without_covariates_is_the_study_that_declares_them(found, small_world):
    alone = changed(
        small_world,
        outcomes={"cap_usd_per_year": 20_000},
        estimation={"covariates": []},
        specifications={"enabled": False},
    )
    _study, effect = headline(alone, small_world)
    assert_allclose(row(found, cap="20000", covariates="none")["estimate"], effect.value, rtol=0, atol=1e-9)
    assert abs(row(found, covariates="none")["estimate"] - effect.value) > 0.01
