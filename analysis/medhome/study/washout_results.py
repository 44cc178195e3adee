"""What the effect would be with the first months of the program left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pandas as pd

from medhome.study.frames import frame_without_rows

_KINDS = {"months_left_out": "int64", "months_after": "int64", "estimate": "float64", "se": "float64"}
_KINDS |= dict.fromkeys(("lo90", "hi90", "lo95", "hi95"), "float64") | {"declared": "bool", "why": "str"}


def _grid() -> pd.DataFrame:
    return frame_without_rows(_KINDS)


@dataclass(frozen=True, kw_only=True)
class Washout:
    """How much of the effect hangs on the months in which the program was still being set up?

    grid: one row per choice: ``months_left_out`` (from the start), ``months_after`` (performance months that
        stay), ``estimate`` (dollars PMPM, actual minus expected), ``se``, ``lo90``, ``hi90``, ``lo95``,
        ``hi95`` (of the headline's kind), ``declared`` (bool: the study's own, which is the headline),
        ``why`` (in words: why there is no estimate; empty where there is one).
    """

    grid: pd.DataFrame = field(default_factory=_grid)
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {}
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {}
