"""Names of the numbers of the weighted comparison group in ``results.json``."""

from __future__ import annotations

from medhome.reporting.result_columns import PMPM, Column, Table

COMPARISON: tuple[Table, ...] = (
    Table(
        "comparison.balance",
        "comparison.balance",
        ("characteristic",),
        {
            "treated": Column("", "estimate", 4, "treated"),
            "comparison": Column("", "estimate", 4, "comparison"),
            "weighted": Column("", "estimate", 4, "weighted"),
            "smd": Column("standard deviations", "estimate", 3, "smd"),
            "smd_weighted": Column("standard deviations", "estimate", 3, "smd_weighted"),
            "variance_ratio": Column("ratio", "estimate", 2),
            "variance_ratio_weighted": Column("ratio", "estimate", 2),
        },
    ),
    Table(
        "comparison.group",
        "comparison.groups",
        ("group",),
        {
            "practices": Column("practices", "count"),
            "kept": Column("practices", "count"),
            "effective": Column("practices", "estimate", 1),
            "largest_share": Column("share", "estimate", 3),
        },
        label="group",
    ),
    Table(
        "comparison.trimmed",
        "comparison.trimming",
        ("rule", "group"),
        {"practices": Column("practices", "count")},
    ),
    Table(
        "comparison.placebo",
        "comparison.placebo",
        ("weights",),
        {"estimate": Column(PMPM, "estimate", 2)},
    ),
)
