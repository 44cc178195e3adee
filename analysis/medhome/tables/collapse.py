"""Panel → what the models read: `Cells`, `Rows` and `MonthPairs`, summed in the engine as whole numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import IntegerColumn, IntegerScalar, IntegerValue, Table

from medhome.study.cells import KEYS, WEIGHT_SCALE, Cells, MonthPairs, Rows, moment_name
from medhome.study.spec import StudySpec
from medhome.tables.engine import fetch
from medhome.tables.member_months import EXPOSURE
from medhome.tables.panel import OUTCOMES, Panel

INTERCEPT = "intercept"
_PRODUCTS = (
    *combinations_with_replacement(("expected",), 2),
    *((outcome, "expected") for outcome in OUTCOMES),
    ("allowed_capped", "allowed_capped"),
)
_WIDE = "decimal(38, 0)"
_COEFFICIENT_SCALE = (
    10_000  # coefficients are rounded to this part of a cent, so that scores are whole-number sums
)


def member_rows(panel: Panel, spec: StudySpec) -> Rows:
    """What did each member cost in the baseline and in the performance period?

    `Rows`: one row per member and period with exposure, cost and the terms of the risk model, which are known
    at the start of the baseline and the same in both periods. Rows have no identifier; their order is that of
    ``person_id``, so the same people give the same rows however the files are cut.
    """
    period = ibis.ifelse(panel.months.month < spec.periods.baseline.end, "baseline", "performance")
    sums = (
        panel.months.mutate(period=period)
        .group_by("person_key", "period")
        .aggregate(w=_.w.sum(), **{name: panel_sum(_, name) for name in OUTCOMES})
    )
    members = panel.members.select(
        "person_key",
        "organization_id",
        "practice_id",
        "arm",
        "stratum",
        "age",
        **{term: indicator(panel.members, term) for term in panel.terms},
    )
    joined = sums.join(members, "person_key").order_by("person_key", "period")
    keys = ["organization_id", "practice_id", "arm", "stratum", "period"]
    frame = fetch(joined.select(*keys, "w", *OUTCOMES, "age", *panel.terms))
    return Rows(frame=frame, terms=dict(panel.terms), weight_scale=WEIGHT_SCALE)


def panel_sum(table: Table, outcome: str) -> IntegerScalar:
    """Sum of an outcome of a member-month, in cents."""
    return table[f"{outcome}_cents"].sum()


def indicator(members: Table, term: str) -> IntegerColumn:
    """Whether each member has a term of the risk model: 0 or 1."""
    kind, _colon, name = term.partition(":")
    if kind == "special":
        return (members.special.fill_null("") == name).cast("int8")
    if kind == "score":
        return (members.score_band == name).cast("int8")
    return members[term] if kind == "condition" else (members.band == name).cast("int8")


def score(panel: Panel, coefficients: Mapping[str, float]) -> Panel:
    """The panel with each member's expected cost: ``expected_cents`` PMPM, whole cents, frozen at baseline.

    Arguments
        coefficients: term → cents PMPM, with "intercept"; a term left out costs nothing extra. Coefficients
            are rounded to a ten-thousandth of a cent, the score to a cent (halves up), in whole numbers, so
            that every engine gives the same.

    Raises `ValueError` for a term that the panel does not have.
    """
    unknown = sorted(set(coefficients) - set(panel.terms) - {INTERCEPT})
    if unknown:
        raise ValueError(f"these terms are not in the panel: {', '.join(unknown)}")
    cents = expected_cents(panel.members, coefficients)
    table = panel.con.create_table(
        "medhome_members_scored",
        panel.members.mutate(expected_cents=cents).order_by("person_key"),
        overwrite=True,
    )
    return dataclasses.replace(panel, members=table)


def expected_cents(members: Table, coefficients: Mapping[str, float]) -> IntegerColumn:
    """Expected cost of each row that holds the model's terms, in whole cents PMPM, halves up."""
    parts = {t: round(c * _COEFFICIENT_SCALE) for t, c in coefficients.items()}
    # Doubled here: an intercept alone, times two in the engine, is a product of two 32-bit literals.
    total = ibis.literal(2 * parts.pop(INTERCEPT, 0) + _COEFFICIENT_SCALE, "int64")
    for term in sorted(parts):
        total = total + indicator(members, term).cast("int64") * ibis.literal(2 * parts[term], "int64")
    return (total / (2 * _COEFFICIENT_SCALE)).floor().cast("int64")


