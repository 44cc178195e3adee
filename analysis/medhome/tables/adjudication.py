"""Which booking of a claim stands: voids, replacements, lines taken in twice, totals repeated, stays split.

Each function works on one kind of claim (medical or pharmacy) or its lines, shaped by `claims.lines`, and
adds a column or rows, so that dollars can be followed (`docs/methods.md`, adjudication).
"""

from __future__ import annotations

from collections.abc import Callable

import ibis
from ibis import _
from ibis.expr.types import BooleanValue, IntegerValue, Table

from medhome.study.spec import StudySpec
from medhome.tables.bookings import (
    civil_day,
    day_number,
    is_denied,
    is_late,
    is_replacement,
    is_void,
    month_of,
)

KEPT, NOT_COUNTED, DENIED, LATE = "kept", "not_counted", "denied", "late"
DUPLICATE, REPLACED, HEADER, CAPITATED = "duplicate", "replaced", "header", "capitated"

KEY = ("claim_id", "claim_line_number", "data_source")
ALIKE = ("person_id", "day", "claim_line_number", "allowed_cents", "paid_cents")
"""Columns in which a copy equals the line that it repeats, besides those of its kind of claim."""


def adjudicate(
    claims: Table, shaped: Callable[[Table], Table], same_day: str, identity: tuple[str, ...], spec: StudySpec
) -> Table:
    """Which lines count as cost, in which month, and why do the others not?

    Arguments
        claims: ``medical_claim`` or ``pharmacy_claim``, contract-shaped.
        shaped: gives the line of each of these rows: the key, ``person_id``, ``category``, ``day`` (of
            service), ``until`` (last day of a stay, else null), ``month_day`` (that puts it into a month),
            ``paid_date``, ``denied``, ``void``, ``replacement``, ``adjusts`` (claim acted on), ``capitated``,
            ``allowed_cents``, ``paid_cents``, and the columns of ``identity``.
        same_day: a date of ``claims`` that is the same wherever all of ``identity`` and ``day`` are.
        identity: columns in which a line taken in twice equals its first copy.

    Adds ``month``, ``disposition`` (the first that applies of not_counted, denied, late, duplicate, replaced,
    header, capitated; else kept) and ``lines`` (1; 0 in the later months of a stay split by day).

    The few claims that a search is about are picked from narrow columns first and shaped then: a wide table
    of all lines that several searches share would have to be written out and read back.
    """
    choices = spec.claims
    originals = taken_back(claims, shaped)

    def dated(rows: Table) -> Table:
        found = redated(shaped(rows), originals, spec)
        return found.mutate(late=is_late(found, found.month, spec))

    acts = dated(adjustments(claims)).filter(~_.denied, ~_.late)
    undone = acts.filter(_.void).select(undone_claim_id=_.adjusts).distinct()
    found = dated(claims)
    columns = [c for c in found.columns if c != "late"]
    flags: dict[str, Table] = {}
    if choices.duplicates == "drop":
        near = shaped(near_copies(claims, same_day))
        near = near.filter(~is_late(near, month_of(near.month_day), spec))
        flags[DUPLICATE] = taken_in_twice(near, undone, identity)
    if choices.header_amounts == "header":
        flags[HEADER] = repeated_totals(dated(claims).filter(~_.denied, ~_.late))
    tests: list[tuple[BooleanValue, str]] = []
    if spec.outcomes.services == "medical":
        tests.append((ibis._.category == "pharmacy", NOT_COUNTED))
    tests += [(ibis._.denied, DENIED), (ibis._.late, LATE)]
    for name, keys in flags.items():
        right = keys.select(**{f"{name}_{k}": keys[k] for k in KEY})
        found = found.left_join(right, [found[k] == right[f"{name}_{k}"] for k in KEY])
    superseded = replaced(acts, undone)
    found = found.left_join(superseded, found.claim_id == superseded.replaced_claim_id)
    by = {
        DUPLICATE: "duplicate_claim_id",
        REPLACED: "replaced_claim_id",
        HEADER: "header_claim_id",
    }
    tests += [
        (found[column].notnull() & ~found.void, name)
        for name, column in by.items()
        if column in found.columns
    ]
    if choices.capitation in ("exclude", "add_payment"):
        tests.append((found.capitated, CAPITATED))
    found = found.mutate(disposition=ibis.cases(*tests, else_=KEPT)).select(*columns, "disposition")
    found = found.mutate(lines=ibis.literal(1, "int64"))
    return split_by_day(found) if choices.stays == "split_by_day" else found


