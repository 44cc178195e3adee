"""Are patients and clinicians better served, and is an appointment sooner to be had, because of the program?

Items and composites of surveys: the weighted share of answers in the top box, or the weighted mean of an
amount, at one case mix, by arm and wave, and the difference in differences. An item is collapsed to
organisations and waves and goes the way of every measure (`medhome.models.rates`): linear, in points, with
the interval of organisations and p-values adjusted within the instrument. Source: ``docs/methods/survey.md``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.models import rates
from medhome.models.case_mix import CaseMix, adjusted, characteristics
from medhome.study.cells import Cells
from medhome.study.frames import frame_of_rows
from medhome.study.measure_results import MOMENTS, MeasureCells
from medhome.study.spec import StudySpec
from medhome.study.survey_choices import Instrument, Item
from medhome.study.survey_results import KINDS, SurveyAnswers, Surveys

ARMS, PERIODS = ("treated", "comparison"), ("baseline", "performance")
FROM_PERSON_AND_DAY = ["organization_id", "arm", "period", "age", "female", "risk", "mode"]
SCALE = 1_000_000
"""Scores and weights are held to the millionth: weights count in multiples of their instrument's mean."""
_WHO = ["person", "day"]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """One item or composite: who scored what.

    frame: one row per respondent and day: ``person``, ``day``, ``y`` (1 in the top box, else 0; of a
        composite their mean; an amount), ``weight`` and `FROM_PERSON_AND_DAY`.
    """

    measure: str
    part: str
    label: str
    unit: str
    of: str
    direction: str
    frame: pd.DataFrame


def describe(given: SurveyAnswers, spec: StudySpec) -> Surveys:
    """The survey table: who answered, rates by arm and wave, effects, and what was adjusted or left out."""
    if not given.given:
        return Surveys()
    responses, items, effects, mixes = [], [], [], []
    for instrument in spec.surveys.known.values():
        mine = given.answers[given.answers["instrument"] == instrument.id]
        if mine.empty:
            continue
        responses += _responses(mine, instrument)
        health = _health(mine, instrument)
        used: dict[str, None] = {}
        notes: dict[str, None] = {}
        for one in scores(mine, instrument):
            x = characteristics(one.frame.join(health, on=_WHO), instrument.adjust)
            cells, rows, mix = collapse(one, x, instrument, spec)
            used |= dict.fromkeys(mix.coefficients)
            notes |= dict.fromkeys(filter(None, [mix.note]))
            items += rows
            effects.append({**_effect(cells, spec), "part": one.part, "of": one.of})
        mixes.append(_case_mix(instrument, list(used), list(notes)))
    found = frame_of_rows(effects, {k: v for k, v in KINDS["effects"].items() if k not in ("p_holm", "p_bh")})
    return Surveys(
        responses=frame_of_rows(responses, KINDS["responses"]),
        items=frame_of_rows(items, KINDS["items"]),
        effects=rates.adjusted(found)[list(KINDS["effects"])].astype(KINDS["effects"]),
        case_mix=frame_of_rows(mixes, KINDS["case_mix"]),
        left_out=given.left_out,
        given=True,
    )


def scores(answers: pd.DataFrame, instrument: Instrument) -> Iterator[Scores]:
    """Scores of each item of one instrument that was answered, then of each composite.

    Arguments
        answers: rows of `SurveyAnswers.answers` of the instrument.

    A respondent has a composite when at least half of its items were answered.
    """
    parts: dict[str, pd.DataFrame] = {}
    for item in instrument.measured:
        mine = answers[answers["item_id"] == item.id]
        if mine.empty:
            continue
        parts[item.id] = mine.assign(y=_scored(mine["response"], item))
        yield Scores(
            measure=item.id,
            part="item",
            label=item.label,
            unit=item.unit,
            of=item.of,
            direction=item.direction,
            frame=parts[item.id].reset_index(drop=True),
        )
    for composite in instrument.composites:
        held = [parts[i] for i in composite.items if i in parts]
        if not held:
            continue
        groups = pd.concat(held).groupby(_WHO, sort=True)
        frame = groups[FROM_PERSON_AND_DAY].first()
        frame["y"], frame["weight"] = groups["y"].mean(), groups["weight"].mean()
        frame = frame[2 * groups.size() >= len(composite.items)]
        directions = {i.direction for i in instrument.measured if i.id in composite.items}
        yield Scores(
            measure=composite.id,
            part="composite",
            label=composite.label,
            unit="share",
            of="",
            direction=directions.pop() if len(directions) == 1 else "none",
            frame=frame.reset_index(),
        )


def _scored(responses: pd.Series, item: Item) -> pd.Series:
    return responses.astype(float) if item.unit == "mean" else responses.isin(item.top).astype(float)


def _health(answers: pd.DataFrame, instrument: Instrument) -> pd.Series:
    """Self-rated health of each respondent and day: the place of the answer on its scale."""
    item = instrument.one("health")
    mine = answers[answers["item_id"] == item.id] if item else answers.iloc[:0]
    places = {answer: float(i) for i, answer in enumerate(item.answers)} if item else {}
    return mine.assign(health=mine["response"].map(places).astype(float)).set_index(_WHO)["health"]


