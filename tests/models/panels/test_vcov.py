"""Standard errors: R fixest, sandwich and clubSandwich on public tables; identities that need no table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from panel_reference import columns, dummies, golden, table

from medhome.models.panels import vcov
from medhome.models.panels.absorb import Effects, codes, least_squares
from medhome.study.problems import ModelRefusal


def _base_did(shared):
    data = table(shared, "base_did")
    x = np.column_stack([data.x1, data.treat * data.post])
    effects = {"id": data.id.to_numpy(), "period": data.period.to_numpy()}
    return data, least_squares(data.y.to_numpy(), x, ["x1", "treat:post"], effects=effects)


def test_two_way_fixed_effects_every_rule(shared_data):
    data, fit = _base_did(shared_data)
    want = golden(shared_data, "twfe_base_did")
    unit, period = data.id.to_numpy(), data.period.to_numpy()
    found = {
        "iid": vcov.iid(fit),
        "hc1": vcov.hc1(fit),
        "cl_id": vcov.cr1(fit, unit),
        "cl_2way": vcov.multiway(fit, [unit, period]),
        "cl_id_fullK": vcov.cr1(fit, unit, rule="statsmodels"),
    }
    for name, covariance in found.items():
        for k, column in enumerate(fit.names):
            assert_allclose(fit.beta[k], want[name][column]["est"], rtol=1e-11)
            assert_allclose(
                covariance.se()[k], want[name][column]["se"], rtol=1e-11, err_msg=f"{name} {column}"
            )
    assert found["cl_2way"].df_of(np.ones(2)) == 9 and found["cl_id"].df_of(np.ones(2)) == 107
    assert "K = 12" in found["cl_id"].rule and "K = 3" in found["cl_2way"].rule


def test_petersen(shared_data):
    data = table(shared_data, "petersen")
    want = golden(shared_data, "petersen")
    x = np.column_stack([np.ones(len(data)), data.x])
    fit = least_squares(data.y.to_numpy(), x, ["(Intercept)", "x"])
    firm, year = data.firm.to_numpy(), data.year.to_numpy()
    found = {
        "ols": vcov.iid(fit),
        "HC1": vcov.hc1(fit),
        "firm": vcov.cr1(fit, firm),
        "year": vcov.cr1(fit, year),
        "both_multi0F": vcov.multiway(fit, [firm, year], count="own"),
    }
    for name, covariance in found.items():
        assert_allclose(
            covariance.se(), [want[name]["(Intercept)"], want[name]["x"]], rtol=1e-10, err_msg=name
        )
    assert_allclose(vcov.multiway(fit, [firm, year]).se()[1], want["fx_both"]["x"]["se"], rtol=1e-10)
    one = least_squares(data.y.to_numpy(), x[:, 1:], ["x"], effects={"firm": firm})
    assert_allclose(
        [one.beta[0], vcov.cr1(one, firm).se()[0]], list(want["firm_fe"]["x"].values()), rtol=1e-10
    )
    two = least_squares(data.y.to_numpy(), x[:, 1:], ["x"], effects={"firm": firm, "year": year})
    both = vcov.multiway(two, [firm, year])
    assert_allclose([two.beta[0], both.se()[0]], list(want["twfe2"]["x"].values()), rtol=1e-10)


def test_four_effects_and_four_ways(shared_data):
    data = table(shared_data, "trade")
    want = golden(shared_data, "trade_ols")
    effects = {n: data[n].to_numpy() for n in ("Origin", "Destination", "Product", "Year")}
    x = np.log(data.dist_km.to_numpy())[:, None]
    fit = least_squares(np.log(data.Euros.to_numpy()), x, ["log(dist_km)"], effects=effects)
    ways = {"cl_origin": ["Origin"], "twoway": ["Origin", "Destination"], "fourway": list(effects)}
    for name, chosen in ways.items():
        found = vcov.multiway(fit, [effects[c] for c in chosen])
        assert_allclose(fit.beta[0], want[name]["log(dist_km)"]["est"], rtol=1e-9)
        assert_allclose(found.se()[0], want[name]["log(dist_km)"]["se"], rtol=1e-6, err_msg=name)


def test_bias_reduced_mortality(shared_data):
    data = table(shared_data, "mortality_mv").dropna(subset=["legal", "beertaxa", "mrate"])
    want = {row["Coef"]: row for row in golden(shared_data, "cr2_mortality")["CR2"]}
    state, year = data.state.to_numpy(), data.year.to_numpy()
    x = columns(data, "legal", "beertaxa")
    absorbed = least_squares(
        data.mrate.to_numpy(), x, ["legal", "beertaxa"], effects={"state": state, "year": year}
    )
    full = least_squares(
        data.mrate.to_numpy(),
        np.hstack([x, dummies(data.state), dummies(data.year, drop_first=True)]),
        ["legal", "beertaxa", *(f"d{k}" for k in range(200))],
    )
    for fit in (absorbed, full):
        covariance = vcov.cr2(fit, state)
        for name, row in want.items():
            found = covariance.of(fit, name)
            assert_allclose(
                [found.estimate, found.se, found.df, found.p],
                [row["beta"], row["SE"], row["df_Satt"], row["p_Satt"]],
                rtol=1e-8,
            )


def test_every_named_rule_on_mortality(shared_data):
    data = table(shared_data, "mortality_mv")
    want = golden(shared_data, "cr2_mortality")["variant_with_beer_wine_percap_legal"]
    names = ["legal", "beertaxa", "beerpercap", "winepercap"]
    state = data.state.to_numpy()
    fit = least_squares(
        data.mrate.to_numpy(),
        columns(data, *names),
        names,
        effects={"state": state, "year": data.year.to_numpy()},
    )
    found = {
        "CR0": vcov.cr1(fit, state, rule="none"),
        "CR1S": vcov.cr1(fit, state, rule="statsmodels"),
        "CR2": vcov.cr2(fit, state),
    }
    for name, covariance in found.items():
        each = covariance.of(fit, "legal")
        assert_allclose([each.estimate, each.se, each.df, each.p], list(want[name].values()), rtol=1e-8)


def test_joint_test_for_few_clusters_on_mortality(shared_data):
    data = table(shared_data, "mortality_mv")
    want = golden(shared_data, "cr2_mortality")["HTZ_legal_beertaxa"]
    names = ["legal", "beertaxa", "beerpercap", "winepercap"]
    effects = {"state": data.state.to_numpy(), "year": data.year.to_numpy()}
    fit = least_squares(data.mrate.to_numpy(), columns(data, *names), names, effects=effects)
    found = vcov.cr2(fit, effects["state"]).joint(fit, np.eye(4)[:2])
    assert_allclose(
        [found.statistic, found.df1, found.df2, found.p],
        [want["Fstat"], want["df_num"], want["df_denom"], want["p_val"]],
        rtol=1e-8,
    )


def test_bias_reduced_mpdta(shared_data):
    data = table(shared_data, "mpdta")
    want = golden(shared_data, "cr2_mpdta")
    treated = (data["first.treat"] > 0) & (data.year >= data["first.treat"])
    county = data.countyreal.to_numpy()
    fit = least_squares(
        data.lemp.to_numpy(),
        treated.to_numpy(dtype=float)[:, None],
        ["D"],
        effects={"county": county, "year": data.year.to_numpy()},
    )
    bias_reduced = vcov.cr2(fit, county).of(fit, "D")
    assert_allclose(
        [bias_reduced.se, bias_reduced.df, bias_reduced.p],
        [want["CR2"]["se"], want["CR2"]["df"], want["CR2"]["p"]],
        rtol=1e-8,
    )
    assert_allclose(vcov.cr1(fit, county, rule="none").se()[0], want["CR0"]["se"], rtol=1e-9)
    assert_allclose(vcov.cr1(fit, county, rule="statsmodels").se()[0], want["CR1S"]["se"], rtol=1e-9)


def test_naive_and_clustered_on_state_wages(shared_data):
    data = table(shared_data, "CPS", sep=";")
    want = golden(shared_data, "bdm_cps")
    index = codes(data.state.to_numpy())
    law = ((index % 2 == 0) & (data.year > 1998)).to_numpy(dtype=float)
    effects = {"state": data.state.to_numpy(), "year": data.year.to_numpy()}
    fit = least_squares(data.log_wage.to_numpy(), law[:, None], ["law"], effects=effects)
    found = {
        "est": fit.beta[0],
        "se_iid": vcov.iid(fit).se()[0],
        "se_hc1": vcov.hc1(fit).se()[0],
        "se_state": vcov.cr1(fit, effects["state"]).se()[0],
        "se_year": vcov.cr1(fit, effects["year"]).se()[0],
        "se_2way": vcov.multiway(fit, list(effects.values())).se()[0],
    }
    for name, value in found.items():
        assert_allclose(value, want[name], rtol=1e-8 if name != "est" else 1e-4, err_msg=name)


def _dense_cr2(X, y, w, cluster, c):
    """Straight from the definition, N by N: the small-sample form that nothing is cut short in."""
    M = np.linalg.pinv(X.T @ (w[:, None] * X))
    R = np.eye(len(y)) - X @ M @ (X * w[:, None]).T
    V, columns_of_L = 0.0, []
    for g in np.unique(cluster):
        s = cluster == g
        value, vector = np.linalg.eigh((R @ R.T)[np.ix_(s, s)])
        kept = value > 1e-10
        A = (vector[:, kept] / np.sqrt(value[kept])) @ vector[:, kept].T
        a = A @ (w[s, None] * X[s]) @ M @ c
        V += (a @ (R @ y)[s]) ** 2
        columns_of_L.append(R[s].T @ a)
    L = np.stack(columns_of_L)
    L = L @ L.T
    return V**0.5, np.trace(L) ** 2 / (L * L).sum()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("by", ["unit", "area", "other"])
def test_bias_reduced_equals_its_definition(weighted, by):
    rng = np.random.default_rng([5, 1])
    unit, time = np.repeat(np.arange(12), 5), np.tile(np.arange(5), 12)
    clusters = {"unit": unit, "area": unit // 3, "other": np.arange(60) % 7}
    x = rng.normal(size=(60, 2))
    y = rng.normal(size=60)
    w = rng.uniform(0.3, 4, 60) if weighted else np.full(60, 2.0)
    fit = least_squares(y, x, ["a", "b"], weights=w, effects={"unit": unit, "time": time})
    full = np.hstack([x, np.eye(12)[unit], np.eye(5)[time]])
    c = np.array([1.0, -0.5])
    found = vcov.cr2(fit, clusters[by]).inference(fit, c)
    want = _dense_cr2(full, y, w, clusters[by], np.r_[c, np.zeros(17)])
    assert_allclose([found.se, found.df], want, rtol=1e-9)


@pytest.mark.parametrize("by", ["unit", "other"])
def test_jackknife_refits_without_each_cluster(by):
    rng = np.random.default_rng([5, 2])
    unit, time = np.repeat(np.arange(9), 4), np.tile(np.arange(4), 9)
    cluster = {"unit": unit, "other": np.arange(36) % 5}[by]
    x, y, w = rng.normal(size=(36, 2)), rng.normal(size=36), rng.uniform(1, 3, 36)
    fit = least_squares(y, x, ["a", "b"], weights=w, effects={"unit": unit, "time": time})
    moved = []
    for g in np.unique(cluster):
        s = cluster != g
        left = least_squares(y[s], x[s], ["a", "b"], weights=w[s], effects={"unit": unit[s], "time": time[s]})
        moved.append(left.beta - fit.beta)
    assert_allclose(vcov.leave_one_out(fit, codes(cluster)), moved, atol=1e-11)
    G = len(moved)
    assert_allclose(vcov.cr3(fit, cluster).matrix, np.array(moved).T @ moved * (G - 1) / G, atol=1e-12)


@given(st.integers(0, 10_000), st.booleans(), st.booleans())
def test_absorbed_effects_are_dummies(seed, weighted, iterated):
    """Four effects on a sparse table with singletons and separate components, both ways of solving."""
    rng = np.random.default_rng([seed])
    n = 60
    effects = {name: rng.integers(0, k, n) for name, k in (("a", 20), ("b", 6), ("c", 4), ("d", 2))}
    x, y = rng.normal(size=(n, 2)), rng.normal(size=n)
    w = rng.uniform(0.1, 5, n) if weighted else np.ones(n)
    levels = {k: codes(v) for k, v in effects.items()}
    dummy = np.hstack([np.eye(v.max() + 1)[v] for v in levels.values()])
    root = np.sqrt(w)[:, None]
    beta = np.linalg.lstsq(np.hstack([x, dummy]) * root, y * root[:, 0], rcond=None)[0]
    import medhome.models.panels.absorb as absorb

    kept = absorb.DENSE_AT_MOST
    absorb.DENSE_AT_MOST = 0 if iterated else kept
    try:
        fit = least_squares(y, x, ["x", "z"], weights=w, effects=effects)
    finally:
        absorb.DENSE_AT_MOST = kept
    assert_allclose(fit.beta, beta[:2], rtol=1e-8, atol=1e-9)
    counts = {k: int((np.bincount(v) == 1).sum()) for k, v in levels.items()}
    assert fit.effects.singletons == counts


def test_collinear_columns_are_named():
    unit, time = np.repeat(np.arange(6), 3), np.tile(np.arange(3), 6)
    rng = np.random.default_rng([9])
    x = rng.normal(size=18)
    columns_ = np.column_stack([x, 2 * x + unit, unit * 1.0])
    fit = least_squares(rng.normal(size=18), columns_, ["x", "twice", "size"], effects={"u": unit, "t": time})
    assert fit.names == ("x",) and fit.dropped == ("twice", "size")
    assert "twice, size" in fit.warnings[0]
    with pytest.raises(ModelRefusal, match="twice cannot be told apart"):
        fit.position("twice")


def test_singletons_are_kept_and_counted():
    unit = np.array([0, 0, 1, 1, 2])
    fit = least_squares(
        np.arange(5.0) ** 2, np.array([[0.0], [1], [0], [2], [1]]), ["x"], effects={"unit": unit}
    )
    assert fit.rows == 5 and fit.effects.singletons == {"unit": 1}
    assert fit.warnings == ("1 level of unit with a single row, kept.",)


def test_effects_take_out_what_is_theirs():
    e = Effects(levels={"unit": np.array([0, 0, 1, 1, 1])}, weights=np.array([1.0, 3.0, 1, 1, 1]))
    assert_allclose(e.residual(np.array([4.0, 0.0, 1.0, 2.0, 3.0])), [3.0, -1.0, -1.0, 0.0, 1.0])


def test_a_cluster_with_most_of_the_weight_is_named():
    x = np.column_stack([np.ones(6), [0.0, 1, 0, 1, 0, 1]])
    w = np.array([9.0, 9, 1, 1, 1, 1])
    fit = least_squares(np.arange(6.0), x, ["constant", "d"], weights=w)
    found = vcov.cluster_influence(fit, np.array([0, 0, 1, 1, 2, 2]), "d", ("A", "B", "C"))
    assert_allclose(found.table["leverage"].sum(), 2)
    assert_allclose(found.table["partial_leverage"], [9 / 11, 1 / 11, 1 / 11])
    # G* = 3 / (1 + cv^2): shares 9, 1, 1 have mean 11/3 and variance 128/9
    assert_allclose(found.effective, 3 / (1 + (128 / 9) / (11 / 3) ** 2))
    assert any("Cluster A holds 82% of the weight" in w for w in found.warnings)


def test_refusals():
    fit = least_squares(np.arange(4.0), np.ones((4, 1)), ["constant"])
    with pytest.raises(ModelRefusal, match="one cluster"):
        vcov.covariance(fit, "cr1", np.zeros(4))
    with pytest.raises(ModelRefusal, match="No standard error is called hc9"):
        vcov.covariance(fit, "hc9", np.arange(4))
    one = np.array([[1.0, 1], [1, 0], [1, 0], [1, 0]])
    with pytest.raises(ModelRefusal, match="no jackknife"):
        vcov.cr3(least_squares(np.arange(4.0) ** 2, one, ["constant", "d"]), np.arange(4))
