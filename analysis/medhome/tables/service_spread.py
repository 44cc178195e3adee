"""How much does one member's cost of a kind of service vary, before against after the start?

The change of an organisation's mean is a sum over its members. Its variance from members alone is therefore
the sum of squares of each member's own contribution, both periods together (a member who is dear before and
after contributes little). Pooled over organisations and per member, it is what the intervals of effects by
kind of service rest on (`medhome.models.where`).
"""

from __future__ import annotations

import math

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.spec import StudySpec
from medhome.tables.arms import COMPARISON, TREATED
from medhome.tables.engine import fetch
from medhome.tables.panel import Panel

LARGE = "large"
"""Kind of service of members above the yearly cap: all their cost, up to it."""

_WIDE = "decimal(38, 0)"


def spread(panel: Panel, months: Table, large: Table, spec: StudySpec) -> pd.DataFrame:
    """`Triangles.services`: people with cost, and variance of one member's change, by kind of service.

    Arguments
        panel: whose months and kinds of service. months: the months analysed with their 12-month window.
        large: members and windows above the cap.

    Squares and products are summed as whole numbers, so that no order of rows changes them.
    """
    start = spec.periods.start_month
    windows = panel.months.join(months.select("month", "window"), "month")
    below = (
        panel.categories.semi_join(panel.months, ["person_key", "month"])
        .join(months.select("month", "window"), "month")
        .anti_join(large, ["person_key", "window"])
        .select("person_key", "month", "category", cents=_.allowed_cents)
    )
    above = windows.semi_join(large, ["person_key", "window"]).select(
        "person_key", "month", category=ibis.literal(LARGE), cents=_.allowed_capped_cents
    )
    by_person = (
        ibis.union(below, above)
        .group_by("person_key", "category")
        .aggregate(
            s0=_.cents.sum(where=_.month < start).fill_null(0),
            s1=_.cents.sum(where=_.month >= start).fill_null(0),
        )
    )
    exposed = panel.months.group_by("person_key").aggregate(
        w0=_.w.sum(where=_.month < start).fill_null(0), w1=_.w.sum(where=_.month >= start).fill_null(0)
    )
    who = exposed.join(panel.members.select("person_key", "organization_id", "arm"), "person_key")
    mine = by_person.join(who, "person_key")
    keys = ["organization_id", "arm"]
    crossed = [("s0", "s0"), ("s0", "s1"), ("s1", "s1")]
    crossed += [(cost, months) for cost in ("s0", "s1") for months in ("w0", "w1")]
    sums = fetch(
        mine.group_by(*keys, "category")
        .aggregate(
            people=_.count(),
            s0=_.s0.sum(),
            s1=_.s1.sum(),
            **{one + two: _product(mine, one, two) for one, two in crossed},
        )
        .order_by(*keys, "category")
    )
    months_of = fetch(
        who.group_by(*keys)
        .aggregate(
            n0=_.w0.sum(),
            n1=_.w1.sum(),
            w0w0=_product(who, "w0", "w0"),
            w0w1=_product(who, "w0", "w1"),
            w1w1=_product(who, "w1", "w1"),
            months=_.count(),
        )
        .order_by(*keys)
    )
    return _pooled(sums, months_of, spec)


def _product(table: Table, one: str, two: str) -> ibis.Value:
    return (table[one].cast("int64") * table[two].cast("int64")).cast(_WIDE).sum()


def _pooled(sums: pd.DataFrame, months_of: pd.DataFrame, spec: StudySpec) -> pd.DataFrame:
    """The arithmetic of `spread` on sums by organisation: cents and thousandths of member-months."""
    length = len(tuple(spec.periods.analysed))
    frame = sums.merge(months_of, on=["organization_id", "arm"])
    number = {c: frame[c].map(float).to_numpy(dtype=float) for c in frame.columns[2:] if c != "category"}
    n0, n1 = number["n0"] / 1000, number["n1"] / 1000
    known = (n0 > 0) & (n1 > 0)
    a0, a1 = (np.divide(1.0, n, out=np.zeros_like(n), where=n > 0) for n in (n0, n1))
    dollars, mixed, thousandths = 1e-4, 1e-5, 1e-6
    m0, m1 = a0 * number["s0"] / 100, a1 * number["s1"] / 100
    square = {k: number[k] * dollars for k in ("s0s0", "s0s1", "s1s1")}
    cross = {k: number[k] * mixed for k in ("s0w0", "s0w1", "s1w0", "s1w1")}
    months = {k: number[k] * thousandths for k in ("w0w0", "w0w1", "w1w1")}
    after = square["s1s1"] - 2 * m1 * cross["s1w1"] + m1**2 * months["w1w1"]
    before = square["s0s0"] - 2 * m0 * cross["s0w0"] + m0**2 * months["w0w0"]
    both = square["s0s1"] - m0 * cross["s1w0"] - m1 * cross["s0w1"] + m0 * m1 * months["w0w1"]
    variance = a1**2 * after + a0**2 * before - 2 * a1 * a0 * both
    members = (n0 + n1) / length
    rows = []
    for category in sorted(set(frame["category"])):
        own = (frame["category"] == category).to_numpy() & known
        weight = members[own].sum()
        people = frame[frame["category"] == category].groupby("arm")["people"].sum()
        rows.append(
            {
                "category": category,
                "members_treated": float(people.get(TREATED, 0)),
                "members_comparison": float(people.get(COMPARISON, 0)),
                "member_variance": math.fsum(members[own] ** 2 * variance[own]) / weight
                if weight > 0
                else math.nan,
            }
        )
    return pd.DataFrame(rows)
