"""A study's choices on its outcome: what is counted, where it is cut, and in the dollars of which year."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, PlainValidator, model_validator

from medhome.study.claims_choices import STRICT
from medhome.study.deflator import IndexMonth, PriceIndex


def _cap_trend(value: object) -> object:
    """A yearly growth, or "comparison"."""
    if value == "comparison":
        return value
    if not isinstance(value, int | float) or isinstance(value, bool) or not -0.2 <= value <= 0.5:
        raise ValueError('must be a number from -0.2 to 0.5, or "comparison" for the comparison arm\'s trend')
    return float(value)


class Outcomes(BaseModel):
    """What is measured and how high cost is truncated, and in which dollars."""

    model_config = STRICT

    primary: Literal["allowed"] = "allowed"
    services: Literal["all", "medical"] = "all"
    cap_usd_per_year: int | None = Field(default=100_000, ge=1_000)
    cap_trend: Annotated[float | Literal["comparison"], PlainValidator(_cap_trend)] = 0.0
    prorate_cap: bool = False
    deflator: str = Field(default="", pattern=r"^([\w-][\w.-]*\.csv)?$")
    deflator_base: int | None = Field(default=None, ge=1900, le=2200)
    deflator_index: tuple[IndexMonth, ...] = ()

    @model_validator(mode="after")
    def _index(self) -> Outcomes:
        if bool(self.deflator) != (self.deflator_base is not None):
            raise ValueError("deflator and deflator_base go together: a price index and a year")
        if self.deflator and not self.deflator_index:
            raise ValueError("deflator names a file, which read_study reads; none was read")
        return self

    @property
    def price_index(self) -> PriceIndex | None:
        """The study's price index; None where dollars stay as they are."""
        return None if self.deflator_base is None else PriceIndex(self.deflator_index, self.deflator_base)
