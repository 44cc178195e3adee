"""A study's choices on payment: fees by date and tier, pay for performance, shared savings.

Sums that a contract fixes are inputs; what they come to for a study's members is worked out in
`medhome.models.payment` and `medhome.models.settlement`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PlainValidator, field_validator, model_validator

from medhome.study.periods import month_index, month_name
from medhome.study.section import Section

Kind = Literal["care_management", "enhanced_services", "other"]
Arm = Literal["treated", "comparison"]


def _rate_or(word: str) -> PlainValidator:
    """A share from 0 to 1, or one word."""

    def read(value: object) -> float | str:
        if value == word:
            return word
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError(f'must be a share from 0 to 1, or "{word}"')
        return float(value)

    return PlainValidator(read)


class Dated(Section):
    """Something that holds from one month to another, both inside; without a last month to the end."""

    first: str
    last: str | None = None

    @field_validator("first", "last")
    @classmethod
    def _month(cls, value: str | None) -> str | None:
        return None if value is None else month_name(month_index(value))

    @model_validator(mode="after")
    def _order(self) -> Dated:
        if self.last is not None and month_index(self.last) < month_index(self.first):
            raise ValueError(f"last {self.last} lies before first {self.first}")
        return self

    def holds_in(self, month: int) -> bool:
        """Whether a month (index) is inside."""
        return month_index(self.first) <= month and (self.last is None or month <= month_index(self.last))


class Fee(Dated):
    """A program payment, in dollars PMPM of an arm, from one month to another (both inside).

    Rows of one name are one schedule, whose rate changes by date. ``strata`` and ``practices`` say whose
    months it is paid on (all where empty), ``member_share`` on which share of their members (a risk tier).
    """

    name: str = Field(min_length=1)
    pmpm_usd: float = Field(ge=0)
    kind: Kind = "care_management"
    arm: Arm = "treated"
    strata: tuple[str, ...] = Field(default=(), strict=False)
    practices: tuple[str, ...] = Field(default=(), strict=False)
    member_share: float = Field(default=1.0, gt=0, le=1)


class Measure(Section):
    """One measure of quality or of appropriate care and what its value earns.

    Nothing below ``threshold``, all from ``target``, in proportion between them; without a target, all or
    nothing at the threshold. Where lower is better, the target is the lower one. A ``gate`` must reach its
    threshold, or nothing of the whole pool is earned. ``value`` is the contract's own; ``measure`` names a
    measure of the evaluation instead, whose rate in the program after the start is the value.
    """

    id: str = Field(min_length=1)
    label: str = Field(min_length=1)
    kind: Literal["quality", "appropriate_care"] = "quality"
    value: float | None = None
    measure: str = ""
    threshold: float
    target: float | None = None
    lower_is_better: bool = False
    weight: float = Field(default=1.0, ge=0)
    gate: bool = False

    @model_validator(mode="after")
    def _ends(self) -> Measure:
        if (self.value is None) == (not self.measure):
            raise ValueError("give either value, or measure: the id of a measure that the study evaluates")
        if self.target is not None and (
            self.target == self.threshold or (self.target < self.threshold) != self.lower_is_better
        ):
            side = "below" if self.lower_is_better else "above"
            raise ValueError(f"target {self.target:g} must lie {side} threshold {self.threshold:g}")
        return self


class PayForPerformance(Dated):
    """A pool of dollars that measures of quality and appropriate care earn, in one contract period."""

    name: str = "Pay for performance"
    pool_pmpm_usd: float | None = Field(default=None, ge=0)
    pool_usd: float | None = Field(default=None, ge=0)
    minimum_score: float = Field(default=0.0, ge=0, le=1)
    measures: list[Measure] = Field(min_length=1)

    @model_validator(mode="after")
    def _pool(self) -> PayForPerformance:
        if (self.pool_pmpm_usd is None) == (self.pool_usd is None):
            raise ValueError("give either pool_pmpm_usd or pool_usd, the most that can be earned")
        if not sum(m.weight for m in self.measures) > 0:
            raise ValueError("the weights of the measures add up to zero")
        names = [m.id for m in self.measures]
        if len(set(names)) < len(names):
            raise ValueError("two measures have the same id")
        return self

    def months_to(self, month: int) -> int:
        """How many months it is for; one without an end is for those up to ``month`` (index)."""
        last = month if self.last is None else month_index(self.last)
        return max(1, last - month_index(self.first) + 1)


class SharedSavings(Section):
    """The terms of a shared-savings contract; rates and caps are shares of the benchmark.

    A rate called "medicare" is that of the Medicare Shared Savings Program's one-sided track, by the number
    of persons. ``corridor_rate``: the first part of savings and of losses, which nobody shares.
    ``sequestration_rate`` comes off before the cap.
    """

    sides: Literal["one", "two"] = "one"
    minimum_savings_rate: Annotated[float | str, _rate_or("medicare")] = 0.0
    minimum_savings_rate_few: float | None = Field(default=None, ge=0, le=1)
    minimum_loss_rate: Annotated[float | str, _rate_or("same")] = "same"
    corridor_rate: float = Field(default=0.0, ge=0, lt=1)
    share_rate: float = Field(default=0.5, ge=0, le=1)
    quality: Literal["none", "gate", "scaled"] = "none"
    minimum_quality_score: float = Field(default=0.0, ge=0, le=1)
    cap_rate: float | None = Field(default=None, gt=0, le=1)
    loss_rate: Annotated[float | str, _rate_or("one-minus-share")] = "one-minus-share"
    loss_rate_least: float = Field(default=0.0, ge=0, le=1)
    loss_rate_most: float = Field(default=1.0, ge=0, le=1)
    loss_cap_rate: float | None = Field(default=None, gt=0, le=1)
    sequestration_rate: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _losses(self) -> SharedSavings:
        if self.loss_rate_most < self.loss_rate_least:
            raise ValueError("loss_rate_most is below loss_rate_least")
        # A value that equals the default may come from a study that was written out whole.
        fields = type(self).model_fields
        named = [
            key
            for key in ("loss_cap_rate", "loss_rate", "minimum_loss_rate")
            if getattr(self, key) != fields[key].default
        ]
        if self.sides == "one" and named:
            raise ValueError(f'{named[0]} counts only where sides is "two"')
        return self


class StudyContract(SharedSavings):
    """The shared-savings contract of a study, settled for each program year.

    ``benchmark_pmpm_usd``: the contract's own benchmark of each program year; without it the benchmark is the
    study's expected cost. ``amount``: what the contract counts, allowed dollars below the study's cap or all
    that was paid. ``quality_score``: without it that of the pay for performance in force.
    """

    benchmark_pmpm_usd: tuple[float, ...] = Field(default=(), strict=False)
    amount: Literal["allowed", "paid"] = "allowed"
    quality_score: float | None = Field(default=None, ge=0, le=1)

    @field_validator("benchmark_pmpm_usd")
    @classmethod
    def _above_zero(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(not v > 0 for v in value):
            raise ValueError("every benchmark must be above zero")
        return value


class Employer(Section):
    """A self-insured employer's view: which part of savings and of payments reaches it.

    ``stop_loss``: an insurer bears the dollars above the study's cap. ``payment_share``: the share of program
    payments that the payer passes on. ``administration_pmpm_usd``: what the program costs it besides.
    """

    stop_loss: bool = False
    payment_share: float = Field(default=1.0, ge=0, le=1)
    administration_pmpm_usd: float = Field(default=0.0, ge=0)


class Payment(Section):
    """The blended payment model beside fee for service and ``[[fees]]``."""

    performance: list[PayForPerformance] = Field(default_factory=list)
    shared_savings: StudyContract | None = None
    employer: Employer | None = None
