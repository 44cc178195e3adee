"""Names of the specification curve's numbers in ``results.json``."""

from __future__ import annotations

from medhome.reporting.result_columns import PMPM, Column, Table
from medhome.study.specification_results import AXES

SPECIFICATIONS: tuple[Table, ...] = (
    Table(
        "specifications",
        "specifications.specifications",
        AXES,
        {"estimate": Column(PMPM, "estimate", 2)},
        label="estimator",
    ),
    Table(
        "specifications.choice",
        "specifications.choices",
        ("axis", "value"),
        {
            "estimates": Column("specifications", "count"),
            "median": Column(PMPM, "estimate", 2),
            "least": Column(PMPM, "estimate", 2),
            "most": Column(PMPM, "estimate", 2),
        },
        label="axis",
    ),
    Table(
        "specifications.rank",
        "specifications.ranks",
        ("statistic",),
        {
            "value": Column("", "estimate", 2),
            "rank": Column("assignments", "count"),
            "assignments": Column("assignments", "count"),
            "p": Column("probability", "estimate", 3),
            "smallest_p": Column("probability", "estimate", 3),
        },
    ),
)
