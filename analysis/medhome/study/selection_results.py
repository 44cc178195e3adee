"""Who came, who stayed and who went, by arm, and whether that differs: exhibit T18."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pandas as pd

from medhome.study.frames import frame_without_rows

_KINDS = {
    "members": {
        "arm": "str", "status": "str", "members": "int64", "member_months": "float64", "share": "float64",
        "baseline_pmpm": "float64", "risk_pmpm": "float64",
    },
    "crossovers": {
        "arm": "str", "seen_in": "str", "members": "int64", "member_months": "float64",
        "allowed_usd": "float64", "baseline_pmpm": "float64", "risk_pmpm": "float64",
    },
    "without_visits": {
        "arm": "str", "eligible": "int64", "members": "int64", "share": "float64",
    },
    "exits": {
        "arm": "str", "period": "str", "members": "int64", "member_months": "float64",
        "per_1000": "float64",
    },
    "effects": {
        "outcome": "str", "label": "str", "unit": "str", "estimate": "float64", "se": "float64",
        "lo90": "float64", "hi90": "float64", "lo95": "float64", "hi95": "float64", "p": "float64",
        "organizations": "int64", "note": "str",
    },
}  # fmt: skip


def _empty(name: str) -> pd.DataFrame:
    return frame_without_rows(_KINDS[name])


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Does the program keep, gain or lose other members than the comparison practices do?

    members: one row per arm and status: ``status`` ("entered": no month in the baseline; of those with one,
        "died" in a month analysed or the month after, "left" before the last month analysed, "stayed"),
        ``members``, ``member_months``, ``share`` (of the arm's members), ``baseline_pmpm`` (allowed, capped;
        NaN for who entered), ``risk_pmpm`` (frozen expected cost).
    crossovers: one row per arm and ``seen_in``: member-months of the performance period by where the member
        was in fact seen ("treated", "comparison", "excluded": another practice, "not attributed": nowhere):
        ``members``, ``member_months``, ``allowed_usd`` (capped), ``baseline_pmpm``, ``risk_pmpm``.
    without_visits: one row per arm, of the members seen in the performance period those without a visit then;
        and one for "everyone": of the members eligible before attribution, those whom it gives no practice:
        ``eligible``, ``members`` (of them, without), ``share``.
    exits: one row per arm and period: ``members`` who left (not by death), ``member_months``, ``per_1000``
        (leaving per 1,000 member-months).
    effects: one row per ``outcome``, treated less comparison, change from baseline to performance:
        "exit_rate" (leaving per 1,000 member-months) and "composition" (frozen expected cost, dollars PMPM:
        it moves only when other members are there): ``label``, ``unit``, ``estimate``, ``se``, ``lo90``,
        ``hi90``, ``lo95``, ``hi95``, ``p`` (NaN where too few organisations for one), ``organizations``,
        ``note``.
    """

    members: pd.DataFrame = field(default_factory=lambda: _empty("members"))
    crossovers: pd.DataFrame = field(default_factory=lambda: _empty("crossovers"))
    without_visits: pd.DataFrame = field(default_factory=lambda: _empty("without_visits"))
    exits: pd.DataFrame = field(default_factory=lambda: _empty("exits"))
    effects: pd.DataFrame = field(default_factory=lambda: _empty("effects"))
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {
        "members": ("members",),
        "crossovers": ("members",),
        "without_visits": ("members", "eligible"),
        "exits": ("members",),
    }
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {
        "members": ("member_months", "share", "baseline_pmpm", "risk_pmpm"),
        "crossovers": ("member_months", "allowed_usd", "baseline_pmpm", "risk_pmpm"),
        "without_visits": ("share",),
        "exits": ("per_1000",),
    }
