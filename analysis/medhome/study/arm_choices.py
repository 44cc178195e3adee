"""[arms] and [attribution] of the study file: who is treated, and which practice a member belongs to."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from medhome.study.periods import month_index, month_name
from medhome.study.section import Section


class Exclusion(Section):
    """Months in which a practice, or an organisation, is not compared: it was in another program, say."""

    practice_id: str = ""
    organization_id: str = ""
    first: str
    last: str | None = None
    reason: str = Field(min_length=1, max_length=120)

    @field_validator("first", "last")
    @classmethod
    def _month(cls, value: str | None) -> str | None:
        return None if value is None else month_name(month_index(value))

    @model_validator(mode="after")
    def _one_unit(self) -> Exclusion:
        if bool(self.practice_id) == bool(self.organization_id):
            raise ValueError("name one unit: practice_id or organization_id")
        if self.last is not None and month_index(self.last) < month_index(self.first):
            raise ValueError(f"last {self.last} lies before first {self.first}")
        return self

    @property
    def first_month(self) -> int:
        return month_index(self.first)

    @property
    def last_month(self) -> int | None:
        return None if self.last is None else month_index(self.last)

    @property
    def months(self) -> str:
        """The months in words, as they follow "excluded"."""
        return f"from {self.first}" if self.last is None else f"{self.first} to {self.last}"


class Arms(Section):
    """Who is treated: by the program roster, or by a rule where no program exists (a placeholder)."""

    rule: Literal["roster", "state", "hash"] = "roster"
    program_id: str = ""
    treated_states: list[str] = Field(default_factory=list)
    treated_share: float = Field(default=0.5, gt=0, lt=1)
    placeholder_practices: int = Field(default=20, ge=2, le=1000)
    exclusions: list[Exclusion] = Field(default_factory=list, max_length=50)
    waves: Literal["roster", "none"] = "roster"

    @model_validator(mode="after")
    def _state(self) -> Arms:
        if self.rule == "state" and not self.treated_states:
            raise ValueError('treated_states must name at least one state when rule is "state"')
        return self

    @property
    def placeholder(self) -> bool:
        return self.rule != "roster"


class Attribution(Section):
    """Which practice a member belongs to, and whether that may change."""

    method: Literal["plurality", "stepwise", "roster", "rule"] = "plurality"
    population: Literal["intention_to_treat", "dynamic", "stable", "market"] = "intention_to_treat"
    lookback_months: int = Field(default=12, ge=1, le=36)
    freeze: Literal["baseline", "period", "year"] = "baseline"
    min_visits: int = Field(default=1, ge=1, le=12)
    specialties: list[str] = Field(default_factory=list)
    tie_break: list[Literal["recency", "dollars"]] = Field(default=["recency", "dollars"])
    area: Literal["zip_code", "zip3", "state"] = "zip_code"

    @model_validator(mode="after")
    def _consistent(self) -> Attribution:
        if (self.population == "dynamic") == (self.freeze == "baseline"):
            raise ValueError(
                f'freeze "{self.freeze}" does not go with population "{self.population}": a dynamic one is '
                'attributed afresh each "period" or "year", every other one is frozen at "baseline"'
            )
        if self.method == "stepwise" and not any(s.strip() for s in self.specialties):
            raise ValueError(
                'specialties must name at least one specialty when method is "stepwise": those whose '
                "clinicians count for members whom no primary-care clinician saw"
            )
        if len(set(self.tie_break)) < len(self.tie_break):
            raise ValueError(f"tie_break {self.tie_break} names one rule twice")
        return self
