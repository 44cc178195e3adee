"""Did cost change because more care was used, or because the same care cost more?

Each service has a code (procedure, else revenue centre; drug; DRG of a stay) and units; a price is allowed
cost per unit. Splits are exact: price and quantity add up to the change (`docs/methods.md`, price and
quantity).
"""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.results import PRICES
from medhome.study.spec import StudySpec
from medhome.tables.adjudication import KEPT
from medhome.tables.engine import fetch


def standard_prices(lines: Table, spec: StudySpec) -> Table:
    """The standard price of each service: mean allowed, and mean paid, per unit in the baseline.

    Arguments
        lines: lines that count: ``month``, ``category``, ``code``, ``units``, ``allowed_cents``,
            ``paid_cents``.

    One row per category and code, and one per category with ``code`` null for all its units together:
    ``allowed_per_unit``, ``paid_per_unit`` (cents). Codes without units or without allowed cost have none.
    """
    baseline = spec.periods.baseline
    before = lines.filter(_.month >= baseline.first, _.month < baseline.end)
    each = before.filter(_.code.notnull()).group_by("category", "code").aggregate(**_sums())
    whole = before.group_by("category").aggregate(**_sums())
    both = ibis.union(each, whole.mutate(code=ibis.null("string")).select(*each.columns))
    return both.filter(_.units > 0, _.allowed_cents > 0).select(
        "category",
        "code",
        allowed_per_unit=_.allowed_cents / _.units,
        paid_per_unit=_.paid_cents / _.units,
    )


def decompose(lines: Table, months: Table, members: Table, spec: StudySpec) -> pd.DataFrame:
    """How much of the change in cost is quantity and how much is price, by kind of service and arm?

    Arguments
        lines: `claims.lines`.
        months: member-months of the model: ``person_key``, ``month``.
        members: ``person_key``, ``person_id``, ``arm``.

    One row per arm and category (`DataQuality.prices`), and one per arm with category "all". In dollars of
    allowed cost per member-month, uncapped. With Q units per member-month and P allowed per unit of each
    code, 0 the baseline and 1 the performance months:

        change = sum P0 (Q1 - Q0) + sum Q1 (P1 - P0)      = sum P1 (Q1 - Q0) + sum Q0 (P1 - P0)

    and ``quantity_pmpm`` and ``price_pmpm`` are the means of both orderings. A price that an arm does not
    show in a period is the standard price of the code (the mean of both arms in the baseline), else the
    arm's own of the other period: then all of the change is quantity. Standardised cost is every unit at its
    standard price, in both periods and arms alike.
    """
    keyed = lines.filter(_.disposition == KEPT).join(
        members.select("person_key", "person_id", "arm"), "person_id"
    )
    seen = keyed.semi_join(months, ["person_key", "month"])
    period = ibis.ifelse(seen.month < spec.periods.start_month, 0, 1)
    named = seen.mutate(period=period, code=seen.code.fill_null("none"))
    units = fetch(
        named.group_by("arm", "category", "code", "period")
        .aggregate(units=(_.units * 1000).round().cast("int64").sum(), allowed_cents=_.allowed_cents.sum())
        .order_by("arm", "category", "code", "period")
    )
    people = fetch(
        named.group_by("arm", "category")
        .aggregate(members=_.person_key.nunique())
        .order_by("arm", "category")
    )
    everyone = fetch(named.group_by("arm").aggregate(members=_.person_key.nunique()).order_by("arm")).assign(
        category="all"
    )
    joined = months.join(members.select("person_key", "arm"), "person_key")
    exposure = fetch(
        joined.mutate(period=ibis.ifelse(joined.month < spec.periods.start_month, 0, 1))
        .group_by("arm", "period")
        .aggregate(member_months=_.w.sum() / 1000)
        .order_by("arm", "period")
    )
    split = split_change(units, exposure)
    counts = pd.concat([people, everyone], ignore_index=True)
    return split.merge(counts, on=["arm", "category"], how="left", sort=False)[list(PRICES)]


