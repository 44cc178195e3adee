"""Who was identified, reached and engaged by care managers, how often, and how soon?

The program's members are those of the panel with a member-month after their practice's start. A person is
counted once, in the practice of the first of their events. Events are few beside claims: the engine picks
those of the program's members, and what they add up to is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.care_management_results import ALL, STAGES, CareManagement, typed
from medhome.study.cells import WEIGHT_SCALE
from medhome.study.spec import StudySpec
from medhome.tables.arms import TREATED
from medhome.tables.bookings import day_number, month_of
from medhome.tables.care_management_events import Work, sorted_out
from medhome.tables.engine import fetch
from medhome.tables.panel import Panel

TABLE = "care_management"
_LABELS = ("Members of the program", "Identified", "Reached", "Engaged")
_PER = 1000.0


def describe(
    inputs: Mapping[str, Table], scored: Panel, labels: Mapping[tuple[str, str], str], spec: StudySpec
) -> CareManagement:
    """The funnel, contacts, minutes and waits of the program's members, overall, by practice and by month.

    Arguments
        inputs: contract-shaped tables by name. scored: the panel, scored. labels: neutral names of
            organisations by id and arm (`Cohort.labels`).

    Nothing where the study has no table ``care_management`` or does not ask for it.
    """
    if TABLE not in inputs or not spec.care_management.enabled:
        return CareManagement()
    months = scored.con.create_table("medhome_care_months", _program_months(scored, spec), overwrite=True)
    whole = _Whole.of(months, labels, scored)
    events, outside = _events(inputs[TABLE], months)
    of_people = _months_of(months, events)
    scored.con.drop_table("medhome_care_months")
    work = sorted_out(events, of_people, outside, spec)
    return CareManagement(
        given=True,
        stages=_stages(whole, work),
        practices=_practices(whole, work),
        months=_months(whole, work),
        doses=_doses(work, spec),
        notes=typed("notes", work.notes),
    )


def _program_months(scored: Panel, spec: StudySpec) -> Table:
    """Member-months of the program's practices after their start, with what is known of the member."""
    known = scored.members.filter(_.arm == TREATED)
    names = ["person_key", "person_id", "organization_id", "practice_id", "expected_cents"]
    wave = known.wave if "wave" in known.columns else ibis.literal(0, "int32")
    start = ibis.greatest(wave, ibis.literal(spec.periods.start_month, "int32"))
    after = scored.months.filter(_.month >= spec.periods.performance.first)
    joined = after.select("person_key", "month", "w").join(known.select(*names, start=start), "person_key")
    return joined.filter(joined.month >= joined.start)


@dataclass(frozen=True, kw_only=True)
class _Whole:
    """The program's members: what rates and stages are counted over.

    practices: one row per practice, in order: ``organization_id``, ``practice_id``, ``label``, ``members``,
    ``w``. months: ``month``, ``w``. expected_cents: mean frozen expected cost of members.
    """

    practices: pd.DataFrame
    months: pd.DataFrame
    expected_cents: float

    @classmethod
    def of(cls, months: Table, labels: Mapping[tuple[str, str], str], scored: Panel) -> _Whole:
        keys = ["organization_id", "practice_id"]
        treated = scored.members.filter(_.arm == TREATED)
        every = fetch(treated.select(*keys).distinct().order_by(*keys))
        number = every.groupby("organization_id").cumcount() + 1  # as in `Where.practices`
        owners = [labels[str(o), TREATED] for o in every["organization_id"]]
        every["label"] = [f"{owner}, practice {n:02d}" for owner, n in zip(owners, number, strict=True)]
        sums = fetch(
            months.group_by(*keys).aggregate(members=_.person_key.nunique(), w=_.w.sum()).order_by(*keys)
        )
        people = months.select("person_key", "expected_cents").distinct()
        total = fetch(people.aggregate(n=_.count(), cents=_.expected_cents.sum())).iloc[0]
        by_month = fetch(months.group_by("month").aggregate(w=_.w.sum()).order_by("month"))
        return cls(
            practices=every.merge(sums, on=keys),
            months=by_month,
            expected_cents=float(total["cents"]) / max(1, int(total["n"])),
        )


def _events(table: Table, months: Table) -> tuple[pd.DataFrame, int]:
    """Events of the program's members, in order, and the number of rows about anybody else."""
    people = months.select("person_id").distinct()
    told = table.filter(table.person_id.notnull(), table.event_date.notnull())
    shaped = told.select(
        "person_id",
        "practice_id",
        "event_type",
        "list_id",
        "reason",
        "minutes",
        day=day_number(told.event_date),
        month=month_of(told.event_date),
    )
    mine = shaped.semi_join(people, "person_id")
    found = fetch(mine.order_by("person_id", "day", "event_type", "list_id", "minutes"))
    rows = int(fetch(table.aggregate(n=_.count())).iloc[0]["n"])
    return found, rows - len(found)


def _months_of(months: Table, events: pd.DataFrame) -> pd.DataFrame:
    """Every member-month of the people with an event: who they are, where, and since when."""
    if events.empty:
        return fetch(months.limit(0))
    people = ibis.memtable({"person_id": sorted(set(events["person_id"]))}, schema={"person_id": "string"})
    return fetch(months.semi_join(people, "person_id").order_by("person_id", "month", "person_key"))


