"""Sentences about the data and who was compared: functions of the result, as in `words`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medhome.reporting import phrases
from medhome.reporting.study_words import treated_arm
from medhome.study.display import (
    absent,
    count,
    listed,
    number,
    ratio,
    share,
    usd_round,
)
from medhome.study.results import (
    Attrition,
    Cohort,
    DataQuality,
    RiskModelResult,
)
from medhome.study.spec import StudySpec

NOTABLE_SMD = 0.10
"""A standardised difference above this is called out (`methods.md` exhibit T2)."""


def who_was_compared(cohort: Cohort, spec: StudySpec) -> str:
    """Members, practices and organisations of both arms."""

    def arm(name: str) -> str:
        people, sites, groups = (
            m.get(name) for m in (cohort.members, cohort.practices, cohort.organizations_n)
        )
        return (
            f"{phrases.counted(people, 'member', 'members')} at "
            f"{phrases.counted(sites, 'practice', 'practices')} of "
            f"{phrases.counted(groups, 'organisation', 'organisations')}"
        )

    return (
        f"{treated_arm(spec).capitalize()} holds {arm('treated')}; the comparison group holds "
        f"{arm('comparison')}."
    )


def program_in_numbers(cohort: Cohort) -> str:
    """How many practices, clinicians and members the program's arm holds in this study."""
    sites, people, members = (
        phrases.counted(numbers.get("treated"), one, many)
        for numbers, one, many in (
            (cohort.practices, "practice", "practices"),
            (cohort.clinicians, "clinician", "clinicians"),
            (cohort.members, "member", "members"),
        )
    )
    return f"In this study: {sites}, {people} and {members}"


def who_is_left(attrition: Attrition, spec: StudySpec) -> str:
    """How many members the eligibility rules left, by arm, and how many people are in neither arm."""
    parts, others = [], []
    for arm, rows in attrition.frame.sort_values("step", kind="stable").groupby("arm", sort=False):
        first, last = rows["members"].iloc[0], rows["members"].iloc[-1]
        if arm in ("treated", "comparison"):
            name = treated_arm(spec) if arm == "treated" else "the comparison group"
            parts.append(
                f"{phrases.withheld(last)} of {phrases.counted(first, 'member', 'members')} in {name}"
            )
        elif absent(first) or first > 0:
            others.append(f"{phrases.counted(first, 'person is', 'people are')} in neither arm ({arm}).")
    left = f"The eligibility rules left {listed(parts)}." if parts else ""
    return " ".join([left, *others]).strip()


def balance(cohort: Cohort) -> str:
    """Which characteristics differ by more than 0.1 standard deviations at baseline."""
    known = cohort.balance[cohort.balance["smd"].notna()]
    if known.empty:
        return "Standardised differences at baseline could not be worked out."
    apart = known[known["smd"].abs() > NOTABLE_SMD]
    if apart.empty:
        return (
            f"At baseline, none of {count(len(known))} characteristics differs by more than "
            f"{number(NOTABLE_SMD, 1)} standard deviations."
        )
    worst = apart.reindex(apart["smd"].abs().sort_values(ascending=False, kind="stable").index)["label"].head(
        3
    )
    more = "the largest: " if len(apart) > 3 else ""
    verb = "differs" if len(apart) == 1 else "differ"
    return (
        f"At baseline, {count(len(apart))} of {count(len(known))} characteristics {verb} by more than "
        f"{number(NOTABLE_SMD, 1)} standard deviations "
        f"({more}{listed([phrases.lower_first(str(w)) for w in worst])})."
    )


def dollars_kept(quality: DataQuality) -> str:
    """How much of the dollars in the files the evaluation rests on."""
    if len(quality.waterfall) < 2:
        return ""
    first, last = quality.waterfall["allowed_usd"].iloc[0], quality.waterfall["allowed_usd"].iloc[-1]
    if absent(first) or absent(last) or first == 0:
        return ""
    return (
        f"Of {usd_round(first)} allowed in the files, {usd_round(last)} ({share(last / first)}) is cost in "
        "the evaluation."
    )


def rules_found(quality: DataQuality) -> str:
    """How many input rules found something."""
    rules = quality.rules
    hit = rules[~(rules["count"] == 0)]  # withheld counts are not zero
    if hit.empty:
        return f"None of {count(len(rules))} rules on the input tables found anything."
    warnings = int((hit["severity"] == "warning").sum())
    return (
        f"Of {count(len(rules))} rules on the input tables, {count(len(hit))} found something, "
        f"{count(warnings)} of them worth a warning."
    )


def accuracy(risk: RiskModelResult) -> str:
    """How well the cost model predicts single members, and groups."""
    known = risk.accuracy[risk.accuracy["r2"].notna()]
    if known.empty:
        return ""
    row = phrases.first(known)
    members = (
        f"explains {share(row['r2'])} of the variation in cost between members"
        if row["r2"] > 0
        else "predicts single members no better than their mean cost does"
    )
    return (
        f"Among {phrases.lower_first(str(row['population']))}, the model {members}; "
        f"predicted over actual cost is "
        f"{ratio(row['predictive_ratio'])} for the group as a whole. Single members are hard to predict for "
        "every model of this kind; groups are less so."
    )


def arm_count(numbers: Mapping[str, Any], arm: str) -> str:
    """A count of one arm, or the symbol of what is withheld."""
    return phrases.withheld(numbers.get(arm))