def cells(
    scored: Panel,
    spec: StudySpec,
    further: Sequence[str] = (),
    outcomes: Sequence[str] = OUTCOMES,
    only: str | None = None,
) -> Cells:
    """Sums by organisation, practice, arm, stratum and month: all that the linear models need.

    Variables: the ``outcomes`` and ``expected``, in cents; moments: each of them, and the products that the
    difference in differences reads; of these those with the variable ``only``, where it is given. One row
    per cell with at least one member-month. Where members have a ``wave`` (when their
    practice joined), it is a key too, and so is each column of months in ``further``.
    """
    if not scored.scored:
        raise ValueError("cells need a scored panel: call score() first")
    keys = KEYS if "wave" not in scored.members.columns else (*KEYS[:-1], "wave", KEYS[-1])
    joined = scored.with_expected(scored.months, keys[:-1])
    keys = (*keys[:-1], *further, keys[-1])
    variables = (*outcomes, "expected")
    wanted = [(v,) for v in variables] + [p for p in _PRODUCTS if set(p) <= set(variables)]
    wanted = [names for names in wanted if only is None or only in names]
    # Whole months have one weight, which is taken out of the sums: half the time of wide sums.
    whole = spec.population.exposure != "day_fraction"
    moments = {moment_name(*names): _moment(joined, names, whole) for names in wanted}
    sums = {
        f"{name}:{i}": part.sum().cast(_WIDE)
        for name, parts in moments.items()
        for i, (part, _factor) in enumerate(parts)
    }
    found = fetch(
        joined.group_by(*keys).aggregate(rows=_.count(), exposure=_.w.sum(), **sums).order_by(*keys)
    )
    frame = found[[*keys, "rows"]].copy()
    frame["w"] = [int(w) for w in found["exposure"]]
    for name, parts in moments.items():
        frame[name] = pd.Series([0] * len(frame), dtype=object)
        for i, (_part, factor) in enumerate(parts):
            frame[name] += pd.Series([int(v) * factor for v in found[f"{name}:{i}"]], dtype=object)
    return Cells(keys=keys, scales={v: 100 for v in variables}, frame=frame)


def _moment(rows: Table, names: tuple[str, ...], whole: bool) -> list[tuple[IntegerColumn, int]]:
    """A moment as wide columns to be summed, each with the factor of its sum.

    Costs are sums of a month, so that the cost per unit of exposure is cost over w / `EXPOSURE`: w times it
    is `EXPOSURE` times the cost. "expected" is per member-month already.
    """
    columns = [rows[f"{name}_cents"] for name in names]
    product = columns[0] if len(columns) == 1 else columns[0] * columns[1]
    costs = sum(name != "expected" for name in names)
    if whole or costs == 1:
        return [(product.cast(_WIDE), EXPOSURE)]
    if costs == 0:
        return [((product.cast(_WIDE) * rows.w).cast(_WIDE), 1)]
    # EXPOSURE^2 c^2 / w in whole numbers of 64 bits: the quotient first, then what is left over.
    quotient, over = _divided(product, rows.w)
    left = _quotient(over.abs() * EXPOSURE**2, rows.w) * _sign(over)
    return [(quotient.cast(_WIDE), EXPOSURE**2), (left.cast(_WIDE), 1)]


_HALF = 31
"""Bits of the lower half of a product that is divided in two steps."""


