"""Cost models: equal to statsmodels, to arithmetic by hand, and to the identities that must hold."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose

import medhome
from medhome.study.problems import DataProblem, ModelRefusal, StudyFileError

LOG = sm.families.links.Log()
COVARIATES = ["age", "sex", "program"]


def person_years(seed: int = 3, clusters: int = 40, each: int = 25) -> pd.DataFrame:
    """Persons in practices; cost of users is gamma with a log mean that is linear; some have none."""
    rng = np.random.default_rng([seed, 1])
    practice = np.repeat(np.arange(clusters), each)
    n = len(practice)
    age, sex, program = rng.normal(0, 1, n), rng.choice(["F", "M"], n), practice % 2
    mean = np.exp(5 + 0.3 * age + 0.2 * (sex == "M") - 0.1 * program + rng.normal(0, 0.1, clusters)[practice])
    users = rng.gamma(1.5, mean / 1.5)
    some = rng.random(n) < 1 / (1 + np.exp(-0.8 - 0.4 * age))
    return pd.DataFrame(
        {
            "cost": users * some, "users_cost": users, "age": age, "sex": sex, "program": program,
            "practice": [f"P{k:02d}" for k in practice], "months": rng.integers(1, 13, n).astype(float),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return person_years()


def design(frame: pd.DataFrame) -> np.ndarray:
    return np.column_stack([np.ones(len(frame)), frame["age"], frame["sex"] == "M", frame["program"]]).astype(
        float
    )


def reference(y, x, family, weights, groups):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # statsmodels says that weights with clusters are not fully supported
        model = sm.GLM(y, x, family=family, var_weights=weights)
        fit = model.fit(tol=1e-13, maxiter=300, cov_type="cluster", cov_kwds={"groups": groups})
    return fit.params, fit.bse


@pytest.mark.parametrize(
    ("family", "outcome", "theirs"),
    [
        ("ols", "cost", sm.families.Gaussian()),
        ("poisson", "cost", sm.families.Poisson()),
        ("gamma", "users_cost", sm.families.Gamma(LOG)),
        ("tweedie", "cost", sm.families.Tweedie(LOG, var_power=1.5)),
    ],
)
def test_coefficients_and_cluster_errors_equal_statsmodels(frame, family, outcome, theirs):
    found = medhome.cost_model(
        frame, outcome=outcome, covariates=COVARIATES, family=family, weights="months", cluster="practice",
        tests=False,
    )  # fmt: skip
    params, bse = reference(
        frame[outcome].to_numpy(), design(frame), theirs, frame["months"], pd.factorize(frame["practice"])[0]
    )
    assert list(found.coefficients["name"]) == ["intercept", "age", "sex=M", "program"]
    assert_allclose(found.coefficients["coefficient"], params, rtol=1e-8)
    assert_allclose(found.coefficients["se"], bse, rtol=1e-8)


@pytest.mark.parametrize(("first", "link"), [("logit", "Logit"), ("probit", "Probit")])
def test_two_parts_equal_statsmodels(frame, first, link):
    found = medhome.cost_model(
        frame, outcome="cost", covariates=COVARIATES, family="two-part", first=first, weights="months",
        cluster="practice", tests=False,
    )  # fmt: skip
    x, y, w = design(frame), frame["cost"].to_numpy(), frame["months"].to_numpy()
    groups = pd.factorize(frame["practice"])[0]
    binomial = sm.families.Binomial(getattr(sm.families.links, link)())
    one = reference((y > 0).astype(float), x, binomial, w, groups)
    use = y > 0
    two = reference(y[use], x[use], sm.families.Gamma(LOG), w[use], groups[use])
    assert_allclose(found.coefficients["coefficient"], np.r_[one[0], two[0]], rtol=1e-7)
    assert_allclose(found.coefficients["se"], np.r_[one[1], two[1]], rtol=1e-7)
    share = x @ one[0]
    share = 1 / (1 + np.exp(-share)) if first == "logit" else sm.families.links.Probit().inverse(share)
    assert_allclose(found.mean_predicted, np.average(share * np.exp(x @ two[0]), weights=w), rtol=1e-8)


def test_two_parts_by_hand():
    """A: one of two persons costs 10, so 5; B: two of three cost 30 and 60, so 30 (and 45 among users)."""
    frame = pd.DataFrame({"g": ["A", "A", "B", "B", "B"], "y": [0.0, 10.0, 0.0, 30.0, 60.0]})
    frame = pd.concat([frame] * 3, ignore_index=True)
    found = medhome.cost_model(
        frame, outcome="y", covariates=["g"], family="two-part", recycle=["g"], tests=False
    )
    assert_allclose(
        found.coefficients["coefficient"], [0.0, np.log(2.0), np.log(10.0), np.log(4.5)], atol=1e-9
    )
    row = found.predictions.iloc[0]
    assert row["change"] == "B against A"
    assert_allclose([row["without_change"], row["with_change"], row["effect"]], [5.0, 30.0, 25.0], rtol=1e-9)


@pytest.mark.parametrize("family", ["ols", "poisson", "tweedie", "two-part"])
def test_a_saturated_model_gives_the_weighted_means_of_groups(frame, family):
    """Canonical link or not: with one flag the recycled effect is the difference of the arms' means."""
    found = medhome.cost_model(
        frame, outcome="cost", covariates=["program"], family=family, weights="months", cluster="practice",
        recycle=["program"], tests=False,
    )  # fmt: skip
    means = [np.average(g["cost"], weights=g["months"]) for _, g in frame.groupby("program")]
    row = found.predictions.iloc[0]
    assert_allclose(
        [row["without_change"], row["with_change"], row["effect"]], [*means, means[1] - means[0]], rtol=1e-8
    )


