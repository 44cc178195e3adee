"""Synthetic difference in differences: the authors' R package, and the few-clusters note."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from few_organizations import BEFORE, PMPM, VALUES, treated
from numpy.testing import assert_allclose

from medhome.models.synthetic_did import placebo_effects, synthetic_did


def test_nine_organisations():
    assert_allclose(synthetic_did(PMPM, treated(1), BEFORE).estimate, VALUES["sdid"]["estimate"], rtol=1e-7)
    placebos = placebo_effects(PMPM, treated(1), BEFORE)
    assert len(placebos) == 8
    assert_allclose(placebos.std(), VALUES["sdid"]["placebo_sd"], rtol=1e-7)


def test_california(shared_data):
    """Proposition 99, R synthdid 0.0.9: estimate and exact placebo error over all 38 states."""
    golden = {
        g["id"]: g
        for g in json.loads((shared_data.parent / "design" / "did-golden.json").read_text(encoding="utf-8"))[
            "golden"
        ]
    }
    data = pd.read_csv(shared_data / "did_reference" / "california_prop99.csv.gz", sep=";")
    wide = data.pivot(index="State", columns="Year", values="PacksPerCapita")
    california, before = np.array(wide.index == "California"), sum(year < 1989 for year in wide.columns)
    found = synthetic_did(wide.to_numpy(), california, before)
    assert_allclose(found.estimate, -15.60382787273, rtol=1e-8)
    assert_allclose(golden["prop99_sdid"]["values"]["sdid"], found.estimate, rtol=1e-8)
    assert_allclose(
        placebo_effects(wide.to_numpy(), california, before, anew=False).std(), 9.370999, rtol=1e-6
    )


def test_an_effect_and_constants():
    after = np.arange(PMPM.shape[1]) >= BEFORE
    base = synthetic_did(PMPM, treated(1), BEFORE)
    moved = synthetic_did(np.where(treated(1)[:, None] & after, PMPM + 9.0, PMPM) + 40.0, treated(1), BEFORE)
    assert_allclose(moved.estimate - base.estimate, 9.0, rtol=1e-9)
    assert_allclose([base.unit_weights.sum(), base.month_weights.sum()], 1.0, rtol=1e-12)
    assert min(base.unit_weights.min(), base.month_weights.min()) >= 0


def test_too_few_for_placebos():
    with pytest.raises(ValueError, match="three comparison rows"):
        placebo_effects(PMPM[:3], treated(1)[:3], BEFORE)
