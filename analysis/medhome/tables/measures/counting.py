"""Events of members → cells and moments: the same sums for every measure, in whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.cells import Cells
from medhome.study.measure_results import MOMENTS, MeasureCells
from medhome.study.spec import StudySpec
from medhome.tables.arms import ARMS
from medhome.tables.bookings import day_number, month_of
from medhome.tables.engine import fetch
from medhome.tables.panel import Panel

CELL_KEYS = ("organization_id", "practice_id", "arm", "month")
PERIODS = ("baseline", "performance")
PER_1000 = 12_000.0
"""Member-months in 1,000 member-years."""


@dataclass(kw_only=True)
class Members:
    """The cohort, for measures: what is known of each member, and when.

    table: one row per member in the engine: ``person_key``, ``person_id``, ``birth_month``.
    frame: the same in order of ``person_key``: with ``organization_id``, ``practice_id``, ``arm``, ``sex``,
        ``birth`` and ``death`` (day numbers; -1 where unknown).
    """

    table: Table
    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.frame)

    @classmethod
    def of(cls, panel: Panel, eligibility: Table) -> Members:
        """From the panel's members and their enrolment spans."""
        dates = eligibility.group_by("person_id").aggregate(
            birth_date=_.birth_date.min(), death_date=_.death_date.min()
        )
        own = panel.members.select("person_key", "person_id", "organization_id", "practice_id", "arm", "sex")
        joined = own.join(dates, "person_id")
        table = panel.con.create_table(
            "medhome_measure_members",
            joined.select(
                *own.columns,
                birth_month=month_of(joined.birth_date),
                birth=day_number(joined.birth_date).fill_null(-1).cast("int32"),
                death=day_number(joined.death_date).fill_null(-1).cast("int32"),
            ),
            overwrite=True,
        )
        return cls(table=table, frame=fetch(table.order_by("person_key")))

    @cached_property
    def practices(self) -> tuple[pd.DataFrame, np.ndarray]:
        """Practices within an arm, in order, and the place of each member's: for sums in one pass."""
        keys = list(CELL_KEYS[:-1])
        groups = self.frame.groupby(keys, sort=True)
        return groups.size().index.to_frame(index=False), groups.ngroup().to_numpy()

    @cached_property
    def organizations(self) -> tuple[pd.DataFrame, np.ndarray]:
        """Organisations within an arm, in order, and the place of each member's."""
        groups = self.frame.groupby(["organization_id", "arm"], sort=True)
        return groups.size().index.to_frame(index=False), groups.ngroup().to_numpy()

    def places(self, keys: pd.Series) -> np.ndarray:
        """Row of each ``person_key`` in the frame."""
        return np.searchsorted(self.frame["person_key"].to_numpy(), keys.to_numpy())


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """Member-months of these ages: what a rate is counted over.

    cells: one row per practice and month: `CELL_KEYS`, ``rows``, ``w`` (thousandths). by_member: (P, 2)
    thousandths of member-months in baseline and performance.
    """

    cells: pd.DataFrame
    by_member: np.ndarray

    @classmethod
    def of(cls, panel: Panel, members: Members, ages: tuple[int, int], spec: StudySpec) -> Exposure:
        """Of the panel's months in which a member's age lies between these two."""
        joined = panel.months.join(members.table, "person_key")
        whole_years = (joined.month - joined.birth_month) // 12
        if ages != (0, 130):
            joined = joined.filter(whole_years.between(*ages))
        cells = joined.group_by(*CELL_KEYS).aggregate(rows=_.count(), w=_.w.sum()).order_by(*CELL_KEYS)
        later = (joined.month >= spec.periods.performance.first).cast("int8")
        sums = joined.mutate(later=later).group_by("person_key", "later").aggregate(w=_.w.sum())
        found = fetch(sums)
        by_member = np.zeros((len(members), 2), dtype=np.int64)
        by_member[members.places(found["person_key"]), found["later"].to_numpy()] = found["w"]
        return cls(cells=fetch(cells), by_member=by_member)


