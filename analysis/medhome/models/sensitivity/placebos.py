"""Does the method find effects where there are none, and does the finding hang on one practice?

Placebo starts inside the baseline, each comparison organisation as if it were the program, outcomes that the
program cannot have changed, and the effect without each practice and each organisation. Source: the
falsification tests of the published evaluations; docs/methods, sensitivity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from medhome.models.sensitivity.refits import NAN, Refits, part
from medhome.models.twfe import PracticeMonths
from medhome.study.placebo_results import (
    EFFECT_COLUMNS,
    LeaveOneOut,
    PlaceboArm,
    PlaceboCells,
    PlaceboStarts,
)
from medhome.study.problems import ModelRefusal

LEAST_MONTHS = 6
ALIKE = 2.0
"""Largest ratio of sizes at which an organisation's rank among placebos may be read as a p-value."""


def placebo_starts(refits: Refits, *, least_months: int = LEAST_MONTHS) -> PlaceboStarts:
    """Which effects would starts inside the baseline have had?

    Every month of the baseline with ``least_months`` baseline months on each side is tried as a start; the
    performance period is left out, so that no effect of the program is in any of them.
    """
    panel = refits.panel
    baseline = panel.months < refits.first_post
    months = panel.months[baseline]
    starts = months[least_months : len(months) - least_months + 1] if least_months > 0 else months[1:]
    columns = ["start", "months_before", "months_after", *EFFECT_COLUMNS]
    if not len(starts):
        return PlaceboStarts(
            frame=pd.DataFrame(columns=columns),
            least_months=least_months,
            why=f"the baseline has {len(months)} months; a placebo start needs {least_months} on each side",
        )
    before = part(panel, months=baseline)
    rows = [
        {
            "start": int(start),
            "months_before": int((months < start).sum()),
            "months_after": int((months >= start).sum()),
            **refits.effect(before, int(start)),
        }
        for start in starts
    ]
    return PlaceboStarts(frame=pd.DataFrame(rows, columns=columns), least_months=least_months)


def leave_one_out(
    refits: Refits, unit: str, *, intervals: bool | None = None, shocks_of_all: bool = False
) -> LeaveOneOut:
    """What is the effect without each practice, or without each organisation?

    unit: "practice" or "organization"; intervals: whether each refit gets its interval (by default only
    organisations do: an interval takes far longer than an estimate), and shocks_of_all: whether it rests on
    the shocks of organisations as estimated with all of them, which takes no longer. A unit without which an
    arm is empty is named, with the reason in place of the effect.
    """
    if unit not in ("practice", "organization"):
        raise ModelRefusal(f"leave one out: unit {unit!r} is neither 'practice' nor 'organization'")
    panel, full = refits.panel, refits.estimate()
    by_practice = unit == "practice"
    labels = np.arange(len(panel.practices)) if by_practice else panel.organization
    with_interval = not by_practice if intervals is None else intervals
    rows = []
    for label in range(int(labels.max()) + 1):
        own = labels == label
        first = int(np.flatnonzero(own)[0])
        organization, practice = panel.practices[first].split("\x1f")
        row: dict[str, object] = {
            "organization_id": organization,
            "arm": "treated" if panel.treated[first] else "comparison",
            "member_months": float(panel.members[own].sum()),
        }
        if by_practice:
            row["practice_id"] = practice
        rows.append(row | _fitted(refits, panel, ~own, with_interval, shocks_of_all))
    frame = pd.DataFrame(rows)
    frame["change"] = frame["estimate"] - full
    keys = ["organization_id", *(["practice_id"] if by_practice else []), "arm", "member_months"]
    return LeaveOneOut(unit=unit, full=full, frame=frame[[*keys, *EFFECT_COLUMNS, "change"]])


