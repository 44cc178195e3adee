"""Scores of members by year: the codes that a library scores, the user's own scores, and bands of both.

Members without enrolment in the look-back have no history: they are scored on age and sex alone, whatever
their first claims say later.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.cells import WEIGHT_SCALE
from medhome.study.periods import month_end, month_start
from medhome.study.problems import DataProblem
from medhome.study.risk_choices import OWN
from medhome.study.risk_years import LOOK_BACK, RiskYear, look_back, risk_years
from medhome.study.spec import StudySpec
from medhome.tables.engine import fetch
from medhome.tables.panel import Panel
from medhome.tables.person_years import coded_years, year_of

NO_SCORE = "none"
COLUMNS = ("person_key", "year", "arm", "w", "age", "sex", "history")


def years(spec: StudySpec) -> tuple[RiskYear, ...]:
    """The look-back, and every year analysed."""
    return (look_back(spec.periods, spec.risk.lookback_months), *risk_years(spec.periods))


def with_history(inputs: Mapping[str, Table], panel: Panel, spec: StudySpec) -> Panel:
    """Members with ``history``: whether some day of the look-back has enrolment (0 or 1)."""
    window = look_back(spec.periods, spec.risk.lookback_months).window
    spans = inputs["eligibility"]
    before = spans.filter(
        spans.enrollment_start_date < ibis.date(month_start(window.end)),
        spans.enrollment_end_date.isnull()
        | (spans.enrollment_end_date >= ibis.date(month_start(window.first))),
    )
    known = before.select("person_id").distinct().mutate(seen=ibis.literal(1, "int8"))
    joined = panel.members.left_join(known, "person_id").drop("person_id_right")
    members = joined.mutate(history=joined.seen.fill_null(0).cast("int8")).drop("seen").order_by("person_key")
    table = panel.con.create_table("medhome_members_history", members, overwrite=True)
    return dataclasses.replace(panel, members=table)


def people(inputs: Mapping[str, Table], panel: Panel, spec: StudySpec) -> pd.DataFrame:
    """Whom to score: every member in the look-back, and in each year with exposure.

    One row per member and year (`medhome.study.risk_years`): ``person_key``, ``year``, ``arm``, ``w``
    (exposure of the year's months; for the look-back, that of the baseline), ``age`` (at the start of the
    baseline, in every year, so that scores drift with diagnoses only), ``sex``, ``history``; and for a
    published score ``icd9`` and ``icd10`` (codes with ";" between), for the user's own ``raw_score``.
    """
    exposed = panel.months.group_by("person_key", year=year_of(panel.months.month, spec)).aggregate(
        w=_.w.sum()
    )
    before = panel.months.filter(_.month < spec.periods.baseline.end)
    frozen = before.group_by("person_key").aggregate(w=_.w.sum())
    everyone = panel.members.select("person_key").left_join(frozen, "person_key")
    zero = everyone.select(
        "person_key", year=ibis.literal(LOOK_BACK, "int32"), w=everyone.w.fill_null(0).cast("int64")
    )
    both = ibis.union(zero, exposed.select("person_key", "year", w=exposed.w.cast("int64")))
    who = panel.members.select("person_key", "arm", "age", "sex", "history")
    base = both.join(who, "person_key").order_by("person_key", "year")
    extra = _own(inputs, panel, spec) if spec.risk.model == OWN else _codes(inputs, panel, spec)
    joined = base.left_join(extra, ["person_key", "year"])
    added = [c for c in extra.columns if c not in ("person_key", "year")]
    filled = {c: joined[c] if c == "raw_score" else joined[c].fill_null("") for c in added}
    return fetch(joined.select(*COLUMNS, **filled).order_by("person_key", "year"))


def _codes(inputs: Mapping[str, Table], panel: Panel, spec: StudySpec) -> Table:
    coded = coded_years(inputs, panel, spec, years(spec))
    return coded.group_by("person_key", "year").aggregate(
        icd9=_.code.group_concat(";", where=_.system == "icd-9-cm", order_by=_.code),
        icd10=_.code.group_concat(";", where=_.system == "icd-10-cm", order_by=_.code),
    )


def _own(inputs: Mapping[str, Table], panel: Panel, spec: StudySpec) -> Table:
    """The latest of the user's scores that was made from diagnoses up to a day of each year's window."""
    scores = chosen(inputs, spec)
    windows = ibis.memtable(
        [(y.year, _first_day(y), month_end(y.window.last)) for y in years(spec)],
        schema={"year": "int32", "first_day": "date", "last_day": "date"},
    )
    mine = scores.filter(_.score.notnull())
    keyed = mine.join(panel.members.select("person_key", "person_id"), "person_id")
    inside = keyed.join(
        windows, [keyed.as_of_date >= windows.first_day, keyed.as_of_date <= windows.last_day]
    )
    latest = ibis.row_number().over(
        group_by=[inside.person_key, inside.year], order_by=[ibis.desc(inside.as_of_date), inside.score]
    )
    found = inside.mutate(nth=latest)
    return found.filter(_.nth == 0).select("person_key", "year", raw_score="score")


def chosen(inputs: Mapping[str, Table], spec: StudySpec) -> Table:
    """The rows of the study's score; refused by name where it cannot be told which one that is."""
    scores = inputs["risk_score"]
    names = sorted(fetch(scores.select("score_name").distinct())["score_name"])
    wanted = spec.risk.score_name
    if wanted and wanted not in names:
        raise DataProblem(
            f"risk_score, column score_name: no row has {wanted!r} (risk.score_name of the study file); "
            f"names are {', '.join(names)}"
        )
    if not wanted and len(names) > 1:
        raise DataProblem(
            f"risk_score, column score_name: {len(names)} names ({', '.join(names)}); name one of them in "
            "risk.score_name of the study file"
        )
    return scores.filter(_.score_name == (wanted or names[0]))


