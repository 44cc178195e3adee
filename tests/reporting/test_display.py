"""Numbers as the house writes them."""

from __future__ import annotations

import doctest
import math

import pandas as pd
import pytest

from medhome.study import display


def test_examples_in_the_documentation_hold():
    assert doctest.testmod(display).failed == 0


@pytest.mark.parametrize("value", [None, float("nan"), pd.NA, pd.NaT])
def test_what_is_absent_has_one_sign(value):
    for write in (
        display.number,
        display.count,
        display.usd,
        display.usd_round,
        display.pmpm,
        display.share,
        display.ratio,
        display.p_value,
        display.month,
        display.month_short,
    ):
        assert write(value) == display.NOT_APPLICABLE
    assert display.interval(value, 1.0) == display.NOT_APPLICABLE


def test_a_rounded_zero_has_no_sign():
    assert display.usd(-0.004) == "$0.00"
    assert display.share(-0.0001) == "0.0%"
    assert display.count(-0.3) == "0"


def test_rounding_does_not_reach_the_next_word():
    # 999,949.99 stays in dollars; what would round to 1.0 million says so
    assert display.usd_round(999_949.99) == "$999,950"
    assert display.usd_round(999_950.0) == "$1.0 million"
    assert display.usd_round(-999_950_000.0) == "−$1.0 billion"


def test_an_unbounded_end_of_an_interval_is_said_in_words():
    assert display.interval(-math.inf, 3.0) == "unbounded to $3.00"


def test_a_p_value_is_never_zero():
    assert display.p_value(0.0) == "below 0.001"
    assert display.p_value(0.0499) == "0.050"
    assert display.p_value(1.0) == "1.00"
