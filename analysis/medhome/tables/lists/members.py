"""Who is in the program on a day, in which practice, and what have claims shown of them by then?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.list_choices import CONDITIONS, Criterion
from medhome.study.periods import Span, month_index
from medhome.study.problems import DataProblem
from medhome.study.spec import StudySpec
from medhome.tables import arms, conditions, member_months
from medhome.tables.as_of import running_on
from medhome.tables.attribution import by_visits
from medhome.tables.bookings import day_number, is_denied
from medhome.tables.engine import fetch
from medhome.tables.lists import since
from medhome.tables.measures.counting import Members
from medhome.tables.measures.evaluation import care_between
from medhome.tables.measures.lines import day_of
from medhome.tables.measures.use_of_care import Care
from medhome.tables.measures.years import ages
from medhome.tables.populations import with_arm


def claims_from(inputs: Mapping[str, Table], day: dt.date) -> dt.date:
    """The day on which claims begin, as known on a day.

    Raises `DataProblem` where nothing is known by then.
    """
    claims = inputs["medical_claim"]
    first = fetch(claims.filter(~is_denied(claims)).aggregate(first=_.claim_start_date.min()))["first"].iloc[
        0
    ]
    if pd.isna(first):
        raise DataProblem(
            f"medical_claim: no claim had been incurred and paid by {day}: that is before the data begin; "
            "choose a later --as-of, or give earlier claims"
        )
    found: dt.date = first
    return found


def claims_until(known: Mapping[str, Table]) -> dt.date:
    """The latest day on which a claim was paid or, without such dates, incurred, as known on a day."""
    claims = known["medical_claim"]
    last = claims.aggregate(last=ibis.coalesce(claims.paid_date, claims.claim_start_date).max())
    found: dt.date = fetch(last)["last"].iloc[0]
    return found


def in_program(con: Any, inputs: Mapping[str, Table], spec: StudySpec, day: dt.date) -> Members:
    """Members of the program on a day: attributed to one of its practices, enrolled, alive, of its ages.

    Arguments
        inputs: as known on the day (`medhome.tables.as_of.known_on`). spec: the study on the day
            (`medhome.tables.as_of.study_on`).

    Attribution is the study's own method, from visits of the months that end with the day (the payer's list
    of that month by method "roster"). ``frame`` has the columns of `Members`, in order of ``person_id``, and
    ``member_id``.

    Raises `DataProblem` where the roster has nobody of the program on the day, or nobody is attributed.
    """
    held = dict(inputs)
    if not spec.arms.placeholder:
        held["program_roster"] = running_on(inputs["program_roster"], day)
        _refuse_without_roster(held["program_roster"], inputs["program_roster"], spec, day)
    persons = con.create_table(
        "medhome_list_people", member_months.people(held["eligibility"], spec), overwrite=True
    )
    month = month_index(day)
    span = Span(month + 1 - spec.attribution.lookback_months, month + 1)
    belongs = by_visits(held, persons, span, spec, month)
    listed = with_arm(persons, belongs, arms.practices(held, spec)).filter(_.arm == arms.TREATED)
    on_day = enrolled_on(held["eligibility"], spec, day)
    joined = listed.join(on_day, "person_id").select(
        *listed.columns, "member_id", birth=on_day.birth, death=on_day.death
    )
    columns = ("person_key", "person_id", "birth_month", "organization_id", "practice_id", "arm", "sex")
    own = joined.select(*columns, "birth", "death", "member_id")
    table = con.create_table("medhome_list_attributed", own.order_by("person_id"), overwrite=True)
    frame = fetch(table.order_by("person_id"))
    age = ages(frame["birth"].to_numpy(dtype=np.int64), day_of(day))
    of_age = (age >= spec.population.age_min) & (age <= spec.population.age_max)
    frame = frame[of_age & (frame["death"] < 0)].reset_index(drop=True)
    if frame.empty:
        raise DataProblem(
            f"nobody is a member of the program on {day}: no member who is enrolled and of the study's "
            f"ages is attributed to one of its practices (attribution.method {spec.attribution.method!r}, "
            f"look-back {spec.attribution.lookback_months} months); check --as-of"
        )
    kept = con.create_table("medhome_list_members", table.semi_join(_ids(frame), "person_id"), overwrite=True)
    return Members(table=kept, frame=frame)


def _ids(frame: pd.DataFrame) -> Table:
    return ibis.memtable(frame[["person_id"]], schema={"person_id": "string"})


def _refuse_without_roster(running: Table, roster: Table, spec: StudySpec, day: dt.date) -> None:
    mine = _.arm == "program"
    if spec.arms.program_id:
        mine = mine & (_.program_id.upper() == spec.arms.program_id.upper())
    if len(fetch(running.filter(mine).select("unit_id").limit(1))):
        return
    starts = fetch(roster.filter(mine).aggregate(n=_.count()))["n"].iloc[0]
    why = "its rows of the program ended before it" if starts else "no row of the program begins by then"
    raise DataProblem(
        f"program_roster: nobody is in the program{spec.arms.program_id and f' {spec.arms.program_id!r}'} on "
        f"{day} ({why}); choose another --as-of, or check arm, start_date and end_date"
    )


def enrolled_on(eligibility: Table, spec: StudySpec, day: dt.date) -> Table:
    """People enrolled on the day with what the study requires: ``person_id``, ``member_id``, dates."""
    choice = spec.population
    wanted = eligibility.enrollment_start_date <= ibis.date(day)
    end = eligibility.enrollment_end_date
    wanted &= end.isnull() | (end >= ibis.date(day))
    if choice.payer_types:
        wanted &= eligibility.payer_type.fill_null("").lower().isin([p.lower() for p in choice.payer_types])
    if choice.require_medical_benefit:
        wanted &= eligibility.x_medical_benefit == 1
    if choice.require_pharmacy_benefit:
        wanted &= eligibility.x_pharmacy_benefit == 1
    if choice.employer_groups_excluded:
        wanted &= ~eligibility.group_id.fill_null("").isin(choice.employer_groups_excluded)
    on_day = eligibility.filter(wanted).group_by("person_id").aggregate(member_id=_.member_id.max())
    dates = eligibility.group_by("person_id").aggregate(
        birth=day_number(_.birth_date.min()).fill_null(-1).cast("int32"),
        death=day_number(_.death_date.min()).fill_null(-1).cast("int32"),
    )
    return on_day.join(dates, "person_id")


def care_of(
    con: Any, inputs: Mapping[str, Table], members: Members, spec: StudySpec, day: dt.date, data: Path
) -> Care:
    """The care of these members up to the day that measures and criteria read."""
    month = month_index(day)
    return care_between(con, inputs, members, Span(month, month + 1), day_of(day), spec, data)


@dataclass(frozen=True)
class History:
    """What criteria count for each member (N,), members in the order of ``Members.frame``."""

    care: Care
    coded: pd.DataFrame
    day: dt.date

    def admissions(self, months: int) -> np.ndarray:
        """Episodes of hospital care, maternity and newborn stays apart, that began in the months."""
        episodes = self.care.episodes
        return self._counted(episodes.loc[episodes["kind"] == "other"], "admit", months)

    def emergency_visits(self, months: int) -> np.ndarray:
        """Emergency visits that did not end in a stay."""
        return self._counted(self.care.emergency, "day", months)

    def conditions(self, criterion: Criterion) -> dict[str, np.ndarray]:
        """Condition → (N,) whether a code of it stands in the months."""
        first = since.first_of(day_of(self.day), criterion.months)
        mine = self.coded[self.coded["day"] >= first]
        return {
            name: np.isin(
                self.ids, mine.loc[mine["condition_id"] == name, "person_id"].to_numpy(dtype=object)
            )
            for name in criterion.any_of
        }

    @property
    def ids(self) -> np.ndarray:
        """(N,) identifiers."""
        return self.care.members.frame["person_id"].to_numpy(dtype=object)

    def _counted(self, events: pd.DataFrame, column: str, months: int) -> np.ndarray:
        first, last = since.first_of(day_of(self.day), months), day_of(self.day)
        inside = events[(events[column] >= first) & (events[column] <= last)]
        row = pd.Index(self.ids).get_indexer(pd.Index(inside["person_id"]))
        return np.bincount(row[row >= 0], minlength=len(self.ids))


def history(care: Care, spec: StudySpec, day: dt.date) -> History:
    """The history of members that the study's criteria ask for."""
    asked = [c for c in spec.lists.criteria if c.kind == CONDITIONS]
    coded = pd.DataFrame({"person_id": [], "condition_id": [], "day": []})
    if asked:
        coded = _coded(care.medical, sorted({name for c in asked for name in c.any_of}))
    return History(care=care, coded=coded, day=day)


def _coded(medical: Table, names: list[str]) -> pd.DataFrame:
    """The latest day of each member's codes by condition group: ``person_id``, ``condition_id``, ``day``."""
    columns = [c for c in medical.columns if c.startswith("diagnosis_code_")]
    seen = medical.select(
        "person_id", "day", "system", code=ibis.array([medical[c] for c in columns]).unnest()
    )
    seen = seen.filter(_.code.notnull())
    groups = conditions.groups_of(seen)
    mine = groups.filter(groups.condition_id.isin(names))
    joined = seen.join(mine, ["system", "code"])
    return fetch(
        joined.group_by("person_id", "condition_id")
        .aggregate(day=_.day.max())
        .order_by("person_id", "condition_id")
    )
