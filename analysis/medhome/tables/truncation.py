"""High cost truncated, never deleted: the cap of each 12-month window, and what it takes.

Years are windows of 12 months counted from the program's start in both directions, so that none straddles it
(`docs/methods.md`, high-cost truncation).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import IntegerColumn, IntegerValue, Table

from medhome.study.cells import WEIGHT_SCALE
from medhome.study.problems import DataProblem
from medhome.study.spec import StudySpec
from medhome.tables.arms import COMPARISON
from medhome.tables.engine import fetch

if TYPE_CHECKING:
    from medhome.tables.panel import Panel

YEAR = 12


def capped(months: Table, spec: StudySpec, trend: Decimal | None = None) -> Table:
    """What a member-month costs with the cost above the yearly cap cut off (never the member deleted).

    Within a member's window, cost is added up month by month: a month keeps what its cost adds to the running
    sum below the cap. The cap of a window that begins k years from the start is the declared cap times
    (1 + trend)^k, rounded to the cent. A window that the study's ends cut short has the cap of a whole year;
    with ``outcomes.prorate_cap`` each member's window has the cap's share by exposure (12 member-months:
    all of it). ``allowed`` and ``paid`` are capped separately at the same limit.

    Arguments
        months: one row per member-month: ``person_key``, ``month``, ``w``, ``allowed_cents``, ``paid_cents``.
        trend: yearly growth of the cap; ``outcomes.cap_trend`` unless given.

    Adds ``allowed_capped_cents`` and ``paid_capped_cents``.
    """
    if spec.outcomes.cap_usd_per_year is None:
        return months.mutate(allowed_capped_cents=_.allowed_cents, paid_capped_cents=_.paid_cents)
    caps = {k: cap_cents(k, spec, trend) for k in windows(spec)}
    cut = cut_at(months, caps, ("allowed", "paid"), spec)
    joined = months.left_join(cut, ["person_key", "month"])
    return joined.select(
        *months.columns,
        allowed_capped_cents=ibis.coalesce(joined.allowed_cut, joined.allowed_cents),
        paid_capped_cents=ibis.coalesce(joined.paid_cut, joined.paid_cents),
    )


def windows(spec: StudySpec) -> list[int]:
    """The 12-month windows of the months analysed, by years from the program's start."""
    return sorted({(month - spec.periods.start_month) // YEAR for month in spec.periods.analysed})


def cut_at(months: Table, caps: Mapping[int, int], costs: Sequence[str], spec: StudySpec) -> Table:
    """The months of members who pass the cap of a window, with each cost cut: ``<cost>_cut``, in cents.

    Arguments
        caps: cents by window.
        costs: names of costs; ``<cost>_cents`` are columns of the months.

    One row per member-month of such a window: ``person_key``, ``month``, and a column per cost.
    """
    start = spec.periods.start_month
    limits = ibis.memtable(
        [(start + YEAR * k + i, k, cap) for k, cap in caps.items() for i in range(YEAR)],
        schema={"month": "int32", "window": "int32", "limit_cents": "int64"},
    )
    dated = months.join(limits, "month")
    sizes = dated.group_by("person_key", "window", "limit_cents").aggregate(
        exposure=_.w.sum(),
        **{f"{cost}_up": ibis.greatest(dated[f"{cost}_cents"], 0).sum() for cost in costs},
    )
    if spec.outcomes.prorate_cap:
        year = YEAR * WEIGHT_SCALE
        sizes = sizes.mutate(limit_cents=(2 * _.limit_cents * _.exposure + year) // (2 * year))
    # The running sum is needed only where positive cost passes the cap: below it no running sum can.
    heavy = sizes.filter(ibis.or_(*(sizes[f"{cost}_up"] > sizes.limit_cents for cost in costs)))
    heavy = heavy.select("person_key", "window", "limit_cents")
    spread = dated.drop("limit_cents").join(heavy, ["person_key", "window"])
    running = ibis.cumulative_window(group_by=[spread.person_key, spread.window], order_by=spread.month)
    own = {cost: spread[f"{cost}_cents"] for cost in costs}
    sums = spread.select(
        "person_key",
        "month",
        "limit_cents",
        **{f"{cost}_own": column for cost, column in own.items()},
        **{f"{cost}_sum": column.sum().over(running) for cost, column in own.items()},
    )
    return sums.select(
        "person_key",
        "month",
        **{
            f"{cost}_cut": _below(sums[f"{cost}_sum"], sums.limit_cents)
            - _below(sums[f"{cost}_sum"] - sums[f"{cost}_own"], sums.limit_cents)
            for cost in costs
        },
    )


def _below(total: IntegerColumn, limit: IntegerColumn) -> IntegerValue:
    return ibis.least(total, limit)


def cap_cents(window: int, spec: StudySpec, trend: Decimal | None = None) -> int:
    """The cap of the 12-month window that begins this many years after the program's start, in cents."""
    cap = spec.outcomes.cap_usd_per_year
    if cap is None:
        raise ValueError("the study declares no cap")
    return indexed(cap * 100, window, declared_trend(spec) if trend is None else trend)


def indexed(cents: int, window: int, trend: Decimal) -> int:
    """A cap of the year that begins with the program, carried to another window, rounded to the cent.

    >>> indexed(10_000_000, -1, Decimal("0.05"))
    9523810
    """
    return int((cents * (1 + trend) ** window).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def declared_trend(spec: StudySpec) -> Decimal:
    """The yearly growth that the study file declares; 0 where it is to be the comparison arm's."""
    declared = spec.outcomes.cap_trend
    return Decimal(0) if isinstance(declared, str) else Decimal(repr(declared))


def cap_trend(months: Table, assigned: Table, spec: StudySpec) -> Decimal:
    """By how much does the cap grow each year: as declared, or as the comparison arm's cost grew?

    With ``outcomes.cap_trend = "comparison"`` it is the yearly growth of the comparison arm's allowed PMPM,
    nothing cut off, from the baseline to the performance period, over the time between the mean months of
    exposure; rounded to a hundredth of a percent.

    Raises `DataProblem` where that arm has no cost or no exposure on one side.
    """
    if spec.outcomes.cap_trend != "comparison":
        return declared_trend(spec)
    who = assigned.filter(_.arm == COMPARISON).select("person_key")
    after = months.month >= spec.periods.performance.first
    sides = months.mutate(after=after).semi_join(who, "person_key").group_by("after")
    found = fetch(
        sides.aggregate(
            w=_.w.sum(), cents=_.allowed_cents.sum(), moment=(_.w.cast("int64") * _.month).sum()
        ).order_by("after")
    )
    if len(found) < 2 or not (found["cents"] > 0).all():
        raise DataProblem(
            'outcomes.cap_trend = "comparison": the comparison arm has no cost before or after the start; '
            "declare a number instead"
        )
    w, cents, moment = (found[c].to_numpy(dtype=float) for c in ("w", "cents", "moment"))
    years = float(moment[1] / w[1] - moment[0] / w[0]) / YEAR
    growth = float((cents[1] / w[1]) / (cents[0] / w[0])) ** (1 / years) - 1
    return Decimal(repr(round(growth, 4)))


def above_cap(panel: Panel, spec: StudySpec) -> pd.DataFrame:
    """How many members have cost above the cap, and how many dollars? `Truncation.above_cap`."""
    period = ibis.ifelse(panel.months.month < spec.periods.baseline.end, "baseline", "performance")
    arms = panel.members.select("person_key", "arm")
    over = (panel.months.allowed_cents != panel.months.allowed_capped_cents).cast("int8")
    by_member = (
        panel.months.mutate(period=period, over=over)
        .group_by("person_key", "period")
        .aggregate(
            w=_.w.sum(),
            over=_.over.max(),
            cents=_.allowed_cents.sum(),
            kept_cents=_.allowed_capped_cents.sum(),
        )
        .join(arms, "person_key")
    )
    found = fetch(
        by_member.group_by("arm", "period")
        .aggregate(
            members=_.count(),
            members_above=_.over.cast("int64").sum(),
            w=_.w.sum(),
            cents=_.cents.sum(),
            kept_cents=_.kept_cents.sum(),
        )
        .order_by(_.arm.desc(), _.period)
    )
    cents = found["cents"].astype(float)
    cut = (found["cents"] - found["kept_cents"]).astype(float)
    return pd.DataFrame(
        {
            "arm": found["arm"],
            "period": found["period"],
            "members": found["members"],
            "members_above": found["members_above"],
            "member_months": found["w"] / WEIGHT_SCALE,
            "allowed_usd": cents / 100,
            "above_usd": cut / 100,
            "above_share": (cut / cents).where(cents > 0, 0.0),
        }
    )
