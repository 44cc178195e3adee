"""The uncertainty of the whole chain: every definition, sum and ratio with the same kinds of interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from medhome.study.frames import frame_without_rows

if TYPE_CHECKING:
    from medhome.study.results import Estimate

KINDS = {"quantity": "str", "label": "str", "unit": "str"}
KINDS |= dict.fromkeys(("estimate", "se", "lo90", "hi90", "lo95", "hi95", "completion_se", "p"), "float64")
KINDS |= {f"practices_{end}": "float64" for end in ("lo90", "hi90", "lo95", "hi95")}


def _quantities() -> pd.DataFrame:
    return frame_without_rows(KINDS)


@dataclass(frozen=True, kw_only=True)
class Uncertainty:
    """How sure is each number of the chain from expected cost to return on fees?

    quantities: one row per definition (actual minus expected) and per quantity of savings: ``quantity`` (id),
        ``label``, ``unit``, ``estimate``, ``se``, ``lo90``, ``hi90``, ``lo95``, ``hi95`` (by the method that
        is recommended for the number and size of treated organisations, the variance of the completion
        factors added), ``completion_se`` (what these factors alone bring), ``p`` (chance: the recommended
        method's, where it gives one), ``practices_lo90`` to ``practices_hi95`` (practices drawn anew within
        their arm: conditional on these organisations).
    draws: draws of practices; why: in words, why there are none (empty where there are).
    probabilities: with a declared prior only: ``gross`` (savings above zero) and ``net`` (savings above
        fees); prior: that prior in words.
    """

    quantities: pd.DataFrame = field(default_factory=_quantities)
    draws: int = 0
    why: str = ""
    prior: str = ""
    probabilities: Mapping[str, Estimate] = field(default_factory=dict)
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {}
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {}
