"""How sure is the effect of a study? Placebos, leaving one out, other estimators, bounds on trends.

Every number is exact from the practice-months of the study: nothing is collapsed anew. A question that a
study cannot answer (too few comparison organisations, too short a baseline) gives a reason in words, never
a failure: the effect stands, and the page says what could not be tried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from medhome.models import trend_bounds
from medhome.models.estimates_by_method import estimates_by_method
from medhome.models.sensitivity.placebos import (
    leave_one_out,
    placebo_arm,
    placebo_outcomes,
    placebo_starts,
)
from medhome.models.sensitivity.refits import Refits
from medhome.models.twfe import PracticeMonths
from medhome.study.cells import Cells, MonthPairs
from medhome.study.placebo_results import LeaveOneOut, PlaceboCells
from medhome.study.problems import ModelRefusal
from medhome.study.results import Cohort, DidResult
from medhome.study.robustness_results import Robustness
from medhome.study.spec import StudySpec

OUTCOME = "allowed_capped"
LEFT_OUT = ["label", "arm", "members", "estimate", "change", "why"]
WITH_INTERVAL = [*LEFT_OUT[:-1], "se", "lo90", "hi90", "lo95", "hi95", "why"]


def describe(
    cells: Cells,
    pairs: MonthPairs,
    spec: StudySpec,
    effect: DidResult,
    cohort: Cohort,
    outcomes: Sequence[PlaceboCells] = (),
    patterns: Cells | None = None,
) -> Robustness:
    """Everything that the page "How sure are we" shows.

    cells, pairs, spec: as for `models.did.estimate`; effect: what that found; cohort: for the neutral
    names of organisations and their numbers of members; outcomes: those that the program cannot have changed;
    patterns: members with the same months, where the study asks for member effects.
    """
    refits = Refits.of(
        cells.where(cells.frame["month"].isin(spec.periods.analysed)),
        pairs,
        OUTCOME,
        tuple(spec.estimation.covariates),
        first_post=spec.periods.performance.first,
        prior_scale=spec.estimation.prior_scale_share,
    )
    known, labels = cohort.organizations, cohort.labels
    members = dict(zip(known["label"].astype(str), known["members"].astype(int), strict=True))
    found: dict[str, Any] = {}
    reasons: dict[str, str] = {}

    def attempt(name: str, make: Callable[[], Mapping[str, Any]]) -> None:
        try:
            found.update(make())
        except ModelRefusal as refusal:
            reasons[name] = str(refusal)

    starts = placebo_starts(refits)
    if starts.why:
        reasons["placebo_starts"] = starts.why
    else:
        found["placebo_starts"] = starts.frame.rename(columns={"start": "month"})
    without = leave_one_out(refits, "organization", shocks_of_all=True)
    found["full"] = without.full
    found["organizations"] = _organizations(without, labels, members)
    found["practices"] = _practices(leave_one_out(refits, "practice"), refits.panel, labels)
    found["methods"] = estimates_by_method(refits, effect, spec.periods.start_month, patterns)
    if outcomes:
        found["placebo_outcomes"] = _placebo_outcomes(outcomes, spec)
    attempt("placebo_arm", lambda: _placebo_arm(refits, labels, members))
    attempt(
        "bounds", lambda: trend_bounds.bounds(trend_bounds.joint_quarters(refits, spec.periods.start_month))
    )
    return Robustness(**found, reasons=reasons)


def _placebo_outcomes(outcomes: Sequence[PlaceboCells], spec: StudySpec) -> pd.DataFrame:
    analysed = [
        replace(o, cells=o.cells.where(o.cells.frame["month"].isin(spec.periods.analysed))) for o in outcomes
    ]
    return placebo_outcomes(
        analysed,
        first_post=spec.periods.performance.first,
        prior_scale=spec.estimation.prior_scale_share,
    )


def _organizations(
    without: LeaveOneOut, labels: Mapping[tuple[str, str], str], members: Mapping[str, int]
) -> pd.DataFrame:
    frame = without.frame
    names = [labels[o, a] for o, a in zip(frame["organization_id"], frame["arm"], strict=True)]
    return frame.assign(label=names, members=[members[n] for n in names])[WITH_INTERVAL]


def _practices(
    without: LeaveOneOut, panel: PracticeMonths, labels: Mapping[tuple[str, str], str]
) -> pd.DataFrame:
    """Practices are numbered inside their organisation, in the order of their ids."""
    frame = without.frame
    names = [labels[o, a] for o, a in zip(frame["organization_id"], frame["arm"], strict=True)]
    number = pd.Series(names).groupby(names).cumcount() + 1
    return frame.assign(
        label=[f"{name}, practice {n:02d}" for name, n in zip(names, number, strict=True)],
        members=panel.rows.max(1).astype(int),
    )[LEFT_OUT]


def _placebo_arm(
    refits: Refits, labels: Mapping[tuple[str, str], str], members: Mapping[str, int]
) -> dict[str, Any]:
    found = placebo_arm(refits, intervals=False)
    names = [labels[o, "comparison"] for o in found.frame["organization_id"]]
    frame = found.frame.assign(label=names, members=[members[n] for n in names])
    return {
        "placebo_arm": frame[["label", "members", "estimate", "why"]],
        "as_large": found.as_large,
        "share": found.share,
        "comparable": found.comparable,
    }