def waits(days: np.ndarray, people: int) -> tuple[float, float, float]:
    """Quartiles of the days until a first contact; who was never reached waits for ever.

    Arguments
        days: of those who were reached. people: reached or not.

    A quartile is the shortest wait within which that share of all people was reached; missing where it never
    was.

    >>> waits(np.array([3, 9, 20]), 4)
    (3.0, 9.0, 20.0)
    >>> waits(np.array([3, 9]), 4)
    (3.0, 9.0, nan)
    """
    ordered = np.sort(days)
    ranks = [-(-people * quarter // 4) for quarter in (1, 2, 3)]
    first, middle, third = (float(ordered[r - 1]) if 0 < r <= len(ordered) else np.nan for r in ranks)
    return first, middle, third


def _stages(whole: _Whole, work: Work) -> pd.DataFrame:
    people = work.people
    counts = [float(whole.practices["members"].sum()), *(float(people[s].sum()) for s in STAGES[1:])]
    cents = [whole.expected_cents, *(people.loc[people[s], "expected_cents"].mean() for s in STAGES[1:])]
    return typed(
        "stages",
        [
            {
                "stage": stage,
                "label": label,
                "members": n,
                "previous_share": n / counts[i - 1] if i and counts[i - 1] else np.nan,
                "expected_pmpm": expected / 100,
            }
            for i, (stage, label, n, expected) in enumerate(
                zip(STAGES, _LABELS, counts, cents, strict=True)
            )
        ],
    )


def _practices(whole: _Whole, work: Work) -> pd.DataFrame:
    sums = whole.practices[["members", "w"]].sum()
    rows = [_row(ALL, sums["members"], sums["w"], work.people, work.contacts, work.engaged)]
    for mine in whole.practices.to_dict("records"):
        here = mine["practice_id"]
        parts = (f[f["practice_id"] == here] for f in (work.people, work.contacts, work.engaged))
        rows.append(_row(str(mine["label"]), mine["members"], mine["w"], *parts))
    return typed("practices", rows)


def _row(
    label: str,
    members: float,
    w: float,
    people: pd.DataFrame,
    contacts: pd.DataFrame,
    engaged: pd.DataFrame,
) -> dict[str, object]:
    """One row of ``practices``: the stages, the work, and the waits of these people."""
    timed = people[people["timed"]]
    reached = timed.loc[timed["reached"], "wait_days"].to_numpy(dtype=float)
    first, middle, third = waits(reached, len(timed))
    in_work = float(engaged["w"].sum()) / WEIGHT_SCALE
    return {
        "label": label,
        "members": float(members),
        **{stage: float(people[stage].sum()) for stage in STAGES[1:]},
        "member_months": w / WEIGHT_SCALE,
        "engaged_member_months": in_work,
        **_amount(contacts, w),
        "contacts_per_engaged_month": float(contacts["engaged"].sum()) / in_work if in_work else np.nan,
        "wait_q1_days": first,
        "wait_median_days": middle,
        "wait_q3_days": third,
    }


def _amount(contacts: pd.DataFrame, w: float) -> dict[str, float]:
    """Contacts, their minutes and the rate per 1,000 member-months."""
    return {
        "contacts": float(len(contacts)),
        "minutes": float(contacts["minutes"].sum()),
        "contacts_per_1000": _PER * len(contacts) * WEIGHT_SCALE / w if w else np.nan,
    }


def _months(whole: _Whole, work: Work) -> pd.DataFrame:
    rows = []
    for month, w in zip(whole.months["month"], whole.months["w"], strict=True):
        here, in_work = (f[f["month"] == month] for f in (work.contacts, work.engaged))
        entered = {s: float((work.people[f"{s}_month"] == month).sum()) for s in STAGES[1:]}
        rows.append(
            {
                "month": int(month),
                "member_months": w / WEIGHT_SCALE,
                **entered,
                "engaged_member_months": float(in_work["w"].sum()) / WEIGHT_SCALE,
                **_amount(here, float(w)),
            }
        )
    return typed("months", rows)


def _doses(work: Work, spec: StudySpec) -> pd.DataFrame:
    """Engaged members by how often they were in contact in the months since."""
    people = work.people[work.people["engaged"]]
    mine = people.index
    months = work.engaged.groupby("person_id")["w"].sum().reindex(mine, fill_value=0) / WEIGHT_SCALE
    number = work.contacts.groupby("person_id")["engaged"].sum().reindex(mine, fill_value=0)
    rate = (number / months.where(months > 0)).fillna(0.0)
    ends = spec.care_management.dose_bands
    band = np.where(number == 0, 0, 1 + np.searchsorted(ends, rate.to_numpy(), side="left"))
    rows = []
    for place, (name, label) in enumerate(_bands(ends)):
        here = band == place
        rows.append(
            {
                "band": name,
                "label": label,
                "members": float(here.sum()),
                "share": here.sum() / len(people) if len(people) else np.nan,
                "engaged_member_months": float(months[here].sum()),
                "contacts": float(number[here].sum()),
                "expected_pmpm": people.loc[here, "expected_cents"].mean() / 100,
            }
        )
    return typed("doses", rows)


def _bands(ends: list[float]) -> list[tuple[str, str]]:
    """Ids and labels of the bands of dose.

    >>> [label for _name, label in _bands([0.5, 1.0])]
    ['No contact', 'Up to 0.5', 'Above 0.5, up to 1', 'Above 1']
    """
    named = [("none", "No contact"), (f"to-{ends[0]:g}", f"Up to {ends[0]:g}")]
    named += [(f"to-{b:g}", f"Above {a:g}, up to {b:g}") for a, b in pairwise(ends)]
    return [*named, (f"above-{ends[-1]:g}", f"Above {ends[-1]:g}")]
