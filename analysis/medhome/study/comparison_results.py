"""What the weights of the comparison group did: balance before and after, overlap, how much is left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pandas as pd

from medhome.study.frames import frame_without_rows

_KINDS: dict[str, dict[str, str]] = {
    "balance": {
        "characteristic": "str", "label": "str", "unit": "str", "treated": "float64",
        "comparison": "float64", "weighted": "float64", "smd": "float64", "smd_weighted": "float64",
        "variance_ratio": "float64", "variance_ratio_weighted": "float64",
    },
    "groups": {
        "group": "str", "practices": "int64", "kept": "int64", "effective": "float64",
        "largest_share": "float64",
    },
    "trimming": {"rule": "str", "group": "str", "practices": "int64"},
    "placebo": {
        "weights": "str", "label": "str", "estimate": "float64", "se": "float64", "lo95": "float64",
        "hi95": "float64",
    },
}  # fmt: skip


def empty(name: str) -> pd.DataFrame:
    """One of the frames of `ComparisonGroup`, without rows."""
    return frame_without_rows(_KINDS[name])


@dataclass(frozen=True, kw_only=True)
class ComparisonGroup:
    """How alike are the arms once comparison practices are weighted, and how much of them is left?

    method: "none", "propensity" or "entropy"; rule: in words. balance: exhibit T2 with the ``weighted``
        comparison group beside it (members by months, times their practice's weight): means, standardised
        differences (over the unweighted pooled deviation, so that both compare) and variance ratios.
    groups: of each arm its ``practices``, those ``kept``, how many equal ones they weigh as much as
        (``effective``), and the ``largest_share`` of the arm's weight on one practice.
    trimming: practices left out, or cut to a largest share, by rule. placebo: only where cost before the
        start was matched on: the change into its last period, in which nothing happened, with that match and
        without. warnings: sentences.
    """

    method: str = "none"
    rule: str = ""
    balance: pd.DataFrame = field(default_factory=lambda: empty("balance"))
    groups: pd.DataFrame = field(default_factory=lambda: empty("groups"))
    trimming: pd.DataFrame = field(default_factory=lambda: empty("trimming"))
    placebo: pd.DataFrame = field(default_factory=lambda: empty("placebo"))
    warnings: tuple[str, ...] = ()
    COUNTS: ClassVar[dict[str, tuple[str, ...]]] = {}
    RESTING: ClassVar[dict[str, tuple[str, ...]]] = {}
