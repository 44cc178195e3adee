"""Propensity weights: hand arithmetic, statsmodels, the four groups, trimming with counts, and refusals."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose

from medhome.models.weighting import propensity
from medhome.models.weighting.multinomial import probabilities
from medhome.study.problems import ModelRefusal

NSW = ["age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75"]


def world(seed=1, size=400):
    rng = np.random.default_rng([seed, 9])
    frame = pd.DataFrame({"age": rng.normal(45, 12, size), "ill": (rng.random(size) < 0.3).astype(int)})
    index = -1 + 0.03 * (frame["age"] - 45) + 0.8 * frame["ill"]
    return frame, (rng.random(size) < 1 / (1 + np.exp(-index))).to_numpy(dtype=int), rng


def test_the_training_experiment(shared_data):
    text = (shared_data.parent / "design" / "did-golden.json").read_text(encoding="utf-8")
    golden = {g["id"]: g["values"] for g in json.loads(text)["golden"]}["ebal_nsw"]
    data = pd.read_csv(shared_data / "did_reference" / "cd_nsw_mixtape.csv.gz")
    found = propensity(data[NSW], data["treat"])
    treated, earnings = (data["treat"] == 1).to_numpy(), data["re78"].to_numpy()
    share = found.weights / found.weights[treated].sum()
    effect = share[treated] @ earnings[treated] - share[~treated] @ earnings[~treated]
    assert_allclose(effect, golden["ipw_hajek_logit"], rtol=1e-9)


def test_scores_are_those_of_statsmodels():
    frame, treated, rng = world()
    logit = sm.Logit(treated, sm.add_constant(frame)).fit(disp=0)
    found = propensity(frame, treated)
    assert_allclose(found.scores[:, 0], logit.predict(), rtol=1e-6)
    months = rng.integers(1, 13, len(frame))
    weighted = sm.GLM(treated, sm.add_constant(frame), family=sm.families.Binomial(), freq_weights=months)
    found = propensity(frame, treated, base_weights=months)
    scores = weighted.fit(tol=1e-12).predict()
    assert_allclose(found.scores[:, 0], scores, rtol=1e-8)
    own = treated == 0
    odds = months[own] * scores[own] / (1 - scores[own])
    assert_allclose(found.weights[own], odds * months[~own].sum() / odds.sum(), rtol=1e-8)
    assert_allclose(found.weights[~own], months[~own])


def test_three_groups_are_those_of_statsmodels():
    frame, _, rng = world(2)
    group = np.where(frame["ill"] == 1, rng.integers(0, 2, 400), rng.integers(0, 3, 400))
    group = np.where(rng.random(400) < 0.2, 2, group)
    reference = sm.MNLogit(group, sm.add_constant(frame)).fit(disp=0)
    x = ((frame - frame.mean()) / frame.std(ddof=0)).to_numpy()
    assert_allclose(probabilities(x, group, np.ones(400)), reference.predict(), rtol=1e-5)


def test_four_groups_by_hand():
    """One 0/1 covariate: a saturated model, so weights are ratios of shares and means are the target's."""
    counts = {(1, 0): (6, 2), (1, 1): (3, 5), (0, 0): (2, 10), (0, 1): (4, 4)}  # arm, after: ill, well
    rows = [(arm, after, ill) for (arm, after), (sick, well) in counts.items()
            for ill in [1] * sick + [0] * well]
    data = pd.DataFrame(rows, columns=["treated", "after", "ill"])
    found = propensity(data[["ill"]], data["treated"], after=data["after"])
    assert found.groups == ("treated, before", "treated, after", "comparison, before", "comparison, after")
    assert_allclose(found.balance["mean_after"], 0.75, rtol=1e-9)
    for (arm, after), (sick, well) in counts.items():
        own = (data["treated"] == arm) & (data["after"] == after)
        expected = np.where(data["ill"][own] == 1, 6 / sick, 2 / well)
        assert_allclose(found.weights[own], expected, rtol=1e-8)
    third = found.balance.iloc[1]  # comparison, before: 2 of 12 are ill
    pooled = np.sqrt((0.75 * 0.25 + 2 / 12 * 10 / 12) / 2)
    assert_allclose(third["smd_before"], (0.75 - 2 / 12) / pooled, rtol=1e-9)
    assert_allclose(third["variance_ratio_before"], 0.75 * 0.25 / (2 / 12 * 10 / 12), rtol=1e-9)
    assert_allclose([third["smd_after"], third["variance_ratio_after"]], [0, 1], atol=1e-8)
    weights = np.r_[np.full(2, 3.0), np.full(10, 0.2)]
    summary = found.summary.iloc[2]
    assert_allclose(summary["effective_sample_size"], weights.sum() ** 2 / (weights**2).sum(), rtol=1e-8)
    assert_allclose(summary["largest_share"], 3 / 8, rtol=1e-8)


