"""medhome: did a care program change what care cost, compared with what would have been expected?

Notebooks and users import ``medhome`` and nothing deeper. Names are loaded when they are first used, so that
the command line starts quickly.
"""

from __future__ import annotations

import importlib
from typing import Any

from medhome.version import __version__

_HOMES = {
    "medhome.models.risk_scores.scoring": ("RiskScores", "risk_scores"),
    "medhome.models.sensitivity.bounds": ("sensitivity",),
    "medhome.cost_model_tables": ("cost_model",),
    "medhome.panels": ("did",),
    "medhome.planning": ("power",),
    "medhome.settlements": ("settle",),
    "medhome.runs": ("check", "init", "open_run", "run", "simulate", "validate", "verify"),
    "medhome.study.spec": ("StudySpec", "read_study"),
    "medhome.study.cells": ("Cells",),
    "medhome.study.cost_model_results": ("CostModelResult",),
    "medhome.study.panel_results": ("PanelEstimate",),
    "medhome.study.payment_results": ("ContractSettlements",),
    "medhome.study.power_results": ("PowerCurve",),
    "medhome.study.sensitivity_bounds": ("SensitivityResult",),
    "medhome.study.validation_results": ("ValidationResult",),
    "medhome.study.problems": ("DataProblem", "MedhomeError", "ModelRefusal", "StudyFileError"),
    "medhome.reporting.validation_page": (
        "departures_on_purpose",
        "values_in_words",
        "values_by_entry",
        "values_one_by_one",
    ),
    "medhome.reporting.pages": (
        "accuracy_of_other_cost_models",
        "accuracy_of_the_cost_model",
        "balance_at_baseline",
        "before_any_claim_of_savings",
        "before_the_start",
        "bounds_on_trends",
        "calibration_of_the_cost_model",
        "care_management_and_cost",
        "care_management_funnel",
        "checks_of_this_study",
        "chronic_care",
        "claims_by_month",
        "cohort_flow",
        "comparison_weights",
        "cost_above_the_cap",
        "cost_by_quarter",
        "cost_model_terms",
        "definitions_of_expected",
        "definitions_side_by_side",
        "detectable_effect",
        "dollars_by_arm_and_period",
        "dollars_kept",
        "dollars_kept_table",
        "effect_after_a_washout",
        "effect_at_other_caps",
        "effect_beside_what_is_detectable",
        "effect_by_category",
        "effect_by_group",
        "effect_by_quarter",
        "effect_by_timing_of_risk",
        "effect_in_words",
        "effect_since_each_start",
        "effect_under_cost_models",
        "effect_without_each_employer",
        "effect_without_one_organization",
        "effect_without_one_practice",
        "effects_by_wave",
        "effects_of_placebo_starts",
        "effects_on_placebo_outcomes",
        "estimates_by_method",
        "expected_in_words",
        "fees",
        "findings_in_words",
        "first_things_first",
        "gaps_in_care",
        "how_expected_cost_is_made",
        "how_savings_are_made",
        "how_sure_in_short",
        "how_sure_in_words",
        "how_the_effect_is_estimated",
        "how_the_interval_is_made",
        "input_files",
        "input_rules",
        "key_numbers",
        "limits_of_this_study",
        "measures_in_words",
        "measures_not_known",
        "medication",
        "members_by_stratum",
        "organizations_compared",
        "other_methods_of_inference",
        "pay_for_performance",
        "placebo_organizations",
        "practices_as_a_funnel",
        "practices_beside_random_panels",
        "predictive_ratios_by_group",
        "preventive_care",
        "price_and_quantity",
        "program_payments",
        "protocol_lock",
        "reproduce_this_report",
        "risk_of_the_members",
        "run_out_and_completion",
        "satisfaction_and_access",
        "savings_by_year",
        "savings_in_words",
        "savings_table",
        "settlement_statement",
        "show",
        "specification_curve",
        "survey_respondents",
        "tests_of_the_cost_models",
        "the_other_pages",
        "the_program",
        "the_question",
        "uncertainty_of_the_chain",
        "utilisation_of_care",
        "waves_by_method",
        "waves_of_the_program",
        "what_the_interval_is_made_of",
        "where_in_words",
        "where_members_were_seen",
        "who_came_and_went",
        "who_was_compared",
    ),
}
_NAMES = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_NAMES)]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"medhome has no public name {name!r}")
    return getattr(importlib.import_module(_NAMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
