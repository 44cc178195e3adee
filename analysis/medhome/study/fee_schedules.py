"""Fee schedules: fees of one name, arm and tier are one schedule, whose rate changes by date.

Two rates in one month are a fault of the study file; a month without a rate is named on the page.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from medhome.study.payment_choices import Fee
from medhome.study.periods import month_index, month_name


def schedule_faults(fees: Sequence[Fee]) -> list[str]:
    """Two rates of one schedule in the same months, in words; an empty list is right."""
    found = []
    for name, steps in _schedules(fees).items():
        for one, other in itertools.pairwise(steps):
            if one.last is None or month_index(one.last) >= month_index(other.first):
                found.append(f'"{name}" has two rates in {other.first}: end the first one earlier')
    return found


def schedule_gaps(fees: Sequence[Fee]) -> list[tuple[str, str, str]]:
    """Months between two steps of a schedule in which it names no rate: name, first and last of them.

    >>> fee = {"name": "Fee", "pmpm_usd": 1.0}
    >>> schedule_gaps([Fee(**fee, first="2008-06", last="2008-08"), Fee(**fee, first="2008-10")])
    [('Fee', '2008-09', '2008-09')]
    """
    found = []
    for name, steps in _schedules(fees).items():
        for one, other in itertools.pairwise(steps):
            if one.last is not None and month_index(other.first) > month_index(one.last) + 1:
                first, last = month_index(one.last) + 1, month_index(other.first) - 1
                found.append((name, month_name(first), month_name(last)))
    return found


def _schedules(fees: Sequence[Fee]) -> dict[str, list[Fee]]:
    """Fees of one name, arm and tier, in the order of their months."""
    found: dict[str, list[Fee]] = {}
    for fee in fees:
        tier = [*(["comparison"] if fee.arm == "comparison" else []), *fee.strata, *fee.practices]
        found.setdefault(f"{fee.name} ({', '.join(tier)})" if tier else fee.name, []).append(fee)
    return {name: sorted(steps, key=lambda f: month_index(f.first)) for name, steps in found.items()}