def test_delta_errors_of_a_saturated_model_are_those_of_the_means(frame):
    """With one flag the effect in dollars is linear in two means, so every family has the same error."""
    errors = {}
    for family in ("ols", "poisson", "tweedie", "two-part"):
        found = medhome.cost_model(
            frame, outcome="cost", covariates=["program"], family=family, cluster="practice", tests=False
        )
        errors[family] = found.recycled("program")["se"].iloc[0]
    assert_allclose([errors["poisson"], errors["tweedie"]], errors["ols"], rtol=1e-9)
    assert_allclose(errors["two-part"], errors["ols"], rtol=0.01)  # each part has its own K in the factor


@pytest.mark.parametrize("family", ["ols", "poisson", "two-part"])
def test_bootstrap_agrees_with_the_delta_method_and_repeats(frame, family):
    found = medhome.cost_model(
        frame, outcome="cost", covariates=["age", "program"], family=family, cluster="practice", tests=False
    )
    delta, drawn = found.recycled("program").iloc[0], found.recycled("program", draws=200, seed=4).iloc[0]
    assert_allclose(drawn["effect"], delta["effect"])
    assert_allclose(drawn["se"], delta["se"], rtol=0.2)
    assert drawn["ci_low"] < drawn["effect"] < drawn["ci_high"]
    pd.testing.assert_series_equal(drawn, found.recycled("program", draws=200, seed=4).iloc[0])
    assert found.recycled("program", draws=200, seed=5)["se"].iloc[0] != drawn["se"]


def test_linear_draws_all_at_once_equal_fits_one_by_one(frame):
    from medhome.models.cost_models.design import cost_table
    from medhome.models.cost_models.recycled import _linear

    table = cost_table(frame, outcome="cost", covariates=COVARIATES, weights="months", cluster="practice")
    came = np.random.default_rng([9, 1]).multinomial(40, np.full(40, 1 / 40), size=5)
    found = _linear(table, came, np.array([[0.0, 0.0, 0.0, 1.0]]))[:, 0]
    for effect, times in zip(found, came, strict=True):
        w = table.weights * times[table.cluster]
        assert_allclose(effect, sm.WLS(table.y, table.x, weights=w).fit().params[3], rtol=1e-8)


