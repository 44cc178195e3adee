"""Who entered, stayed, left or died, and where members were in fact seen: the engine's part of exhibit T18.

Source: `docs/methods.md`, selection.
"""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.cells import WEIGHT_SCALE
from medhome.study.periods import Span
from medhome.study.spec import StudySpec
from medhome.tables import attribution
from medhome.tables.arms import ARMS, EXCLUDED, UNATTRIBUTED
from medhome.tables.engine import fetch
from medhome.tables.panel import Panel
from medhome.tables.populations import window_of, years

STATUSES = ("entered", "stayed", "left", "died")
SEEN_IN = (*ARMS, EXCLUDED, UNATTRIBUTED)
EVERYONE = "everyone"
_COST = "allowed_capped_cents"


@dataclass(frozen=True, kw_only=True)
class Flows:
    """What came and went: ``members``, ``crossovers`` and ``without_visits`` as `Selection` has them.

    organizations: one row per organisation, arm and period: ``member_months`` (at risk: all but those of the
        last month analysed), ``members`` (mean a month), ``left``, ``died``, ``entered``.
    """

    members: pd.DataFrame
    crossovers: pd.DataFrame
    without_visits: pd.DataFrame
    organizations: pd.DataFrame


def describe(inputs: dict[str, Table], scored: Panel, spec: StudySpec) -> Flows:
    """Which members did each arm have, which did it keep, and who was seen by the other arm's practices?

    Arguments
        scored: the panel with each member's frozen expected cost.
    """
    con = scored.con
    people = con.create_table("medhome_flows", _people(scored, spec), overwrite=True)
    seen = con.create_table("medhome_seen", _where_seen(inputs, scored, people, spec), overwrite=True)
    found = Flows(
        members=_members(people),
        crossovers=_crossovers(seen),
        without_visits=_without_visits(seen, scored),
        organizations=_organizations(scored, people, spec),
    )
    con.drop_table("medhome_flows")
    con.drop_table("medhome_seen")
    return found


def _people(scored: Panel, spec: StudySpec) -> Table:
    """One row per member: first and last month, baseline exposure and cost, and ``status``."""
    before = scored.months.month < spec.periods.baseline.end
    spans = scored.months.group_by("person_key").aggregate(
        first=_.month.min(),
        last=_.month.max(),
        w=_.w.sum(),
        baseline_w=before.ifelse(scored.months.w, 0).sum(),
        baseline_cents=before.ifelse(scored.months[_COST], 0).sum(),
    )
    known = scored.members.select(
        "person_key", "person_id", "organization_id", "practice_id", "arm", "expected_cents"
    )
    deaths = scored.con.table("medhome_people").select("person_id", "death_month")
    joined = spans.join(known, "person_key").join(deaths, "person_id")
    end = spec.periods.performance.last
    # Whoever dies in the first half of a month has no exposure in it: the month after the last one counts.
    died = (
        joined.death_month.notnull()
        & (joined.death_month <= end)
        & (joined.death_month <= joined["last"] + 1)
    )
    status = ibis.cases(
        (joined.baseline_w == 0, "entered"),
        (died.fill_null(False), "died"),
        (joined["last"] < end, "left"),
        else_="stayed",
    )
    return joined.mutate(status=status, died=died.fill_null(False))


def _sums() -> dict[str, ibis.Value]:
    return {
        "members": _.person_key.nunique(),
        "w": _.w.sum(),
        "baseline_w": _.baseline_w.sum(),
        "baseline_cents": _.baseline_cents.sum(),
        "risk": (_.w.cast("int64") * _.expected_cents).sum(),
    }


def _members(people: Table) -> pd.DataFrame:
    found = fetch(people.group_by("arm", "status").aggregate(**_sums()).order_by("arm", "status"))
    whole = pd.MultiIndex.from_product([ARMS, STATUSES], names=["arm", "status"])
    full = found.set_index(["arm", "status"]).reindex(whole, fill_value=0).reset_index()
    totals = full.groupby("arm")["members"].transform("sum")
    return pd.DataFrame(
        {
            "arm": full["arm"],
            "status": full["status"],
            "members": full["members"].astype("int64"),
            "member_months": full["w"] / WEIGHT_SCALE,
            "share": _ratio(full["members"], totals),
            "baseline_pmpm": _ratio(full["baseline_cents"], full["baseline_w"]) * WEIGHT_SCALE / 100,
            "risk_pmpm": _ratio(full["risk"], full["w"]) / 100,
        }
    )


def _where_seen(inputs: dict[str, Table], scored: Panel, people: Table, spec: StudySpec) -> Table:
    """Exposure and cost of the performance period by member and by where the member was in fact seen."""
    months = scored.months.filter(_.month >= spec.periods.performance.first)
    known = people.select("person_key", "person_id", "arm", "baseline_w", "baseline_cents", "expected_cents")
    mine = months.select("person_key", "month", "w", cents=_COST).join(known, "person_key")
    joined = mine.left_join(_seen(inputs, scored, spec), ["person_id", "month"])
    return (
        joined.mutate(seen_in=joined.seen_in.fill_null(UNATTRIBUTED))
        .group_by("person_key", "arm", "seen_in")
        .aggregate(
            w=_.w.sum(),
            cents=_.cents.sum(),
            baseline_w=_.baseline_w.max(),
            baseline_cents=_.baseline_cents.max(),
            expected_cents=_.expected_cents.max(),
        )
    )


