"""Two-way fixed effects from cells: equal to regressions on rows, and to values computed with R's fixest."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from linearmodels.panel import PanelOLS
from member_months import ZERO, cells_of, member_months, pairs_of
from numpy.testing import assert_allclose

from medhome.models.inference.member_covariance import member_covariance
from medhome.models.twfe import twfe
from medhome.study.cells import Cells
from medhome.study.problems import ModelRefusal

START = ZERO + 6


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return member_months(5, organizations=5, members=12, months=10, effect_usd=-20.0, treated=2)


def on_rows(rows: pd.DataFrame, level: str) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of treatment and expected cost and their sandwich (no factor), from dummies."""
    effect = ((rows["arm"] == "treated") & (rows["month"] >= START)).to_numpy(float)
    dummies = pd.get_dummies(rows["practice_id"]).join(pd.get_dummies(rows["month"]).iloc[:, 1:])
    X = np.column_stack([effect, rows["expected"] / 100, dummies.to_numpy(float)])
    fit = sm.OLS(rows["allowed_capped"].to_numpy() / 100, X).fit(
        cov_type="cluster", cov_kwds={"groups": pd.factorize(rows[level])[0], "use_correction": False}
    )
    return fit.params[:2], fit.cov_params()[:2, :2]


def test_equals_statsmodels_on_member_months(rows):
    fit = twfe(cells_of(rows), "allowed_capped", first_post=START)
    for level, column in (("practice", "practice_id"), ("organization", "organization_id")):
        params, raw = on_rows(rows, column)
        assert_allclose([fit.coefficients[0], fit.slopes[0]], params, rtol=1e-9)
        G, N, K = rows[column].nunique(), len(rows), 2 + 10
        assert_allclose(fit.covariance[level][0, 0], raw[0, 0] * G / (G - 1) * (N - 1) / (N - K), rtol=1e-9)
        assert fit.test(level).df == G - 1


def test_equals_linearmodels_with_member_effects_absent(rows):
    data = rows.assign(
        y=rows["allowed_capped"] / 100,
        x=rows["expected"] / 100,
        row=np.arange(len(rows)),
        d=((rows["arm"] == "treated") & (rows["month"] >= START)).astype(float),
    )
    data = data.set_index(["row", "month"])
    effects = pd.DataFrame(
        {
            "practice": data["practice_id"].astype("category"),
            "month": pd.Categorical(data.index.get_level_values(1)),
        },
        index=data.index,
    )
    fit = PanelOLS(data["y"], data[["d", "x"]], other_effects=effects).fit()
    found = twfe(cells_of(rows), "allowed_capped", first_post=START)
    assert_allclose([found.coefficients[0], found.slopes[0]], fit.params, rtol=1e-9)


def test_equals_fixest(shared_data):
    """base_did of R's fixest 0.14.2, y ~ x1 + treat:post | id + period, clustered by id; 1080 rows."""
    golden = {
        g["id"]: g
        for g in json.loads((shared_data.parent / "design" / "did-golden.json").read_text(encoding="utf-8"))[
            "golden"
        ]
    }
    data = pd.read_csv(shared_data / "did_reference" / "base_did.csv.gz")
    one = 10**13
    y, x = ([round(v * one) for v in data[c]] for c in ("y", "x1"))
    frame = pd.DataFrame(
        {
            "organization_id": data["id"].astype(str),
            "practice_id": data["id"].astype(str),
            "stratum": "all",
            "arm": np.where(data["treat"] == 1, "treated", "comparison"),
            "month": data["period"],
            "rows": 1,
            "w": 1000,
            "w*y": pd.Series([1000 * v for v in y], dtype=object),
            "w*x1": pd.Series([1000 * v for v in x], dtype=object),
            "w*x1*x1": pd.Series([1000 * v * v for v in x], dtype=object),
            "w*x1*y": pd.Series([1000 * a * b for a, b in zip(x, y, strict=True)], dtype=object),
        }
    )
    cells = Cells(scales={"y": one, "x1": one}, frame=frame)
    expected = golden["twfe_base_did"]["values"]["cl_id"]
    fit = twfe(cells, "y", ("x1",), first_post=6)
    assert_allclose(
        [fit.coefficients[0], fit.slopes[0]],
        [expected["treat:post"]["est"], expected["x1"]["est"]],
        rtol=1e-9,
    )
    assert_allclose(fit.test("practice").se, expected["treat:post"]["se"], rtol=1e-9)

    study = golden["es_base_did"]["values"]["coef"]
    profiles = {f"period::{m}:treat": (np.arange(1, 11) == m).astype(float) for m in range(1, 11) if m != 5}
    events = twfe(cells, "y", ("x1",), first_post=6, profiles=profiles)
    assert_allclose(events.coefficients, [study[n]["est"] for n in events.names], rtol=1e-9)
    assert_allclose(
        [events.test("practice", k).se for k in range(9)], [study[n]["se"] for n in events.names], rtol=1e-9
    )


def test_weights_give_the_coefficients_from_cell_means(rows):
    profiles = {
        "early": np.isin(np.arange(10), (6, 7)).astype(float),
        "late": np.isin(np.arange(10), (8, 9)) * 1.0,
    }
    for fit in (
        twfe(cells_of(rows), "allowed_capped", first_post=START),
        twfe(cells_of(rows), "allowed_capped", first_post=START, profiles=profiles),
    ):
        assert_allclose((fit.weights * fit.adjusted).sum((1, 2)), fit.coefficients, rtol=1e-9)
        # They ignore anything that practice and month effects hold, and see the effect itself as it is.
        assert_allclose(fit.weights.sum(1), 0, atol=1e-12)
        assert_allclose(fit.weights.sum(2), 0, atol=1e-12)


