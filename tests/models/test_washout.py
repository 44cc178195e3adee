"""The effect with the first months left out: equal to a study that declares that washout."""

from __future__ import annotations

import numpy as np
import pytest
from member_months import cells_of, pairs_of
from numpy.testing import assert_allclose
from test_did import study, world

from medhome.models import did
from medhome.models.washout import washout


@pytest.fixture(scope="module")
def rows():
    return world()


@pytest.fixture(scope="module")
def grid(rows):
    return washout(cells_of(rows), pairs_of(rows), study())


def test_no_month_left_out_is_the_headline(rows, grid):
    own = grid.iloc[0]
    headline = did.estimate(cells_of(rows), pairs_of(rows), study()).headline
    assert own["months_left_out"] == 0 and bool(own["declared"]) and own["months_after"] == 13
    assert_allclose([own["estimate"], own["se"]], [headline.value, headline.se], rtol=1e-9)
    assert_allclose(own[["lo90", "hi90"]].astype(float), headline.ci90, rtol=1e-9)
    assert_allclose(own[["lo95", "hi95"]].astype(float), headline.ci95, rtol=1e-9)


def test_months_left_out_are_those_of_a_study_with_that_washout(rows, grid):
    """Six months left out of 13 are a study with a washout of six and seven months after it."""
    spec = study(after=7, washout=6)
    assert spec.periods.performance.end == study().periods.performance.end
    cells = cells_of(rows)
    other = did.estimate(cells, pairs_of(rows), spec).headline
    assert grid["months_left_out"].tolist() == [0, 6, 12] and grid["months_after"].tolist() == [13, 7, 1]
    assert_allclose(grid["estimate"].iloc[1], other.value, rtol=1e-9)
    assert abs(grid["estimate"].iloc[1] - grid["estimate"].iloc[0]) > 1e-3
    assert (grid["why"] == "").all()
    own = washout(cells, pairs_of(rows), spec)
    assert own["months_left_out"].tolist() == [6, 12] and own["declared"].tolist() == [True, False]
    assert_allclose(own["estimate"], grid["estimate"].iloc[1:], rtol=1e-9)


def test_a_short_study_says_why_there_is_no_estimate():
    rows = world(before=8, after=6)
    grid = washout(cells_of(rows), pairs_of(rows), study(before=8, after=6))
    assert grid["months_after"].tolist() == [6, 0, 0]
    assert np.isfinite(grid["estimate"]).tolist() == [True, False, False]
    assert grid["why"].tolist() == ["", "no month is left", "no month is left"]


def test_an_arm_without_members_in_the_months_left_says_so(rows):
    cells = cells_of(rows)
    gone = cells.frame["month"].to_numpy(dtype=int) >= study().periods.start_month + 12
    kept = cells.where(~(gone & (cells.frame["arm"] == "treated").to_numpy()))
    grid = washout(kept, pairs_of(rows), study())
    assert np.isnan(grid["estimate"].iloc[2]) and "cannot be told" in grid["why"].iloc[2]
