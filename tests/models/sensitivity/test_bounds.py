"""Bounds on trends: the authors' program HonestDiD 0.2.6, hand arithmetic, and a linear program."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import optimize, stats

from medhome.models.sensitivity import sensitivity
from medhome.models.sensitivity.fixed_length import FixedLength, folded_quantile
from medhome.models.sensitivity.least_favourable import LeastFavourable
from medhome.study.problems import ModelRefusal

SIGMA = 0.01 * np.eye(4)
BETA = [0.1, -0.1, 1.0, 1.2]


@pytest.fixture(scope="module")
def golden(shared_data):
    text = (shared_data.parent / "design" / "did-golden.json").read_text(encoding="utf-8")
    return {g["id"]: g["values"] for g in json.loads(text)["golden"]}


def ends(frame):
    return frame[["lower", "upper"]].to_numpy()


def test_smoothness_of_the_medicaid_example(golden):
    """Exact values on which three programs agree; HonestDiD itself is 3e-5 off, from its grid."""
    events, expected = golden["honest_ehec_es"], np.array(golden["honest_ehec"]["smoothness_exact"])
    found = sensitivity(events["beta"], events["sigma"], 5, 2, kind="smoothness", bounds=expected[:, 0])
    assert_allclose(ends(found.frame), expected[:, 1:], atol=1e-6)
    R = [[r["lb"], r["ub"]] for r in golden["honest_ehec"]["smoothness_R"]]
    assert_allclose(ends(found.frame), R, atol=5e-5)
    low, high = (sensitivity(events["beta"], events["sigma"], 5, 2, kind="smoothness",
                             bounds=[found.breakdown + step]).frame["lower"][0] for step in (-5e-6, 5e-6))
    assert low > 0 > high


def test_smoothness_of_benzarti_carloni(golden):
    values = golden["honest_BC"]
    expected = np.array(values["smoothness_exact"])
    found = sensitivity(values["beta"], values["sigma"], 4, 4, kind="smoothness", bounds=expected[:, 0])
    assert_allclose(ends(found.frame), expected[:, 1:], atol=1e-6)
    assert_allclose(found.breakdown, 0.2 + 0.019398, atol=2e-4)  # the lower end falls one for one in M


@pytest.mark.parametrize(("effect", "key"), [("first", "relmag_R_first"), ("average", "relmag_R_avg")])
def test_relative_magnitudes_of_the_medicaid_example(golden, effect, key):
    events, rows = golden["honest_ehec_es"], golden["honest_ehec"][key]
    found = sensitivity(events["beta"], events["sigma"], 5, 2, bounds=[r["Mbar"] for r in rows],
                        effect=effect)
    assert_allclose(ends(found.frame), [[r["lb"], r["ub"]] for r in rows], atol=1e-3)
    original = golden["honest_ehec"]["original" if effect == "first" else "original_avg"]
    assert_allclose(found.original, [original["lb"], original["ub"]], atol=1e-9)


def test_relative_magnitudes_of_benzarti_carloni(golden):
    """The upper end at 2 is 0.379 in the authors' program, where its grid stops; the set reaches 0.424."""
    values = golden["honest_BC"]
    rows = values["rm"]
    found = sensitivity(values["beta"], values["sigma"], 4, 4, bounds=[r["Mbar"] for r in rows])
    expected = np.array([[r["lb"], r["ub"]] for r in rows])
    expected[-1, 1] = 0.424
    assert_allclose(ends(found.frame), expected, atol=1e-3)
    fine = sensitivity(values["beta"], values["sigma"], 4, 4, bounds=(0.5, 1.0))
    assert_allclose(ends(fine.frame), [[r["lb"], r["ub"]] for r in values["rm_fine"]], atol=6e-4)


def test_smoothness_by_the_hybrid_test(golden):
    values = golden["honest_BC"]
    fit = LeastFavourable(beta=np.array(values["beta"]), sigma=np.array(values["sigma"]), pre=4,
                          effect=np.eye(4)[0], kind="smoothness")
    for row in values["sd_clf"]:
        assert_allclose(fit.interval(row["M"], 0.95), [row["lb"], row["ub"]], atol=1e-3)


