"""What completion found: how much of the cost was paid by the run-out cut, and what completing it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from medhome.study.frames import frame_without_rows

if TYPE_CHECKING:
    from medhome.study.results import Estimate

FRAMES: dict[str, dict[str, str]] = {
    "factors": {
        "category": "str", "label": "str", "lag": "int64", "factor": "float64", "se": "float64",
        "completion_factor": "float64", "months": "int64", "treated": "float64", "comparison": "float64",
    },
    "periods": {
        "period": "str", "arm": "str", "members": "float64", "member_months": "float64",
        "paid_pmpm": "float64", "completion_factor": "float64", "completed_pmpm": "float64",
        "unpaid_pmpm": "float64", "se": "float64",
    },
    "effects": {
        "category": "str", "label": "str", "effect_pmpm": "float64", "treated": "float64",
        "comparison": "float64", "completed_effect_pmpm": "float64", "change_pmpm": "float64",
        "se": "float64",
    },
    "reserves": {
        "category": "str", "label": "str", "paid_usd": "float64", "ultimate_usd": "float64",
        "ibnr_usd": "float64", "se": "float64",
    },
}  # fmt: skip
"""Columns and types of each frame."""


def empty(name: str) -> pd.DataFrame:
    """One of the frames without rows."""
    return frame_without_rows(FRAMES[name])


@dataclass(frozen=True, kw_only=True)
class Completion:
    """Exhibit T3: run-out and completion. The headline stays as paid by the equal cut; this stands beside it.

    available: whether factors could be estimated; ``reason`` says why not. rule: how, in words.
    lowest: the month with the least share paid by the cut: ``month``, ``share`` (empty when not available).
    rows: ``completed_effect_pmpm`` (actual minus expected on completed cost, its interval with the factors'
        own uncertainty), ``completion_pmpm`` (that less the headline), ``separate_effect_pmpm`` and
        ``separate_difference_pmpm`` (with the other rule for arms: factors of each arm's own, or pooled).
    factors: one row per kind of service and lag: ``category``, ``label``, ``lag``, ``factor`` (cost known a
        month later over cost known), ``se``, ``completion_factor`` (share of ultimate known at the lag),
        ``months`` (of service, that it rests on), ``treated``, ``comparison`` (completion factors of each
        arm's own).
    periods: one row per period and arm: ``members`` (of the largest month), ``member_months``, ``paid_pmpm``
        (by the cut), ``completion_factor``, ``completed_pmpm``, ``unpaid_pmpm`` (not yet paid by the cut),
        ``se`` (of it, Mack).
    effects: one row per kind of service, and "large" (members above the cap, as paid): ``effect_pmpm`` (as
        paid), ``treated``, ``comparison`` (completion factor used for each arm), ``completed_effect_pmpm``,
        ``change_pmpm``, ``se`` (of the change, from the factors).
    reserves: one row per kind of service and "all": ``paid_usd``, ``ultimate_usd``, ``ibnr_usd``, ``se``:
        what is still to be paid after ``paid_through``, below the cap, with Mack's standard error.
    """

    available: bool = False
    reason: str = "it was not estimated"
    rule: str = ""
    run_out_months: int = 0
    lowest: Mapping[str, float] = field(default_factory=dict)
    rows: Mapping[str, Estimate] = field(default_factory=dict)
    factors: pd.DataFrame = field(default_factory=lambda: empty("factors"))
    periods: pd.DataFrame = field(default_factory=lambda: empty("periods"))
    effects: pd.DataFrame = field(default_factory=lambda: empty("effects"))
    reserves: pd.DataFrame = field(default_factory=lambda: empty("reserves"))
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {"periods": ("members",)}
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {
        "periods": (
            "member_months",
            "paid_pmpm",
            "completion_factor",
            "completed_pmpm",
            "unpaid_pmpm",
            "se",
        )
    }
