"""What cost models of member-periods found: exhibits T8 to T10, and the program's effect by model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pandas as pd

from medhome.study.frames import frame_without_rows

_TEXT = frozenset(
    ("family", "stratum", "label", "part", "unit", "test", "meaning", "why", "cap", "arm", "period", "kind",
     "group")
)  # fmt: skip
_SIZE = ("members", "member_months")
COLUMNS: dict[str, tuple[str, ...]] = {
    "identity": (
        "family",
        "stratum",
        "part",
        "unit",
        *_SIZE,
        "actual",
        "expected",
        "gap",
        "gap_share",
        "without_cost",
        "why",
    ),
    "tests": (
        *("family", "stratum", "test", "members", "statistic", "se", "lo95", "hi95", "p", "largest"),
        *("mean", "meaning"),
    ),
    "effects": (
        *("family", "stratum", *_SIZE, "with_pmpm", "without_pmpm", "gap_pmpm"),
        *("estimate", "se", "lo95", "hi95", "p"),
        *("lo95_bootstrap", "hi95_bootstrap", "draws", "why"),
    ),
    "accuracy": (
        *("family", "cap", "stratum", "arm", "period", *_SIZE, "actual_pmpm", "predicted_pmpm"),
        *("r2", "mae_share", "cpm", "predictive_ratio"),
    ),
    "ratios": (
        *("kind", "group", "label", "arm", *_SIZE, "actual_pmpm", "predicted_pmpm", "predictive_ratio"),
        "uncapped_ratio",
    ),
    "practices": (
        *("label", "arm", *_SIZE, "actual_pmpm", "predicted_pmpm", "predictive_ratio"),
        *("panel_sd", "lo95", "hi95"),
    ),
    "recalibration": (
        *("family", "period", *_SIZE, "factor", "actual_pmpm", "predicted_pmpm", "recalibrated_pmpm"),
        *("predictive_ratio", "recalibrated_ratio"),
    ),
}
_WHOLE = frozenset(("members", "draws", "without_cost"))


def empty(name: str) -> pd.DataFrame:
    """A frame of `MemberCosts` without rows: what a study has that asks for no cost models."""
    kinds = {c: "str" if c in _TEXT else "int64" if c in _WHOLE else "float64" for c in COLUMNS[name]}
    return frame_without_rows(kinds)


def _resting(name: str) -> tuple[str, ...]:
    return tuple(c for c in COLUMNS[name] if c not in _TEXT and c not in ("members", "without_cost"))


@dataclass(frozen=True, kw_only=True)
class MemberCosts:
    """Cost models of member-periods in dollars PMPM, weighted by member-months, practices as clusters.

    primary: the family whose ratios are shown in detail. warnings: what a reader must know, in sentences.
    identity: expected against actual cost of the rows fitted on (comparison arm, baseline), one row per
        family and stratum: zero ``gap`` where the link is canonical; ``part`` "any cost" is the share of
        member-months with cost, of the first part of two (``without_cost``: members with none; not
        released). Where there is no model, ``why`` says so.
    tests: exhibit T8, one row per test: statistic, its error, ``largest`` (mean residual of the group that
        is furthest off), ``mean`` (of the outcome) and ``meaning`` in words.
    effects: by how much treated cost after the start differs with and without the program, by recycled
        predictions of a model with arm, period and their product: interval by the delta method and by
        drawing practices; stratum "all" sums the strata by their member-months. ``gap_pmpm``: actual cost of
        the treated after the start less what the model expects with the program (zero for canonical links).
    accuracy: exhibit T9, one row per family, cap ("capped", "uncapped"), stratum, arm and period. Practices
        of the comparison arm are predicted by fits without them; the treated arm is in no fit.
    ratios: exhibit T10 of the primary family at baseline: ``kind`` is "predicted" (tenths), "actual"
        (fifths), "condition" or "age_sex".
    practices: the same by practice, with the middle 95% (``lo95``, ``hi95``) and the standard deviation of
        the ratio among random panels of the practice's size, drawn from the comparison arm.
    recalibration: predictions times the ``factor`` that makes the comparison arm's right, by period; the
        other columns are the treated arm's.
    """

    primary: str = "ols"
    warnings: tuple[str, ...] = ()
    identity: pd.DataFrame = field(default_factory=lambda: empty("identity"))
    tests: pd.DataFrame = field(default_factory=lambda: empty("tests"))
    effects: pd.DataFrame = field(default_factory=lambda: empty("effects"))
    accuracy: pd.DataFrame = field(default_factory=lambda: empty("accuracy"))
    ratios: pd.DataFrame = field(default_factory=lambda: empty("ratios"))
    practices: pd.DataFrame = field(default_factory=lambda: empty("practices"))
    recalibration: pd.DataFrame = field(default_factory=lambda: empty("recalibration"))
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {name: ("members",) for name in COLUMNS}
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {name: _resting(name) for name in COLUMNS}
