"""What an evaluation found: frozen, complete, saved as JSON and Parquet.

Effects are actual minus expected: negative means that care cost less. Dollars are floats here, per member
per month (PMPM) unless a name says otherwise. Frames are tidy; their columns are listed with each class.
A frame's ``COUNTS`` say which columns are numbers of people or of organisations (withheld when small) and
``RESTING`` which columns rest on them and are withheld with them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pandas as pd

from medhome.study.care_management_results import CareManagement
from medhome.study.check_results import Check
from medhome.study.comparison_results import ComparisonGroup
from medhome.study.completion_results import Completion
from medhome.study.employer_results import Employers
from medhome.study.estimate import Estimate
from medhome.study.frames import frame_without_rows
from medhome.study.measure_results import Measures
from medhome.study.member_cost_results import MemberCosts
from medhome.study.payment_results import Payment
from medhome.study.pre_trend_results import pre_trend_tests
from medhome.study.risk_results import RiskAdjustment
from medhome.study.robustness_results import Robustness
from medhome.study.savings_years import RESTING_BY_YEAR
from medhome.study.selection_results import Selection
from medhome.study.specification_results import SpecificationCurve
from medhome.study.survey_results import Surveys
from medhome.study.truncation_results import Truncation
from medhome.study.uncertainty_results import Uncertainty
from medhome.study.washout_results import Washout
from medhome.study.wave_results import Waves
from medhome.study.where_results import Where


@dataclass(frozen=True, kw_only=True)
class Attrition:
    """Exhibit T1: who is left after each rule.

    frame: one row per rule and arm, in order: ``step`` (0, 1, ...), ``rule`` (id), ``label`` (in words),
    ``arm``, ``members``, ``member_months``, ``allowed_usd`` (left after the rule), ``members_dropped``,
    ``member_months_dropped``, ``allowed_usd_dropped``.
    """

    frame: pd.DataFrame
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {"frame": ("members", "members_dropped")}
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {
        "frame": ("member_months", "allowed_usd", "member_months_dropped", "allowed_usd_dropped")
    }


RECONCILIATION = (
    *("step", "reason", "label", "arm", "period"),
    *("members", "lines", "allowed_usd", "paid_usd"),
)
ORPHANS = ("arm", "period", "members", "lines", "allowed_usd", "paid_usd", "kept_allowed_usd")
ENCOUNTERS = ("arm", "period", "members", "lines", "zero_lines", "zero_share")
PRICES = (
    *("arm", "category", "members", "baseline_pmpm", "performance_pmpm", "change_pmpm"),
    *("quantity_at_baseline_prices_pmpm", "price_at_performance_quantities_pmpm"),
    *("quantity_at_performance_prices_pmpm", "price_at_baseline_quantities_pmpm"),
    *("quantity_pmpm", "price_pmpm", "standardised_baseline_pmpm", "standardised_performance_pmpm"),
)
_WORDS = ("reason", "label", "arm", "period", "category", "stratum")


def without_rows(columns: tuple[str, ...]) -> pd.DataFrame:
    """A frame of these columns without rows: what a result holds that was not asked for."""
    kinds = {c: "str" if c in _WORDS else "float64" for c in columns}
    return frame_without_rows(kinds)


@dataclass(frozen=True, kw_only=True)
class DataQuality:
    """What the input checks found, and where the dollars went.

    rules: one row per rule: ``rule`` (id), ``table``, ``column``, ``severity`` (error, warning, note),
        ``label``, ``count``, ``rows``, ``share``, ``dollars_usd``, ``examples`` (up to five keys, private).
    waterfall: from raw dollars in the files to dollars in the model: ``step``, ``reason`` (id), ``label``,
        ``lines``, ``allowed_usd`` (change; the first row is the raw total, the last the model's total; all
        but the last add up to the last, to the cent), ``paid_usd``.
    volumes: one row per arm and month: ``arm``, ``month``, ``claim_lines``, ``allowed_usd``,
        ``member_months``, ``members``.
    inputs: one row per file: ``role``, ``name``, ``rows``, ``bytes``, ``sha256``, ``content_sha256``.
    reconciliation: the waterfall by ``arm`` ("treated", "comparison", "none": everyone else) and ``period``
        ("before" the baseline, "baseline", "washout", "performance", "later"): ``step``, ``reason``,
        ``label``, ``arm``, ``period``, ``members`` (people of the arm with lines in the period), ``lines``,
        ``allowed_usd``, ``paid_usd``. In each column the changes add up to the last step, to the cent.
    encounters: one row per arm and period: ``members``, ``lines`` (medical lines that count), ``zero_lines``
        (allowed nothing), ``zero_share``.
    orphans: cost in months without exposure, one row per arm and period that has some: ``members`` (with an
        enrolment span somewhere), ``lines``, ``allowed_usd``, ``paid_usd``, ``kept_allowed_usd`` (counted
        with another month of the member, where the study keeps it). Its dollars are the step "orphan".
    prices: the change in cost per member-month as quantity and price, where the study asks for it
        (`medhome.tables.prices.decompose`); else without rows.
    """

    rules: pd.DataFrame
    waterfall: pd.DataFrame
    volumes: pd.DataFrame
    inputs: pd.DataFrame
    reconciliation: pd.DataFrame = field(default_factory=lambda: without_rows(RECONCILIATION))
    encounters: pd.DataFrame = field(default_factory=lambda: without_rows(ENCOUNTERS))
    orphans: pd.DataFrame = field(default_factory=lambda: without_rows(ORPHANS))
    prices: pd.DataFrame = field(default_factory=lambda: without_rows(PRICES))
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {
        "rules": ("count",),
        "waterfall": ("lines",),
        "volumes": ("members",),
        "reconciliation": ("members", "lines"),
        "encounters": ("members", "zero_lines"),
        "orphans": ("members", "lines"),
        "prices": ("members",),
    }
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {
        "rules": ("share", "dollars_usd"),
        "waterfall": ("allowed_usd", "paid_usd"),
        "volumes": ("claim_lines", "allowed_usd", "member_months"),
        "reconciliation": ("lines", "allowed_usd", "paid_usd"),
        "encounters": ("lines", "zero_lines", "zero_share"),
        "orphans": ("lines", "allowed_usd", "paid_usd", "kept_allowed_usd"),
        "prices": PRICES[3:],
    }


STRATA = ("arm", "stratum", "period", "members", "member_months", "share", "pmpm")


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Exhibit T2: who was compared, at baseline.

    balance: one row per characteristic: ``characteristic`` (id), ``label``, ``unit``, ``treated``,
        ``comparison`` (means), ``smd`` (standardised mean difference), ``variance_ratio``.
    organizations: one row per organisation: ``organization_id``, ``label`` (neutral, "Comparison 07"),
        ``arm``, ``practices``, ``clinicians``, ``members``, ``baseline_member_months``,
        ``performance_member_months``, ``baseline_pmpm``, ``performance_pmpm``.
    strata: one row per arm, stratum (adults, children, infants; special categories where the study keeps
        them apart) and period: ``members`` (with exposure in the period), ``member_months``, ``share`` (of
        the arm's member-months in the period), ``pmpm`` (allowed, capped).
    """

    balance: pd.DataFrame
    organizations: pd.DataFrame
    members: Mapping[str, int]
    member_months: Mapping[str, float]
    practices: Mapping[str, int]
    organizations_n: Mapping[str, int]
    clinicians: Mapping[str, int]
    strata: pd.DataFrame = field(default_factory=lambda: without_rows(STRATA))
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {
        "organizations": ("members", "practices", "clinicians"),
        "strata": ("members",),
    }
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {
        "organizations": (
            "baseline_member_months",
            "performance_member_months",
            "baseline_pmpm",
            "performance_pmpm",
        ),
        "strata": ("member_months", "share", "pmpm"),
    }

    @property
    def labels(self) -> dict[tuple[str, str], str]:
        """Neutral names of organisations by id and arm."""
        known = self.organizations
        keys = zip(known["organization_id"].astype(str), known["arm"].astype(str), strict=True)
        return dict(zip(keys, known["label"].astype(str), strict=True))


