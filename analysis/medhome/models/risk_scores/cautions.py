"""What a reader must know of the study's risk before the effect: checks of the results page."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from medhome.models.risk_scores.bands import WARN_SHARE
from medhome.study.display import absent, interval, pmpm, share
from medhome.study.results import Check
from medhome.study.risk_results import RiskAdjustment
from medhome.study.spec import StudySpec


def risk_checks(found: RiskAdjustment, spec: StudySpec) -> Iterator[Check]:
    """Checks on the timing of risk, on how coding moved, on entrants and on members without a score."""
    if spec.risk.timing == "concurrent":
        yield Check(
            id="risk-concurrent",
            passed=None,
            front_page=True,
            sentence="By choice of the study file, risk is measured at the time of the cost: if the "
            "program's practices code more illness than before, that alone lowers cost against what is "
            "expected.",
        )
    yield from _drift(found)
    yield from _entrants(found.known, spec.disclosure.floor)
    yield from _missing(found.known, spec)


def _drift(found: RiskAdjustment) -> Iterator[Check]:
    if found.drift_effect.empty:
        return
    row = found.drift_effect.iloc[0]
    if absent(row["lo95"]):
        return
    moved = bool(row["lo95"] > 0 or row["hi95"] < 0)
    said = (
        f"The change in what a year's diagnoses lead to expect differs by {pmpm(row['estimate'])} between "
        f"the program and the comparison (95% interval {interval(row['lo95'], row['hi95'])})"
    )
    meaning = (
        ": coding or illness moved in one arm only, and a risk measured after the start would take it for "
        "cost that was saved or lost."
        if moved
        else "; that is within what organisations' changes of their own would bring."
    )
    yield Check(id="risk-drift", passed=not moved, front_page=moved, sentence=said + meaning)


def _entrants(known: pd.DataFrame, floor: int) -> Iterator[Check]:
    if known.empty:
        return
    people = int(known["without_history"].sum())
    if not people:
        sentence = "Every member has enrolment in the look-back before the baseline."
    elif (known["without_history"].between(1, floor - 1)).any():
        sentence = (
            f"Of one arm, fewer than {floor} members entered without history; they are scored on age and sex "
            "alone."
        )
    else:
        months = known["months_without_history"].sum() / known["member_months"].sum()
        sentence = (
            f"{share(months)} of member-months are of entrants without history, scored on age and sex alone."
        )
    yield Check(id="risk-entrants", sentence=sentence, passed=None)


def _missing(known: pd.DataFrame, spec: StudySpec) -> Iterator[Check]:
    if known.empty or not spec.risk.scored:
        return
    worst = float(known["share_without_score"].max())
    few = bool((known["without_score"].between(1, spec.disclosure.floor - 1)).any())
    if few:
        sentence = f"Fewer than {spec.disclosure.floor} members of an arm have history and no score."
    else:
        sentence = (
            f"Members with history and without a score hold at most {share(worst)} of an arm's "
            "member-months; they are scored on age and sex alone."
        )
    yield Check(
        id="risk-missing", sentence=sentence, passed=worst <= WARN_SHARE, front_page=worst > WARN_SHARE
    )
