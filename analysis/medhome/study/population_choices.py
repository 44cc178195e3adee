"""[population] of the study file: who is eligible, and when a member-month counts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from medhome.study.section import Section

EXPOSURE_RULES = {
    "mid_month": "on the 15th",
    "first_of_month": "on the first day",
    "any_day": "on at least one day",
    "full_month": "on every day",
    "day_fraction": "on at least one day, counted by days",
}
"""When a member-month counts, in the words that follow "enrolled" (`docs/methods.md`, member months)."""

SPECIAL_CATEGORIES = {
    "esrd": "End-stage renal disease",
    "transplant": "Transplant",
    "hospice": "Hospice",
}
"""Members whose cost follows other laws, the first that fits (`docs/methods.md`, special categories)."""

STRATA = {"infants": "Infants (under 1)", "children": "Children (1 to 17)", "adults": "Adults (18 and over)"}
"""Members by age in the first month of the baseline, in words."""


class Population(Section):
    """Eligibility rules, applied in the order written here."""

    age_min: int = Field(default=0, ge=0, le=130)
    age_max: int = Field(default=64, ge=0, le=130)
    payer_types: list[str] = Field(default_factory=list)
    infants: Literal["separate", "children", "exclude"] = "separate"
    special_categories: Literal["keep", "separate", "exclude"] = "keep"
    decedents: Literal["keep", "exclude"] = "keep"
    employer_groups_excluded: list[str] = Field(default_factory=list)
    employer_grid: bool = False
    min_months: int = Field(default=1, ge=1, le=120)
    min_months_rule: Literal["total", "continuous"] = "total"
    require_medical_benefit: bool = True
    require_pharmacy_benefit: bool = True
    exposure: Literal["mid_month", "first_of_month", "any_day", "full_month", "day_fraction"] = "mid_month"
    capitated_months: Literal["keep", "drop"] = "keep"
    orphan_cost: Literal["drop", "keep"] = "drop"

    @model_validator(mode="after")
    def _ages(self) -> Population:
        if self.age_max < self.age_min:
            raise ValueError(f"age_max {self.age_max} is below age_min {self.age_min}")
        return self
