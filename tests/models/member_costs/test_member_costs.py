"""Cost models of a study's members: identities, folds, effects, ratios, and what is said where none fits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose

from medhome.models.accuracy import accuracy
from medhome.models.member_costs import panel
from medhome.models.member_costs.describe import describe
from medhome.models.member_costs.members import joined, members_of
from medhome.study.cells import Rows
from medhome.study.cost_model_choices import CostModelChoices
from medhome.study.period_choices import Periods
from medhome.study.spec import Disclosure, Program, Risk, StudySpec

TERMS = {
    "age_sex:F0-17": "Girls",
    "age_sex:F18-64": "Women",
    "age_sex:M0-17": "Boys",
    "age_sex:M18-64": "Men",
    "condition:diabetes": "Diabetes",
    "condition:asthma": "Asthma",
}


def study(**choices) -> StudySpec:
    return StudySpec(
        id="small",
        title="Small",
        seed=7,
        paid_through="2010-12",
        program=Program(name="None"),
        periods=Periods(
            baseline_first="2007-06", baseline_last="2008-05", start="2008-06", through="2009-05"
        ),
        risk=Risk(min_members_per_term=5),
        cost_models=CostModelChoices(**{"draws": 60, "folds": 3, **choices}),
    )


def world(members: int = 1_600, seed: int = 11, effect: float = 0.0) -> Rows:
    """Adults and children of 16 practices, a quarter in the program, for two periods; a fifth has no cost."""
    rng = np.random.default_rng([seed, 1])
    practice = rng.integers(0, 16, members)
    child, female = rng.random(members) < 0.4, rng.random(members) < 0.5
    sick = {name: rng.random(members) < 0.25 for name in ("diabetes", "asthma")}
    frame = pd.DataFrame({
        "organization_id": [f"O{p // 4}" for p in practice], "practice_id": [f"P{p:02d}" for p in practice],
        "arm": np.where(practice < 4, "treated", "comparison"),
        "stratum": np.where(child, "children", "adults"),
    })  # fmt: skip
    for sex, own in (("F", female), ("M", ~female)):
        frame[f"age_sex:{sex}0-17"] = (own & child).astype(int)
        frame[f"age_sex:{sex}18-64"] = (own & ~child).astype(int)
    for name, own in sick.items():
        frame[f"condition:{name}"] = own.astype(int)
    periods = []
    for period in ("baseline", "performance"):
        mean = np.exp(5 - 0.7 * child + 0.8 * sick["diabetes"] + 0.3 * sick["asthma"])
        mean = mean * (1 + effect * ((practice < 4) & (period == "performance")))
        months = rng.integers(1, 13, members)
        cost = rng.gamma(1.5, mean / 1.5) * (rng.random(members) < 0.8) * months
        cents = (cost * 100).astype(int)
        periods.append(
            frame.assign(
                period=period, w=months * 1000, allowed=cents, allowed_capped=np.minimum(cents, 500_000)
            )
        )
    return Rows(frame=pd.concat(periods, ignore_index=True), terms=TERMS)


@pytest.fixture(scope="module")
def rows() -> Rows:
    return world()


@pytest.fixture(scope="module")
def found(rows):
    return describe(rows, study(), {})


def only(frame: pd.DataFrame, **keys) -> pd.Series:
    chosen = frame
    for name, value in keys.items():
        chosen = chosen[chosen[name] == value]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_expected_equals_actual_on_the_rows_fitted_on_where_the_link_is_canonical(rows, found):
    base = rows.frame[(rows.frame["arm"] == "comparison") & (rows.frame["period"] == "baseline")]
    for stratum in ("adults", "children"):
        own = base[base["stratum"] == stratum]
        actual = own["allowed_capped"].sum() / 100 / (own["w"].sum() / 1000)
        for family in ("ols", "poisson"):
            row = only(found.identity, family=family, stratum=stratum)
            assert_allclose([row["actual"], row["expected"]], actual, rtol=1e-9)
            assert abs(row["gap_share"]) < 1e-9
        users = only(found.identity, family="two-part", stratum=stratum, part="any cost")
        some = np.average(own["allowed_capped"] > 0, weights=own["w"])
        assert_allclose([users["actual"], users["expected"]], some, rtol=1e-9)
        other = only(found.identity, family="tweedie", stratum=stratum)
        assert other["gap"] == other["expected"] - other["actual"] and abs(other["gap_share"]) > 1e-7


def test_the_gap_to_actual_with_the_program_is_none_where_the_link_is_canonical(rows, found):
    after = rows.frame[(rows.frame["arm"] == "treated") & (rows.frame["period"] == "performance")]
    actual = after["allowed_capped"].sum() / 100 / (after["w"].sum() / 1000)
    effects = found.effects[found.effects["stratum"] == "all"].set_index("family")
    for family in ("ols", "poisson"):
        assert effects.loc[family, "gap_pmpm"] == 0
        assert_allclose(effects.loc[family, "with_pmpm"], actual, rtol=1e-9)
    for family in ("tweedie", "two-part"):
        gap = effects.loc[family, "gap_pmpm"]
        assert_allclose(gap, actual - effects.loc[family, "with_pmpm"], rtol=1e-6)
        assert abs(gap) > 1e-6


def test_adults_and_children_apart_equal_statsmodels_on_their_rows(rows, found):
    """Prediction of the treated arm's adults at baseline by a Poisson model of the comparison arm's."""
    frame = rows.frame[(rows.frame["stratum"] == "adults") & (rows.frame["period"] == "baseline")]
    x = np.column_stack([np.ones(len(frame)), *(frame[t] for t in list(TERMS)[1:2] + list(TERMS)[4:])])
    y, w = frame["allowed_capped"] / 100 / (frame["w"] / 1000), frame["w"] / 1000
    fit_on = (frame["arm"] == "comparison").to_numpy()
    fit = sm.GLM(y[fit_on], x[fit_on], family=sm.families.Poisson(), var_weights=w[fit_on]).fit(tol=1e-12)
    predicted = fit.predict(x[~fit_on])
    row = only(found.accuracy, family="poisson", stratum="adults", arm="treated", period="baseline")
    theirs = accuracy(y[~fit_on].to_numpy(), predicted, w[~fit_on].to_numpy())
    names = ["r2", "mae_share", "cpm", "predictive_ratio"]
    assert_allclose(row[names].astype(float), [getattr(theirs, n) for n in names], rtol=1e-7)


def test_comparison_practices_are_predicted_without_themselves(rows):
    """One practice's cost, made tenfold, moves every prediction but its own."""
    spec, labels = (
        study(families=["ols"], strata="together"),
        {(f"O{k}", "comparison"): f"C{k}" for k in range(4)},
    )
    frame = rows.frame.copy()
    frame.loc[frame["practice_id"] == "P09", ["allowed", "allowed_capped"]] *= 10
    both = (rows, Rows(frame=frame, terms=TERMS))
    before, after = (describe(r, spec, labels).practices.set_index("label") for r in both)
    label = "C2, practice 02"
    assert after.loc[label, "actual_pmpm"] > 5 * before.loc[label, "actual_pmpm"]
    assert_allclose(after.loc[label, "predicted_pmpm"], before.loc[label, "predicted_pmpm"], rtol=1e-9)
    others = after.index != label
    assert (after.loc[others, "predicted_pmpm"] > before.loc[others, "predicted_pmpm"]).any()


