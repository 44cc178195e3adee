"""CostModelResult: what a cost model of any table found, with its tests and its effects in dollars."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True, kw_only=True)
class CostModelResult:
    """One fitted cost model. The outcome's unit is that of the table's column (dollars, dollars PMPM).

    coefficients: one row per part and column (coefficient, se, ci_low, ci_high, p). tests: one row per
    specification test with its meaning in words. predictions: one row per covariate and change, in the
    outcome's unit. references: reference level by categorical covariate. clusters: None where rows stand for
    themselves. weight: sum of the weights. rule: how the standard errors were made. recycle: makes further
    predictions; see `recycled`.
    """

    family: str
    link: str
    power: float | None
    outcome: str
    coefficients: pd.DataFrame
    rule: str
    tests: pd.DataFrame
    predictions: pd.DataFrame
    references: dict[str, str]
    rows: int
    clusters: int | None
    weight: float
    mean_actual: float
    mean_predicted: float
    negative_set_to_zero: int
    negative_sum: float
    warnings: tuple[str, ...] = ()
    recycle: Callable[[str, int, int], pd.DataFrame] = field(repr=False, compare=False)

    def recycled(self, name: str, *, draws: int = 0, seed: int = 1) -> pd.DataFrame:
        """Effect of a covariate on mean cost, all else as it is: one row per change, in the outcome's unit.

        draws: 0 for the delta method, else bootstrap draws of whole clusters (of rows without clusters).
        """
        return self.recycle(name, draws, seed)

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it: no NaN, no infinity."""
        return {
            "family": self.family,
            "link": self.link,
            "power": self.power,
            "outcome": self.outcome,
            "rows": self.rows,
            "clusters": self.clusters,
            "weight": self.weight,
            "mean_actual": self.mean_actual,
            "mean_predicted": self.mean_predicted,
            "negative_set_to_zero": self.negative_set_to_zero,
            "negative_sum": self.negative_sum,
            "rule": self.rule,
            "references": dict(self.references),
            "coefficients": _records(self.coefficients),
            "tests": _records(self.tests),
            "predictions": _records(self.predictions),
            "warnings": list(self.warnings),
        }

    def summary(self) -> str:
        """The result as text: model, coefficients, effects, and what each specification test means."""
        who = "no clusters" if self.clusters is None else f"{self.clusters:,} clusters"
        power = "" if self.power is None else f", variance power {self.power:.4g}"
        lines = [
            f"{self.family} of {self.outcome} ({self.link} link{power}): {self.rows:,} rows, {who}",
            f"mean {self.mean_actual:,.2f}, predicted {self.mean_predicted:,.2f}; {self.rule}",
            *(f"reference level of {name}: {level}" for name, level in self.references.items()),
            "",
            self.coefficients.to_string(index=False, float_format=lambda v: f"{v:.6g}"),
        ]
        if len(self.predictions):
            lines += ["", self.predictions.to_string(index=False, float_format=lambda v: f"{v:,.4f}")]
        if len(self.tests):
            lines += ["", *(f"{row['test']}: {row['meaning']}" for row in self.tests.to_dict("records"))]
        return "\n".join([*lines, *(f"warning: {w}" for w in self.warnings)])


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): _plain(v) for k, v in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value
