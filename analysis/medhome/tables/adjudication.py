"""Which booking of a claim stands: voids, replacements, lines taken in twice, totals repeated, stays split.

Each function works on the lines of one kind of claim (medical or pharmacy), shaped by `claims.lines`, and
adds a column or rows, so that dollars can be followed (`docs/methods.md`, adjudication).
"""

from __future__ import annotations

import ibis
from ibis import _
from ibis.expr.types import BooleanValue, Column, DateValue, IntegerValue, Table

from medhome.study.periods import month_end, month_index
from medhome.study.spec import StudySpec

KEPT, NOT_COUNTED, DENIED, LATE = "kept", "not_counted", "denied", "late"
DUPLICATE, REPLACED, HEADER, CAPITATED = "duplicate", "replaced", "header", "capitated"

_KEY = ("claim_id", "claim_line_number", "data_source")


def month_of(date: DateValue | Column) -> IntegerValue:
    """The integer of a date's month (`medhome.study.periods`)."""
    return (date.year().cast("int32") * 12 + date.month().cast("int32") - 1).cast("int32")


def is_void(claims: Table) -> BooleanValue:
    """Whether a claim row takes an earlier one back."""
    return (claims.x_adjustment_type.fill_null("") == "void") | (
        claims.x_claim_status.fill_null("") == "reversed"
    )


def is_denied(claims: Table) -> BooleanValue:
    """Whether the payer refused a line: never a cost, unlike a capitated encounter that was paid nothing."""
    return claims.x_claim_status.fill_null("") == "denied"


def is_late(claims: Table, month: IntegerValue, spec: StudySpec) -> BooleanValue:
    """Whether a line incurred in ``month`` was paid after the run-out cut.

    The run-out is the same for every incurred month: a month that had years to be paid in would otherwise be
    compared with one that had three months. A payment without a date counts as paid in time.
    """
    last_day = month_end(month_index(spec.paid_through))
    lag = month_of(claims.paid_date) - month
    late = (claims.paid_date > ibis.date(last_day)) | (lag > spec.periods.run_out_months)
    return late.fill_null(False)


def counted(claims: Table, month: IntegerValue, spec: StudySpec) -> BooleanValue:
    """Whether a claim row was neither denied nor paid after the run-out cut."""
    return (~is_denied(claims)) & (~is_late(claims, month, spec))


def adjudicate(lines: Table, identity: tuple[str, ...], spec: StudySpec) -> Table:
    """Which lines count as cost, in which month, and why do the others not?

    Arguments
        lines: one row per line of one kind of claim: the key, ``person_id``, ``category``, ``day`` (that puts
            it into a month), ``until`` (last day of a stay, else null), ``paid_date``, ``denied``, ``void``,
            ``replacement``, ``adjusts`` (claim acted on), ``capitated``, ``allowed_cents``, ``paid_cents``,
            and the columns of ``identity``.
        identity: columns in which a line taken in twice equals its first copy.

    Adds ``month``, ``disposition`` (the first that applies of not_counted, denied, late, duplicate, replaced,
    header, capitated; else kept) and ``lines`` (1; 0 in the later months of a stay split by day).
    """
    choices = spec.claims
    dated = redated(lines)
    dated = dated.mutate(late=is_late(dated, dated.month, spec))
    timely = dated.filter(~_.denied, ~_.late)
    columns = list(dated.columns)
    flags = {
        DUPLICATE: taken_in_twice(timely, identity) if choices.duplicates == "drop" else None,
        HEADER: repeated_totals(timely) if choices.header_amounts == "header" else None,
    }
    found = dated
    tests: list[tuple[BooleanValue, str]] = []
    if spec.outcomes.services == "medical":
        tests.append((ibis._.category == "pharmacy", NOT_COUNTED))
    tests += [(ibis._.denied, DENIED), (ibis._.late, LATE)]
    for name, keys in flags.items():
        if keys is None:
            continue
        right = keys.select(**{f"{name}_{k}": keys[k] for k in _KEY})
        found = found.left_join(right, [found[k] == right[f"{name}_{k}"] for k in _KEY])
    superseded = replaced(timely)
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


