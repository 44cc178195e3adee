"""How often is care used? Stays, emergency visits, visits, imaging and fills, as events by person and
month."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.tables.engine import fetch
from medhome.tables.measures import preventable
from medhome.tables.measures import stays as hospital
from medhome.tables.measures.counting import Members
from medhome.tables.measures.definitions import Measure
from medhome.tables.measures.lines import FIRST_DAY, CodeLists, services
from medhome.tables.measures.value_sets import SHARE_SCALE, ValueSets, plain

EVENTS = ("measure", "person_id", "month", "n", "d")


def month_of_day(days: Iterable[int]) -> np.ndarray:
    """Month of each day number.

    >>> month_of_day([dt.date(2008, 3, 31).toordinal() + FIRST_DAY]).tolist()  # 2008 * 12 + 2
    [24098]
    """
    dates = [dt.date.fromordinal(int(day) - FIRST_DAY) for day in days]
    return np.array([date.year * 12 + date.month - 1 for date in dates], dtype=np.int32)


@dataclass
class Care:
    """What was used, read once for all measures that ask.

    medical, drugs: `lines.medical_lines`, `lines.fills` (None without pharmacy claims). lists, sets: codes.
    last_day: the last day analysed (a later stay may still count as a return, but no discharge has its days
    cut).
    """

    medical: Table
    drugs: Table | None
    lists: CodeLists
    sets: ValueSets
    members: Members
    last_day: int
    found: dict[str, pd.DataFrame] = field(default_factory=dict)

    @cached_property
    def stays(self) -> pd.DataFrame:
        """Hospital stays of the cohort."""
        return hospital.stays(hospital.stay_claims(self.medical, self.lists))

    @cached_property
    def episodes(self) -> pd.DataFrame:
        """Stays, transfers joined."""
        return hospital.episodes(self.stays, self.lists)

    @cached_property
    def deaths(self) -> dict[str, int]:
        """Day number of death by person."""
        frame = self.members.frame
        dead = frame[frame["death"] >= 0]
        return dict(zip(dead["person_id"], dead["death"], strict=True))

    @cached_property
    def planned(self) -> np.ndarray:
        """(n,) whether an episode is planned: a planned procedure, and no acute principal diagnosis."""
        sets = self.sets
        codes = set(sets.codes("readmission_planned_icd10pcs.csv", "icd_10_pcs"))
        if not sets.missing(["readmission_surgery_icd10pcs.csv", "readmission_planned_ccs.csv"]):
            groups = set(sets.read("readmission_planned_ccs.csv", ["ccs_procedure_category"]).iloc[:, 0])
            surgery = sets.read(
                "readmission_surgery_icd10pcs.csv", ["icd_10_pcs", "ccs_code_and_description"]
            )
            number = surgery["ccs_code_and_description"].str.extract(r"CCS (\d+):")[0]
            codes |= set(plain(surgery["icd_10_pcs"][number.isin(groups)]))
        acute = sets.codes("readmission_acute_dx_icd10.csv", "icd_10_cm")
        return np.array(
            [
                bool(codes & set(row["procedures"].split())) and row["dx1"] not in acute
                for row in hospital.plain_rows(self.episodes[["procedures", "dx1"]])
            ],
            dtype=bool,
        )

    @cached_property
    def emergency(self) -> pd.DataFrame:
        """Emergency visits: one row per person and day that does not end in a stay, with its diagnosis.

        Lines of one day are one visit. It ends in a stay that begins on its day or the day after, or falls
        into one. Its diagnosis is the principal one of the institution's claim, else of the first by number.
        """
        rank = ibis.ifelse(self.medical.claim_type == "institutional", "0", "1")
        dx = (
            self.medical.diagnosis_code_1
            if "diagnosis_code_1" in self.medical.columns
            else ibis.null("string")
        )
        coded = self.medical.mutate(
            told=rank + "|" + self.medical.claim_id + "|" + self.medical.system + "|" + dx.fill_null("")
        )
        visits = coded.filter(_.category == "emergency")
        found = fetch(
            visits.group_by("person_id", "day", "month")
            .aggregate(told=_.told.min())
            .order_by("person_id", "day")
        )
        if not len(found):
            return pd.DataFrame({"person_id": [], "day": [], "month": [], "system": [], "code": []})
        parts = found["told"].str.rsplit("|", n=2, expand=True)
        found["system"], found["code"] = parts[1].astype(str), parts[2].astype(str)
        inside = _during(found, self.stays)
        return found[~inside].drop(columns="told").reset_index(drop=True)

    def visits(self, measure: Measure) -> Table:
        """Visits to primary care or to specialists: one per person, clinician and day."""
        kind = "primary_care" if measure.counts == "primary_care_visits" else "specialist"
        codes = [code for system, code in self.lists["office_visit"] if system == "hcpcs"]
        lines = self.medical.filter(_.category == kind, _.hcpcs_code.isin(codes))
        distinct = lines.select("person_id", "day", "month", npi=lines.rendering_npi.fill_null("")).distinct()
        return _counted(distinct, measure)

    def imaging(self, measure: Measure) -> Table:
        """Images of a list: one per person, day and code, whoever bills for taking or reading it."""
        codes = [code for system, code in self.lists[measure.list] if system == "hcpcs"]
        lines = self.medical.filter(_.hcpcs_code.isin(codes))
        return _counted(lines.select("person_id", "day", "month", "hcpcs_code").distinct(), measure)

    def generic(self, measure: Measure) -> Table:
        """Fills of listed drugs, and how many of them are generic."""
        assert self.drugs is not None
        listed = self.sets.read("generic_drugs.csv", ["ndc", "generic"])
        rows = list(
            zip(plain(listed["ndc"]), (listed["generic"].str.strip() == "1").astype(int), strict=True)
        )
        known = ibis.memtable(rows, schema={"listed": "string", "generic": "int64"}).distinct()
        fills = self.drugs.select("person_id", "month", "day", "ndc").distinct()
        joined = fills.join(known, fills.ndc == known.listed)
        return joined.select(measure=ibis.literal(measure.id), person_id=joined.person_id, month=joined.month,
                             n=joined.generic, d=ibis.literal(1, "int64"))  # fmt: skip

    def hospital_events(self, measure: Measure) -> pd.DataFrame:
        """Events of stays and emergency visits of one measure: `EVENTS`, n and d by event."""
        if measure.counts == "admissions":
            chosen = self.episodes[self.episodes["kind"].isin(measure.kinds)]
            return _events(measure, chosen["person_id"], chosen["month"], 1)
        if measure.counts == "preventable_admissions":
            met = preventable.indicators(self.episodes, self.ages(self.episodes), self.sets)
            chosen = self.episodes[met.any(axis=1).to_numpy()]
            return _events(measure, chosen["person_id"], chosen["month"], 1)
        if measure.counts == "emergency":
            return _events(measure, self.emergency["person_id"], self.emergency["month"], 1)
        if measure.counts == "emergency_shares":
            shares = self.sets.emergency.parts(self.emergency, measure.shares)
            return _events(measure, self.emergency["person_id"], self.emergency["month"], shares)
        within = f"index {measure.within_days}"
        if within not in self.found:
            self.found[within] = hospital.readmitted(
                self.episodes, self.deaths, self.last_day, measure.within_days, self.planned
            )
        index = self.found[within]
        base = self.episodes.take(index["index"].to_numpy(dtype=int))
        if measure.counts == "readmissions":
            n = index["readmitted"].to_numpy()
            return _events(measure, base["person_id"], month_of_day(base["discharge"]), n)
        return self._followed_up(measure, base)

    def _followed_up(self, measure: Measure, base: pd.DataFrame) -> pd.DataFrame:
        home = base[base["disposition"].isin(hospital.TO_HOME)]
        seen = self._visits_after(measure.list, home)
        within = (seen >= 0) & (seen <= measure.within_days)
        n = within.astype(np.int64)
        if measure.counts == "days_to_follow_up":
            n = np.where(within, seen, measure.within_days)
        return _events(measure, home["person_id"], month_of_day(home["discharge"]), n)

    def _visits_after(self, name: str, home: pd.DataFrame) -> np.ndarray:
        """Days from each discharge to the first service of a list on a later day; -1 without one."""
        if name not in self.found:
            people = ibis.memtable({"person_id": sorted(set(home["person_id"])) or [""]})
            mine = self.medical.semi_join(people, "person_id")
            rows = services(mine.filter(_.category != "inpatient"), None, self.lists, [name])
            self.found[name] = fetch(rows.order_by("person_id", "day"))
        visits = self.found[name]
        both = pd.concat([visits["person_id"], home["person_id"]], ignore_index=True)
        number = pd.factorize(both)[0].astype(np.int64)
        far = 10_000_000
        when = np.sort(number[: len(visits)] * far + visits["day"].to_numpy(dtype=np.int64))
        start = number[len(visits) :] * far
        left = start + home["discharge"].to_numpy(dtype=np.int64)
        at = np.searchsorted(when, left, side="right")
        if not len(when):
            return np.full(len(home), -1)
        next_visit = when[np.minimum(at, len(when) - 1)]
        same = (at < len(when)) & (next_visit // far == start // far)
        return np.where(same, next_visit - left, -1)

    def ages(self, rows: pd.DataFrame) -> np.ndarray:
        """Completed years at admission; -1 where the birth date is unknown."""
        known = hospital.plain_rows(self.members.frame[["person_id", "birth"]])
        births = {row["person_id"]: row["birth"] for row in known}
        found = []
        for row in hospital.plain_rows(rows[["person_id", "admit"]]):
            birth = births.get(row["person_id"], -1)
            if birth < 0:
                found.append(-1)
                continue
            born, there = (dt.date.fromordinal(int(d) - FIRST_DAY) for d in (birth, row["admit"]))
            found.append(there.year - born.year - ((there.month, there.day) < (born.month, born.day)))
        return np.array(found, dtype=int)


def scale_of(measure: Measure) -> int:
    """The whole number that one event is counted as."""
    return SHARE_SCALE if measure.counts == "emergency_shares" else 1


def _during(visits: pd.DataFrame, stays: pd.DataFrame) -> np.ndarray:
    """Whether a stay of the person begins on the day or the day after, or the day lies in one."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for stay in hospital.plain_rows(stays[["person_id", "admit", "discharge"]]):
        spans.setdefault(stay["person_id"], []).append((stay["admit"], stay["discharge"]))
    return np.array(
        [
            any(
                first - 1 <= v["day"] <= max(first, last - 1) for first, last in spans.get(v["person_id"], ())
            )
            for v in hospital.plain_rows(visits[["person_id", "day"]])
        ],
        dtype=bool,
    )


def _events(measure: Measure, person: pd.Series, month: object, n: object) -> pd.DataFrame:
    rows = len(person)
    return pd.DataFrame(
        {
            "measure": [measure.id] * rows,
            "person_id": person.to_numpy(),
            "month": np.asarray(month, dtype=np.int32),
            "n": np.broadcast_to(np.asarray(n, dtype=np.int64), rows),
            "d": np.ones(rows, dtype=np.int64),
        }
    )


def _counted(distinct: Table, measure: Measure) -> Table:
    return distinct.group_by("person_id", "month").aggregate(n=_.count()).select(
        measure=ibis.literal(measure.id), person_id=_.person_id, month=_.month, n=_.n.cast("int64"),
        d=ibis.literal(1, "int64"),
    )  # fmt: skip
