"""From which month on does each line of a claim count, where a total may be repeated on all of them?

`adjudication.repeated_totals` judges a claim by the lines that were paid by the cut. Lines of one claim can
be paid in different months: while those paid so far all carry one amount, only the first of them counts; from
the month in which one differs, all do. What was booked by a lag is then what a cut at that lag keeps.
"""

from __future__ import annotations

import ibis
from ibis import _
from ibis.expr.types import Table

from medhome.tables.adjudication import KEY

NEVER = 1_000_000
"""A lag beyond all: what never happens."""

_CLAIM = ("claim_id", "data_source")


def without_repeats(booked: Table, every: Table) -> Table:
    """Lines with ``starts`` as repeated totals leave them.

    Arguments
        booked: lines with ``starts``, the lag from which each counts, and ``undated``.
        every: the lines by which claims are judged, with ``lag``.

    A line that never counts is dropped. One that counts until a line with a lower number is paid comes twice:
    the second time with the sign turned, from then on; and once more from the month in which the claim turns
    out to have several amounts.
    """
    judged = _judged(every)
    keyed = judged.select(
        **{f"judged_{k}": judged[k] for k in KEY}, own="own", gives_way="gives_way", differs="differs"
    )
    joined = booked.left_join(keyed, [booked[k] == keyed[f"judged_{k}"] for k in KEY])
    alone = joined.filter(_.own.isnull() | (_.own >= _.differs) | (_.gives_way >= _.differs))
    second = joined.filter(_.own.notnull(), _.own < _.differs, _.gives_way < _.differs)
    until = second.filter(_.own < _.gives_way)

    def counting(rows: Table, since: ibis.Value, sign: int) -> Table:
        amounts = {c: rows[c] * sign for c in ("units", "allowed_cents", "paid_cents")}
        moved = rows.mutate(starts=ibis.greatest(rows.starts, since).cast("int32"), **amounts)
        return moved.mutate(undated=ibis.literal(False)).select(*booked.columns)

    later = second.filter(_.differs < NEVER)
    return ibis.union(
        alone.select(*booked.columns),
        until.select(*booked.columns),
        counting(until, until.gives_way, -1),
        counting(later, later.differs, 1),
    )


def _judged(every: Table) -> Table:
    """Lines of claims with several: `KEY`, ``own`` lag, ``gives_way`` (to a lower line number), ``differs``.

    ``differs``: the lag at which the claim's lines turn out not to be one total; `NEVER` where they do not.
    """
    lines = every.filter(~_.void)
    held = ibis.coalesce(lines.total_cents, lines.charge_cents)
    lines = lines.select(*KEY, "allowed_cents", "paid_cents", own="lag", held=held)
    claims = lines.group_by(_CLAIM).aggregate(
        n=_.count(), first=_.own.min(), first_held=_.own.min(where=_.held.notnull())
    )
    several = lines.inner_join(claims.filter(_.n > 1), _CLAIM)
    at_first = several.group_by(_CLAIM).aggregate(
        allowed=_.allowed_cents.min(where=_.own == _["first"]),
        paid=_.paid_cents.min(where=_.own == _["first"]),
        total=_.held.min(where=_.own == _.first_held),
    )
    several = several.inner_join(at_first, _CLAIM)
    other = (several.allowed_cents != several.allowed) | (several.paid_cents != several.paid)
    other = other | (several.held != several.total).fill_null(False)
    differs = several.mutate(
        at=ibis.cases(
            (several.allowed == 0, -1),
            (other, several.own),
            ((several.allowed > several.total).fill_null(False) & several.held.notnull(), several.own),
            else_=NEVER,
        )
    )
    since = differs.group_by(_CLAIM).aggregate(differs=_["at"].min())
    order = [several.claim_line_number]
    group = [several[c] for c in _CLAIM]
    so_far = several.own.min().over(ibis.cumulative_window(group_by=group, order_by=order))
    placed = several.mutate(so_far=so_far)
    before = placed.so_far.lag().over(
        ibis.window(group_by=[placed[c] for c in _CLAIM], order_by=[placed.claim_line_number])
    )
    placed = placed.mutate(gives_way=before.fill_null(NEVER))
    return placed.inner_join(since, _CLAIM).select(*KEY, "own", "gives_way", "differs")
