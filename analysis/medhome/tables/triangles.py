"""Claim lines and their paid dates → triangles of cost by service month and months until it was paid.

Built from every booking at its own paid date (`claims.bookings`): a void takes its dollars out in the month
in which it was booked, a replacement puts its own in when it was paid. Keeping only the last adjustment of a
claim, at its late date, would move dollars from early lags to late ones and make the months look less
complete than they are (`docs/methods.md`, completion).
"""

from __future__ import annotations

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.cells import KEYS, Cells, moment_name
from medhome.study.periods import month_index
from medhome.study.spec import StudySpec
from medhome.study.triangles import Triangles
from medhome.tables import claims
from medhome.tables.engine import fetch
from medhome.tables.member_months import EXPOSURE
from medhome.tables.panel import Panel, cap_cents
from medhome.tables.service_spread import spread

_WIDE = "decimal(38, 0)"


def build(inputs: dict[str, Table], scored: Panel, cells: Cells, spec: StudySpec) -> Triangles:
    """When was the cost of the study's member-months paid, and what did each kind of service cost?

    Arguments
        inputs: contract-shaped tables by name; scored: the panel with expected cost; cells: of the panel.

    Member-months are those of the model. Members whose cost passes the cap in a 12-month window, by the cut
    or by all that was paid since, are left out for that window: large claims are taken as paid.
    """
    con = scored.con
    booked = con.create_table("medhome_payments", _booked(inputs, scored, spec), overwrite=True)
    large = con.create_table("medhome_large_windows", _large_windows(booked, scored, spec), overwrite=True)
    months = _months(scored, spec)
    arms = scored.members.select("person_key", "arm")

    below = booked.join(months, "month").anti_join(large, ["person_key", "window"])
    found = fetch(
        below.join(arms, "person_key")
        .group_by("arm", "category", "month", "lag")
        .aggregate(allowed_cents=_.allowed_cents.sum(), size_cents=_.allowed_cents.abs().sum())
        .order_by("arm", "category", "month", "lag")
    )
    dated = found["lag"].notna().to_numpy()
    size = int(found["size_cents"].sum())
    payments = found[dated].drop(columns="size_cents").reset_index(drop=True)
    categories = _present(scored)
    services = spread(scored, months, large, spec)
    costs = _costs(scored, cells, months, large, categories)
    con.drop_table("medhome_payments")
    con.drop_table("medhome_large_windows")
    return Triangles(
        payments=payments.astype({"month": "int32", "lag": "int32", "allowed_cents": "int64"}),
        paid_through=month_index(spec.paid_through),
        undated_share=int(found.loc[~dated, "size_cents"].sum()) / size if size else 0.0,
        cells=costs,
        categories=categories,
        services=services,
    )


def _booked(inputs: dict[str, Table], panel: Panel, spec: StudySpec) -> Table:
    """Bookings of the panel's member-months, by person, service month, kind and lag."""
    analysed = claims.bookings(inputs, spec).filter(_.month.isin(list(spec.periods.analysed)))
    keyed = analysed.join(panel.members.select("person_key", "person_id"), "person_id")
    counted = keyed.semi_join(panel.months, ["person_key", "month"])
    return counted.group_by("person_key", "month", "category", "lag").aggregate(
        allowed_cents=_.allowed_cents.sum()
    )


def _months(panel: Panel, spec: StudySpec) -> Table:
    """The months analysed with their 12-month window from the start and its cap."""
    start, capped = spec.periods.start_month, spec.outcomes.cap_usd_per_year is not None
    rows = []
    for month in spec.periods.analysed:
        window = (month - start) // 12
        rows.append((month, window, cap_cents(window, spec, panel.cap_trend) if capped else None))
    return ibis.memtable(rows, schema={"month": "int32", "window": "int32", "limit_cents": "int64"})


def _large_windows(booked: Table, panel: Panel, spec: StudySpec) -> Table:
    """Members and windows above the cap: cut by it, or past it with what was paid since the cut."""
    months = _months(panel, spec)
    cut = (
        panel.months.filter(_.allowed_capped_cents != _.allowed_cents)
        .join(months, "month")
        .select("person_key", "window")
    )
    past = (
        booked.join(months, "month")
        .group_by("person_key", "window", "limit_cents")
        .aggregate(total=_.allowed_cents.sum())
        .filter(_.total > _.limit_cents)
        .select("person_key", "window")
    )
    return ibis.union(cut, past, distinct=True)


def _present(panel: Panel) -> tuple[str, ...]:
    """The kinds of service that the panel's months have, in the order of `claims.CATEGORIES`."""
    mine = panel.categories.semi_join(panel.months, ["person_key", "month"])
    found = set(fetch(mine.select("category").distinct())["category"])
    order = {name: place for place, name in enumerate(claims.CATEGORIES)}
    return tuple(sorted(found, key=lambda name: (order.get(name, len(order)), name)))


def _costs(panel: Panel, cells: Cells, months: Table, large: Table, categories: tuple[str, ...]) -> Cells:
    """Cells of cost below the cap by kind of service, as paid by the cut, with the moments of a covariate."""
    mine = panel.categories.semi_join(panel.months, ["person_key", "month"]).join(months, "month")
    rows = panel.with_expected(mine.anti_join(large, ["person_key", "window"]), KEYS[:-1])
    sums = {"plain": rows.allowed_cents.cast(_WIDE).sum().cast(_WIDE)}
    sums["scored"] = (rows.allowed_cents * rows.expected_cents).cast(_WIDE).sum().cast(_WIDE)
    found = fetch(rows.group_by(*KEYS, "category").aggregate(**sums).order_by(*KEYS, "category"))
    kept = [*KEYS, "rows", "w", moment_name("expected"), moment_name("expected", "expected")]
    frame = cells.frame[kept].copy()
    index = pd.MultiIndex.from_frame(frame[list(KEYS)])
    for name in categories:
        own = found[found["category"] == name].set_index(list(KEYS))
        for column, moment in (("plain", (name,)), ("scored", (name, "expected"))):
            values = own[column].reindex(index)
            whole = [0 if v is None or v != v else int(v) * EXPOSURE for v in values]
            frame[moment_name(*moment)] = pd.Series(whole, dtype=object, index=frame.index)
    scales = {"expected": cells.scales["expected"], **dict.fromkeys(categories, 100)}
    return Cells(scales=scales, frame=frame, weight_scale=cells.weight_scale)