def test_order_of_rows_does_not_matter(frame):
    shuffled = frame.sample(frac=1.0, random_state=5)
    one, two = (
        medhome.cost_model(
            f, outcome="cost", covariates=COVARIATES, family="poisson", cluster="practice", recycle=["sex"]
        ).to_json()
        for f in (frame, shuffled)
    )
    assert one == two


def panel_of_tests(frame, **kind) -> pd.DataFrame:
    found = medhome.cost_model(frame, cluster="practice", **kind)
    return found.tests.set_index(found.tests["test"].str.split(",").str[0])


def test_the_right_model_passes_and_says_so():
    large = person_years(seed=11, clusters=100, each=60)
    tests = panel_of_tests(large, outcome="users_cost", covariates=COVARIATES, family="gamma")
    park = tests.loc["modified Park"]
    assert park["ci_low"] < 2 < park["ci_high"] and "nearest family is gamma" in park["meaning"]
    assert abs(tests.loc["Copas", "statistic"] - 1) < 0.1
    assert "on the scale of the outcome" in tests.loc["Copas", "meaning"]
    assert (tests.loc[["Pregibon link", "modified Hosmer-Lemeshow"], "p"] > 0.01).all()


def test_a_wrong_link_and_a_wrong_variance_are_found():
    large = person_years(seed=11, clusters=100, each=60)
    tests = panel_of_tests(large, outcome="users_cost", covariates=COVARIATES, family="ols")
    assert tests.loc["Pregibon link", "p"] < 0.01 and "link is wrong" in tests.loc["Pregibon link", "meaning"]
    groups = tests.loc["modified Hosmer-Lemeshow"]
    assert groups["p"] < 0.05 and f"prediction: {groups['largest']:+,.2f} against" in groups["meaning"]
    assert f"a mean of {groups['mean']:,.2f}" in groups["meaning"]
    assert (
        tests.loc["modified Park", "ci_low"] > 0 and "OLS assumes 0" in tests.loc["modified Park", "meaning"]
    )


def test_park_finds_the_power_of_poisson():
    rng = np.random.default_rng([5, 1])
    x = rng.normal(0, 0.7, 6000)
    frame = pd.DataFrame({"y": rng.poisson(np.exp(1 + x)), "x": x, "practice": np.arange(6000) % 100})
    park = panel_of_tests(frame, outcome="y", covariates=["x"], family="poisson").loc["modified Park"]
    assert park["ci_low"] < 1 < park["ci_high"] and park["ci_high"] - park["ci_low"] < 0.6


def test_copas_slope_of_an_overfitted_model_is_below_one():
    rng = np.random.default_rng([6, 1])
    frame = pd.DataFrame(rng.normal(0, 1, (150, 40)), columns=[f"x{k}" for k in range(40)])
    frame["y"], frame["practice"] = 100 + frame["x0"] * 2 + rng.normal(0, 10, 150), np.arange(150)
    tests = panel_of_tests(frame, outcome="y", covariates=[f"x{k}" for k in range(40)], family="ols")
    assert tests.loc["Copas", "statistic"] < 0.6 and "overfitted" in tests.loc["Copas", "meaning"]


def test_pearson_and_hosmer_lemeshow_by_hand():
    """OLS residuals have no correlation with predictions; in a saturated model each group's mean is zero."""
    frame = pd.DataFrame({"y": [1.0, 3.0, 4.0, 6.0] * 10, "d": [0, 0, 1, 1] * 10, "practice": np.arange(40)})
    tests = panel_of_tests(frame, outcome="y", covariates=["d"], family="ols")
    assert tests.loc["Pearson correlation", "statistic"] == 0.0
    assert "saturated" in tests.loc["modified Hosmer-Lemeshow", "meaning"]
    assert "two values only" in tests.loc["Pregibon link", "meaning"]


def test_tweedie_power_is_estimated_and_bounded(frame):
    found = medhome.cost_model(
        frame, outcome="cost", covariates=COVARIATES, family="tweedie", power="estimate", tests=False
    )
    assert 1.01 < found.power < 1.99
    w = medhome.cost_model(
        frame.assign(cost=np.random.default_rng([7, 1]).poisson(np.exp(frame["age"]))),
        outcome="cost", covariates=["age"], family="tweedie", power="estimate", tests=False,
    )  # fmt: skip
    assert w.power < 1.2


