"""The specification curve: estimates are those on rows, ranks those of assignments tried one by one."""

from __future__ import annotations

import dataclasses
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose
from specification_world import HEADLINE, START, collapsed, member_months, study

from medhome.models.comparison_group import PracticeWeights
from medhome.models.specifications import axes, curve, primary
from medhome.models.twfe import twfe
from medhome.study.comparison_choices import Comparison
from medhome.study.problems import StudyFileError
from medhome.study.spec import _validated
from medhome.study.specification_results import AXES, SpecificationCurve

OWN = "intention_to_treat"


def made(months: pd.DataFrame, spec=None) -> SpecificationCurve:
    return curve({OWN: collapsed(months)}, HEADLINE, spec or study())


def one(found: SpecificationCurve, **choices: str) -> pd.Series:
    """The row of a specification, the study's own where no choice is named."""
    frame, wanted = found.specifications, primary(study()) | choices
    rows = frame[np.logical_and.reduce([frame[a] == v for a, v in wanted.items()])]
    assert len(rows) == 1, wanted
    return rows.iloc[0]


def dummies(months: pd.DataFrame) -> pd.DataFrame:
    columns = ["practice_id", "month"]
    return pd.get_dummies(months[columns], columns=columns, drop_first=True, dtype=float)


def on_rows(months: pd.DataFrame, outcome: str, covariates=(), weights=None, two_by_two=False) -> float:
    """The regression on member-months with every dummy written out."""
    after = (months["month"] >= START).astype(float)
    treated = (months["arm"] == "treated").astype(float)
    levels = pd.DataFrame({"t": treated, "a": after}) if two_by_two else dummies(months)
    x = pd.DataFrame({"effect": treated * after, **{c: months[c] / 100 for c in covariates}}).join(levels)
    fit = sm.WLS(months[outcome] / 100, sm.add_constant(x), weights=1.0 if weights is None else weights).fit()
    return float(fit.params["effect"])


@pytest.fixture(scope="module")
def months() -> pd.DataFrame:
    return member_months()


@pytest.fixture(scope="module")
def found(months) -> SpecificationCurve:
    return made(months)


def test_every_combination_that_an_estimator_can_do_is_there_once(found):
    frame = found.specifications
    # 2 caps, 2 amounts, 2 weights, 2 populations, clusterings 2; two estimators with 2 covariates, one with 1
    assert len(frame) == 2**5 * 5 and not frame.duplicated(list(AXES)).any()
    assert (frame["why"] == "").all() and (frame["estimate"].diff().dropna() > -2e-9).all()
    assert set(frame.loc[frame["estimator"] == "ppml", "covariates"]) == {"none"}
    assert len(found.effects) == len(frame) / 2 == found.ranked
    assert found.effects["primary"].sum() == 1


def test_estimates_are_those_of_regressions_on_rows(found, months):
    adults = months[months["stratum"] == "adults"]
    assert_allclose(one(found)["estimate"], on_rows(months, "allowed_100000", ["expected"]), rtol=1e-9)
    assert_allclose(one(found, covariates="none")["estimate"], on_rows(months, "allowed_100000"), rtol=1e-9)
    assert_allclose(
        one(found, cap="none", amount="paid", population="adults")["estimate"],
        on_rows(adults, "paid_none", ["expected"]),
        rtol=1e-9,
    )
    assert_allclose(
        one(found, estimator="did2x2")["estimate"],
        on_rows(months, "allowed_100000", ["expected"], two_by_two=True),
        rtol=1e-9,
    )
    each = 1 / months.groupby(["practice_id", "month"])["member"].transform("size")
    assert_allclose(
        one(found, weights="equal_practices")["estimate"],
        on_rows(months, "allowed_100000", ["expected"], weights=each),
        rtol=1e-9,
    )


