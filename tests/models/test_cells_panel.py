"""A study's cells as a panel for other estimators: the same cost, the same effect, by hand where possible."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from member_months import ZERO, cells_of, member_months
from numpy.testing import assert_allclose

from medhome.models.cells_panel import before_and_after, months_panel, quarters_panel
from medhome.models.panels.event_study import event_study
from medhome.models.panels.twfe import twfe
from medhome.models.panels.two_by_two import did2x2
from medhome.models.twfe import TwoWayFit
from medhome.models.twfe import twfe as of_cells

FIRST_POST = ZERO + 15


@pytest.fixture(scope="module")
def fit() -> TwoWayFit:
    rows = member_months(11, months=27, start=15, organizations=5, practices=2, members=7, stay=0.85)
    return of_cells(cells_of(rows), "allowed_capped", ["expected"], first_post=FIRST_POST)


def test_two_way_fixed_effects_of_the_panel_are_those_of_the_cells(fit):
    data = months_panel(fit, FIRST_POST)
    assert_allclose(twfe(data).estimate, fit.coefficients[0], rtol=1e-9)
    assert data.weights.sum() == fit.panel.members.sum()
    plain = months_panel(fit, FIRST_POST, adjusted=False)
    assert plain.covariate_names == ("expected",)
    mean = (fit.panel.y * fit.panel.members).sum() / fit.panel.members.sum()
    for one in (data, plain):
        assert_allclose(one.weights @ one.outcome / one.weights.sum(), mean, rtol=1e-9)


def test_before_and_after_is_the_mean_change_of_the_organisations(fit):
    data = before_and_after(fit, FIRST_POST)
    assert data.units == 5 and data.times.tolist() == [0.0, 1.0]
    y = data.outcome.reshape(5, 2)
    alone = dataclasses.replace(data, weights=np.ones(10))
    by_hand = (y[0, 1] - y[0, 0]) - (y[1:, 1] - y[1:, 0]).mean()
    assert_allclose(did2x2(alone).estimate, by_hand, rtol=1e-9)


def test_quarters_are_member_weighted_means_of_their_months(fit):
    data = quarters_panel(fit, FIRST_POST, FIRST_POST, "organization")
    assert data.times.tolist() == [-5, -4, -3, -2, -1, 0, 1, 2, 3]
    assert data.balanced and data.cohorts.tolist() == [0.0]
    months = months_panel(fit, FIRST_POST)
    first = (months.cluster == 0) & (months.time < 3)
    weight = months.weights[first]
    assert_allclose(data.outcome[0], weight @ months.outcome[first] / weight.sum(), rtol=1e-12)
    assert_allclose(data.weights[0], weight.sum())
    by_practice = quarters_panel(fit, FIRST_POST, FIRST_POST)
    assert by_practice.units == 10 and by_practice.clusters == 5
    found = event_study(by_practice)
    assert found.table["event_time"].tolist() == list(range(-5, 4))


def test_practices_without_members_leave_no_rows(fit):
    members = fit.panel.members.copy()
    members[0] = 0.0
    panel = dataclasses.replace(fit.panel, members=members)
    data = months_panel(dataclasses.replace(fit, panel=panel), FIRST_POST)
    assert data.units == 9 and data.clusters == 5
    members[1] = 0.0
    panel = dataclasses.replace(fit.panel, members=members)
    assert months_panel(dataclasses.replace(fit, panel=panel), FIRST_POST).clusters == 4