def test_equal_weights_within_an_organisation_make_the_organisation_panel_exact():
    """In a balanced panel a practice weighs as its members do: organisations suffice."""
    rows = member_months(7, organizations=5, members=8, months=8, stay=1.1)
    fit = twfe(cells_of(rows), "allowed_capped", first_post=START)
    panel = fit.panel
    members = panel.by_organization(panel.members)
    y = panel.by_organization(panel.members * fit.adjusted) / members
    assert_allclose((panel.by_organization(fit.weights[0]) * y).sum(), fit.coefficients[0], rtol=1e-9)
    covariance = member_covariance(pairs_of(rows), panel.months).matrix
    scaled = panel.by_organization(fit.weights[0]) / np.sqrt(members)
    assert_allclose(
        fit.sampling_variance(covariance), np.einsum("jt,ts,js", scaled, covariance, scaled), rtol=1e-9
    )


def test_drifting_practices_make_the_practice_weights_matter(rows):
    fit = twfe(cells_of(rows), "allowed_capped", first_post=START)
    members = fit.panel.by_organization(fit.panel.members)
    y = fit.panel.by_organization(fit.panel.members * fit.adjusted) / members
    by_organization = (fit.panel.by_organization(fit.weights[0]) * y).sum()
    assert abs(by_organization - fit.coefficients[0]) > 1e-6


def test_invariances(rows):
    base = twfe(cells_of(rows), "allowed_capped", first_post=START)
    shuffled = rows.sample(frac=1, random_state=3)
    assert np.array_equal(
        twfe(cells_of(shuffled), "allowed_capped", first_post=START).coefficients, base.coefficients
    )
    level = pd.factorize(rows["practice_id"])[0] * 5000 + (rows["month"] - ZERO) * 777
    moved = twfe(
        cells_of(rows.assign(allowed_capped=rows["allowed_capped"] + level)),
        "allowed_capped",
        first_post=START,
    )
    assert_allclose(moved.coefficients, base.coefficients, rtol=1e-9)
    assert_allclose(moved.covariance["practice"], base.covariance["practice"], rtol=1e-8)


def test_practices_named_alike_in_two_organisations_are_two(rows):
    base = twfe(cells_of(rows), "allowed_capped", first_post=START)
    alike = rows.assign(practice_id=rows["practice_id"].str.split("-").str[1])
    found = twfe(cells_of(alike), "allowed_capped", first_post=START)
    assert len(found.panel.practices) == len(base.panel.practices)
    assert_allclose(found.coefficients, base.coefficients, rtol=1e-12)


def test_an_organisation_in_both_arms_is_two_clusters(rows):
    mixed = rows.assign(organization_id=rows["organization_id"].replace({"O0": "O4"}))
    panel = twfe(cells_of(mixed), "allowed_capped", first_post=START).panel
    assert panel.organizations == (
        "O1\x1ftreated",
        "O2\x1fcomparison",
        "O3\x1fcomparison",
        "O4\x1fcomparison",
        "O4\x1ftreated",
    )
    assert panel.organization_treated.tolist() == [True, False, False, False, True]


def test_a_covariate_without_variation_is_left_out_and_named(rows):
    fit = twfe(cells_of(rows.assign(expected=30_000)), "allowed_capped", first_post=START)
    assert fit.dropped == ("expected",)
    assert_allclose(
        fit.coefficients,
        twfe(cells_of(rows), "allowed_capped", (), first_post=START).coefficients,
        rtol=1e-12,
    )


def test_refusals(rows):
    cells = cells_of(rows)
    with pytest.raises(ModelRefusal, match="the comparison arm has no member-months"):
        twfe(cells.where(cells.frame["arm"] == "treated"), "allowed_capped", first_post=START)
    with pytest.raises(ModelRefusal, match="before and after the start"):
        twfe(cells, "allowed_capped", first_post=ZERO)
    half = np.isin(np.arange(10), (6, 7)) * 1.0
    with pytest.raises(ModelRefusal, match="collinear"):
        twfe(cells, "allowed_capped", first_post=START, profiles={"one": half, "two": 2 * half})
    both = rows.assign(arm=np.where(rows["month"] >= START, "treated", rows["arm"]))
    with pytest.raises(ModelRefusal, match="is in both arms"):
        twfe(cells_of(both), "allowed_capped", first_post=START)
    with pytest.raises(ModelRefusal, match="no moment"):
        twfe(cells, "allowed_capped", ("paid",), first_post=START)


def test_clusters_are_worth_what_they_carry():
    """One treated and two alike: residuals 2/3, 1/3, 1/3, squares 4, 1, 1 of 6, worth 3 / (1 + 1/2) = 2."""
    frame = pd.DataFrame(
        [
            (o, o, "treated" if o == "A" else "comparison", "adults", t, 2, 2000, 100 * v)
            for o, costs in (("A", (5, 1)), ("B", (2, 3)), ("C", (4, 4)))
            for t, v in enumerate(costs)
        ],
        columns=["organization_id", "practice_id", "arm", "stratum", "month", "rows", "w", "w*cost"],
    )
    fit = twfe(Cells(scales={"cost": 100}, frame=frame), "cost", (), first_post=1)
    for level in ("practice", "organization"):
        assert_allclose(fit.influence(level), (2.0, 4 / 6))
