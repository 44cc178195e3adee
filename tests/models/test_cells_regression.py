"""Regressions on cells against the same regressions on the rows, by statsmodels and linearmodels."""

import ibis
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from linearmodels.iv import AbsorbingLS
from numpy.testing import assert_allclose

from medhome.models.cell_moments import CellMoments, Term
from medhome.models.cells_profiles import event_name, event_study, event_terms, subgroups
from medhome.models.cells_regression import regress
from medhome.models.cells_resampling import bootstrap, leave_one_out
from medhome.models.twfe import twfe
from medhome.study.cells import Cells
from medhome.study.problems import ModelRefusal
from medhome.tables.moments import collapse, collapse_members

pytestmark = pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient")

KEYS = ("practice", "area", "month", "arm", "wave", "stratum")
SCALES = {"cost": 100, "risk": 1000, "share": 10}


def _rows(n=3000, practices=14, months=6):
    rng = np.random.default_rng([5, 1])
    practice = rng.integers(0, practices, n)
    month = rng.integers(0, months, n)
    arm = (practice % 3 == 0).astype(int)
    age = rng.integers(0, 80, n)
    risk = np.round(rng.gamma(2, 0.5, n) + 0.004 * age, 3)
    cost = 50 + 3 * age + 80 * risk + 9 * practice + 4 * month - 20 * arm * (month >= 3)
    frame = pd.DataFrame(
        {
            "practice": practice, "area": practice % 4, "month": month, "arm": arm,
            "wave": np.where(arm == 1, 3 + practice % 2, 0), "stratum": rng.integers(0, 2, n),
            "age": age, "risk": risk, "share": np.round(rng.uniform(0.1, 1, n), 1),
            "cost": np.round(cost * rng.gamma(1, 1, n) + rng.normal(0, 20, practices)[practice], 2),
        }
    )  # fmt: skip
    # Unbalanced: one practice starts late.
    return frame[~((frame["practice"] == 4) & (frame["month"] < 2))].reset_index(drop=True)


ROWS = _rows()


def _cells(weights=None, rows=ROWS):
    return collapse(ibis.memtable(rows), KEYS, ["cost"], ["age", "risk"], weights, scales=SCALES)


def _treat(keys):
    return ((keys["arm"] == 1) & (keys["month"] >= 3)).to_numpy(dtype=float)


def _dummies(frame, *keys):
    return pd.get_dummies(frame[list(keys)].astype(str).agg("-".join, axis=1), dtype=float).to_numpy()


def _on_rows(frame, columns, effects, cluster, weights=None):
    """Coefficients and CR1 by the named rule, from dummies of every level, with statsmodels."""
    X = np.column_stack([*columns, *(_dummies(frame, *e) for e in effects)])
    weight = np.ones(len(frame)) if weights is None else frame[weights].to_numpy()
    code = frame.groupby(list(cluster)).ngroup().to_numpy()
    fit = sm.WLS(frame["cost"].to_numpy(), X, weights=weight).fit(method="pinv")
    K = len(columns)
    robust = sm.stats.sandwich_covariance.cov_cluster(fit, code, use_correction=False)[:K, :K]
    free = 0
    for e in effects:
        level = frame.groupby(list(e)).ngroup().to_numpy()
        if pd.DataFrame({"e": level, "g": code}).drop_duplicates()["e"].duplicated().any():
            free += len(np.unique(level)) - 1
    N, G = len(frame), len(np.unique(code))
    factor = G / (G - 1) * (N - 1) / (N - (K + 1 + free))
    return fit.params[:K], np.sqrt(factor * np.diag(robust))


@pytest.mark.parametrize("weights", [None, "share"])
@pytest.mark.parametrize(
    ("effects", "cluster"),
    [
        ((("practice",), ("month",)), ("practice",)),
        ((("practice",), ("month",)), ("area",)),
        ((("practice",), ("area", "month")), ("practice",)),
        ((("practice",), ("area", "month"), ("wave", "stratum")), ("area",)),
        ((("wave",), ("month",)), ("practice",)),
        ((), ("practice",)),
    ],
)
def test_equal_to_least_squares_on_rows(effects, cluster, weights):
    cells = _cells(weights)
    treat = Term(name="treat", factor=_treat(cells.frame))
    fit = regress(cells, "cost", [treat, "age", "risk"], effects=effects, cluster=cluster)
    columns = [_treat(ROWS), ROWS["age"], ROWS["risk"]]
    named = effects or (("constant",),)
    rows = ROWS.assign(constant=1)
    beta, se = _on_rows(rows, columns, named, cluster, weights)
    assert_allclose(fit.coefficients, beta, rtol=1e-9)
    assert_allclose(fit.se, se, rtol=1e-9)
    assert fit.rows == len(ROWS) and fit.names == ("treat", "age", "risk")


