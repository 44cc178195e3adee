"""Names of the numbers on care management in ``results.json``."""

from __future__ import annotations

from medhome.reporting.result_columns import MEMBER_MONTHS, MEMBERS, PMPM, Column, Table

_MONTHS = Column(MEMBER_MONTHS, "exact", 2, "members")
_STAGES = {stage: MEMBERS for stage in ("identified", "reached", "engaged")}
_ENGAGED_MONTHS = Column(MEMBER_MONTHS, "exact", 2, "engaged_member_months")
_WORK = {
    "contacts": Column("contacts", "count"),
    "minutes": Column("minutes", "exact", 0, "contacts"),
    "contacts_per_1000": Column("contacts per 1,000 member-months", "exact", 2, "contacts"),
}
_DAYS = Column("days", "exact", 0)

CARE_MANAGEMENT: tuple[Table, ...] = (
    Table(
        "care.stage",
        "care_management.stages",
        ("stage",),
        {
            "members": MEMBERS,
            "previous_share": Column("share", "exact", 4, "members"),
            "expected_pmpm": Column(PMPM, "estimate", 2, "members"),
        },
    ),
    Table(
        "care.practice",
        "care_management.practices",
        ("label",),
        {
            "members": MEMBERS,
            **_STAGES,
            "member_months": _MONTHS,
            "engaged_member_months": _ENGAGED_MONTHS,
            **_WORK,
            "contacts_per_engaged_month": Column("contacts", "exact", 3, "contacts"),
            **{f"wait_{q}_days": _DAYS for q in ("q1", "median", "q3")},
        },
    ),
    Table(
        "care.month",
        "care_management.months",
        ("month",),
        {
            **_STAGES,
            "member_months": Column(MEMBER_MONTHS, "exact", 2),
            "engaged_member_months": _ENGAGED_MONTHS,
            **_WORK,
        },
    ),
    Table(
        "care.dose",
        "care_management.doses",
        ("band",),
        {
            "members": MEMBERS,
            "share": Column("share", "exact", 4, "members"),
            "engaged_member_months": _MONTHS,
            "contacts": Column("contacts", "count", 0, "members"),
            "expected_pmpm": Column(PMPM, "estimate", 2, "members"),
        },
    ),
    Table("care.event", "care_management.notes", ("reason",), {"rows": Column("rows", "count")}),
)