def adjustments(claims: Table) -> Table:
    """Voids and replacements that name a claim."""
    return claims.filter(claims.x_adjusts_claim_id.notnull(), is_void(claims) | is_replacement(claims))


def taken_back(claims: Table, shaped: Callable[[Table], Table]) -> Table:
    """The claims that voids name: ``original_claim_id``, and ``original_month``, the first of its lines."""
    voids = claims.filter(is_void(claims), claims.x_adjusts_claim_id.notnull())
    targets = voids.select(target=_.x_adjusts_claim_id).distinct()
    others = claims.filter(~is_void(claims))
    named = shaped(others.semi_join(targets, others.claim_id == targets.target))
    return named.group_by(original_claim_id=_.claim_id).aggregate(original_month=month_of(_.month_day).min())


def redated(lines: Table, originals: Table, spec: StudySpec) -> Table:
    """Adds ``month``: the incurred month; of a void, that of the claim that it takes back.

    Arguments
        originals: `taken_back`.

    A void that carries its own date (of the reversal, say) would otherwise leave the cost in one month and
    put a negative one into another. One that names no claim of the files keeps its own month; so does each
    where claims count in the month in which they were paid.
    """
    own = lines.mutate(month=month_of(lines.month_day))
    if spec.claims.claims_month == "paid":
        return own
    own = own.mutate(takes_back=ibis.ifelse(own.void, own.adjusts, None))
    joined = own.left_join(originals, own.takes_back == originals.original_claim_id)
    return joined.select(*lines.columns, month=ibis.coalesce(joined.original_month, joined.month))


def near_copies(claims: Table, same_day: str) -> Table:
    """Rows among which lines taken in twice are: of one person, day and amounts, paid on several dates.

    Few people have two lines of one amount on one day: a cheap pass before the exact one.
    """
    keys = {
        "person_id": claims.person_id,
        "near_day": claims[same_day].fill_null(ibis.date("0001-01-01")),
        "near_allowed": claims.allowed_cents.fill_null(0),
        "near_paid": claims.paid_cents.fill_null(0),
    }
    may_repeat = claims.filter(
        claims.paid_date.notnull(), ~is_void(claims), ~is_denied(claims), ~is_replacement(claims)
    )
    several = (
        may_repeat.group_by(**keys)
        .aggregate(first=_.paid_date.min(), last=_.paid_date.max())
        .filter(_["first"] < _["last"])
    )
    return claims.semi_join(several, [value == several[name] for name, value in keys.items()])


def taken_in_twice(near: Table, undone: Table, identity: tuple[str, ...]) -> Table:
    """Lines that equal an earlier one but for claim number and paid date: the key of each copy.

    Arguments
        near: `near_copies` as lines, without those paid late.
        undone: claims that a void takes back: ``undone_claim_id``.

    Of lines of one person, line number and day that agree in every column of ``identity`` and in both
    amounts, those of the first paid date stay. A claim that a void takes back is no copy and has none: to
    bill, take back and bill again is no repetition. Lines without a date of payment or without dollars, voids
    and replacements are left alone.
    """
    may_repeat = that_may_repeat(near)
    standing = may_repeat.anti_join(undone, may_repeat.claim_id == undone.undone_claim_id)
    same = ibis.window(group_by=[standing[c] for c in (*ALIKE, *identity)])
    first_paid = standing.mutate(first_paid=standing.paid_date.min().over(same))
    return first_paid.filter(_.paid_date > _.first_paid).select(*KEY)


def that_may_repeat(near: Table) -> Table:
    """Of these lines, those that can be copies or have some."""
    return near.filter(
        *(~_.denied, ~_.void, ~_.replacement, _.day.notnull(), _.paid_date.notnull()),
        (_.allowed_cents != 0) | (_.paid_cents != 0),
    )


