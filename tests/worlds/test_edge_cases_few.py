"""Edge cases of the estimate, by hand: one month before, few and uneven organisations, cost all alike.

Members of an organisation cost $10 more or less than its mean, by turns, in every month.
"""

from __future__ import annotations

import pandas as pd
import pytest
from example import report
from member_months import cells_of, pairs_of
from numpy.testing import assert_allclose
from test_did import FIRST, study

from medhome.models import did
from medhome.models import risk as cost_model
from medhome.models.checks import _before_the_start, _organizations
from medhome.reporting import pages
from medhome.study.cells import Rows
from medhome.study.problems import ModelRefusal

COST = {"T": (100, 90), "A": (100, 104), "B": (100, 100), "C": (100, 102)}
"""Dollars PMPM of each organisation before and after the start; T is the program."""


def estimate(members: dict[str, int], before: int, after: int, cost=COST, apart: float = 10.0):
    rows = [
        (
            o,
            o,
            "treated" if o == "T" else "comparison",
            "adults",
            FIRST + month,
            f"{o}{i}",
            round(100 * (cost[o][month >= before] + (apart if i % 2 else -apart))),
            0,
        )
        for o, many in members.items()
        for i in range(many)
        for month in range(before + after)
    ]
    keys = ["organization_id", "practice_id", "arm", "stratum", "month", "member"]
    frame = pd.DataFrame(rows, columns=[*keys, "allowed_capped", "expected"])
    return did.estimate(cells_of(frame), pairs_of(frame), study(before, after, covariates=[]))


EQUAL = dict.fromkeys("TABC", 4)


def test_17_one_month_before_the_start_is_said_in_words():
    """T falls by 10, the others rise by 4, 0 and 2, on average 2: an effect of -12.00, no pre-trend."""
    found = estimate(EQUAL, before=1, after=2)
    assert_allclose(found.headline.value, -12.0, rtol=1e-12)
    assert found.pre_trend.value is None and found.pre_trend.ci95 is None
    assert "cannot be estimated" in found.pre_trend.why
    (check,) = _before_the_start(found)
    assert check.front_page and check.passed is None and "could not be estimated" in check.sentence
    shown = pages.before_the_start(report(did=found)).text
    assert "cannot be estimated" in shown or "could not be estimated" in shown
    assert "nan" not in shown.lower() and "None" not in shown


def test_18_one_treated_few_compared_and_one_of_them_most_of_the_weight():
    """Comparison members 4, 2, 2: (4 x 4 + 2 x 0 + 2 x 2) / 8 = 2.50, so -12.50. With 8, 2, 2: A has 67%."""
    found = estimate(EQUAL | {"B": 2, "C": 2}, before=3, after=3)
    assert_allclose(found.headline.value, -12.5, rtol=1e-12)
    assert not any("of the weight" in warning for warning in found.warnings)
    found = estimate(EQUAL | {"A": 8, "B": 2, "C": 2}, before=3, after=3)
    # (8 x 4 + 2 x 0 + 2 x 2) / 12 = 3.00
    assert_allclose(found.headline.value, -13.0, rtol=1e-12)
    said = " ".join(found.warnings)
    assert "One organisation holds 67% of the weight of the comparison arm" in said
    assert "With one treated and 3 comparison organisations no randomisation test can reach 5%" in said
    assert "its smallest p-value is 0.25" in said
    checks = {check.id: check for check in _organizations(found)}
    assert checks["comparison-organizations"].passed is False
    assert checks["comparison-organizations"].front_page
    assert "has 3 organisations; with fewer than 8" in checks["comparison-organizations"].sentence
    assert "one-treated-organization" in checks


def test_18_one_comparison_organisation_is_refused():
    with pytest.raises(ModelRefusal, match="fewer than 2 comparison organisations"):
        estimate({"T": 4, "A": 4}, before=3, after=3)


@pytest.mark.parametrize("cost", [COST, dict.fromkeys("TABC", (0, 0)), COST | {"T": (0, 0)}])
def test_19_members_who_all_cost_the_same_are_refused_by_name(cost):
    """No variation between members, and none because all cost is zero."""
    with pytest.raises(ModelRefusal, match=r"no variation between members .* medical_claim and pharmacy_cl"):
        estimate(EQUAL, before=3, after=3, cost=cost, apart=0.0)


def test_19_one_cell_without_variation_is_no_obstacle():
    """T has a single member, who costs 90 and 80: -10 against +2, an effect of -12.00 with an interval."""
    found = estimate(EQUAL | {"T": 1}, before=3, after=3)
    assert_allclose(found.headline.value, -12.0, rtol=1e-12)
    low, high = found.headline.ci95
    assert low < -12.0 < high


def test_19_a_cost_model_without_any_cost_is_refused():
    frame = pd.DataFrame(
        {
            "organization_id": "O1",
            "practice_id": ["P1", "P2"],
            "arm": "comparison",
            "stratum": "adults",
            "period": "baseline",
            "w": [12_000, 12_000],
            "allowed_capped": [0, 0],
            "age_sex:F18-24": [1, 0],
            "age_sex:F25-34": [0, 1],
        }
    )
    terms = {"age_sex:F18-24": "Women 18 to 24", "age_sex:F25-34": "Women 25 to 34"}
    with pytest.raises(ModelRefusal, match=r"adds up to 0\.00 dollars; a cost model needs cost above zero"):
        cost_model.fit(Rows(frame=frame, terms=terms), study())