def test_equal_to_linearmodels():
    cells = _cells()
    fit = regress(cells, "cost", [Term(name="treat", factor=_treat(cells.frame)), "age", "risk"],
                  effects=("practice", "month"), cluster="practice")  # fmt: skip
    X = pd.DataFrame({"treat": _treat(ROWS), "age": ROWS["age"], "risk": ROWS["risk"]})
    absorbed = ROWS[["practice", "month"]].astype("category")
    other = AbsorbingLS(ROWS["cost"], X, absorb=absorbed).fit(
        cov_type="clustered", clusters=ROWS["practice"], debiased=False
    )
    assert_allclose(fit.coefficients, other.params, rtol=1e-9)
    G, N = 14, len(ROWS)
    factor = G / (G - 1) * (N - 1) / (N - fit.parameters)
    assert fit.parameters == 3 + 6, "slopes and months; practices are nested in the clusters"
    assert_allclose(fit.se / np.sqrt(factor), other.std_errors, rtol=1e-9)


def test_a_slope_of_its_own_in_one_arm_and_covariates_by_month_are_exact():
    cells = _cells()
    frame = cells.frame
    terms = [
        Term(name="treat", factor=_treat(frame)), "risk",
        Term(name="risk of arm", factor=frame["arm"].to_numpy(dtype=float), variable="risk"),
        Term(name="age late", factor=(frame["month"] >= 3).to_numpy(dtype=float), variable="age"),
    ]  # fmt: skip
    fit = regress(cells, "cost", terms, effects=("practice", "month"), cluster="practice")
    columns = [_treat(ROWS), ROWS["risk"], ROWS["arm"] * ROWS["risk"], (ROWS["month"] >= 3) * ROWS["age"]]
    beta, se = _on_rows(ROWS, columns, (("practice",), ("month",)), ("practice",))
    assert_allclose(fit.coefficients, beta, rtol=1e-9)
    assert_allclose(fit.se, se, rtol=1e-9)


def test_any_subset_of_moments_is_the_subset_of_rows():
    moments = CellMoments.of(_cells(), ["cost", "age", "risk"])
    part = moments.where((moments.keys["stratum"] == 1) & (moments.keys["area"] != 2))
    rows = ROWS[(ROWS["stratum"] == 1) & (ROWS["area"] != 2)]
    fit = regress(part, "cost", [Term(name="treat", factor=_treat(part.keys)), "age"],
                  effects=("practice", "month"), cluster="practice")  # fmt: skip
    beta, se = _on_rows(rows, [_treat(rows), rows["age"]], (("practice",), ("month",)), ("practice",))
    assert_allclose(fit.coefficients, beta, rtol=1e-9)
    assert_allclose(fit.se, se, rtol=1e-9)


def test_reweighting_cells_is_weighting_rows():
    cells = _cells()
    by_area = np.array([1.0, 0.5, 2.25, 0.125])
    rows = ROWS.assign(share=by_area[ROWS["area"]])
    exact = cells.reweighted(by_area[cells.frame["area"]])
    moments = CellMoments.of(cells, ["cost", "age"]).reweighted(by_area[cells.frame["area"]])
    beta, se = _on_rows(
        rows, [_treat(rows), rows["age"]], (("practice",), ("month",)), ("practice",), "share"
    )
    for data, keys in ((exact, exact.frame), (moments, moments.keys)):
        fit = regress(data, "cost", [Term(name="treat", factor=_treat(keys)), "age"],
                      effects=("practice", "month"), cluster="practice")  # fmt: skip
        assert_allclose(fit.coefficients, beta, rtol=1e-9)
        assert_allclose(fit.se, se, rtol=1e-9)


def _two_way(cells=None, cluster="practice", effects=("practice", "month")):
    cells = _cells() if cells is None else cells
    keys = cells.keys if isinstance(cells, CellMoments) else cells.frame
    return regress(cells, "cost", [Term(name="treat", factor=_treat(keys)), "age"],
                   effects=effects, cluster=cluster)  # fmt: skip


@pytest.mark.parametrize(
    "effects", [("practice", "month"), ("practice", ("area", "month")), ("wave", "month")]
)
def test_leaving_out_a_cluster_is_leaving_out_its_rows(effects):
    fit = _two_way(effects=effects)
    found = leave_one_out(fit)
    for g, label in enumerate(fit.cluster_labels):
        rest = ROWS[ROWS["practice"] != int(label)]
        one = _two_way(_cells(rows=rest), effects=effects)
        assert_allclose(found[g], one.coefficients, rtol=1e-8)


