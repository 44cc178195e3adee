"""The whole estimate of a study: numbers that must agree with each other, and refusals by name."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from member_months import cells_of, member_months, pairs_of
from numpy.testing import assert_allclose

from medhome.models import did, power
from medhome.models.inference.cautions import cautions
from medhome.models.inference.member_covariance import member_covariance
from medhome.models.inference.random_effects import re_panel
from medhome.models.inference.recommend import Setting
from medhome.models.twfe import twfe
from medhome.study.periods import Span, month_index, month_name
from medhome.study.problems import ModelRefusal
from medhome.study.results import DidResult
from medhome.study.spec import StudySpec

FIRST = month_index("2007-01")
DEMO = Path(__file__).resolve().parents[2] / "analysis" / "studies" / "demo.toml"


def study(before: int = 18, after: int = 13, washout: int = 0, **estimation) -> StudySpec:
    plain = tomllib.loads(DEMO.read_text(encoding="utf-8"))
    start = FIRST + before
    plain["periods"] = {
        "baseline_first": month_name(FIRST),
        "baseline_last": month_name(start - 1),
        "start": month_name(start),
        "through": month_name(start + washout + after - 1),
        "washout_months": washout,
        "run_out_months": 3,
    }
    plain["paid_through"] = month_name(start + washout + after + 6)
    plain["estimation"] = estimation
    return StudySpec.model_validate(plain)


def world(seed: int = 1, before: int = 18, after: int = 13, **options) -> pd.DataFrame:
    defaults = {"organizations": 11, "practices": 2, "members": 14, "effect_usd": -30.0}
    return member_months(seed, months=before + after, start=before, first_month=FIRST, **(defaults | options))


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return world()


@pytest.fixture(scope="module")
def found(rows) -> DidResult:
    return did.estimate(cells_of(rows), pairs_of(rows), study())


def method(result: DidResult, name: str) -> pd.Series:
    return result.methods.set_index("method").loc[name]


def test_headline_is_the_regression_with_the_random_effects_interval(rows, found):
    spec = study()
    fit = twfe(cells_of(rows), "allowed_capped", first_post=spec.periods.start_month)
    assert_allclose(found.headline.value, fit.coefficients[0], rtol=1e-12)
    months = did.OrganizationMonths.of(fit, spec.periods.start_month)
    covariance = member_covariance(pairs_of(rows), months.months).matrix
    alone = re_panel(
        months.y,
        months.members,
        months.treated,
        spec.periods.start_month,
        covariance,
        months.mean,
        months=months.months,
        weights=fit.panel.by_organization(fit.weights),
        estimates=fit.coefficients,
        sampling_variance=fit.sampling_variance(covariance),
    )
    assert_allclose(
        [*found.headline.ci95, *found.headline.ci90], [*alone.effect.ci95, *alone.effect.ci90], rtol=1e-9
    )
    assert_allclose(found.probability_lower_cost.value, alone.effect.probability_below_zero, rtol=1e-9)
    assert (found.treated_organizations, found.comparison_organizations) == (1, 10)
    # baseline mean of the comparisons, by hand
    part = rows[(rows["arm"] == "comparison") & (rows["month"] < spec.periods.start_month)]
    assert_allclose(months.mean, part["allowed_capped"].mean() / 100, rtol=1e-12)


def test_numbers_that_follow_from_others(rows, found):
    low, high = found.headline.ci95
    assert_allclose(found.detectable.value, 2.8 * (high - low) / 3.92, rtol=1e-12)
    assert_allclose(found.variance_shares["share"].sum(), 1.0, rtol=1e-12)
    assert (found.variance_shares["share"] > 0).all()
    after = rows[(rows["arm"] == "treated") & (rows["month"] >= FIRST + 18)]
    expected = after["allowed_capped"].mean() / 100 - found.headline.value
    assert_allclose(found.relative.value, found.headline.value / expected, rtol=1e-12)
    assert_allclose(found.relative.ci95, np.divide(found.headline.ci95, expected), rtol=1e-12)
    assert_allclose(found.headline.p, method(found, "fp_recommended")["p"])
    assert method(found, "fp_recommended")["estimate"] == method(found, "cr1_practice")["estimate"]
    assert method(found, "fp_recommended")["estimate"] == found.headline.value
    assert found.headline.n["member_months"] == len(rows)


def test_every_method_is_there_and_labelled(found):
    assert list(found.methods["method"]) == [
        "re_panel",
        "re_panel_gls",
        "re_panel_prior_05",
        "re_panel_flat",
        "fp_recommended",
        "re_two_period",
        "donald_lang",
        "ri_rank",
        "fp_published",
        "cr2",
        "cr1_organization",
        "cr1_practice",
        "wcr",
    ]
    assert list(found.methods["headline"]) == [True] + [False] * 12
    conventional = found.methods[
        found.methods["method"].isin(["cr2", "cr1_organization", "cr1_practice", "wcr"])
    ]
    assert not conventional["valid"].any()
    assert conventional["note"].str.contains("not valid with one treated organisation").all()
    assert "conditional on this organisation" in method(found, "cr1_practice")["label"]
    rank = method(found, "ri_rank")
    assert "of 11 by size of effect, smallest attainable p 0.091" in rank["label"]
    assert not rank["valid"]  # no 5% test exists among eleven
    for name in ("re_panel", "cr1_practice", "cr2", "donald_lang"):
        row = method(found, name)
        assert row["lo95"] < row["lo90"] < row["estimate"] < row["hi90"] < row["hi95"]
    assert method(found, "cr1_practice")["df"] == 21
    assert method(found, "cr1_organization")["df"] == 10
    # in this world practices say less than organisations: the interval conditional on them is the shorter one
    assert method(found, "re_panel")["se"] > method(found, "cr1_organization")["se"]


def test_event_study_has_one_base_and_partial_quarters(rows, found):
    table = found.event_study.set_index("quarter")
    assert list(table.index) == [-6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4]
    assert table.loc[-1, ["estimate", "se", "lo95", "hi95"]].tolist() == [0, 0, 0, 0]
    assert table["reference"].tolist() == [q == -1 for q in table.index]
    assert table.loc[4, "months"] == 1 and table.loc[3, "months"] == 3
    assert table.loc[0, "first_month"] == FIRST + 18
    treated = rows[rows["arm"] == "treated"]
    assert table["member_months"].sum() == len(treated)
    # coefficients against a regression on the rows themselves
    quarter = (rows["month"] - FIRST - 18) // 3
    dummies = [((rows["arm"] == "treated") & (quarter == q)).to_numpy(float) for q in table.index if q != -1]
    X = np.column_stack(
        [
            *dummies,
            rows["expected"] / 100,
            pd.get_dummies(rows["practice_id"]).to_numpy(float),
            pd.get_dummies(rows["month"]).iloc[:, 1:].to_numpy(float),
        ]
    )
    beta = np.linalg.lstsq(X, rows["allowed_capped"].to_numpy() / 100, rcond=None)[0]
    assert_allclose(table.drop(-1)["estimate"], beta[:10], rtol=1e-7)
    assert ((table["lo95"] <= table["estimate"]) & (table["estimate"] <= table["hi95"])).all()


def test_pre_trend_finds_a_drift_of_the_program(rows):
    drift = np.where(rows["arm"] == "treated", (rows["month"] - FIRST) * 100 * 10, 0)
    drifting = rows.assign(allowed_capped=rows["allowed_capped"] + drift)
    results = [did.estimate(cells_of(r), pairs_of(r), study()) for r in (rows, drifting)]
    assert_allclose(results[1].pre_trend.value - results[0].pre_trend.value, 120.0, rtol=1e-6)
    assert results[1].pre_trend.unit == "USD PMPM per year"
    least = results[1].pre_trend_detectable
    assert least > 0 and f"80% power is ${least:,.2f} PMPM per year" in results[1].pre_trend.why


def test_an_effect_moves_the_headline_and_leaves_the_length(rows, found):
    after = (rows["arm"] == "treated") & (rows["month"] >= FIRST + 18)
    changed = rows.assign(allowed_capped=rows["allowed_capped"] + np.where(after, 5000, 0))
    moved = did.estimate(cells_of(changed), pairs_of(changed), study())
    assert_allclose(moved.headline.value - found.headline.value, 50.0, rtol=1e-9)
    assert_allclose(moved.detectable.value, found.detectable.value, rtol=1e-6)
    assert_allclose(moved.pre_trend.value, found.pre_trend.value, rtol=1e-6)


def test_same_inputs_same_bytes(rows, found):
    again = did.estimate(cells_of(rows.sample(frac=1, random_state=1)), pairs_of(rows), study())
    assert again.headline == found.headline
    pd.testing.assert_frame_equal(again.methods, found.methods, check_exact=True)
    pd.testing.assert_frame_equal(again.event_study, found.event_study, check_exact=True)


def test_washout_leaves_a_gap(rows):
    spec = study(before=15, after=13, washout=3)
    assert len(spec.periods.analysed) == 28
    result = did.estimate(cells_of(rows), pairs_of(rows), spec)  # the cells hold the three months too
    assert result.headline.n["months"] == 28
    assert 0 not in result.event_study["quarter"].to_numpy()
    assert result.event_study.set_index("quarter").loc[-1, "reference"]


def test_one_month_before_the_start_is_said(rows):
    part = rows[rows["month"] >= FIRST + 17]
    spec = study().model_dump(mode="python")
    spec["periods"]["baseline_first"] = month_name(FIRST + 17)
    result = did.estimate(cells_of(part), pairs_of(part), StudySpec.model_validate(spec))
    assert result.pre_trend.value is None and result.pre_trend.ci95 is None
    assert "one month before the start" in result.pre_trend.why
    assert any("one month before the start" in w for w in result.warnings)
    # one month before was not simulated: no p-value, no false-alarm rates, nothing but the interval to read
    assert result.headline.p is None
    assert np.isnan(method(result, "re_panel")["p"]) and np.isnan(method(result, "fp_recommended")["p"])
    assert list(result.methods["valid"]) == [True] + [False] * 12 and set(result.methods["size_note"]) == {""}
    assert result.event_study["quarter"].min() == -1


def test_several_treated_organisations_and_no_covariate():
    rows = world(4, organizations=14, treated=5, members=8)
    result = did.estimate(cells_of(rows), pairs_of(rows), study(covariates=[]))
    assert result.treated_organizations == 5
    assert "conditional" not in method(result, "cr1_practice")["label"]
    assert "of 1000 by size" in method(result, "ri_rank")["label"]
    # right in the nearest simulation (six treated), but not among the methods for three to five
    assert method(result, "wcr")["size_note"] == "5.3%" and not method(result, "wcr")["valid"]
    assert method(result, "cr2")["valid"]
    assert not any("randomisation test" in w for w in result.warnings)


def test_refusals_name_what_is_missing(rows):
    cells, pairs, spec = cells_of(rows), pairs_of(rows), study()
    month = cells.frame["month"]
    with pytest.raises(ModelRefusal, match="treated arm has no member-months before the start"):
        did.estimate(cells.where(month >= FIRST + 18), pairs, spec)
    with pytest.raises(ModelRefusal, match="comparison arm has no member-months; check"):
        did.estimate(cells.where(cells.frame["arm"] == "treated"), pairs, spec)
    with pytest.raises(ModelRefusal, match="comparison arm has no member-months after the start"):
        did.estimate(cells.where((cells.frame["arm"] == "treated") | (month < FIRST + 18)), pairs, spec)
    with pytest.raises(ModelRefusal, match="fewer than 2 comparison organisations"):
        did.estimate(cells.where(cells.frame["organization_id"].isin(["O0", "O3"])), pairs, spec)


# Warnings by rule


def warned(found: DidResult, rows: pd.DataFrame, **setting) -> str:
    defaults = {
        "treated_members": (2500.0,),
        "comparison_members": (2500.0,) * 40,
        "months_before": 24,
        "months_after": 22,
    }
    spec = study()
    fit = twfe(cells_of(rows), "allowed_capped", first_post=spec.periods.start_month)
    months = did.OrganizationMonths.of(fit, spec.periods.start_month)
    panel = re_panel(
        months.y,
        months.members,
        months.treated,
        spec.periods.start_month,
        member_covariance(pairs_of(rows), months.months).matrix,
        months.mean,
        months=months.months,
    )
    return "\n".join(cautions(Setting(**(defaults | setting)), panel))


@pytest.mark.parametrize(
    "setting,words",
    [
        ({}, ""),
        ({"treated_members": (5100.0,)}, "more than twice the members of the largest comparison"),
        ({"treated_members": (2400.0,)}, "smaller than the middle comparison"),
        (
            {"comparison_members": (2500.0,) * 18},
            "no randomisation test can reach 5%: its smallest p-value is 0.053",
        ),
        ({"comparison_members": (2500.0,) * 19}, ""),
        ({"comparison_members": (2500.0,) * 7}, "7 comparison organisations (simulated: 8 or more)"),
        ({"months_before": 16}, "16 months before the start (simulated: 17 or more)"),
        ({"months_after": 11}, "11 months after it (simulated: 12 or more)"),
        ({"comparison_members": (60_000.0, *(2400.0,) * 20)}, "56% of the weight of the comparison arm"),
    ],
)
def test_warnings_by_rule(found, rows, setting, words):
    text = warned(found, rows, **setting)
    assert words in text if words else text == ""


def test_power():
    assert_allclose(power.detectable_effect(46.0), 32.857142857, rtol=1e-9)
    with pytest.raises(ValueError, match="length 0"):
        power.detectable_effect(0.0)


def test_spans_of_the_fixture():
    assert study().periods.baseline == Span(FIRST, FIRST + 18)


def test_quarters_before_the_start_are_tested_jointly(rows, found):
    """Ten organisations could have had the label; a drift of $40 a month is the largest of the eleven."""
    tests = found.pre_trend_tests.set_index("test")
    assert tests.index.tolist() == ["exchange", "shocks", "hotelling"] and set(tests["periods"]) == {5}
    assert_allclose(tests.loc["exchange", "smallest_p"], 1 / 11)
    assert (
        np.isnan(tests.loc["hotelling", "p"])
        and "1 organisation in the smaller arm" in (tests.loc["hotelling", "note"])
    )
    drift = np.where(rows["arm"] == "treated", (rows["month"] - FIRST) * 100 * 40, 0)
    drifting = rows.assign(allowed_capped=rows["allowed_capped"] + drift)
    moved = did.estimate(cells_of(drifting), pairs_of(drifting), study()).pre_trend_tests.set_index("test")
    assert_allclose(moved.loc["exchange", "p"], 1 / 11)
    assert moved.loc["shocks", "p"] < 0.05 < tests.loc["shocks", "p"]


def test_one_band_holds_all_quarters(found):
    """Each interval widened alike: by 2 to 4 standard errors for nine quarters that move together."""
    table = found.event_study.set_index("quarter")
    known = table[~table["reference"].astype(bool)]
    wider = (known["band_hi"] - known["band_lo"]) / (known["hi95"] - known["lo95"])
    assert_allclose(wider, wider.iloc[0], rtol=1e-9)
    assert 1.2 < wider.iloc[0] < 1.7 and wider.iloc[0] * 1.96 < 3.0
    assert_allclose((known["band_hi"] + known["band_lo"]) / 2, known["estimate"], atol=0.05)
    assert table.loc[-1, ["band_lo", "band_hi"]].tolist() == [0, 0]


def test_clusters_are_counted_for_what_they_carry(found):
    """One of eleven organisations has the label: it alone brings half of the variation or so."""
    note = method(found, "cr1_organization")["note"]
    assert "not valid with one treated organisation" in note and "equal clusters; the largest brings" in note
    worth = float(note.split("worth ")[1].split(" equal")[0])
    assert 1 < worth < 3
