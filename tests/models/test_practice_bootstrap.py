"""Practices drawn anew: the same estimates as the study's own functions on the cells of each draw."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from member_world import START, world
from numpy.testing import assert_allclose

from medhome.models import arm_means, arm_months, expected, practice_bootstrap, risk
from medhome.models.twfe import PracticeMonths, twfe
from medhome.study.cells import Cells

OUTCOMES = ("allowed_capped", "paid")


@pytest.fixture(scope="module")
def small():
    return world(turnover=0.1, organizations=5, members=15)


@pytest.fixture(scope="module")
def cells(small):
    return small.scored({"intercept": 20_000.0, "condition:diabetes": 30_000.0}).cells()


def counted(cells, times):
    """Cells in which each practice stands as often as it was drawn, under names of its own."""
    sites = arm_months.sites_of(cells.frame).to_numpy(dtype=str)
    labels = arm_months.site_labels(cells.frame)
    parts = []
    for label, n in zip(labels, times, strict=True):
        mine = cells.frame[sites == label]
        parts += [mine.assign(practice_id=mine["practice_id"] + f"-{k}") for k in range(n)]
    return Cells(keys=cells.keys, scales=cells.scales, frame=pd.concat(parts, ignore_index=True))


def test_a_draw_gives_what_the_study_s_own_functions_give_on_its_cells(small, cells):
    treated = arm_months.by_practice(cells, small.spec)[1]
    drawn = practice_bootstrap.counts(treated, seed=3, draws=4)
    panels = [PracticeMonths.of(cells, y, ("expected",)) for y in OUTCOMES]
    places = arm_months.places(cells, panels[0].practices)
    effects = practice_bootstrap.two_way_effects(panels, START, drawn[:, places])
    for times, found in zip(drawn, effects, strict=True):
        own = counted(cells, times)
        for outcome, value in zip(OUTCOMES, found, strict=True):
            assert_allclose(value, twfe(own, outcome, first_post=START).coefficients[0], rtol=1e-7)
    rows = small.rows()
    after = dataclasses.replace(rows, frame=expected._performance(rows))
    predicted = np.full(len(after.frame), 25_000.0)
    whole = practice_bootstrap.draw(cells, after, predicted, OUTCOMES, small.spec, draws=4)
    again = practice_bootstrap.counts(treated, small.spec.seed, draws=4)
    for times, e1, gap in zip(again, whole["E1"], whole["E2"], strict=True):
        m = arm_means.means(counted(cells, times), small.spec)
        assert_allclose(e1, m.A["treated", 1] - m.e1, rtol=1e-9)
        # One prediction for all: the gap is that of the means.
        assert_allclose(gap, m.A["treated", 1] - m.A["comparison", 1], rtol=1e-9)


def test_every_arm_keeps_its_number_of_practices_and_draws_are_the_seed_s():
    treated = np.array([True, False, True, False, False])
    one, two = (practice_bootstrap.counts(treated, seed=5, draws=50) for _ in range(2))
    assert (one == two).all()
    assert (one[:, treated].sum(1) == 2).all() and (one[:, ~treated].sum(1) == 3).all()
    assert (practice_bootstrap.counts(treated, seed=6, draws=50) != one).any()


def test_the_spread_of_draws_is_near_the_error_clustered_by_practice(small):
    many = world(organizations=30, members=10)
    first = many.months["organization_id"].str[1:].astype(int) < 12
    arms = np.where(first, "treated", "comparison")
    many = dataclasses.replace(many, months=many.months.assign(arm=arms))
    cells = many.scored({"intercept": 20_000.0, "condition:diabetes": 30_000.0}).cells()
    after = dataclasses.replace(many.rows(), frame=expected._performance(many.rows()))
    drawn = practice_bootstrap.draw(
        cells, after, np.full(len(after.frame), 25_000.0), ("allowed_capped",), many.spec, draws=500
    )
    fit = twfe(cells, "allowed_capped", first_post=START)
    error = float(np.sqrt(fit.covariance["practice"][0, 0]))
    assert 0.8 < drawn["allowed_capped"].std() / error < 1.2
    assert abs(drawn["allowed_capped"].mean() - fit.coefficients[0]) < 0.3 * error


def test_one_practice_in_an_arm_gives_no_draws(small, cells):
    alone = cells.where((cells.frame["arm"] == "comparison") | (cells.frame["practice_id"] == "O0P0"))
    rows = small.rows()
    after = dataclasses.replace(rows, frame=expected._performance(rows))
    predicted = risk.predict({"intercept": 20_000.0}, after.frame)
    assert practice_bootstrap.draw(alone, after, predicted, OUTCOMES, small.spec) == {}
