"""How sure is the effect? Placebos, leaving one out, other estimators, and how far trends may have parted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import pandas as pd

from medhome.study.frames import frame_without_rows

_EFFECT = dict.fromkeys(("estimate", "se", "lo90", "hi90", "lo95", "hi95"), "float64")
_KINDS: dict[str, dict[str, str]] = {
    "placebo_starts": {
        "month": "int64", "months_before": "int64", "months_after": "int64", **_EFFECT, "why": "str",
    },
    "organizations": {
        "label": "str", "arm": "str", "members": "int64", **_EFFECT, "change": "float64", "why": "str",
    },
    "practices": {
        "label": "str", "arm": "str", "members": "int64", "estimate": "float64", "change": "float64",
        "why": "str",
    },
    "placebo_arm": {"label": "str", "members": "int64", "estimate": "float64", "why": "str"},
    "placebo_outcomes": {
        "outcome": "str", "label": "str", "unit": "str", "people": "int64", "level": "float64", **_EFFECT,
        "why": "str",
    },
    "methods": {
        "method": "str", "label": "str", **_EFFECT, "valid": "bool", "headline": "bool", "reading": "str",
    },
    "bounds": {
        "kind": "str", "effect": "str", "label": "str", "step": "int64", "m": "float64", "unit": "str",
        "lo95": "float64", "hi95": "float64",
    },
    "breakdowns": {
        "kind": "str", "effect": "str", "label": "str", **_EFFECT, "breakdown": "float64", "unit": "str",
        "pre": "int64", "post": "int64", "rule": "str",
    },
}  # fmt: skip


def empty(name: str) -> pd.DataFrame:
    """One of the frames of `Robustness`, without rows."""
    return frame_without_rows(_KINDS[name])


@dataclass(frozen=True, kw_only=True)
class Robustness:
    """Does the effect hang on one practice, one start, one estimator, or on trends that nobody can test?

    Every estimate is in dollars PMPM, actual minus expected, with ``se``, ``lo90``, ``hi90``, ``lo95``,
    ``hi95`` (NaN where there is none) and ``why`` a number is missing.

    placebo_starts: one row per start inside the baseline (``month``, its first; ``months_before``,
        ``months_after``), with the months of the baseline alone.
    organizations, practices: one row per unit left out: neutral ``label``, ``arm``, ``members`` (of an
        organisation, all its members; of a practice, the most in one month), ``estimate`` without it, and
        ``change`` (that less the effect with all). Organisations have intervals too, under the shocks of
        organisations as estimated with all of them.
    placebo_arm: one row per comparison organisation, taken for the program against the others.
    placebo_outcomes: one row per outcome that the program cannot have changed: ``outcome``, ``label``,
        ``unit``, ``people`` (the fewest who had it in an arm before or after the start), ``level`` (the
        comparison's before the start), and the effect in that unit.
    methods: one row per estimator on the same cost: ``method``, ``label``, ``valid`` (its interval may be
        read with this number of treated organisations), ``headline``, ``reading`` (what it is worth).
    bounds: the interval of an ``effect`` ("first", "average") at ``m`` (the ``step``-th tried, in ``unit``),
        by ``kind`` of `study.sensitivity_bounds.KINDS`; breakdowns: the event study's own number, and the m
        up to which the interval leaves zero out (infinite: any).
    reasons: why a frame has no rows, by its name. full: the effect with all. as_large: placebo organisations
        whose effect is at least as far from zero; share: (1 + as_large) / (1 + placebos); comparable: whether
        the program is of their size, so that the share may be read as a p-value.
    """

    placebo_starts: pd.DataFrame = field(default_factory=lambda: empty("placebo_starts"))
    organizations: pd.DataFrame = field(default_factory=lambda: empty("organizations"))
    practices: pd.DataFrame = field(default_factory=lambda: empty("practices"))
    placebo_arm: pd.DataFrame = field(default_factory=lambda: empty("placebo_arm"))
    placebo_outcomes: pd.DataFrame = field(default_factory=lambda: empty("placebo_outcomes"))
    methods: pd.DataFrame = field(default_factory=lambda: empty("methods"))
    bounds: pd.DataFrame = field(default_factory=lambda: empty("bounds"))
    breakdowns: pd.DataFrame = field(default_factory=lambda: empty("breakdowns"))
    reasons: Mapping[str, str] = field(default_factory=dict)
    full: float | None = None
    as_large: int | None = None
    share: float | None = None
    comparable: bool = False
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {
        "organizations": ("members",),
        "practices": ("members",),
        "placebo_arm": ("members",),
        "placebo_outcomes": ("people",),
    }
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {
        "organizations": ("estimate", "change", "se", "lo90", "hi90", "lo95", "hi95"),
        "practices": ("estimate", "change"),
        "placebo_arm": ("estimate",),
        "placebo_outcomes": ("level", "estimate", "se", "lo90", "hi90", "lo95", "hi95"),
    }
