"""How the house writes money, PMPM, shares, intervals, counts and what is withheld.

Every function takes a plain number (``None`` and NaN allowed) and gives text. Minus signs are real ones
(U+2212), a rounded zero has no sign, and a number that does not exist is an en dash. Effects and
differences carry no plus sign: in medhome a negative effect is one where care cost less, and words say it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from medhome.study.periods import month_start

if TYPE_CHECKING:  # to a type checker an absent number is None, though it may be NaN
    from typing_extensions import TypeIs

MINUS = "\N{MINUS SIGN}"
NOT_APPLICABLE = "\N{EN DASH}"
WITHHELD = "\N{DAGGER}"
"""Stands for every withheld cell, whatever the reason: two symbols would tell which ones are small."""

PMPM = "per member per month"


def absent(value: Any) -> TypeIs[None]:
    """Whether a value is missing: None, NaN or a missing value of pandas.

    >>> [absent(v) for v in (None, float("nan"), 0, "")]
    [True, True, False, False]
    """
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    return type(value).__name__ in ("NAType", "NaTType")


def _signed(value: float, text_of_size: Callable[[float], str], zero: Callable[[str], bool]) -> str:
    text = text_of_size(abs(float(value)))
    return text if value >= 0 or zero(text) else MINUS + text


def _is_zero(text: str) -> bool:
    return not any(c in "123456789" for c in text)


def number(value: Any, digits: int = 2) -> str:
    """A number with thousands separators.

    >>> number(-1234.5, 1), number(-0.001), number(None)
    ('−1,234.5', '0.00', '–')
    """
    if absent(value):
        return NOT_APPLICABLE
    if math.isinf(float(value)):
        return "unbounded"
    return _signed(value, lambda v: f"{v:,.{digits}f}", _is_zero)


def count(value: Any) -> str:
    """A whole number of people, lines or months.

    >>> count(18998.0)
    '18,998'
    """
    return number(value, 0)


def usd(value: Any, digits: int = 2) -> str:
    """Dollars; the minus sign stands before the dollar sign.

    >>> usd(-1.78), usd(1234567, 0), usd(-0.001)
    ('−$1.78', '$1,234,567', '$0.00')
    """
    if absent(value):
        return NOT_APPLICABLE
    if math.isinf(float(value)):
        return "unbounded"
    return _signed(value, lambda v: f"${v:,.{digits}f}", _is_zero)


def usd_round(value: Any) -> str:
    """Dollars for a sentence: millions and billions in words, smaller sums in full.

    >>> usd_round(-1_234_567), usd_round(98_765.4), usd_round(2.5e9)
    ('−$1.2 million', '$98,765', '$2.5 billion')
    """
    if absent(value):
        return NOT_APPLICABLE
    if abs(value) >= 999_950_000:
        return f"{usd(value / 1e9, 1)} billion"
    if abs(value) >= 999_950:
        return f"{usd(value / 1e6, 1)} million"
    return usd(value, 0)


def pmpm(value: Any, digits: int = 2) -> str:
    """Dollars per member per month, as read in a sentence.

    >>> pmpm(-1.78)
    '−$1.78 per member per month'
    """
    return NOT_APPLICABLE if absent(value) else f"{usd(value, digits)} {PMPM}"


def share(value: Any, digits: int = 1) -> str:
    """A share (0 to 1) in percent.

    >>> share(0.0254), share(-0.018, 0)
    ('2.5%', '−2%')
    """
    return NOT_APPLICABLE if absent(value) else f"{number(100 * value, digits)}%"


def ratio(value: Any, digits: int = 3) -> str:
    """A ratio such as actual over expected.

    >>> ratio(0.9679)
    '0.968'
    """
    return number(value, digits)


def in_unit(value: Any, unit: str, digits: int = 2) -> str:
    """A value written as its unit asks: "USD PMPM" and "USD" as dollars, "share" in percent, else a number.

    >>> in_unit(-1.784, "USD PMPM"), in_unit(-1234567.8, "USD"), in_unit(0.0254, "share")
    ('−$1.78', '−$1,234,568', '2.5%')
    """
    if unit.startswith("USD"):
        return usd(value, digits if unit != "USD" else 0)
    return share(value) if unit == "share" else number(value, digits)


def p_value(value: Any) -> str:
    """A p-value: two decimals above 0.1, three below, and never zero.

    >>> p_value(0.3472), p_value(0.0163), p_value(0.0000004)
    ('0.35', '0.016', 'below 0.001')
    """
    if absent(value):
        return NOT_APPLICABLE
    if value < 0.001:
        return "below 0.001"
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def interval(low: Any, high: Any, write: Callable[[Any], str] = usd) -> str:
    """Both ends of an interval.

    >>> interval(-17.96, 9.79)
    '−$17.96 to $9.79'
    """
    return NOT_APPLICABLE if absent(low) or absent(high) else f"{write(low)} to {write(high)}"


def month(index: Any) -> str:
    """A month in words, from its integer.

    >>> month(24101)
    'June 2008'
    """
    return NOT_APPLICABLE if absent(index) else f"{_MONTHS[int(index) % 12]} {int(index) // 12}"


def month_short(index: Any) -> str:
    """A month for an axis or a narrow column.

    >>> month_short(24101)
    'Jun 2008'
    """
    return (
        NOT_APPLICABLE if absent(index) else f"{_MONTHS[int(index) % 12][:3]} {month_start(int(index)).year}"
    )


def months(first: Any, last: Any) -> str:
    """A span of months from its first to its last.

    >>> months(24101, 24112)
    'June 2008 to May 2009'
    """
    return NOT_APPLICABLE if absent(first) or absent(last) else f"{month(first)} to {month(last)}"


def listed(items: list[str]) -> str:
    """Words in a row, with "and" before the last.

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
