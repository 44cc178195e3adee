"""Settings of a simulated world, and the named worlds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, Literal

from medhome.study.periods import Span, month_index
from medhome.study.problems import StudyFileError

LOOKBACK_MONTHS = 12


@dataclass(frozen=True, kw_only=True)
class Wave:
    """Program organisations that start together, and what the program does to their cost.

    start: their first month, YYYY-MM. effect_pmpm_usd: in the first quarter under the program; it grows by
    growth_pmpm_usd with every quarter after it.

    >>> Wave(start="2008-06", effect_pmpm_usd=-10.0, growth_pmpm_usd=-5.0).effect(3)
    -25.0
    """

    start: str
    effect_pmpm_usd: float
    growth_pmpm_usd: float = 0.0

    def effect(self, quarter: int) -> float:
        """Dollars PMPM in a quarter under the program, 0 the first."""
        return self.effect_pmpm_usd + self.growth_pmpm_usd * quarter


@dataclass(frozen=True, kw_only=True)
class WorldSettings:
    """Everything that decides a simulated world; the same settings give the same bytes.

    Dollars are allowed amounts per member per month (PMPM) unless the name says otherwise. Member
    counts are *attributed* members: those with a primary-care visit in the look-back and at least one
    member-month afterwards; somewhat more are enrolled.

    >>> WorldSettings(name="mine", seed=7).comparison_organizations
    42
    """

    name: str
    seed: int
    # calendar, as YYYY-MM
    first_month: str = "2005-06"
    start: str = "2008-06"
    last_month: str = "2010-03"
    paid_through: str = "2010-06"
    # who provides care
    program_members: int = 19_000
    program_organizations: int = 1
    program_sites: int = 25
    program_clinicians: int = 391
    comparison_members: int = 60_600
    comparison_organizations: int = 42
    comparison_size_min: int = 345
    comparison_size_max: int = 14_600
    members_per_site: int = 760
    members_per_clinician: int = 49
    # enrolment
    churn_monthly_share: float = 0.012
    entrants_share: float = 1.0  # of leavers, replaced by entrants
    crossover_share: float = 0.0
    # cost
    mean_pmpm_usd: float = 300.0
    trend_yearly_share: float = 0.05
    organization_sd_pmpm_usd: float = 30.0
    practice_sd_pmpm_usd: float = 10.0
    organization_year_sd_pmpm_usd: float = 4.0
    organization_month_correlation: float = 0.8
    practice_month_sd_pmpm_usd: float = 3.0
    practice_month_correlation: float = 0.5
    # the injected effect: dollars PMPM, or a share of cost when effect_share is given
    effect_pmpm_usd: float = -1.78
    effect_share: float | None = None
    effect_ceiling_usd_per_year: float = 80_000.0
    # effects on measures, by other codes on the same lines (no dollar moves): the share of other laboratory
    # tests of members with diabetes that are A1c tests, and of advanced images that are plain ones
    a1c_effect_share: float = 0.0
    imaging_effect_share: float = 0.0
    # whom care managers list and engage: members of high expected cost, of whom any may agree, or members
    # whose illness has just risen, the steeper the rise the more likely
    engaged_by: Literal["expected_cost", "rising_need"] = "expected_cost"
    # effects on what surveys tell: points (as a share) of patients whose answer on appointments is the best
    # one, and days to the third next free appointment
    appointment_effect_share: float = 0.0
    appointment_effect_days: float = 0.0
    # or an effect by wave; program organisations take the waves in turn
    waves: tuple[Wave, ...] = ()
    # claims
    void_share: float = 0.015
    denied_share: float = 0.04
    orphan_share: float = 0.002
    coding_intensity_share: float = 0.0  # of the program's routine visits after the start: coded more

    def __post_init__(self) -> None:
        faults = []
        for key in ("first_month", "start", "last_month", "paid_through"):
            try:
                month_index(getattr(self, key))
            except ValueError as error:
                faults.append(f"{key}: {error}")
        if not faults:
            if self.baseline.months < 1:
                faults.append(
                    f"start {self.start} leaves no baseline after {LOOKBACK_MONTHS} months of look-back "
                    f"from {self.first_month}"
                )
            if month_index(self.last_month) < month_index(self.start):
                faults.append(f"last_month {self.last_month} lies before start {self.start}")
            if month_index(self.paid_through) < month_index(self.last_month):
                faults.append(f"paid_through {self.paid_through} lies before last_month {self.last_month}")
        if self.seed < 0:
            faults.append(f"seed {self.seed} is negative; give a whole number from 0")
        for key in (
            "program_members",
            "program_organizations",
            "program_sites",
            "comparison_members",
            "comparison_organizations",
            "comparison_size_min",
            "members_per_site",
            "members_per_clinician",
        ):
            if getattr(self, key) < 1:
                faults.append(f"{key} must be at least 1")
        if self.program_clinicians < self.program_sites:
            faults.append("program_clinicians must be at least program_sites: every site needs a clinician")
        smallest = self.comparison_organizations * self.comparison_size_min
        largest = self.comparison_organizations * self.comparison_size_max
        if not smallest <= self.comparison_members <= largest:
            faults.append(
                f"comparison_members {self.comparison_members} cannot be shared among "
                f"{self.comparison_organizations} organisations of {self.comparison_size_min} to "
                f"{self.comparison_size_max}; use {smallest} to {largest}"
            )
        for key in (
            "a1c_effect_share",
            "imaging_effect_share",
            "churn_monthly_share",
            "crossover_share",
            "void_share",
            "denied_share",
            "orphan_share",
            "coding_intensity_share",
            "organization_month_correlation",
            "practice_month_correlation",
        ):
            if not 0 <= getattr(self, key) < 1:
                faults.append(f"{key} must be at least 0 and below 1")
        if self.engaged_by not in ("expected_cost", "rising_need"):
            faults.append(f'engaged_by {self.engaged_by!r} is neither "expected_cost" nor "rising_need"')
        if not -0.4 <= self.appointment_effect_share <= 0.4:
            faults.append("appointment_effect_share must lie between -0.4 and 0.4")
        if not -5 <= self.appointment_effect_days <= 30:
            faults.append("appointment_effect_days must lie between -5 and 30")
        if not 0 <= self.entrants_share <= 2:
            faults.append("entrants_share must lie between 0 and 2")
        if self.effect_share is not None and not -0.9 <= self.effect_share <= 5:
            faults.append("effect_share must lie between -0.9 and 5")
        if self.program_sites < self.program_organizations:
            faults.append("program_sites must be at least program_organizations")
        faults += self._wave_faults()
        if faults:
            raise StudyFileError(
                "\n".join([f"world {self.name!r}: settings that do not fit", *(f"  {f}" for f in faults)])
            )

    def _wave_faults(self) -> list[str]:
        if not self.waves:
            return []
        try:
            starts = [month_index(w.start) for w in self.waves]
        except ValueError as error:
            return [f"waves: {error}"]
        faults = []
        if starts[0] != month_index(self.start):
            faults.append(f"waves: the first starts in {self.waves[0].start}, the world in {self.start}")
        if any(b <= a for a, b in pairwise(starts)) or starts[-1] > month_index(self.last_month):
            faults.append(f"waves: starts must ascend and lie before the end, {self.last_month}")
        if self.program_organizations < len(starts):
            faults.append(f"waves: {len(starts)} need at least as many program_organizations")
        return faults

    @property
    def months(self) -> Span:
        """All months in which cost is incurred."""
        return Span(month_index(self.first_month), month_index(self.last_month) + 1)

    @property
    def baseline(self) -> Span:
        first = month_index(self.first_month) + LOOKBACK_MONTHS
        return Span(first, month_index(self.start))

    @property
    def performance(self) -> Span:
        return Span(month_index(self.start), month_index(self.last_month) + 1)

    @property
    def start_offset(self) -> int:
        """Number of the program's first month, counted from the first month of the world."""
        return month_index(self.start) - month_index(self.first_month)

    def with_seed(self, seed: int) -> WorldSettings:
        """The same world drawn with another seed."""
        return replace(self, seed=seed)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


