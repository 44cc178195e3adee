"""Which number of which result frame has which name, unit and kind in ``results.json``."""

from __future__ import annotations

from medhome.reporting.care_management_names import CARE_MANAGEMENT
from medhome.reporting.comparison_names import COMPARISON
from medhome.reporting.measure_names import MEASURES
from medhome.reporting.member_cost_names import MEMBER_COSTS, MEMBER_COSTS_WITH_INTERVAL, RISK_MODEL
from medhome.reporting.payment_names import PAYMENT
from medhome.reporting.pre_trend_names import PRE_TREND
from medhome.reporting.result_columns import MEMBER_MONTHS, MEMBERS, PMPM, USD, Column, Table
from medhome.reporting.risk_names import RISK, RISK_WITH_INTERVAL
from medhome.reporting.robustness_names import ROBUSTNESS, ROBUSTNESS_WITH_INTERVAL
from medhome.reporting.selection_names import SELECTION
from medhome.reporting.specification_names import SPECIFICATIONS
from medhome.reporting.survey_names import SURVEYS
from medhome.reporting.uncertainty_names import UNCERTAINTY
from medhome.reporting.wave_names import WAVES, WAVES_WITH_INTERVAL
from medhome.reporting.where_names import WHERE, WHERE_WITH_INTERVAL
from medhome.study.savings_years import NET_BY_YEAR

__all__ = ["MEMBER_MONTHS", "PMPM", "TABLES", "WITH_INTERVAL", "Column", "Table"]


def _flow(ending: str) -> dict[str, Column]:
    people = f"members{ending}"
    return {
        people: MEMBERS,
        f"member_months{ending}": Column(MEMBER_MONTHS, "exact", 0, people),
        f"allowed_usd{ending}": Column(USD, "exact", 2, people),
    }


