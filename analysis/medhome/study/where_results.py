"""Where and for whom cost changed: by kind of service, by group of members, by practice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pandas as pd

from medhome.study.cells import Cells
from medhome.study.frames import frame_of_rows, frame_without_rows

_SIZE = {"members_treated": "float64", "members_comparison": "float64"}
_MEANS = {
    f"{arm}_{period}_pmpm": "float64"
    for arm in ("treated", "comparison")
    for period in ("baseline", "performance")
}
_EFFECT = dict.fromkeys(("estimate", "se", "lo90", "hi90", "lo95", "hi95", "p"), "float64")
_MANY = {"p_holm": "float64", "p_bh": "float64", "why": "str"}
GROUP_KINDS = {"dimension": "str", "group": "str", "label": "str", **_SIZE}
KINDS: dict[str, dict[str, str]] = {
    "categories": {
        **{"category": "str", "label": "str"}, **_SIZE, **_MEANS, **_EFFECT, "baseline_share": "float64",
        **_MANY,
    },
    "groups": {**GROUP_KINDS, "member_months": "float64", **_MEANS, **_EFFECT, **_MANY},
    "practices": {
        **{"label": "str", "arm": "str", "members": "float64", "estimate": "float64", "se": "float64"},
        **dict.fromkeys(("shrunken", "lo95", "hi95", "limit95", "limit998"), "float64"),
    },
}  # fmt: skip


def empty(name: str) -> pd.DataFrame:
    """A frame of `Where` without rows."""
    return frame_without_rows(KINDS[name])


def typed(name: str, rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows as one of the frames of `Where`."""
    return frame_of_rows(rows, KINDS[name])


@dataclass(frozen=True, kw_only=True)
class GroupCells:
    """What the engine hands over about groups of members.

    groups: one row per group, whose cells are in ``cells``: ``dimension`` ("risk", "condition", "product"),
        ``group`` (id), ``label``, ``members_treated``, ``members_comparison``.
    cells: the study's cells of ``allowed_capped`` with ``subgroup`` as a further key; none where there are
        no groups. Groups of one dimension may overlap (conditions).
    practices: ``organization_id``, ``practice_id``, ``arm``, ``stratum``, ``members``.
    high_risk_cut_pmpm: frozen expected cost from which members count as high risk.
    """

    groups: pd.DataFrame = field(
        default_factory=lambda: frame_without_rows(GROUP_KINDS)
    )
    cells: Cells | None = None
    practices: pd.DataFrame = field(default_factory=pd.DataFrame)
    high_risk_cut_pmpm: float | None = None


@dataclass(frozen=True, kw_only=True)
class Where:
    """Where and for whom did cost change? Effects are actual minus expected, dollars PMPM.

    categories: exhibit T4, one row per kind of service, of members below the yearly cap, then "large" (all
        services of members above it) and "all" (the headline); rows but the last add up to it:
        ``category``, ``label``, ``members_treated``, ``members_comparison`` (with cost of it), the four means
        ``treated_baseline_pmpm`` to ``comparison_performance_pmpm``, ``estimate``, ``se``, ``lo90`` to
        ``hi95``, ``p``, ``baseline_share`` (effect over the treated arm's mean before), ``p_holm``, ``p_bh``,
        ``why``.
    groups: exhibit T17, one row per group of members: ``dimension`` ("all", "stratum", "risk", "condition",
        "size", "product"), ``group``, ``label``, ``members_treated``, ``members_comparison``,
        ``member_months`` (treated, after the start), then as ``categories``.
    practices: one row per practice: ``label`` (neutral), ``arm``, ``members`` (a month), ``estimate`` (its
        change less the comparison arm's), ``se`` (of its members alone), ``shrunken``, ``lo95``, ``hi95``
        (empirical Bayes), ``limit95``, ``limit998`` (half-widths of the funnel at its size).
    between_sd_pmpm: practices' own standard deviation, beyond what their members bring; outside: treated
        practices outside the 95% limits; high_risk_cut_pmpm: frozen expected cost from which members count
        as high risk; tested: p-values adjusted together.
    """

    categories: pd.DataFrame = field(default_factory=lambda: empty("categories"))
    groups: pd.DataFrame = field(default_factory=lambda: empty("groups"))
    practices: pd.DataFrame = field(default_factory=lambda: empty("practices"))
    between_sd_pmpm: float | None = None
    treated_mean_pmpm: float | None = None
    outside: int | None = None
    high_risk_cut_pmpm: float | None = None
    tested: int = 0
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {
        "categories": ("members_treated", "members_comparison"),
        "groups": ("members_treated", "members_comparison"),
        "practices": ("members",),
    }
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {
        "categories": (*_MEANS, *_EFFECT, "baseline_share", "p_holm", "p_bh"),
        "groups": ("member_months", *_MEANS, *_EFFECT, "p_holm", "p_bh"),
        "practices": ("estimate", "se", "shrunken", "lo95", "hi95", "limit95", "limit998"),
    }
