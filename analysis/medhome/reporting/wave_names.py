"""The names of the numbers of a program in waves in ``results.json``."""

from __future__ import annotations

from medhome.reporting.result_columns import MEMBER_MONTHS, MEMBERS, PMPM, Column, Table

_ESTIMATE = {
    "members": MEMBERS,
    "estimate": Column(PMPM, "estimate", 2, "members"),
    "band_lo": Column(PMPM, "simulated", 2, "members"),
    "band_hi": Column(PMPM, "simulated", 2, "members"),
}

WAVES: tuple[Table, ...] = (
    Table(
        "waves.wave",
        "waves.waves",
        ("wave",),
        {
            "members": MEMBERS,
            "practices": Column("practices", "count"),
            "organizations": Column("organizations", "count"),
            "months_before": Column("months", "count"),
            "months_after": Column("months", "count"),
            "member_months": Column(MEMBER_MONTHS, "exact", 0, "members"),
        },
    ),
    Table("waves.effect", "waves.effects", ("wave", "since_start"), _ESTIMATE),
    Table(
        "waves.average", "waves.averages", ("kind", "key"), {"waves": Column("waves", "count"), **_ESTIMATE}
    ),
    Table("waves.estimator", "waves.methods", ("method",), {"estimate": Column(PMPM, "estimate", 2)}),
    Table(
        "waves.comparison",
        "waves.comparisons",
        ("treated", "compared_with"),
        {"estimate": Column(PMPM, "estimate", 2), "weight": Column("share", "estimate", 4)},
        label="kind",
    ),
)

WAVES_WITH_INTERVAL = {
    "waves.effects": "estimate",
    "waves.averages": "estimate",
    "waves.methods": "estimate",
}
