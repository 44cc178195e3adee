"""[arms] and [attribution] of the study file: who is treated, and which practice a member belongs to."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from medhome.study.section import Section


class Arms(Section):
    """Who is treated: by the program roster, or by a rule where no program exists (a placeholder)."""

    rule: Literal["roster", "state", "hash"] = "roster"
    program_id: str = ""
    treated_states: list[str] = Field(default_factory=list)
    treated_share: float = Field(default=0.5, gt=0, lt=1)
    placeholder_practices: int = Field(default=20, ge=2, le=1000)

    @model_validator(mode="after")
    def _state(self) -> Arms:
        if self.rule == "state" and not self.treated_states:
            raise ValueError('treated_states must name at least one state when rule is "state"')
        return self

    @property
    def placeholder(self) -> bool:
        return self.rule != "roster"


class Attribution(Section):
    """Which practice a member belongs to."""

    method: Literal["plurality", "roster", "rule"] = "plurality"
    lookback_months: int = Field(default=12, ge=1, le=36)
    freeze: Literal["baseline"] = "baseline"
    min_visits: int = Field(default=1, ge=1, le=12)
