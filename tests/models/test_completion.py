"""Completion of an effect by hand: two practices, one kind of service, growth of 1.25 after the cut."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from medhome.models import completion
from medhome.models.ladders import growth_variance, ladder
from medhome.models.unpaid import lowest, periods
from medhome.study.cells import Cells
from medhome.study.problems import ModelRefusal
from medhome.study.spec import StudySpec
from medhome.study.triangles import Triangles

FIRST, MONTHS = 2008 * 12, 6
MEMBERS = 10


def study(**keys) -> StudySpec:
    return StudySpec.model_validate(
        {
            "id": "hand", "title": "By hand", "seed": 1, "paid_through": "2008-12",
            "program": {"name": "A program"},
            "periods": {
                "baseline_first": "2008-01", "baseline_last": "2008-03", "start": "2008-04",
                "through": "2008-06", "run_out_months": 0,
            },
            "estimation": {"covariates": []},
            "completion": {"tail_after_lags": 1, **keys},
        }
    )  # fmt: skip


# Dollars PMPM paid by the cut (lag 0). Effect: (90 - 100) - (84 - 80) = -14.
PAID = {"treated": [100.0] * 3 + [90.0] * 3, "comparison": [80.0] * 3 + [84.0] * 3}


def made(later=lambda arm, i: 0.25) -> tuple[Triangles, Cells]:
    """All cost is professional and below the cap; at lag 1 a share of what was paid at lag 0 follows."""
    rows, payments = [], []
    for arm, values in PAID.items():
        for i, value in enumerate(values):
            cents = int(value * MEMBERS * 100)
            rows.append(
                {
                    "organization_id": arm, "practice_id": arm, "arm": arm, "stratum": "adults",
                    "month": FIRST + i, "rows": MEMBERS, "w": MEMBERS * 1000,
                    "w*expected": 0, "w*expected*expected": 0,
                    "w*professional": cents * 1000, "w*expected*professional": 0,
                    "w*allowed_capped": cents * 1000,
                }
            )  # fmt: skip
            payments += [
                (arm, "professional", FIRST + i, 0, cents),
                (arm, "professional", FIRST + i, 1, round(cents * later(arm, i))),
            ]
    frame = pd.DataFrame(rows)
    columns = ["arm", "category", "month", "lag", "allowed_cents"]
    triangles = Triangles(
        payments=pd.DataFrame(payments, columns=columns), paid_through=2008 * 12 + 11, undated_share=0.0,
        cells=Cells(
            scales={"expected": 100, "professional": 100}, frame=frame.drop(columns="w*allowed_capped")
        ),
        categories=("professional",),
    )  # fmt: skip
    keep = [c for c in frame if "professional" not in c and c != "w*expected*expected"]
    cells = Cells(scales={"expected": 100, "allowed_capped": 100}, frame=frame[keep])
    return triangles, cells


def test_pooled_growth_completes_only_the_difference():
    """Growth 1.25 in both arms: -14 becomes -17.50, and regular growth brings no uncertainty."""
    triangles, cells = made()
    spec = study()
    effect = completion._Effect.of(triangles, cells, spec)
    kinds = [ladder(triangles, "professional", spec)]
    assert_allclose(kinds[0].pooled.completion_factor(0), 0.8)
    for separate in (False, True):
        assert_allclose(effect.completed(kinds, 0, separate)[0], -17.5)
        assert_allclose(effect.variance(kinds[0], 0, separate), 0, atol=1e-12)


def test_factors_of_each_arm_s_own_can_manufacture_an_effect():
    """0.25 follows in the program, 0.10 elsewhere: own factors give 1.25 * -10 - 1.10 * 4 = -16.90."""
    triangles, cells = made(lambda arm, i: 0.25 if arm == "treated" else 0.10)
    spec = study(average="all")
    effect = completion._Effect.of(triangles, cells, spec)
    kinds = [ladder(triangles, "professional", spec)]
    assert_allclose(effect.completed(kinds, 0, True)[0], 1.25 * -10 - 1.10 * 4)
    pooled = (1.25 * 570 + 1.10 * 492) / (570 + 492)
    assert_allclose(effect.completed(kinds, 0, False)[0], -14 * pooled)


def test_the_factors_variance_reaches_the_effect_through_its_gradient():
    """(-14)^2 var(g) with pooled factors; (-10)^2 var(g_T) + 4^2 var(g_C) with each arm's own."""
    triangles, cells = made(lambda arm, i: 0.2 + 0.02 * i)
    spec = study()
    effect = completion._Effect.of(triangles, cells, spec)
    kind = ladder(triangles, "professional", spec)
    before = np.array([t + c for t, c in zip(*PAID.values(), strict=True)]) * MEMBERS
    ratio = 1.2 + 0.02 * np.arange(MONTHS)
    f = (before * ratio).sum() / before.sum()
    variance = (before * (ratio - f) ** 2).sum() / (MONTHS - 1) / before.sum()
    assert_allclose(growth_variance(kind.pooled, 0), variance, rtol=1e-9)
    assert_allclose(effect.variance(kind, 0, False), 14**2 * variance, rtol=1e-9)
    own = [growth_variance(kind.own[a], 0) for a in ("treated", "comparison")]
    assert_allclose(effect.variance(kind, 0, True), 100 * own[0] + 16 * own[1], rtol=1e-9)


def test_paid_and_unpaid_by_period_and_arm():
    triangles, cells = made()
    spec = study()
    table = periods(triangles, [ladder(triangles, "professional", spec)], cells, spec, False)
    row = table.set_index(["period", "arm"]).loc[("performance", "treated")]
    assert_allclose(
        row[["paid_pmpm", "completion_factor", "unpaid_pmpm", "completed_pmpm", "member_months"]].astype(
            float
        ),
        [90, 0.8, 22.5, 112.5, 30],
    )


def test_a_month_too_little_paid_ends_the_study():
    triangles, cells = made()
    kinds = [ladder(triangles, "professional", study())]
    assert_allclose(lowest(triangles, kinds, cells, study(), False)["share"], 0.8)
    with pytest.raises(ModelRefusal, match=r"only 80\.0% is estimated to be paid 0 months after service"):
        strict = study(refuse_below=0.85)
        lowest(triangles, kinds, cells, strict, False)


def test_too_short_a_history_is_no_completion():
    triangles, cells = made()
    spec = study()
    short = Triangles(**{**vars(triangles), "paid_through": FIRST + 2})
    found = completion.estimate(short, cells, None, spec)
    assert not found.available and "2 months of service, fewer than 3" in found.reason
    assert math.isclose(triangles.undated_share, 0)
