"""Who answered which question of a survey, when, and for which arm: answers that can be used, and the rest.

An answer counts for the organisation and arm that its respondent belongs to in the month of the answer: of a
member, as for cost; of a clinician, by ``provider_practice``; of a practice, its own. The arithmetic is in
`medhome.models.surveys`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.frames import frame_of_rows, frame_without_rows
from medhome.study.spec import StudySpec
from medhome.study.survey_choices import Instrument
from medhome.study.survey_results import ANSWERS, KINDS, LEFT_OUT, SurveyAnswers
from medhome.tables.arms import ARMS
from medhome.tables.bookings import day_number, month_of
from medhome.tables.engine import fetch
from medhome.tables.panel import Panel

OTHER = "other"
_KEY = ["person_id", "month"]
_PLACE = ["organization_id", "arm"]
_COLUMNS = ["age", "female", "risk"]


def collect(inputs: Mapping[str, Table], panel: Panel, spec: StudySpec) -> SurveyAnswers:
    """Which answers of the survey table can be used, by whom, and why can others not?

    Arguments
        inputs: contract-shaped tables. panel: who is compared in which month, scored.

    Returns nothing where the study does not ask (``surveys.enabled``) or the input has no survey table.
    """
    if not spec.surveys.enabled or "survey" not in inputs:
        return SurveyAnswers()
    known = spec.surveys.known
    found = fetch(
        inputs["survey"].select(
            *("person_id", "instrument", "item_id", "response", "weight", "mode"),
            month=month_of(_.survey_date),
            day=day_number(_.survey_date),
        )
    )
    text = ["person_id", "instrument", "item_id", "response", "mode"]
    found[text] = found[text].astype("str").where(found[text].notna(), "")
    found["response"] = found["response"].str.strip()
    kind = found["instrument"].map({n: i.respondents for n, i in known.items()}).fillna("")
    placed = pd.concat(
        [
            _placed(found[kind == name], places)
            for name, places in (
                ("members", _of_members(inputs, panel)),
                ("clinicians", _of_clinicians(inputs, panel)),
                ("practices", _of_practices(panel)),
                ("", None),
            )
        ]
    ).sort_index()
    placed["weight"] = _weights(found)
    placed["reason"] = _reasons(placed, known, spec)
    used = placed[placed["reason"] == ""].assign(
        period=lambda rows: (rows["month"] >= spec.periods.performance.first).astype("int64"),
        person=lambda rows: rows["person_id"],
    )
    order = ["instrument", "item_id", "person", "day"]
    answers = used.sort_values(order, kind="stable", ignore_index=True)[list(ANSWERS)].astype(ANSWERS)
    return SurveyAnswers(answers=answers, left_out=_left_out(placed, known), given=True)


def _placed(rows: pd.DataFrame, places: pd.DataFrame | None) -> pd.DataFrame:
    """Rows with the organisation and arm of their respondents, empty where they have none."""
    if places is None:
        return rows.assign(organization_id="", arm="", **dict.fromkeys(_COLUMNS, np.nan))
    keys = [k for k in _KEY if k in places.columns]
    found = rows.reset_index().merge(places, on=keys, how="left").set_index("index")
    if "first" in found:  # affiliations: those in force, of one arm; the first of several practices
        now = found["day"].between(found["first"], found["last"])
        found.loc[~now, _PLACE] = np.nan
        arms = found.groupby(level=0)["arm"].nunique()
        found = found.sort_values("practice_id", kind="stable", na_position="last")
        found = found.sort_values("arm", kind="stable", na_position="last")
        found = found[~found.index.duplicated()].sort_index()
        found.loc[arms > 1, _PLACE] = np.nan
    found[_PLACE] = found[_PLACE].astype("str").where(found[_PLACE].notna(), "")
    for name in _COLUMNS:
        found[name] = found[name].astype(float) if name in found else np.nan
    return found


def _of_members(inputs: Mapping[str, Table], panel: Panel) -> pd.DataFrame:
    """Organisation, arm and what is known of each member who answered, by month of the answer."""
    asked = inputs["survey"].mutate(month=month_of(_.survey_date)).select(*_KEY).distinct()
    born = inputs["eligibility"].group_by("person_id").aggregate(birth_date=_.birth_date.min())
    scored = "expected_cents" in panel.members.columns
    own = panel.members.select("person_key", "person_id", *_PLACE, "sex", *(["expected_cents"] * scored))
    here = asked.join(own, "person_id").join(
        panel.months.select("person_key", "month"), ["person_key", "month"]
    )
    found = fetch(here.join(born.mutate(birth_month=month_of(_.birth_date)), "person_id").order_by(*_KEY))
    return pd.DataFrame(
        {
            **{name: found[name] for name in (*_KEY, *_PLACE)},
            "age": (found["month"] - found["birth_month"]) // 12,
            "female": found["sex"].map({"F": 1.0, "M": 0.0}),
            "risk": found["expected_cents"].astype(float) / 100 if scored else np.nan,
        }
    )


def _of_practices(panel: Panel) -> pd.DataFrame:
    known = panel.practices
    return known[known["arm"].isin(ARMS)].rename(columns={"practice_id": "person_id"})


def _of_clinicians(inputs: Mapping[str, Table], panel: Panel) -> pd.DataFrame:
    """Practices of clinicians who are compared, with the days of each affiliation."""
    columns = {"person_id": "str", "practice_id": "str", **dict.fromkeys(_PLACE, "str"), "first": "int64"}
    if "provider_practice" not in inputs:
        return frame_without_rows({**columns, "last": "int64"})
    table = inputs["provider_practice"]
    spans = fetch(
        table.select(
            "practice_id",
            person_id=table.npi,
            first=day_number(table.effective_start_date).fill_null(0).cast("int64"),
            last=day_number(table.effective_end_date).fill_null(2**40).cast("int64"),
        )
    )
    return spans.merge(panel.practices[panel.practices["arm"].isin(ARMS)], on="practice_id")


def _weights(found: pd.DataFrame) -> pd.Series:
    """The weight of each answer: 1 throughout an instrument that has no weights."""
    own = found["weight"].astype(float)
    return own.where(own.groupby(found["instrument"]).transform("count") > 0, 1.0)


def _reasons(found: pd.DataFrame, known: Mapping[str, Instrument], spec: StudySpec) -> pd.Series:
    """Why each row is left out (`LEFT_OUT`); empty where it is used."""
    items = {(n, i.id): i for n, one in known.items() for i in one.items}
    pairs = list(zip(found["instrument"], found["item_id"], strict=True))
    silent = {(n, r) for n, one in known.items() for r in ("", *one.no_answer)}
    invitation = _flags(found, [p in items and items[p].use == "invitation" for p in pairs])
    answers = zip(found["instrument"], found["response"], strict=True)
    answered = invitation | _flags(found, [pair not in silent for pair in answers])
    faults = {
        "instrument_unknown": ~found["instrument"].isin(list(known)),
        "item_unknown": _flags(found, [p not in items for p in pairs]),
        "not_answered": ~answered,
        "outside_waves": ~found["month"].isin(list(spec.periods.analysed)),
        "not_of_the_study": found["arm"] == "",
        "no_weight": found["weight"].isna() & ~invitation,
    }
    reason = pd.Series("", index=found.index, dtype="str")
    for name in LEFT_OUT:
        reason = reason.mask((reason == "") & faults[name], name)
    return reason


def _flags(found: pd.DataFrame, values: list[bool]) -> pd.Series:
    return pd.Series(values, index=found.index, dtype=bool)


def _left_out(found: pd.DataFrame, known: Mapping[str, Instrument]) -> pd.DataFrame:
    """Rows of `Surveys.left_out`: instruments that the study does not know count as one."""
    rows = []
    names = found["instrument"].where(found["instrument"].isin(list(known)), OTHER)
    for name in (*known, OTHER):
        for reason, why in LEFT_OUT.items():
            mine = found[(names == name) & (found["reason"] == reason)]
            if len(mine):
                label = known[name].label if name in known else "Other instruments"
                people = mine["person_id"].nunique()
                rows.append(
                    {"instrument": name, "label": label, "reason": reason, "why": why, "members": people,
                     "answers": len(mine)}
                )  # fmt: skip
    return frame_of_rows(rows, KINDS["left_out"])
