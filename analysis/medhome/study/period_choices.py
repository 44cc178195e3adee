"""[periods] of the study file: baseline, start and performance."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from medhome.study.periods import Span, month_index, month_name
from medhome.study.section import Section


class Periods(Section):
    """Baseline, program start and the last month analysed; months as YYYY-MM."""

    baseline_first: str
    baseline_last: str
    start: str
    through: str
    washout_months: int = Field(default=0, ge=0, le=24)
    run_out_months: int = Field(default=3, ge=0, le=36)

    @field_validator("baseline_first", "baseline_last", "start", "through")
    @classmethod
    def _month(cls, value: str) -> str:
        return month_name(month_index(value))

    @model_validator(mode="after")
    def _order(self) -> Periods:
        if self.baseline.months < 1:
            raise ValueError(
                "baseline_last lies before baseline_first; the baseline needs at least one month"
            )
        if self.start_month < self.baseline.end:
            raise ValueError(
                f"start {self.start} lies inside the baseline; it must come after baseline_last "
                f"{self.baseline_last}"
            )
        if month_index(self.through) < self.start_month + self.washout_months:
            raise ValueError(
                f"through {self.through} lies before the performance period, which begins at "
                f"{month_name(self.start_month + self.washout_months)}"
            )
        return self

    @property
    def baseline(self) -> Span:
        return Span(month_index(self.baseline_first), month_index(self.baseline_last) + 1)

    @property
    def start_month(self) -> int:
        return month_index(self.start)

    @property
    def performance(self) -> Span:
        return Span(self.start_month + self.washout_months, month_index(self.through) + 1)

    @property
    def analysed(self) -> tuple[int, ...]:
        """Every month analysed: baseline and performance, without the washout."""
        return (*self.baseline, *self.performance)
