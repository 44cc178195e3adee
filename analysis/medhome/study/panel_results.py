"""PanelEstimate: what a difference-in-differences estimator found in any panel."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True, kw_only=True)
class PanelEstimate:
    """One estimate with its uncertainty, the rule behind it, and the estimator's own table.

    estimate, se, p, df: NaN (``None`` in JSON) where the estimator or the rule gives none; df may be
    infinite (normal). ci, ci90: 95% and 90% intervals. rows, units, clusters: what was used. rule: the
    small-sample rule of the standard error, in words. warnings: one sentence each. table: the estimator's
    own (group-time effects, weights, event times, coefficients). details: further named numbers
    (a joint pre-trend test, a weighted total), each a float, a string or a list.
    """

    estimator: str
    estimate: float
    se: float
    ci: tuple[float, float]
    p: float
    df: float
    rows: int
    units: int
    clusters: int
    rule: str
    ci90: tuple[float, float] = (math.nan, math.nan)
    warnings: tuple[str, ...] = ()
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    details: dict[str, Any] = field(default_factory=dict)

    def to_frame(self) -> pd.DataFrame:
        """One row: the estimate and its uncertainty."""
        plain = self.to_json()
        return pd.DataFrame(
            [
                {k: v for k, v in plain.items() if k not in ("table", "details", "ci", "ci90")}
                | {"ci_low": self.ci[0], "ci_high": self.ci[1]}
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it: no NaN, no infinity."""
        return {
            "estimator": self.estimator,
            "estimate": _plain(self.estimate),
            "se": _plain(self.se),
            "ci": [_plain(v) for v in self.ci],
            "ci90": [_plain(v) for v in self.ci90],
            "p": _plain(self.p),
            "df": _plain(self.df),
            "rows": self.rows,
            "units": self.units,
            "clusters": self.clusters,
            "rule": self.rule,
            "warnings": list(self.warnings),
            "table": [{str(k): _plain(v) for k, v in row.items()} for row in self.table.to_dict("records")],
            "details": {k: _plain(v) for k, v in self.details.items()},
        }

    def summary(self) -> str:
        """The result in a few lines of text."""
        lines = [
            f"{self.estimator}: {self.estimate:.6g} (se {self.se:.6g}; 95% interval {self.ci[0]:.6g} to "
            f"{self.ci[1]:.6g}; p {self.p:.4g})",
            f"rows {self.rows}, units {self.units}, clusters {self.clusters}; {self.rule}",
        ]
        return "\n".join([*lines, *(f"warning: {w}" for w in self.warnings)])


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(v) for v in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value
