"""Names, units and kinds of the numbers on utilisation, quality and gaps in ``results.json``."""

from __future__ import annotations

from medhome.reporting.result_columns import MEMBERS, Column, Table

_BY_PERIOD = {
    "members": MEMBERS,
    "members_with": MEMBERS,
    "denominator": Column("counted over", "exact", 3, "members_with"),
    "events": Column("events", "exact", 4, "members_with"),
    "rate": Column("by measure", "exact", 4, "members_with"),
}

MEASURES: tuple[Table, ...] = (
    Table("measures.rate", "measures.rates", ("measure", "arm", "period"), _BY_PERIOD),
    Table("measures.gap", "measures.gaps", ("measure", "arm", "period"), _BY_PERIOD),
    Table(
        "measures.effect",
        "measures.effects",
        ("measure",),
        {
            "members_treated": MEMBERS,
            "members_comparison": MEMBERS,
            **{
                f"{arm}_{period}": Column("by measure", "exact", 4, f"members_{arm}")
                for arm in ("treated", "comparison")
                for period in ("baseline", "performance")
            },
            "estimate": Column("by measure", "estimate", 4, "members_treated"),
            "baseline_share": Column("share", "estimate", 4, "members_treated"),
            "ratio": Column("ratio", "estimate", 4, "members_treated"),
            "p_holm": Column("probability", "estimate", 4, "members_treated"),
            "p_bh": Column("probability", "estimate", 4, "members_treated"),
        },
    ),
    Table("measures.unknown", "measures.unknown", ("measure",)),
)
