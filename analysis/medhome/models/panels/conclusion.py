"""From an estimate and its uncertainty to a finished result: every estimator of a panel ends here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from medhome.models.panels.sandwich import Inference
from medhome.study.panel_data import PanelData
from medhome.study.panel_results import PanelEstimate


def finished(
    estimator: str,
    data: PanelData,
    found: Inference,
    rule: str,
    *,
    rows: int | None = None,
    units: int | None = None,
    clusters: int | None = None,
    p: float | None = None,
    warnings: Iterable[str] = (),
    table: pd.DataFrame | None = None,
    details: dict[str, Any] | None = None,
) -> PanelEstimate:
    """The result of one inference, each warning once.

    rows, units, clusters: those of ``data`` where an estimator used no fewer. p: where a rank or a bootstrap
    stands in place of the inference's own.
    """
    return PanelEstimate(
        estimator=estimator,
        estimate=found.estimate,
        se=found.se,
        ci=found.ci,
        ci90=found.ci90,
        p=found.p if p is None else p,
        df=found.df,
        rows=data.rows if rows is None else rows,
        units=data.units if units is None else units,
        clusters=data.clusters if clusters is None else clusters,
        rule=rule,
        warnings=tuple(dict.fromkeys(warnings)),
        table=pd.DataFrame() if table is None else table,
        details=details or {},
    )


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
    if not se > 0:
        warnings, se = (*warnings, "no standard error: nothing varies between clusters"), math.nan
    each = Inference.of(estimate, se, df)
    return finished(
        estimator, data, each, rule, clusters=clusters, warnings=warnings, table=table, details=details
    )
