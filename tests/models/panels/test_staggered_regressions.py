"""Regressions on waves: R's numbers, identities between estimators, and what they refuse."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from panel_reference import golden, table
from staggered_panels import staggered

from medhome.models.panels.bacon import bacon
from medhome.models.panels.etwfe import etwfe
from medhome.models.panels.group_time import callaway_santanna
from medhome.models.panels.imputation import imputation
from medhome.models.panels.reading import panel_from_frame
from medhome.models.panels.sun_abraham import sun_abraham
from medhome.models.panels.two_stage import two_stage
from medhome.models.panels.waves import check_size
from medhome.study.problems import ModelRefusal

SEEDS = st.integers(0, 10_000)


def read(frame, **columns):
    return panel_from_frame(frame, "y", "id", "t", **({"first_treated": "g"} | columns))


def mpdta(shared, outcome="lemp", covariates=()):
    frame = table(shared, "mpdta")
    frame = frame.assign(employed=np.exp(frame["lemp"]))
    return panel_from_frame(frame, outcome, "countyreal", "year", first_treated="first.treat",
                            covariates=covariates)


def base_stagg(shared, covariates=()):
    frame = table(shared, "base_stagg")
    frame = frame.assign(g=frame["year_treated"].where(frame["year_treated"] < 100, 0))
    return panel_from_frame(frame, "y", "id", "year", first_treated="g", covariates=covariates)


@pytest.mark.shared_data
def test_sun_abraham_is_that_of_fixest(shared_data):
    cases = ((mpdta(shared_data), "sunab_mpdta"), (base_stagg(shared_data, ["x1"]), "sunab_base_stagg"))
    for data, name in cases:
        values = golden(shared_data, name)
        found = sun_abraham(data)
        att = values["att"]["ATT"]
        assert_allclose((found.estimate, found.se), (att["est"], att["se"]), rtol=1e-9)
        for by, entry in (("dynamic", "period"), ("group", "cohort")):
            want = [v for k, v in values.get(entry, {}).items() if k != "x1"]
            if want:
                rows = pd.DataFrame(found.details[by])
                assert_allclose(rows["estimate"], [v["est"] for v in want], rtol=1e-9)
                assert_allclose(rows["se"], [v["se"] for v in want], rtol=1e-9)
    x1, want = found.details["covariates"]["x1"], values["att"]["x1"]
    assert_allclose((x1["estimate"], x1["se"]), (want["est"], want["se"]), rtol=1e-9)


@pytest.mark.shared_data
def test_imputation_is_exact_and_keeps_units_with_one_time_before(shared_data):
    values = golden(shared_data, "bjs_mpdta")
    found = imputation(mpdta(shared_data))
    assert_allclose((found.estimate, found.se), (values["att"], values["se"]), rtol=1e-8)
    for row in found.table.to_dict("records"):
        want = values["event"][f"{row['event_time']:.0f}"]
        assert_allclose((row["estimate"], row["se"]), (want["est"], want["se"]), rtol=1e-6)
    values = golden(shared_data, "bjs_base_stagg")
    found = imputation(base_stagg(shared_data))
    assert_allclose((found.estimate, found.se), (values["att"], values["se_bjs"]), rtol=1e-9)
    after = found.table[~found.table["pre"]]
    assert_allclose(after["estimate"], [v["est"] for v in values["event_bjs"].values()], rtol=1e-6)
    assert_allclose(after["se"], [v["se"] for v in values["event_bjs"].values()], rtol=1e-6)


@pytest.mark.shared_data
def test_two_stage_is_that_of_did2s(shared_data):
    values = golden(shared_data, "did2s_mpdta")
    found = two_stage(mpdta(shared_data))
    assert_allclose((found.estimate, found.se), (values["att"], values["se"]), rtol=1e-8)
    for row in found.table.to_dict("records"):
        want = values["event"][f"rel::{row['event_time']:.0f}"]
        assert_allclose((row["estimate"], row["se"]), (want["est"], want["se"]), rtol=1e-6)
    found = two_stage(base_stagg(shared_data))
    assert_allclose(found.se, golden(shared_data, "bjs_base_stagg")["se_did2s"], rtol=1e-8)


@pytest.mark.shared_data
def test_imputation_and_two_stage_on_many_rows(shared_data):
    values, frame = golden(shared_data, "bjs_did2s_df_het"), table(shared_data, "df_het")
    for estimator, cluster, key in ((imputation, None, "se_bjs_unit"), (imputation, "state", "se_bjs_state"),
                                    (two_stage, "state", "se_did2s_state")):
        data = panel_from_frame(frame, "dep_var", "unit", "year", first_treated="g", cluster=cluster)
        found = estimator(data)
        assert_allclose((found.estimate, found.se), (values["att"], values[key]), rtol=1e-7)


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["nocov", "lpop"])
def test_extended_two_way_fixed_effects_is_that_of_r(shared_data, name):
    values = golden(shared_data, "etwfe_mpdta")[name]
    found = etwfe(mpdta(shared_data, covariates=[] if name == "nocov" else ["lpop"]))
    assert_allclose((found.estimate, found.se), (values["simple"]["est"], values["simple"]["se"]), rtol=1e-9)
    for by, key, letter in (("dynamic", "event_time", "e"), ("group", "group", "g")):
        for row in found.details[by]:
            want = values[f"{letter}{row[key]:.0f}"]
            assert_allclose((row["estimate"], row["se"]), (want["est"], want["se"]), rtol=1e-9)


@pytest.mark.shared_data
def test_poisson_gives_the_effect_in_units_of_the_outcome(shared_data):
    values = golden(shared_data, "etwfe_mpdta_poisson")
    found = etwfe(mpdta(shared_data, "employed"), family="poisson")
    assert_allclose((found.estimate, found.se), (values["att"], values["se_glm_HC1"]), rtol=1e-9)
    assert_allclose(found.details["ratio"], values["pct"], rtol=1e-9)
    assert_allclose(found.table["coefficient"], list(values["coef"].values()), rtol=1e-8)
    assert_allclose(found.table["coefficient_se"], list(values["se"].values()), rtol=1e-8)
    # With the covariate: printed in grantmcdermott/etwfe, inst/tinytest/test_emfx.R.
    found = etwfe(mpdta(shared_data, "employed", ["lpop"]), family="poisson")
    assert_allclose([row["estimate"] for row in found.details["dynamic"]],
                    [-25.3497484355494, 1.09175116997388, -75.1246321552693, -101.823979344829], rtol=1e-7)
    assert_allclose(found.details["dynamic"][0]["se"], 15.8862762958862, rtol=1e-5)


@pytest.mark.shared_data
def test_bacon_weights_are_those_of_r(shared_data):
    values = golden(shared_data, "bacon_math")
    frame = table(shared_data, "bacon_math")
    found = bacon(panel_from_frame(frame, "incearn_ln", "state", "class", treated="reform_math"))
    assert_allclose(found.estimate, values["twfe"], rtol=1e-9)
    want = {(r["treated"], r.get("untreated", np.inf)): (r["estimate"], r["weight"]) for r in values["all"]}
    assert len(found.table) == len(want)
    for row in found.table.to_dict("records"):
        assert_allclose((row["estimate"], row["weight"]), want[row["treated"], row["comparison"]], rtol=1e-8)
    assert_allclose(found.details["treated vs never treated"]["weight"], .8838206199165, rtol=1e-9)


@settings(max_examples=8)
@given(SEEDS)
def test_extended_two_way_is_imputation_is_two_stage_on_balanced_data(seed):
    data = read(staggered(seed, units=25))
    one, two, three = etwfe(data), imputation(data), two_stage(data)
    assert_allclose((one.estimate, two.estimate), three.estimate, rtol=1e-9)
    after = two.table[~two.table["pre"]]["estimate"]
    assert_allclose([row["estimate"] for row in one.details["dynamic"]], after, rtol=1e-9, atol=1e-10)


@settings(max_examples=8)
@given(SEEDS)
def test_sun_abraham_is_group_time_with_never_treated(seed):
    data = read(staggered(seed, units=25))
    one, two = sun_abraham(data), callaway_santanna(data, bands=None)
    assert_allclose(one.estimate, two.estimate, rtol=1e-9)
    cells = two.table[two.table["time"] != two.table["base_time"]]
    assert_allclose(one.table["estimate"], cells["estimate"], rtol=1e-8, atol=1e-10)
    never = etwfe(data, control="never")
    assert_allclose(never.table["estimate"], cells["estimate"], rtol=1e-8, atol=1e-10)


@settings(max_examples=8)
@given(SEEDS, st.sampled_from([(3.0, 5.0), (1.0, 3.0, 5.0), (2.0, 4.0, 6.0)]), st.sampled_from([0.4, 0.0]))
def test_bacon_weights_sum_to_one_and_reproduce_the_regression(seed, waves, never):
    frame = staggered(seed, units=30, waves=waves, never=never, weights=True)
    frame["w"] = frame.groupby("id")["w"].transform("first")
    found = bacon(read(frame, weights="w"))
    assert_allclose(found.table["weight"].sum(), 1, rtol=1e-12)
    assert (found.table["weight"] > 0).all()
    total = (found.table["weight"] * found.table["estimate"]).sum()
    assert_allclose(total, found.estimate, rtol=1e-10, atol=1e-10)


@settings(max_examples=4)
@given(SEEDS, st.floats(0.5, 40))
def test_order_labels_and_scale_change_nothing(seed, scale):
    frame = staggered(seed, units=30, weights=True)
    frame["w"] = frame.groupby("id")["w"].transform("first")
    other = frame.sample(frac=1, random_state=seed % 97)
    shift = other["id"].str.slice(1).astype(float)
    other = other.assign(id="z" + other["id"], y=scale * (other["y"] + shift))
    for estimator in (sun_abraham, imputation, two_stage, bacon):
        one, two = (estimator(read(f, weights="w")) for f in (frame, other))
        assert_allclose((two.estimate, two.se), (scale * one.estimate, scale * one.se), rtol=1e-7)
    frame["y"] = frame["y"] - frame["y"].min()
    one, two = (etwfe(read(f, weights="w"), family="poisson") for f in
                (frame, frame.assign(y=scale * frame["y"]).sample(frac=1, random_state=3)))
    assert_allclose((two.estimate, two.se), (scale * one.estimate, scale * one.se), rtol=1e-7)


def test_poisson_with_one_wave_is_the_ratio_of_ratios():
    frame = staggered(5, units=40, times=2, waves=(2.0,)).assign(y=lambda f: np.exp(f["y"] / 4))
    found = etwfe(read(frame), family="poisson")
    mean = frame.groupby([frame["g"] > 0, "t"])["y"].mean()
    without = mean[True, 1] * mean[False, 2] / mean[False, 1]
    assert_allclose(found.estimate, mean[True, 2] - without, rtol=1e-10)
    assert_allclose(found.details["ratio"], mean[True, 2] / without - 1, rtol=1e-10)


def test_imputation_with_a_covariate_is_least_squares_with_dummies():
    frame = staggered(6, units=25)
    rng = np.random.default_rng([6, 3])
    frame = frame.assign(x=rng.normal(size=len(frame)))
    frame["y"] += 0.7 * frame["x"]
    gone = frame.drop(frame.index[[3, 40, 77]])
    found = imputation(read(gone, covariates=["x"]))
    z = np.column_stack([pd.get_dummies(gone["id"]), pd.get_dummies(gone["t"]), gone["x"]]).astype(float)
    off = gone["d"].to_numpy() == 0
    b = np.linalg.lstsq(z[off], gone["y"].to_numpy()[off], rcond=None)[0]
    assert_allclose(found.estimate, (gone["y"].to_numpy() - z @ b)[~off].mean(), rtol=1e-9)
    assert_allclose(found.details["slopes"]["x"], b[-1], rtol=1e-9)


def test_imputation_error_by_exact_weights():
    # The estimate is v'y; the weights are those of the estimate's derivative by each outcome.
    frame = staggered(7, units=10, times=4, waves=(3.0,))
    data = read(frame)
    found = imputation(data)
    units = np.eye(len(frame))
    v = np.array([imputation(read(frame.assign(y=unit))).estimate for unit in units])
    assert_allclose(v @ frame["y"], found.estimate, rtol=1e-9)
    z = np.column_stack([pd.get_dummies(frame["id"]), pd.get_dummies(frame["t"])]).astype(float)
    off = frame["d"].to_numpy() == 0
    gap = frame["y"].to_numpy() - z @ np.linalg.lstsq(z[off], frame["y"].to_numpy()[off], rcond=None)[0]
    on = frame[~off].assign(gap=gap[~off]).groupby("t")["gap"].transform("mean")
    gap[~off] -= on
    by_unit = pd.Series(v * gap).groupby(frame["id"]).sum()
    assert_allclose(found.se, np.sqrt((by_unit**2).sum()), rtol=1e-9)


def small(first, times=4, **columns):
    rng = np.random.default_rng([9, 9])
    frame = pd.DataFrame([(f"u{i}", t, g, rng.normal() + t * i % 3) for i, g in enumerate(first)
                          for t in range(1, times + 1)], columns=["id", "t", "g", "y"])
    return frame.assign(**columns)


def test_what_the_untreated_rows_do_not_tell_is_refused_by_name():
    for estimator in (imputation, two_stage):
        with pytest.raises(ModelRefusal, match=r"1 id without an untreated row.*: u0; leave them out"):
            estimator(read(small([1, 3, 0, 0])))
        with pytest.raises(ModelRefusal, match="no untreated row at t 4"):
            estimator(read(small([3, 4, 4])))
        with pytest.raises(ModelRefusal, match="no id is treated"):
            estimator(read(small([0, 0, 9])))
        twice = pd.concat([small([2, 0, 0])] * 2)
        with pytest.raises(ModelRefusal, match="several rows at one time"):
            estimator(read(twice))
    apart = small([3, 0, 0, 0])
    apart = apart[~((apart["id"] == "u0") & (apart["t"] == 2)) & ~((apart["id"] != "u0") & (apart["t"] == 1))]
    with pytest.raises(ModelRefusal, match=r"no chain of untreated rows connects.*: u0"):
        imputation(read(apart))
    trend = small([3, 0, 0, 0]).assign(x=lambda f: f["t"] + f["id"].str.slice(1).astype(float))
    with pytest.raises(ModelRefusal, match="covariate x cannot be told from unit and time effects"):
        imputation(read(trend, covariates=["x"]))
    held = imputation(read(small([3, 3, 0, 0]).assign(x=lambda f: f["id"].str.slice(1).astype(float)),
                           covariates=["x"]))
    assert any("x never changes inside a unit" in w for w in held.warnings)


def test_a_wave_of_one_unit_is_named_everywhere():
    data = read(small([3, 4, 4, 0, 0, 0]))
    for estimator in (sun_abraham, etwfe, imputation, two_stage):
        found = estimator(data)
        assert any("wave 3 is one unit" in w for w in found.warnings), estimator


def test_waves_without_time_before_and_nobody_never_treated():
    for estimator in (sun_abraham, etwfe):
        with pytest.raises(ModelRefusal, match="no pre-period"):
            estimator(read(small([1, 1, 0, 0])))
        with pytest.raises(ModelRefusal, match="no id is treated"):
            estimator(read(small([0, 0, 0])))
        found = estimator(read(small([1, 2, 3, 3, 2, 4, 4, 4])))
        assert any("1 units treated from the first time on" in w for w in found.warnings)
        assert any("the wave 4 is the comparison, and rows from its start on" in w for w in found.warnings)
        assert any("one pre-period for the wave 2" in w for w in found.warnings)
        assert found.table["time"].max() == 3
    with pytest.raises(ModelRefusal, match="no pre-period"):
        sun_abraham(read(small([3, 3, 3])))


def test_bacon_refuses_what_does_not_add_up():
    frame = small([2, 3, 0, 0])
    for broken, words in ((frame.drop(5), "balanced panel: 4 id by 4 times are not 15 rows"),
                          (small([0, 0]), "no id is treated"), (small([3, 3]), "treated at the same time")):
        with pytest.raises(ModelRefusal, match=words):
            bacon(read(broken))
    with pytest.raises(ModelRefusal, match="without covariates"):
        bacon(read(frame.assign(x=frame["y"] ** 2), covariates=["x"]))
    with pytest.raises(ModelRefusal, match="weights that do not change"):
        bacon(read(frame.assign(w=frame["t"]), weights="w"))
    found = bacon(read(frame))
    assert any("of the weight compares with units already treated" in w for w in found.warnings)


def test_poisson_refuses_negative_and_empty_cells():
    with pytest.raises(ModelRefusal, match="outcomes are negative"):
        etwfe(read(small([2, 3, 0, 0]).assign(y=-1.0)), family="poisson")
    none = small([2, 3, 0, 0]).assign(y=lambda f: np.where((f["g"] == 3) & (f["t"] == 3), 0, 1 + f["t"]))
    with pytest.raises(ModelRefusal, match="every outcome is zero in wave 3 at 3"):
        etwfe(read(none), family="poisson")
    for options in ({"family": "gamma"}, {"control": "later"}):
        with pytest.raises(ModelRefusal):
            etwfe(read(small([2, 3, 0, 0])), **options)
    with pytest.raises(ModelRefusal, match="not identified beside wave and time effects: "):
        etwfe(read(staggered(1).assign(z=lambda f: 2 * f["x"]), covariates=["x", "z"]))


def test_a_table_too_large_for_memory_is_refused_before_it_is_made():
    data = read(staggered(1, units=40))
    wide = panel_from_frame(staggered(1, units=40).assign(**{f"x{k}": 1.0 * k for k in range(3)}), "y", "id",
                            "t", first_treated="g", covariates=["x0", "x1", "x2"])
    assert sun_abraham(wide).estimate == pytest.approx(sun_abraham(data).estimate)
    with pytest.raises(ModelRefusal, match=r"1,160,000 rows by 350 columns need 3 GB"):
        check_size(1_160_000, 350, "sun_abraham")
