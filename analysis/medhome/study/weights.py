"""Weights: how much each comparison row counts, so that the groups look alike, and how far they then do."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True, kw_only=True)
class OutcomeLevelPlacebo:
    """What matching on levels of past outcomes does where nothing happened (regression to the mean).

    Weights are made without the last baseline period; then the treated rows' change into that period is
    compared with the comparisons'. estimate, se, ci95: with outcome levels among the covariates;
    plain_estimate, plain_se: without them. clusters: behind the errors. note: how to read it.
    """

    estimate: float
    se: float
    ci95: tuple[float, float]
    plain_estimate: float
    plain_se: float
    clusters: int
    note: str


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Weights of N rows that make each group's covariates look like the target group's.

    method, rule: in words. groups: names, the target first. group: (N,) position in ``groups``.
    weights: (N,), zero where trimmed; target rows keep their base weight and each other group sums to the
    target's total. kept: (N,) not trimmed. scores: (N, groups - 1) the propensity of the target group against
    each other group (no columns for entropy balancing).

    summary: one row per group: ``group``, ``rows``, ``kept``, ``total_weight``, ``effective_sample_size``
    ((sum w)^2 / sum w^2), ``largest_share`` of the group's weight on one row.
    trimming: one row per rule and group: ``rule``, ``group``, ``rows`` (left out, or cut to a largest share).
    balance: one row per covariate and group other than the target: ``covariate``, ``group``, ``target_mean``,
    ``mean_before``, ``mean_after``, ``smd_before``, ``smd_after`` (target minus group, in pooled standard
    deviations before weighting), ``variance_ratio_before``, ``variance_ratio_after`` (target over group).
    """

    method: str
    rule: str
    groups: tuple[str, ...]
    group: np.ndarray
    weights: np.ndarray
    kept: np.ndarray
    scores: np.ndarray
    summary: pd.DataFrame
    trimming: pd.DataFrame
    balance: pd.DataFrame
    warnings: tuple[str, ...] = ()
    placebo: OutcomeLevelPlacebo | None = field(default=None)

    @property
    def largest_difference(self) -> float:
        """The largest standardised difference that weighting leaves, in absolute value; NaN if undefined."""
        after = self.balance["smd_after"].abs()
        return float("nan") if after.isna().any() else float(after.max())

    def to_json(self) -> dict[str, Any]:
        """Everything but the rows' own weights and scores, as JSON can hold it."""

        def plain(value: Any) -> Any:
            if isinstance(value, (float, np.floating)):
                return float(value) if math.isfinite(value) else None
            return int(value) if isinstance(value, np.integer) else value

        tables = {"summary": self.summary, "trimming": self.trimming, "balance": self.balance}
        placebo = None
        if self.placebo:
            placebo = {k: plain(v) for k, v in vars(self.placebo).items()} | {"ci95": list(self.placebo.ci95)}
        return {
            "method": self.method,
            "rule": self.rule,
            "groups": list(self.groups),
            "rows": len(self.weights),
            **{
                name: [{k: plain(v) for k, v in row.items()} for row in frame.to_dict("records")]
                for name, frame in tables.items()
            },
            "warnings": list(self.warnings),
            "placebo": placebo,
        }
