"""[specifications] of the study file: which other choices the effect is estimated under."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from medhome.study.section import Section

AttributionPopulation = Literal["intention_to_treat", "dynamic", "stable", "market"]


class Specifications(Section):
    """The specification curve: alternatives on each axis. The study's own choice is always among them.

    Every combination that an estimator can do is estimated; an axis with one value stands still. Other
    attributions each build the member-months anew (``attributions``), everything else is arithmetic on sums.
    """

    enabled: bool = True
    attributions: list[AttributionPopulation] = Field(default_factory=list)
    attribution_freeze: Literal["period", "year"] = "period"
    caps: list[Literal["none", "p99"] | Annotated[int, Field(ge=1_000)]] = Field(
        default=["none", 250_000, 100_000, "p99"]
    )
    amounts: list[Literal["allowed", "paid"]] = Field(default=["allowed", "paid"])
    weights: list[Literal["member_months", "equal_practices", "equal_organizations", "entropy"]] = Field(
        default=["member_months", "equal_practices"]
    )
    covariates: list[Literal["none", "expected"]] = Field(default=["none", "expected"])
    populations: list[Literal["all", "adults", "children"]] = Field(default=["all", "adults"])
    estimators: list[Literal["twfe", "did2x2", "ppml"]] = Field(default=["twfe", "did2x2", "ppml"])
    clustering: list[Literal["practice", "organization"]] = Field(default=["practice", "organization"])

    @field_validator(
        "attributions", "caps", "amounts", "weights", "covariates", "populations", "estimators", "clustering"
    )
    @classmethod
    def _once(cls, value: list[Any]) -> list[Any]:
        if twice := sorted({str(v) for v in value if value.count(v) > 1}):
            raise ValueError(f"names {', '.join(twice)} twice")
        return value