@pytest.mark.parametrize("cluster", ["practice", "area"])
def test_a_bootstrap_draw_counts_a_cluster_as_often_as_it_was_drawn(cluster):
    fit = _two_way(cluster=cluster)
    draws = bootstrap(fit, draws=60, seed=4)
    G = fit.clusters
    counts = np.random.default_rng([4, 21]).multinomial(G, np.full(G, 1 / G), size=60)
    assert (counts > 1).any()
    for r in (0, 7, 31):
        times = dict(zip(map(int, fit.cluster_labels), counts[r], strict=True))
        rows = ROWS.loc[ROWS.index.repeat(ROWS[cluster].map(times))]
        columns = [_treat(rows), rows["age"]]
        if np.isfinite(draws[r]).all():
            beta, _se = _on_rows(rows, columns, (("practice",), ("month",)), (cluster,))
            assert_allclose(draws[r], beta, rtol=1e-8)
    assert np.isfinite(draws).all(axis=1).sum() > 40
    assert_allclose(bootstrap(fit, draws=60, seed=4), draws, rtol=0)
    assert not np.allclose(bootstrap(fit, draws=60, seed=5), draws, equal_nan=True)


def test_without_the_only_treated_cluster_there_is_no_estimate():
    rows = ROWS[(ROWS["arm"] == 0) | (ROWS["practice"] == 3)]
    fit = _two_way(_cells(rows=rows))
    alone = fit.cluster_labels.index("3")
    found = leave_one_out(fit)
    assert np.isnan(found[alone]).all() and np.isfinite(np.delete(found, alone, 0)).all()


def test_equal_to_the_older_two_way_fit():
    named = ROWS.assign(
        organization_id="O" + ROWS["practice"].astype(str), practice_id="P" + ROWS["practice"].astype(str),
        arm=np.where(ROWS["arm"] == 1, "treated", "comparison"), stratum="adults",
    )  # fmt: skip
    cells = collapse(ibis.memtable(named), ["organization_id", "practice_id", "arm", "stratum", "month"],
                     ["cost"], ["age", "risk"], scales=SCALES)  # fmt: skip
    older = twfe(cells, "cost", ["age", "risk"], first_post=3)
    treat = Term(name="treat", factor=((cells.frame["arm"] == "treated") & (cells.frame["month"] >= 3))
                 .to_numpy(dtype=float))  # fmt: skip
    fit = regress(cells, "cost", [treat, "age", "risk"])
    assert_allclose(fit["treat"], older.coefficients[0], rtol=1e-10)
    assert_allclose(fit.test("treat").se, older.test("practice").se, rtol=1e-10)
    estimate = fit.estimate("treat")
    assert_allclose(estimate.ci, older.test("practice").ci95, rtol=1e-9)
    assert estimate.clusters == 14 and estimate.units == 14 and estimate.table["term"].iloc[0] == "treat"


def _members(balanced):
    rng = np.random.default_rng([5, 2])
    people, months = 120, 7
    person, month = (a.ravel() for a in np.meshgrid(np.arange(people), np.arange(months), indexing="ij"))
    if not balanced:
        start, end = rng.integers(0, 4, people), rng.integers(3, 8, people)
        gap = (person % 11 == 0) & (month == 3)
        seen = (month >= start[person]) & (month < end[person]) & ~gap
        person, month = person[seen], month[seen]
    practice = person % 9
    risk = np.round(rng.gamma(2, 0.5, len(person)), 3)
    own = rng.normal(0, 50, people)[person]
    arm = (practice % 3 == 0).astype(int)
    cost = 100 + own + 70 * risk + 3 * month - 15 * arm * (month >= 3) + rng.normal(0, 30, len(person))
    return pd.DataFrame(
        {"person": person, "practice": practice, "arm": arm, "month": month, "risk": risk,
         "cost": np.round(cost, 2)}
    )  # fmt: skip


@pytest.mark.parametrize("balanced", [True, False])
def test_member_effects_balanced_or_not(balanced):
    rows = _members(balanced)
    cells = collapse_members(ibis.memtable(rows), "person", "month", ["practice", "arm"], ["cost"], ["risk"],
                             scales=SCALES)  # fmt: skip
    moments = CellMoments.of_members(cells, ["cost", "risk"])
    fit = regress(moments, "cost", [Term(name="treat", factor=_treat(moments.keys)), "risk"],
                  effects=("member", "month"), cluster="practice")  # fmt: skip
    beta, se = _on_rows(rows, [_treat(rows), rows["risk"]], (("person",), ("month",)), ("practice",))
    assert_allclose(fit.coefficients, beta, rtol=1e-9)
    assert_allclose(fit.se, se, rtol=1e-9)
    without = leave_one_out(fit)[2]
    rest = rows[rows["practice"] != 2]
    beta, _se = _on_rows(rest, [_treat(rest), rest["risk"]], (("person",), ("month",)), ("practice",))
    assert_allclose(without, beta, rtol=1e-8)


