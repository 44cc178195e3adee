"""Outcomes that no care program changes within months: who had such a claim, and what it cost.

Falsification tests of the published evaluations (docs/methods, sensitivity): a fracture or an inflamed
appendix comes as often with a medical home as without one.
"""

from __future__ import annotations

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.cells import WEIGHT_SCALE, Cells, MonthPairs
from medhome.study.periods import month_start
from medhome.study.placebo_results import PlaceboCells
from medhome.study.spec import StudySpec
from medhome.tables.bookings import counted, is_void, month_of
from medhome.tables.collapse import LARGEST_SAMPLE, sampled
from medhome.tables.conditions import matched
from medhome.tables.engine import fetch
from medhome.tables.panel import Panel
from medhome.tables.services import codelist

PER = 1000
"""A rate is counted per so many member-months."""

HEAD = 3
"""Every prefix of the lists has at least so many characters: a quick first look at a code."""

UNITS = {"rate": f"per {PER:,} member-months", "cost": "USD PMPM"}
_SCALE = 100


def collapse(
    inputs: dict[str, Table], panel: Panel, cells: Cells, pairs: MonthPairs, spec: StudySpec
) -> tuple[PlaceboCells, ...]:
    """How often did each practice's members have claims that the program cannot have changed?

    Arguments
        panel: the study's; cells: its cells, whose member-months are the denominators; pairs: of any outcome,
            whose counts of members in two months are the same for all.

    One part for each of ``spec.placebo_outcomes``: a claim counts by its first diagnosis, in the month in
    which it began, when it stands (voids taken off, paid by the run-out cut) and the member is in the panel.
    """
    if not spec.placebo_outcomes:
        return ()
    keys = cells.keys
    seen = _events(inputs, panel, keys[:-1], spec)
    present, kept = _present(panel, seen["person_key"])
    found = []
    for outcome in spec.placebo_outcomes:
        own = seen[seen["outcome_id"] == outcome.codes]
        value = _SCALE * PER if outcome.measure == "rate" else own["cents"]
        own = own.assign(y=value).astype({"y": "int64"})
        some = own[own["person_key"].isin(kept)]
        found.append(
            PlaceboCells(
                id=outcome.id,
                label=outcome.label,
                unit=UNITS[outcome.measure],
                cells=_cells(own, cells),
                pairs=_pairs(some, present, pairs),
                people=_fewest(own, spec),
            )
        )
    return tuple(found)


def _events(
    inputs: dict[str, Table], panel: Panel, keys: tuple[str, ...], spec: StudySpec
) -> pd.DataFrame:
    """One row per list, person and month of the panel with such a claim: ``cents`` allowed, and the keys."""
    wanted = {p.codes for p in spec.placebo_outcomes}
    every = [(r["system"], r["code_prefix"], r["outcome_id"]) for r in codelist("placebo_outcomes")]
    rows = [row for row in every if row[2] in wanted]
    claim, day = inputs["medical_claim"], inputs["medical_claim"].claim_start_date
    inside = claim.filter(
        day >= ibis.date(month_start(spec.periods.baseline.first)),
        day < ibis.date(month_start(spec.periods.performance.end)),
        claim.diagnosis_code_1.substr(0, HEAD).isin(sorted({prefix[:HEAD] for _s, prefix, _o in rows})),
        counted(claim, month_of(day), spec),
    )
    standing = (
        inside.select(
            person_id=inside.person_id,
            month=month_of(inside.claim_start_date),
            system=inside.diagnosis_code_type.fill_null("").lower(),
            code=inside.diagnosis_code_1,
            sign=ibis.ifelse(is_void(inside), -1, 1),
            cents=inside.allowed_cents,
        )
        .group_by("person_id", "month", "system", "code")
        .aggregate(net=_.sign.sum(), cents=_.cents.sum())
        .filter(_.net > 0)
    )
    lists = matched(standing, rows, "outcome_id")
    members = panel.members.select("person_key", "person_id", *keys)
    found = (
        standing.join(lists, ["system", "code"])
        .join(members, "person_id")
        .group_by("outcome_id", "person_key", *keys, "month")
        .aggregate(cents=_.cents.sum())
        .semi_join(panel.months, ["person_key", "month"])
    )
    return fetch(found.order_by("outcome_id", "person_key", "month"))


def _present(panel: Panel, persons: pd.Series) -> tuple[pd.DataFrame, set[int]]:
    """Months in the panel of these persons, and which of them are in the sample of `month_pairs`."""
    if persons.empty:
        return pd.DataFrame({"person_key": persons, "month": persons}), set()
    own = ibis.memtable(pd.DataFrame({"person_key": persons.unique()}))
    months = panel.months.semi_join(own, "person_key").select("person_key", "month")
    chosen = sampled(panel.members, LARGEST_SAMPLE).select("person_key").semi_join(own, "person_key")
    return fetch(months.order_by("person_key", "month")), set(fetch(chosen)["person_key"])


def _cells(events: pd.DataFrame, cells: Cells) -> Cells:
    keys = list(cells.keys)
    sums = events.groupby(keys, sort=False)["y"].sum().reset_index(name="w*outcome")
    frame = cells.frame[[*keys, "rows", "w"]].merge(sums, on=keys, how="left")
    whole = [0 if pd.isna(v) else int(v) * WEIGHT_SCALE for v in frame["w*outcome"]]
    frame["w*outcome"] = pd.Series(whole, dtype=object)
    return Cells(keys=cells.keys, scales={"outcome": _SCALE}, frame=frame, weight_scale=cells.weight_scale)


def _pairs(events: pd.DataFrame, present: pd.DataFrame, pairs: MonthPairs) -> MonthPairs:
    """Cross-products of months over the members present in both; members without such claims add nothing."""
    own = events[["person_key", "organization_id", "month", "y"]]
    both = own.merge(present.rename(columns={"month": "other"}), on="person_key")
    again = own[["person_key", "month", "y"]].rename(columns={"month": "other", "y": "y_other"})
    both = both.merge(again, on=["person_key", "other"], how="left").fillna({"y_other": 0})
    both = both.assign(product=both["y"] * both["y_other"].astype("int64"))
    sums = both.groupby(["organization_id", "month", "other"])[["y", "product"]].sum().reset_index()
    keys = ["organization_id", "month_s", "month_t"]
    frame = pairs.frame[[*keys, "members"]]
    for column, names in (
        ("sum_s", {"month": "month_s", "other": "month_t", "y": "sum_s"}),
        ("sum_t", {"other": "month_s", "month": "month_t", "y": "sum_t"}),
        ("sum_st", {"month": "month_s", "other": "month_t", "product": "sum_st"}),
    ):
        frame = frame.merge(sums.rename(columns=names)[[*keys, column]], on=keys, how="left")
        frame[column] = frame[column].fillna(0).astype("int64")
    return MonthPairs(frame=frame, scale=_SCALE)


def _fewest(events: pd.DataFrame, spec: StudySpec) -> int:
    late = events["month"] >= spec.periods.start_month
    sides = [
        events[(events["arm"] == arm) & (late == after)]["person_key"].nunique()
        for arm in ("treated", "comparison")
        for after in (False, True)
    ]
    return int(min(sides))

