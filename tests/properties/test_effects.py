"""An effect is a difference: the same dollars for everybody move nothing, twice the dollars double it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from member_months import cells_of, member_months, pairs_of
from numpy.testing import assert_allclose

from medhome.models import did
from medhome.models.twfe import twfe
from medhome.study.periods import month_index, month_name
from medhome.study.spec import StudySpec

FIRST, BEFORE, AFTER = month_index("2007-01"), 6, 6
DEMO = Path(__file__).resolve().parents[2] / "analysis" / "studies" / "demo.toml"


def _study() -> StudySpec:
    plain = tomllib.loads(DEMO.read_text(encoding="utf-8"))
    plain["periods"] = {
        "baseline_first": month_name(FIRST),
        "baseline_last": month_name(FIRST + BEFORE - 1),
        "start": month_name(FIRST + BEFORE),
        "through": month_name(FIRST + BEFORE + AFTER - 1),
        "run_out_months": 3,
    }
    plain["paid_through"] = month_name(FIRST + BEFORE + AFTER + 2)
    return StudySpec.model_validate(plain)


@pytest.fixture(scope="module")
def rows():
    return member_months(
        3, organizations=6, practices=2, members=12, months=BEFORE + AFTER, start=BEFORE, first_month=FIRST
    )


def _effect(rows) -> float:
    return float(twfe(cells_of(rows), "allowed_capped", first_post=FIRST + BEFORE).coefficients[0])


@settings(max_examples=5)
@given(cents=st.integers(-50_000, 500_000))
def test_the_same_dollars_in_every_member_month_move_no_effect(rows, cents):
    moved = rows.assign(allowed_capped=rows["allowed_capped"] + cents)
    assert_allclose(_effect(moved), _effect(rows), rtol=1e-8, atol=1e-8)


@settings(max_examples=5)
@given(times=st.integers(2, 9))
def test_costs_times_n_give_the_effect_times_n(rows, times):
    scaled = rows.assign(allowed_capped=rows["allowed_capped"] * times)
    assert_allclose(_effect(scaled), times * _effect(rows), rtol=1e-9)


def test_twice_the_costs_double_the_headline_and_its_interval(rows):
    once = did.estimate(cells_of(rows), pairs_of(rows), _study())
    doubled = rows.assign(allowed_capped=2 * rows["allowed_capped"], expected=2 * rows["expected"])
    twice = did.estimate(cells_of(doubled), pairs_of(doubled), _study())
    assert_allclose(twice.headline.value, 2 * once.headline.value, rtol=1e-9)
    for one, two in ((once.headline.ci95, twice.headline.ci95), (once.headline.ci90, twice.headline.ci90)):
        assert_allclose(two, [2 * end for end in one], rtol=1e-4)
