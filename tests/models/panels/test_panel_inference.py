"""Wild bootstrap, randomisation, placebo laws, and one set of bytes whatever the hash seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from panel_reference import table

from medhome.models.panels.absorb import codes, least_squares
from medhome.models.panels.permutation import randomization
from medhome.models.panels.twfe import twfe
from medhome.models.panels.vcov import cr1, hc1, iid
from medhome.models.panels.wild import wild_cluster
from medhome.study.panel_data import PanelData
from medhome.study.problems import ModelRefusal


def _panel(G: int = 8, T: int = 4, treated: int = 3, seed: int = 3, effect: float = 0.5) -> PanelData:
    rng = np.random.default_rng([seed])
    unit, time = np.repeat(np.arange(G), T), np.tile(np.arange(T), G)
    first = np.where(unit < treated, 2.0, np.inf)
    d = (time >= first).astype(float)
    y = rng.normal(size=G)[unit] + rng.normal(size=T)[time] + rng.normal(size=G * T) + effect * d
    labels = tuple(f"u{g}" for g in range(G))
    return PanelData(
        outcome=y,
        unit=unit,
        time=time,
        times=np.arange(float(T)),
        first_treated=first,
        treated=d,
        weights=rng.uniform(0.5, 2, G * T),
        cluster=unit,
        unit_labels=labels,
        cluster_labels=labels,
        covariates=rng.normal(size=(G * T, 1)),
        covariate_names=("x",),
    )


@pytest.mark.parametrize("variant", ["11", "31"])
def test_wild_bootstrap_is_refitting_every_sign_vector(variant):
    """Against refitting the model 2^G times, clusters of two units, weights, a covariate, two effects."""
    data = _panel(G=10)
    cluster = data.unit // 2
    effects = {"unit": data.unit, "time": data.time}
    x = np.column_stack([data.treated, data.covariates])
    w = data.weights
    fit = least_squares(data.outcome, x, ["d", "x"], weights=w, effects=effects)
    null = least_squares(data.outcome, x[:, 1:], ["x"], weights=w, effects=effects)
    residual = null.residual.copy()
    if variant == "31":
        # the restricted residuals of each cluster from a dummy-variable fit without it
        full = np.column_stack([data.covariates, np.eye(10)[data.unit], np.eye(4)[data.time]])
        root = np.sqrt(w)[:, None]
        for g in range(5):
            s = cluster != g
            shared = [0, *range(11, 15)]
            beta = np.linalg.lstsq(full[s] * root[s], data.outcome[s] * root[s, 0], rcond=None)[0]
            left = data.outcome[~s] - full[~s][:, shared] @ beta[shared]
            for u in np.unique(data.unit[~s]):
                rows = data.unit[~s] == u
                left[rows] -= np.average(left[rows], weights=w[~s][rows])
            residual[~s] = left
    spread = cr1(fit, cluster, rule="none").se()[0]
    t = abs(fit.beta[0] / spread)
    fitted = data.outcome - null.residual
    extreme = []
    for signs in product((1.0, -1.0), repeat=5):
        star = fitted + np.array(signs)[cluster] * residual
        each = least_squares(star, x, ["d", "x"], weights=w, effects=effects)
        extreme.append(abs(each.beta[0] / cr1(each, cluster, rule="none").se()[0]) >= t * (1 - 1e-9))
    found = wild_cluster(fit, cluster, "d", variant=variant)
    assert found.exact and found.draws == 32
    assert_allclose(found.p, np.mean(extreme))


def test_wild_interval_holds_the_values_that_are_not_rejected():
    data = _panel(G=12, treated=6)
    fit = least_squares(data.outcome, data.treated[:, None], ["d"], effects={"u": data.unit, "t": data.time})
    found = wild_cluster(fit, data.cluster, "d")
    for end, outward in zip(found.ci, (-1e-6, 1e-6), strict=True):
        assert wild_cluster(fit, data.cluster, "d", null=end - outward).p > 0.05
        assert wild_cluster(fit, data.cluster, "d", null=end + outward).p <= 0.05
    assert found.ci[0] < found.ci90[0] < fit.beta[0] < found.ci90[1] < found.ci[1]


def test_enumerated_bootstrap_does_not_know_the_seed():
    data = _panel()
    fit = least_squares(data.outcome, data.treated[:, None], ["d"], effects={"u": data.unit, "t": data.time})
    assert wild_cluster(fit, data.cluster, "d", seed=1) == wild_cluster(fit, data.cluster, "d", seed=2)
    sampled = [wild_cluster(fit, data.cluster, "d", law="webb", seed=s) for s in (1, 1, 2)]
    assert sampled[0] == sampled[1] != sampled[2] and not sampled[0].exact


def test_randomisation_is_refitting_every_assignment():
    data = _panel()
    effects = {"unit": data.unit, "time": data.time}
    values = {}
    for chosen in product((False, True), repeat=8):
        if sum(chosen) == 3:
            d = np.array(chosen)[data.unit] * (data.time >= 2.0)
            x = np.column_stack([d, data.covariates])
            fit = least_squares(data.outcome, x, ["d", "x"], weights=data.weights, effects=effects)
            values[chosen] = (abs(fit.beta[0]), abs(fit.beta[0]) / cr1(fit, data.cluster).se()[0])
    actual = values[(True,) * 3 + (False,) * 5]
    for k, statistic in enumerate(("beta", "t")):
        found = randomization(data, effects, covariates=data.covariates, statistic=statistic)
        assert found.exact and found.assignments == 56
        assert found.rank == sum(v[k] >= actual[k] * (1 - 1e-9) for v in values.values())


def test_randomisation_in_strata_and_by_sample():
    data = _panel(G=8, treated=2)
    strata = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    effects = {"unit": data.unit, "time": data.time}
    assert randomization(data, effects, strata=strata).assignments == 16  # one of four in each stratum
    large = _panel(G=30, treated=10)
    found = [randomization(large, {"unit": large.unit, "time": large.time}, seed=s) for s in (1, 1, 2)]
    assert found[0] == found[1] != found[2] and found[0].assignments == 1000


def test_one_treated_cluster_is_said():
    data = _panel(treated=1)
    for inference in ("cr1", "cr2"):
        found = twfe(data, inference=inference)
        assert any(f"Not valid with one treated cluster: {inference}" in w for w in found.warnings)
    assert twfe(data, inference="randomization").p >= 1 / 8
    with pytest.raises(ModelRefusal, match="no jackknife"):
        twfe(data, inference="cr3")


def test_placebo_laws_on_state_wages(shared_data):
    """Forty random laws on the CPS wages (the 400 stand in docs/benchmarks/placebo_laws.md)."""
    data = table(shared_data, "CPS", sep=";")
    state, year = codes(data["state"].to_numpy()), data["year"].to_numpy()
    effects = {"state": state, "year": year}
    rejected = {"iid": 0, "hc1": 0, "state": 0}
    for law in range(40):
        rng = np.random.default_rng([20040, law])
        passed = rng.permutation(50)[:25]
        start = rng.integers(1985, 2010)
        d = (np.isin(state, passed) & (year >= start)).astype(float)
        fit = least_squares(data["log_wage"].to_numpy(), d[:, None], ["law"], effects=effects)
        for name, found in (("iid", iid(fit)), ("hc1", hc1(fit)), ("state", cr1(fit, state))):
            rejected[name] += found.of(fit, "law").p < 0.05
    assert rejected["iid"] > 12 and rejected["hc1"] > 12 and rejected["state"] <= 5


SCRIPT = """
import json, numpy as np, pandas as pd
from medhome.models.panels.reading import panel_from_frame
from medhome.models.panels.twfe import twfe
from medhome.models.panels.event_study import event_study
from medhome.models.panels.ppml import ppml
from medhome.models.panels.two_by_two import did2x2
from medhome.models.panels.synthetic import synthetic
from medhome.models.panels.bacon import bacon
from medhome.models.panels.etwfe import etwfe
from medhome.models.panels.group_time import callaway_santanna
from medhome.models.panels.imputation import imputation
from medhome.models.panels.sun_abraham import sun_abraham
from medhome.models.panels.two_stage import two_stage
from medhome.models.sensitivity.bounds import sensitivity
rng = np.random.default_rng([4])
rows = [(f"p{u:02d}", t, u % 3 == 0, abs(rng.normal(5)), rng.normal(), f"s{u % 9}") for u in range(27)
        for t in range(5)]
frame = pd.DataFrame(rows, columns=["unit", "t", "g", "y", "x", "state"])
frame["first"] = np.where(frame["g"], 3, np.inf)
frame["wave"] = np.where(frame["unit"] < "p12", frame["first"], frame["first"] - 1)
def data(*x, first="first", **more):
    return panel_from_frame(frame, "y", "unit", "t", first_treated=first, covariates=x, **more)
found = [twfe(data("x"), inference=i) for i in ("cr1", "cr2", "cr3", "wild", "randomization")]
found += [event_study(data("x")), ppml(data("x", cluster="state")), did2x2(data("x")), synthetic(data())]
waves, z = data(first="wave"), data("x", first="wave")
found += [callaway_santanna(z), sun_abraham(waves), imputation(waves), two_stage(waves), etwfe(waves)]
found += [bacon(waves)]
study = found[5].details
bounds = sensitivity(study["beta"], study["sigma"], 2, 2, bounds=(0.0, 1.0)).frame.to_numpy().tolist()
print(json.dumps([*(f.to_json() for f in found), bounds]))
"""


def test_same_bytes_under_three_hash_seeds():
    out = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    ]
    assert out[0] == out[1] == out[2] and len(json.loads(out[0])) == 16
