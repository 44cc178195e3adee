"""What placebos and leaving one out found: effects where there should be none, and what hangs on whom.

Every frame has the columns of an effect in dollars PMPM, actual minus expected: ``estimate``, ``se``,
``lo90``, ``hi90``, ``lo95``, ``hi95`` (NaN where no interval can be made) and ``why`` (empty, or why a number
is missing).
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from medhome.study.cells import Cells, MonthPairs

EFFECT_COLUMNS = ("estimate", "se", "lo90", "hi90", "lo95", "hi95", "why")


@dataclass(frozen=True, kw_only=True)
class PlaceboStarts:
    """Effects of starts that did not happen, on the months of the baseline alone.

    frame: one row per start that leaves ``least_months`` on each side: ``start`` (month index),
    ``months_before``, ``months_after`` and the effect. why: empty, or why no start could be tried.
    """

    frame: pd.DataFrame
    least_months: int
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class LeaveOneOut:
    """The effect without each practice, or without each organisation.

    unit: "practice" or "organization". full: the effect with all. frame: one row per unit left out:
    ``organization_id``, ``practice_id`` (practices only), ``arm``, ``member_months``, the effect and
    ``change``, the effect without the unit less the effect with all.
    """

    unit: str
    full: float
    frame: pd.DataFrame

    @property
    def most(self) -> pd.Series | None:
        """The unit without which the effect changes most; None when no unit can be left out."""
        change = self.frame["change"].abs()
        return None if change.isna().all() else self.frame.iloc[int(change.argmax())]


@dataclass(frozen=True, kw_only=True)
class PlaceboArm:
    """Each comparison organisation as if it were the program, against the other comparisons.

    full: the effect of the program. frame: one row per comparison organisation: ``organization_id``,
    ``members`` (mean a month) and the effect. as_large: placebo effects at least as far from zero as the
    program's; share: (1 + as_large) / (1 + placebos). comparable: whether the program's organisations are of
    the placebos' size (between half and twice the middle one), so that the share may be read as a p-value;
    note says so in words.
    """

    full: float
    frame: pd.DataFrame
    as_large: int
    share: float
    comparable: bool
    note: str


@dataclass(frozen=True, kw_only=True)
class PlaceboCells:
    """One outcome that the program cannot have changed, by practice and month.

    id, label, unit: its name, in words, and what it is counted in. cells: with the variable ``outcome`` in
    hundredths of the unit; pairs: its cross-products of one member's months; people: the fewest different
    people who had it in an arm before or after the start.
    """

    id: str
    label: str
    unit: str
    cells: Cells
    pairs: MonthPairs
    people: int