def test_equal_organisations_and_poisson_are_those_of_rows(months):
    found = made(months, study(weights=["equal_organizations"], estimators=["ppml"]))
    each = 1 / months.groupby(["organization_id", "month"])["member"].transform("size")
    assert_allclose(
        one(found, weights="equal_organizations")["estimate"],
        on_rows(months, "allowed_100000", ["expected"], weights=each),
        rtol=1e-9,
    )
    after, treated = months["month"] >= START, months["arm"] == "treated"
    x = sm.add_constant(dummies(months).assign(effect=(after & treated).astype(float)))
    fit = sm.GLM(months["allowed_100000"] / 100, x, family=sm.families.Poisson()).fit(tol=1e-13)
    dollars = fit.fittedvalues[after & treated].mean() * -np.expm1(-fit.params["effect"])
    assert_allclose(one(found, estimator="ppml", covariates="none")["estimate"], dollars, rtol=1e-8)


def test_entropy_balanced_weights_are_in_the_curve_and_not_in_the_ranks(months):
    found = made(months, study(weights=["entropy"]))
    names = found.specifications["weights"].value_counts()
    assert names["entropy"] == names["member_months"] and found.ranked == len(found.effects) / 2
    assert any("made for the actual assignment" in sentence for sentence in found.left_out)


def test_the_study_s_own_weights_are_the_primary_of_its_curve(months):
    cells = collapsed(months)
    sites = cells.frame[["organization_id", "practice_id", "arm"]].drop_duplicates().astype(str)
    keys = sites.itertuples(index=False, name=None)
    practices = {k: 1.0 + (k[2] == "comparison") * i / 7 for i, k in enumerate(keys)}
    weights = PracticeWeights(factors=practices)
    spec = study().model_copy(update={"comparison": Comparison(weights="entropy")})
    found = curve({OWN: cells}, HEADLINE, spec, weights).specifications
    own = found[found["primary"]].iloc[0]
    assert own["weights"] == "study" and set(found["weights"]) > {"member_months"}
    on_cells = twfe(weights.applied(cells), "allowed_100000", ["expected"], first_post=START)
    assert_allclose(own["estimate"], on_cells.coefficients[0], rtol=1e-5)


def test_the_primary_is_marked_with_the_interval_of_the_headline(found):
    own = found.specifications[found.specifications["primary"]]
    assert len(own) == 1 and own["interval"].tolist() == ["recommended"]
    assert own[["lo90", "hi90", "lo95", "hi95", "se"]].iloc[0].tolist() == [-18.0, 12.0, -21.0, 15.0, 9.0]
    others = found.specifications[~found.specifications["primary"]]
    assert (others["interval"] == "conventional").all()
    both = others[(others["lo95"] < others["estimate"]) & (others["estimate"] < others["hi95"])]
    assert len(both) == len(others)


@pytest.mark.parametrize("treated", [1, 2])
def test_ranks_are_those_of_curves_made_with_the_label_elsewhere(treated):
    """By hand: the label is given to every other set of organisations, and everything is estimated anew."""
    months = member_months(treated=treated, organizations=4)
    spec = study(populations=["adults"], caps=[], amounts=[], clustering=[])
    found = made(months, spec)
    effects = []
    names = sorted(set(months["organization_id"]))
    for chosen in combinations(names, treated):
        inside = months["organization_id"].isin(chosen)
        curve_there = made(months.assign(arm=np.where(inside, "treated", "comparison")), spec)
        effects.append(curve_there.effects.sort_values(list(AXES))["estimate"].to_numpy())
    effects = np.array(effects)
    medians = np.abs(np.median(effects, axis=1))
    shares = np.maximum((effects < 0).mean(1), (effects > 0).mean(1))
    ranks = found.ranks.set_index("statistic")
    assert ranks["assignments"].tolist() == [len(effects)] * 2 and found.exact
    # The actual assignment is the first.
    assert_allclose(ranks.loc["median", "value"], np.median(effects[0]), rtol=1e-9)
    assert_allclose(ranks.loc["same_sign", "value"], shares[0], rtol=1e-12)
    assert ranks.loc["median", "rank"] == (medians >= medians[0] * (1 - 1e-10)).sum()
    assert ranks.loc["same_sign", "rank"] == (shares >= shares[0] * (1 - 1e-10)).sum()
    assert_allclose(ranks["p"], ranks["rank"] / len(effects))
    assert_allclose(ranks["smallest_p"], 1 / len(effects))


