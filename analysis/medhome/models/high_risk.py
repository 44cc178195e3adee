"""Who is high-risk by the criteria and weights that both parties agreed on? Points, ranks and reasons.

No probability and no estimate: points are added up as declared, so that a care manager can follow each of
them (`docs/lists.md`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.study.list_choices import ADMISSIONS, CONDITIONS, EMERGENCY, KINDS, PREDICTED, Criterion, Lists

_NOUNS = {
    ADMISSIONS: ("admission", "admissions"),
    EMERGENCY: ("emergency visit", "emergency visits"),
    "open_gaps": ("gap in care open", "gaps in care open"),
}


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a criterion found for each member (N,): the prediction, a count, or 0/1 by condition."""

    criterion: Criterion
    values: Mapping[str, np.ndarray]


def scored(
    members: pd.DataFrame, found: Sequence[Found], labels: Mapping[str, str], unit: str
) -> pd.DataFrame:
    """Members with their points by kind, their sum and the reasons in words.

    Arguments
        members: one row per member. found: one for each criterion of the study. labels: of conditions. unit:
            of the prediction: "usd" (PMPM) or "score".

    Adds ``points_<kind>``, ``score_points``, ``reasons``.

    >>> criterion = Criterion(kind="admissions", points=2, at_least=1, each=True)
    >>> members = pd.DataFrame({"person_id": ["A", "B"]})
    >>> counts = Found(criterion=criterion, values={"admissions": np.array([0, 3])})
    >>> scored(members, [counts], {}, "usd")[["score_points", "reasons"]].to_numpy().tolist()
    [[0, ''], [6, '3 admissions in 12 months (6 points)']]
    """
    N = len(members)
    points = {kind: np.zeros(N, dtype=np.int64) for kind in KINDS}
    reasons: list[list[str]] = [[] for _ in range(N)]
    for one in found:
        c = one.criterion
        values = sum(one.values.values(), start=np.zeros(N))
        given = _points(c, values)
        points[c.kind] += given
        for row in np.flatnonzero(given):
            named = [labels.get(name, name) for name, held in one.values.items() if held[row]]
            said = _said(c, ", ".join(named), values[row], unit)
            reasons[row].append(f"{said} ({_counted(int(given[row]), 'point', 'points')})")
    columns = {f"points_{kind}": values for kind, values in points.items()}
    return members.assign(
        **columns,
        score_points=np.sum(list(points.values()), axis=0),
        reasons=pd.Series(["; ".join(r) for r in reasons], index=members.index, dtype="str"),
    )


def _points(c: Criterion, values: np.ndarray) -> np.ndarray:
    if c.kind == PREDICTED:
        return np.where(values >= _cut(c, values), c.points, 0).astype(np.int64)
    return np.where(values >= c.fewest, c.points * (values if c.each else 1), 0).astype(np.int64)


def _cut(c: Criterion, values: np.ndarray) -> float:
    """The smallest prediction that gives points; members without one have none."""
    if c.at_least is not None:
        return c.at_least
    known = np.sort(values[~np.isnan(values)])[::-1]
    return float(known[_share_of(c.top_share or 0, len(known)) - 1]) if len(known) else math.inf


def _share_of(share: float, members: int) -> int:
    """How many members are a share, rounded up; 5% of 100 are 5, whatever 0.05 is in binary."""
    return max(1, math.ceil(round(share * members, 9)))


def _said(c: Criterion, conditions: str, value: float, unit: str) -> str:
    if c.kind == CONDITIONS:
        return conditions
    if c.kind == PREDICTED:
        what = f"predicted cost ${value:,.2f} PMPM" if unit == "usd" else f"score {value:.4g}"
        return what if c.top_share is None else f"{what}, in the top {100 * c.top_share:g}%"
    many = _counted(int(value), *_NOUNS[c.kind])
    return f"{many} in {_counted(c.months, 'month', 'months')}" if c.looks_back else many


def _counted(n: int, one: str, several: str) -> str:
    return f"{n} {one if n == 1 else several}"


def listed(members: pd.DataFrame, choices: Lists) -> pd.DataFrame:
    """The members of the high-risk list with their ``rank``, highest first.

    Arguments
        members: `scored`, with ``predicted`` (NaN where there is none).

    On the list is who has points: at least ``threshold_points``, or among the top share of all members (with
    all who tie with the last of them). Ranks go by points, then by prediction; ties share a rank.
    """
    order = members.assign(by=members["predicted"].fillna(-math.inf))
    order = order.sort_values(
        ["score_points", "by", "person_id"], ascending=[False, False, True], ignore_index=True
    )
    new = (order[["score_points", "by"]] != order[["score_points", "by"]].shift()).any(axis=1)
    first = pd.Series(np.arange(1, len(order) + 1)).where(new).ffill().astype("int64")
    order = order.assign(rank=first.to_numpy()).drop(columns="by")
    if choices.share is None:
        on = order["score_points"] >= (choices.threshold_points or 1)
    else:
        on = (order["rank"] <= _share_of(choices.share, len(order))) & (order["score_points"] > 0)
    return order[on].reset_index(drop=True)