def _crossovers(seen: Table) -> pd.DataFrame:
    found = fetch(
        seen.group_by("arm", "seen_in").aggregate(cents=_.cents.sum(), **_sums()).order_by("arm", "seen_in")
    )
    rows = pd.MultiIndex.from_product([ARMS, SEEN_IN], names=["arm", "seen_in"])
    full = found.set_index(["arm", "seen_in"]).reindex(rows, fill_value=0).reset_index()
    return pd.DataFrame(
        {
            "arm": full["arm"],
            "seen_in": full["seen_in"],
            "members": full["members"].astype("int64"),
            "member_months": full["w"] / WEIGHT_SCALE,
            "allowed_usd": full["cents"] / 100,
            "baseline_pmpm": _ratio(full["baseline_cents"], full["baseline_w"]) * WEIGHT_SCALE / 100,
            "risk_pmpm": _ratio(full["risk"], full["w"]) / 100,
        }
    )


def _seen(inputs: dict[str, Table], scored: Panel, spec: StudySpec) -> Table:
    """Where people were seen: ``person_id``, ``month`` of the performance period, ``seen_in`` (an arm).

    By method "roster", as the payer lists each month; by visits, most visits of each 12-month window of the
    performance period; by a made-up rule, where they always are.
    """
    persons = scored.con.table("medhome_people")
    performance = spec.periods.performance
    if spec.attribution.method == "roster":
        spans = tuple(Span(m, m + 1) for m in performance)
    else:
        spans = years(performance, spec.periods.start_month)
    found = ibis.union(
        *(
            attribution.by_visits(inputs, persons, span, spec).mutate(window=ibis.literal(number, "int32"))
            for number, span in enumerate(spans)
        )
    )
    calendar = ibis.memtable([(m,) for m in performance], schema={"month": "int32"})
    dated = calendar.mutate(window=window_of(calendar.month, spans))
    arms = ibis.memtable(
        scored.practices[["practice_id", "arm"]], schema={"practice_id": "string", "arm": "string"}
    )
    placed = found.left_join(arms.rename(seen_in="arm"), "practice_id")
    named = placed.select("person_key", "window", seen_in=placed.seen_in.fill_null(EXCLUDED))
    return (
        named.join(dated, "window")
        .join(persons.select("person_key", "person_id"), "person_key")
        .select("person_id", "month", "seen_in")
    )


def _without_visits(seen: Table, scored: Panel) -> pd.DataFrame:
    by_member = seen.group_by("person_key", "arm").aggregate(
        somewhere=(_.seen_in != UNATTRIBUTED).cast("int8").max()
    )
    found = fetch(
        by_member.group_by("arm")
        .aggregate(eligible=_.count(), seen=_.somewhere.cast("int64").sum())
        .order_by("arm")
    )
    rows: list[tuple[str, int, int]] = []
    for arm in ARMS:
        mine = found[found["arm"] == arm]
        present, met = int(mine["eligible"].sum()), int(mine["seen"].sum())
        rows.append((arm, present, present - met))
    flow = scored.attrition.frame
    at = flow[flow["rule"] == "attributed"]
    lost = int(at["members_dropped"].sum())
    rows.append((EVERYONE, int(at["members"].sum()) + lost, lost))
    frame = pd.DataFrame(rows, columns=["arm", "eligible", "members"])
    return frame.assign(share=_ratio(frame["members"], frame["eligible"]))


def _organizations(scored: Panel, people: Table, spec: StudySpec) -> pd.DataFrame:
    """`Flows.organizations`. Who leaves counts in the period of the last month with exposure."""
    end, middle = spec.periods.performance.last, spec.periods.baseline.end
    known = people.select("person_key", "organization_id", "arm")
    keys = ["organization_id", "arm", "period"]
    months = scored.months.mutate(
        period=ibis.ifelse(scored.months.month < middle, "baseline", "performance"),
        risk_w=ibis.ifelse(scored.months.month < end, scored.months.w, 0),
    ).join(known, "person_key")
    exposed = fetch(
        months.group_by(keys)
        .aggregate(w=_.w.sum(), risk_w=_.risk_w.sum(), months=_.month.nunique())
        .order_by(keys)
    )
    gone = people.mutate(
        period=ibis.ifelse(people["last"] < middle, "baseline", "performance"),
        leaves=((people["last"] < end) & ~people.died).cast("int64"),
        dies=people.died.cast("int64"),
    )
    out = fetch(gone.group_by(keys).aggregate(left=_.leaves.sum(), died=_.dies.sum()).order_by(keys))
    new = people.filter(_.status == "entered").mutate(period=ibis.literal("performance"))
    came = fetch(new.group_by(keys).aggregate(entered=_.count()).order_by(keys))
    both = exposed.merge(out, on=keys, how="left").merge(came, on=keys, how="left")
    counts = both[["left", "died", "entered"]].fillna(0).astype("int64")
    return pd.DataFrame(
        {
            "organization_id": both["organization_id"],
            "arm": both["arm"],
            "period": both["period"],
            "member_months": both["risk_w"] / WEIGHT_SCALE,
            "members": both["w"] / WEIGHT_SCALE / both["months"],
            "left": counts["left"],
            "died": counts["died"],
            "entered": counts["entered"],
        }
    )


def _ratio(over: pd.Series, under: pd.Series) -> np.ndarray:
    top, bottom = over.to_numpy(dtype=float), under.to_numpy(dtype=float)
    return np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)
