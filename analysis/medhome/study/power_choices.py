"""A study's assumptions for planning a pilot: how cost varies, and which sizes are drawn."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from medhome.study.section import Section


class YearlyAssumptions(Section):
    """How cost varies between periods as long as the study's own: the four numbers of the textbook formula.

    ``sd_pmpm_usd``: of one member's mean cost in a period, organisations included. ``icc``: the share of that
    variance between practices. The autocorrelations are those of a practice's and of a member's two periods.
    """

    sd_pmpm_usd: float = Field(gt=0)
    icc: float = Field(ge=0, le=1)
    cluster_autocorrelation: float = Field(ge=-1, le=1)
    member_autocorrelation: float = Field(ge=-1, le=1)


class PowerPlan(Section):
    """What a plan assumes where there are no data, and the sizes that its curve is drawn over.

    A member's months have standard deviation ``member_monthly_cv`` times the mean, and correlation
    ``member_fading_share * member_fading ** lag + member_lasting_share`` beyond lag 0, of those still there:
    ``member_turnover`` leave and are replaced each month. Practices and
    organisations have shocks of their own each month, with standard deviations as shares of the mean, that
    fade at ``autocorrelation`` a month. Defaults are the world that the interval was tested in
    (`docs/methods.md`, few treated organisations); ``docs/power.md`` says what each rests on.
    """

    mean_pmpm_usd: float = Field(default=300.0, gt=0)
    member_monthly_cv: float = Field(default=5.0, gt=0)
    member_fading_share: float = Field(default=0.33, ge=0, le=1)
    member_fading: float = Field(default=0.85, ge=0, lt=1)
    member_lasting_share: float = Field(default=0.09, ge=0, le=1)
    member_turnover: float = Field(default=0.015, ge=0, lt=1)
    practice_sd_share: float = Field(default=0.027, ge=0, le=1)
    organization_sd_share: float = Field(default=0.033, ge=0, le=1)
    autocorrelation: float = Field(default=0.8, ge=0, lt=1)
    yearly: YearlyAssumptions | None = None
    practices_treated: int = Field(default=25, ge=1, le=100_000)
    practices_comparison: int = Field(default=100, ge=1, le=1_000_000)
    organizations_treated: int = Field(default=1, ge=1, le=100_000)
    organizations_comparison: int = Field(default=40, ge=1, le=100_000)
    members_per_practice: float = Field(default=760.0, ge=1, le=1e6)
    effect_pmpm_usd: float | None = Field(default=None, gt=0)
    practices: tuple[int, ...] = Field(default=(), strict=False)
    members: tuple[float, ...] = Field(default=(), strict=False)
    months: tuple[int, ...] = Field(default=(), strict=False)
    organizations: tuple[int, ...] = Field(default=(), strict=False)

    @field_validator("practices", "members", "months", "organizations")
    @classmethod
    def _sizes(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(not v >= 1 for v in value) or len(set(value)) < len(value):
            raise ValueError("sizes must be 1 or more, each of them once")
        return tuple(sorted(value))

    @model_validator(mode="after")
    def _correlation(self) -> PowerPlan:
        if self.member_fading_share + self.member_lasting_share > 1:
            raise ValueError("member_fading_share and member_lasting_share add up to more than 1")
        for arm in ("treated", "comparison"):
            if getattr(self, f"organizations_{arm}") > getattr(self, f"practices_{arm}"):
                raise ValueError(f"organizations_{arm} is above practices_{arm}; each has a practice")
        return self