def attached(panel: Panel, members: Members, events: Table) -> pd.DataFrame:
    """Events in months in which the member is analysed: ``measure``, ``person_key``, ``month``, ``age``, n,
    d.

    Arguments
        events: ``measure``, ``person_id``, ``month``, ``n``, ``d`` (whole numbers), any number of rows each.

    A person who is two members (another practice in another period) has each month under one of them.
    """
    summed = events.group_by("measure", "person_id", "month").aggregate(n=_.n.sum(), d=_.d.sum())
    keyed = summed.join(members.table.select("person_key", "person_id", "birth_month"), "person_id")
    here = keyed.join(panel.months.select("person_key", "month"), ["person_key", "month"])
    shaped = here.select(
        "measure",
        "person_key",
        "month",
        age=((here.month - here.birth_month) // 12).cast("int32"),
        n=here.n.cast("int64"),
        d=here.d.cast("int64"),
    )
    return fetch(shaped.order_by("measure", "person_key", "month"))


@dataclass(frozen=True, kw_only=True)
class Tally:
    """A measure's events by member: arrays of rows, for `collapsed`.

    person: place in `Members.frame`. month: of the event or the year. n, d: events (at ``scale``) and, where
    the measure is no rate per member-month, what they are counted over.
    """

    person: np.ndarray
    month: np.ndarray
    n: np.ndarray
    d: np.ndarray
    scale: int = 1


def collapsed(
    about: dict[str, str], tally: Tally, members: Members, exposure: Exposure | None, spec: StudySpec
) -> MeasureCells:
    """A measure's cells, moments by organisation, and rates by arm and period.

    Arguments
        about: measure, family, label, unit, direction, note.
        exposure: member-months, for a rate per 1,000 member-years; None counts over ``tally.d``.
    """
    later = (tally.month >= spec.periods.performance.first).astype(int)
    P = len(members)
    n = _by_member(tally.person, later, tally.n, P)
    if exposure is None:
        d, d_scale = _by_member(tally.person, later, tally.d, P), 1
        cells = _cells(tally, members)
    else:
        d, d_scale = exposure.by_member, 1000
        cells = _rate_cells(tally, members, exposure)
    frame = members.frame
    gap = about.get("gap", "") == "yes"
    return MeasureCells(
        **{k: v for k, v in about.items() if k != "gap"},
        gap=gap,
        cells=cells,
        organizations=_moments(n / tally.scale, d / d_scale, members),
        rates=_rates(about, n / tally.scale, d / d_scale, frame, gap),
    )


def _by_member(person: np.ndarray, later: np.ndarray, values: np.ndarray, P: int) -> np.ndarray:
    return np.bincount(person * 2 + later, weights=values.astype(float), minlength=2 * P).reshape(P, 2)


def _keyed(tally: Tally, members: Members) -> pd.DataFrame:
    """Sums of n and d by practice and month, in the order of `CELL_KEYS`."""
    practices, place = members.practices
    span = 2**20  # months are far below this
    code, which = np.unique(place[tally.person] * span + tally.month, return_inverse=True)
    found = practices.take(code // span).reset_index(drop=True)
    found["month"] = (code % span).astype("int32")
    for name, values in (("n", tally.n), ("d", tally.d)):
        found[name] = np.rint(np.bincount(which, weights=values, minlength=len(code))).astype("int64")
    return found


def _cells(tally: Tally, members: Members) -> Cells:
    every = _keyed(tally, members)
    found = every.loc[every["d"] > 0].reset_index(drop=True)
    frame = found[list(CELL_KEYS)].assign(rows=found["d"])
    frame["w"] = [1000 * int(d) for d in found["d"]]
    frame["w*events"] = [1000 * int(v) for v in found["n"]]
    return Cells(keys=CELL_KEYS, scales={"events": tally.scale}, frame=_wide(frame))


def _rate_cells(tally: Tally, members: Members, exposure: Exposure) -> Cells:
    events = _keyed(tally, members)[[*CELL_KEYS, "n"]]
    found = exposure.cells.merge(events, on=list(CELL_KEYS), how="left")
    frame = found[[*CELL_KEYS, "rows"]].copy()
    frame["w"] = [int(w) for w in found["w"]]
    frame["w*events"] = [1000 * int(v) for v in found["n"].fillna(0)]
    return Cells(keys=CELL_KEYS, scales={"events": tally.scale}, frame=_wide(frame))


def _wide(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**{c: np.array([int(v) for v in frame[c]], dtype=object) for c in ("w", "w*events")})


def _moments(n: np.ndarray, d: np.ndarray, members: Members) -> pd.DataFrame:
    """One row per organisation and arm that has a denominator: sums and products over members."""
    organizations, place = members.organizations
    parts = {"n0": n[:, 0], "n1": n[:, 1], "d0": d[:, 0], "d1": d[:, 1]}
    columns = {m: parts[m] if len(m) == 2 else parts[m[:2]] * parts[m[2:]] for m in MOMENTS}
    sums = {m: np.bincount(place, weights=v, minlength=len(organizations)) for m, v in columns.items()}
    found = organizations.assign(**sums)
    return found.take(np.flatnonzero(found["d0"] + found["d1"] > 0)).reset_index(drop=True)


def _rates(
    about: dict[str, str], n: np.ndarray, d: np.ndarray, frame: pd.DataFrame, gap: bool
) -> pd.DataFrame:
    rows = []
    for arm in ARMS:
        mine = (frame["arm"] == arm).to_numpy()
        for i, period in enumerate(PERIODS):
            own, over = n[mine, i], d[mine, i]
            total = float(over.sum())
            factor = PER_1000 if about["unit"] == "per_1000" else 1.0
            rows.append(
                {k: about[k] for k in ("measure", "family", "label")}
                | ({} if gap else {"unit": about["unit"]})
                | {
                    "arm": arm,
                    "period": period,
                    "members": int((over > 0).sum()),
                    "members_with": int((own > 0).sum()),
                    "denominator": total,
                    "events": float(own.sum()),
                    "rate": factor * float(own.sum()) / total if total else float("nan"),
                }
            )
    return pd.DataFrame(rows)


def without_reason(found: MeasureCells) -> str:
    """Why the measure cannot be estimated, in words; empty where it can."""
    sums = found.organizations.groupby("arm")[["d0", "d1"]].sum()
    short = [arm for arm in ARMS if arm not in sums.index or (sums.loc[arm] <= 0).any()]
    if short:
        return f"nobody to count in the {' and '.join(short)} arm in both periods"
    return "" if found.rates["events"].sum() > 0 else "no such event is on the claims of either arm"


def noted(found: MeasureCells, note: str) -> MeasureCells:
    """The same measure with a further note."""
    return replace(found, note=f"{found.note}; {note}".strip("; "))


def events_table(frames: Sequence[pd.DataFrame]) -> Table:
    """Small frames of ``measure``, ``person_id``, ``month``, ``n``, ``d`` as one table of the engine."""
    both = pd.concat(frames, ignore_index=True)
    both["person_id"] = both["person_id"].astype(str)
    schema = {"measure": "string", "person_id": "string", "month": "int32", "n": "int64", "d": "int64"}
    return ibis.memtable(both[list(schema)], schema=schema)
