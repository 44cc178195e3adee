"""Points, ranks and reasons of the high-risk list, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medhome.models.high_risk import Found, listed, scored
from medhome.study.list_choices import Criterion, Lists

LABELS = {"copd": "COPD", "renal": "Chronic kidney disease"}


def members(n: int, predicted=None) -> pd.DataFrame:
    values = np.full(n, np.nan) if predicted is None else np.array(predicted, dtype=float)
    return pd.DataFrame({"person_id": [f"M{i}" for i in range(n)], "predicted": values})


def points(criterion: Criterion, **values) -> tuple[list[int], list[str]]:
    arrays = {name: np.array(v, dtype=float) for name, v in values.items()}
    n = len(next(iter(arrays.values())))
    found = scored(members(n), [Found(criterion=criterion, values=arrays)], LABELS, "usd")
    return found[f"points_{criterion.kind}"].tolist(), found["reasons"].tolist()


def test_the_top_share_of_predictions_has_all_who_tie():
    criterion = Criterion(kind="predicted_cost", top_share=0.2, points=3)
    cost = [100, 900, 900, 50, 10, 20, 30, 40, 60, np.nan]
    given, reasons = points(criterion, predicted_cost=cost)  # a fifth of nine is two
    assert given == [0, 3, 3, 0, 0, 0, 0, 0, 0, 0]
    assert reasons[1] == "predicted cost $900.00 PMPM, in the top 20% (3 points)"
    cost[3] = 900
    assert points(criterion, predicted_cost=cost)[0][3] == 3


def test_dollars_may_be_asked_for():
    given, reasons = points(
        Criterion(kind="predicted_cost", at_least=500, points=1), predicted_cost=[499.99, 500]
    )
    assert given == [0, 1] and reasons == ["", "predicted cost $500.00 PMPM (1 point)"]


def test_conditions_count_once_or_each():
    held = {"copd": [1, 1, 0], "renal": [0, 1, 0]}
    once = Criterion(kind="conditions", any_of=["copd", "renal"], points=2)
    assert points(once, **held) == (
        [2, 2, 0],
        ["COPD (2 points)", "COPD, Chronic kidney disease (2 points)", ""],
    )
    assert points(once.model_copy(update={"each": True}), **held)[0] == [2, 4, 0]


def test_events_count_from_the_fewest_on():
    twice = Criterion(kind="emergency_visits", at_least=2, months=6, points=1)
    given, reasons = points(twice, emergency_visits=[0, 1, 2, 5])
    assert given == [0, 0, 1, 1] and reasons[3] == "5 emergency visits in 6 months (1 point)"
    assert points(twice.model_copy(update={"each": True}), emergency_visits=[1, 3])[0] == [0, 3]
    gaps = Criterion(kind="open_gaps", points=4)
    assert points(gaps, open_gaps=[0, 1])[1] == ["", "1 gap in care open (4 points)"]


def test_points_add_up_over_criteria_and_kinds():
    many = [
        Found(criterion=Criterion(kind="admissions", points=2), values={"admissions": np.array([1, 0])}),
        Found(
            criterion=Criterion(kind="admissions", points=3, months=3),
            values={"admissions": np.array([1, 0])},
        ),
        Found(criterion=Criterion(kind="open_gaps", points=1), values={"open_gaps": np.array([1, 1])}),
    ]
    found = scored(members(2), many, LABELS, "usd")
    assert found["score_points"].tolist() == [6, 1] and found["points_admissions"].tolist() == [5, 0]
    assert found["reasons"][0].count(";") == 2


def ranked(choices: Lists, score: list[int], predicted: list[float]) -> list[tuple[int, str]]:
    frame = members(len(score), predicted).assign(score_points=score)
    found = listed(frame, choices)
    return list(zip(found["rank"], found["person_id"], strict=True))


CRITERIA = [Criterion(kind="open_gaps", points=1)]


def test_ranks_go_by_points_then_by_prediction_and_ties_share_one():
    choices = Lists(criteria=CRITERIA, threshold_points=1)
    found = ranked(choices, [1, 5, 5, 5, 0], [10, 20, 30, 20, 99])
    assert found == [(1, "M2"), (2, "M1"), (2, "M3"), (4, "M0")]
    assert ranked(choices, [2, 2], [np.nan, np.nan]) == [(1, "M0"), (1, "M1")]


def test_the_list_ends_at_the_share_or_the_threshold():
    score, cost = [5, 4, 3, 2, 1, 0, 0, 0, 0, 0], [0.0] * 10
    assert [m for _, m in ranked(Lists(criteria=CRITERIA, top_share=0.2), score, cost)] == ["M0", "M1"]
    assert [m for _, m in ranked(Lists(criteria=CRITERIA, threshold_points=3), score, cost)] == [
        "M0",
        "M1",
        "M2",
    ]
    assert len(ranked(Lists(criteria=CRITERIA, top_share=0.9), score, cost)) == 5  # nobody without points
    tie = [5, 4, 4, 2, 1, 0, 0, 0, 0, 0]
    assert len(ranked(Lists(criteria=CRITERIA, top_share=0.2), tie, cost)) == 3
    assert len(ranked(Lists(criteria=CRITERIA), score, cost)) == 1  # 5% unless said
