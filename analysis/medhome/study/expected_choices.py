"""Which definition of "expected" is primary, and what two of the definitions need to be told beforehand."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, field_validator, model_validator

from medhome.study.section import Section


class Expected(Section):
    """The definitions of expected cost; all are worked out, one is declared primary beforehand.

    external_trend_share: yearly growth of cost from outside the study (E1b), 0.05 for 5%; without it E1b has
        no estimate. base_year_weights: weights of the base years of the contract benchmark (E4), the
        earliest first; equal where empty. update: what carries the base years of E4 to the performance
        period, the comparison arm's growth or the external trend. risk_ratio_cap_share: E4 counts growth of
        risk up to this share of one, up or down.
    """

    primary: Literal["E1", "E1b", "E2", "E3", "E4", "E5_level"] = "E3"
    external_trend_share: float | None = Field(default=None, gt=-0.5, le=1)
    base_year_weights: list[float] = Field(default_factory=list)
    update: Literal["comparison", "external"] = "comparison"
    risk_ratio_cap_share: float = Field(default=0.03, ge=0, lt=1)

    @field_validator("base_year_weights")
    @classmethod
    def _weights(cls, value: list[float]) -> list[float]:
        if value and not (all(math.isfinite(w) and w >= 0 for w in value) and sum(value) > 0):
            raise ValueError("weights of base years are zero or more, and not all zero")
        return value

    @model_validator(mode="after")
    def _trend_known(self) -> Expected:
        if self.external_trend_share is None and (self.primary == "E1b" or self.update == "external"):
            asks = 'primary "E1b"' if self.primary == "E1b" else 'update "external"'
            raise ValueError(f"{asks} needs external_trend_share, the yearly growth of cost (0.05 for 5%)")
        return self


class SavingsPrior(Section):
    """What was believed about savings before the study, in allowed dollars PMPM: a normal distribution.

    Without it no probability of savings is told. source: in words, where the prior comes from.
    """

    mean_pmpm_usd: float = 0.0
    sd_pmpm_usd: float = Field(gt=0)
    source: str = Field(min_length=1)