def split_change(units: pd.DataFrame, exposure: pd.DataFrame) -> pd.DataFrame:
    """The arithmetic of `decompose` on sums by arm, category, code and period.

    Arguments
        units: ``arm``, ``category``, ``code``, ``period`` (0 or 1), ``units`` (thousandths),
            ``allowed_cents``.
        exposure: ``arm``, ``period``, ``member_months``.
    """
    keys = ["arm", "category", "code"]
    wide = units.pivot(index=keys, columns="period", values=["units", "allowed_cents"])
    wide = wide.reindex(columns=pd.MultiIndex.from_product([["units", "allowed_cents"], [0, 1]]))
    wide = wide.astype("float64").fillna(0.0)
    frame = wide.index.to_frame(index=False)
    months = exposure.set_index(["arm", "period"])["member_months"]
    market = wide.groupby(level=["category", "code"]).sum()
    base = _ratio(market["allowed_cents", 0] / 100, market["units", 0] / 1000)
    standard = base.reindex(pd.MultiIndex.from_frame(frame[["category", "code"]])).to_numpy()
    q, p, cost = [], [], []
    for period in (0, 1):
        n = frame["arm"].map(lambda arm, t=period: float(months.get((arm, t), np.nan))).to_numpy()
        amount = wide["units", period].to_numpy() / 1000
        dollars = wide["allowed_cents", period].to_numpy() / 100
        q.append(amount / n)
        p.append(_ratio(pd.Series(dollars), pd.Series(amount)).to_numpy())
        cost.append(dollars / n)
    p0 = np.where(np.isnan(p[0]), np.where(np.isnan(standard), p[1], standard), p[0])
    p1 = np.where(np.isnan(p[1]), np.where(np.isnan(standard), p0, standard), p[1])
    p0, p1 = np.nan_to_num(p0), np.nan_to_num(p1)
    fixed = np.where(np.isnan(standard), p0, standard)
    # What has cost and no units (a void without its claim, say) is price: it has no quantity to change.
    loose = (cost[1] - p1 * q[1]) - (cost[0] - p0 * q[0])
    frame = frame.assign(
        baseline_pmpm=cost[0],
        performance_pmpm=cost[1],
        change_pmpm=cost[1] - cost[0],
        quantity_at_baseline_prices_pmpm=p0 * (q[1] - q[0]),
        price_at_performance_quantities_pmpm=q[1] * (p1 - p0) + loose,
        quantity_at_performance_prices_pmpm=p1 * (q[1] - q[0]),
        price_at_baseline_quantities_pmpm=q[0] * (p1 - p0) + loose,
        standardised_baseline_pmpm=fixed * q[0],
        standardised_performance_pmpm=fixed * q[1],
    )
    numbers = [c for c in frame.columns if c.endswith("_pmpm")]
    each = frame.groupby(["arm", "category"], as_index=False, sort=True)[numbers].sum()
    whole = frame.groupby("arm", as_index=False, sort=True)[numbers].sum().assign(category="all")
    found = pd.concat([each, whole], ignore_index=True)
    found["quantity_pmpm"] = (
        found["quantity_at_baseline_prices_pmpm"] + found["quantity_at_performance_prices_pmpm"]
    ) / 2
    found["price_pmpm"] = (
        found["price_at_performance_quantities_pmpm"] + found["price_at_baseline_quantities_pmpm"]
    ) / 2
    found["order"] = found["category"].eq("all")
    return found.sort_values(["arm", "order", "category"], ignore_index=True).drop(columns="order")


def _sums() -> dict[str, ibis.Value]:
    # Thousandths of units as whole numbers: sums of doubles would depend on the order of rows.
    return {
        "units": (_.units * 1000).round().cast("int64").sum() / 1000.0,
        "allowed_cents": _.allowed_cents.sum(),
        "paid_cents": _.paid_cents.sum(),
    }


def _ratio(dollars: pd.Series, amount: pd.Series) -> pd.Series:
    return (dollars / amount.where(amount > 0)).astype("float64")