def _first_day(year: RiskYear) -> dt.date:
    return month_start(year.window.first)


def versions(inputs: Mapping[str, Table], spec: StudySpec) -> str:
    """Name and versions of the user's own score, as the table says them."""
    scores = chosen(inputs, spec)
    found = fetch(
        scores.select("score_name", "score_version").distinct().order_by("score_name", "score_version")
    )
    said = [str(v) for v in found["score_version"] if not pd.isna(v) and str(v)]
    return f"{found['score_name'].iloc[0]}, version {', '.join(said) if said else 'not said'}"


def with_bands(panel: Panel, banded: pd.DataFrame, labels: Mapping[str, str]) -> tuple[Panel, Table]:
    """The panel whose members have the band of their frozen score, and the bands of every year.

    Arguments
        banded: ``person_key``, ``year``, ``band`` (`NO_SCORE` for none). labels: of the terms ``score:...``.

    Returns the panel with ``score_band``, and ``person_key``, ``year``, ``score_band``.
    """
    frame = banded[["person_key", "year", "band"]].rename(columns={"band": "score_band"})
    bands = panel.con.create_table("medhome_bands", ibis.memtable(frame), overwrite=True)
    frozen = bands.filter(_.year == LOOK_BACK).select("person_key", "score_band")
    members = panel.members.join(frozen, "person_key").order_by("person_key")
    table = panel.con.create_table("medhome_members_banded", members, overwrite=True)
    return dataclasses.replace(panel, members=table, terms={**panel.terms, **labels}), bands


def known_by_arm(panel: Panel, spec: StudySpec) -> pd.DataFrame:
    """How many members of each arm have no history, and how many with one have no score?

    One row per arm: ``arm``, ``members``, ``member_months``, ``without_history``, ``months_without_history``,
    ``without_score``, ``months_without_score`` (with history; 0 where the model needs no score).
    """
    w = panel.months.group_by("person_key").aggregate(w=_.w.sum())
    joined = w.join(panel.members, "person_key")
    entered = joined.history == 0
    missing = ibis.literal(False)
    if "score_band" in joined.columns:
        missing = (joined.score_band == NO_SCORE) & ~entered
    flagged = joined.mutate(entered=entered, missing=missing)
    found = fetch(
        flagged.group_by("arm")
        .aggregate(
            members=_.count(),
            member_months=_.w.sum(),
            without_history=_.entered.cast("int64").sum(),
            months_without_history=ibis.ifelse(_.entered, _.w, 0).sum(),
            without_score=_.missing.cast("int64").sum(),
            months_without_score=ibis.ifelse(_.missing, _.w, 0).sum(),
        )
        .order_by(ibis.desc("arm"))
    )
    for column in ("member_months", "months_without_history", "months_without_score"):
        found[column] = found[column] / WEIGHT_SCALE
    return found
