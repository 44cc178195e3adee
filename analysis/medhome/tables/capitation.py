"""What does care cost that is paid by capitation? One rule for both arms, chosen in the study file.

An encounter under capitation reaches the claims with an allowed amount of zero, or with what a fee schedule
would have paid. Left as it is, a practice that moves to capitation looks cheaper (`docs/methods.md`,
capitation). Rows made here have ``added`` true and no claim line behind them.
"""

from __future__ import annotations

import datetime as dt

import ibis
from ibis import _
from ibis.expr.types import Table

from medhome.study.spec import StudySpec
from medhome.tables.adjudication import KEPT
from medhome.tables.prices import standard_prices

MID_MONTH_DAY = 15


def added_cost(lines: Table, eligibility: Table, spec: StudySpec) -> Table | None:
    """The cost that the study's rule on capitation adds to the claims; none where it adds nothing.

    Arguments
        lines: adjudicated lines with ``code``, ``units`` and ``capitated``.
        eligibility: spans with ``x_capitated``.

    One row per encounter or payment: ``person_id``, ``month``, ``category``, ``allowed_cents``,
    ``paid_cents``.
    """
    if spec.claims.capitation == "shadow_price":
        return shadow_prices(lines, spec)
    if spec.claims.capitation == "add_payment":
        return payments(eligibility, spec)
    return None


def shadow_prices(lines: Table, spec: StudySpec, encounters: Table | None = None) -> Table:
    """Encounters under capitation that are allowed nothing, at the standard price of their service.

    The standard price of a code is the mean allowed per unit in the baseline of all fee-for-service lines in
    the files, of both arms and everyone else; a code without one takes its category's mean. Paid cost has a
    standard price of its own.

    Arguments
        encounters: those to be priced, of the lines' own unless given; their ``lag``, where they have one, is
            that of what they are worth.
    """
    kept = lines.filter(_.disposition == KEPT)
    own = kept.filter(_.capitated, _.allowed_cents == 0, ~_.void)
    unpriced = own if encounters is None else encounters
    prices = standard_prices(kept.filter(~_.capitated), spec)
    by_code = prices.filter(_.code.notnull()).select(
        priced_category=_.category, priced_code=_.code, allowed=_.allowed_per_unit, paid=_.paid_per_unit
    )
    by_category = prices.filter(_.code.isnull()).select(
        whole_category=_.category, any_allowed=_.allowed_per_unit, any_paid=_.paid_per_unit
    )
    joined = unpriced.left_join(
        by_code, [unpriced.category == by_code.priced_category, unpriced.code == by_code.priced_code]
    )
    joined = joined.left_join(by_category, joined.category == by_category.whole_category)
    allowed = ibis.coalesce(joined.allowed, joined.any_allowed, 0.0) * joined.units
    paid = ibis.coalesce(joined.paid, joined.any_paid, 0.0) * joined.units
    return joined.select(
        "person_id",
        "month",
        "category",
        *(["lag"] if "lag" in joined.columns else []),
        allowed_cents=allowed.round().cast("int64"),
        paid_cents=paid.round().cast("int64"),
    )


def payments(eligibility: Table, spec: StudySpec) -> Table:
    """The declared payment for each month in which some span with ``x_capitated`` covers a person's 15th.

    It stands in the months analysed, as cost of primary care, allowed and paid alike.
    """
    cents = round((spec.claims.capitation_pmpm_usd or 0) * 100)
    months = spec.periods.analysed
    days = [dt.date(month // 12, month % 12 + 1, MID_MONTH_DAY) for month in months]
    calendar = ibis.memtable({"month": list(months), "mid": days}, schema={"month": "int32", "mid": "date"})
    spans = eligibility.filter(_.x_capitated.cast("int8") == 1).select(
        "person_id",
        first_day=_.enrollment_start_date,
        last_day=_.enrollment_end_date.fill_null(ibis.date(dt.date(9999, 12, 31))),
    )
    covered = spans.join(calendar, [spans.first_day <= calendar.mid, spans.last_day >= calendar.mid])
    return (
        covered.select("person_id", "month")
        .distinct()
        .mutate(
            category=ibis.literal("primary_care"),
            allowed_cents=ibis.literal(cents, "int64"),
            paid_cents=ibis.literal(cents, "int64"),
        )
    )
