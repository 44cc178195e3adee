"""What is known of people on a day that predicts their cost, and what the twelve months after it cost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.cells import WEIGHT_SCALE, Rows
from medhome.study.periods import Span, month_end, month_index, month_name
from medhome.study.problems import DataProblem
from medhome.study.spec import StudySpec
from medhome.tables import claims, conditions, member_months
from medhome.tables.as_of import known_on, study_on
from medhome.tables.engine import fetch
from medhome.tables.lists import since
from medhome.tables.lists.members import enrolled_on
from medhome.tables.measures.lines import day_of
from medhome.tables.scores import chosen

YEAR = 12
EVERYONE, BEFORE = "members", "before"
"""Arm and period of the rows: the model knows neither program nor comparison."""

_MODEL = {"model": "age-sex-conditions"}


def fit_day(day: dt.date, spec: StudySpec, begin: dt.date) -> tuple[dt.date, int]:
    """The day on which the model stands to learn, and the months that it looks back.

    From then on twelve months, and the run-out of the last, lie before the day of the list. The look-back is
    the study's, cut to what claims reach; the scores of the day look back as far.

    Raises `DataProblem` where claims begin too late.
    """
    month = month_index(day)
    whole = month if day == month_end(month) else month - 1
    stands = whole - YEAR - spec.periods.run_out_months
    reach = stands + 1 - month_index(begin)
    if reach < 1:
        raise DataProblem(
            f"medical_claim: claims known by {day} begin in {month_name(month_index(begin))}; predicted cost "
            f"needs diagnoses up to {month_name(stands)}, the twelve months of cost after it and "
            f"{spec.periods.run_out_months} of run-out: choose a later --as-of, or leave the criterion "
            "predicted_cost out of lists.criteria"
        )
    return month_end(stands), min(spec.risk.lookback_months, reach)


def labels(spec: StudySpec) -> dict[str, str]:
    """The terms that predict, with their labels: age-sex bands and condition groups."""
    return conditions.term_labels(spec.model_copy(update={"risk": spec.risk.model_copy(update=_MODEL)}))


def terms_on(inputs: Mapping[str, Table], spec: StudySpec, day: dt.date, lookback: int) -> pd.DataFrame:
    """Age-sex bands and conditions of everybody enrolled on a day, as known on that day.

    Arguments
        inputs: with what came later, or without. lookback: months that end with the day.

    One row per person, in order: ``person_id`` and a 0/1 column per term of `labels`.
    """
    known, moment = known_on(inputs, day), study_on(spec, day)
    persons = member_months.people(known["eligibility"], moment)
    here = enrolled_on(known["eligibility"], moment, day).filter(_.death < 0)
    banded = conditions.with_bands(persons, moment).semi_join(here, "person_id")
    month = month_index(day)
    coded = conditions.standing_codes(
        known, moment, ("person_id", "system", "code"), Span(month + 1 - lookback, month + 1), here
    )
    found = coded.join(conditions.groups_of(coded), ["system", "code"])
    held = fetch(found.select("person_id", "condition_id").distinct())
    frame = fetch(banded.select("person_id", "band").order_by("person_id"))
    columns = {}
    for term in labels(spec):
        kind, _colon, name = term.partition(":")
        if kind == "condition":
            mine = held.loc[held["condition_id"] == name, "person_id"]
            columns[term] = frame["person_id"].isin(mine).astype("int8")
        else:
            columns[term] = (frame["band"] == name).astype("int8")
    return pd.concat([frame[["person_id"]], pd.DataFrame(columns)], axis=1)


def year_after(
    con: Any, inputs: Mapping[str, Table], spec: StudySpec, stands: dt.date, day: dt.date, lookback: int
) -> Rows:
    """What people who were enrolled on a day cost in the twelve months after it, and what was known then.

    Arguments
        inputs: as known on the day of the list. stands: the day that predictors are known on. day: of the
            list.

    `Rows` with one row per person with exposure in the twelve months: cost is allowed dollars, cut at the
    study's yearly cap, of claims paid within the study's run-out.
    """
    first = month_index(stands) + 1
    months = tuple(range(first, first + YEAR))
    moment = study_on(spec, day, run_out_months=spec.periods.run_out_months)
    persons = con.create_table(
        "medhome_list_known", member_months.people(inputs["eligibility"], moment), overwrite=True
    )
    exposure = _exposed(inputs, persons, months, moment)
    kept = claims.lines(inputs, moment).filter(_.disposition == claims.KEPT, _.month.isin(list(months)))
    cost = kept.group_by("person_id").aggregate(allowed_cents=_.allowed_cents.sum())
    # Two small queries: as one they take several times as long to plan.
    frame = fetch(exposure.order_by("person_id"))
    spent = fetch(cost.order_by("person_id")).set_index("person_id")["allowed_cents"]
    frame["allowed_capped"] = frame["person_id"].map(spent).fillna(0).astype("int64")
    if (cap := spec.outcomes.cap_usd_per_year) is not None:
        frame["allowed_capped"] = frame["allowed_capped"].clip(upper=cap * 100)
    terms = terms_on(inputs, spec, stands, lookback)
    rows = terms.merge(frame, on="person_id", how="inner", validate="1:1")
    present = {t: label for t, label in labels(spec).items() if rows[t].any()}
    return Rows(
        frame=rows.drop(columns="person_id").assign(
            practice_id="", organization_id="", stratum="", arm=EVERYONE, period=BEFORE
        ),
        terms=present,
        weight_scale=WEIGHT_SCALE,
    )


def _exposed(inputs: Mapping[str, Table], persons: Table, months: tuple[int, ...], spec: StudySpec) -> Table:
    """Exposure of each person in these months with the benefits that the study requires: ``w``."""
    choice = spec.population
    found = member_months.exposed(
        inputs["eligibility"],
        persons,
        months,
        choice.payer_types,
        choice.exposure,
        choice.employer_groups_excluded,
    )
    wanted = (found.payer == 1) & (found.groups == 1)
    if choice.require_medical_benefit:
        wanted &= found.medical == 1
    if choice.require_pharmacy_benefit:
        wanted &= found.pharmacy == 1
    if choice.capitated_months == "drop":
        wanted &= found.claims == 1
    sums = found.filter(wanted).group_by("person_key").aggregate(w=_.w.sum())
    return sums.join(persons.select("person_key", "person_id"), "person_key").select("person_id", "w")


def own_scores(inputs: Mapping[str, Table], spec: StudySpec, day: dt.date) -> pd.DataFrame:
    """The study's own score of each person: the latest of the twelve months that end with the day.

    ``person_id``, ``own_score``. Raises `DataProblem` where there is none.
    """
    if "risk_score" not in inputs:
        raise DataProblem(
            'risk_score: lists.prediction is "own", but the data folder has no such table; add it, or set '
            'lists.prediction to "fitted"'
        )
    first = since.date_of(since.first_of(day_of(day), YEAR))
    recent = chosen(inputs, spec).filter(
        _.score.notnull(), _.as_of_date >= ibis.date(first), _.as_of_date <= ibis.date(day)
    )
    newest = ibis.row_number().over(
        group_by=recent.person_id, order_by=[ibis.desc(recent.as_of_date), recent.score]
    )
    found = fetch(
        recent.mutate(nth=newest)
        .filter(_.nth == 0)
        .select("person_id", own_score="score")
        .order_by("person_id")
    )
    if found.empty:
        raise DataProblem(f"risk_score: no score was made from diagnoses between {first} and {day}")
    return found
