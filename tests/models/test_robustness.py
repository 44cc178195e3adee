"""How sure: what `describe` puts together is what its parts give; reasons where a question has no answer."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from member_months import ZERO, cells_of, member_months, pairs_of
from numpy.testing import assert_allclose
from test_did import FIRST, study, world

from medhome.models import did, robustness, trend_bounds
from medhome.models.inference.random_effects import re_panel
from medhome.models.sensitivity.placebos import leave_one_out, placebo_arm
from medhome.models.sensitivity.refits import Refits
from medhome.models.twfe import fit_panel
from medhome.study.problems import ModelRefusal
from medhome.study.results import Cohort
from medhome.study.robustness_results import Robustness
from medhome.study.spec import StudySpec

START = ZERO + 15


def refits_of(rows: pd.DataFrame, first_post: int = START) -> Refits:
    return Refits.of(cells_of(rows), pairs_of(rows), "allowed_capped", ["expected"], first_post=first_post)


@pytest.fixture(scope="module")
def refits() -> Refits:
    many = dict(organizations=6, practices=2, members=8, effect_usd=-90.0, stay=0.9)
    return refits_of(member_months(5, months=27, start=15, **many))


def test_joint_drift_covariance_has_the_variances_on_its_diagonal():
    """The variance of a sum of estimates is the sum of all their covariances."""
    rng = np.random.default_rng(3)
    y, members = rng.normal(300, 20, (5, 8)), np.full((5, 8), 400.0)
    covariance = 1e5 * (0.4 * 0.8 ** abs(np.subtract.outer(range(8), range(8))) + 0.6 * np.eye(8))
    weights = rng.normal(size=(2, 5, 8))
    both = np.concatenate([weights, weights.sum(0)[None]])
    found = re_panel(y, members, np.arange(5) == 0, 4, covariance, 300.0, weights=both, prior_scale=0.08)
    joint = found.drift_covariance
    assert_allclose(np.diag(joint), found.drift_variance.sum(1), rtol=1e-10)
    assert_allclose(joint[2, 2], joint[0, 0] + 2 * joint[0, 1] + joint[1, 1], rtol=1e-10)
    assert_allclose(joint, joint.T, rtol=1e-12)
    sd = [e.sd**2 for e in found.effects]
    assert_allclose(np.diag(joint) + found.sampling_variance, sd, rtol=1e-9)


def test_joint_sampling_covariance_is_that_of_a_sum(refits):
    panel = refits.panel
    one = (panel.months >= START).astype(float)
    two = (panel.months >= START + 6).astype(float)
    fit = fit_panel(panel, {"a": one, "b": two})
    joint = fit.sampling_covariance(refits.covariance)
    assert_allclose(np.diag(joint), fit.sampling_variance(refits.covariance), rtol=1e-12)
    added = dataclasses.replace(fit, weights=fit.weights.sum(0)[None])
    assert_allclose(added.sampling_variance(refits.covariance), joint.sum(), rtol=1e-10)


def test_quarters_taken_jointly_are_those_of_the_event_study(refits):
    joint = trend_bounds.joint_quarters(refits, START)
    assert joint.quarters == (-5, -4, -3, -2, 0, 1, 2, 3)
    assert (joint.pre, joint.post) == (4, 4)
    found = trend_bounds.bounds(joint)
    average = found["breakdowns"].set_index(["kind", "effect"]).loc[("smoothness", "average")]
    assert_allclose(average["estimate"], joint.beta[4:].mean(), rtol=1e-12)
    assert_allclose(average["se"], np.sqrt(joint.sigma[4:, 4:].sum()) / 4, rtol=1e-12)
    widths = found["bounds"].assign(width=lambda f: f["hi95"] - f["lo95"])
    for _, own in widths.groupby(["kind", "effect"]):
        assert own["step"].tolist() == [0, 1, 2, 3, 4]
        assert own["width"].is_monotonic_increasing


def test_quarters_that_are_missing_are_named(refits):
    panel = refits.panel
    gap = (panel.months < START + 3) | (panel.months >= START + 6)
    members = np.where(gap[None, :], panel.members, np.where(panel.treated[:, None], 0.0, panel.members))
    holed = dataclasses.replace(refits, panel=dataclasses.replace(panel, members=members))
    with pytest.raises(ModelRefusal, match="quarters in a row"):
        trend_bounds.joint_quarters(holed, START)


def test_placebo_arm_without_intervals_has_the_same_estimates(refits):
    plain, full = placebo_arm(refits, intervals=False), placebo_arm(refits)
    assert_allclose(plain.frame["estimate"], full.frame["estimate"], rtol=1e-12)
    assert plain.frame["lo95"].isna().all() and full.frame["lo95"].notna().all()
    assert (plain.as_large, plain.share) == (full.as_large, full.share)


def cohort_of(rows: pd.DataFrame) -> Cohort:
    """Organisations in the cohort page's own form: program first, neutral names, numbers of members."""
    found = rows.groupby(["arm", "organization_id"])["member"].nunique().reset_index(name="members")
    found = found.sort_values(["arm", "organization_id"], ascending=[False, True], ignore_index=True)
    number = found.groupby("arm").cumcount() + 1
    found["label"] = [f"{a.title()} {n:02d}" for a, n in zip(found["arm"], number, strict=True)]
    none: dict[str, int] = {}
    return Cohort(balance=pd.DataFrame(), organizations=found, members=none, member_months=none,
                  practices=none, organizations_n=none, clinicians=none)  # fmt: skip