def test_the_effect_is_the_difference_in_differences_of_means_without_covariates(rows):
    """With arm, period and product alone every family predicts the four means: the effect differs by link."""
    spec = study(strata="together", draws=0)
    spec = spec.model_copy(update={"risk": Risk(model="none")})
    effects = describe(rows, spec, {}).effects.set_index("family")
    frame = rows.frame
    mean = (
        frame.groupby(["arm", "period"])["allowed_capped"].sum()
        / frame.groupby(["arm", "period"])["w"].sum()
        * 10
    )
    t1, t0 = mean["treated", "performance"], mean["treated", "baseline"]
    c1, c0 = mean["comparison", "performance"], mean["comparison", "baseline"]
    assert_allclose(effects.loc["ols", "estimate"], (t1 - t0) - (c1 - c0), rtol=1e-9)
    assert_allclose(effects.loc["poisson", "estimate"], t1 - t0 * c1 / c0, rtol=1e-9)
    assert_allclose(effects["with_pmpm"].dropna(), t1, rtol=1e-8)
    assert effects.loc["gamma", "why"].startswith("gamma has no zeros")
    assert (effects["draws"] == 0).all() and effects["lo95_bootstrap"].isna().all()


def test_the_bootstrap_of_one_step_agrees_with_the_delta_method():
    effects = describe(
        world(effect=0.5), study(draws=400, families=["ols", "poisson", "tweedie"]), {}
    ).effects
    for row in effects.to_dict("records"):
        assert row["draws"] > 380
        width = [row["hi95_bootstrap"] - row["lo95_bootstrap"], row["hi95"] - row["lo95"]]
        assert 0.6 < width[0] / width[1] < 1.3, row
        assert row["lo95_bootstrap"] < row["estimate"] < row["hi95_bootstrap"]
    whole = effects[(effects["stratum"] == "all") & (effects["family"] == "ols")].iloc[0]
    parts = effects[(effects["stratum"] != "all") & (effects["family"] == "ols")]
    assert_allclose(
        whole["estimate"], np.average(parts["estimate"], weights=parts["member_months"]), rtol=1e-9
    )
    assert whole["estimate"] > 20  # half of some $100