def _fitted(
    refits: Refits,
    panel: PracticeMonths,
    kept: np.ndarray,
    with_interval: bool,
    shocks_of_all: bool = False,
) -> dict[str, object]:
    """The effect of the practices kept; where nothing can be estimated, why."""
    nothing = dict.fromkeys(EFFECT_COLUMNS, NAN)
    try:
        rest = part(panel, practices=kept)
        if with_interval and shocks_of_all:
            return refits.under_shocks_of_all(rest)
        if with_interval:
            return refits.effect(rest)
        return nothing | {"estimate": refits.estimate(rest), "why": ""}
    except ModelRefusal as refusal:
        return nothing | {"why": str(refusal)}


def placebo_arm(refits: Refits, *, intervals: bool = True) -> PlaceboArm:
    """Which effects would each comparison organisation have had, had it been the program?

    The treated arm is left out. intervals: whether each placebo gets its interval. Raises `ModelRefusal`
    with fewer than 3 comparison organisations.
    """
    panel = refits.panel
    treated = panel.organization_treated
    if (~treated).sum() < 3:
        raise ModelRefusal(
            "placebo arm: fewer than 3 comparison organisations; one as the program leaves too few to compare"
        )
    members = panel.by_organization(panel.members)
    size = members.sum(1) / np.maximum((members > 0).sum(1), 1)
    rows = []
    for j in np.flatnonzero(~treated):
        relabelled = replace(panel, treated=panel.organization == j)
        rows.append(
            {
                "organization_id": panel.organizations[j].split("\x1f")[0],
                "members": float(size[j]),
                **_fitted(refits, relabelled, ~panel.treated, intervals),
            }
        )
    frame = pd.DataFrame(rows)
    full = refits.estimate()
    tried = frame["estimate"].dropna()
    as_large = int((tried.abs() >= abs(full)).sum())
    ratio = float(size[treated].mean() / np.median(size[~treated]))
    comparable = bool(treated.sum() == 1 and 1 / ALIKE <= ratio <= ALIKE)
    note = (
        "the program is of the placebos' size: the share may be read as a p-value of organisations exchanged"
        if comparable
        else f"the program's organisations have {ratio:.2g} times the members of the middle placebo"
        + (f" and are {treated.sum()}" if treated.sum() > 1 else "")
        + ": the share is a picture, not a p-value"
    )
    return PlaceboArm(
        full=full,
        frame=frame,
        as_large=as_large,
        share=(1 + as_large) / (1 + len(tried)),
        comparable=comparable,
        note=note,
    )


def placebo_outcomes(
    outcomes: Sequence[PlaceboCells], *, first_post: int, prior_scale: float
) -> pd.DataFrame:
    """Which effects are found on outcomes that the program cannot have changed?

    One row per outcome: ``outcome``, ``label``, ``unit``, ``people``, ``level`` (the comparison arm's before
    the start) and the effect, by the headline's method without covariates and with the outcome's own member
    covariance. An outcome that nobody has, or that cannot be estimated, says why.
    """
    rows = []
    for outcome in outcomes:
        level, nothing = NAN, dict.fromkeys(EFFECT_COLUMNS, NAN)
        try:
            if not outcome.cells.total("outcome").any():
                raise ModelRefusal("nobody in the study has it")
            refits = Refits.of(
                outcome.cells, outcome.pairs, "outcome", (), first_post=first_post, prior_scale=prior_scale
            )
            panel = refits.panel
            weight = np.where(~panel.treated[:, None] & (panel.months < first_post), panel.members, 0.0)
            level = float((weight * panel.y).sum() / weight.sum()) if weight.any() else NAN
            found = refits.effect() if level > 0 else nothing | {"why": "nobody in the comparison has it"}
        except ModelRefusal as refusal:
            found = nothing | {"why": str(refusal)}
        told = {"label": outcome.label, "unit": outcome.unit, "people": outcome.people, "level": level}
        rows.append({"outcome": outcome.id, **told, **found})
    return pd.DataFrame(rows)
