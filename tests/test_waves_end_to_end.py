"""From a simulated world whose practices start in waves to the effects by wave: the truth is recovered."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from medhome.models import did, risk
from medhome.models.cells_panel import waves_panel
from medhome.models.panels.bacon import bacon
from medhome.models.staggered.description import describe
from medhome.models.staggered.periods import Staggered
from medhome.simulate import WORLDS, simulate_world
from medhome.study.periods import month_index
from medhome.study.spec import read_study
from medhome.tables import collapse, engines, panel, sources

WITHIN = 4.0
"""Standard errors within which an estimate must lie of the truth."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("waves")
    simulate_world(WORLDS["waves"], folder)
    return folder


@pytest.fixture(scope="module")
def truth(world) -> dict:
    return json.loads((world / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def study(world):
    """The spec, the cells and what the waves gave."""
    spec = read_study(world / "study.toml")
    with engines.opened(engines.OWN) as ready:
        inputs = ready.moved(sources.open_inputs(ready.files, spec, world))
        months = panel.build(ready.con, inputs, spec)
        scored = collapse.score(months, risk.fit(collapse.member_rows(months, spec), spec).coefficients())
        cells, pairs = collapse.cells(scored, spec), collapse.month_pairs(scored, "allowed_capped")
        starts = months.starts
    effect = did.estimate(cells, pairs, spec)
    return spec, cells, effect, describe(cells, pairs, starts, spec, effect)


def true_effects(truth: dict, rows: pd.DataFrame) -> np.ndarray:
    """The injected effect of each wave and period."""
    known = {(month_index(w["start"]), w["quarter"]): w["effect_pmpm_usd"] for w in truth["waves"]}
    keys = zip(rows["wave"], rows["since_start"], strict=True)
    return np.array([known.get((int(w), int(e)), 0.0) for w, e in keys])


def test_the_world_holds_the_effects_that_it_names(truth):
    waves = truth["waves"]
    assert {w["start"] for w in waves} == {"2008-06", "2008-12", "2009-06"}
    wanted = np.array([w["effect_pmpm_usd"] for w in waves])
    assert_allclose([w["effect_realised_pmpm_usd"] for w in waves], wanted, atol=0.01)
    months = np.array([w["member_months"] for w in waves])
    assert_allclose(truth["effect_pmpm_usd"], (wanted * months).sum() / months.sum(), rtol=1e-6)
    assert_allclose(truth["effect_realised_pmpm_usd"], truth["effect_pmpm_usd"], atol=0.01)
    after = truth["counts"]["cohort_member_months"]["treated"]["performance"]
    assert_allclose(truth["truths"]["E3"], (wanted * months).sum() / after, rtol=1e-6)


def test_group_time_effects_recover_the_truth(study, truth):
    found = study[3]
    rows = found.effects[~found.effects["reference"]].copy()
    rows["truth"] = true_effects(truth, rows)
    assert len(found.waves) == 3 and found.period_months == 3 and found.waves["estimated"].all()
    assert (((rows["estimate"] - rows["truth"]) / rows["se"]).abs() < WITHIN).all()
    inside = (rows["lo95"] <= rows["truth"]) & (rows["truth"] <= rows["hi95"])
    assert inside.mean() > 0.85
    weight = found.waves.set_index("wave")["members"]
    after = rows[rows["since_start"] >= 0]
    share = after["wave"].map(weight)
    simple = float((share * after["truth"]).sum() / share.sum())
    assert abs(found.headline["estimate"] - simple) < WITHIN * found.headline["se"]
    methods = found.methods.set_index("method")
    for name in ("group-time-never", "sun-abraham", "imputation", "two-stage", "etwfe"):
        row = methods.loc[name]
        assert abs(row["estimate"] - truth["effect_pmpm_usd"]) < WITHIN * row["se"], name


def test_the_headline_recovers_the_effect_over_all_months_from_the_first_start(study, truth):
    headline = study[2].headline
    assert abs(headline.value - truth["truths"]["E3"]) < WITHIN * headline.se
    share = truth["truths"]["E3"] / truth["effect_pmpm_usd"]
    assert_allclose(1 - study[3].before_share, share, atol=0.02)


def test_two_way_fixed_effects_are_biased_and_group_time_effects_are_not(study, truth):
    """Without noise: the world's true effects in the place of cost, on its own practices and members."""
    spec, cells = study[0], study[1]
    arranged = Staggered.of(cells, "allowed_capped", spec)
    known = {(month_index(w["start"]), w["quarter"]): w["effect_pmpm_usd"] for w in truth["waves"]}
    data = waves_panel(arranged.fit, arranged.period, (arranged.wave - arranged.anchor) // arranged.length)
    since = data.times[data.time] - data.first_treated
    start = [arranged.month_of(g) if np.isfinite(g) else 0 for g in data.first_treated]
    pure = np.array([known.get((s, e), 0.0) for s, e in zip(start, since, strict=True)])
    mean = np.bincount(data.unit, data.weights) / np.bincount(data.unit)
    two_way = bacon(replace(data, outcome=pure, weights=mean[data.unit])).estimate
    treated = data.treated > 0
    average = float((pure * mean[data.unit])[treated].sum() / mean[data.unit][treated].sum())
    assert average - two_way < -20, (average, two_way)