def test_ratios_add_up_and_favour_the_low_fifth_of_actual_cost(rows, found):
    ratios = found.ratios
    treated = ratios[ratios["arm"] == "treated"]
    whole = only(found.accuracy, family="ols", cap="capped", stratum="all", arm="treated", period="baseline")
    for kind in ("predicted", "actual", "age_sex"):
        own = treated[treated["kind"] == kind]
        assert own["members"].sum() == whole["members"]
        assert_allclose(own["member_months"] @ own["predicted_pmpm"] / own["member_months"].sum(),
                        whole["predicted_pmpm"])  # fmt: skip
    actual = ratios[(ratios["kind"] == "actual") & ratios["predictive_ratio"].notna()]
    assert actual["predictive_ratio"].iloc[0] > 1.5 and actual["predictive_ratio"].iloc[-1] < 0.7
    sick = ratios[(ratios["kind"] == "condition") & (ratios["arm"] == "comparison")].set_index("group")
    assert_allclose(sick.loc["condition:diabetes", "predictive_ratio"], 1, atol=0.05)
    assert "none" in sick.index
    uncapped = only(found.accuracy, cap="uncapped", stratum="all", arm="treated", period="baseline")
    assert uncapped["actual_pmpm"] >= whole["actual_pmpm"] and uncapped["family"] == "ols"


def test_recalibration_makes_the_comparison_arm_right(found):
    row = only(found.recalibration, family="ols", period="performance")
    peers = only(
        found.accuracy, family="ols", cap="capped", stratum="all", arm="comparison", period="performance"
    )
    assert_allclose(row["factor"] * peers["predicted_pmpm"], peers["actual_pmpm"])
    assert_allclose(row["recalibrated_ratio"] * row["actual_pmpm"], row["recalibrated_pmpm"])


def test_random_panels_stray_less_when_they_are_larger_and_repeat_by_their_seed():
    rng = np.random.default_rng([3, 3])
    cost = rng.gamma(0.5, 600, 4_000)
    expected = np.full(4_000, cost.mean())
    sizes = np.array([50, 200, 800, 50])
    found = panel.random_panels(cost, expected, np.ones(4_000), sizes, 400, [1, 2])
    assert found["panel_sd"][0] == found["panel_sd"][3]
    # The ratio's standard deviation is about that of a mean, cv / sqrt(n): a quarter at 16 times the size.
    assert_allclose(found["panel_sd"][0] / found["panel_sd"][2], 4, rtol=0.25)
    assert_allclose(found["panel_sd"][2], cost.std() / cost.mean() / np.sqrt(800), rtol=0.2)
    assert (found["lo95"] < 1).all() and (found["hi95"] > 1).all()
    again = panel.random_panels(cost, expected, np.ones(4_000), sizes, 400, [1, 2])
    assert again["lo95"].tolist() == found["lo95"].tolist()
    other = panel.random_panels(cost, expected, np.ones(4_000), sizes, 400, [1, 3])
    assert other["lo95"].tolist() != found["lo95"].tolist()