def _divided(product: IntegerColumn, w: IntegerColumn) -> tuple[IntegerValue, IntegerValue]:
    """Quotient towards zero of a 64-bit product and an exposure, and what is left over with its sign; exact.

    Engines divide whole numbers as doubles, which hold 53 bits: so halves are divided one after the other,
    as by hand, and no step passes 53 bits.
    """
    size, sign = product.abs(), _sign(product)
    high = size >> _HALF
    first = _quotient(high, w)
    carried = ((high - first * w) << _HALF) + (size & (2**_HALF - 1))
    second = _quotient(carried, w)
    return ((first << _HALF) + second) * sign, (carried - second * w) * sign


def _sign(number: IntegerValue) -> IntegerValue:
    return ibis.ifelse(number < 0, ibis.literal(-1, "int64"), ibis.literal(1, "int64"))


def _quotient(size: IntegerValue, w: IntegerColumn) -> IntegerValue:
    """Whole quotient of a number from 0 to 2^53 and an exposure, which is at most 1,000."""
    return (size // w).cast("int64")


LARGEST_SAMPLE = 100_000
"""With more members than this, the months of a fixed sample of about as many are paired."""


def month_pairs(panel: Panel, outcome: str) -> MonthPairs:
    """How do one member's months go together? Cross-products by organisation and pair of months.

    Arguments
        outcome: one of `OUTCOMES`.

    `MonthPairs`: for each organisation and pair of months s <= t, over the members present in both: their
    number, the sums of the outcome in s and in t, and the sum of its products, exact. With more than
    `LARGEST_SAMPLE` members it rests on those whose md5 of ``person_id`` is lowest by threshold: the same
    people in every run, and a share of each organisation in proportion.
    """
    return month_pairs_of(panel, (outcome,))[outcome]


def month_pairs_of(panel: Panel, outcomes: Sequence[str]) -> dict[str, MonthPairs]:
    """`month_pairs` of several outcomes from one pass: a member's months are paired once."""
    for outcome in outcomes:
        if outcome not in OUTCOMES:
            raise ValueError(f"{outcome!r} is not an outcome; outcomes are {', '.join(OUTCOMES)}")
    members = sampled(panel.members, LARGEST_SAMPLE)
    left = panel.months.join(members, "person_key").select(
        "person_key", "organization_id", month_s="month", **{f"s:{y}": f"{y}_cents" for y in outcomes}
    )
    right = panel.months.select(
        right_key="person_key", month_t="month", **{f"t:{y}": f"{y}_cents" for y in outcomes}
    )
    pairs = left.join(right, [left.person_key == right.right_key, left.month_s <= right.month_t])
    sums: dict[str, ibis.Value] = {"members": pairs.count()}
    for y in outcomes:
        s, t = pairs[f"s:{y}"], pairs[f"t:{y}"]
        sums |= {f"sum_s:{y}": s.sum(), f"sum_t:{y}": t.sum()}
        sums[f"sum_st:{y}"] = (s * t).cast(_WIDE).sum().cast(_WIDE)
    keys = ["organization_id", "month_s", "month_t"]
    found = fetch(pairs.group_by(keys).aggregate(**sums).order_by(keys))
    parts = ("sum_s", "sum_t", "sum_st")
    return {
        y: MonthPairs(
            frame=found[[*keys, "members", *(f"{p}:{y}" for p in parts)]].rename(
                columns={f"{p}:{y}": p for p in parts}
            )
        )
        for y in outcomes
    }


def sampled(members: Table, largest: int) -> Table:
    """``person_key`` and ``organization_id`` of all members, or of a fixed sample of about this many."""
    count = int(fetch(members.aggregate(n=_.count()))["n"].iloc[0])
    chosen = members
    if count > largest:
        bound = f"{2**32 * largest // count:08x}"
        chosen = members.filter(_.person_id.hexdigest("md5").substr(0, 8) < bound)
    return chosen.select("person_key", "organization_id")
