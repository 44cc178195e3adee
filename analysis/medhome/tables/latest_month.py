"""The latest month of service in the input tables: dates only, no amount and no outcome is read."""

from __future__ import annotations

from collections.abc import Mapping

from ibis.expr.types import Table

from medhome.tables.engine import fetch

SERVED = (("medical_claim", "claim_start_date"), ("pharmacy_claim", "dispensing_date"))


def latest_incurred_month(inputs: Mapping[str, Table]) -> int | None:
    """The month index of the latest service in medical and pharmacy claims; None without any claim.

    Arguments
        inputs: tables as `medhome.tables.sources.open_inputs` gives them.
    """
    found = []
    for name, column in SERVED:
        if name in inputs:
            table = inputs[name]
            day = fetch(table.aggregate(latest=table[column].max()))["latest"].iloc[0]
            if day is not None and day == day:
                found.append(day.year * 12 + day.month - 1)
    return max(found, default=None)