def test_each_effect_and_weights(golden):
    values = golden["honest_BC"]
    for kind, bounds in (("relative-magnitudes", (0.5,)), ("smoothness", (0.1,))):
        third = sensitivity(values["beta"], values["sigma"], 4, 4, kind=kind, bounds=bounds, effect=3)
        weights = sensitivity(values["beta"], values["sigma"], 4, 4, kind=kind, bounds=bounds,
                              effect=(0, 0, 1, 0))
        assert_allclose(ends(third.frame), ends(weights.frame))
        assert third.estimate == values["beta"][6] and third.effect == "period 3"
        doubled = sensitivity(2 * np.array(values["beta"]), 4 * np.array(values["sigma"]), 4, 4, kind=kind,
                              bounds=[b * (2 if kind == "smoothness" else 1) for b in bounds], effect=3)
        assert_allclose(ends(doubled.frame), 2 * ends(third.frame), rtol=1e-6)
        turned = sensitivity(-np.array(values["beta"]), values["sigma"], 4, 4, kind=kind, bounds=bounds,
                             effect=3)
        assert_allclose(ends(turned.frame), -ends(third.frame)[:, ::-1], rtol=2e-3)


def test_one_period_before_by_hand():
    """A straight line through one point before: beta_1 + beta_-1, bias at most M, sd sqrt(2)."""
    fit = FixedLength(beta=np.array([0.5, 3.0]), sigma=np.eye(2), pre=1, effect=np.ones(1))
    for bound in (0.0, 0.7):
        half = math.sqrt(2) * folded_quantile(bound / math.sqrt(2), 0.95)
        assert_allclose(fit.interval(bound, 0.95), [3.5 - half, 3.5 + half], rtol=1e-9)


@pytest.mark.parametrize("bias", [0.0, 0.3, 2.0, 9.0, 60.0])
def test_folded_quantile(bias):
    assert_allclose(folded_quantile(bias, 0.95), math.sqrt(stats.ncx2.ppf(0.95, 1, bias**2))
                    if bias else stats.norm.ppf(0.975), rtol=1e-6)