@dataclass(frozen=True, kw_only=True)
class RiskModelResult:
    """The cost model behind "expected": exhibits T8 to T10.

    terms: ``term``, ``label``, ``coefficient_pmpm``, ``se``, ``member_months``, ``members``.
    calibration: one row per decile of predicted cost and arm: ``decile``, ``arm``, ``members``,
        ``member_months``, ``actual_pmpm``, ``predicted_pmpm``, ``predictive_ratio``.
    accuracy: ``population``, ``r2``, ``mae_share``, ``cpm``, ``predictive_ratio``, ``member_months``.
    """

    name: str
    version: str
    fitted_on: str
    terms: pd.DataFrame
    calibration: pd.DataFrame
    accuracy: pd.DataFrame
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {"calibration": ("members",), "terms": ("members",)}
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {
        "calibration": ("member_months", "actual_pmpm", "predicted_pmpm", "predictive_ratio"),
        "terms": ("coefficient_pmpm", "se", "member_months"),
    }


@dataclass(frozen=True, kw_only=True)
class ExpectedCosts:
    """Exhibit T5: expected and actual cost, under each definition of "expected".

    definitions: one row per definition: ``definition`` (E1, E2, ...), ``label``, ``compares`` ("versus
        expected" for a change, "versus peers" for a level), ``baseline_pmpm``, ``trend_ratio``,
        ``risk_ratio``, ``expected_pmpm``, ``actual_pmpm``, ``difference_pmpm``, ``difference_usd`` (of a
        change: over the treated arm's member-months after the start), ``lo90``, ``hi90``, ``lo95``, ``hi95``,
        ``p`` (NaN for a level, and in a setting that was not simulated), ``ae_ratio``, ``peers_sd_pmpm`` (of
        a level: how far comparison organisations differ by themselves), ``primary`` (bool), ``note``.
    series: one row per quarter: ``quarter`` (event quarter), ``first_month``, ``expected_pmpm``,
        ``actual_pmpm``, ``comparison_pmpm``, ``member_months``, ``members`` (of the treated arm).
    """

    definitions: pd.DataFrame
    series: pd.DataFrame
    primary: str
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {"series": ("members",)}
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {
        "series": ("expected_pmpm", "actual_pmpm", "comparison_pmpm", "member_months")
    }