def test_small_strata_go_with_the_next_and_too_few_members_have_no_model(rows):
    assert joined(["adults", "children", "infants"], {"adults": 9, "children": 1, "infants": 1}, 5) == [
        ("infants", "children", "adults")
    ]
    assert members_of(rows, study(fewest_members=600)).groups == ("all",)
    none = describe(rows, study(fewest_members=5_000), {})
    assert none.identity.empty and "fewer than 5000 members" in none.warnings[0]
    assert describe(rows, study(enabled=False), {}).warnings == ()


def test_negative_cost_is_zero_in_all_but_ols_and_said():
    changed = world().frame.copy()
    few = changed.index[(changed["arm"] == "comparison") & (changed["period"] == "baseline")][:3]
    changed.loc[few, ["allowed", "allowed_capped"]] = -50_000
    found = describe(Rows(frame=changed, terms=TERMS), study(strata="together"), {})
    assert any(w.startswith("Fewer than 11 member-periods") and "below zero" in w for w in found.warnings)
    actual = found.identity[found.identity["part"] == "cost"].set_index("family")["actual"]
    assert actual["poisson"] > actual["ols"]
    assert np.isfinite(found.effects.loc[found.effects["why"] == "", "estimate"]).all()


def test_terms_that_decide_alone_have_a_chance_of_one_and_no_model_is_silent():
    changed = world().frame.copy()
    sick = changed["condition:diabetes"] == 1
    changed.loc[sick, ["allowed", "allowed_capped"]] += 1_000  # every diabetic has some cost
    found = describe(Rows(frame=changed, terms=TERMS), study(strata="together", families=["two-part"]), {})
    assert any("some terms (Diabetes) decide without exception who has any" in w for w in found.warnings)
    assert only(found.identity, part="cost")["why"] == ""
    users = only(found.identity, part="any cost")
    assert_allclose(users["expected"], users["actual"], rtol=1e-9)
    ratio = only(found.ratios, kind="condition", group="condition:diabetes", arm="comparison")
    assert_allclose(ratio["predictive_ratio"], 1, atol=0.06)
    empty = changed.assign(allowed=0, allowed_capped=0)
    none = describe(Rows(frame=empty, terms=TERMS), study(strata="together"), {})
    assert none.identity["why"].ne("").all() and none.effects["why"].ne("").all()
    assert any("every outcome is zero" in w for w in none.warnings)


@pytest.mark.parametrize("certain", ["age_sex:F18-64", "age_sex:M18-64", "age_sex:F0-17"])
def test_a_group_that_always_has_cost_has_a_chance_of_one_even_as_the_reference(certain):
    """Whether the group is a flag or the reference band, which has none: users of the others add up."""
    changed = world().frame.copy()
    always = changed[certain] == 1
    changed.loc[always, ["allowed", "allowed_capped"]] += 1_000
    found = describe(Rows(frame=changed, terms=TERMS), study(strata="together", families=["two-part"]), {})
    users = only(found.identity, part="any cost")
    assert_allclose(users["expected"], users["actual"], rtol=1e-9)
    assert "(perfect separation)" in found.warnings[0] and (found.effects["why"] == "").all()
    row = only(found.ratios, group=certain, arm="comparison")
    assert_allclose(row["predictive_ratio"], 1, atol=0.06)


def test_order_of_the_rows_and_seed(rows, found):
    mixed = Rows(frame=rows.frame.sample(frac=1, random_state=3), terms=TERMS)
    other = describe(mixed, study(), {})
    for name in ("identity", "effects", "accuracy", "practices"):
        one, two = (getattr(f, name).select_dtypes("number") for f in (found, other))
        columns = [c for c in one if not c.startswith(("lo95", "hi95", "panel", "gap"))]
        assert_allclose(two[columns], one[columns], rtol=1e-8)


def test_a_higher_floor_asks_for_more_members(rows):
    spec = study(fewest_members=50)
    assert members_of(rows, spec).groups == ("children", "adults")
    wide = spec.model_copy(update={"disclosure": Disclosure(floor=60)})
    assert members_of(rows, wide).groups == ("all",)
