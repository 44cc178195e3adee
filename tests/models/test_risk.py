"""The cost model: hand arithmetic, the identity with statsmodels, merged terms, refusals."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose

from medhome.models import calibration, risk
from medhome.study.cells import Rows
from medhome.study.period_choices import Periods
from medhome.study.problems import ModelRefusal
from medhome.study.spec import Program, Risk, StudySpec

TERMS = {
    "age_sex:F18-34": "Women 18 to 34",
    "age_sex:F35-64": "Women 35 to 64",
    "age_sex:M18-64": "Men 18 to 64",
    "condition:diabetes": "Diabetes",
    "condition:rare": "A rare condition",
}


def study(**changes):
    return StudySpec(
        id="small",
        title="Small",
        seed=1,
        paid_through="2009-12",
        program=Program(name="None"),
        periods=Periods(
            baseline_first="2007-06", baseline_last="2008-05", start="2008-06", through="2009-05"
        ),
        risk=Risk(**{"min_members_per_term": 5, **changes}),
    )


def world(members=600, seed=7):
    rng = np.random.default_rng([20080601, seed])
    band = rng.integers(0, 3, members)
    practice = rng.integers(0, 12, members)
    frame = pd.DataFrame(
        {
            "organization_id": [f"O{p // 3}" for p in practice],
            "practice_id": [f"P{p:02d}" for p in practice],
            "arm": np.where(practice < 3, "treated", "comparison"),
            "stratum": "adults",
            "period": "baseline",
            "w": rng.integers(1, 13, members) * 1000,
        }
    )
    for i, term in enumerate(list(TERMS)[:3]):
        frame[term] = (band == i).astype(int)
    frame["condition:diabetes"] = (rng.random(members) < 0.2).astype(int)
    frame["condition:rare"] = (np.arange(members) < 4).astype(int)
    cents = rng.gamma(0.4, 60_000, members) * (1 + frame["condition:diabetes"]) * frame["w"] / 1000
    frame["allowed_capped"] = cents.astype(int)
    return Rows(frame=frame, terms=TERMS)


def test_two_practices_by_hand():
    # Women 18-34: $1,200 + $300 in 12 + 6 months; women 35-64: $3,600 in 12 months. 1,500/18 and 3,600/12.
    frame = pd.DataFrame(
        {
            "organization_id": "O1",
            "practice_id": ["P1", "P1", "P2"],
            "arm": "comparison",
            "stratum": "adults",
            "period": "baseline",
            "w": [12000, 6000, 12000],
            "allowed_capped": [120_000, 30_000, 360_000],
            "age_sex:F18-34": [1, 1, 0],
            "age_sex:F35-64": [0, 0, 1],
        }
    )
    rows = Rows(frame=frame, terms={k: TERMS[k] for k in ("age_sex:F18-34", "age_sex:F35-64")})
    model = risk.fit(rows, study(min_members_per_term=1))
    assert_allclose(model.coefficients()["intercept"], 150_000 / 18, rtol=1e-12)
    assert_allclose(model.coefficients()["age_sex:F35-64"], 360_000 / 12 - 150_000 / 18, rtol=1e-12)
    shown = model.result().terms.set_index("term")
    assert_allclose(shown.loc["intercept", "coefficient_pmpm"], 83.3333333, rtol=1e-8)
    assert shown.loc["age_sex:F18-34", "label"] == "Women 18 to 34 (reference)"
    assert shown.loc["age_sex:F18-34", "member_months"] == 18


def test_equals_weighted_least_squares_of_statsmodels_with_clusters():
    rows = world()
    model = risk.fit(rows, study())
    data = rows.frame[rows.frame["arm"] == "comparison"]
    used = [t for t in model.coefficients() if t != "intercept"]
    months = data["w"] / 1000
    reference = sm.WLS(
        data["allowed_capped"] / months, sm.add_constant(data[used].astype(float)), weights=months
    ).fit(cov_type="cluster", cov_kwds={"groups": pd.factorize(data["practice_id"])[0]})
    assert_allclose(list(model.coefficients().values()), reference.params.to_numpy(), rtol=1e-9)
    shown = model.terms.set_index("term")
    assert_allclose(shown.loc[["intercept", *used], "se_cents"], reference.bse.to_numpy(), rtol=1e-9)


def test_expected_adds_up_to_actual_on_the_rows_fitted_on_and_by_condition():
    rows = world()
    model = risk.fit(rows, study())
    data = rows.frame[rows.frame["arm"] == "comparison"]
    expected = model.predict(data) * data["w"] / 1000
    assert_allclose(expected.sum(), data["allowed_capped"].sum(), rtol=1e-9)
    sick = data["condition:diabetes"] == 1
    assert_allclose(expected[sick].sum(), data["allowed_capped"][sick].sum(), rtol=1e-9)
    fitted_on = model.accuracy.set_index("population").loc[calibration.FITTED_ON]
    assert_allclose(fitted_on["predictive_ratio"], 1, rtol=1e-9)


def test_program_members_never_move_the_model():
    rows = world()
    changed = rows.frame.copy()
    changed.loc[changed["arm"] == "treated", "allowed_capped"] *= 3
    after = risk.fit(Rows(frame=changed, terms=TERMS), study())
    assert after.coefficients() == risk.fit(rows, study()).coefficients()


def test_order_of_the_rows_changes_nothing():
    rows = world()
    turned = Rows(frame=rows.frame.iloc[::-1].reset_index(drop=True), terms=TERMS)
    one, other = risk.fit(rows, study()), risk.fit(turned, study())
    assert one.coefficients() == other.coefficients()
    assert_allclose(one.accuracy["r2"], other.accuracy["r2"], rtol=1e-12)


def test_a_term_with_few_members_is_merged_and_said():
    model = risk.fit(world(), study())
    assert "condition:rare" not in model.coefficients()
    assert any("A rare condition" in n and "fewer than 5 members" in n for n in model.notes)
    row = model.terms.set_index("term").loc["condition:rare"]
    assert row["status"] == "merged" and row["coefficient_cents"] == 0


def test_small_age_bands_share_the_coefficient_of_the_next_one():
    rows = world()
    frame = rows.frame.copy()
    # Women 18 to 34 split so that the younger band holds three members of the comparison arm.
    own = (frame["age_sex:F18-34"] == 1) & (frame["arm"] == "comparison")
    young = own & (own.cumsum() <= 3)
    frame["age_sex:F18-24"] = young.astype(int)
    frame["age_sex:F25-34"] = frame["age_sex:F18-34"] - frame["age_sex:F18-24"]
    terms = {"age_sex:F18-24": "Women 18 to 24", "age_sex:F25-34": "Women 25 to 34"}
    terms |= {k: v for k, v in TERMS.items() if k != "age_sex:F18-34"}
    model, whole = risk.fit(Rows(frame=frame, terms=terms), study()), risk.fit(rows, study())
    assert any("Women 18 to 24 with Women 25 to 34" in n for n in model.notes)
    assert_allclose(model.predict(frame), whole.predict(frame), rtol=1e-9)
    shown = model.terms.set_index("term")["coefficient_cents"]
    assert shown["age_sex:F18-24"] == shown["age_sex:F25-34"]


def test_a_sex_with_few_members_joins_the_reference():
    rows = world()
    frame = rows.frame.copy()
    men = frame.index[(frame["age_sex:M18-64"] == 1) & (frame["arm"] == "comparison")]
    frame.loc[men[3:], ["age_sex:M18-64", "age_sex:F35-64"]] = [0, 1]
    model = risk.fit(Rows(frame=frame, terms=TERMS), study())
    assert model.coefficients().get("age_sex:M18-64", 0.0) == 0.0
    assert any("Men 18 to 64" in n and "merged" in n for n in model.notes)


def test_a_term_that_others_determine_is_dropped_and_said():
    rows = world()
    frame = rows.frame.assign(**{"condition:same": rows.frame["condition:diabetes"]})
    model = risk.fit(Rows(frame=frame, terms={**TERMS, "condition:same": "The same again"}), study())
    assert "condition:same" not in model.coefficients()
    assert "The same again: left out of the risk model, because the other terms determine it." in model.notes
    assert_allclose(model.coefficients()["intercept"], risk.fit(rows, study()).coefficients()["intercept"])


def test_no_model_expects_the_mean_of_the_comparison_arm():
    rows = world()
    model = risk.fit(rows, study(model="none"))
    data = rows.frame[rows.frame["arm"] == "comparison"]
    mean = data["allowed_capped"].sum() / data["w"].sum() * 1000
    assert list(model.coefficients()) == ["intercept"]
    assert_allclose(model.coefficients()["intercept"], mean, rtol=1e-12)


def test_age_and_sex_alone_leaves_the_conditions_out():
    model = risk.fit(world(), study(model="age-sex"))
    assert {t.split(":")[0] for t in model.coefficients()} == {"intercept", "age_sex"}


def test_calibration_covers_every_member_of_both_arms_once():
    rows = world()
    table = risk.fit(rows, study()).calibration
    for arm, part in table.groupby("arm"):
        own = rows.frame[rows.frame["arm"] == arm]
        assert part["members"].sum() == len(own)
        assert_allclose(
            (part["actual_pmpm"] * part["member_months"]).sum() * 100, own["allowed_capped"].sum()
        )
    assert table["predicted_pmpm"].groupby(table["decile"]).mean().is_monotonic_increasing


def test_accuracy_by_hand_and_by_left_out_practices():
    # Constant prediction: R2 = 0 and CPM = 0 where fitted; left out, a constant misses by its fold's mean.
    model = risk.fit(world(), study(model="none"))
    table = model.accuracy.set_index("population")
    assert_allclose(table.loc[calibration.FITTED_ON, ["r2", "cpm"]], 0, atol=1e-9)
    assert table.loc[calibration.LEFT_OUT, "r2"] < 0
    assert len(table) == 3


def test_predictions_below_zero_are_counted():
    rows = world()
    frame = rows.frame.copy()
    # Women 18 to 34 cost nothing, and diabetes saves the others: the sum of both falls below zero.
    frame["allowed_capped"] = np.where(
        frame["age_sex:F18-34"] == 1, 0, 50_000 - 40_000 * frame["condition:diabetes"]
    )
    model = risk.fit(Rows(frame=frame, terms=TERMS), study())
    below = int((model.predict(frame) < 0).sum())
    assert below >= 11
    assert any(n.startswith(f"{below:,} members have a predicted cost below zero") for n in model.notes)


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda f: f.assign(arm="treated"), "comparison arm, baseline has no members"),
        (lambda f: f.assign(period="performance"), "comparison arm, baseline has no members"),
        (lambda f: f.assign(w=0), "comparison arm, baseline has no members"),
        (lambda f: f.assign(allowed_capped=0), "adds up to 0.00 dollars"),
        (
            lambda f: f.assign(allowed_capped=np.where(np.arange(len(f)) == 3, np.nan, 1.0)),
            "allowed_capped has 1 missing",
        ),
        (
            lambda f: f.assign(**{"condition:diabetes": 2}),
            "condition:diabetes holds other values than 0 and 1",
        ),
        (lambda f: f.drop(columns="condition:rare"), "lack the columns condition:rare"),
    ],
)
def test_refusals_name_what_is_wrong(change, said):
    with pytest.raises(ModelRefusal, match=said):
        risk.fit(Rows(frame=change(world().frame), terms=TERMS), study())
