"""Chain ladder with Mack's variance: a published triangle, a triangle by hand, and what must always hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from medhome.models.chain_ladder import develop, reserve

# Reinsurance Association of America, Historical Loss Development Study, 1991 edition: automatic facultative
# general liability (without asbestos and environmental), incurred losses in $1,000, 1981 to 1990; the
# triangle of T. Mack, Measuring the variability of chain ladder reserve estimates (1994).
RAA = (
    (5012, 8269, 10907, 11805, 13539, 16181, 18009, 18608, 18662, 18834),
    (106, 4285, 5396, 10666, 13782, 15599, 15496, 16169, 16704),
    (3410, 8992, 13873, 16141, 18735, 22214, 22863, 23466),
    (5655, 11555, 15766, 21266, 23425, 26083, 27067),
    (1092, 9565, 15836, 22169, 25955, 26180),
    (1513, 6445, 11702, 12935, 15852),
    (557, 4020, 10946, 12314),
    (1351, 6947, 13112),
    (3133, 5395),
    (2063,),
)  # fmt: skip
SE = {
    "mack": ((206, 623, 747, 1469, 2002, 2209, 5358, 6333, 24566), 26_909.01),
    "log-linear": ((143, 592, 713, 1452, 1995, 2204, 5354, 6332, 24566), 26_880.74),
}


def square(rows) -> np.ndarray:
    """Rows of different length as an array with NaN for what is not yet seen."""
    wide = max(len(r) for r in rows)
    return np.array([[*map(float, r), *[math.nan] * (wide - len(r))] for r in rows])


@pytest.mark.parametrize("rule", SE)
def test_raa_with_both_rules_for_the_last_sigma(rule):
    """docs/methods.md, completion: total of what is to be paid, and Mack's errors as printed."""
    by_year, total = SE[rule]
    found = reserve(square(RAA), develop(square(RAA), last_sigma=rule))
    assert round(found.total, 2) == 52_135.23
    assert [round(v) for v in found.se[1:]] == list(by_year) and found.se[0] == 0
    assert round(found.total_se, 2) == total


def test_three_by_three_by_hand():
    """f_0 = (150 + 280) / (100 + 200), f_1 = 165 / 150; sigma_0^2 = 100 (1.5 - f_0)^2 + 200 (1.4 - f_0)^2.

    The last lag was reached once: with Mack's rule and one earlier sigma, its sigma is that one's.
    """
    triangle = square(((100, 150, 165), (200, 280), (120,)))
    made = develop(triangle)
    f0, f1 = 430 / 300, 1.1
    s0 = 100 * (1.5 - f0) ** 2 + 200 * (1.4 - f0) ** 2
    assert_allclose(made.factors, [f0, f1], rtol=1e-14)
    assert_allclose(made.variances, [s0, s0], rtol=1e-12)
    assert_allclose(made.completion_factor(0), 1 / (f0 * f1), rtol=1e-14)
    assert_allclose(made.relative_variance(0), s0 / (300 * f0**2) + s0 / (150 * f1**2), rtol=1e-12)
    found = reserve(triangle, made)
    assert_allclose(found.ultimate, [165, 280 * f1, 120 * f0 * f1], rtol=1e-14)
    second = (280 * f1) ** 2 * s0 / f1**2 * (1 / 280 + 1 / 150)
    third = (120 * f0 * f1) ** 2 * (
        s0 / f0**2 * (1 / 120 + 1 / 300) + s0 / f1**2 * (1 / (120 * f0) + 1 / 150)
    )
    assert_allclose(found.se**2, [0, second, third], rtol=1e-12)
    shared = 2 * (280 * f1) * (120 * f0 * f1) * s0 / (150 * f1**2)
    assert_allclose(found.total_se**2, second + third + shared, rtol=1e-12)


def test_latest_months_alone_and_without_the_ends():
    rows = [(100.0, 100.0 * r) for r in (9.0, 1.1, 1.3, 1.2, 1.4)]
    triangle = square([*rows, (50.0,)])
    assert_allclose(develop(triangle, latest=4).factors, [1.25])  # 9.0 is too old
    assert_allclose(develop(triangle, drop_high_low=True).factors, [1.3])  # (1.3 + 1.2 + 1.4) / 3
    assert develop(triangle, drop_high_low=True).used.tolist() == [3]
    assert develop(triangle[2:], drop_high_low=True).used.tolist() == [3]  # three ratios: none is dropped


def test_tail_and_unknown_rule():
    triangle = square(((100, 150), (100,)))
    assert_allclose(develop(triangle, tail=1.02).completion_factor(0), 1 / 1.53)
    with pytest.raises(ValueError, match="log-linear"):
        develop(triangle, last_sigma="linear")


def test_a_month_without_dollars_does_no_harm():
    triangle = square(((0, 0, 0), (0, 50, 50), (100, 150), (80,)))
    made = develop(triangle)
    assert_allclose(made.factors, [200 / 100, 50 / 50])
    assert np.isfinite(reserve(triangle, made).se).all()
    empty = develop(np.zeros((3, 3)))
    assert empty.completion_factor(0) == 1 and reserve(np.zeros((3, 3)), empty).total == 0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(1, 1e6), min_size=3, max_size=12),
    st.lists(st.floats(1.0, 3.0), min_size=1, max_size=6),
    st.booleans(),
)
def test_a_complete_triangle_owes_nothing_and_a_regular_one_has_no_error(first, growth, drop):
    """What is fully developed has completion factor 1; without noise factors have no variance."""
    columns = np.cumprod([1.0, *growth])
    whole = np.outer(first, columns)
    flat = np.repeat(np.array(first)[:, None], len(columns), axis=1)
    complete = develop(flat, drop_high_low=drop)
    assert_allclose([complete.completion_factor(k) for k in range(complete.lags)], 1, rtol=1e-12)
    assert_allclose(reserve(flat, complete).ibnr, 0, atol=1e-6)
    seen = np.add.outer(np.arange(len(first)), np.arange(len(columns))) < max(len(first), len(columns))
    part = np.where(seen, whole, np.nan)
    made = develop(part, drop_high_low=drop)
    assert_allclose(reserve(part, made).ultimate, whole[:, -1], rtol=1e-9)
    assert_allclose(made.relative_variance(0), 0, atol=1e-12)