@dataclass(frozen=True, kw_only=True)
class DidResult:
    """The difference in differences and how sure it is: exhibits T7 and T19.

    headline: the effect in dollars PMPM with the interval that the inference rules recommend.
    detectable: the smallest effect found with 80% power (to be read before the estimate).
    probability_lower_cost: from the random-effects interval's own distribution.
    methods: exhibit T19, one row per method: ``method`` (id), ``label``, ``estimate``, ``se``, ``df``,
        ``lo90``, ``hi90``, ``lo95``, ``hi95``, ``p``, ``valid`` (bool: may be read as a finding in this
        setting), ``size_note`` (false-alarm rate that simulation found for the nearest setting), ``note``,
        ``headline`` (bool).
    event_study: T7, one row per event quarter: ``quarter``, ``first_month``, ``estimate``, ``se``,
        ``lo95``, ``hi95`` (organisation random effects), ``band_lo``, ``band_hi`` (one band that holds all
        quarters at once), ``reference`` (bool), ``member_months``, ``members``.
    variance_shares: ``source`` (id), ``label``, ``share``: what the interval's width is made of.
    pre_trend: difference of pre-period slopes, PMPM per year, with its interval.
    pre_trend_detectable: the smallest difference of slopes found with 80% power, dollars PMPM per year.
    pre_trend_tests: all quarters before the start jointly (`study.pre_trend_results.KINDS`).
    """

    headline: Estimate
    detectable: Estimate
    probability_lower_cost: Estimate
    relative: Estimate
    methods: pd.DataFrame
    event_study: pd.DataFrame
    variance_shares: pd.DataFrame
    pre_trend: Estimate
    treated_organizations: int
    comparison_organizations: int
    organization_sd_pmpm: float
    autocorrelation: float
    rule: str
    warnings: tuple[str, ...] = ()
    pre_trend_tests: pd.DataFrame = field(default_factory=pre_trend_tests)
    pre_trend_detectable: float | None = None
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {"event_study": ("members",)}
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {
        "event_study": ("estimate", "se", "lo95", "hi95", "band_lo", "band_hi", "member_months")
    }