def test_names_and_order_of_rows_change_nothing(months, found):
    turned = {f"O{i}": f"Z{9 - i}" for i in range(6)}
    other = months.sample(frac=1, random_state=3)
    other = other.assign(
        organization_id=other["organization_id"].map(turned), practice_id="q" + other["practice_id"].str[::-1]
    )
    again = made(other)
    key = [*AXES, "interval"]
    pd.testing.assert_frame_equal(
        again.specifications.sort_values(key).reset_index(drop=True),
        found.specifications.sort_values(key).reset_index(drop=True),
        rtol=1e-8,
    )
    pd.testing.assert_frame_equal(again.ranks, found.ranks, rtol=1e-8)


def test_the_same_curve_twice_is_the_same_to_the_bit(months, found):
    again = made(months)
    for name in ("specifications", "choices", "ranks"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(found, name), check_exact=True)


def test_too_many_assignments_are_drawn_with_the_seed():
    months = member_months(treated=5, organizations=14)
    spec = study(populations=[], amounts=[], caps=[], weights=[])
    first, again = made(months, spec), made(months, spec)
    assert not first.exact and (first.ranks["assignments"] == 1000).all()
    pd.testing.assert_frame_equal(first.ranks, again.ranks, check_exact=True)
    assert first.ranked == 4  # Poisson fits are left out, and it is said
    assert any("too many Poisson fits" in sentence for sentence in first.left_out)
    drawn = made(months, study(seed=2, populations=[], amounts=[], caps=[], weights=[]))
    assert drawn.ranks["value"].tolist() == first.ranks["value"].tolist()


def test_a_population_that_is_everybody_or_few_is_left_out_with_the_reason(months):
    adults = made(months[months["stratum"] == "adults"])
    assert set(adults.specifications["population"]) == {"all"}
    assert any("every member is in the population 'adults'" in s for s in adults.left_out)
    few = months[(months["stratum"] == "children") & (months["arm"] == "treated")]["member"].nunique()
    assert few < 11
    children = made(months, study(populations=["children"]))
    assert set(children.specifications["population"]) == {"all"}
    assert any("too few members" in s for s in children.left_out)


def test_where_no_sample_can_be_made_the_curve_is_empty_with_the_reason(months):
    children = months[(months["stratum"] == "children") & (months["arm"] == "comparison")]
    found = made(children)
    assert found.specifications.empty and found.effects.empty
    assert any("population all" in s for s in found.left_out)


def test_a_fit_that_is_refused_says_why_and_comes_last(months):
    spoilt = months.copy()
    at = (spoilt["practice_id"] == "P30") & (spoilt["month"] == START)
    for name in ("allowed_none", "paid_none"):
        spoilt.loc[at, name] = -90_000
    found = made(spoilt).specifications
    refused = found[(found["estimator"] == "ppml") & (found["cap"] == "none")]
    assert refused["estimate"].isna().all()
    assert found["why"].tolist() == sorted(found["why"])
    assert refused["why"].str.contains("negative").all()


def test_choices_summarise_the_estimates_of_each_value(found):
    row = found.choices.set_index(["axis", "value"]).loc[("estimator", "did2x2")]
    mine = found.effects[found.effects["estimator"] == "did2x2"]["estimate"]
    assert row["estimates"] == len(mine)
    assert_allclose(row[["median", "least", "most"]].astype(float), [mine.median(), mine.min(), mine.max()])


def test_a_curve_that_is_not_asked_for_is_empty():
    assert curve({}, HEADLINE, study()).specifications.empty


def test_the_study_s_own_choice_is_always_first():
    spec = study(covariates=(), caps=["p99"], estimators=["ppml"], clustering=["practice"])
    found = axes(spec)
    assert found["cap"] == ("100000", "p99") and found["covariates"] == ("none", "expected")
    assert found["estimator"] == ("twfe", "ppml") and found["clustering"] == ("organization", "practice")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("caps", ["p98"], "specifications.caps"),
        ("caps", [500], "specifications.caps"),
        ("estimators", ["twfe", "twfe"], "names twfe twice"),
        ("weigths", [], 'did you mean "weights"'),
    ],
)
def test_a_wrong_choice_is_named(key, value, message):
    plain = study().model_dump()
    plain["specifications"][key] = value
    with pytest.raises(StudyFileError, match=message):
        _validated(plain, source="study")


def test_a_curve_s_frames_survive_as_they_are(found):
    same = dataclasses.replace(found)
    assert same.effects.equals(found.effects)
