"""From an estimate and its uncertainty to a finished result: every estimator of a panel ends here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from medhome.models.panels.sandwich import Inference
from medhome.study.panel_data import PanelData
from medhome.study.panel_results import PanelEstimate

MUCH_WEIGHT = 0.5


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
    """The result of one inference, each warning once, with what is weak in any such panel.

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
        warnings=_with_weaknesses(data, tuple(dict.fromkeys(warnings))),
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


def _with_weaknesses(data: PanelData, said: tuple[str, ...]) -> tuple[str, ...]:
    """The warnings of an estimator and, where it has no words of its own for them, what is weak in the panel:
    a heavy cluster, one period before, a wave of one unit, nobody never treated, units of one row."""
    all_said = " ".join(said).lower()
    return (
        *said,
        *(
            text
            for known, text in _weaknesses(data)
            if text not in said and not any(k in all_said for k in known)
        ),
    )


def _weaknesses(data: PanelData) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each weakness after the words by which an estimator would have told it already."""
    weight = np.bincount(data.cluster, weights=data.weights, minlength=data.clusters) / data.weights.sum()
    heavy = int(weight.argmax())
    if data.clusters > 1 and weight[heavy] > MUCH_WEIGHT:
        label = data.cluster_labels[heavy]
        yield (
            (f"cluster {label} holds".lower(),),
            f"Cluster {label} holds {weight[heavy]:.0%} of the weight: the estimate is mostly its own.",
        )
    if not data.group.any():
        return
    inside = data.cohorts[data.cohorts > data.times[0]]
    if len(inside) and (data.times < inside[0]).sum() == 1:
        yield (
            ("one period before", "one pre-period"),
            "Only one period before the first start: trends before it cannot be checked.",
        )
    for g in inside:
        if len(np.unique(data.unit[data.first_treated == g])) == 1 and data.one_row_each:
            yield (
                ("is one unit",),
                f"Wave {g:g} is one unit: whatever else happened to it is in its effect.",
            )
    if data.group.all():
        yield (
            ("never treated",),
            "Nobody is never treated: late effects have only units treated already to be compared with.",
        )
    alone = int((np.bincount(data.unit, minlength=data.units) == 1).sum())
    if alone and data.one_row_each and data.rows > data.units:
        yield (
            ("single row", "unbalanced panel", "without an untreated row"),
            f"{alone} {data.unit_name} with a single row, kept.",
        )