def redated(lines: Table) -> Table:
    """Adds ``month``: the incurred month; of a void, that of the claim that it takes back.

    A void that carries its own date (of the reversal, say) would otherwise leave the cost in one month and
    put a negative one into another. One that names no claim of the files keeps its own month.
    """
    own = lines.mutate(month=month_of(lines.day), takes_back=ibis.ifelse(lines.void, lines.adjusts, None))
    targets = own.filter(_.takes_back.notnull()).select(target=_.takes_back).distinct()
    originals = own.filter(~_.void)
    originals = originals.semi_join(targets, originals.claim_id == targets.target)
    first = originals.group_by(original_claim_id=originals.claim_id).aggregate(original_month=_.month.min())
    joined = own.left_join(first, own.takes_back == first.original_claim_id)
    return joined.select(*lines.columns, month=ibis.coalesce(joined.original_month, joined.month))


def taken_in_twice(timely: Table, identity: tuple[str, ...]) -> Table:
    """Lines that equal an earlier one but for claim number and paid date: the key of each copy.

    Of lines of one person, line number and day that agree in every column of ``identity`` and in both
    amounts, those of the first paid date stay. A claim that a void takes back is no copy and has none: to
    bill, take back and bill again is no repetition. Lines without a date of payment or without dollars, voids
    and replacements are left alone.
    """
    undone = timely.filter(_.void, _.adjusts.notnull()).select(undone_claim_id=_.adjusts).distinct()
    may_repeat = timely.filter(
        ~_.void, ~_.replacement, _.paid_date.notnull(), (_.allowed_cents != 0) | (_.paid_cents != 0)
    )
    # Two cheap passes before the exact one: few people have two lines of one amount on one day.
    quick = (
        may_repeat.group_by("person_id", "day", "allowed_cents", "paid_cents")
        .aggregate(first=_.paid_date.min(), last=_.paid_date.max())
        .filter(_["first"] < _["last"])
    )
    near = may_repeat.semi_join(quick, ["person_id", "day", "allowed_cents", "paid_cents"])
    near = near.anti_join(undone, near.claim_id == undone.undone_claim_id)
    same = ibis.window(
        group_by=[
            near[c]
            for c in ("person_id", "day", "claim_line_number", "allowed_cents", "paid_cents", *identity)
        ]
    )
    first_paid = near.mutate(first_paid=near.paid_date.min().over(same))
    return first_paid.filter(_.paid_date > _.first_paid).select(*_KEY)


def replaced(timely: Table) -> Table:
    """Claims that a later adjustment replaces without a void of their own: ``replaced_claim_id``.

    Where files book a replacement alone, the claim that it names would count beside it. Of several
    replacements of one claim the one paid last stands, at equal dates the one with the highest claim number.
    A claim that a void takes back is not listed: the void has done it.
    """
    acting = timely.filter(_.adjusts.notnull(), _.void | _.replacement)
    undone = acting.filter(_.void).select(undone_claim_id=_.adjusts).distinct()
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
    return joined.filter(_.claim_line_number > _.first_line).select(*_KEY)


def split_by_day(lines: Table) -> Table:
    """Stays that reach into another month, one row per month: cents by nights, the line in the first month.

    The first d of n nights cost ``cents * d // n``; what rounding leaves falls into later months, so that
    parts add up to the cent. A void that was moved to another month
    than its own day's is not split.
    """
    nights = lines.until.delta(lines.day, unit="day").cast("int64")
    spans = ((month_of(lines.until) > month_of(lines.day)) & (lines.month == month_of(lines.day))).fill_null(
        False
    )
    marked = lines.mutate(spans=spans, nights=nights)
    whole = marked.filter(~_.spans).drop("spans", "nights")
    long = marked.filter(_.spans)
    parts = long.mutate(part=ibis.range(long.month, month_of(long.until) + 1).unnest().cast("int32"))
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


def _days_to(parts: Table, month: IntegerValue) -> IntegerValue:
    """Days from a stay's first to the first of a month."""
    first = ibis.date((month // 12).cast("int32"), (month % 12 + 1).cast("int32"), 1)
    return first.delta(parts.day, unit="day").cast("int64")


def _share(parts: Table, column: str, nights: IntegerValue) -> IntegerValue:
    """Cents of the first nights of a stay; of a void the same with the sign turned."""
    cents = parts[column]
    return (cents.sign().cast("int64") * (cents.abs() * nights // parts.nights).cast("int64")).cast("int64")
