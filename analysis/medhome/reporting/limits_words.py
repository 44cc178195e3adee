"""What this study cannot tell, in sentences: some that hold for every study of its kind, most worked out.

A limit that the study does not have is not listed; one that a choice of the study file makes says which.
"""

from __future__ import annotations

from medhome.reporting import phrases, protocol_words, words
from medhome.reporting.blocks import Block, bullets
from medhome.reporting.study_words import treated_arm
from medhome.study.display import count, listed, usd
from medhome.study.released import ReleasedRun
from medhome.study.spec import StudySpec

ENOUGH_RUN_OUT_MONTHS = 3
ONE_YEAR = 12


def limits_of_this_study(report: ReleasedRun) -> Block:
    """What this study cannot tell: limits of the design, of the data and of its choices."""
    return bullets([*_design(report), *_data(report.spec), *_choices(report)])


def _design(report: ReleasedRun) -> list[str]:
    spec, found = report.spec, report.evaluation
    return [
        f"Practices were not drawn by lot for {treated_arm(spec)}. The effect is what changed otherwise than "
        "in the comparison group; that both would have changed alike without it cannot be shown.",
        words.before_the_start(found.did),
        _few(found.cohort.organizations_n.get("treated"), spec),
        _at_the_same_time(spec),
        words.detectable(found.did, None),
        _follow_up(spec),
    ]


def _few(organizations: float | None, spec: StudySpec) -> str:
    """How many organisations the estimate rests on; a withheld number says nothing."""
    if organizations is None or organizations != organizations:
        return ""
    if organizations == 1:
        return (
            f"One organisation is {treated_arm(spec)}'s: whatever else happened to it after the start is in "
            "the estimate, and another organisation might have fared otherwise."
        )
    return (
        f"{phrases.counted(organizations, 'organisation is', 'organisations are')} {treated_arm(spec)}'s; "
        "what holds for them need not hold for others."
    )


def _at_the_same_time(spec: StudySpec) -> str:
    others = [text.rstrip(".") for text in spec.program.co_interventions]
    if spec.arms.placeholder:
        return ""
    if not others:
        return (
            "The study file names nothing else that happened at the same time: nothing did, or nobody looked."
        )
    told = listed([phrases.lower_first(text) for text in others])
    return f"At the same time: {told}. The estimate cannot tell this from {treated_arm(spec)}."


def _follow_up(spec: StudySpec) -> str:
    periods = spec.periods.performance
    seen = int(periods.last) - int(periods.first) + 1
    late = " An effect that needs longer than a year is not in it." if seen <= ONE_YEAR else ""
    return f"The study sees {phrases.counted(seen, 'month', 'months')} after the start.{late}"


def _data(spec: StudySpec) -> list[str]:
    found = [
        "Claims show what was billed and paid for. Health, experience and care that nobody billed are not in "
        "them.",
        "Cost is what was allowed, so a change of prices counts as a change of cost.",
        "A diagnosis is known only where somebody coded it: coding more makes members look sicker.",
    ]
    if spec.data.synthetic:
        found.insert(0, "The data are synthetic: nothing here was learnt about real care.")
    return found


def _choices(report: ReleasedRun) -> list[str]:
    spec = report.spec
    cap = spec.outcomes.cap_usd_per_year
    found = []
    if cap is not None:
        found.append(
            f"What a member costs above {usd(cap, 0)} in a year is not in the headline: an effect on the "
            "most costly stays is not seen in it."
        )
    if spec.outcomes.services == "medical":
        found.append("Drugs are left out of cost (outcomes.services): what moves to them looks saved.")
    if spec.periods.run_out_months < ENOUGH_RUN_OUT_MONTHS:
        month = phrases.counted(spec.periods.run_out_months, "month", "months")
        found.append(f"Claims had {month} to be paid; more are to come, and not alike for every service.")
    if spec.attribution.method in ("plurality", "stepwise"):
        back = count(spec.attribution.lookback_months)
        found.append(
            f"Members without a visit in the {back} months of the look-back have no practice and are in "
            "neither arm: nothing is said of them."
        )
    if report.protocol is None:
        found += protocol_words.lock_in_words(None, ())
    return found