def test_negative_cost_is_counted_and_collinear_columns_are_named(frame):
    frame = frame.assign(months2=frame["months"] * 2, one=7.0)
    frame.loc[[3, 8], "cost"] = [-20.0, -1.5]
    covariates = ["age", "months", "months2", "one"]
    found = medhome.cost_model(frame, outcome="cost", covariates=covariates, family="poisson", tests=False)
    assert (found.negative_set_to_zero, found.negative_sum) == (2, -21.5)
    assert any("2 negative outcomes, together -21.50" in w for w in found.warnings)
    assert any("months2, one" in w for w in found.warnings)
    linear = medhome.cost_model(frame, outcome="cost", covariates=covariates, family="ols", tests=False)
    assert linear.negative_set_to_zero == 0 and linear.mean_actual < found.mean_actual
    with pytest.raises(ModelRefusal, match="months2 was left out"):
        found.recycled("months2")


def test_reference_levels(frame):
    frame = frame.assign(year=np.arange(len(frame)) % 3 + 2009)
    found = medhome.cost_model(
        frame, outcome="cost", covariates=["sex", "year"], categorical=["year"], reference={"year": "2010"},
        recycle=["year"], tests=False,
    )  # fmt: skip
    assert found.references == {"sex": "F", "year": "2010"}
    assert list(found.predictions["change"]) == ["2009 against 2010", "2011 against 2010"]


@pytest.mark.parametrize(
    ("change", "kind", "problem", "words"),
    [
        ({"cost": np.nan}, {}, DataProblem, "column 'cost' is empty in 1,000 rows"),
        ({"age": "old"}, {"covariates": ["sex"], "outcome": "age"}, DataProblem, "'age', row 1: 'old'"),
        ({"months": 0.0}, {}, DataProblem, "'months', row 1: a weight must be above zero"),
        ({"age": np.inf}, {}, DataProblem, "is no finite number"),
        ({}, {"covariates": ["aged"]}, DataProblem, "no column 'aged'"),
        ({"sex": [f"k{k}" for k in range(1000)]}, {}, DataProblem, "1,000 levels"),
        ({}, {"family": "log"}, StudyFileError, "no family 'log'"),
        ({}, {"family": "gamma"}, ModelRefusal, "gamma has no zeros"),
        ({"cost": 5.0}, {"family": "two-part"}, ModelRefusal, "every outcome is above zero"),
        ({"cost": 0.0}, {"family": "poisson"}, ModelRefusal, "every outcome is zero"),
        ({"cost": 5.0}, {}, ModelRefusal, "without variation"),
        ({"practice": "one"}, {}, ModelRefusal, "one cluster"),
        ({}, {"power": 2.5}, StudyFileError, "between 1 and 2"),
        ({}, {"recycle": ["age2"]}, StudyFileError, "age2 is no covariate"),
        ({}, {"recycle": ["age"], "draws": 3}, StudyFileError, "3 bootstrap draws"),
        ({}, {"reference": {"sex": "X"}}, StudyFileError, "no level 'X'"),
    ],
)
def test_what_cannot_be_answered_is_said(frame, change, kind, problem, words):
    chosen = {"outcome": "cost", "covariates": COVARIATES, "weights": "months", "cluster": "practice"} | kind
    with pytest.raises(problem, match=words):
        medhome.cost_model(frame.assign(**change), **chosen)


@pytest.mark.parametrize("family", ["poisson", "two-part"])
def test_separation_is_refused_by_name(frame, family):
    apart = frame.assign(flag=(np.arange(len(frame)) % 10 == 0).astype(int))
    apart.loc[apart["flag"] == 1, "cost"] = 0.0
    with pytest.raises(ModelRefusal, match=r"flag.*separation"):
        medhome.cost_model(apart, outcome="cost", covariates=["age", "flag"], family=family, tests=False)
