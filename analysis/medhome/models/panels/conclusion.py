"""From an estimate, its standard error and degrees of freedom to intervals and a p-value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from scipy import stats

from medhome.study.panel_data import PanelData
from medhome.study.panel_results import PanelEstimate


def conclude(
    estimator: str,
    data: PanelData,
    estimate: float,
    se: float,
    df: float,
    rule: str,
    clusters: int,
    warnings: Sequence[str] = (),
    table: pd.DataFrame | None = None,
    details: dict[str, Any] | None = None,
) -> PanelEstimate:
    """The result with t intervals (normal when ``df`` is infinite); without a standard error when it is zero
    or not a number, and the warnings say that nothing varies."""
    warnings = tuple(warnings)
    if not se > 0:
        warnings, se = (*warnings, "no standard error: nothing varies between clusters"), math.nan
    wide, narrow = stats.t.ppf(0.975, df) * se, stats.t.ppf(0.95, df) * se
    return PanelEstimate(
        estimator=estimator,
        estimate=estimate,
        se=se,
        ci=(estimate - wide, estimate + wide),
        ci90=(estimate - narrow, estimate + narrow),
        p=float(2 * stats.t.sf(abs(estimate) / se, df)),
        df=df,
        rows=data.rows,
        units=data.units,
        clusters=clusters,
        rule=rule,
        warnings=warnings,
        table=pd.DataFrame() if table is None else table,
        details=details or {},
    )