def test_member_effects_need_patterns_and_patterns_need_member_effects():
    with pytest.raises(ModelRefusal, match="need cells of patterns"):
        CellMoments.of_members(_cells(), ["cost"])
    with pytest.raises(ModelRefusal, match="exactly when"):
        _two_way(CellMoments.of(_cells(), ["cost", "age"]), effects=("member", "month"))


def test_refusals_name_what_is_wrong():
    cells = _cells()
    always = Term(name="arm", factor=(cells.frame["arm"] == 1).to_numpy(dtype=float))
    with pytest.raises(ModelRefusal, match="'arm' cannot be told from the effects"):
        regress(cells, "cost", [always], effects=("practice", "month"), cluster="practice")
    with pytest.raises(ModelRefusal, match="no variable 'height'"):
        regress(cells, "cost", ["height"], effects=("practice",), cluster="practice")
    with pytest.raises(ModelRefusal, match="'clinic' is not a key"):
        regress(cells, "cost", ["age"], effects=("clinic",), cluster="practice")
    with pytest.raises(ModelRefusal, match="at least two clusters"):
        _two_way(
            cells.where(cells.frame["practice"] == 3).relabel(one=1), cluster="one", effects=("stratum",)
        )
    with pytest.raises(ModelRefusal, match="is empty"):
        _two_way(cells.where(cells.frame["practice"] == 99))
    with pytest.raises(ModelRefusal, match="3 numbers for"):
        regress(cells, "cost", [Term(name="treat", factor=np.ones(3))], effects=(), cluster="practice")


def test_a_covariate_that_the_effects_explain_is_left_out_by_name():
    rows = ROWS.assign(age=ROWS["practice"] * 2, risk=ROWS["risk"])
    cells = _cells(rows=rows)
    fit = regress(cells, "cost", [Term(name="treat", factor=_treat(cells.frame)), "age", "risk"],
                  effects=("practice", "month"), cluster="practice")  # fmt: skip
    assert fit.names == ("treat", "risk") and fit.dropped == ("age",)
    assert "age was left out" in fit.estimate("treat").warnings[0]
    with pytest.raises(ModelRefusal, match="'age' was left out as collinear"):
        fit["age"]


def test_event_study_is_that_on_rows():
    moments = CellMoments.of(_cells(), ["cost", "age"])
    time = np.where(moments.keys["arm"] == 1, moments.keys["month"] - 3.0, np.nan)
    fit = event_study(moments, "cost", time, ["age"], effects=("practice", "month"), cluster="practice")
    on_rows = np.where(ROWS["arm"] == 1, ROWS["month"] - 3, 99)
    columns = [(on_rows == t).astype(float) for t in (-3, -2, 0, 1, 2)]
    beta, se = _on_rows(ROWS, [*columns, ROWS["age"]], (("practice",), ("month",)), ("practice",))
    assert fit.names == ("event -3", "event -2", "event +0", "event +1", "event +2", "age")
    assert_allclose(fit.coefficients, beta, rtol=1e-9)
    assert_allclose(fit.se, se, rtol=1e-9)
    test = fit.joint([event_name(-3), event_name(-2)])
    V = fit.covariance[:2, :2]
    assert_allclose(test.statistic, beta[:2] @ np.linalg.inv(V) @ beta[:2] / 2)
    assert (test.df1, test.df2) == (2, 13) and 0 < test.p < 1
    with pytest.raises(ModelRefusal, match="no treated cell at event time -9"):
        event_terms(time, reference=-9)


def test_subgroups_are_fitted_on_their_own_rows():
    moments = CellMoments.of(_cells(), ["cost", "age"])
    term = Term(name="treat", factor=_treat(moments.keys))
    found = subgroups(moments, "cost", term, "stratum", ["age"], effects=("practice", "month"),
                      cluster="practice")  # fmt: skip
    for stratum, row in found.set_index("stratum").iterrows():
        rows = ROWS[ROWS["stratum"] == stratum]
        beta, se = _on_rows(rows, [_treat(rows), rows["age"]], (("practice",), ("month",)), ("practice",))
        assert_allclose([row["estimate"], row["se"]], [beta[0], se[0]], rtol=1e-9)
    refused = subgroups(moments, "cost", term, "arm", effects=("practice", "month"), cluster="practice")
    assert refused["estimate"].isna().all()
    assert refused["refused"].str.contains("cannot be told from the effects").all()


def test_adding_a_number_to_every_cost_moves_nothing():
    cells, moved = _cells(), _cells(rows=ROWS.assign(cost=ROWS["cost"] + 1_000_000))
    assert isinstance(cells, Cells)
    assert_allclose(_two_way(moved).coefficients, _two_way(cells).coefficients, rtol=1e-8)
    assert_allclose(_two_way(moved).se, _two_way(cells).se, rtol=1e-8)
