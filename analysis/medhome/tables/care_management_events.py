"""What an event of care management counts as: a stage, a contact, or nothing, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.study.care_management_results import STAGES
from medhome.study.periods import month_index
from medhome.study.spec import StudySpec

_NEVER = np.iinfo(np.int64).max
_REASONS = {
    "rows": "Rows of the table",
    "repeated": "The same row again; counted once",
    "not_in_program": "About people who are not the program's members after the start",
    "after_end": "After the last month analysed",
    "before_start": "Before the practice's start, and no identification",
    "no_stage": "Of a type that the study counts as no stage (an attempt, a closing)",
    "no_member_month": "A contact in a month in which the person was no member of the program",
    "counted": "Counted",
    "out_of_order": "Members reached before they were identified, or never identified: they count as "
    "identified, and not in the time to first contact",
}


@dataclass(frozen=True, kw_only=True)
class Work:
    """Events sorted out.

    people: one row per person with a stage, by ``person_id``: ``practice_id``, ``expected_cents``, for each
        stage whether (``identified``) and in which month (``identified_month``), ``timed`` (identified, and
        not reached before), ``wait_days``.
    contacts: one row per contact counted: ``person_id``, ``practice_id``, ``month``, ``minutes``, ``engaged``
        (whether in a month since engagement).
    engaged: member-months since engagement: ``person_id``, ``practice_id``, ``month``, ``w``.
    notes: rows of ``CareManagement.notes``.
    """

    people: pd.DataFrame
    contacts: pd.DataFrame
    engaged: pd.DataFrame
    notes: list[dict[str, object]]


def sorted_out(events: pd.DataFrame, months: pd.DataFrame, outside: int, spec: StudySpec) -> Work:
    """Which people are in which stage since when, and which contacts count?

    Arguments
        events: of the program's members: ``person_id``, ``practice_id``, ``event_type``, ``list_id``,
            ``reason``, ``minutes``, ``day``, ``month``. months: their member-months after the start:
            ``person_id``, ``month``, ``w``, ``practice_id``, ``start``, ``expected_cents``, in order.
        outside: rows about anybody else.

    Identification may come before the start (lists are drawn beforehand), every other event counts from the
    practice's start to the last month analysed; a contact only in a member-month. Who is engaged was reached,
    and who was reached counts as identified.
    """
    asked = spec.care_management
    once = events.drop_duplicates(ignore_index=True)
    home = months.drop_duplicates("person_id").set_index("person_id")
    why = pd.Series("counted", index=once.index)
    staged = once["event_type"].isin([*asked.identified, *asked.first_contacts])
    early = once["month"] < _looked_up(once, home["start"])
    why[~staged] = "no_stage"
    why[early & ~once["event_type"].isin(asked.identified)] = "before_start"
    why[once["month"] > month_index(spec.periods.through)] = "after_end"
    kept = once[why == "counted"]

    people = _people(kept, months, home, spec)
    contacts, lost = _contacts(kept[kept["event_type"].isin(asked.contact)], months, people)
    only_contact = ~kept["event_type"].isin([*asked.identified, *asked.reached, *asked.engaged])
    gone = int(only_contact[lost].sum())
    counts = why.value_counts()
    notes = {reason: int(counts.get(reason, 0)) for reason in _REASONS}
    notes |= {
        "rows": len(events) + outside,
        "repeated": len(events) - len(once),
        "not_in_program": outside,
        "no_member_month": gone,
        "counted": notes["counted"] - gone,
        "out_of_order": int((people["reached"] & ~people["timed"]).sum()),
    }
    return Work(
        people=people,
        contacts=contacts,
        engaged=_since_engaged(months, people),
        notes=[{"reason": r, "label": label, "rows": float(notes[r])} for r, label in _REASONS.items()],
    )


def _people(kept: pd.DataFrame, months: pd.DataFrame, home: pd.DataFrame, spec: StudySpec) -> pd.DataFrame:
    """One row per person with an event that counts."""
    asked = spec.care_management
    index = pd.Index(sorted(set(kept["person_id"])), name="person_id")

    def first(types: Iterable[str]) -> pd.DataFrame:
        mine = kept[kept["event_type"].isin(list(types))]
        found = mine.groupby("person_id")[["day", "month"]].min().reindex(index)
        return found.astype("float64").fillna(_NEVER)

    identified, reached, engaged = (
        first(t) for t in (asked.identified, asked.first_contacts, asked.engaged)
    )
    # Who is further on is in every stage before it, from that day at the latest.
    both = np.minimum(identified, reached)
    people = pd.DataFrame(index=index)
    for stage, since in zip(STAGES[1:], (both, reached, engaged), strict=True):
        people[stage] = since["day"] < _NEVER
        people[f"{stage}_month"] = since["month"]
    people["timed"] = (identified["day"] < _NEVER) & (identified["day"] <= reached["day"])
    people["wait_days"] = np.where(people["reached"], reached["day"] - identified["day"], np.inf)
    people["expected_cents"] = home["expected_cents"].reindex(index).astype("float64")
    people["practice_id"] = _practice_of(people["identified_month"], months)
    return people


def _practice_of(since: pd.Series, months: pd.DataFrame) -> pd.Series:
    """The practice of a person's last member-month up to the first event, else of the first one after it."""
    upto = months[months["month"] <= _looked_up(months, since)]
    earlier = upto.drop_duplicates("person_id", keep="last").set_index("person_id")["practice_id"]
    first = months.drop_duplicates("person_id").set_index("person_id")["practice_id"]
    return first.reindex(since.index).where(
        ~since.index.isin(earlier.index), earlier.reindex(since.index)
    )


def _contacts(
    found: pd.DataFrame, months: pd.DataFrame, people: pd.DataFrame
) -> tuple[pd.DataFrame, pd.Index]:
    """Contacts in member-months, and the rows (of ``found``) that lie in none."""
    with_month = months[["person_id", "month"]].drop_duplicates().assign(here=True)
    joined = found.reset_index().merge(with_month, on=["person_id", "month"], how="left")
    here = joined["here"].notna()
    own = people.reindex(joined["person_id"])
    minutes = joined["minutes"].astype("float64")
    contacts = pd.DataFrame(
        {
            "person_id": joined["person_id"],
            "practice_id": own["practice_id"].to_numpy(),
            "month": joined["month"].astype("int64"),
            "minutes": minutes.where(minutes >= 0, 0.0),
            "engaged": joined["month"].to_numpy() >= own["engaged_month"].to_numpy(dtype=float),
        }
    )
    return contacts[here].reset_index(drop=True), pd.Index(joined.loc[~here, "index"])


def _since_engaged(months: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    since = _looked_up(months, people["engaged_month"])
    mine = months[months["month"] >= since]
    practice = mine["person_id"].map(people["practice_id"])
    return mine[["person_id", "month", "w"]].assign(practice_id=practice).reset_index(drop=True)


def _looked_up(rows: pd.DataFrame, by_person: pd.Series) -> pd.Series:
    """A number of each row's person; a float where there are no rows, too."""
    return rows["person_id"].map(by_person).astype("float64")
