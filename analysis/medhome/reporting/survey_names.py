"""Names, units and kinds of the numbers on satisfaction and access in ``results.json``."""

from __future__ import annotations

from medhome.reporting.result_columns import MEMBERS, Column, Table

_ANSWERED = Column("respondents", "count")

SURVEYS: tuple[Table, ...] = (
    Table(
        "surveys.response",
        "surveys.responses",
        ("instrument", "arm", "period"),
        {
            "invited": Column("people asked", "count"),
            "members": _ANSWERED,
            "response_share": Column("share", "exact", 4, "members"),
            "answers": Column("answers", "exact", 0, "members"),
        },
    ),
    Table(
        "surveys.item",
        "surveys.items",
        ("instrument", "measure", "arm", "period"),
        {
            "members": _ANSWERED,
            "members_with": _ANSWERED,
            "unadjusted": Column("", "exact", 4, "members_with"),
            "rate": Column("", "exact", 4, "members_with"),
        },
    ),
    Table(
        "surveys.effect",
        "surveys.effects",
        ("family", "measure"),
        {
            "members_treated": MEMBERS,
            "members_comparison": MEMBERS,
            **{
                f"{arm}_{period}": Column("", "exact", 4, f"members_{arm}")
                for arm in ("treated", "comparison")
                for period in ("baseline", "performance")
            },
            "estimate": Column("", "estimate", 4, "members_treated"),
            "baseline_share": Column("share", "estimate", 4, "members_treated"),
            "ratio": Column("ratio", "estimate", 4, "members_treated"),
            "p_holm": Column("probability", "estimate", 4, "members_treated"),
            "p_bh": Column("probability", "estimate", 4, "members_treated"),
        },
    ),
    Table(
        "surveys.left_out",
        "surveys.left_out",
        ("instrument", "reason"),
        {"members": _ANSWERED, "answers": Column("answers", "exact", 0, "members")},
        "why",
    ),
    Table("surveys.case_mix", "surveys.case_mix", ("instrument",)),
)
