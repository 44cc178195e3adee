"""What the effect would be without each of the largest employer groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pandas as pd

from medhome.study.cells import Cells
from medhome.study.frames import frame_without_rows

_SIZE = {"label": "str", "group_id": "str", "members_treated": "int64", "members_comparison": "int64"}
_SIZE |= {"member_months": "float64", "share": "float64"}
_NUMBERS = ("estimate", "se", "lo90", "hi90", "lo95", "hi95")


def no_groups() -> pd.DataFrame:
    """``EmployerCells.groups`` of a study that does not ask, or has no employer groups."""
    return frame_without_rows(_SIZE)


def _grid() -> pd.DataFrame:
    return no_groups().assign(**{c: pd.Series(dtype="float64") for c in _NUMBERS}, why=pd.Series(dtype="str"))


@dataclass(frozen=True, kw_only=True)
class EmployerCells:
    """The member-months of the largest employer groups, for the models.

    groups: one row per group, the largest first: ``label`` (neutral, "Employer group 01"), ``group_id``,
        ``members_treated``, ``members_comparison``, ``member_months``, ``share`` (of all member-months).
    cells: the study's cells with ``group_id`` as a further key, of these groups alone; none where ``groups``
        is empty. A member-month with spans of two groups is in both.
    """

    groups: pd.DataFrame = field(default_factory=no_groups)
    cells: Cells | None = None


@dataclass(frozen=True, kw_only=True)
class Employers:
    """Does the effect hang on the members of one employer?

    grid: one row per employer group, the largest first: ``label`` (neutral), ``group_id`` (the label, once
        released), ``members_treated``, ``members_comparison``, ``member_months``, ``share`` (of all
        member-months), and without that group's member-months: ``estimate`` (dollars PMPM, actual minus
        expected), ``se``, ``lo90``, ``hi90``, ``lo95``, ``hi95`` (of the headline's kind), ``why`` (in words:
        why there is no estimate; empty where there is one).
    """

    grid: pd.DataFrame = field(default_factory=_grid)
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {"grid": ("members_treated", "members_comparison")}
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {"grid": ("member_months", "share", *_NUMBERS)}
