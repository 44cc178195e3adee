"""What do group-time effects add up to: over all, by time since the start, by wave, by calendar time?

Weights are the shares of the waves among sampling units; they are estimated too, and their part is in the
standard error wherever more than one wave is mixed (Callaway and Sant'Anna 2021, section 3.1 and remark 10).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from medhome.models.panels.group_time_cells import GroupTime
from medhome.models.panels.multiplier import critical_value
from medhome.study.problems import ModelRefusal

AGGREGATES = ("simple", "dynamic", "group", "calendar")
KEYS = {"dynamic": "event_time", "group": "group", "calendar": "time"}


@dataclass(frozen=True, kw_only=True)
class Aggregate:
    """An overall effect and the effects by ``key`` that it averages.

    simple: every cell after the start, by size of the wave. dynamic: mean of the effects at times 0 and more
    since the start. group: mean over time within a wave, then by size of the wave. calendar: mean over time
    of what the waves treated by then show. influence (n,) and by_influence (n, k) belong to them; reference
    marks base times, whose effect is 0 by construction.
    """

    kind: str
    estimate: float
    influence: np.ndarray
    key: np.ndarray
    by_estimate: np.ndarray
    by_influence: np.ndarray
    reference: np.ndarray

    def se(self, effects: GroupTime) -> float:
        return float(np.sqrt(effects.covariance(self.influence[:, None])[0, 0]))

    def covariance(self, effects: GroupTime) -> np.ndarray:
        """(k, k) covariance of the effects by key: with ``key`` and ``by_estimate`` all that sensitivity
        bounds need of an event study."""
        return effects.covariance(self.by_influence)

    def table(
        self, effects: GroupTime, df: float, bands: str | None = None, draws: int = 9_999, seed: int = 1
    ) -> tuple[pd.DataFrame, float]:
        """One row a key with pointwise intervals and, where asked, the simultaneous band of the rows, and
        the critical value of the band."""
        columns, c = uncertainty(self.by_estimate, self.by_influence, effects, df, bands, draws, seed)
        return pd.DataFrame({KEYS[self.kind]: self.key}).join(columns), c


def aggregate(effects: GroupTime, kind: str = "simple") -> Aggregate:
    """The effects of cells, averaged. See `Aggregate` for the four kinds."""
    if kind not in AGGREGATES:
        raise ModelRefusal(f"aggregate is one of {', '.join(AGGREGATES)}, not {kind!r}")
    post = effects.time >= effects.group
    if kind == "simple":
        estimate, influence = _by_size(effects, post)
        return Aggregate(
            kind=kind, estimate=estimate, influence=influence, key=np.zeros(0), by_estimate=np.zeros(0),
            by_influence=np.zeros((len(influence), 0)), reference=np.zeros(0, bool),
        )
    event = effects.time - effects.group
    of, wanted = {"dynamic": (event, post | True), "group": (effects.group, post),
                  "calendar": (effects.time, post)}[kind]
    keys = np.unique(of[wanted])
    parts = []
    for key in keys:
        chosen = wanted & (of == key)
        # Inside one wave every weight is 1/k, known: nothing of the weights is estimated.
        parts.append(_evenly(effects, chosen) if kind == "group" else _by_size(effects, chosen))
    by_estimate = np.array([p[0] for p in parts])
    by_influence = np.column_stack([p[1] for p in parts])
    reference = np.array([bool(effects.reference[wanted & (of == key)].all()) for key in keys])
    if kind == "group":
        estimate, influence = _mix(effects, keys, by_estimate, by_influence)
    else:
        counted = keys >= 0 if kind == "dynamic" else np.ones(len(keys), bool)
        estimate, influence = float(by_estimate[counted].mean()), by_influence[:, counted].mean(axis=1)
    return Aggregate(
        kind=kind, estimate=estimate, influence=influence, key=keys, by_estimate=by_estimate,
        by_influence=by_influence, reference=reference,
    )


def _evenly(effects: GroupTime, chosen: np.ndarray) -> tuple[float, np.ndarray]:
    return float(effects.estimate[chosen].mean()), effects.influence[:, chosen].mean(axis=1)


def _by_size(effects: GroupTime, chosen: np.ndarray) -> tuple[float, np.ndarray]:
    return _mix(effects, effects.group[chosen], effects.estimate[chosen], effects.influence[:, chosen])


def _mix(
    effects: GroupTime, groups: np.ndarray, estimate: np.ndarray, influence: np.ndarray
) -> tuple[float, np.ndarray]:
    """Average weighted by the share of each wave, with the influence of the estimated shares."""
    weights = effects.weights / effects.weights.mean()
    waves, which = np.unique(groups, return_inverse=True)
    member = weights[:, None] * (effects.first_treated[:, None] == waves)
    share = member.mean(axis=0)[which]
    total = share.sum()
    mean = float(share @ estimate / total)
    # d(mean)/d(share of a wave) = sum over its cells of (estimate - mean) / total.
    slope = np.bincount(which, weights=estimate - mean, minlength=len(waves)) / total
    return mean, influence @ (share / total) + member @ slope - float(member.mean(axis=0) @ slope)


def uncertainty(
    estimate: np.ndarray, influence: np.ndarray, effects: GroupTime, df: float,
    bands: str | None, draws: int, seed: int,
) -> tuple[pd.DataFrame, float]:
    """Columns estimate, se, ci_low, ci_high, p and, with ``bands``, band_low and band_high; the critical
    value of the band, NaN without one."""
    parts = effects.parts(influence)
    se = np.sqrt((parts**2).sum(axis=0))
    se = np.where(se > 0, se, np.nan)
    t = stats.t.ppf(0.975, df)
    frame = pd.DataFrame({
        "estimate": estimate, "se": se, "ci_low": estimate - t * se, "ci_high": estimate + t * se,
        "p": 2 * stats.t.sf(np.abs(estimate) / se, df),
    })
    c = math.nan
    if bands:
        c, scale = critical_value(parts, bands, 0.95, draws, seed)
        scale = np.where(scale > 0, scale, np.nan)
        frame["band_low"], frame["band_high"] = estimate - c * scale, estimate + c * scale
    return frame, c


def pretest(effects: GroupTime, clusters: float, anticipated: bool = False) -> dict[str, float]:
    """Are all effects before the start zero? Wald's statistic of the cells before the start less
    anticipation (before the start itself with ``anticipated``, as R ``did`` counts them), its chi-square
    p-value, and that of F(q, G - 1) where clusters are few. NaN where the cells outnumber what varies."""
    lead = 0 if anticipated else effects.anticipation
    before = (effects.time < effects.group - lead) & ~effects.reference
    q = int(before.sum())
    nothing = {"wald": float("nan"), "cells": q, "p_chi2": float("nan"), "p_f": float("nan")}
    if q == 0:
        return nothing
    covariance = effects.covariance(effects.influence[:, before])
    scale = np.sqrt(np.diag(covariance))
    if (scale == 0).any():
        return nothing
    correlation = covariance / np.outer(scale, scale)
    if np.linalg.matrix_rank(correlation, tol=1e-10, hermitian=True) < q:
        return nothing
    t = effects.estimate[before] / scale
    wald = float(t @ np.linalg.solve(correlation, t))
    return {"wald": wald, "cells": q, "p_chi2": float(stats.chi2.sf(wald, q)),
            "p_f": float(stats.f.sf(wald / q, q, clusters - 1))}
