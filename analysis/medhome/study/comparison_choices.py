"""[comparison] of the study file: how much each comparison practice counts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from medhome.study.definitions import code_list
from medhome.study.section import Section

CHARACTERISTICS = ("expected", "age", "female", "children")
"""What practices' members may be made alike in, beside conditions ("condition:diabetes")."""


class Comparison(Section):
    """Weights under which comparison practices look like the program's before the start.

    Arguments
        weights: none (practices count by their member-months), propensity (odds of a logit) or entropy
            (nearest weights with equal means).
        covariates: characteristics of practices' members before the start.
        trim: overlap leaves out practices without a counterpart; propensity alone.
        largest_share: the largest share of the comparison's weight that one practice may have.
        outcome_levels: match on cost before the start as well. It regresses to the mean, so that a placebo
            test stands beside it.
    """

    weights: Literal["none", "propensity", "entropy"] = "none"
    covariates: list[str] = Field(default=["expected"], min_length=1)
    trim: Literal["none", "overlap"] = "none"
    largest_share: float | None = Field(default=None, gt=0, lt=1)
    outcome_levels: bool = False

    @field_validator("covariates")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        conditions = sorted(set(code_list("conditions")["condition_id"]))
        allowed = [*CHARACTERISTICS, *(f"condition:{c}" for c in conditions)]
        if unknown := [c for c in value if c not in allowed]:
            raise ValueError(f"{unknown[0]!r} is not known; covariates are {', '.join(allowed)}")
        if len(set(value)) < len(value):
            raise ValueError("names a covariate twice")
        return value

    @model_validator(mode="after")
    def _of_propensity(self) -> Comparison:
        own = {"trim": self.trim != "none", "largest_share": self.largest_share is not None}
        own["outcome_levels"] = self.outcome_levels
        for key, asked in own.items():
            if asked and self.weights != "propensity":
                raise ValueError(f'{key} belongs to weights = "propensity"')
        return self
