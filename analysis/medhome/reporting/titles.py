"""Titles of figures and the cards of the first page: functions of the result, neutral where it is open."""

from __future__ import annotations

import pandas as pd

from medhome.reporting import cohort_words, words
from medhome.reporting.cohort_words import NOTABLE_SMD, arm_count
from medhome.reporting.study_words import treated_arm
from medhome.reporting.words import (
    direction,
    direction_of,
    primary_definition,
)
from medhome.study.display import NOT_APPLICABLE, absent, count, interval, number, ratio, usd
from medhome.study.results import Cohort, DataQuality, DidResult, ExpectedCosts, RiskModelResult
from medhome.study.spec import StudySpec


def event_study(did: DidResult, spec: StudySpec) -> str:
    return {
        "less": f"Cost fell against the comparison group after {treated_arm(spec)} started",
        "more": f"Cost rose against the comparison group after {treated_arm(spec)} started",
        "unclear": f"Difference from the comparison group before and after {treated_arm(spec)} started",
    }[direction_of(did.headline)]


def series(expected: ExpectedCosts, spec: StudySpec) -> str:
    row = primary_definition(expected)
    return {
        "less": f"{treated_arm(spec).capitalize()} cost less than expected",
        "more": f"{treated_arm(spec).capitalize()} cost more than expected",
        "unclear": f"Expected and actual cost in {treated_arm(spec)}",
    }[direction(row["lo95"], row["hi95"])]


def definitions(expected: ExpectedCosts) -> str:
    """Whether the definitions agree in what they find, not merely in sign."""
    found = {direction(r.lo95, r.hi95) for r in words.rows_of(expected.definitions)}
    if found == {"less"}:
        return "Under every definition of expected, care cost less"
    if found == {"more"}:
        return "Under every definition of expected, care cost more"
    if "less" in found and "more" in found:
        return "The definitions of expected find opposite things"
    return "Actual minus expected cost under each definition of expected"


def detectable(did: DidResult) -> str:
    """Estimate and detectable effect in one title."""
    size, value = did.detectable.value, did.headline.value
    if absent(size) or absent(value):
        return "The estimate and what this study can detect"
    return (
        "The estimate is smaller than what this study can detect"
        if abs(value) < size
        else "The estimate is larger than what this study can detect"
    )


def balance(cohort: Cohort) -> str:
    known = cohort.balance["smd"].dropna()
    if known.empty:
        return "Differences between the arms at baseline"
    apart = int((known.abs() > NOTABLE_SMD).sum())
    verb = "differs" if apart == 1 else "differ"
    return (
        f"{count(apart)} of {count(len(known))} characteristics {verb} by more than "
        f"{number(NOTABLE_SMD, 1)} standard deviations"
        if apart
        else f"No characteristic differs by more than {number(NOTABLE_SMD, 1)} standard deviations"
    )


def waterfall(quality: DataQuality) -> str:
    return (
        cohort_words.dollars_kept(quality).rstrip(".")
        or "From dollars in the files to cost in the evaluation"
    )


def calibration(risk: RiskModelResult) -> str:
    """How far predicted cost strays from actual cost, over all deciles."""
    known = risk.calibration["predictive_ratio"].dropna()
    if known.empty:
        return "Predicted and actual cost at baseline, by decile of predicted cost"
    return (
        f"Predicted cost is {ratio(known.min(), 2)} to {ratio(known.max(), 2)} of actual cost across deciles"
    )


def organizations(cohort: Cohort) -> str:
    """Where the treated organisation's change lies among all organisations."""
    change = _changes(cohort)
    treated = change[change["arm"] == "treated"]["change_pmpm"]
    others = change[change["arm"] != "treated"]["change_pmpm"]
    if len(treated) != 1 or len(others) < 2:
        return "Change in cost by organisation"
    below = int((others < treated.iloc[0]).sum())
    return f"{count(below)} of {count(len(others))} comparison organisations had a smaller change in cost"


def _changes(cohort: Cohort) -> pd.DataFrame:
    frame = cohort.organizations.assign(
        change_pmpm=cohort.organizations["performance_pmpm"] - cohort.organizations["baseline_pmpm"]
    )
    return frame[frame["change_pmpm"].notna()]


# -- cards ---------------------------------------------------------------------------------------------


def cards(
    did: DidResult, expected: ExpectedCosts, cohort: Cohort, spec: StudySpec
) -> list[tuple[str, str, str]]:
    """The four cards of the first page: name, value, and what stands under it."""
    low, high = did.headline.ci95 or (None, None)
    row = primary_definition(expected)
    before_low, before_high = did.pre_trend.ci95 or (None, None)
    groups = [arm_count(cohort.organizations_n, a) for a in ("treated", "comparison")]
    people = [arm_count(cohort.members, a) for a in ("treated", "comparison")]
    return [
        (
            "Effect on cost",
            usd(did.headline.value),
            f"per member per month; 95% interval {interval(low, high)}",
        ),
        (
            "Actual over expected",
            ratio(row["ae_ratio"]),
            f"{usd(row['actual_pmpm'])} over {usd(row['expected_pmpm'])} PMPM, after the start "
            f"({words.definition_name(row['definition'])})",
        ),
        (
            "Differences before the start",
            f"{usd(before_low, 0)} to {usd(before_high, 0)}" if not absent(before_low) else NOT_APPLICABLE,
            "PMPM per year between the arms remain possible",
        ),
        (
            "Who was compared",
            f"{groups[0]} : {groups[1]}",
            f"organisations; {people[0]} members in {treated_arm(spec)}, {people[1]} in comparison",
        ),
    ]


ABOUT = {
    "data-and-cohort.html": "the input files, where the dollars went, who was compared, and how alike they "
    "were",
    "expected-and-actual.html": "what cost was expected, under each definition, and the model behind it",
    "difference-in-differences.html": "the effect by quarter, and the same effect under other methods of "
    "inference",
    "savings.html": "savings before and after fees, by year",
    "how-sure-are-we.html": "other estimators and choices, placebos, leaving one out, and how far trends "
    "may have parted",
    "where-and-for-whom.html": "the effect by kind of service, by group of members and by practice",
    "utilisation-and-quality.html": "admissions, visits, preventive and chronic care, medication and gaps in "
    "care, and what the program did to them",
    "protocol.html": "the protocol as declared, its amendments, and reporting checklists, filled",
}
"""What stands on each page but the first, by its file."""
