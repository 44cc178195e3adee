"""The study's practice-months with cost truncated at other caps: what the headline would be under each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


def reference_cents(panel: Panel, spec: StudySpec) -> int:
    """`reference_cap` up to the next hundred dollars, because a rank is one member's own cost."""
    return -(-reference_cap(panel, spec) // _HUNDRED_USD) * _HUNDRED_USD


def cap_grid(panel: Panel, cells: Cells, spec: StudySpec) -> CapGrid:
    """The study's practice-months with allowed cost at no cap, $250,000, $100,000 and the 99th percentile.

    Arguments
        panel: scored. cells: its cells (`collapse.cells`).
    """
    listed = [(str(usd), f"${usd:,}", 100 * usd) for usd in GRID_USD]
    reference = reference_cents(panel, spec)
    if reference > 0:
        listed.append(("p99", "99th percentile of the comparison members", reference))
    own = spec.outcomes.cap_usd_per_year
    if own is not None and own not in GRID_USD:
        listed.insert(0, (str(own), f"${own:,}", 100 * own))
    caps_cents = {name: cents for name, _label, cents in listed}
    found, costs = truncated(panel, cells, caps_cents, ("allowed",), spec)
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
    return CapGrid(caps=caps, cells=found, pairs=_pairs(panel, costs, variables))


def truncated(
    panel: Panel, cells: Cells, caps_cents: Mapping[str, int], amounts: Sequence[str], spec: StudySpec
) -> tuple[Cells, Table]:
    """Practice-months with each amount under each cap, and not cut off: ``<amount>_<cap>``, with its product
    with ``expected``. And the member-months behind them, with ``<amount>_<cap>_cents``.

    Arguments
        panel: scored. cells: its cells (`collapse.cells`). caps_cents: name to cents in the program's first
            year. amounts: of "allowed" and "paid".

    Cells of a cap are those of uncapped cost less what the cap takes from the few members above it, exact.
    """
    frame = cells.frame[
        [*KEYS, "rows", "w", moment_name("expected"), moment_name("expected", "expected")]
    ].copy()
    for amount in amounts:
        for covariate in ((), ("expected",)):
            frame[moment_name(f"{amount}_none", *covariate)] = cells.frame[moment_name(amount, *covariate)]
    own = [f"{amount}_cents" for amount in amounts]
    costs = panel.months.select(
        "person_key", "month", "w", *own, **{f"{a}_none_cents": panel.months[f"{a}_cents"] for a in amounts}
    )
    index = pd.MultiIndex.from_frame(frame[list(KEYS)])
    for name, cents in caps_cents.items():
        caps_of_name = {k: indexed(cents, k, panel.cap_trend) for k in windows(spec)}
        # Few rows, kept: every later sum would otherwise work them out again.
        cut = panel.con.create_table(
            f"medhome_cut_{name}", cut_at(panel.months, caps_of_name, amounts, spec), overwrite=True
        )
        joined = costs.left_join(cut, ["person_key", "month"])
        kept = {a: ibis.coalesce(joined[f"{a}_cut"], joined[f"{a}_cents"]) for a in amounts}
        costs = joined.select(*costs.columns, **{f"{a}_{name}_cents": kept[a] for a in amounts})
        over = {f"{a}_over": costs[f"{a}_cents"] - costs[f"{a}_{name}_cents"] for a in amounts}
        lost = costs.mutate(**over)
        lost = lost.filter(ibis.or_(*(lost[o] != 0 for o in over)))
        scored = panel.with_expected(lost, KEYS[:-1])
        sums = {}
        for amount in amounts:
            taken_cents = scored[f"{amount}_over"]
            sums[f"{amount}:plain"] = taken_cents.cast(_WIDE).sum().cast(_WIDE)
            sums[f"{amount}:expected"] = (
                (taken_cents * scored.expected_cents).cast(_WIDE).sum().cast(_WIDE)
            )
        taken = fetch(scored.group_by(*KEYS).aggregate(**sums).order_by(*KEYS)).set_index(list(KEYS))
        for amount in amounts:
            for covariate in ((), ("expected",)):
                above = taken[f"{amount}:{'expected' if covariate else 'plain'}"].reindex(index)
                whole = [0 if v is None or v != v else WEIGHT_SCALE * int(v) for v in above]
                moment = frame[moment_name(f"{amount}_none", *covariate)]
                values = [int(m) - v for m, v in zip(moment, whole, strict=True)]
                column = moment_name(f"{amount}_{name}", *covariate)
                frame[column] = pd.Series(values, dtype=object, index=frame.index)
    variables = [f"{amount}_{name}" for name in ("none", *caps_cents) for amount in amounts]
    scales = {"expected": cells.scales["expected"], **dict.fromkeys(variables, 100)}
    return Cells(scales=scales, frame=frame, weight_scale=cells.weight_scale), costs


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
