"""Names of the uncertainty of the whole chain in ``results.json``."""

from __future__ import annotations

from medhome.reporting.result_columns import Column, Table

UNCERTAINTY = Table(
    "uncertainty",
    "uncertainty.quantities",
    ("quantity",),
    {
        "estimate": Column("", "estimate", 2),
        "completion_se": Column("", "estimate", 3),
        **{f"practices_{end}": Column("", "simulated", 2) for end in ("lo90", "hi90", "lo95", "hi95")},
    },
)
