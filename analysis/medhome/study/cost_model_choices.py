"""[cost_models] of the study file: which models of member cost stand beside the one behind "expected"."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from medhome.study.section import Section

Family = Literal["ols", "poisson", "gamma", "tweedie", "two-part"]


class CostModelChoices(Section):
    """Cost models of member-periods: families, the first being primary; who is fitted apart; folds and draws.

    strata "apart": adults, children and infants each have a model; one with fewer than ``fewest_members`` to
    fit on goes with the next older. Draws of 0 leave the bootstrap out.
    """

    enabled: bool = True
    families: list[Family] = Field(default=["ols", "poisson", "gamma", "tweedie", "two-part"], min_length=1)
    strata: Literal["apart", "together"] = "apart"
    first_part: Literal["logit", "probit"] = "logit"
    second_part: Literal["gamma", "poisson", "ols"] = "gamma"
    tweedie_power: float = Field(default=1.5, gt=1, lt=2)
    fewest_members: int = Field(default=200, ge=50)
    folds: int = Field(default=5, ge=2, le=20)
    draws: int = Field(default=400, ge=0, le=10_000)

    @field_validator("families")
    @classmethod
    def _once(cls, value: list[Family]) -> list[Family]:
        if twice := sorted({v for v in value if value.count(v) > 1}):
            raise ValueError(f"names {', '.join(twice)} twice")
        return value

    @field_validator("draws")
    @classmethod
    def _enough(cls, value: int) -> int:
        if 0 < value < 50:
            raise ValueError(f"{value} draws give no interval; ask for 50 or more, or 0 for none")
        return value
