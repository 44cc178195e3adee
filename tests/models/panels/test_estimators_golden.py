"""Estimators on public tables, against what R's fixest, DRDID, synthdid and lm gave on them."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from panel_reference import dummies, golden, table

from medhome.models.panels.event_study import event_study
from medhome.models.panels.power import detectable_effect, detectable_standardised
from medhome.models.panels.ppml import fit_log_link
from medhome.models.panels.reading import panel_from_frame
from medhome.models.panels.synthetic import synthetic
from medhome.models.panels.twfe import twfe
from medhome.models.panels.two_by_two import did2x2
from medhome.models.panels.vcov import cr1, iid, least_squares, multiway
from medhome.models.panels.wild import wild_cluster


@pytest.fixture
def base_did(shared_data):
    data = table(shared_data, "base_did")
    data["first"] = np.where(data["treat"] == 1, 6, 0)
    return panel_from_frame(data, "y", "id", "period", first_treated="first", covariates=["x1"])


def test_twfe_base_did(shared_data, base_did):
    want = golden(shared_data, "twfe_base_did")
    for inference, name in (("iid", "iid"), ("hc1", "hc1"), ("cr1", "cl_id")):
        found = twfe(base_did, inference=inference)
        assert_allclose([found.estimate, found.se], list(want[name]["treat:post"].values()), rtol=1e-9)
    assert twfe(base_did).df == 107


def test_event_study_base_did(shared_data, base_did):
    want = golden(shared_data, "es_base_did")
    found = event_study(base_did)
    table_ = found.table.set_index("event_time")
    for period in (1, 2, 3, 4, 6, 7, 8, 9, 10):
        row = table_.loc[period - 6]
        assert_allclose(
            [row["estimate"], row["se"]], list(want["coef"][f"period::{period}:treat"].values()), rtol=1e-9
        )
    test = found.details["pre_trend"]
    assert_allclose([test["f"], test["f_p"]], [want["wald_stat"], want["wald_p"]], rtol=1e-9)
    assert test["f_df"] == [want["df1"], want["df2"]]
    # Hotelling: W = 4F; W (G-q-1)/(q (G-2)) with G = 108, q = 4
    assert_allclose(test["hotelling_f"], 4 * want["wald_stat"] * 103 / (4 * 106), rtol=1e-9)
    after = [want["coef"][f"period::{p}:treat"]["est"] for p in range(6, 11)]
    assert_allclose(found.estimate, np.mean(after), rtol=1e-9)


def test_staggered_twfe_warns(shared_data):
    data = table(shared_data, "base_stagg")
    want = golden(shared_data, "twfe_base_stagg")
    data["first"] = np.where(data["year_treated"] > 10, np.inf, data["year_treated"])
    found = twfe(panel_from_frame(data, "y", "id", "year", first_treated="first", covariates=["x1"]))
    assert_allclose([found.estimate, found.se], list(want["post"].values()), rtol=1e-8)
    assert any("staggered" in w and "bacon" in w for w in found.warnings)


def test_trade_poisson_with_four_effects(shared_data):
    data = table(shared_data, "trade")
    want = golden(shared_data, "trade_ppml")
    effects = {n: data[n].to_numpy() for n in ("Origin", "Destination", "Product", "Year")}
    fit, _ = fit_log_link(
        data["Euros"].to_numpy(),
        np.log(data["dist_km"].to_numpy())[:, None],
        ["log(dist_km)"],
        effects=effects,
    )
    found = {
        "cl_origin": cr1(fit, effects["Origin"]),
        "twoway": multiway(fit, [effects["Origin"], effects["Destination"]]),
        "iid": iid(fit),
    }
    for name, covariance in found.items():
        assert_allclose(
            [fit.beta[0], covariance.se()[0]], list(want[name]["log(dist_km)"].values()), rtol=1e-5
        )


def test_kielmc(shared_data):
    want = golden(shared_data, "kielmc_2x2")
    data = table(shared_data, "w_kielmc")
    data["house"] = np.arange(len(data))
    data["first"] = np.where(data["nearinc"] == 1, 1981, np.inf)
    full = ["age", "agesq", "intst", "land", "area", "rooms", "baths"]
    for name, outcome, covariates in (
        ("kielmc", "rprice", []),
        ("kielmc_age", "rprice", ["age", "agesq"]),
        ("kielmc_full", "rprice", full),
        ("kielmc_log", "lrprice", ["age", "agesq", "lintst", "lland", "larea", "rooms", "baths"]),
    ):
        panel = panel_from_frame(data, outcome, "house", "year", first_treated="first", covariates=covariates)
        row = want[name]["coef"]["y81:nearinc"]
        for inference, se in (("iid", "se_iid"), ("hc1", "se_hc")):
            found = did2x2(panel, method="regression", inference=inference)
            assert_allclose([found.estimate, found.se], [row["est"], row[se]], rtol=1e-7)
        assert found.details["form"] == "repeated cross-section"


def _card_krueger(shared):
    with gzip.open(shared / "did_reference" / "ck_public.dat.gz", "rt", encoding="latin-1") as file:
        rows = [line.split() for line in file]
    number = pd.DataFrame(rows).replace(".", np.nan).astype(float)
    chain, owned, state = number[1], number[2], number[3]
    before = {"ft": number[11], "pt": number[12], "mgr": number[13], "wage": number[14]}
    status, after = number[28], {"ft": number[31], "pt": number[32], "mgr": number[33], "wage": number[34]}
    closed = status == 3
    fte = [p["ft"] + p["mgr"] + 0.5 * p["pt"] for p in (before, after)]
    fte[1] = fte[1].mask(closed, 0.0)
    wage = [before["wage"], after["wage"].mask(closed, 0.0)]
    return pd.DataFrame(
        {
            "chain": chain,
            "owned": owned,
            "nj": state,
            "fte1": fte[0],
            "fte2": fte[1],
            "wage1": wage[0],
            "wage2": wage[1],
            "closed": closed,
        }
    )


def test_card_krueger(shared_data):
    want = golden(shared_data, "card_krueger")
    stores = _card_krueger(shared_data)
    assert_allclose(stores.loc[stores["nj"] == 1, "fte1"].mean(), want["means"]["NJ_before"][0], atol=1e-4)
    both = stores.dropna(subset=["fte1", "fte2"])
    used = both.dropna(subset=["wage1"])
    used = used[used["wage2"].notna() | used["closed"]]
    for sample, values in ((both, want["did_balanced_384"]), (used, want["table4_col1_n357"])):
        panel = panel_from_frame(_long(sample), "fte", "store", "wave", first_treated="first")
        found = did2x2(panel, inference="iid" if sample is used else "hc1")
        assert_allclose(found.estimate, values[0], rtol=1e-6)
        if sample is used:
            assert len(used) == 357
            assert_allclose(found.se, values[1], rtol=1e-6)
    long = _long(used)
    for k in (1, 2, 3):
        long[f"chain{k}"] = (long["chain"] == k).astype(int)
    panel = panel_from_frame(
        long,
        "fte",
        "store",
        "wave",
        first_treated="first",
        covariates=["chain1", "chain2", "chain3", "owned"],
    )
    found = did2x2(panel, method="regression", inference="iid")
    assert_allclose([found.estimate, found.se], want["table4_col2_chain_coowned"], rtol=1e-6)


def _long(stores: pd.DataFrame) -> pd.DataFrame:
    stores = stores.assign(store=np.arange(len(stores)), first=np.where(stores["nj"] == 1, 2, np.inf))
    return pd.concat([stores.assign(wave=1, fte=stores["fte1"]), stores.assign(wave=2, fte=stores["fte2"])])


def test_doubly_robust_panel(shared_data):
    want = golden(shared_data, "drdid_nsw")
    data = table(shared_data, "nsw_long")
    data = data[(data["treated"] == 0) | (data["sample"] == 2)].copy()
    data["first"] = np.where(data["experimental"] == 1, 1978, np.inf)
    covariates = ["age", "educ", "black", "married", "nodegree", "hisp", "re74"]
    panel = panel_from_frame(data, "re", "id", "year", first_treated="first", covariates=covariates)
    names = {"dr": "drdid_nsw_trad", "dr-improved": "drdid_nsw_imp"}
    names |= {"ipw": "drdid_nsw_stdipw", "outcome_regression": "drdid_nsw_or"}
    for method, name in names.items():
        found = did2x2(panel, method=method)
        assert_allclose([found.estimate, found.se], list(want[name].values()), rtol=1e-6)
    assert did2x2(panel).details["method"] == "dr" and found.rows == want["drdid_nsw_n"]


def test_doubly_robust_repeated_cross_section(shared_data):
    want = golden(shared_data, "drdid_simrc")["drdid_simrc_trad"]
    data = table(shared_data, "sim_rc")
    data["first"] = np.where(data["d"] == 1, 1, np.inf)
    panel = panel_from_frame(
        data, "y", "id", "post", first_treated="first", covariates=["x1", "x2", "x3", "x4"]
    )
    found = did2x2(panel)
    assert_allclose([found.estimate, found.se], [want["att"], want["se"]], rtol=1e-6)
    assert_allclose(found.details["se_exact_influence"], 0.202557987, rtol=1e-6)
    assert "signs of R DRDID" in found.rule
    want = golden(shared_data, "drdid_simrc")["drdid_simrc_imp"]
    improved = did2x2(panel, method="dr-improved")
    assert_allclose([improved.estimate, improved.se], [want["att"], want["se"]], rtol=1e-6)


def test_california(shared_data):
    want = golden(shared_data, "prop99_sdid")
    data = table(shared_data, "california_prop99", sep=";")
    panel = panel_from_frame(data, "PacksPerCapita", "State", "Year", treated="treated")
    found = synthetic(panel, inference="randomization")
    assert_allclose(found.estimate, want["sdid"], rtol=1e-8)
    assert_allclose(found.se, want["placebo_se_exact_38_enumerated_pop_sd"], rtol=1e-6)
    assert_allclose(found.p, want["placebo_rank_p"], rtol=1e-9)
    weights = found.table.set_index("label")["weight"]
    for state, weight in want["omega"].items():
        assert_allclose(weights[state], weight, atol=1e-8)
    for year, weight in want["lambda"].items():
        assert_allclose(weights[year], weight, atol=1e-8)
    assert_allclose(synthetic(panel, method="did").estimate, want["did"], rtol=1e-10)


def test_synthetic_control_california(shared_data):
    from medhome.models.synthetic_did import synthetic_control

    data = table(shared_data, "california_prop99", sep=";")
    wide = data.pivot(index="State", columns="Year", values="PacksPerCapita")
    before = int((wide.columns < 1989).sum())
    found = synthetic_control(wide.to_numpy(), np.array(wide.index == "California"), before)
    assert_allclose(found.estimate, golden(shared_data, "prop99_sdid")["sc"], rtol=1e-8)


def test_wild_bootstrap_voters(shared_data):
    """R's printed p is 40 of 99,999 draws of its own; ours differ by their luck only."""
    want = golden(shared_data, "wcb_voters")
    data = table(shared_data, "voters")
    x = np.column_stack(
        [
            data["treatment"],
            np.ones(len(data)),
            data["log_income"],
            dummies(data["Q1_immigration"], True),
            dummies(data["Q2_defense"], True),
        ]
    )
    names = ["treatment", "constant", *(f"x{k}" for k in range(x.shape[1] - 2))]
    fit = least_squares(data["proposition_vote"].to_numpy(dtype=float), x, names)
    group = data["group_id1"].to_numpy()
    assert_allclose(fit.beta[0] / cr1(fit, group).se()[0], want["t"], rtol=1e-9)
    found = wild_cluster(fit, group, "treatment", draws=99_999)
    assert abs(found.p - want["p"]) < 2e-4
    assert_allclose(found.ci, want["ci"], rtol=2e-2)


def test_ezunem(shared_data):
    want = golden(shared_data, "ezunem")
    data = table(shared_data, "w_ezunem")
    effects = {"city": data["city"].to_numpy(), "year": data["year"].to_numpy()}
    fit = least_squares(
        data["luclms"].to_numpy(), data[["ez"]].to_numpy(dtype=float), ["ez"], effects=effects
    )
    assert_allclose(
        [fit.beta[0], iid(fit).se()[0], cr1(fit, effects["city"]).se()[0]],
        [want["est"], want["se_iid"], want["se_cl"]],
        rtol=1e-7,
    )


def test_power(shared_data):
    want = golden(shared_data, "power_closed_form")
    assert_allclose(detectable_standardised(100), want["d"], rtol=1e-8)
    found = detectable_effect(
        (20, 20), (50, 50), sd=1000, icc=0.05, cluster_autocorrelation=0.7, member_autocorrelation=0.5
    )
    assert_allclose(found, want["mde_cluster"], rtol=1e-8)
