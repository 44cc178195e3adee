"""Names of the numbers on the study's risk in ``results.json``."""

from __future__ import annotations

from medhome.reporting.result_columns import MEMBER_MONTHS, MEMBERS, PMPM, Column, Table

RISK: tuple[Table, ...] = (
    Table("risk.timing", "adjustment.effects", ("timing",), {"estimate": Column(PMPM, "estimate", 2)}),
    Table(
        "risk.drift",
        "adjustment.drift",
        ("arm", "year"),
        {
            "members": MEMBERS,
            "member_months": Column(MEMBER_MONTHS, "exact", 0, "members"),
            "raw_score": Column("score", "exact", 4, "members"),
            "normalised_score": Column("ratio", "estimate", 4, "members"),
            "concurrent_pmpm": Column(PMPM, "estimate", 2, "members"),
        },
        label="arm",
    ),
    Table(
        "risk.drift",
        "adjustment.drift_effect",
        ("outcome",),
        {"estimate": Column(PMPM, "estimate", 2), "organizations": Column("organizations", "count")},
        label="outcome",
    ),
    Table(
        "risk.known",
        "adjustment.known",
        ("arm",),
        {
            "members": MEMBERS,
            "member_months": Column(MEMBER_MONTHS, "exact", 0, "members"),
            "without_history": MEMBERS,
            "months_without_history": Column(MEMBER_MONTHS, "exact", 0, "without_history"),
            "share_without_history": Column("share", "exact", 4, "without_history"),
            "without_score": MEMBERS,
            "months_without_score": Column(MEMBER_MONTHS, "exact", 0, "without_score"),
            "share_without_score": Column("share", "exact", 4, "without_score"),
        },
        label="arm",
    ),
)
"""Effects by timing of risk, scores by arm and year, and who could be scored."""

RISK_WITH_INTERVAL = {"adjustment.effects": "estimate", "adjustment.drift_effect": "estimate"}