DEMO = WorldSettings(
    name="demo",
    seed=20080601,
    a1c_effect_share=0.5,
    imaging_effect_share=0.25,
    appointment_effect_share=0.10,
    appointment_effect_days=-1.5,
)

SMALL = WorldSettings(
    name="small",
    seed=20080602,
    program_members=520,
    program_sites=3,
    program_clinicians=12,
    comparison_members=1_500,
    comparison_organizations=12,
    comparison_size_min=60,
    comparison_size_max=320,
    members_per_site=300,
    members_per_clinician=45,
)

WAVES = WorldSettings(
    name="waves",
    seed=20080604,
    program_members=7_200,
    program_organizations=9,
    program_sites=18,
    program_clinicians=150,
    comparison_members=2_400,
    comparison_organizations=10,
    comparison_size_min=120,
    comparison_size_max=480,
    members_per_site=300,
    members_per_clinician=45,
    waves=(
        Wave(start="2008-06", effect_pmpm_usd=-10.0, growth_pmpm_usd=-22.0),
        Wave(start="2008-12", effect_pmpm_usd=-10.0, growth_pmpm_usd=-12.0),
        Wave(start="2009-06", effect_pmpm_usd=-5.0, growth_pmpm_usd=-5.0),
    ),
)

COVERAGE = WorldSettings(
    name="coverage",
    seed=20080603,
    entrants_share=0.0,
    program_members=3_000,
    program_sites=6,
    program_clinicians=60,
    comparison_members=9_000,
    comparison_organizations=20,
    comparison_size_min=150,
    comparison_size_max=1_500,
    members_per_site=500,
    members_per_clinician=49,
)

CODING = replace(SMALL, name="coding", effect_pmpm_usd=0.0, coding_intensity_share=0.2)
"""The small world with no effect, whose program codes illness that is not there: it fools concurrent risk."""

WORLDS: dict[str, WorldSettings] = {w.name: w for w in (DEMO, SMALL, WAVES, COVERAGE, CODING)}