def test_scale_and_order_do_not_matter():
    frame, treated, _ = world(3)
    found = propensity(frame, treated)
    order = np.random.default_rng([3, 3]).permutation(len(frame))
    moved = (frame * [1000, -1] + [5, 1]).iloc[order]
    assert_allclose(propensity(moved, treated[order]).weights, found.weights[order], rtol=1e-8)


SEPARATE = pd.DataFrame({"age": [60, 61, 62, 30, 31, 32, 33.0]})


def test_perfect_separation_is_refused_by_name():
    treated = [1, 1, 1, 0, 0, 0, 0]
    with pytest.raises(ModelRefusal, match=r"age separates the groups \(3 .* and 4 .* propensity of 0 or 1"):
        propensity(SEPARATE, treated)
    with pytest.raises(ModelRefusal, match="trimming leaves no row"):
        propensity(SEPARATE, treated, trim="overlap")
    both = pd.DataFrame({"a": [1, 2, 3, 4, 1, 2, 3, 4], "b": [2, 3, 4, 5, 0, 1, 2, 3]})
    with pytest.raises(ModelRefusal, match="a combination of a, b separates"):
        propensity(both, [1] * 4 + [0] * 4)


def test_a_value_of_one_group_alone_is_trimmed_with_counts():
    ill = [1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0]
    frame = pd.DataFrame({"hospice": [0] * 12 + [1] * 3, "ill": ill})
    treated = [1] * 4 + [0] * 11
    with pytest.raises(ModelRefusal, match="hospice separates the groups"):
        propensity(frame, treated)
    found = propensity(frame, treated, trim="overlap")
    assert found.trimming.to_dict("records") == [
        {"rule": "no counterpart: propensity 0 or 1", "group": "comparison", "rows": 3}]
    rest = propensity(frame[:12], treated[:12])
    assert_allclose(found.weights, np.r_[rest.weights, np.zeros(3)], rtol=1e-7)
    assert found.summary["kept"].tolist() == [4, 8] and not found.kept[12:].any()
    treated_alone = propensity(frame, [1 - t for t in treated], trim="overlap")
    assert any("3 of 11 rows of the group 'treated'" in w for w in treated_alone.warnings)


def test_ranges_and_shares():
    frame, treated, _ = world(4)
    plain = propensity(frame, treated)
    s, own = plain.scores[:, 0], treated == 1
    low, high = max(s[own].min(), s[~own].min()), min(s[own].max(), s[~own].max())
    found = propensity(frame, treated, trim="overlap")
    assert_allclose(found.kept, (s >= low) & (s <= high))
    assert found.trimming["rows"].sum() == (~found.kept).sum() > 0
    cut = propensity(frame, treated, trim=(0.2, 0.6))
    assert_allclose(cut.kept, (s >= 0.2) & (s <= 0.6))
    assert cut.trimming["rows"].tolist() == [int((own & ~cut.kept).sum()), int((~own & ~cut.kept).sum())]
    again = propensity(frame[cut.kept], treated[cut.kept])
    assert_allclose(cut.weights[cut.kept], again.weights, rtol=1e-9)


