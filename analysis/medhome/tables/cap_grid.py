"""The study's practice-months with cost truncated at other caps: what the headline would be under each."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.cells import KEYS, WEIGHT_SCALE, Cells, MonthPairs, moment_name
from medhome.study.spec import StudySpec
from medhome.study.truncation_results import CapGrid
from medhome.tables.arms import COMPARISON
from medhome.tables.collapse import LARGEST_SAMPLE, sampled
from medhome.tables.engine import fetch
from medhome.tables.panel import Panel
from medhome.tables.truncation import YEAR, cut_at, indexed, windows

GRID_USD = (250_000, 100_000)
"""Caps shown beside the study's own and "none"; the third is the `REFERENCE_PERCENT` percentile."""
REFERENCE_PERCENT = 99
_HUNDRED_USD = 10_000
_WIDE = "decimal(38, 0)"


def reference_cap(panel: Panel, spec: StudySpec) -> int:
    """The 99th percentile of the comparison members' 12-month cost before the start, in cents, exact.

    The smallest sum of a member's window of the baseline that at least 99 in 100 of them do not pass. No
    approximate quantile: the sums are ranked.
    """
    who = panel.members.filter(_.arm == COMPARISON).select("person_key")
    start = spec.periods.start_month
    mine = panel.months.filter(_.month < spec.periods.baseline.end).semi_join(who, "person_key")
    # Whole-number division rounds differently below zero from engine to engine: count from far before.
    sums = (
        mine.mutate(window=(_.month - start + 100 * YEAR) // YEAR)
        .group_by("person_key", "window")
        .aggregate(cents=_.allowed_cents.sum())
    )
    count = int(fetch(sums.aggregate(n=_.count()))["n"].iloc[0])
    rank = (REFERENCE_PERCENT * count + 99) // 100
    ordered = sums.mutate(nth=ibis.row_number().over(order_by=[_.cents, _.person_key, _.window]))
    return int(fetch(ordered.filter(_.nth == rank - 1).select("cents"))["cents"].iloc[0])


def cap_grid(panel: Panel, cells: Cells, spec: StudySpec) -> CapGrid:
    """The study's practice-months with allowed cost at no cap, $250,000, $100,000 and the 99th percentile.

    Arguments
        panel: scored. cells: its cells (`collapse.cells`).

    Cells of a cap are those of uncapped cost less what the cap takes from the few members above it, exact.
    """
    listed = [(str(usd), f"${usd:,}", 100 * usd) for usd in GRID_USD]
    reference = reference_cap(panel, spec)
    if reference > 0:  # to the next hundred dollars: a rank is one member's own cost
        cents = -(-reference // _HUNDRED_USD) * _HUNDRED_USD
        listed.append(("p99", "99th percentile of the comparison members", cents))
    own = spec.outcomes.cap_usd_per_year
    if own is not None and own not in GRID_USD:
        listed.insert(0, (str(own), f"${own:,}", 100 * own))
    members = panel.members.select("person_key", *KEYS[:-1], "expected_cents")
    frame = cells.frame[
        [*KEYS, "rows", "w", moment_name("expected"), moment_name("expected", "expected")]
    ].copy()
    uncapped = {
        (): cells.frame[moment_name("allowed")],
        ("expected",): cells.frame[moment_name("allowed", "expected")],
    }
    for covariate, moment in uncapped.items():
        frame[moment_name("allowed_none", *covariate)] = moment
    costs = panel.months.select(
        "person_key", "month", "w", "allowed_cents", allowed_none_cents=_.allowed_cents
    )
    index = pd.MultiIndex.from_frame(frame[list(KEYS)])
    for name, _label, cents in listed:
        caps_of_name = {k: indexed(cents, k, panel.cap_trend) for k in windows(spec)}
        # Few rows, kept: every later sum would otherwise work them out again.
        cut = panel.con.create_table(
            f"medhome_cut_{name}", cut_at(panel.months, caps_of_name, ("allowed",), spec), overwrite=True
        )
        joined = costs.left_join(cut, ["person_key", "month"])
        kept = ibis.coalesce(joined.allowed_cut, joined.allowed_cents)
        costs = joined.select(*costs.columns, **{f"allowed_{name}_cents": kept})
        lost = costs.mutate(over=_.allowed_cents - costs[f"allowed_{name}_cents"]).filter(_.over != 0)
        scored = lost.join(members, "person_key")
        sums = {
            "plain": scored.over.cast(_WIDE).sum().cast(_WIDE),
            "expected": (scored.over * scored.expected_cents).cast(_WIDE).sum().cast(_WIDE),
        }
        taken = fetch(scored.group_by(*KEYS).aggregate(**sums).order_by(*KEYS)).set_index(list(KEYS))
        for covariate, moment in uncapped.items():
            above = taken["expected" if covariate else "plain"].reindex(index)
            whole = [0 if v is None or v != v else WEIGHT_SCALE * int(v) for v in above]
            values = [int(m) - v for m, v in zip(moment, whole, strict=True)]
            column = moment_name(f"allowed_{name}", *covariate)
            frame[column] = pd.Series(values, dtype=object, index=frame.index)
    names = ["none", *(name for name, *_rest in listed)]
    caps = pd.DataFrame(
        {
            "cap": names,
            "label": ["No cap", *(label for _name, label, _cents in listed)],
            "cap_usd": [float("nan"), *(cents / 100 for *_words, cents in listed)],
            "declared": [name == ("none" if own is None else str(own)) for name in names],
        }
    )
    variables = [f"allowed_{name}" for name in names]
    scales = {"expected": cells.scales["expected"], **dict.fromkeys(variables, 100)}
    return CapGrid(
        caps=caps,
        cells=Cells(scales=scales, frame=frame, weight_scale=cells.weight_scale),
        pairs=_pairs(panel, costs, variables),
    )


def _pairs(panel: Panel, costs: Table, variables: Sequence[str]) -> dict[str, MonthPairs]:
    """`collapse.month_pairs` of every variable in one pass, on the same members."""
    members = sampled(panel.members, LARGEST_SAMPLE)
    mine = panel.con.create_table(
        "medhome_grid",
        costs.join(members, "person_key").select(
            "person_key", "organization_id", "month", **{v: costs[f"{v}_cents"] for v in variables}
        ),
        overwrite=True,
    )
    other = mine.select(right_key="person_key", month_t="month", **{f"{v}_t": mine[v] for v in variables})
    pairs = mine.join(other, [mine.person_key == other.right_key, mine.month <= other.month_t])
    sums = {}
    for v in variables:
        sums[f"{v}:s"] = pairs[v].sum()
        sums[f"{v}:t"] = pairs[f"{v}_t"].sum()
        sums[f"{v}:st"] = (pairs[v] * pairs[f"{v}_t"]).cast(_WIDE).sum().cast(_WIDE)
    grouped = pairs.group_by("organization_id", month_s=pairs.month, month_t=pairs.month_t)
    found = fetch(
        grouped.aggregate(members=_.count(), **sums).order_by("organization_id", "month_s", "month_t")
    )
    panel.con.drop_table("medhome_grid")
    keys = found[["organization_id", "month_s", "month_t", "members"]]
    return {
        v: MonthPairs(
            frame=keys.assign(sum_s=found[f"{v}:s"], sum_t=found[f"{v}:t"], sum_st=found[f"{v}:st"])
        )
        for v in variables
    }
