"""What a reader must know before believing the numbers: every sentence comes from the results.

A check passes, fails, or only informs (``passed`` is None). The ones with ``front_page`` that did not pass
stand on the first page of the report. No sentence holds a count of people: counts pass the release gate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import pandas as pd

from medhome.models.code_systems import code_systems
from medhome.models.completeness import completeness
from medhome.models.encounters import capitation_shift
from medhome.models.identities import identities
from medhome.models.left_out import left_out
from medhome.models.risk_scores.cautions import risk_checks
from medhome.models.variation import variation
from medhome.study.cells import Cells
from medhome.study.completion_results import Completion
from medhome.study.display import absent, count, interval, listed, month, share, usd
from medhome.study.periods import month_index
from medhome.study.published import published_effect
from medhome.study.results import (
    Attrition,
    Check,
    Cohort,
    DataQuality,
    DidResult,
    ExpectedCosts,
    RiskModelResult,
    Savings,
)
from medhome.study.risk_results import RiskAdjustment
from medhome.study.spec import StudySpec

FIRST_EVALUATION_MONTHS = 12
"""The first evaluation of such a program comes after at least 12 months of operation (`docs/methods.md`)."""

NOTABLE_SMD = 0.10
RUN_OUT_MONTHS = 3
"""Run-out of the Medicare Shared Savings Program's accounting, 42 CFR 425.604(a)(5)."""
CAP_SHARE = 0.05
FEW_COMPARISONS = 8
"""With fewer comparison organisations the headline interval was not simulated (few-clusters note, 3.8)."""


def run_all(
    *,
    attrition: Attrition,
    quality: DataQuality,
    cohort: Cohort,
    risk: RiskModelResult,
    expected: ExpectedCosts,
    did: DidResult,
    savings: Savings,
    cells: Cells,
    spec: StudySpec,
    completion: Completion | None = None,
    coded: pd.DataFrame | None = None,
    notes: Sequence[str] = (),
    adjustment: RiskAdjustment | None = None,
) -> tuple[Check, ...]:
    """Every check of a study, in the order in which a reader should meet them.

    Arguments
        attrition to savings: what the evaluation found. cells: the cells that it rests on.
        notes: sentences that a model has to add (`RiskModel.notes`), shown as information.
        adjustment: the study's risk and how it moved.

    Returns one `Check` each, with ids that do not change from run to run.
    """
    return (
        *_design(spec),
        *left_out(spec),
        *_power(did, spec),
        *_organizations(did),
        *_before_the_start(did),
        *_balance(cohort),
        *_completeness(attrition, quality, spec),
        *(() if completion is None else completeness(completion, did, spec)),
        *(() if coded is None else code_systems(coded, spec)),
        *_cap(cells, spec),
        *variation(cells),
        *capitation_shift(quality),
        *identities(quality, cohort, expected, did, savings, cells, spec),
        *_accuracy(risk),
        *(() if adjustment is None else risk_checks(adjustment, spec)),
        *(Check(id=f"risk-model-{i}", sentence=s, passed=None) for i, s in enumerate(notes, 1)),
        *(Check(id=f"inference-{i}", sentence=s, passed=None) for i, s in enumerate(did.warnings, 1)),
    )


def _design(spec: StudySpec) -> Iterator[Check]:
    if spec.arms.placeholder:
        yield Check(
            id="placeholder",
            passed=False,
            front_page=True,
            sentence="The arms are a placeholder: no program exists in these data, and whatever difference "
            "is found between the arms is not the effect of a program.",
        )
    if spec.outcomes.deflator:
        yield Check(
            id="price-index",
            passed=None,
            front_page=True,
            sentence=f"All cost, and program payments, are in dollars of {spec.outcomes.deflator_base}, by "
            "the price index that the study file names.",
        )
    after = month_index(spec.periods.through) + 1 - spec.periods.start_month
    enough = after >= FIRST_EVALUATION_MONTHS
    months = "1 month" if after == 1 else f"{after} months"
    yield Check(
        id="months-after-start",
        passed=enough,
        front_page=True,
        sentence=f"The first evaluation of such a program comes after at least {FIRST_EVALUATION_MONTHS} "
        f"months; this one has {months}.",
    )
    if spec.periods.baseline.months < 12:
        yield Check(
            id="baseline-months",
            passed=False,
            front_page=True,
            sentence=f"The baseline has {spec.periods.baseline.months} months: less than a year, so that "
            f"season and change cannot be told apart.",
        )


def _power(did: DidResult, spec: StudySpec) -> Iterator[Check]:
    size, value = did.detectable.value, did.headline.value
    if absent(size) or absent(value):
        yield Check(
            id="detectable-effect",
            passed=False,
            front_page=True,
            sentence="How small an effect this study could detect is not known: its interval could not be "
            "worked out.",
        )
        return
    assert size is not None and value is not None
    limit = (
        f"This study can detect an effect of {usd(size, 0 if size >= 10 else 2)} PMPM or more with 80% power"
    )
    yield Check(
        id="detectable-effect",
        passed=None if abs(value) < size else True,
        front_page=True,
        sentence=f"{limit}; its estimate, {usd(value)} PMPM, is below what it can detect."
        if abs(value) < size
        else f"{limit}; its estimate, {usd(value)} PMPM, is not below that.",
    )
    published = published_effect()
    below = abs(published.effect_pmpm_usd) < size
    yield Check(
        id="published-effect",
        passed=None if below else True,
        front_page=True,
        sentence=f"An effect of {usd(abs(published.effect_pmpm_usd))} PMPM, as published for "
        f"{published.program}, is {'below' if below else 'within'} what this study can detect.",
    )