def collapse(
    one: Scores, x: pd.DataFrame, instrument: Instrument, spec: StudySpec
) -> tuple[MeasureCells, list[dict[str, object]], CaseMix]:
    """Cells and moments of one item at one case mix, its rows of `Surveys.items`, and its `CaseMix`.

    Cells are organisations and waves; each wave lies in its period's first month. Weights count in multiples
    of their mean. What is sampled is the respondent; of practices, of which none is drawn, the reading.
    """
    frame = one.frame
    weight = np.maximum(np.rint(frame["weight"] / frame["weight"].mean() * SCALE), 1.0) / SCALE
    group = frame.groupby(["organization_id", "arm", "period"], sort=True).ngroup().to_numpy()
    mix = adjusted(frame["y"].to_numpy(dtype=float), x, group, weight.to_numpy())
    frame = frame.assign(weight=weight, raw=frame["y"], y=np.rint(mix.adjusted * SCALE) / SCALE)
    counted = one.part == "item" and one.unit == "share"
    by_wave = [_wave(frame, arm, period, counted) for arm in ARMS for period in (0, 1)]
    cells = MeasureCells(
        measure=one.measure,
        family=instrument.id,
        label=one.label,
        unit=one.unit,
        direction=one.direction,
        cells=_cells(frame, spec),
        organizations=_moments(frame, _WHO if instrument.respondents == "practices" else ["person"]),
        rates=pd.DataFrame(by_wave),
        note=mix.note,
    )
    shown = ("arm", "period", "members", "members_with", "unadjusted", "rate")
    keys = {"instrument": instrument.id, "measure": one.measure, "label": one.label, "part": one.part}
    rows = [keys | {"unit": one.unit} | {k: wave[k] for k in shown} for wave in by_wave]
    return cells, rows, mix


def _wave(frame: pd.DataFrame, arm: str, period: int, counted: bool) -> dict[str, object]:
    """One arm in one wave: respondents, those in the top box (where ``counted``), weighted means."""
    mine = frame[(frame["arm"] == arm) & (frame["period"] == period)]
    total = float(mine["weight"].sum())
    events, raw = (float((mine["weight"] * mine[c]).sum()) for c in ("y", "raw"))
    return {
        "arm": arm,
        "period": PERIODS[period],
        "members": mine["person"].nunique(),
        "members_with": mine.loc[(mine["raw"] > 0) | (not counted), "person"].nunique(),
        "denominator": total,
        "events": events,
        "unadjusted": raw / total if total else math.nan,
        "rate": events / total if total else math.nan,
    }


def _cells(frame: pd.DataFrame, spec: StudySpec) -> Cells:
    """Organisations by wave: exact sums of weights and of weighted scores, both in millionths."""
    months = (spec.periods.baseline.first, spec.periods.performance.first)
    w = [round(v * SCALE) for v in frame["weight"]]
    y = [round(v * SCALE) for v in frame["y"]]
    wide = frame[["organization_id", "arm"]].assign(
        practice_id=frame["organization_id"],
        month=np.asarray(months, dtype="int32")[frame["period"]],
        rows=1,
        **{"w": np.array(w, dtype=object),
           "w*events": np.array([a * b for a, b in zip(w, y, strict=True)], dtype=object)},
    )  # fmt: skip
    keys = ("organization_id", "practice_id", "arm", "month")
    found = wide.groupby(list(keys), sort=True)[["rows", "w", "w*events"]].sum().reset_index()
    return Cells(keys=keys, scales={"events": SCALE}, frame=found, weight_scale=SCALE)


def _moments(frame: pd.DataFrame, drawn: list[str]) -> pd.DataFrame:
    """Products of what each one that is drawn adds to an organisation before and after the start, summed."""
    parts = frame.assign(d=frame["weight"], n=frame["weight"] * frame["y"])
    people = parts.pivot_table(
        index=["organization_id", "arm", *drawn],
        columns="period",
        values=["n", "d"],
        aggfunc="sum",
        fill_value=0.0,
    )
    one = {f"{v}{p}": people.get((v, p), pd.Series(0.0, index=people.index)) for v in "nd" for p in (0, 1)}
    columns = {m: one[m] if len(m) == 2 else one[m[:2]] * one[m[2:]] for m in MOMENTS}
    return pd.DataFrame(columns).groupby(level=["organization_id", "arm"], sort=True).sum().reset_index()


def _effect(cells: MeasureCells, spec: StudySpec) -> dict[str, object]:
    """The effect as of every measure; where a wave is missing, which."""
    row = rates.effect(cells, spec)
    empty = cells.rates[cells.rates["members"] == 0]
    if len(empty):
        missing = [f"{arm} arm, {period}" for arm, period in zip(empty["arm"], empty["period"], strict=True)]
        row |= {"note": "; ".join(filter(None, [cells.note, f"no answers ({'; '.join(missing)})"]))}
    return row


def _responses(answers: pd.DataFrame, instrument: Instrument) -> list[dict[str, object]]:
    asked = instrument.one("invitation")
    invitations = answers[answers["item_id"] == (asked.id if asked else "")]
    told = answers[answers["item_id"].isin([i.id for i in instrument.measured])]
    rows = []
    for arm in ARMS:
        for period in (0, 1):
            mine, called = (f[(f["arm"] == arm) & (f["period"] == period)] for f in (told, invitations))
            people, invited = set(mine["person"]), set(called["person"])
            rows.append(
                {"instrument": instrument.id, "label": instrument.label, "arm": arm,
                 "period": PERIODS[period],
                 "invited": len(invited), "members": len(people),
                 "response_share": len(people & invited) / len(invited) if invited else math.nan,
                 "answers": len(mine)}
            )  # fmt: skip
    return rows


def _case_mix(instrument: Instrument, used: list[str], notes: list[str]) -> dict[str, object]:
    columns = {"age": "age", "sex": "female", "risk": "risk", "self_rated_health": "health", "mode": "mode"}
    without = [a for a in instrument.adjust if not any(u.startswith(columns[a]) for u in used)]
    said = [f"not adjusted for {', '.join(without)}: unknown or the same for all"] if without else []
    return {
        "instrument": instrument.id,
        "label": instrument.label,
        "adjusters": ", ".join(used),
        "note": "; ".join(notes or said),
    }
