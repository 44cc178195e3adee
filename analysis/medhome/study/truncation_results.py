"""What truncation took away, and what the effect would be at other caps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import pandas as pd

from medhome.study.cells import Cells, MonthPairs
from medhome.study.frames import frame_without_rows


@dataclass(frozen=True, kw_only=True)
class CapGrid:
    """The same practice-months with cost truncated at several caps, for the models.

    caps: one row per cap, in order: ``cap`` (id: "none", "250000", "100000", "p99"), ``label``, ``cap_usd``
        (per member and year at the program's start; NaN for none), ``declared`` (bool: the study's own).
    cells: variable ``allowed_<cap>`` for each cap, with its product with ``expected``.
    pairs: cross-products of one member's months for each of these variables.
    """

    caps: pd.DataFrame
    cells: Cells
    pairs: Mapping[str, MonthPairs]


def _above_cap() -> pd.DataFrame:
    kinds = {
        "arm": "str", "period": "str", "members": "int64", "members_above": "int64",
        "member_months": "float64", "allowed_usd": "float64", "above_usd": "float64",
        "above_share": "float64",
    }  # fmt: skip
    return frame_without_rows(kinds)


def _cap_grid() -> pd.DataFrame:
    kinds = {"cap": "str", "label": "str", "cap_usd": "float64", "estimate": "float64", "se": "float64"}
    kinds |= dict.fromkeys(("lo90", "hi90", "lo95", "hi95"), "float64") | {"declared": "bool"}
    return frame_without_rows(kinds)


@dataclass(frozen=True, kw_only=True)
class Truncation:
    """How much of the result hangs on a few very expensive members?

    above_cap: one row per arm and period ("baseline", "performance"): ``members``, ``members_above`` (with
        cost above the cap in some 12-month window), ``member_months``, ``allowed_usd`` (before the cap),
        ``above_usd`` (what the cap takes), ``above_share`` (of dollars).
    cap_grid: the effect at each cap, one row each: ``cap``, ``label``, ``cap_usd``, ``estimate`` (dollars
        PMPM, actual minus expected), ``se``, ``lo90``, ``hi90``, ``lo95``, ``hi95`` (of the headline's
        kind), ``declared``.
    """

    above_cap: pd.DataFrame = field(default_factory=_above_cap)
    cap_grid: pd.DataFrame = field(default_factory=_cap_grid)
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {"above_cap": ("members", "members_above")}
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {
        "above_cap": ("member_months", "allowed_usd", "above_usd", "above_share")
    }