def test_largest_share():
    frame, treated, _ = world(5)
    free = propensity(frame, treated)
    share = free.summary["largest_share"][1] / 2
    found = propensity(frame, treated, largest_share=share)
    assert_allclose(found.summary["largest_share"][1], share, rtol=1e-9)
    assert_allclose(found.weights[treated == 0].sum(), treated.sum(), rtol=1e-12)
    limit = (found.weights > share * treated.sum() * (1 - 1e-9)) & (treated == 0)
    assert found.trimming["rows"].tolist() == [int(limit.sum())]
    uncut = (treated == 0) & ~limit
    ratio = found.weights[uncut] / free.weights[uncut]
    assert_allclose(ratio, ratio[0], rtol=1e-9)
    assert ratio[0] > 1
    with pytest.raises(ModelRefusal, match="cannot hold"):
        propensity(frame, treated, largest_share=1e-4)


def test_warnings():
    rng = np.random.default_rng([6, 9])
    frame = pd.DataFrame({"risk": np.r_[rng.normal(2, 1, 60), rng.normal(0, 1, 200)], "flat": 1})
    treated = np.r_[np.ones(60, int), np.zeros(200, int)]
    said = " | ".join(propensity(frame, treated).warnings)
    assert "'flat' is the same" in said and "weigh as much as" in said


def persistent(seed, gap, size=3000):
    """No effect at all: lasting levels that differ by arm, and one fresh shock a period."""
    rng = np.random.default_rng([seed, 10])
    treated = (np.arange(size) < size // 3).astype(int)
    lasting = rng.normal(300 + gap * treated, 40)
    costs = {f"year{t}": lasting + rng.normal(0, 80, size) for t in (1, 2)}
    return pd.DataFrame({"age": rng.normal(45, 10, size)}), treated, pd.DataFrame(costs)


def test_matching_on_levels_is_refused_without_the_flag():
    frame, treated, costs = persistent(1, 60)
    with pytest.raises(ModelRefusal, match="allow_outcome_levels"):
        propensity(frame, treated, outcome_levels=costs)
    with pytest.raises(ModelRefusal, match="two or more baseline periods"):
        propensity(frame, treated, outcome_levels=costs[["year1"]], allow_outcome_levels=True)
    with pytest.raises(ModelRefusal, match="leave after out"):
        propensity(frame, treated, after=treated, outcome_levels=costs, allow_outcome_levels=True)
    with pytest.raises(ModelRefusal, match="rows of outcome levels"):
        propensity(frame, treated, outcome_levels=costs[:9], allow_outcome_levels=True)


def test_matching_on_levels_regresses_to_the_mean_and_the_placebo_shows_it():
    frame, treated, costs = persistent(2, 60)
    found = propensity(frame, treated, outcome_levels=costs, allow_outcome_levels=True)
    placebo = found.placebo
    assert placebo is not None
    # Each arm falls back by 1 - 40^2 / (40^2 + 80^2) = 0.8 of the gap of 60 that the match closed.
    assert_allclose(placebo.estimate, 48, atol=3 * placebo.se)
    assert placebo.ci95[0] > 0 and abs(placebo.plain_estimate) < 3 * placebo.plain_se
    assert "cannot be believed" in placebo.note and placebo.note in found.warnings
    assert {"year1", "year2"} <= set(found.balance["covariate"])
    practices = np.arange(3000) % 50
    clustered = propensity(frame, treated, outcome_levels=costs, allow_outcome_levels=True,
                           clusters=practices)
    assert clustered.placebo is not None and clustered.placebo.clusters == 50
    assert_allclose(clustered.placebo.estimate, placebo.estimate)
    json.dumps(found.to_json(), allow_nan=False)


def test_without_a_gap_matching_on_levels_is_harmless():
    frame, treated, costs = persistent(3, 0)
    placebo = propensity(frame, treated, outcome_levels=costs, allow_outcome_levels=True).placebo
    assert placebo is not None and placebo.ci95[0] <= 0 <= placebo.ci95[1]
    assert "zero is possible" in placebo.note


@pytest.mark.parametrize("options", [
    {"trim": "some"}, {"trim": (0.9, 0.1)}, {"trim": (0.1,)}, {"largest_share": 2},
])
def test_refused_options(options):
    frame, treated, _ = world()
    with pytest.raises(ModelRefusal, match=r"trim|largest_share"):
        propensity(frame, treated, **options)
