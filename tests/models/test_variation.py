"""Cells without variance are told of; cells of few members, or without cost, are not."""

import pandas as pd

from medhome.models.variation import variation
from medhome.study.cells import Cells


def cells(rows):
    """(practice, month, members, cents of each) of practice-months."""
    frame = pd.DataFrame(rows, columns=["practice_id", "month", "rows", "first", "other"])
    n = frame["rows"]
    total = frame["first"] + (n - 1) * frame["other"]
    squares = frame["first"] ** 2 + (n - 1) * frame["other"] ** 2
    frame = frame.assign(organization_id="O", arm="treated", stratum="adults", w=1000 * n)
    frame["w*allowed_capped"], frame["w*allowed_capped*allowed_capped"] = 1000 * total, 1000 * squares
    return Cells(scales={"allowed_capped": 100}, frame=frame.drop(columns=["first", "other"]))


def test_a_practice_month_in_which_all_cost_the_same_is_a_warning():
    found = list(variation(cells([("P1", 1, 20, 500, 500), ("P1", 2, 20, 500, 501), ("P2", 1, 30, 0, 9)])))
    assert len(found) == 1 and found[0].passed is False and found[0].front_page
    assert "In 1 of 3 practice-months" in found[0].sentence and "of 1 practice," in found[0].sentence


def test_nobody_with_cost_and_few_members_are_no_warning():
    found = list(variation(cells([("P1", 1, 20, 0, 0), ("P1", 2, 20, 5, 6), ("P2", 1, 10, 500, 500)])))
    assert [c.passed for c in found] == [True]
    assert list(variation(cells([("P2", 1, 10, 500, 500)]))) == []