TABLES: tuple[Table, ...] = (
    Table("attrition", "attrition.frame", ("rule", "arm"), _flow("") | _flow("_dropped")),
    Table(
        "data.rule",
        "quality.rules",
        ("rule", "table", "column"),
        {
            "count": Column("rows", "count"),
            "rows": Column("rows", "count"),
            "share": Column("share", "exact", 4, "count"),
            "dollars_usd": Column(USD, "exact", 2, "count"),
        },
    ),
    Table(
        "data.waterfall",
        "quality.waterfall",
        ("reason",),
        {
            "lines": Column("claim lines", "count"),
            "allowed_usd": Column(USD, "exact", 2, "lines"),
            "paid_usd": Column(USD, "exact", 2, "lines"),
        },
    ),
    Table(
        "data.reconciliation",
        "quality.reconciliation",
        ("reason", "arm", "period"),
        {
            "members": MEMBERS,
            "lines": Column("claim lines", "count"),
            "allowed_usd": Column(USD, "exact", 2, "lines"),
            "paid_usd": Column(USD, "exact", 2, "lines"),
        },
    ),
    Table(
        "data.orphans",
        "quality.orphans",
        ("arm", "period"),
        {
            "members": MEMBERS,
            "lines": Column("claim lines", "count"),
            "allowed_usd": Column(USD, "exact", 2, "lines"),
            "paid_usd": Column(USD, "exact", 2, "lines"),
            "kept_allowed_usd": Column(USD, "exact", 2, "lines"),
        },
    ),
    Table(
        "data.encounters",
        "quality.encounters",
        ("arm", "period"),
        {
            "members": MEMBERS,
            "lines": Column("claim lines", "count", 0, "members"),
            "zero_lines": Column("claim lines", "count", 0, "members"),
            "zero_share": Column("share", "exact", 4, "members"),
        },
        label="period",
    ),
    Table(
        "data.prices",
        "quality.prices",
        ("category", "arm"),
        {
            "members": MEMBERS,
            "baseline_pmpm": Column(PMPM, "exact", 2, "members"),
            "performance_pmpm": Column(PMPM, "exact", 2, "members"),
            "change_pmpm": Column(PMPM, "exact", 2, "members"),
            "quantity_at_baseline_prices_pmpm": Column(PMPM, "exact", 2, "members"),
            "price_at_performance_quantities_pmpm": Column(PMPM, "exact", 2, "members"),
            "quantity_at_performance_prices_pmpm": Column(PMPM, "exact", 2, "members"),
            "price_at_baseline_quantities_pmpm": Column(PMPM, "exact", 2, "members"),
            "quantity_pmpm": Column(PMPM, "exact", 2, "members"),
            "price_pmpm": Column(PMPM, "exact", 2, "members"),
            "standardised_baseline_pmpm": Column(PMPM, "exact", 2, "members"),
            "standardised_performance_pmpm": Column(PMPM, "exact", 2, "members"),
        },
        label="category",
    ),
    Table(
        "data.month",
        "quality.volumes",
        ("month", "arm"),
        {
            "members": MEMBERS,
            "claim_lines": Column("claim lines", "count", 0, "members"),
            "allowed_usd": Column(USD, "exact", 2, "members"),
            "member_months": Column(MEMBER_MONTHS, "exact", 0, "members"),
        },
    ),
    Table(
        "cohort.balance",
        "cohort.balance",
        ("characteristic",),
        {
            "treated": Column("", "exact", 4, "treated"),
            "comparison": Column("", "exact", 4, "comparison"),
            "smd": Column("standard deviations", "exact", 3, "smd"),
            "variance_ratio": Column("ratio", "exact", 3),
        },
    ),
    Table(
        "cohort.organization",
        "cohort.organizations",
        ("label",),
        {
            "members": MEMBERS,
            "practices": Column("practices", "count"),
            "clinicians": Column("clinicians", "count"),
            "baseline_member_months": Column(MEMBER_MONTHS, "exact", 0, "members"),
            "performance_member_months": Column(MEMBER_MONTHS, "exact", 0, "members"),
            "baseline_pmpm": Column(PMPM, "exact", 2, "members"),
            "performance_pmpm": Column(PMPM, "exact", 2, "members"),
        },
    ),
    Table(
        "cohort.stratum",
        "cohort.strata",
        ("arm", "stratum", "period"),
        {
            "members": MEMBERS,
            "member_months": Column(MEMBER_MONTHS, "exact", 0, "members"),
            "share": Column("share", "exact", 4, "members"),
            "pmpm": Column(PMPM, "exact", 2, "members"),
        },
        label="stratum",
    ),
    Table(
        "expected",
        "expected.definitions",
        ("definition",),
        {
            "baseline_pmpm": Column(PMPM, "estimate", 2),
            "trend_ratio": Column("ratio", "estimate", 3),
            "risk_ratio": Column("ratio", "estimate", 3),
            "expected_pmpm": Column(PMPM, "estimate", 2),
            "actual_pmpm": Column(PMPM, "estimate", 2),
            "difference_pmpm": Column(PMPM, "estimate", 2),
            "difference_usd": Column(USD, "estimate", 0),
            "ae_ratio": Column("ratio", "estimate", 3),
            "peers_sd_pmpm": Column(PMPM, "estimate", 2),
        },
    ),
    Table(
        "expected.quarter",
        "expected.series",
        ("quarter",),
        {
            "members": MEMBERS,
            "member_months": Column(MEMBER_MONTHS, "exact", 0, "members"),
            "expected_pmpm": Column(PMPM, "estimate", 2, "members"),
            "actual_pmpm": Column(PMPM, "estimate", 2, "members"),
            "comparison_pmpm": Column(PMPM, "estimate", 2, "members"),
        },
        arm="treated",
    ),
    Table("did.method", "did.methods", ("method",), {"estimate": Column(PMPM, "estimate", 2)}),
    Table(
        "did.quarter",
        "did.event_study",
        ("quarter",),
        {
            "members": MEMBERS,
            "member_months": Column(MEMBER_MONTHS, "exact", 0, "members"),
            "estimate": Column(PMPM, "estimate", 2, "members"),
            "band_lo": Column(PMPM, "simulated", 2, "members"),
            "band_hi": Column(PMPM, "simulated", 2, "members"),
        },
        arm="treated",
    ),
    Table("did.variance", "did.variance_shares", ("source",), {"share": Column("share", "estimate", 3)}),
    Table(
        "savings.year",
        "savings.by_year",
        ("year",),
        {
            "members": MEMBERS,
            "member_months": Column(MEMBER_MONTHS, "exact", 0, "members"),
            "actual_pmpm": Column(PMPM, "estimate", 2, "members"),
            "expected_pmpm": Column(PMPM, "estimate", 2, "members"),
            "gross_pmpm": Column(PMPM, "estimate", 2, "members"),
            "fees_pmpm": Column(PMPM, "exact", 2),
            "net_pmpm": Column(PMPM, "estimate", 2, "members"),
            "change_pmpm": Column(PMPM, "exact", 2, "members"),
            "comparison_pmpm": Column(PMPM, "exact", 2),
            "comparison_change_pmpm": Column(PMPM, "exact", 2),
            "gross_share": Column("share", "estimate", 3, "members"),
            **{name: Column(PMPM, "estimate", 2, "members") for name in NET_BY_YEAR[:4]},
            "net_p": Column("probability", "estimate", 3, "members"),
        },
        arm="treated",
    ),
    Table(
        "completion",
        "completion.periods",
        ("period", "arm"),
        {
            "members": MEMBERS,
            "member_months": Column(MEMBER_MONTHS, "exact", 0, "members"),
            "paid_pmpm": Column(PMPM, "exact", 2, "members"),
            "completion_factor": Column("ratio", "estimate", 3, "members"),
            "completed_pmpm": Column(PMPM, "estimate", 2, "members"),
            "unpaid_pmpm": Column(PMPM, "estimate", 2, "members"),
        },
        label="period",
    ),
    Table(
        "completion.factor",
        "completion.factors",
        ("category", "lag"),
        {
            "factor": Column("ratio", "estimate", 4),
            "completion_factor": Column("ratio", "estimate", 3),
            "months": Column("months", "count"),
            "treated": Column("ratio", "estimate", 3),
            "comparison": Column("ratio", "estimate", 3),
        },
    ),
    Table(
        "completion.effect",
        "completion.effects",
        ("category",),
        {
            "effect_pmpm": Column(PMPM, "estimate", 2),
            "completed_effect_pmpm": Column(PMPM, "estimate", 2),
            "change_pmpm": Column(PMPM, "estimate", 2),
            "treated": Column("ratio", "estimate", 3),
            "comparison": Column("ratio", "estimate", 3),
        },
    ),
    Table(
        "completion.reserve",
        "completion.reserves",
        ("category",),
        {
            "paid_usd": Column(USD, "exact", 2),
            "ultimate_usd": Column(USD, "estimate", 0),
            "ibnr_usd": Column(USD, "estimate", 0),
        },
    ),
    Table(
        "truncation.above_cap",
        "truncation.above_cap",
        ("arm", "period"),
        {
            "members": MEMBERS,
            "members_above": MEMBERS,
            "member_months": Column(MEMBER_MONTHS, "exact", 0, "members"),
            "allowed_usd": Column(USD, "exact", 2, "members"),
            "above_usd": Column(USD, "exact", 2, "members_above"),
            "above_share": Column("share", "exact", 4, "members_above"),
        },
        label="period",
    ),
    Table(
        "truncation.cap_grid",
        "truncation.cap_grid",
        ("cap",),
        {"cap_usd": Column(USD, "exact", 2), "estimate": Column(PMPM, "estimate", 2)},
    ),
    Table(
        "washout",
        "washout.grid",
        ("months_left_out",),
        {"months_after": Column("months", "count"), "estimate": Column(PMPM, "estimate", 2)},
    ),
    Table(
        "employers",
        "employers.grid",
        ("label",),
        {
            "members_treated": MEMBERS,
            "members_comparison": MEMBERS,
            "member_months": Column(MEMBER_MONTHS, "exact", 0, "members_treated"),
            "share": Column("share", "exact", 4, "members_treated"),
            "estimate": Column(PMPM, "estimate", 2, "members_treated"),
        },
    ),
    *SELECTION,
    *PAYMENT,
    *RISK,
    *RISK_MODEL,
    *MEMBER_COSTS,
    *MEASURES,
    *CARE_MANAGEMENT,
    *SURVEYS,
    *ROBUSTNESS,
    *SPECIFICATIONS,
    *COMPARISON,
    UNCERTAINTY,
    *WHERE,
    *WAVES,
    *PRE_TREND,
)

WITH_INTERVAL = {
    "expected.definitions": "difference_pmpm",
    "did.methods": "estimate",
    "did.event_study": "estimate",
    "risk.terms": "coefficient_pmpm",
    "savings.by_year": "gross_pmpm",
    "completion.periods": "unpaid_pmpm",
    "completion.factors": "factor",
    "completion.effects": "change_pmpm",
    "completion.reserves": "ibnr_usd",
    "truncation.cap_grid": "estimate",
    "washout.grid": "estimate",
    "employers.grid": "estimate",
    "selection.effects": "estimate",
    "uncertainty.quantities": "estimate",
    **RISK_WITH_INTERVAL,
    **MEMBER_COSTS_WITH_INTERVAL,
    "measures.effects": "estimate",
    "surveys.effects": "estimate",
    **ROBUSTNESS_WITH_INTERVAL,
    "comparison.placebo": "estimate",
    **WHERE_WITH_INTERVAL,
    "specifications.specifications": "estimate",
    **WAVES_WITH_INTERVAL,
}
"""The value of a frame whose uncertainty the other columns of its rows hold."""
