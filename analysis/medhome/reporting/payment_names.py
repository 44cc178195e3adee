"""Names in ``results.json`` of what payment came to."""

from __future__ import annotations

from medhome.reporting.result_columns import MEMBER_MONTHS, MEMBERS, PMPM, USD, Column, Table

_OWN = "measure's own unit"

PAYMENT: tuple[Table, ...] = (
    Table(
        "payment.settlement",
        "payment.settlement",
        ("year",),
        {
            "members": MEMBERS,
            "member_months": Column(MEMBER_MONTHS, "exact", 0, "members"),
            "benchmark_pmpm": Column(PMPM, "estimate", 2, "members"),
            "actual_pmpm": Column(PMPM, "exact", 2, "members"),
            "benchmark_usd": Column(USD, "estimate", 0, "members"),
            "actual_usd": Column(USD, "exact", 2, "members"),
            "difference_usd": Column(USD, "estimate", 0, "members"),
            "savings_rate": Column("share", "estimate", 4, "members"),
            "minimum_rate": Column("share", "estimate", 4),
            "quality_score": Column("share", "estimate", 4),
            "share_rate": Column("share", "estimate", 4),
            "generated_usd": Column(USD, "estimate", 0, "members"),
            "shared_usd": Column(USD, "estimate", 0, "members"),
            "cap_usd": Column(USD, "estimate", 0),
            "earned_usd": Column(USD, "estimate", 0, "members"),
        },
        label="why",
        arm="treated",
    ),
    Table(
        "payment.year",
        "payment.payments",
        ("year", "kind", "name", "arm"),
        {"pmpm": Column(PMPM, "estimate", 2), "usd": Column(USD, "estimate", 0)},
        label="name",
    ),
    Table(
        "payment.measure",
        "payment.measures",
        ("program", "id"),
        {
            "value": Column(_OWN, "exact", 4),
            "threshold": Column(_OWN, "exact", 4),
            "target": Column(_OWN, "exact", 4),
            "weight": Column("weight", "exact", 2),
            "attained_share": Column("share", "estimate", 4),
        },
    ),
)
