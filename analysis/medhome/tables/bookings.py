"""What a claim row is: an original, a void or a replacement; denied or not; paid in time or late."""

from __future__ import annotations

import ibis
from ibis.expr.types import BooleanValue, Column, DateValue, IntegerValue, Table

from medhome.study.periods import month_end, month_index
from medhome.study.spec import StudySpec


def month_of(date: DateValue | Column) -> IntegerValue:
    """The integer of a date's month (`medhome.study.periods`)."""
    return (date.year().cast("int32") * 12 + date.month().cast("int32") - 1).cast("int32")


def day_number(date: DateValue | Column) -> IntegerValue:
    """Days from a fixed day long ago: the difference of two is what lies between them, on every engine.

    Ibis has no rule for the difference of two dates on DataFusion.
    """
    return civil_day(date.year().cast("int64"), date.month().cast("int64"), date.day().cast("int64"))


def civil_day(year: IntegerValue, month: IntegerValue, day: IntegerValue | int) -> IntegerValue:
    """The number of a Gregorian day: years begin with March, so that the leap day is the last of its year.

    From March on, months have 153 days in each five: (153 m + 2) // 5 are the days before month m.
    """
    since_march = (month + 9) % 12
    of_year = year - ibis.ifelse(month < 3, 1, 0)
    whole = 365 * of_year + of_year // 4 - of_year // 100 + of_year // 400
    return (whole + (153 * since_march + 2) // 5 + day - 1).cast("int64")


def is_void(claims: Table) -> BooleanValue:
    """Whether a claim row takes an earlier one back."""
    return (claims.x_adjustment_type.fill_null("") == "void") | (
        claims.x_claim_status.fill_null("") == "reversed"
    )


def is_replacement(claims: Table) -> BooleanValue:
    """Whether a claim row puts new amounts in the place of an earlier claim's."""
    return (claims.x_adjustment_type.fill_null("") == "replacement") & ~is_void(claims)


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
