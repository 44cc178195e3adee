"""Names of the parts of the effect in ``results.json``."""

from __future__ import annotations

from medhome.reporting.result_columns import MEMBER_MONTHS, MEMBERS, PMPM, Column, Table

_COUNTED = "members_treated"
_MEANS = {
    f"{arm}_{period}_pmpm": Column(PMPM, "exact", 2, _COUNTED)
    for arm in ("treated", "comparison")
    for period in ("baseline", "performance")
}
_TESTS = {name: Column("probability", "estimate", 3, _COUNTED) for name in ("p_holm", "p_bh")}

WHERE = (
    Table(
        "where.category",
        "where.categories",
        ("category",),
        {
            "members_treated": MEMBERS,
            "members_comparison": MEMBERS,
            **_MEANS,
            "estimate": Column(PMPM, "estimate", 2, _COUNTED),
            "baseline_share": Column("share", "estimate", 3, _COUNTED),
            **_TESTS,
        },
    ),
    Table(
        "where.group",
        "where.groups",
        ("group",),
        {
            "members_treated": MEMBERS,
            "members_comparison": MEMBERS,
            "member_months": Column(MEMBER_MONTHS, "exact", 0, _COUNTED),
            **_MEANS,
            "estimate": Column(PMPM, "estimate", 2, _COUNTED),
            **_TESTS,
        },
    ),
    Table(
        "where.practice",
        "where.practices",
        ("label",),
        {
            "members": MEMBERS,
            "estimate": Column(PMPM, "estimate", 2, "members"),
            "shrunken": Column(PMPM, "estimate", 2, "members"),
            "limit95": Column(PMPM, "estimate", 2, "members"),
            "limit998": Column(PMPM, "estimate", 2, "members"),
        },
    ),
)
WHERE_WITH_INTERVAL = {
    "where.categories": "estimate",
    "where.groups": "estimate",
    "where.practices": "shrunken",
}
