"""The names of the cost models' numbers in ``results.json``: the one behind expected cost, and others."""

from __future__ import annotations

from medhome.reporting.result_columns import MEMBER_MONTHS, MEMBERS, PMPM, Column, Table

_MONTHS = Column(MEMBER_MONTHS, "exact", 0, "members")
_PMPM = Column(PMPM, "estimate", 2, "members")
_RATIO = Column("ratio", "estimate", 3, "members")

RISK_MODEL: tuple[Table, ...] = (
    Table(
        "risk.term",
        "risk.terms",
        ("term",),
        {
            "members": MEMBERS,
            "member_months": Column(MEMBER_MONTHS, "exact", 0, "members"),
            "coefficient_pmpm": Column(PMPM, "estimate", 2, "members"),
        },
    ),
    Table(
        "risk.decile",
        "risk.calibration",
        ("decile", "arm"),
        {
            "members": MEMBERS,
            "member_months": Column(MEMBER_MONTHS, "exact", 0, "members"),
            "actual_pmpm": Column(PMPM, "estimate", 2, "members"),
            "predicted_pmpm": Column(PMPM, "estimate", 2, "members"),
            "predictive_ratio": Column("ratio", "estimate", 3, "members"),
        },
    ),
    Table(
        "risk.accuracy",
        "risk.accuracy",
        ("population",),
        {
            "r2": Column("share of variance", "estimate", 3),
            "mae_share": Column("share of mean cost", "estimate", 3),
            "cpm": Column("Cumming's prediction measure", "estimate", 3),
            "predictive_ratio": Column("ratio", "estimate", 3),
            "member_months": Column(MEMBER_MONTHS, "exact"),
        },
    ),
)
"""Numbers of the model behind expected cost."""

MEMBER_COSTS: tuple[Table, ...] = (
    Table(
        "cost_model.fitted_on",
        "member_costs.identity",
        ("family", "stratum", "part"),
        {
            "members": MEMBERS,
            "member_months": _MONTHS,
            "actual": Column("", "estimate", 4, "members"),
            "expected": Column("", "estimate", 4, "members"),
            "gap": Column("", "estimate", 4, "members"),
            "gap_share": Column("share", "estimate", 4, "members"),
        },
        label="part",
    ),
    Table(
        "cost_model.test",
        "member_costs.tests",
        ("family", "stratum", "test"),
        {
            "members": MEMBERS,
            "statistic": Column("", "estimate", 3, "members"),
            "largest": Column("unit of the outcome", "estimate", 2, "members"),
            "mean": Column("unit of the outcome", "estimate", 2, "members"),
        },
        label="meaning",
    ),
    Table(
        "cost_model.effect",
        "member_costs.effects",
        ("family", "stratum"),
        {
            "members": MEMBERS,
            "member_months": _MONTHS,
            "with_pmpm": _PMPM,
            "without_pmpm": _PMPM,
            "gap_pmpm": _PMPM,
            "estimate": _PMPM,
            "lo95_bootstrap": _PMPM,
            "hi95_bootstrap": _PMPM,
            "draws": Column("draws", "count", 0, "members"),
        },
        label="family",
    ),
    Table(
        "cost_model.accuracy",
        "member_costs.accuracy",
        ("family", "cap", "stratum", "arm", "period"),
        {
            "members": MEMBERS,
            "member_months": _MONTHS,
            "actual_pmpm": _PMPM,
            "predicted_pmpm": _PMPM,
            "r2": Column("share of variance", "estimate", 3, "members"),
            "mae_share": Column("share of mean cost", "estimate", 3, "members"),
            "cpm": Column("Cumming's prediction measure", "estimate", 3, "members"),
            "predictive_ratio": _RATIO,
        },
        label="family",
    ),
    Table(
        "cost_model.ratio",
        "member_costs.ratios",
        ("kind", "group", "arm"),
        {
            "members": MEMBERS,
            "member_months": _MONTHS,
            "actual_pmpm": _PMPM,
            "predicted_pmpm": _PMPM,
            "predictive_ratio": _RATIO,
            "uncapped_ratio": _RATIO,
        },
    ),
    Table(
        "cost_model.practice",
        "member_costs.practices",
        ("label",),
        {
            "members": MEMBERS,
            "member_months": _MONTHS,
            "actual_pmpm": _PMPM,
            "predicted_pmpm": _PMPM,
            "predictive_ratio": _RATIO,
            "panel_sd": _RATIO,
            "lo95": _RATIO,
            "hi95": _RATIO,
        },
    ),
    Table(
        "cost_model.recalibration",
        "member_costs.recalibration",
        ("family", "period"),
        {
            "members": MEMBERS,
            "member_months": _MONTHS,
            "factor": _RATIO,
            "actual_pmpm": _PMPM,
            "predicted_pmpm": _PMPM,
            "recalibrated_pmpm": _PMPM,
            "predictive_ratio": _RATIO,
            "recalibrated_ratio": _RATIO,
        },
        label="family",
        arm="treated",
    ),
)

MEMBER_COSTS_WITH_INTERVAL = {"member_costs.effects": "estimate", "member_costs.tests": "statistic"}
