"""Claim lines → every booking of cost, in the month of its own payment, by the rules that say what counts.

What counts changes as payments come in: a replacement takes the place of a claim that counted until then, a
copy counts nothing, until its first is taken back. Each such change is a booking of its own, so that what was
booked up to a lag is what `medhome.tables.adjudication` keeps with that run-out (`docs/methods.md`,
completion).
"""

from __future__ import annotations

from collections.abc import Callable

import ibis
from ibis import _
from ibis.expr.types import IntegerValue, Table

from medhome.study.periods import month_end, month_index
from medhome.study.spec import StudySpec
from medhome.tables.adjudication import (
    ALIKE,
    KEY,
    adjustments,
    near_copies,
    redated,
    split_by_day,
    taken_back,
    that_may_repeat,
)
from medhome.tables.bookings import month_of
from medhome.tables.repeated_over_time import NEVER, without_repeats


def transactions(
    claims: Table, shaped: Callable[[Table], Table], same_day: str, identity: tuple[str, ...], spec: StudySpec
) -> Table:
    """The bookings of one kind of claim.

    Arguments as in `adjudication.adjudicate`.

    One row per booking: ``person_id``, ``month``, ``category``, ``void``, ``capitated``, ``code``, ``units``,
    ``allowed_cents``, ``paid_cents``, and ``lag``: months from ``month`` to the payment (0 where it came
    before; null without a date). A stay split by day has one lag, that of its admission. Nothing paid after
    the study's ``paid_through`` is there.
    """
    choices = spec.claims
    last_month = month_index(spec.paid_through)
    originals = taken_back(claims, shaped)

    def seen(rows: Table) -> Table:
        found = redated(shaped(rows), originals, spec)
        found = found.filter(
            ~_.denied, (_.paid_date <= ibis.date(month_end(last_month))) | _.paid_date.isnull()
        )
        return found.mutate(
            undated=_.paid_date.isnull(),
            lag=ibis.greatest(month_of(_.paid_date) - _.month, 0).fill_null(0).cast("int32"),
        )

    every, acting = seen(claims), seen(adjustments(claims))
    undone = acting.filter(_.void).group_by(undone_claim_id=_.adjusts).aggregate(undone_lag=_.lag.min())
    if spec.outcomes.services == "medical":
        every = every.filter(_.category != "pharmacy")
    booked = every.mutate(starts=every.lag)
    if choices.duplicates == "drop":
        booked = _without_copies(
            every, that_may_repeat(seen(near_copies(claims, same_day))), undone, identity
        )
    if choices.header_amounts == "header":
        booked = without_repeats(booked, every)
    if choices.capitation in ("exclude", "add_payment"):
        booked = booked.filter(~_.capitated)
    booked = _with_replacements(booked, _replaced(acting), undone)
    if choices.stays == "split_by_day":
        split = split_by_day(booked.mutate(lines=ibis.literal(1, "int64")))
        booked = split.filter(_.month + _.lag.fill_null(0) <= last_month)
    return booked.select(
        *("person_id", "month", "category", "void", "capitated", "code", "units"),
        *("allowed_cents", "paid_cents", "lag"),
    )


def _without_copies(every: Table, near: Table, undone: Table, identity: tuple[str, ...]) -> Table:
    """Lines with ``starts``, the lag from which they count: a copy, when all before it were taken back."""
    near = near.left_join(undone, near.claim_id == undone.undone_claim_id)
    near = near.mutate(gone=near.undone_lag.fill_null(NEVER))
    group = [_[c] for c in (*ALIKE, *identity)]
    order = [_.paid_date, _.gone, _.claim_id, _.data_source]
    so_far = ibis.cumulative_window(group_by=group, order_by=order)
    near = near.mutate(longest=_.gone.max().over(so_far))
    # The longest that any line paid earlier counted: of lines paid on one date, that before the first.
    near = near.mutate(before=_.longest.lag().over(ibis.window(group_by=group, order_by=order)))
    near = near.mutate(before=_.before.fill_null(-1))
    near = near.mutate(before=_.before.min().over(ibis.window(group_by=[*group, _.paid_date])))
    counts = ibis.greatest(near.lag, ibis.least(near.gone, near.before))
    moved = near.mutate(counts=counts).filter(_.counts > _.lag)
    moved = moved.select(counts=_.counts, **{f"copy_{k}": moved[k] for k in KEY})
    joined = every.left_join(moved, [every[k] == moved[f"copy_{k}"] for k in KEY])
    found = joined.select(*every.columns, starts=joined.counts.fill_null(joined.lag).cast("int32"))
    return found.filter(_.starts < NEVER)


def _with_replacements(booked: Table, replaced: Table, undone: Table) -> Table:
    """Lines with ``lag``; those of a replaced claim once more with the sign turned, when it was replaced.

    A void after the replacement takes the claim back once more, so the claim comes in again with it.
    """
    joined = booked.left_join(replaced, booked.claim_id == replaced.replaced_claim_id)
    joined = joined.left_join(undone, joined.claim_id == undone.undone_claim_id)
    ends = ibis.ifelse(joined.void, NEVER, joined.ends.fill_null(NEVER))
    again = ibis.ifelse(joined.void, NEVER, joined.undone_lag.fill_null(NEVER))
    events = joined.select(*booked.columns, ends=ends, again=again)
    events = events.mutate(ends=ibis.ifelse(_.again <= _.ends, NEVER, _.ends))
    first = _booked(events.filter(_.starts < _.ends), _.starts, 1, dated=False)
    out = _booked(events.filter(_.ends < NEVER, _.starts < _.ends), _.ends, -1)
    back = _booked(events.filter(_.ends < NEVER, _.again < NEVER), ibis.greatest(_.starts, _.again), 1)
    return ibis.union(first, out, back)


def _booked(events: Table, lag: IntegerValue, sign: int, dated: bool = True) -> Table:
    """These lines at a lag; what has no date of payment keeps none, what an adjustment did has its own."""
    found = events.mutate(lag=lag, **{c: events[c] * sign for c in ("units", "allowed_cents", "paid_cents")})
    if not dated:
        found = found.mutate(lag=ibis.ifelse(found.undated, ibis.null("int32"), found.lag))
    return found.mutate(lag=found.lag.cast("int32")).drop("starts", "ends", "again")


def _replaced(acting: Table) -> Table:
    """``replaced_claim_id`` and ``ends``, the lag from which it is replaced (`adjudication.replaced`)."""
    corrected = (
        acting.filter(~_.void)
        .group_by("adjusts", "claim_id")
        .aggregate(paid_date=_.paid_date.max().fill_null(ibis.date("0001-01-01")), ends=_.lag.min())
    )
    order = [_.paid_date.desc(), _.claim_id.desc()]
    so_far = ibis.cumulative_window(group_by=_.adjusts, order_by=order)
    corrected = corrected.mutate(earliest=_.ends.min().over(so_far))
    # Of several that replace one claim, an earlier one gives way to the next.
    later = corrected.mutate(later=_.earliest.lag().over(ibis.window(group_by=_.adjusts, order_by=order)))
    listed = ibis.union(
        later.select(replaced_claim_id=_.adjusts, ends=_.ends),
        later.filter(_.later.notnull()).select(replaced_claim_id=_.claim_id, ends=_.later),
    )
    return listed.group_by("replaced_claim_id").aggregate(ends=_.ends.min())
