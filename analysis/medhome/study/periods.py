"""Months and spans of months.

A month is the integer ``year * 12 + month - 1``: it sorts, subtracts and joins the same way in every
engine. Spans are half-open: ``Span(first, end)`` holds the months ``first <= m < end``.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

_MONTH = re.compile(r"^(\d{4})-(\d{2})$")


def month_index(text: str | dt.date) -> int:
    """The integer of a month written ``YYYY-MM`` or given as a date.

    >>> month_index("2008-06")
    24101
    >>> month_name(month_index(dt.date(2008, 6, 30)))
    '2008-06'
    """
    if isinstance(text, dt.date):
        return text.year * 12 + text.month - 1
    match = _MONTH.match(str(text))
    if not match or not 1 <= int(match[2]) <= 12:
        raise ValueError(f"{text!r} is not a month; write it as YYYY-MM, for example 2008-06")
    return int(match[1]) * 12 + int(match[2]) - 1


def month_name(month: int) -> str:
    """``YYYY-MM`` of a month's integer."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def month_start(month: int) -> dt.date:
    """The first day of a month."""
    return dt.date(month // 12, month % 12 + 1, 1)


def month_end(month: int) -> dt.date:
    """The last day of a month."""
    return month_start(month + 1) - dt.timedelta(days=1)


@dataclass(frozen=True, order=True)
class Span:
    """The months ``first <= m < end``.

    >>> Span.of("2006-06", "2008-05").months
    24
    """

    first: int
    end: int

    @classmethod
    def of(cls, first: str, last: str) -> Span:
        """A span from its first and its last month, both inside."""
        return cls(month_index(first), month_index(last) + 1)

    @property
    def months(self) -> int:
        return max(0, self.end - self.first)

    @property
    def last(self) -> int:
        return self.end - 1

    def __contains__(self, month: object) -> bool:
        return isinstance(month, int) and self.first <= month < self.end

    def __iter__(self):
        return iter(range(self.first, self.end))

    def __str__(self) -> str:
        return f"{month_name(self.first)} to {month_name(self.last)}"


def event_quarter(month: int, start: int) -> int:
    """Quarter relative to a start: 0 holds the start month and the two after it, -1 the three before.

    >>> [event_quarter(m, 10) for m in (6, 7, 9, 10, 12, 13)]
    [-2, -1, -1, 0, 0, 1]
    """
    return (month - start) // 3