@dataclass(frozen=True, kw_only=True)
class Savings:
    """Exhibit T15: savings (positive = cost less) gross and net of the program's fees.

    rows: keyed by id (gross_pmpm, fees_pmpm, net_pmpm, gross_total_usd, net_total_usd, roi_ratio ...).
    by_year: T6, one row per program year: ``year``, ``first_month``, ``last_month``, ``member_months``,
        ``members``, ``actual_pmpm``, ``expected_pmpm``, ``gross_pmpm``, ``lo90`` to ``hi95``, ``p``,
        ``gross_share`` (of expected), ``fees_pmpm``, ``net_pmpm`` with `NET_BY_YEAR`, ``change_pmpm`` (of
        actual since the baseline), ``comparison_pmpm``, ``comparison_change_pmpm``.
    """

    rows: Mapping[str, Estimate]
    by_year: pd.DataFrame
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {"by_year": ("members",)}
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {"by_year": RESTING_BY_YEAR}


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Everything that one evaluation found; complete, or it does not exist."""

    study_id: str
    fingerprint: str
    periods: Mapping[str, str]
    attrition: Attrition
    quality: DataQuality
    cohort: Cohort
    risk: RiskModelResult
    expected: ExpectedCosts
    did: DidResult
    savings: Savings
    checks: tuple[Check, ...]
    completion: Completion = field(default_factory=Completion)
    truncation: Truncation = field(default_factory=Truncation)
    selection: Selection = field(default_factory=Selection)
    robustness: Robustness = field(default_factory=Robustness)
    specifications: SpecificationCurve = field(default_factory=SpecificationCurve)
    comparison: ComparisonGroup = field(default_factory=ComparisonGroup)
    washout: Washout = field(default_factory=Washout)
    employers: Employers = field(default_factory=Employers)
    uncertainty: Uncertainty = field(default_factory=Uncertainty)
    payment: Payment = field(default_factory=Payment)
    adjustment: RiskAdjustment = field(default_factory=RiskAdjustment)
    member_costs: MemberCosts = field(default_factory=MemberCosts)
    where: Where = field(default_factory=Where)
    waves: Waves = field(default_factory=Waves)
    measures: Measures = field(default_factory=Measures)
    care_management: CareManagement = field(default_factory=CareManagement)
    surveys: Surveys = field(default_factory=Surveys)

    PARTS: ClassVar[tuple[str, ...]] = (
        *("attrition", "quality", "cohort", "risk", "expected", "did", "savings", "completion", "truncation"),
        *("selection", "robustness", "specifications", "comparison", "washout", "employers", "uncertainty"),
        *("payment", "adjustment", "member_costs", "where", "waves", "measures", "care_management"),
        "surveys",
    )


def frames(part: Any) -> Iterator[tuple[str, pd.DataFrame]]:
    """The data frames of one part of an evaluation, by field name."""
    for item in dataclasses.fields(part):
        value = getattr(part, item.name)
        if isinstance(value, pd.DataFrame):
            yield item.name, value