def replaced(acting: Table, undone: Table) -> Table:
    """Claims that a later adjustment replaces without a void of their own: ``replaced_claim_id``.

    Arguments
        acting: voids and replacements that name a claim, paid in time.
        undone: claims that a void takes back: ``undone_claim_id``.

    Where files book a replacement alone, the claim that it names would count beside it. Of several
    replacements of one claim the one paid last stands, at equal dates the one with the highest claim number.
    A claim that a void takes back is not listed: the void has done it.
    """
    corrected = (
        acting.filter(~_.void)
        .group_by("adjusts", "claim_id")
        .aggregate(paid_date=_.paid_date.max())
        .mutate(
            nth=ibis.row_number().over(
                group_by=_.adjusts,
                order_by=[
                    _.paid_date.fill_null(ibis.date("0001-01-01")).desc(),
                    _.claim_id.desc(),
                ],
            )
        )
    )
    listed = ibis.union(
        corrected.select(replaced_claim_id=_.adjusts),
        corrected.filter(_.nth > 0).select(replaced_claim_id=_.claim_id),
        distinct=True,
    )
    return listed.anti_join(undone, listed.replaced_claim_id == undone.undone_claim_id)


def repeated_totals(timely: Table) -> Table:
    """Lines that repeat their claim's total: the key of every line but the first of such claims.

    A claim of two lines or more whose lines all carry one and the same allowed and paid amount, not zero,
    which is not above the claim's total cost or charge where the file has them.
    """
    positive = timely.filter(~_.void)
    held = ibis.coalesce(positive.total_cents, positive.charge_cents)
    whole = (
        positive.mutate(held=held)
        .group_by("claim_id", "data_source")
        .aggregate(
            n=_.count(),
            least=_.allowed_cents.min(),
            most=_.allowed_cents.max(),
            least_paid=_.paid_cents.min(),
            most_paid=_.paid_cents.max(),
            least_held=_.held.min(),
            most_held=_.held.max(),
            line=_.claim_line_number.min(),
        )
    )
    alike = whole.filter(
        _.n > 1,
        _.least == _.most,
        _.least != 0,
        _.least_paid == _.most_paid,
        (_.least_held == _.most_held).fill_null(True),
        (_.most <= _.most_held).fill_null(True),
    ).select(total_claim_id=_.claim_id, total_source=_.data_source, first_line=_.line)
    joined = positive.join(
        alike,
        [positive.claim_id == alike.total_claim_id, positive.data_source == alike.total_source],
    )
    return joined.filter(_.claim_line_number > _.first_line).select(*KEY)


def split_by_day(lines: Table) -> Table:
    """Stays that reach into another month, one row per month: cents by nights, the line in the first month.

    The first d of n nights cost ``cents * d // n``; what rounding leaves falls into later months, so that
    parts add up to the cent. A void that was moved to another month than its own day's is not split, nor is a
    stay of more than ten years, whose dates are in error.
    """
    further = month_of(lines.until) - month_of(lines.day)
    spans = further.between(1, _LONGEST_STAY_MONTHS) & (lines.month == month_of(lines.day))
    spans = spans.fill_null(False)
    marked = lines.mutate(spans=spans)
    whole = marked.filter(~_.spans).drop("spans")
    long = marked.filter(_.spans).mutate(first_day=day_number(_.day))
    long = long.mutate(nights=day_number(_.until) - _.first_day)
    later = ibis.memtable([(n,) for n in range(_LONGEST_STAY_MONTHS + 1)], schema={"months_later": "int32"})
    parts = long.join(later, later.months_later <= month_of(long.until) - long.month)
    parts = parts.mutate(part=(parts.month + parts.months_later).cast("int32"))
    before = ibis.ifelse(parts.part == parts.month, 0, _days_to(parts, parts.part))
    after = ibis.least(_days_to(parts, parts.part + 1), parts.nights)
    parts = parts.mutate(before=before, after=after)
    cut = parts.mutate(
        **{c: _share(parts, c, parts.after) - _share(parts, c, parts.before) for c in _CENTS},
        lines=ibis.ifelse(parts.part == parts.month, 1, 0).cast("int64"),
        month=parts.part,
    ).select(*lines.columns)
    return ibis.union(whole, cut)


_CENTS = ("allowed_cents", "paid_cents")
_LONGEST_STAY_MONTHS = 120


def _days_to(parts: Table, month: IntegerValue) -> IntegerValue:
    """Days from a stay's first to the first of a month."""
    return civil_day((month // 12).cast("int64"), (month % 12 + 1).cast("int64"), 1) - parts.first_day


def _share(parts: Table, column: str, nights: IntegerValue) -> IntegerValue:
    """Cents of the first nights of a stay; of a void the same with the sign turned."""
    cents = parts[column]
    return (cents.sign().cast("int64") * (cents.abs() * nights // parts.nights).cast("int64")).cast("int64")
