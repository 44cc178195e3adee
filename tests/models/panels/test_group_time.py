"""Group-time effects: R's numbers digit for digit, derivatives, hand arithmetic, identities, refusals."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from panel_reference import golden, table
from staggered_panels import staggered

from medhome.models.panels import doubly_robust
from medhome.models.panels.aggregation import aggregate
from medhome.models.panels.group_time import callaway_santanna, group_time_effects
from medhome.models.panels.reading import panel_from_frame
from medhome.study.problems import ModelRefusal

SPECS = {
    "cs_mpdta_nev_nocov": {},
    "cs_mpdta_nyt_nocov": {"control": "not-yet"},
    "cs_mpdta_nev_lpop_dr": {},
    "cs_mpdta_nev_lpop_reg": {"method": "reg"},
    "cs_mpdta_nev_lpop_ipw": {"method": "ipw"},
    "cs_mpdta_nyt_lpop_dr": {"control": "not-yet"},
    "cs_mpdta_nev_lpop_dr_univ": {"base": "universal"},
    "cs_mpdta_nev_lpop_dr_antic1": {"anticipation": 1},
    "cs_mpdta_rc_lpop_dr": {},
}


def mpdta(shared, covariates=("lpop",), unit="countyreal", cluster=None):
    frame = table(shared, "mpdta")
    frame = frame.assign(row=np.arange(len(frame)), state=frame["countyreal"] // 1000)
    return panel_from_frame(frame, "lemp", unit, "year", first_treated="first.treat",
                            covariates=covariates, cluster=cluster)


def read(frame, **columns):
    return panel_from_frame(frame, "y", "id", "t", **({"first_treated": "g"} | columns))


def numbers(values):
    return np.array([np.nan if v == "NA" else v for v in values], float)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.shared_data
def test_group_time_effects_and_averages_are_those_of_r(shared_data, name):
    values = golden(shared_data, name)
    # R's logit stops at 1e-8 of the deviance: with a propensity score, fewer digits can agree.
    tol = 1e-9 if "nocov" in name or name.endswith("reg") else 1e-8
    data = mpdta(shared_data, () if "nocov" in name else ("lpop",), "row" if "_rc_" in name else "countyreal")
    options = {"base": "varying", "bands": None} | SPECS[name]
    found = callaway_santanna(data, **options)
    cells = found.table
    assert_allclose(cells["group"], values["att_gt"]["g"])
    assert_allclose(cells["time"], values["att_gt"]["t"])
    assert_allclose(cells["estimate"], values["att_gt"]["att"], rtol=tol, atol=1e-12)
    assert_allclose(cells["se"], numbers(values["att_gt"]["se"]), rtol=tol)
    for kind in ("simple", "dynamic", "group", "calendar"):
        assert_allclose(found.details[kind]["estimate"], values[kind]["att"], rtol=tol)
        assert_allclose(found.details[kind]["se"], values[kind]["se"], rtol=tol)
    for kind, key in (("dynamic", "event_time"), ("group", "group"), ("calendar", "time")):
        rows = pd.DataFrame(found.details[kind]["rows"])
        assert_allclose(rows[key], values[kind]["egt"])
        assert_allclose(rows["estimate"], values[kind]["att_egt"], rtol=tol, atol=1e-12)
        assert_allclose(rows["se"], numbers(values[kind]["se_egt"]), rtol=tol)
    if "W" in values["att_gt"]:
        test = found.details["pretest_with_anticipated" if "antic1" in name else "pretest"]
        assert_allclose(test["wald"], values["att_gt"]["W"], rtol=tol)
        assert_allclose(test["p_chi2"], values["att_gt"]["Wp"], atol=5e-6)
    assert (found.estimate, found.se) == (found.details["simple"]["estimate"], found.details["simple"]["se"])


@pytest.mark.shared_data
def test_clusters_are_sums_of_influence_functions(shared_data):
    values = golden(shared_data, "cs_mpdta_cluster_state")
    found = callaway_santanna(mpdta(shared_data, cluster="state"), bands=None)
    assert found.clusters == values["simple"]["G"] and found.df == 28
    for kind in ("simple", "dynamic", "group", "calendar"):
        assert_allclose(found.details[kind]["se"], values[kind]["se_cluster"], rtol=1e-6)


@pytest.mark.shared_data
def test_each_convention_of_the_band_gives_its_own_critical_value(shared_data):
    values = golden(shared_data, "cs_mpdta_supt")
    data = mpdta(shared_data, ())
    for bands, key in (("gaussian", "crit_gaussian"), ("rademacher", "crit_rademacher_analytic_se"),
                       ("rademacher-iqr", "crit_R_mboot_200k")):
        found = callaway_santanna(data, base="varying", bands=bands)
        assert_allclose(found.details["critical_value"], values[key], rtol=0.02)
        wide = found.table["band_high"] - found.table["estimate"]
        if bands == "gaussian":
            assert_allclose(wide, found.details["critical_value"] * found.table["se"])
            again = callaway_santanna(data, base="varying", bands=bands)
            assert again.to_json() == found.to_json()
    assert_allclose(found.details["dynamic"]["critical_value"], values["crit_R_dynamic"], rtol=0.02)


@pytest.mark.shared_data
def test_doubly_robust_two_by_two_on_the_training_program(shared_data):
    values = golden(shared_data, "drdid_nsw")
    frame = table(shared_data, "nsw_long")
    frame = frame[(frame["treated"] == 0) | (frame["sample"] == 2)]
    names = ["age", "educ", "black", "married", "nodegree", "hisp", "re74"]
    frame = frame.assign(first=np.where(frame["experimental"] == 1, 1978, 0))
    data = panel_from_frame(frame, "re", "id", "year", first_treated="first", covariates=names)
    assert data.rows == values["drdid_nsw_n"]
    for method, key in (("dr", "drdid_nsw_trad"), ("dr-improved", "drdid_nsw_imp"),
                        ("ipw", "drdid_nsw_stdipw"), ("reg", "drdid_nsw_or")):
        found = callaway_santanna(data, method=method, bands=None)
        assert_allclose((found.estimate, found.se), (values[key]["att"], values[key]["se"]), rtol=1e-6)


@pytest.mark.shared_data
def test_doubly_robust_in_repeated_cross_sections(shared_data):
    golden_values = golden(shared_data, "drdid_simrc")
    frame = table(shared_data, "sim_rc").reset_index(names="row")
    frame = frame.assign(first=frame["d"])
    data = panel_from_frame(frame, "y", "row", "post", first_treated="first",
                            covariates=["x1", "x2", "x3", "x4"])
    for method, key in (("dr", "drdid_simrc_trad"), ("dr-improved", "drdid_simrc_imp")):
        values, found = golden_values[key], callaway_santanna(data, method=method, bands=None)
        assert_allclose((found.estimate, found.se), (values["att"], values["se"]), rtol=1e-6)
        assert "signs of R DRDID" in found.rule
    exact = callaway_santanna(data, bands=None, influence="exact")
    assert_allclose(exact.se, 0.202557987, rtol=1e-6)
    assert "derivative" in exact.rule
    with pytest.raises(ModelRefusal, match="no exact influence function"):
        callaway_santanna(data, method="dr-improved", influence="exact")


@pytest.mark.parametrize(("method", "repeated"),
                         [("dr-improved", False), *product(("dr", "ipw", "reg"), (False, True))])
def test_influence_is_the_derivative_by_the_weight_of_a_unit(method, repeated):
    rng = np.random.default_rng([5, 1])
    n = 80
    x = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    treated = (rng.random(n) < 1 / (1 + np.exp(-x[:, 1]))).astype(float)
    post, y, weights = (rng.random(n) < 0.5).astype(float), rng.normal(size=n), rng.uniform(0.5, 2, n)

    def effects(w):
        if repeated:
            return doubly_robust.repeated_effect(treated, post, y, x, w, method, "here", "exact")
        return doubly_robust.panel_effects(treated, np.column_stack([y, y**2]), x, w, method, "here")

    found = effects(weights)
    assert_allclose(found.influence.mean(axis=0), 0, atol=1e-12)
    for i in range(0, n, 9):
        h = 1e-5 * np.eye(n)[i]
        slope = (effects(weights + h).att - effects(weights - h).att) / 2e-5
        assert_allclose(slope * weights[i] * n, found.influence[i], rtol=2e-5, atol=1e-6)


def test_two_by_two_by_hand():
    # Treated change 5 and 3, comparison 1 and 2: 4 - 1.5 = 2.5; influence +-1 / (1/2) and +-.5 / (1/2), so
    # the variance is (4 + 4 + 1 + 1) / 16.
    frame = pd.DataFrame({"id": [1, 1, 2, 2, 3, 3, 4, 4], "t": [1, 2] * 4, "g": [2] * 4 + [0] * 4,
                          "y": [0, 5, 1, 4, 2, 3, 7, 9]})
    found = callaway_santanna(read(frame))
    assert_allclose((found.estimate, found.se), (2.5, np.sqrt(10) / 4))
    assert_allclose(found.ci, (2.5 - 1.959963984540054 * found.se, 2.5 + 1.959963984540054 * found.se))


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from(["never", "not-yet"]), st.booleans())
def test_bases_agree_after_the_start(seed, control, covariates):
    data = read(staggered(seed), covariates=["x"] if covariates else [])
    one = callaway_santanna(data, base="universal", control=control, bands=None)
    other = callaway_santanna(data, base="varying", control=control, bands=None)
    a, b = (f.table.query("time >= group")[["group", "time", "estimate", "se"]] for f in (one, other))
    assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    assert_allclose((one.estimate, one.se), (other.estimate, other.se), rtol=1e-9)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.5, 50))
def test_order_labels_unit_constants_and_scale(seed, scale):
    frame = staggered(seed, units=40, weights=True)
    # Weights of a unit do not change here: a cell takes them at its base time.
    frame["w"] = frame.groupby("id")["w"].transform("first")
    one = callaway_santanna(read(frame, covariates=["x"], weights="w"), bands=None)
    other = frame.sample(frac=1, random_state=seed % 100)
    shift = other["id"].str.slice(1).astype(float)
    other = other.assign(id="z" + other["id"], y=scale * (other["y"] + shift))
    two = callaway_santanna(read(other, covariates=["x"], weights="w"), bands=None)
    assert_allclose(two.table["estimate"], scale * one.table["estimate"], rtol=1e-7, atol=1e-9 * scale)
    assert_allclose(two.se, scale * one.se, rtol=1e-7)


def test_a_weight_of_two_is_a_unit_seen_twice():
    frame = staggered(3, units=40)
    double = frame["id"].isin(["u1", "u2", "u7", "u20"])
    frame = frame.assign(w=1.0 + double)
    weighted = callaway_santanna(read(frame, weights="w", covariates=["x"]), bands=None)
    copied = pd.concat([frame, frame[double].assign(id=lambda f: "copy" + f["id"])])
    twice = callaway_santanna(read(copied, covariates=["x"]), bands=None)
    assert_allclose(weighted.table["estimate"], twice.table["estimate"], rtol=1e-9, atol=1e-12)
    for kind in ("simple", "dynamic", "group", "calendar"):
        assert_allclose(weighted.details[kind]["estimate"], twice.details[kind]["estimate"], rtol=1e-9)


def test_shares_of_waves_are_estimated_and_count_in_the_error():
    effects = group_time_effects(read(staggered(1, units=200)))
    simple = aggregate(effects)
    post = effects.time >= effects.group
    size = (effects.first_treated[:, None] == effects.group[post]).sum(axis=0)
    fixed = effects.influence[:, post] @ (size / size.sum())
    assert_allclose(simple.estimate, effects.estimate[post] @ size / size.sum())
    assert simple.se(effects) > np.sqrt((fixed**2).sum()) / effects.n


def test_not_yet_treated_units_stand_in_where_nobody_is_never_treated():
    data = read(staggered(2, never=0.0))
    with pytest.raises(ModelRefusal, match="control='not-yet'"):
        callaway_santanna(data)
    found = callaway_santanna(data, control="not-yet")
    assert found.table["group"].unique().tolist() == [3.0]
    assert found.table["time"].max() == 4.0
    assert any("no comparison unit is left after the start of the wave 5" in w for w in found.warnings)
    assert any("wave 3: no comparison unit, or none treated, at 5, 6: left out" in w for w in found.warnings)


def test_unbalanced_panel_uses_units_seen_at_both_times_of_a_cell():
    frame = staggered(4, units=40)
    gone = frame.drop(frame.index[(frame["id"].isin(["u5", "u9"])) & (frame["t"] == 4)])
    found = callaway_santanna(read(gone), bands=None)
    assert any("unbalanced panel: 2 of 240 unit-times" in w for w in found.warnings)
    cell = found.table.query("group == 3 and time == 4").iloc[0]
    kept = frame[~frame["id"].isin(["u5", "u9"])]
    alone = callaway_santanna(read(kept), bands=None).table.query("group == 3 and time == 4").iloc[0]
    assert_allclose((cell["estimate"], cell["se"]), (alone["estimate"], alone["se"]), rtol=1e-9)


def test_covariates_of_the_base_time_count():
    frame = staggered(6, units=80)
    rng = np.random.default_rng([6, 2])
    frame["x"] += rng.normal(size=len(frame))
    found = callaway_santanna(read(frame, covariates=["x"]), bands=None)
    base = frame.query("t == 2").set_index("id")["x"]
    fixed = callaway_santanna(read(frame.assign(x=frame["id"].map(base)), covariates=["x"]), bands=None)
    early = found.table["group"] == 3
    assert_allclose(found.table["estimate"][early], fixed.table["estimate"][early], atol=1e-10)
    assert abs(found.table["estimate"] - fixed.table["estimate"])[~early].max() > 1e-4


def small(first, times=4):
    rng = np.random.default_rng([9, 9])
    return pd.DataFrame([(f"u{i}", t, g, rng.normal() + t * i % 3) for i, g in enumerate(first)
                         for t in range(1, times + 1)], columns=["id", "t", "g", "y"])


def test_edges_are_named():
    with pytest.raises(ModelRefusal, match="no pre-period"):
        callaway_santanna(read(small([1, 1, 0, 0])))
    with pytest.raises(ModelRefusal, match="is treated at a time that the data hold"):
        callaway_santanna(read(small([9, 0, 0, 0])))
    one = callaway_santanna(read(small([2, 3, 3, 0, 0, 1])))
    assert any("one pre-period for the wave 2" in w for w in one.warnings)
    assert any("wave 2 is one unit" in w for w in one.warnings)
    assert any("no time before treatment for 1 units first treated at 1" in w for w in one.warnings)
    assert any("3 treated id clusters" in w for w in one.warnings)
    with pytest.raises(ModelRefusal, match="control is one of never, not-yet, not 'later'"):
        callaway_santanna(read(small([2, 0])), control="later")
    for options in ({"method": "ols"}, {"base": "last"}, {"anticipation": -1}, {"aggregate": "all"},
                    {"bands": "wide"}):
        with pytest.raises(ModelRefusal):
            callaway_santanna(read(small([2, 2, 0, 0])), **options)


def test_covariates_that_cannot_be_used_are_named():
    frame = staggered(8, units=40)
    with pytest.raises(ModelRefusal, match="covariate flat does not vary"):
        callaway_santanna(read(frame.assign(flat=3.0), covariates=["x", "flat"]))
    with pytest.raises(ModelRefusal, match=r"covariate (x|twice) is a combination of the others"):
        callaway_santanna(read(frame.assign(twice=2 * frame["x"] + 1), covariates=["x", "twice"]))
    with pytest.raises(ModelRefusal, match="separate treated from comparison"):
        tells = frame.assign(tells=(frame["g"] > 0) + 0.01 * frame["x"])
        callaway_santanna(read(tells, covariates=["tells"]))


def test_a_cluster_holds_whole_units():
    frame = staggered(8, units=40)
    frame["c"] = np.arange(len(frame)) % 5
    with pytest.raises(ModelRefusal, match="changes its c"):
        callaway_santanna(read(frame, cluster="c"))


def test_improved_weights_carry_the_covariate_means_and_refuse_where_none_can():
    """The weighted comparison mean of a covariate is the treated's, so that a change that is linear in it
    leaves no effect, whatever the other covariates do to the odds."""
    rng = np.random.default_rng([3, 4])
    x = np.column_stack([np.ones(60), rng.normal(size=(60, 2))])
    treated, w = (np.arange(60) < 20).astype(float), rng.uniform(0.5, 2, 60)
    odds, trimmed = doubly_robust._calibrated_odds(treated, x, w, "here")
    assert_allclose((w * (1 - treated) * odds) @ x, (w * treated) @ x, rtol=1e-9)
    assert not trimmed.any()
    change = (x @ [1.0, 2.0, -3.0])[:, None] + 5.0 * treated[:, None]
    assert_allclose(doubly_robust.panel_effects(treated, change, x, w, "dr-improved", "here").att, 5.0)
    x[:20, 1] += 50
    with pytest.raises(ModelRefusal, match="no weights on the comparison units"):
        doubly_robust.panel_effects(treated, change, x, w, "dr-improved", "here")
