"""Leaving and who is there, by hand and under a true null."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medhome.models import selection
from medhome.study.cells import Cells, moment_name
from medhome.study.periods import month_index
from medhome.study.spec import _validated


def study():
    return _validated(
        {
            "id": "a",
            "title": "A",
            "seed": 1,
            "paid_through": "2009-12",
            "program": {"name": "P"},
            "periods": {
                "baseline_first": "2008-01",
                "baseline_last": "2008-06",
                "start": "2008-07",
                "through": "2009-06",
            },
        },
        "test",
    )


def cells(mean: dict[str, tuple[float, float]], sd: float = 100.0) -> Cells:
    """One cell each side: frozen expected cost of organisations before and after, in dollars."""
    rows = []
    for name, values in mean.items():
        for month, value in zip(("2008-01", "2008-07"), values, strict=True):
            cents, w = round(100 * value), 1000 * 1000
            rows.append((name, arm(name), month_index(month), 1000, w, w * cents,
                         w * (cents**2 + round((100 * sd) ** 2))))  # fmt: skip
    columns = ["organization_id", "arm", "month", "rows", "w", moment_name("expected")]
    frame = pd.DataFrame(rows, columns=[*columns, moment_name("expected", "expected")])
    return Cells(keys=("organization_id", "arm", "month"), scales={"expected": 100}, frame=frame)


def arm(name: str) -> str:
    return "treated" if name.startswith("T") else "comparison"


def organizations(left: dict[str, tuple[int, int]], months: float = 6000.0) -> pd.DataFrame:
    rows = [
        (name, arm(name), period, months, 1000.0, n, 0, 0)
        for name, counts in left.items()
        for period, n in zip(("baseline", "performance"), counts, strict=True)
    ]
    columns = ["organization_id", "arm", "period", "member_months", "members", "left", "died", "entered"]
    return pd.DataFrame(rows, columns=columns)


def test_exits_by_arm_and_period():
    found = selection.exits(organizations({"T": (6, 12), "C1": (3, 3), "C2": (9, 3)}))
    assert found["arm"].tolist() == ["treated", "treated", "comparison", "comparison"]
    assert found["members"].tolist() == [6, 12, 12, 6]
    assert found["per_1000"].tolist() == [1.0, 2.0, 1.0, 0.5]


def test_equal_organisations_give_the_plain_difference_of_changes():
    """Ten comparisons whose leaving rises from 10 to 11 per 1,000, and the program's from 10 to 14."""
    left = {"T": (60, 84)} | {f"C{i}": (60, 66) for i in range(10)}
    there = {"T": (300.0, 290.0)} | {f"C{i}": (300.0, 298.0) for i in range(10)}
    found = selection.effects(organizations(left), cells(there), study()).set_index("outcome")
    assert found.loc["exit_rate", "estimate"] == pytest.approx(4 - 1)
    assert found.loc["composition", "estimate"] == pytest.approx(-10 + 2)
    assert (found["lo95"] < found["estimate"]).all() and (found["estimate"] < found["hi95"]).all()
    # Poisson: 10 per 1,000 before and 11.36 after over 6,000 months each; ten comparisons add a tenth.
    variance = 1000 * (660 / 66000 * 1000 + 744 / 66000 * 1000) / 6000
    assert found.loc["exit_rate", "se"] > np.sqrt(variance * 1.1)
    assert found["organizations"].tolist() == [11, 11] and found["note"].tolist() == ["", ""]


def test_few_comparison_organisations_have_an_interval_and_no_p_value():
    left = {"T": (60, 84), "C1": (60, 66), "C2": (60, 70), "C3": (60, 60)}
    there = {name: (300.0, 299.0) for name in left}
    found = selection.effects(organizations(left), cells(there), study())
    assert found["p"].isna().all() and found["se"].notna().all()
    assert found["note"].str.startswith("no p-value: fewer than 8").all()


def test_without_organisations_on_both_sides_nothing_is_estimated():
    left = {"T": (1, 1), "C1": (1, 1)}
    there = {name: (300.0, 299.0) for name in left}
    only_before = organizations(left).query("period == 'baseline' or arm == 'treated'")
    found = selection.effects(only_before, cells(there), study())
    assert found["estimate"].isna().all() and found["note"].str.startswith("an arm has no organisation").all()
    alone = selection.effects(organizations(left), cells(there, sd=0.0), study())
    assert alone["estimate"].tolist() == [0.0, 0.0] and alone["se"].isna().all()


def test_under_a_true_null_with_one_treated_organisation_one_study_in_twenty_is_significant():
    """300 studies of one treated and twelve comparison organisations that drift by themselves."""
    rng = np.random.default_rng([20260101, 1])
    rejected = 0
    runs = 300
    for _run in range(runs):
        left = {}
        for name in ("T", *(f"C{i}" for i in range(12))):
            drift = np.exp(rng.normal(0, 0.25))
            left[name] = (int(rng.poisson(60)), int(rng.poisson(60 * drift)))
        there = {name: (300.0, 300.0) for name in left}
        found = selection.effects(organizations(left), cells(there), study()).set_index("outcome")
        rejected += int(found.loc["exit_rate", "p"] < 0.05)
    assert 0.01 <= rejected / runs <= 0.09
