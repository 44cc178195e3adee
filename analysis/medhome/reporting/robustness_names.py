"""The names of the numbers of the page "How sure are we" in ``results.json``."""

from __future__ import annotations

from medhome.reporting.result_columns import MEMBERS, PMPM, Column, Table

_LEFT_OUT = {
    "members": MEMBERS,
    "estimate": Column(PMPM, "estimate", 2, "members"),
    "change": Column(PMPM, "estimate", 2, "members"),
}

ROBUSTNESS: tuple[Table, ...] = (
    Table(
        "robustness.start",
        "robustness.placebo_starts",
        ("month",),
        {
            "months_before": Column("months", "count"),
            "months_after": Column("months", "count"),
            "estimate": Column(PMPM, "estimate", 2),
        },
    ),
    Table("robustness.without", "robustness.organizations", ("label",), _LEFT_OUT),
    Table("robustness.without_practice", "robustness.practices", ("label",), _LEFT_OUT),
    Table(
        "robustness.placebo_arm",
        "robustness.placebo_arm",
        ("label",),
        {"members": MEMBERS, "estimate": Column(PMPM, "estimate", 2, "members")},
    ),
    Table(
        "robustness.placebo_outcome",
        "robustness.placebo_outcomes",
        ("outcome",),
        {
            "people": Column("people", "count"),
            "level": Column("", "estimate", 2, "people"),
            "estimate": Column("", "estimate", 2, "people"),
        },
    ),
    Table(
        "robustness.estimator",
        "robustness.methods",
        ("method",),
        {"estimate": Column(PMPM, "estimate", 2)},
    ),
    Table(
        "robustness.bound",
        "robustness.bounds",
        ("kind", "effect", "step"),
        {
            "m": Column("", "estimate", 2),
            "lo95": Column(PMPM, "estimate", 2),
            "hi95": Column(PMPM, "estimate", 2),
        },
    ),
    Table(
        "robustness.trend",
        "robustness.breakdowns",
        ("kind", "effect"),
        {
            "estimate": Column(PMPM, "estimate", 2),
            "breakdown": Column("", "estimate", 2),
            "pre": Column("quarters", "count"),
            "post": Column("quarters", "count"),
        },
    ),
)

ROBUSTNESS_WITH_INTERVAL = {
    "robustness.placebo_outcomes": "estimate",
    "robustness.organizations": "estimate",
    "robustness.placebo_starts": "estimate",
    "robustness.methods": "estimate",
    "robustness.breakdowns": "estimate",
}
