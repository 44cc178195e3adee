"""Measures of utilisation and quality: what the tables collapse for the models, and what is found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pandas as pd

from medhome.study.cells import Cells
from medhome.study.frames import frame_without_rows

MOMENTS = (
    *("n0", "n1", "d0", "d1", "n0n0", "n1n1", "n0n1"),
    *("d0d0", "d1d1", "d0d1", "n0d0", "n1d1", "n0d1", "n1d0"),
)
"""Sums over the members of an organisation, baseline 0 and performance 1: events n, denominators d,
products."""

_KEYS = {"measure": "str", "family": "str", "label": "str"}
_KINDS: dict[str, dict[str, str]] = {
    "rates": _KEYS
    | {
        "unit": "str", "arm": "str", "period": "str", "members": "int64", "members_with": "int64",
        "denominator": "float64", "events": "float64", "rate": "float64",
    },
    "effects": _KEYS
    | {
        "unit": "str", "direction": "str", "treated_baseline": "float64", "treated_performance": "float64",
        "comparison_baseline": "float64", "comparison_performance": "float64", "estimate": "float64",
        "se": "float64", "lo90": "float64", "hi90": "float64", "lo95": "float64", "hi95": "float64",
        "p": "float64", "p_holm": "float64", "p_bh": "float64", "ratio": "float64",
        "baseline_share": "float64", "members_treated": "int64", "members_comparison": "int64", "note": "str",
    },
    "gaps": _KEYS
    | {
        "arm": "str", "period": "str", "members": "int64", "members_with": "int64", "denominator": "float64",
        "events": "float64", "rate": "float64",
    },
    "unknown": _KEYS | {"why": "str"},
}  # fmt: skip


def no_rows(name: str) -> pd.DataFrame:
    """A frame of `Measures` without rows."""
    return frame_without_rows(_KINDS[name])


@dataclass(frozen=True, kw_only=True)
class MeasureCells:
    """One measure, collapsed: practice-months (or practice-years) and the moments of members.

    cells: exposure is member-months (unit "per_1000"), else what is counted over: members of a year,
        discharges, fills; the one variable is ``events``. organizations: one row per organisation and arm:
        ``organization_id``, ``arm``, and `MOMENTS` in units of events and of the denominator.
    rates: rows of ``Measures.rates``, or of ``Measures.gaps`` where ``gap`` is true.
    """

    measure: str
    family: str
    label: str
    unit: str
    direction: str
    cells: Cells
    organizations: pd.DataFrame
    rates: pd.DataFrame
    note: str = ""
    gap: bool = False


@dataclass(frozen=True, kw_only=True)
class CollapsedMeasures:
    """Every measure that the input lets be known, and the others with the reason."""

    measures: tuple[MeasureCells, ...] = ()
    unknown: pd.DataFrame = field(default_factory=lambda: no_rows("unknown"))


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Exhibits T11 and T12: utilisation per 1,000 member-years, quality, gaps in care, and what the program
    did.

    rates: one row per measure, arm and period: ``unit`` ("per_1000", "share", "mean"), ``members`` (in the
        denominator), ``members_with`` (of them, with an event), ``denominator`` (member-months, else members
        by year or events), ``events``, ``rate`` (in the unit).
    effects: one row per measure: the four rates, ``estimate`` (actual minus expected, in the unit; a share as
        share) with its interval, ``p``, ``p_holm`` and ``p_bh`` (adjusted within the family), ``ratio``
        (actual over expected, rates only), ``baseline_share`` (estimate over the treated arm's baseline),
        ``members_treated``, ``members_comparison`` (the smallest number in a period that each arm rests on),
        ``note``. The families' composites and gap closures stand after their measures.
    gaps: gaps in care open at the start of a year, and closed in it: ``denominator`` (open), ``events``
        (closed), ``rate``.
    unknown: measures that the input does not let be known, and why.
    """

    rates: pd.DataFrame = field(default_factory=lambda: no_rows("rates"))
    effects: pd.DataFrame = field(default_factory=lambda: no_rows("effects"))
    gaps: pd.DataFrame = field(default_factory=lambda: no_rows("gaps"))
    unknown: pd.DataFrame = field(default_factory=lambda: no_rows("unknown"))
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {
        "rates": ("members", "members_with"),
        "effects": ("members_treated", "members_comparison"),
        "gaps": ("members", "members_with"),
    }
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {
        "rates": ("denominator", "events", "rate"),
        "effects": (
            *("treated_baseline", "treated_performance", "comparison_baseline", "comparison_performance"),
            *("estimate", "se", "lo90", "hi90", "lo95", "hi95", "p", "p_holm", "p_bh", "ratio"),
            "baseline_share",
        ),
        "gaps": ("denominator", "events", "rate"),
    }