def described(rows: pd.DataFrame, spec: StudySpec) -> Robustness:
    cells, pairs = cells_of(rows), pairs_of(rows)
    return robustness.describe(cells, pairs, spec, did.estimate(cells, pairs, spec), cohort_of(rows))


def test_what_is_described_names_units_and_agrees_with_the_headline():
    rows = world(organizations=6, members=6)
    found = described(rows, study())
    full = did.estimate(cells_of(rows), pairs_of(rows), study()).headline.value
    methods = found.methods.set_index("method")
    assert methods.index.tolist() == ["headline", "twfe", "did2x2", "event-study", "ppml", "synthetic-did"]
    assert_allclose([found.full, *methods.loc[["headline", "twfe"], "estimate"]], full, rtol=1e-9)
    assert methods["valid"].tolist() == [True, *[False] * 5]
    others = [f"Comparison {n:02d}" for n in range(1, 6)]
    assert found.organizations["label"].tolist() == ["Treated 01", *others]
    assert found.organizations["why"].iloc[0] == "without it the treated arm has nobody left"
    assert found.organizations["members"].sum() == rows["member"].nunique()
    assert_allclose(found.organizations["change"], found.organizations["estimate"] - full)
    assert found.practices["label"].iloc[:3].tolist() == [
        "Treated 01, practice 01", "Treated 01, practice 02", "Comparison 01, practice 01",
    ]  # fmt: skip
    most = rows.groupby(["practice_id", "month"]).size().groupby("practice_id").max()
    assert found.practices["members"].tolist() == most.tolist()
    assert len(found.placebo_arm) == 5 and found.placebo_starts["month"].iloc[0] == FIRST + 6
    assert not found.reasons and set(found.breakdowns["effect"]) == {"first", "average"}


def test_what_a_study_cannot_answer_is_a_reason_and_not_a_failure():
    rows = world(before=10, organizations=3, members=8)
    found = described(rows, study(before=10))
    assert set(found.reasons) == {"placebo_arm", "placebo_starts"}
    assert "fewer than 3 comparison organisations" in found.reasons["placebo_arm"]
    assert "the baseline has 10 months" in found.reasons["placebo_starts"]
    assert found.placebo_arm.empty and found.placebo_starts.empty and found.as_large is None
    refused = found.methods.set_index("method").loc["synthetic-did"]
    assert np.isnan(refused["estimate"]) and "three untreated units" in refused["reading"]


def test_bounds_reach_over_a_washout_and_say_so():
    rows = world(before=15, after=16, organizations=5, members=6)
    found = described(rows, study(before=15, after=13, washout=3))
    assert "bounds" not in found.reasons
    assert found.breakdowns["rule"].str.contains("1 quarter of the washout has no estimate").all()
    assert found.breakdowns["label"].str.endswith("the washout").all()


def test_without_one_organisation_under_the_shocks_of_all(refits):
    assert refits.under_shocks_of_all(refits.panel) == pytest.approx(refits.effect(), nan_ok=True)
    anew = leave_one_out(refits, "organization").frame
    found = leave_one_out(refits, "organization", shocks_of_all=True).frame
    assert_allclose(found["estimate"], anew["estimate"])
    ratio = (found["se"] / anew["se"]).dropna()
    assert len(ratio) == 5 and ratio.between(0.5, 2).all() and not np.allclose(ratio, 1)
