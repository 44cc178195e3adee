"""Orphan cost: claims that count, in a month in which their member has no exposure.

By default such cost is dropped, as a step of its own. Kept, it goes to the nearest month of the same member
and period: dollars without member-months (`docs/methods.md`, member months).
"""

from __future__ import annotations

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.results import ORPHANS
from medhome.study.spec import StudySpec
from medhome.tables.claims import KEPT
from medhome.tables.engine import fetch
from medhome.tables.waterfall import arm_of, period_of

_AMOUNTS = ("lines", "allowed_cents", "paid_cents")


def orphaned(booked: Table, exposure: Table, spec: StudySpec) -> Table:
    """What cost counts in months analysed in which its member was not enrolled by the exposure rule?

    Arguments
        booked: `claims.ledger`.
        exposure: member-months of everyone, ``person_key`` and ``month``, whatever rule drops them later.

    One row per member and month: ``person_key`` (null: people in no enrolment span, one row a month),
    ``month``, ``lines``, ``allowed_cents``, ``paid_cents``.
    """
    counted = booked.filter(_.disposition == KEPT, _.month.isin(list(spec.periods.analysed)))
    return (
        counted.anti_join(exposure, ["person_key", "month"])
        .group_by("person_key", "month")
        .aggregate(**{name: counted[name].sum().cast("int64") for name in _AMOUNTS})
    )


def carried(orphans: Table, months: Table, spec: StudySpec) -> Table:
    """The same cost in the member-month that it is counted with, where the study keeps it.

    Arguments
        orphans: `orphaned`.
        months: member-months of the model.

    One row per member-month that gets some: ``person_key``, ``month``, ``lines``, ``allowed_cents``,
    ``paid_cents``. It is the month nearest to that of the service, the earlier of two, of the same period;
    a member without one has no practice to charge, and the cost stays out.
    """
    homes = months.select("person_key", home=months.month)
    both = orphans.join(homes, "person_key")
    both = both.filter(period_of(both.month, spec) == period_of(both.home, spec))
    near = ibis.row_number().over(
        group_by=[both.person_key, both.month], order_by=[(both.home - both.month).abs(), both.home]
    )
    chosen = both.mutate(near=near).filter(_.near == 0)
    return chosen.group_by("person_key", month=_.home).aggregate(
        **{name: chosen[name].sum().cast("int64") for name in _AMOUNTS}
    )


def with_carried(months: Table, extra: Table) -> Table:
    """Member-months with `carried` cost added to their own; exposure stays as it is."""
    joined = months.left_join(extra, ["person_key", "month"])
    added = {name: months[name] + joined[f"{name}_right"].fill_null(0) for name in _AMOUNTS}
    return joined.select(**{c: added.get(c, months[c]) for c in months.columns})


def listed(orphans: Table, extra: Table | None, assigned: Table, spec: StudySpec) -> pd.DataFrame:
    """`DataQuality.orphans`: members, lines and dollars without exposure, by arm and period.

    Arguments
        extra: `carried`, where the study keeps orphan cost.
        assigned: one row per person with ``arm``.

    ``members`` counts people with an enrolment span somewhere. All rows together are the step "orphan" of
    the reconciliation with the sign turned; ``kept_allowed_usd`` is the step "orphan_kept".
    """
    keys = ["arm", "period"]
    owners = assigned.select(owner=assigned.person_key, arm=assigned.arm)

    def placed(table: Table) -> Table:
        joined = table.left_join(owners, table.person_key == owners.owner)
        return joined.mutate(arm=arm_of(joined.arm), period=period_of(joined.month, spec))

    found = fetch(
        placed(orphans)
        .group_by(keys)
        .aggregate(members=_.person_key.nunique(), **{name: _[name].sum() for name in _AMOUNTS})
        .order_by(keys)
    )
    kept = pd.Series(0, index=found.index)
    if extra is not None:
        stays = fetch(placed(extra).group_by(keys).aggregate(kept=_.allowed_cents.sum()).order_by(keys))
        kept = found.merge(stays, on=keys, how="left")["kept"].fillna(0)
    frame = found.assign(
        members=found["members"].astype("int64"),
        lines=found["lines"].astype("int64"),
        allowed_usd=found["allowed_cents"] / 100,
        paid_usd=found["paid_cents"] / 100,
        kept_allowed_usd=kept.to_numpy() / 100,
    )
    return frame[list(ORPHANS)]
