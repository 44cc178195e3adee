"""What a reader must know of waves before reading their effects; one sentence each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from medhome.models.staggered.intervals import Effects
from medhome.models.staggered.periods import MONTHS_A_QUARTER, Staggered
from medhome.study.display import count, listed, month, share
from medhome.study.results import Check
from medhome.study.spec import StudySpec
from medhome.study.wave_results import Waves

HALF = 0.5


def cautions(
    waves: pd.DataFrame,
    starts: pd.DataFrame,
    found: Staggered | None,
    estimated: Effects | None,
    spec: StudySpec,
) -> tuple[str, ...]:
    """Sentences on waves that are left out, small or early, and on practices that stopped."""
    return tuple(
        (
            *_early(waves, spec),
            *_washout(spec),
            *_stopped(starts, spec),
            *_small(waves),
            *_panel(found, estimated),
        )
    )


def checks(found: Waves, spec: StudySpec) -> tuple[Check, ...]:
    """The waves among a study's checks; none where there are none."""
    if found.waves.empty:
        return ()
    told = "" if found.before_share is None else (
        f" {share(found.before_share)} of the program's member-months after "
        f"{month(spec.periods.start_month)} are of practices that had not started yet: the headline counts "
        "them as under the program, and the page on difference in differences tells the effect of months "
        "under the program alone."
    )  # fmt: skip
    lead = Check(
        id="waves",
        passed=None,
        front_page=True,
        sentence=f"The program's practices start in {count(len(found.waves))} different months.{told}",
    )
    return (
        lead,
        *(Check(id=f"waves-{i}", passed=False, sentence=s) for i, s in enumerate(found.warnings, 1)),
    )


def _early(waves: pd.DataFrame, spec: StudySpec) -> Iterator[str]:
    always = waves[waves["months_before"] == 0]
    if len(always):
        yield (
            f"{_waves(always)} started in the first month analysed or before it: its practices are under "
            "the program in every month, and are left out of the effects by wave; the headline of the "
            "study has them in."
        )
    inside = waves[(waves["months_before"] > 0) & (waves["wave"] < spec.periods.start_month)]
    if len(inside):
        yield (
            f"{_waves(inside)} started inside the baseline, before {month(spec.periods.start_month)}: the "
            "headline of the study takes these months for months without the program."
        )


def _washout(spec: StudySpec) -> Iterator[str]:
    if spec.periods.washout_months:
        yield (
            f"The washout leaves out {count(spec.periods.washout_months)} months from the first start on, "
            "for every practice: waves that start later have none of their own."
        )


def _stopped(starts: pd.DataFrame, spec: StudySpec) -> Iterator[str]:
    left = starts[starts["last"] > 0]
    if len(left):
        yield (
            f"Practices left the program before {month(spec.periods.performance.last)}, the first of them "
            f"in {month(int(left['last'].min()))}: they count as under the program to the end (as intended, "
            "not as treated)."
        )


def _small(waves: pd.DataFrame) -> Iterator[str]:
    rows = waves[waves["estimated"]]
    for wave, practices, organizations, before in zip(
        rows["wave"], rows["practices"], rows["organizations"], rows["months_before"], strict=True
    ):
        name = f"The wave of {month(int(wave))}"
        if practices == 1:
            yield (
                f"{name} is one practice: whatever else happened to it is in its effect, and its own "
                "variation rests on what organisations do elsewhere."
            )
        elif organizations == 1:
            yield f"{name} is one organisation: whatever else happened to it is in its effect."
        if before <= 1:
            yield f"{name} has one month before its start: how it moved before cannot be tested."
    total = float(rows["member_months"].sum())
    heavy = rows[rows["member_months"] > HALF * total] if len(rows) > 1 else rows.iloc[:0]
    for wave, months in zip(heavy["wave"], heavy["member_months"], strict=True):
        yield (
            f"The wave of {month(int(wave))} has {share(months / total)} of the member-months under the "
            "program: averages over waves are mostly its own."
        )


def _panel(found: Staggered | None, estimated: Effects | None) -> Iterator[str]:
    if found is None or estimated is None:
        return
    if found.length < MONTHS_A_QUARTER:
        yield (
            "The starts do not lie whole quarters apart, so that effects are by month: each rests on the one "
            "month before the start, and swings more than an effect by quarter."
        )
    cells = estimated.cells
    base = {float(g): int((found.data.times < g).sum()) for g in np.unique(cells.group)}
    for g, periods in base.items():
        if periods == 1 and found.length > 1:
            yield (
                f"The wave of {month(found.month_of(g))} has one period before its start: how it moved "
                "before cannot be tested."
            )
    short = found.data.units * len(found.data.times) - found.data.rows
    if short:
        yield (
            f"{share(short / (found.data.units * len(found.data.times)))} of practice-periods have no "
            "members: each effect rests on the practices with members at both of its times."
        )
    if found.data.group.all():
        yield "No practice is never in the program: late effects have nothing to be compared with."


def _waves(rows: pd.DataFrame) -> str:
    """The waves of these rows, as the subject of a sentence."""
    return "The wave of " + listed([month(int(w)) for w in rows["wave"]])