@settings(max_examples=25)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 10_000))
def test_the_shortest_interval_is_shortest_and_grows(pre, post, seed):
    rng = np.random.default_rng([seed, 1])
    root = rng.normal(size=(pre + post, pre + post))
    sigma = root @ root.T / (pre + post) + 0.1 * np.eye(pre + post)
    fit = FixedLength(beta=rng.normal(size=pre + post), sigma=sigma, pre=pre, effect=np.eye(post)[-1])
    halves = [fit.half_length(m, 0.95) for m in (0.0, 0.01, 0.1, 0.5, 2.0, 10.0)]
    assert (np.diff(halves) > -1e-9).all()
    if pre > 1:
        others = rng.normal(size=(200, pre - 1)) * np.array([0.02, 1.0])[rng.integers(2, size=(200, 1))]
        assert min(fit._half(w, 0.5, 0.95) for w in others) >= halves[3] - 1e-9
        nearby = fit._path[len(fit._path) // 2] + 1e-3 * others
        assert min(fit._half(w, 0.5, 0.95) for w in nearby) >= halves[3] - 1e-9


@settings(max_examples=25)
@given(st.integers(1, 4), st.integers(2, 5), st.integers(0, 10_000))
def test_the_vertices_are_those_of_the_linear_program(pre, post, seed):
    """min eta with (moment - its slope in tau) <= eta sd, by a general solver, at several effects."""
    rng = np.random.default_rng([seed, 2])
    root = rng.normal(size=(pre + post, pre + post))
    sigma, effect = root @ root.T + 0.1 * np.eye(pre + post), rng.normal(size=post)
    beta = rng.normal(size=pre + post)
    fit = LeastFavourable(beta=beta, sigma=sigma, pre=pre, effect=effect, kind="relative-magnitudes")
    part = next(p for p in fit._parts(1.0, 0.95) if p is not None)
    changes = np.diff(np.insert(np.eye(pre + post), pre, 0.0, axis=0), axis=0)
    programs = []
    for change in changes[:pre]:
        for sign in (1, -1):
            A = np.vstack([s * changes[pre:] - sign * change for s in (1, -1)])
            sd = np.sqrt(np.einsum("ti,ij,tj->t", A, sigma, A))
            programs.append((A, sd))
    for theta in (-2.0, 0.0, 1.5):
        optima = []
        for A, sd in programs:
            solved = optimize.linprog(
                np.eye(post + 1)[0], A_ub=np.column_stack([-sd, -A[:, pre:]]), b_ub=-A @ beta,
                A_eq=np.append(0.0, effect)[None], b_eq=[theta], bounds=(None, None))
            optima.append(solved.fun)
        mine = float((part.at_zero + theta * part.theta).max())
        assert min(abs(mine - o) for o in optima) < 1e-7 * max(1, abs(mine))


def test_the_set_covers_trends_at_the_bound():
    """Differential trends that just keep the bound M = 1: the true effect is inside in some 95% of draws."""
    rng = np.random.default_rng([20, 3])
    sigma = 0.02 * (0.5 * np.eye(5) + 0.5)
    trends = np.array([-0.3, -0.2, -0.1, 0.1, 0.2])  # steps of 0.1
    draws = rng.multivariate_normal(trends + np.array([0, 0, 0, 1, 1]), sigma, size=100)
    inside = 0
    for beta in draws:
        fit = LeastFavourable(beta=beta, sigma=sigma, pre=3, effect=np.eye(2)[0], kind="relative-magnitudes")
        low, high = fit.interval(1.0, 0.95)
        inside += low <= 1 <= high
    assert inside >= 0.92 * len(draws)


def test_breakdown():
    found = sensitivity(BETA, SIGMA, 2, 2, bounds=(0,))
    for step, excluded in ((-0.001, True), (0.001, False)):
        low, high = sensitivity(BETA, SIGMA, 2, 2, bounds=(found.breakdown + step,)).frame.iloc[0, 1:]
        assert (not low <= 0 <= high) == excluded
    assert sensitivity([0.1, -0.1, 0.05, 0.0], SIGMA, 2, 2).breakdown == 0
    assert found.to_json()["bounds"][0]["M"] == 0
    json.dumps(found.to_json(), allow_nan=False)
    assert "normal critical values" in found.rule


def test_default_bounds_and_warnings():
    assert sensitivity(BETA, SIGMA, 2, 2).frame["M"].tolist() == [0, 0.5, 1, 1.5, 2]
    smooth = sensitivity(BETA, SIGMA, 2, 2, kind="smoothness").frame["M"]
    assert_allclose(smooth.iloc[-1], 0.3)  # 0.1, -0.1, 0: slopes -0.2 and 0.1
    many = sensitivity(np.arange(14) % 3 / 10, 0.01 * np.eye(14), 12, 2, kind="smoothness")
    assert "12 periods" in many.warnings[0]
    assert "one change" in sensitivity([0.1, 1.0], np.eye(2), 1, 1).warnings[0]


@pytest.mark.parametrize(("change", "said"), [
    ({"beta": [1, 2, 3]}, "shape"),
    ({"sigma": np.eye(3)}, "sigma has shape"),
    ({"sigma": np.ones((4, 4))}, "positive definite"),
    ({"sigma": np.triu(np.ones((4, 4)))}, "not symmetric"),
    ({"beta": [np.nan, 1, 2, 3]}, "not finite"),
    ({"pre": 0, "post": 4}, "at least one coefficient before"),
    ({"pre": 2.5}, "whole numbers"),
    ({"kind": "monotone"}, "'monotone' is not known"),
    ({"effect": "last"}, "'last' is not known"),
    ({"effect": 3}, "1 to 2"),
    ({"effect": (1, 2, 3)}, "2 finite numbers"),
    ({"bounds": (-1,)}, "from zero up"),
    ({"bounds": ()}, "from zero up"),
    ({"level": 95}, "level 95"),
])
def test_refusals(change, said):
    given = {"beta": BETA, "sigma": SIGMA, "pre": 2, "post": 2} | change
    with pytest.raises(ModelRefusal, match=said):
        sensitivity(**given)


@pytest.mark.parametrize("gap", [0, 1, 3])
def test_periods_without_a_coefficient_let_trends_part_further(gap):
    """Errors next to nothing: what stays possible is arithmetic. One change of 0.1 before the start."""
    beta, sigma = [0.1, 1.0], 1e-10 * np.eye(2)
    relative = sensitivity(beta, sigma, 1, 1, bounds=(1.0,), gap=gap).frame.iloc[0]
    reach = 0.1 * (gap + 1)
    assert_allclose(relative[["lower", "upper"]].tolist(), [1 - reach, 1 + reach], atol=1e-3)
    # A drift of -0.1 a period, carried on over the gap: 1 + 0.1 (gap + 1).
    straight = sensitivity(beta, sigma, 1, 1, kind="smoothness", bounds=(0.0,), gap=gap).frame.iloc[0]
    assert_allclose(straight[["lower", "upper"]].tolist(), [1 + reach] * 2, atol=1e-3)


def test_a_gap_is_a_whole_number():
    with pytest.raises(ModelRefusal, match="gap = -1"):
        sensitivity([0.1, 1.0], np.eye(2), 1, 1, gap=-1)
