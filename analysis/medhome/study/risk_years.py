"""Years of risk: which diagnoses speak for which months, and the look-back before them all."""

from __future__ import annotations

from dataclasses import dataclass

from medhome.study.period_choices import Periods
from medhome.study.periods import Span

YEAR = 12
LOOK_BACK = 0
"""The year of the look-back, whose diagnoses lie before the baseline; no month analysed is in it."""


@dataclass(frozen=True, kw_only=True)
class RiskYear:
    """Months analysed and the diagnoses of the same time.

    year: -1, -2 ... back from the end of the baseline, 1, 2 ... from the first performance month.
    months: the months analysed. window: the months whose diagnoses count: twelve wherever the period has as
    many, so that a last year of few months is not scored from fewer diagnoses than the others.
    """

    year: int
    months: Span
    window: Span


def risk_years(periods: Periods) -> tuple[RiskYear, ...]:
    """The years of concurrent risk, in the order of time.

    >>> periods = Periods(baseline_first="2006-06", baseline_last="2008-05", start="2008-06",
    ...                   through="2010-03")
    >>> [(y.year, str(y.months), str(y.window)) for y in risk_years(periods)][-1]
    (2, '2009-06 to 2010-03', '2009-04 to 2010-03')
    """
    return (*_back(periods.baseline), *_forth(periods.performance))


def look_back(periods: Periods, months: int) -> RiskYear:
    """The look-back before the baseline, from which frozen risk is known."""
    first = periods.baseline.first
    before = Span(first - months, first)
    return RiskYear(year=LOOK_BACK, months=Span(first, first), window=before)


def _forth(span: Span) -> list[RiskYear]:
    found = []
    for number, first in enumerate(range(span.first, span.end, YEAR), 1):
        end = min(first + YEAR, span.end)
        window = Span(max(span.first, end - YEAR), end)
        found.append(RiskYear(year=number, months=Span(first, end), window=window))
    return found


def _back(span: Span) -> list[RiskYear]:
    found = []
    for number, end in enumerate(range(span.end, span.first, -YEAR), 1):
        first = max(end - YEAR, span.first)
        window = Span(first, min(span.end, first + YEAR))
        found.append(RiskYear(year=-number, months=Span(first, end), window=window))
    return found[::-1]
