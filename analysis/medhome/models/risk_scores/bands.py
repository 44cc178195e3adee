"""Scores of members, in bands that the cost model turns to dollars.

A score over-predicts low and under-predicts high cost, so it is not used as it is: each band of it has a cost
of its own, estimated on the comparison arm's baseline (`docs/methods/risk-scores.md`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.models.risk_scores.scoring import risk_scores
from medhome.study.display import share
from medhome.study.problems import ModelRefusal
from medhome.study.risk_choices import OWN
from medhome.study.risk_years import LOOK_BACK
from medhome.study.spec import StudySpec

PERCENTS = (10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99)
"""Percentiles of the comparison members' frozen scores that part the bands; the highest cost most apart."""

NO_SCORE = "none"
WARN_SHARE, REFUSE_SHARE = 0.05, 0.20
"""Shares of missing data below which little harm is likely, and above which validity is in serious doubt.

The rule of five and twenty in a hundred for losses from a trial (Schulz and Grimes, Lancet 2002;359:781-785).
"""


@dataclass(frozen=True, kw_only=True)
class Banded:
    """Scores of members by year, and in which band each falls.

    frame: the people with ``raw_score`` (NaN: none) and ``band``. labels: of the terms ``score:<band>``.
    source, weights, mapping_year: as in `RiskAdjustment`. notes: what a reader must know, in sentences.
    """

    frame: pd.DataFrame
    labels: Mapping[str, str]
    source: str
    weights: str
    mapping_year: str
    notes: tuple[str, ...] = ()

    @property
    def named(self) -> str:
        """The score, its library, weights and mapping year in one phrase."""
        year = f"mapping year {self.mapping_year}" if self.mapping_year else ""
        return ", ".join(part for part in (self.source, self.weights, year) if part)


def banded(people: pd.DataFrame, spec: StudySpec, own: str = "") -> Banded:
    """What is each member's score in the look-back and in each year, and in which band is it?

    Arguments
        people: one row per member and year: ``person_key``, ``year``, ``arm``, ``w``, ``age``, ``sex``,
            ``history``; ``icd9`` and ``icd10``, or the user's ``raw_score``.
        own: name and version of the user's score.

    The score of the look-back is none for members without history. Bands are parted by percentiles of the
    comparison members' frozen scores, to two decimals. Raises `ModelRefusal` when diagnoses are in a code
    system that the score does not read, when nobody has a score, and when more than one in five
    member-months of an arm's baseline belong to members who should have a score and have none.
    """
    notes: list[str] = []
    if spec.risk.model == OWN:
        frame, source, weights, year = people, own, "", ""
    else:
        notes += _unread(people, spec)
        columns = ["age", "sex", "icd9", "icd10"]
        found = risk_scores(
            people[columns].assign(metal_level=spec.risk.metal_level), spec.risk.model,
            year=spec.risk.mapping_year, weights=spec.risk.weights,
        )  # fmt: skip
        frame = people.assign(raw_score=found.frame["raw_score"])
        source = f"{found.label}, by {found.library} {found.library_version}"
        weights, year = found.weights, str(found.mapping_year or "")
    entered = (frame["year"] == LOOK_BACK) & (frame["history"] == 0)
    raw = frame["raw_score"].astype("float64").mask(entered)
    notes += _missing(frame.assign(raw_score=raw), spec)
    base = (frame["year"] == LOOK_BACK) & (frame["arm"] == "comparison") & (frame["w"] > 0) & raw.notna()
    if not base.any():
        raise ModelRefusal(
            f"risk score {spec.risk.model}: no member of the comparison arm has a score before the baseline; "
            "check the look-back (risk.lookback_months) and the scores"
        )
    cuts = np.unique(np.round(np.percentile(raw[base], PERCENTS), 2))
    place = np.searchsorted(cuts, raw.round(2).to_numpy(dtype=float), side="left")
    names = np.array([f"{i:02d}" for i in range(1, len(cuts) + 2)])
    band = np.where(raw.isna(), NO_SCORE, names[place])
    return Banded(
        frame=frame.assign(raw_score=raw, band=band),
        labels={f"score:{n}": label for n, label in zip([*names, NO_SCORE], _labels(cuts), strict=True)},
        source=source,
        weights=weights,
        mapping_year=year,
        notes=tuple(notes),
    )


def _labels(cuts: np.ndarray) -> list[str]:
    """Bands in words, and what stands for no score.

    >>> _labels(np.array([0.0, 1.5]))
    ['Score up to 0', 'Score above 0, up to 1.5', 'Score above 1.5', 'No score']
    """
    said = [f"{c:g}" for c in cuts]
    between = [f"Score above {a}, up to {b}" for a, b in itertools.pairwise(said)]
    return [f"Score up to {said[0]}", *between, f"Score above {said[-1]}", "No score"]


def _unread(people: pd.DataFrame, spec: StudySpec) -> list[str]:
    """A note, or a refusal, where people have diagnoses only in a system that the score does not read."""
    chosen = spec.risk.published
    if chosen is None or "icd-9-cm" in chosen.reads:
        return []
    coded = (people["icd9"] != "") | (people["icd10"] != "")
    only = (people["icd9"] != "") & (people["icd10"] == "")
    part = float(only.sum()) / max(int(coded.sum()), 1)
    if part > WARN_SHARE:
        raise ModelRefusal(
            f"risk score {spec.risk.model}: it reads ICD-10-CM, and {share(part)} of the members with "
            "diagnoses in a year have them in ICD-9-CM only; choose charlson or elixhauser, which read both, "
            "or the built-in model"
        )
    said = f"{share(part)} of yearly diagnoses are in ICD-9-CM only, which the score does not read."
    return [said] if part else []


def _missing(people: pd.DataFrame, spec: StudySpec) -> list[str]:
    """Who should have a score and has none: named with its share, refused where it is large."""
    frozen = people[(people["year"] == LOOK_BACK) & (people["history"] == 1) & (people["w"] > 0)]
    notes, floor = [], spec.disclosure.floor
    for arm, mine in frozen.groupby("arm", sort=True):
        without = mine["raw_score"].isna()
        part = float(mine.loc[without, "w"].sum() / mine["w"].sum())
        count = int(without.sum())
        if not count:
            continue
        many = f"{count:,}" if count >= floor else f"fewer than {floor}"
        said = (
            f"{many} members of the {arm} arm with enrolment before the baseline have no score "
            f"({share(part)} of the arm's baseline member-months)"
        )
        if part > REFUSE_SHARE:
            raise ModelRefusal(
                f"risk score {spec.risk.model}: {said}; above {share(REFUSE_SHARE)} no result is given: add "
                "the missing rows to risk_score, or choose another [risk] model"
            )
        notes.append(f"{said[0].upper()}{said[1:]}; they are scored on age and sex alone.")
    return notes
