"""What a program that starts in waves did: group-time effects, their averages, and other estimators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pandas as pd

from medhome.study.frames import frame_without_rows
from medhome.study.pre_trend_results import pre_trend_tests

_EFFECT = dict.fromkeys(("estimate", "se", "lo90", "hi90", "lo95", "hi95"), "float64")
_BAND = {"band_lo": "float64", "band_hi": "float64"}
_KINDS: dict[str, dict[str, str]] = {
    "waves": {
        "wave": "int64", "practices": "int64", "organizations": "int64", "members": "int64",
        "months_before": "int64", "months_after": "int64", "member_months": "float64", "estimated": "bool",
        "note": "str",
    },
    "effects": {
        "wave": "int64", "first_month": "int64", "since_start": "int64", **_EFFECT,
        **_BAND, "reference": "bool", "members": "int64",
    },
    "averages": {
        "kind": "str", "key": "int64", "first_month": "int64", **_EFFECT, **_BAND, "reference": "bool",
        "waves": "int64", "members": "int64",
    },
    "methods": {
        "method": "str", "label": "str", **_EFFECT, "valid": "bool", "headline": "bool", "reading": "str",
    },
    "comparisons": {
        "kind": "str", "treated": "int64", "compared_with": "int64", "estimate": "float64",
        "weight": "float64",
    },
}  # fmt: skip

OVERALL = {
    "simple": "Every wave and period after its start",
    "dynamic": "By time since the start, each time alike",
    "group": "By wave, waves by size",
    "calendar": "By calendar time, each time alike",
}
"""The four averages of group-time effects; the first is the headline of a program in waves."""


def empty(name: str) -> pd.DataFrame:
    """One of the frames of `Waves`, without rows."""
    return frame_without_rows(_KINDS[name])


@dataclass(frozen=True, kw_only=True)
class Waves:
    """By how much did a month under the program change cost, when practices started in waves?

    Effects are dollars PMPM, actual minus expected; a period is ``period_months`` months, counted from the
    first start. Month indices name a wave (its first month); 0 is the comparison, which never starts.

    waves: one row per start: ``practices``, ``organizations``, ``members`` (the most in one month),
        ``months_before``, ``months_after`` (of the months analysed), ``member_months`` under the program,
        ``estimated`` (bool), ``note`` (why not, or what to know).
    effects: one row per wave and period: the group-time effect, against practices not yet under the program,
        with its interval and ``band_lo``, ``band_hi`` (one band for all effects); ``since_start`` in periods;
        ``reference`` marks base periods.
    averages: one row per ``kind`` ("dynamic", "group", "calendar") and ``key`` (periods since the own start;
        the period in which the wave starts; the period), with its ``first_month`` (0 for "dynamic"); and one
        for each of the four of `OVERALL`, whose kind is "overall:simple" ... and whose key is 0.
    methods: as in `study.robustness_results.Robustness`, for the effect of a month under the program.
    comparisons: the two-by-two comparisons that two-way fixed effects average, with their weights.
    two_way: what ``comparisons`` add up to. already: the share of their
    weight on practices under the program already. before_share: of the treated arm's member-months from the
    first start on, those before the practice's own start. reason: why there are no waves to tell apart.
    warnings: one sentence each. pre_trend_tests: the times before the own start jointly
    (`study.pre_trend_results.KINDS`). slope: of the straight line through them and the base, dollars PMPM per
    year: ``estimate``, ``se``, ``lo90``, ``hi90``, ``lo95``, ``hi95`` and ``detectable`` (found with 80%
    power); empty with no time before but the base.
    """

    waves: pd.DataFrame = field(default_factory=lambda: empty("waves"))
    effects: pd.DataFrame = field(default_factory=lambda: empty("effects"))
    averages: pd.DataFrame = field(default_factory=lambda: empty("averages"))
    methods: pd.DataFrame = field(default_factory=lambda: empty("methods"))
    comparisons: pd.DataFrame = field(default_factory=lambda: empty("comparisons"))
    pre_trend_tests: pd.DataFrame = field(default_factory=pre_trend_tests)
    slope: Mapping[str, float] = field(default_factory=dict)
    two_way: float | None = None
    already: float | None = None
    before_share: float | None = None
    period_months: int = 0
    outside_band: int | None = None
    reason: str = ""
    rule: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def headline(self) -> Mapping[str, Any] | None:
        """The "simple" average: a row of ``averages``, None where there is none."""
        rows = self.averages[self.averages["kind"] == "overall:simple"]
        return None if rows.empty else {str(k): v for k, v in rows.iloc[0].items()}

    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {
        "waves": ("members", "practices"), "effects": ("members",), "averages": ("members",)
    }  # fmt: skip
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {
        "waves": ("member_months",),
        "effects": (*_EFFECT, *_BAND),
        "averages": (*_EFFECT, *_BAND),
    }
