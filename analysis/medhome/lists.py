"""The lists that a program works with: claims known by a day in; who is high-risk, and what is due, out.

Every input is cut at its source before anything is counted (`medhome.tables.as_of`); the study file names the
criteria (`docs/lists.md`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medhome.models import high_risk, risk
from medhome.study.list_choices import ADMISSIONS, CONDITIONS, EMERGENCY, PREDICTED
from medhome.study.list_results import PRIVATE, TABLES, ProgramLists
from medhome.study.progress import Progress, silent
from medhome.study.provenance import source_digest
from medhome.study.spec import StudySpec
from medhome.tables import as_of, checks, conditions, engines, sources
from medhome.tables.lists import gaps, members, predictors
from medhome.tables.lists.since import date_of
from medhome.tables.measures.counting import Members
from medhome.version import __version__

PACKAGE = Path(__file__).resolve().parent
SCHEMA = "medhome/lists/1"


def program_lists(spec: StudySpec, data: Path, day: dt.date, progress: Progress = silent) -> ProgramLists:
    """Who of the program is high-risk on a day, and which care is due for whom, by what was known then?

    Arguments
        spec: the study; ``lists`` has the criteria. data: folder of the input tables. day: nothing later is
            used, neither service nor payment, enrolment, roster or affiliation.

    Raises `DataProblem` where the data do not reach the day, or nobody is in the program on it.
    """
    with engines.opened(engines.OWN) as ready:
        inputs = sources.open_inputs(ready.files, spec, data)
        files = checks.check_rows(ready.files, inputs, spec, data)
        progress("input tables checked", 0, 0)
        frames, found = lists_of(ready.con, inputs, spec, data, day, progress)
    about = {
        "schema": SCHEMA,
        "class": PRIVATE,
        "as_of": day.isoformat(),
        "study": {"id": spec.id, "version": spec.version, "fingerprint": spec.fingerprint},
        "code": {"version": __version__, "source_sha256": source_digest(PACKAGE)},
        "inputs": files.to_dict("records"),
        "lists": spec.lists.model_dump(mode="json"),
        "rows": {name: len(frame) for name, frame in frames.items()},
        **found,
    }
    return ProgramLists(study_id=spec.id, as_of=day, frames=frames, about=about)


def lists_of(
    con: Any,
    inputs: Mapping[str, Any],
    spec: StudySpec,
    data: Path,
    day: dt.date,
    progress: Progress = silent,
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """The lists from tables of an engine, by name, and what is told of how they came to be."""
    known, moment = as_of.known_on(inputs, day), as_of.study_on(spec, day)
    begin = members.claims_from(known, day)
    who = members.in_program(con, known, moment, day)
    care = members.care_of(con, known, who, moment, day, data)
    progress("members of the program found", 0, 0)
    due = gaps.open_gaps(care, known, moment, day, begin)
    progress("gaps in care found", 0, 0)
    predicted, model = _predicted(con, known, who, spec, day, begin)
    progress("cost predicted", 0, 0)
    past = members.history(care, spec, day)
    counts = _by_member(due.frame, who)
    values = {
        PREDICTED: lambda c: {PREDICTED: predicted},
        CONDITIONS: past.conditions,
        ADMISSIONS: lambda c: {ADMISSIONS: past.admissions(c.months)},
        EMERGENCY: lambda c: {EMERGENCY: past.emergency_visits(c.months)},
        "open_gaps": lambda c: {"open_gaps": counts},
    }
    found = [high_risk.Found(criterion=c, values=values[c.kind](c)) for c in spec.lists.criteria]
    own = spec.lists.prediction == "own"
    nothing = np.full(len(predicted), np.nan)
    everyone = who.frame.assign(
        predicted=predicted,
        predicted_cost_pmpm_usd=nothing if own else predicted,
        own_score=predicted if own else nothing,
    )
    labels, unit = conditions.condition_labels(), "score" if own else "usd"
    everyone = high_risk.scored(everyone, found, labels, unit)
    frames = {
        "high_risk": high_risk.listed(everyone, spec.lists),
        "gaps_in_care": _gaps(due.frame, who),
        "risk_scores": everyone.sort_values("person_id", ignore_index=True),
    }
    for table in TABLES:
        frames[table.name] = frames[table.name][[c.name for c in table.columns]]
    about = {
        "members": len(everyone),
        "claims_from": begin.isoformat(),
        "claims_until": members.claims_until(known).isoformat(),
        "model": model,
        "measures_unknown": due.unknown.to_dict("records"),
    }
    return frames, about


def _predicted(
    con: Any, known: Mapping[str, Any], who: Members, spec: StudySpec, day: dt.date, begin: dt.date
) -> tuple[np.ndarray, dict[str, Any] | None]:
    """(N,) dollars per member per month of the next twelve months, or the study's own score; NaN for none."""
    ids = who.frame["person_id"]
    if not spec.lists.predicts:
        return np.full(len(ids), np.nan), None
    if spec.lists.prediction == "own":
        scores = predictors.own_scores(known, spec, day).set_index("person_id")["own_score"]
        return ids.map(scores).to_numpy(dtype=float, na_value=np.nan), None
    stands, lookback = predictors.fit_day(day, spec, begin)
    rows = predictors.year_after(con, known, spec, stands, day, lookback)
    terms, _notes = risk.solve(rows, spec, arm=predictors.EVERYONE, period=predictors.BEFORE)
    cents = risk.fitted_cents(terms)
    now = predictors.terms_on(known, spec, day, lookback).set_index("person_id").loc[ids]
    predicted = np.rint(risk.predict(cents, now)) / 100
    return predicted, {
        "predictors_known_by": stands.isoformat(),
        "cost_of_months_after": predictors.YEAR,
        "lookback_months": lookback,
        "run_out_months": spec.periods.run_out_months,
        "members_fitted_on": len(rows.frame),
        "coefficients_pmpm_usd": {term: round(value / 100, 2) for term, value in cents.items()},
    }


def _by_member(frame: pd.DataFrame, who: Members) -> np.ndarray:
    """(N,) open gaps of each member."""
    counts = frame["person_id"].value_counts()
    return who.frame["person_id"].map(counts).fillna(0).to_numpy(dtype=np.int64)


def _gaps(frame: pd.DataFrame, who: Members) -> pd.DataFrame:
    """The feed: gaps with practice and dates."""
    own = who.frame[["person_id", "member_id", "practice_id"]]
    joined = frame.merge(own, on="person_id", how="left", validate="m:1")
    last = [None if n < 0 else date_of(n) for n in joined["last_service"]]
    found = joined.assign(
        due_since=[date_of(n) for n in joined["due_since"]], last_service_date=pd.Series(last, dtype=object)
    )
    return found.sort_values(["practice_id", "person_id", "measure"], ignore_index=True)
