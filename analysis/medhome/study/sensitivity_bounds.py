"""SensitivityResult: how far may trends have parted before the finding goes?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

KINDS = ("relative-magnitudes", "smoothness")


@dataclass(frozen=True, kw_only=True)
class SensitivityResult:
    """Bounds on one effect of an event study under a stated departure from parallel trends.

    kind: one of `KINDS`. effect: which effect, in words. estimate, se: the event study's own; original: its
    interval, which takes trends as parallel. frame: one row per bound, ``M`` (for relative magnitudes a
    multiple of the largest change before the start; for smoothness in units of the outcome, the largest
    change of slope from period to period), ``lower``, ``upper``. breakdown: the M up to which the
    interval leaves zero out, found to 0.001 of M or of its own size; 0 where it holds zero at M = 0 already,
    infinite where no M brings zero in. rule: how the interval is made. warnings: one sentence each.

    >>> frame = pd.DataFrame({"M": [0.0, 1.0], "lower": [1.0, -1.0], "upper": [3.0, 5.0]})
    >>> SensitivityResult(kind="smoothness", effect="first period", level=0.95, estimate=2.0, se=0.5,
    ...     original=(1.0, 3.0), pre=2, post=1, frame=frame, breakdown=0.5, rule="").to_json()["breakdown"]
    0.5
    """

    kind: str
    effect: str
    level: float
    estimate: float
    se: float
    original: tuple[float, float]
    pre: int
    post: int
    frame: pd.DataFrame
    breakdown: float
    rule: str
    warnings: tuple[str, ...] = field(default=())

    def to_frame(self) -> pd.DataFrame:
        """One row per bound: M, lower, upper."""
        return self.frame.copy()

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it: a breakdown value without end is null."""
        return {
            "kind": self.kind,
            "effect": self.effect,
            "level": self.level,
            "estimate": self.estimate,
            "se": self.se,
            "original": list(self.original),
            "pre": self.pre,
            "post": self.post,
            "bounds": [{k: float(v) for k, v in row.items()} for row in self.frame.to_dict("records")],
            "breakdown": self.breakdown if math.isfinite(self.breakdown) else None,
            "rule": self.rule,
            "warnings": list(self.warnings),
        }
