"""Joint tests of the periods before the start: by hand, and as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from few_cluster_worlds import BEFORE, MEAN, MONTHS, draw, member_covariance, sizes
from numpy.testing import assert_allclose
from scipy import stats

from medhome.models.event_study import Quarters
from medhome.models.inference.random_effects import re_panel
from medhome.models.organization_months import OrganizationMonths
from medhome.models.pre_trend import _exchange, by_hotelling, shocks


def test_two_periods_by_hand():
    """b = (2, -1), variances 4 and 1: W = 1 + 1."""
    found = shocks(np.array([2.0, -1.0]), np.diag([4.0, 1.0]), np.array([-0.5, -0.25]))
    assert_allclose([found["statistic"], found["p"]], [2.0, stats.chi2.sf(2.0, 2)])
    # A drift d has noncentrality d^2 (0.25/4 + 0.0625/1) = d^2 / 8; 80% power with 2 df needs 9.6347.
    assert_allclose(found["detectable"], np.sqrt(8 * 9.6347), rtol=1e-4)


def test_the_drift_is_found_as_often_as_it_says():
    rng = np.random.default_rng([9])
    root = np.array([[2.0, 0.0], [0.7, 1.0]])
    years = np.array([-0.5, -0.25])
    drift = shocks(np.zeros(2), root @ root.T, years)["detectable"]
    draws = years * drift + rng.normal(size=(4000, 2)) @ root.T
    w = np.einsum("bi,ij,bj->b", draws, np.linalg.inv(root @ root.T), draws)
    assert abs((w > stats.chi2.ppf(0.95, 2)).mean() - 0.8) < 0.02


def test_hotelling_by_hand_and_refused():
    """Two periods, 10 and 20 organisations: W (30-3)/(2*28) against F(2, 27)."""
    found = by_hotelling(np.array([2.0, -1.0]), np.diag([4.0, 1.0]), np.array([-2.0, -1.0]), (10, 20))
    assert_allclose(found["statistic"], 2.0 * 27 / 56)
    assert_allclose(found["p"], stats.f.sf(2.0 * 27 / 56, 2, 27))
    refused = by_hotelling(np.zeros(3), np.eye(3), np.array([-3.0, -2, -1]), (10, 20))
    assert "p" not in refused and "3 periods for 10 organisations" in str(refused["note"])


@pytest.mark.parametrize("kind", ["large", "equal"])
def test_an_exchanged_label_is_as_extreme_as_chance_says(kind):
    """Thirteen organisations without any effect: a label in k of 13 has p = k / 13; 60 worlds, so that the
    share with p of 4/13 or less is 31% with a standard error of 6 points."""
    members, covariance = sizes(kind, 1, 12), member_covariance()
    treated = np.arange(13) < 1
    number = np.array([-6, -6, *np.repeat(np.arange(-5, 4), 3)])
    quarters = Quarters(number=tuple(range(-6, 4)), reference=-1, estimated=(), of_month=number)
    worlds = draw(np.random.default_rng([31, len(kind)]), members, 60)
    model = re_panel(worlds[0], members, treated, BEFORE, covariance, MEAN)
    p = []
    for y in worlds:
        by_month = np.repeat(members[:, None], MONTHS, axis=1)
        months = OrganizationMonths(
            y=y, members=by_month, treated=treated, months=np.arange(MONTHS), mean=MEAN
        )
        p.append(_exchange(quarters, [-6, -5, -4, -3, -2], months, covariance, model, 1)["p"])
    assert {round(13 * one) for one in p} <= set(range(1, 14))
    assert 0.10 < (np.array(p) < 4.5 / 13).mean() < 0.50
