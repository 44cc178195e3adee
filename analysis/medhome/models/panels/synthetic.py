"""Synthetic difference in differences and synthetic control for one or few treated units of any panel.

Which weighted comparison would have moved like the treated? The error is that of placebos: every comparison
unit (or set of as many as are treated) stands in for the treated once. All of them are tried where that is
possible: with one treated unit there are only as many placebos as comparisons, and a sample of them with
replacement gives another number each time. Source: Arkhangelsky, Athey, Hirshberg, Imbens and Wager 2021;
Abadie, Diamond and Hainmueller 2010; weights by `medhome.models.synthetic_did`.
"""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import Any, Literal

import numpy as np
import pandas as pd

from medhome.models.panels.conclusion import finished
from medhome.models.panels.sandwich import Inference
from medhome.models.panels.slope import known, study_warnings
from medhome.models.synthetic_did import (
    SyntheticDid,
    equal_weights,
    placebo_effects,
    synthetic_control,
    synthetic_did,
    weighted_effect,
)
from medhome.study.panel_data import PanelData
from medhome.study.panel_results import PanelEstimate
from medhome.study.problems import ModelRefusal

Method = Literal["sdid", "sc", "did"]
METHODS = {"sdid": synthetic_did, "sc": synthetic_control, "did": equal_weights}
ENUMERATED_AT_MOST = 500
SAMPLED = 200
STEP = 13


def synthetic(
    data: PanelData, *, method: Method = "sdid", inference: str = "placebo", seed: int = 1
) -> PanelEstimate:
    """Effect on the treated units of one start in a balanced panel.

    method: sdid, sc or did (equal weights). inference: placebo (error from the placebos' population standard
    deviation, normal), randomization (the same, with p the rank of the estimate among the placebos) or
    jackknife (weights kept; two treated units or more). table: ``role`` (unit, time), ``label``, ``weight``.

    >>> import pandas as pd
    >>> from medhome.models.panels.reading import panel_from_frame
    >>> rows = [(u, t, float(u == 0 and t == 3), u + (u % 3 + 1) * t + 2.0 * (u == 0 and t == 3))
    ...         for u in range(7) for t in range(4)]
    >>> frame = pd.DataFrame(rows, columns=["u", "t", "d", "y"])
    >>> found = synthetic(panel_from_frame(frame, "y", "u", "t", treated="d"))
    >>> len(found.table), found.details["placebos"]
    (9, 6)
    """
    known(inference, ("placebo", "randomization", "jackknife"), "synthetic-did")
    if method not in METHODS:
        raise ModelRefusal(f"synthetic-did has no method {method!r}; it has {', '.join(METHODS)}.")
    warnings = list(study_warnings(data, "synthetic-did"))
    y, treated, before = _matrix(data, warnings)
    fit = METHODS[method](y, treated, before)
    names = np.array(data.unit_labels)
    details: dict[str, Any] = {"method": method, "treated": names[treated].tolist()}
    if inference == "jackknife":
        se, p, rule = _jackknife(y, treated, fit), None, "jackknife over units, weights kept; normal"
    else:
        placebos, exact = _placebos(y, treated, before, method, fit, seed)
        se = float(placebos.std())
        extreme = int((np.abs(placebos) >= abs(fit.estimate) * (1 - 1e-12)).sum())
        rank_p = (1 + extreme) / (1 + len(placebos))
        p = rank_p if inference == "randomization" else None
        how = "all of them" if exact else f"a sample, seed {seed}"
        rule = f"population standard deviation of {len(placebos)} placebos ({how}); normal"
        details |= {
            "placebos": len(placebos),
            "exact": exact,
            "placebo_se": se,
            "rank_p": rank_p,
            "smallest_p": 1 / (1 + len(placebos)),
            "placebo_effects": placebos.tolist(),
        }
        if treated.sum() == 1:
            warnings.append(
                "One treated unit: the placebo error is that of comparison units, and is wrong by as much as "
                "the treated unit's noise differs from theirs."
            )
    return finished(
        "synthetic-did" if method == "sdid" else "synthetic-control" if method == "sc" else "did",
        data,
        Inference.of(fit.estimate, se, float("inf")),
        rule,
        clusters=data.units,
        p=p,
        warnings=warnings,
        table=_table(fit, names[~treated], data.times[:before]),
        details=details,
    )


def _matrix(data: PanelData, warnings: list[str]) -> tuple[np.ndarray, np.ndarray, int]:
    """Outcomes (U, T), treated (U,), number of periods before; refused where the method has no meaning."""
    if not data.balanced:
        raise ModelRefusal(
            "synthetic-did needs every unit exactly once at every time; drop units or times with gaps."
        )
    if len(data.cohorts) > 1:
        raise ModelRefusal("synthetic-did has one start; run it for each start apart.")
    if data.covariate_names:
        raise ModelRefusal("synthetic-did takes no covariates; take their part out of the outcome first.")
    if np.ptp(data.weights) > 0:
        warnings.append("Weights are not used: every unit counts once.")
    y = data.outcome.reshape(data.units, len(data.times))
    treated = data.group.reshape(y.shape)[:, 0]
    before = int((data.times < data.cohorts[0]).sum())
    if before < 2:
        raise ModelRefusal("synthetic-did needs two periods before the start or more, to find its weights.")
    if (~treated).sum() < 3:
        raise ModelRefusal("synthetic-did needs three untreated units or more.")
    return y, treated, before


def _placebos(
    y: np.ndarray, treated: np.ndarray, before: int, method: Method, fit: SyntheticDid, seed: int
) -> tuple[np.ndarray, bool]:
    """Effects on stand-ins among the comparisons, and whether all sets of them were tried."""
    comparison, count = y[~treated], int(treated.sum())
    if count == 1 and method == "sdid":
        return placebo_effects(y, treated, before, anew=False), True
    total = len(comparison)
    if total - count < 2:
        raise ModelRefusal("Too few untreated units for placebos; two must be left when as many stand in.")
    exact = comb(total, count) <= ENUMERATED_AT_MOST
    if exact:
        sets = [list(c) for c in combinations(range(total), count)]
    else:
        rng = np.random.default_rng([seed, STEP])
        sets = [sorted(rng.permutation(total)[:count].tolist()) for _ in range(SAMPLED)]
    effects = []
    for chosen in sets:
        standing = np.zeros(total, dtype=bool)
        standing[chosen] = True
        effects.append(METHODS[method](comparison, standing, before).estimate)
    return np.array(effects), exact


def _jackknife(y: np.ndarray, treated: np.ndarray, fit: SyntheticDid) -> float:
    if treated.sum() < 2 or (fit.unit_weights > 0).sum() < 2:
        raise ModelRefusal(
            "The jackknife of synthetic-did needs two treated units and two comparisons; use placebo."
        )
    effects = []
    position = np.cumsum(~treated) - 1
    for u in range(len(y)):
        kept = np.arange(len(y)) != u
        weights = fit.unit_weights
        if not treated[u]:
            weights = np.delete(weights, position[u])
            weights = weights / weights.sum()
        effects.append(weighted_effect(y[kept], treated[kept], weights, fit.month_weights).estimate)
    n = len(effects)
    return float(np.sqrt((n - 1) / n * ((np.array(effects) - np.mean(effects)) ** 2).sum()))


def _table(fit: SyntheticDid, comparison: np.ndarray, before: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "role": ["unit"] * len(comparison) + ["time"] * len(before),
            "label": [*map(str, comparison), *(f"{t:g}" for t in before)],
            "weight": np.r_[fit.unit_weights, fit.month_weights],
        }
    )
