"""[lists] of the study file: whom the program calls high-risk, by criteria and weights agreed beforehand."""

from __future__ import annotations

import difflib
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from medhome.study.definitions import code_list
from medhome.study.section import Section

PREDICTED, CONDITIONS, ADMISSIONS, EMERGENCY, GAPS = (
    *("predicted_cost", "conditions", "admissions", "emergency_visits", "open_gaps"),
)
KINDS = (PREDICTED, CONDITIONS, ADMISSIONS, EMERGENCY, GAPS)
"""What a criterion may ask about, in the order of the list's columns."""

_LOOKS_BACK = (CONDITIONS, ADMISSIONS, EMERGENCY)
_COUNTS = (ADMISSIONS, EMERGENCY, GAPS)
Share = Annotated[float, Field(gt=0, le=1)]


class Criterion(Section):
    """One reason to be on the high-risk list, and the points that it gives."""

    kind: Literal["predicted_cost", "conditions", "admissions", "emergency_visits", "open_gaps"]
    points: int = Field(ge=0, le=1000)
    top_share: Share | None = None
    at_least: float | None = Field(default=None, gt=0)
    any_of: list[str] = Field(default_factory=list)
    months: int = Field(default=12, ge=1, le=36)
    each: bool = False

    @field_validator("any_of")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        known = list(dict.fromkeys(code_list("conditions")["condition_id"]))
        for name in value:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"conditions are {', '.join(known)}"
                raise ValueError(f"there is no condition {name!r}; {hint}")
        if len(set(value)) < len(value):
            raise ValueError("a condition is named twice")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Criterion:
        if (self.kind == CONDITIONS) != bool(self.any_of):
            raise ValueError('any_of goes with kind "conditions", which needs it: a list of conditions')
        if self.kind == PREDICTED and (self.top_share is None) == (self.at_least is None):
            raise ValueError(
                'kind "predicted_cost" needs one of top_share (of members) and at_least (dollars per member '
                "per month, or the score)"
            )
        if self.kind != PREDICTED and self.top_share is not None:
            raise ValueError(f'top_share goes with kind "predicted_cost", not with "{self.kind}"')
        if self.kind in _COUNTS and self.at_least is not None and self.at_least != int(self.at_least):
            raise ValueError(f'at_least {self.at_least}: kind "{self.kind}" counts in whole numbers')
        if self.kind == CONDITIONS and self.at_least is not None:
            raise ValueError('at_least does not go with kind "conditions"; each = true gives points for each')
        if self.kind == PREDICTED and self.each:
            raise ValueError('each does not go with kind "predicted_cost"')
        return self

    @property
    def fewest(self) -> int:
        """The smallest number of events that gives points."""
        return int(self.at_least or 1)

    @property
    def looks_back(self) -> bool:
        """Whether ``months`` matter."""
        return self.kind in _LOOKS_BACK


def _agreed_upon() -> list[Criterion]:
    """What a study that says nothing has: as in the study template."""
    return [
        Criterion(kind="predicted_cost", top_share=0.05, points=3),
        Criterion(kind="conditions", any_of=["heart_failure", "copd", "renal"], points=2),
        Criterion(kind="admissions", at_least=1, months=12, points=2),
        Criterion(kind="emergency_visits", at_least=2, months=6, points=1),
        Criterion(kind="open_gaps", at_least=3, points=1),
    ]


class Lists(Section):
    """The lists that the program works with: who is on the high-risk list, by which points."""

    agreed: str = Field(default="", max_length=200)
    prediction: Literal["fitted", "own"] = "fitted"
    top_share: Share | None = None
    threshold_points: int | None = Field(default=None, ge=1)
    criteria: list[Criterion] = Field(default_factory=_agreed_upon, min_length=1, max_length=50)

    @model_validator(mode="after")
    def _weighted(self) -> Lists:
        if not any(c.points for c in self.criteria):
            raise ValueError(
                "the points of every criterion are 0: nobody can be on the list; weigh at least one"
            )
        if self.top_share is not None and self.threshold_points is not None:
            raise ValueError("top_share and threshold_points both say where the list ends; keep one of them")
        return self

    @property
    def predicts(self) -> bool:
        """Whether a criterion asks for predicted cost."""
        return any(c.kind == PREDICTED for c in self.criteria)

    @property
    def share(self) -> float | None:
        """The share of members that the list holds at most, but for ties; None where points decide."""
        return None if self.threshold_points is not None else self.top_share or 0.05
