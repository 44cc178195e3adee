"""What must be equal whatever the data: identities, invariance, and refusals by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from medhome.models.panels.event_study import event_study
from medhome.models.panels.ppml import fit_log_link, ppml
from medhome.models.panels.reading import panel_from_frame
from medhome.models.panels.synthetic import synthetic
from medhome.models.panels.triple import triple_difference
from medhome.models.panels.twfe import twfe
from medhome.models.panels.two_by_two import did2x2
from medhome.study.problems import ModelRefusal


def _frame(seed: int, units: int = 12, periods: int = 4, start: int = 2, treated: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng([seed])
    unit, time = np.repeat(np.arange(units), periods), np.tile(np.arange(periods), units)
    d = (unit < treated) & (time >= start)
    y = np.exp(rng.normal(3, 1, len(unit))) * (1 + 0.3 * d) * (rng.uniform(size=len(unit)) > 0.1)
    return pd.DataFrame(
        {
            "u": unit,
            "t": time,
            "d": d.astype(int),
            "y": y,
            "x": rng.normal(size=len(unit)),
            "w": rng.uniform(0.5, 3, len(unit)),
        }
    )


def _read(frame, *covariates, **more):
    return panel_from_frame(frame, "y", "u", "t", treated="d", covariates=list(covariates), **more)


def _means_of_four(data, start):
    """Weighted means: the comparison before and after the start, then the treated."""
    late = data.time >= start
    cells = [(data.group == group) & (late == after) for group in (False, True) for after in (False, True)]
    return [np.average(data.outcome[cell], weights=data.weights[cell]) for cell in cells]


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_saturated_poisson_gamma_and_ratio_of_ratios(seed):
    """Two by two as a repeated cross-section: one number, and its dollars on the treated mean."""
    frame = _frame(seed)
    frame["y"] += 1
    data = _read(frame, weights="w")
    means = _means_of_four(data, start=2)
    ratio = means[3] / means[2] / (means[1] / means[0])
    columns = np.column_stack([data.treated, data.group, data.time >= 2]).astype(float)
    effects = {"one": np.zeros(data.rows)}
    for family in ("poisson", "gamma"):
        fit, _ = fit_log_link(
            data.outcome, columns, ["d", "g", "t"], weights=data.weights, effects=effects, family=family
        )
        assert_allclose(np.exp(fit.beta[0]), ratio, rtol=1e-9)
    twice = pd.concat([frame, frame.assign(y=frame["y"] * 1.1)])
    twice["t"] = (twice["t"] >= 2).astype(int)  # several rows per unit and time: a repeated cross-section
    data = _read(twice, weights="w")
    means = _means_of_four(data, start=1)
    want = means[3] - means[2] * means[1] / means[0]
    for family in ("poisson", "gamma"):
        assert_allclose(ppml(data, family=family).estimate, want, rtol=1e-8)


def test_poisson_is_statsmodels_with_dummies_and_its_dollars_by_numeric_delta():
    frame = _frame(11)
    data = _read(frame, "x", weights="w")
    full = np.column_stack(
        [data.treated, data.covariates, np.eye(12)[data.unit], np.eye(4)[data.time][:, 1:]]
    )
    glm = sm.GLM(data.outcome, full, family=sm.families.Poisson(), var_weights=data.weights).fit(
        tol=1e-14, maxiter=200
    )
    found = ppml(data)
    assert_allclose(found.details["coefficient"], glm.params[0], rtol=1e-9)
    mu = glm.fittedvalues
    bread = np.linalg.inv(full.T @ ((data.weights * mu)[:, None] * full))
    score = full * (data.weights * (data.outcome - mu))[:, None]
    meat = np.stack([score[data.cluster == g].sum(0) for g in range(12)])
    n, K = data.rows, 2 + 1 + 3
    variance = bread @ meat.T @ meat @ bread * 12 / 11 * (n - 1) / (n - K)
    share = data.weights * data.treated / (data.weights * data.treated).sum()

    def dollars(beta):
        m = np.exp(full @ beta)
        return share @ (m * (1 - np.exp(-beta[0])))

    steps = 1e-6 * np.eye(full.shape[1])
    gradient = np.array([(dollars(glm.params + s) - dollars(glm.params - s)) / 2e-6 for s in steps])
    assert_allclose(found.estimate, dollars(glm.params), rtol=1e-9)
    assert_allclose(found.se, np.sqrt(gradient @ variance @ gradient), rtol=1e-6)
    assert_allclose(found.details["coefficient_se"], variance[0, 0] ** 0.5, rtol=1e-8)


@given(st.integers(0, 10_000), st.sampled_from(["cr1", "cr2", "cr3"]))
@settings(max_examples=25)
def test_nothing_depends_on_order_names_or_unit_constants(seed, inference):
    frame = _frame(seed)
    base = twfe(_read(frame, "x", weights="w"), inference=inference)
    rng = np.random.default_rng([seed, 1])
    moved = frame.assign(u=[f"unit {99 - u}" for u in frame["u"]], y=3 * (frame["y"] + 100.0 * frame["u"]))
    moved = moved.iloc[rng.permutation(len(moved))]
    other = twfe(_read(moved, "x", weights="w"), inference=inference)
    assert_allclose(
        [other.estimate, other.se, other.df], [3 * base.estimate, 3 * base.se, base.df], rtol=1e-6
    )


@given(st.integers(0, 10_000))
@settings(max_examples=15)
def test_two_by_two_is_four_means_and_two_way_fixed_effects(seed):
    data = _read(_frame(seed, periods=2, start=1))
    found = did2x2(data)
    means = found.table["mean"].to_numpy()
    assert_allclose(found.estimate, means[1] - means[0] - means[3] + means[2], rtol=1e-8, atol=1e-10)
    assert_allclose([found.estimate, found.se], [twfe(data).estimate, twfe(data).se], rtol=1e-12)
    for method in ("dr", "ipw", "outcome_regression"):
        assert_allclose(did2x2(data, method=method).estimate, found.estimate, rtol=1e-8, atol=1e-10)
    study = event_study(data)
    assert_allclose([study.estimate, study.se], [found.estimate, found.se], rtol=1e-9)


def test_triple_difference_is_the_difference_of_two():
    frame = _frame(21, units=16)
    frame["s"] = (frame["u"] % 2).astype(float)
    data = panel_from_frame(frame, "y", "u", "t", treated="d", covariates=["s"])
    affected = data.covariates[:, 0]
    found = triple_difference(data, affected)
    parts = [twfe(_read(frame[frame["s"] == s])).estimate for s in (1.0, 0.0)]
    assert_allclose(found.estimate, parts[0] - parts[1], rtol=1e-9)
    # the two halves share no unit: without small-sample factors the variances add
    halves = [twfe(_read(frame[frame["s"] == s]), rule="none").se for s in (1.0, 0.0)]
    exact = triple_difference(data, affected, rule="none").se
    assert_allclose(exact, np.hypot(*halves), rtol=1e-9)
    with pytest.raises(ModelRefusal, match="0 and 1"):
        triple_difference(data, np.ones(data.rows))


def test_zero_levels_are_named_and_all_zero_treated_refused():
    frame = _frame(31)
    frame.loc[frame["u"] == 9, "y"] = 0.0
    found = ppml(_read(frame))
    assert found.rows == 44 and any(
        "4 rows in levels whose outcomes are all zero (1 of u)" in w for w in found.warnings
    )
    frame.loc[frame["d"] == 1, "y"] = 0.0
    with pytest.raises(ModelRefusal, match="every treated row has a zero outcome"):
        ppml(_read(frame))
    with pytest.raises(ModelRefusal, match="1 outcomes are negative"):
        ppml(_read(frame.assign(y=np.r_[-1.0, np.ones(47)])))


def test_bad_studies_are_refused_by_name():
    frame = _frame(41)
    with pytest.raises(ModelRefusal, match="period before its start"):
        twfe(_read(frame.assign(d=(frame["u"] < 5).astype(int))))
    with pytest.raises(ModelRefusal, match="no unit is treated"):
        twfe(_read(frame.assign(d=0)))
    with pytest.raises(ModelRefusal, match="no comparison"):
        did2x2(_read(frame.assign(d=(frame["t"] >= 2).astype(int))))
    with pytest.raises(ModelRefusal, match="is a combination of the others"):
        did2x2(_read(frame.assign(twice=2 * frame["x"]), "x", "twice"))
    with pytest.raises(ModelRefusal, match="'wild'"):
        did2x2(_read(frame, "x"), inference="wild")
    staggered = frame.assign(
        d=((frame["u"] < 5) & (frame["t"] >= np.where(frame["u"] < 2, 1, 2))).astype(int)
    )
    for refused in (did2x2, event_study, synthetic):
        with pytest.raises(ModelRefusal, match="has one start"):
            refused(_read(staggered))
    with pytest.raises(ModelRefusal, match="every unit exactly once"):
        synthetic(_read(frame.iloc[1:]))
    with pytest.raises(ModelRefusal, match="no covariates"):
        synthetic(_read(frame, "x"))


def test_weak_studies_are_warned_of_by_name():
    frame = _frame(51, periods=2, start=1)
    assert any("Only one period before" in w for w in twfe(_read(frame)).warnings)
    heavy = frame.assign(w=np.where(frame["u"] == 3, 1000.0, 1.0))
    assert any("Cluster 3 holds 99%" in w for w in twfe(_read(heavy, weights="w")).warnings)
    longer = _frame(51)
    stopped = longer[~((longer["u"] == 0) & (longer["t"] == 3))]
    assert any("1 treated unit not seen in the last period: 0" in w for w in twfe(_read(stopped)).warnings)
    always = longer.assign(d=np.where(longer["u"] == 4, 1, longer["d"]))
    assert any("treated from the first period on" in w and "4" in w for w in twfe(_read(always)).warnings)
    found = twfe(_read(longer.assign(z=longer["u"] * 1.0), "x", "z"))
    assert any("Dropped as collinear" in w and "z" in w for w in found.warnings)


def test_many_periods_before_are_not_tested_jointly():
    found = event_study(_read(_frame(61, units=30, periods=9, start=7, treated=10)))
    test = found.details["pre_trend"]
    assert "6 periods before are too many" in test["verdict"] and "hotelling_p" not in test
    few = event_study(_read(_frame(61, units=30, periods=4, start=3, treated=10))).details["pre_trend"]
    assert few["periods"] == 2 and 0 < few["hotelling_p"] < 1
    assert few["detectable_slope_50"] < few["detectable_slope_80"] and "htz_p" not in few
    reduced = event_study(_read(_frame(61, units=30, periods=4, start=3, treated=10)), inference="cr2")
    test = reduced.details["pre_trend"]
    assert test["htz_df"][0] == 2 and test["htz_df"][1] < 28 and 0 < test["htz_p"] < 1


def test_the_detectable_drift_is_found_as_often_as_it_says():
    """Draws with a straight drift of detectable_slope_80 are rejected by the F test in 80% of 4,000."""
    from medhome.models.panels.event_study import pre_trend

    rng = np.random.default_rng([71])
    root = np.array([[1.0, 0, 0], [0.4, 0.8, 0], [0.3, 0.2, 0.6]])
    event, df = np.array([-4, -3, -2]), 60
    sigma = root @ root.T
    drift = pre_trend(np.zeros(3), sigma, event, -1, df + 1, (30, 31))["detectable_slope_80"]
    from scipy import stats

    draws = (event + 1) * drift + rng.normal(size=(4000, 3)) @ root.T
    scale = rng.chisquare(df, 4000) / df
    f = np.einsum("bi,ij,bj->b", draws, np.linalg.inv(sigma), draws) / 3 / scale
    assert abs((f > stats.f.ppf(0.95, 3, df)).mean() - 0.8) < 0.02


def test_weights_scale_out():
    data = _read(_frame(81), "x", weights="w")
    heavier = replace(data, weights=data.weights * 7)
    for estimator in (twfe, ppml, did2x2):
        one, two = estimator(data), estimator(heavier)
        assert_allclose([two.estimate, two.se], [one.estimate, one.se], rtol=1e-8)


def test_staggered_starts_bring_their_decomposition():
    frame = _frame(91)
    frame["d"] = ((frame["u"] < 5) & (frame["t"] >= np.where(frame["u"] < 2, 1, 2))).astype(int)
    found = twfe(_read(frame))
    parts = found.details["bacon"].values()
    assert_allclose(sum(p["weight"] for p in parts), 1)
    assert_allclose(sum(p["weight"] * p["mean"] for p in parts), found.estimate, rtol=1e-9)
    assert any("compares with units already treated" in w for w in found.warnings)
    assert "bacon" not in twfe(_read(frame, "x")).details
