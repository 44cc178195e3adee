"""Whose risk was adjusted for, what that does to the effect, and how scores drifted in each arm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pandas as pd

from medhome.study.frames import frame_without_rows

_NUMBERS = dict.fromkeys(("estimate", "se", "lo90", "hi90", "lo95", "hi95"), "float64")
_KINDS = {
    "effects": {"timing": "str", "label": "str", **_NUMBERS, "declared": "bool", "why": "str"},
    "drift": {
        "arm": "str", "year": "int64", "first_month": "int64", "last_month": "int64", "members": "int64",
        "member_months": "float64", "raw_score": "float64", "normalised_score": "float64",
        "concurrent_pmpm": "float64",
    },
    "drift_effect": {
        "outcome": "str", "unit": "str", **_NUMBERS, "p": "float64", "organizations": "int64", "note": "str",
    },
    "known": {
        "arm": "str", "members": "int64", "member_months": "float64", "without_history": "int64",
        "months_without_history": "float64", "share_without_history": "float64", "without_score": "int64",
        "months_without_score": "float64", "share_without_score": "float64",
    },
}  # fmt: skip


def _empty(name: str) -> pd.DataFrame:
    return frame_without_rows(_KINDS[name])


@dataclass(frozen=True, kw_only=True)
class RiskAdjustment:
    """Does the effect hang on which risk is adjusted for, and did coding change in one arm?

    source: the score in words: name, library and its version, or that it is the user's own or fitted here.
    weights, mapping_year: of a published score; empty where there is none. timing: as declared.
    effects: one row per ``timing`` ("none", "baseline", "concurrent"): ``label``, ``estimate`` (dollars PMPM,
        actual minus expected) with ``se``, ``lo90``, ``hi90``, ``lo95``, ``hi95`` of the headline's kind,
        ``declared`` (the study's own, which is the headline), ``why`` (where there is no estimate).
    drift: one row per arm and ``year`` (-1, -2: back from the end of the baseline; 1, 2: from the start):
        ``first_month``, ``last_month``, ``members`` (with exposure), ``member_months``, ``raw_score`` (mean
        of the year's own diagnoses; NaN where the study uses no score), ``normalised_score`` (over the
        comparison arm's baseline mean: for display only), ``concurrent_pmpm`` (what the concurrent cost
        model makes of the year's diagnoses, dollars).
    drift_effect: one row: the change of ``concurrent_pmpm`` from baseline to performance, treated less
        comparison, with the interval of random effects on organisations' changes, ``p`` (NaN with few
        organisations), ``organizations``, ``note``.
    known: one row per arm: ``members``, ``member_months``, and of them ``without_history`` (no enrolment in
        the look-back: scored on age and sex alone) and ``without_score`` (with history, but no score), each
        also in member-months and as a share of them.
    """

    source: str = ""
    weights: str = ""
    mapping_year: str = ""
    timing: str = "baseline"
    effects: pd.DataFrame = field(default_factory=lambda: _empty("effects"))
    drift: pd.DataFrame = field(default_factory=lambda: _empty("drift"))
    drift_effect: pd.DataFrame = field(default_factory=lambda: _empty("drift_effect"))
    known: pd.DataFrame = field(default_factory=lambda: _empty("known"))
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {
        "drift": ("members",),
        "known": ("members", "without_history", "without_score"),
    }
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {
        "drift": ("member_months", "raw_score", "normalised_score", "concurrent_pmpm"),
        "known": (
            "months_without_history", "share_without_history", "months_without_score", "share_without_score",
        ),
    }  # fmt: skip