def _organizations(did: DidResult) -> Iterator[Check]:
    if did.treated_organizations == 1:
        yield Check(
            id="one-treated-organization",
            passed=None,
            sentence="One organisation is treated: whatever else happened to it is in the estimate, its "
            "interval must allow for shocks of whole organisations, and no conventional p-value is a "
            "finding.",
        )
    few = did.comparison_organizations < FEW_COMPARISONS
    word = "organisation" if did.comparison_organizations == 1 else "organisations"
    yield Check(
        id="comparison-organizations",
        passed=not few,
        front_page=True,
        sentence=f"The comparison group has {did.comparison_organizations} {word}; with fewer than "
        f"{FEW_COMPARISONS} the behaviour of the interval is not known."
        if few
        else f"The comparison group has {did.comparison_organizations} {word}.",
    )


def _before_the_start(did: DidResult) -> Iterator[Check]:
    if did.pre_trend.ci95 is None:
        yield Check(
            id="pre-trend",
            passed=None,
            front_page=True,
            sentence="How the arms moved against each other before the start could not be estimated.",
        )
        return
    low, high = did.pre_trend.ci95
    yield Check(
        id="pre-trend",
        passed=None,
        sentence=f"Differences before the start of {interval(low, high)} PMPM per year remain possible.",
    )


def _balance(cohort: Cohort) -> Iterator[Check]:
    known = cohort.balance[cohort.balance["smd"].notna()]
    apart = known[known["smd"].abs() > NOTABLE_SMD]
    labels = listed([str(label) for label in apart["label"]])
    yield Check(
        id="balance",
        passed=apart.empty if len(known) else None,
        sentence=f"{len(apart)} of {len(known)} characteristics differ at baseline by more than "
        f"{NOTABLE_SMD:.2f} standard deviations{f': {labels}' if labels else ''}.",
    )


def _completeness(attrition: Attrition, quality: DataQuality, spec: StudySpec) -> Iterator[Check]:
    run_out = month_index(spec.paid_through) - month_index(spec.periods.through)
    months = "1 month" if run_out == 1 else f"{run_out} months"
    yield Check(
        id="run-out",
        passed=run_out >= RUN_OUT_MONTHS,
        front_page=True,
        sentence=f"Claims had {months} of run-out after the last month analysed"
        + (
            "."
            if run_out >= RUN_OUT_MONTHS
            else f"; at least {RUN_OUT_MONTHS} are usual, so that late claims are missing."
        ),
    )
    rules = quality.rules
    unknown = rules[(rules["column"] == "paid_date") & (rules["count"] > 0) & (rules["severity"] != "error")]
    if len(unknown):
        yield Check(
            id="paid-date-unknown",
            passed=None,
            sentence=f"Claim lines without a paid date count as paid by "
            f"{month(month_index(spec.paid_through))}: the equal run-out of all months cannot be shown for "
            "them.",
        )
    warnings = rules[(rules["severity"] == "warning") & (rules["count"] > 0)]
    word = "warning" if len(warnings) == 1 else "warnings"
    yield Check(
        id="data-warnings",
        passed=warnings.empty,
        sentence=f"The input checks gave {count(len(warnings))} {word}: "
        f"{listed([str(w) for w in warnings['label']])}."
        if len(warnings)
        else "The input checks gave no warnings.",
    )
    lost = _not_attributed(attrition.frame)
    if lost:
        yield Check(
            id="not-attributed",
            passed=None,
            sentence=f"{share(lost)} of the member-months of people otherwise eligible are not in the study, "
            f"because the people were not attributed to a practice at the baseline: no qualifying visit in "
            f"the look-back, or not enrolled then.",
        )


def _not_attributed(frame: pd.DataFrame) -> float | None:
    """Share of the member-months before the attribution rule that this rule removed, over both arms."""
    rule = frame[frame["rule"].astype(str).str.contains("attribut")]
    if rule.empty:
        return None
    dropped = float(rule["member_months_dropped"].sum())
    before = float(rule["member_months"].sum()) + dropped
    return dropped / before if before > 0 else None


def _cap(cells: Cells, spec: StudySpec) -> Iterator[Check]:
    if spec.outcomes.cap_usd_per_year is None:
        yield Check(
            id="cap", passed=None, sentence="High cost is not truncated: single members may move the result."
        )
        return
    arms = {}
    for arm in ("treated", "comparison"):
        part = cells.where((cells.frame["arm"] == arm).to_numpy())
        total, kept = math.fsum(part.total("allowed")), math.fsum(part.total("allowed_capped"))
        arms[arm] = (total - kept) / total if total > 0 else 0.0
    yield Check(
        id="cap",
        passed=max(arms.values()) <= CAP_SHARE,
        front_page=True,
        sentence=f"The cap of {usd(spec.outcomes.cap_usd_per_year, 0)} per member and year takes "
        f"{share(arms['treated'])} of allowed dollars in the treated arm and {share(arms['comparison'])} "
        "in the comparison arm.",
    )


def _accuracy(risk: RiskModelResult) -> Iterator[Check]:
    """Whether the frozen cost model fits the treated arm at baseline, where it was never fitted."""
    treated = risk.accuracy[risk.accuracy["population"].str.contains("treated arm")]
    if treated.empty or absent(treated["predictive_ratio"].iloc[0]):
        return
    ratio = float(treated["predictive_ratio"].iloc[0])
    yield Check(
        id="risk-treated-baseline",
        passed=None,
        sentence=f"At baseline the cost model, fitted on the comparison arm, predicts {share(ratio)} of "
        f"the treated arm's cost: the rest is a difference of levels that was there before the program.",
    )
