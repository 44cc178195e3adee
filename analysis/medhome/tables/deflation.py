"""Cost in dollars of one year: each month's dollars by the study's price index."""

from __future__ import annotations

import ibis
from ibis.expr.types import IntegerValue, Table

from medhome.study.spec import StudySpec

_SCALE = 10**8
"""Ratios are whole hundred-millionths, so that every engine gives the same cents."""


def in_base_dollars(months: Table, spec: StudySpec) -> Table:
    """What did each member-month cost in dollars of ``outcomes.deflator_base``?

    ``allowed_cents`` and ``paid_cents`` times the mean index of the base year over the month's own, rounded
    to the cent, half away from zero; as they are where the study names no index. Source: `docs/methods.md`,
    price index.
    """
    if not spec.outcomes.deflator:
        return months
    ratios = ibis.memtable(
        [(m, round(spec.price_ratio(m) * _SCALE)) for m in spec.periods.analysed],
        schema={"month": "int32", "ratio": "int64"},
    )
    dated = months.join(ratios, "month")
    return dated.mutate(
        allowed_cents=_times(dated.allowed_cents, dated.ratio),
        paid_cents=_times(dated.paid_cents, dated.ratio),
    ).select(*months.columns)


def _times(cents: IntegerValue, ratio: IntegerValue) -> IntegerValue:
    size = (cents.abs() * ratio + _SCALE // 2) // _SCALE
    return (ibis.ifelse(cents < 0, -1, 1) * size).cast("int64")
