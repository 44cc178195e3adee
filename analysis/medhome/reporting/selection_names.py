"""Names of who came and went in ``results.json``."""

from __future__ import annotations

from medhome.reporting.result_columns import MEMBER_MONTHS, MEMBERS, PMPM, USD, Column, Table

SELECTION: tuple[Table, ...] = (
    Table(
        "selection.members",
        "selection.members",
        ("arm", "status"),
        {
            "members": MEMBERS,
            "member_months": Column(MEMBER_MONTHS, "exact", 0, "members"),
            "share": Column("share", "exact", 4, "members"),
            "baseline_pmpm": Column(PMPM, "exact", 2, "members"),
            "risk_pmpm": Column(PMPM, "estimate", 2, "members"),
        },
        label="status",
    ),
    Table(
        "selection.crossovers",
        "selection.crossovers",
        ("arm", "seen_in"),
        {
            "members": MEMBERS,
            "member_months": Column(MEMBER_MONTHS, "exact", 0, "members"),
            "allowed_usd": Column(USD, "exact", 2, "members"),
            "baseline_pmpm": Column(PMPM, "exact", 2, "members"),
            "risk_pmpm": Column(PMPM, "estimate", 2, "members"),
        },
        label="seen_in",
    ),
    Table(
        "selection.without_visits",
        "selection.without_visits",
        ("arm",),
        {"eligible": MEMBERS, "members": MEMBERS, "share": Column("share", "exact", 4, "members")},
        label="arm",
    ),
    Table(
        "selection.exits",
        "selection.exits",
        ("arm", "period"),
        {
            "members": MEMBERS,
            "member_months": Column(MEMBER_MONTHS, "exact", 0),
            "per_1000": Column("per 1,000 member-months", "exact", 2, "members"),
        },
        label="period",
    ),
    Table(
        "selection",
        "selection.effects",
        ("outcome",),
        {"estimate": Column("", "estimate", 2), "organizations": Column("organizations", "count")},
    ),
)
