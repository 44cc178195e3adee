"""Two by two: how much more did the treated change than a comparison, from before the start to after it?

Without covariates, the difference of differences by least squares. With covariates, by outcome regression,
inverse propensity weights, or both (doubly robust, the default: right when either model is), never by adding
covariates to two-way fixed effects in silence; ``method="regression"`` asks for that by name.
Source: ``docs/methods/panel-estimators.md``, two by two.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from medhome.models.panels.absorb import codes, least_squares
from medhome.models.panels.conclusion import finished
from medhome.models.panels.doubly_robust import (
    INFLUENCES,
    CellEffects,
    design,
    panel_effects,
    repeated_effect,
)
from medhome.models.panels.sandwich import Inference, Rule
from medhome.models.panels.slope import cluster_cautions, known, slope_estimate, study_warnings
from medhome.models.panels.twfe import TREATED
from medhome.models.panels.vcov import influence_error
from medhome.study.panel_data import PanelData
from medhome.study.panel_results import PanelEstimate
from medhome.study.problems import ModelRefusal

Method = Literal["regression", "dr", "dr-improved", "ipw", "outcome_regression"]
METHODS = ("regression", "dr", "dr-improved", "ipw", "outcome_regression")
FORMS = {"dr": "dr", "dr-improved": "dr-improved", "ipw": "ipw", "outcome_regression": "reg"}


def did2x2(
    data: PanelData,
    *,
    method: Method | None = None,
    inference: str = "cr1",
    rule: Rule = "fixest",
    seed: int = 1,
    influence: str = "reference",
) -> PanelEstimate:
    """Effect on the treated of one start, all periods before it against all from it on.

    method: regression (the default without covariates), dr (the default with), dr-improved (bias-reduced),
    ipw, outcome_regression.
    A panel uses each unit's change and its covariates before the start; rows of which no unit is seen on both
    sides (or several rows of a unit at one time) are a repeated cross-section. inference: regression has all;
    the others have hc1 (rows or units) and cr1 (influence summed by cluster), both without a small-sample
    factor and with the normal law, as their source. table: means of the four cells. influence (dr in a
    repeated cross-section): "reference", errors as R ``DRDID`` prints them, or "exact", the estimate's own
    derivative, whose error is in details either way (``docs/methods/panel-estimators.md``).

    >>> import pandas as pd
    >>> from medhome.models.panels.reading import panel_from_frame
    >>> frame = pd.DataFrame({"id": [1, 1, 2, 2, 3, 3], "t": [1, 2] * 3, "d": [0, 1, 0, 0, 0, 0],
    ...                       "y": [1.0, 5.0, 1.0, 2.0, 0.0, 2.0]})
    >>> round(did2x2(panel_from_frame(frame, "y", "id", "t", treated="d")).estimate, 9)
    2.5
    """
    chosen = method or ("dr" if data.covariate_names else "regression")
    if chosen not in METHODS:
        raise ModelRefusal(f"did2x2 has no method {chosen!r}; it has {', '.join(METHODS)}.")
    warnings = study_warnings(data, "did2x2")
    if len(data.cohorts) > 1:
        raise ModelRefusal(
            f"did2x2 has one start, the data have {len(data.cohorts)}; use callaway-santanna or imputation."
        )
    if not (~data.group).any():
        raise ModelRefusal("did2x2: no unit is untreated throughout.")
    after = np.asarray(data.times[data.time] >= data.cohorts[0])
    panel, incomplete = _both_sides(data, after)
    if incomplete.any() and panel:
        labels = [data.unit_labels[u] for u in np.unique(data.unit[incomplete])]
        shown = ", ".join(labels[:5]) + (", ..." if len(labels) > 5 else "")
        warnings = (*warnings, f"{len(labels)} units seen only before or only after the start: {shown}.")
    if chosen == "regression":
        return _regression(data, after, panel, inference, rule, seed, warnings)
    known(inference, ("hc1", "cr1"), f"did2x2 by {chosen}")
    return _weighted(data, after, panel, incomplete, chosen, inference, warnings, influence)


def _both_sides(data: PanelData, after: np.ndarray) -> tuple[bool, np.ndarray]:
    """Whether units are followed across the start, and (N,) rows of units that are not."""
    seen = np.zeros((data.units, 2), dtype=bool)
    seen[data.unit, after.astype(int)] = True
    both = np.asarray(seen.all(axis=1))
    return bool(data.one_row_each and both.any()), ~both[data.unit]


def cells(data: PanelData, after: np.ndarray) -> pd.DataFrame:
    """Weighted mean, rows and weight of the four cells."""
    records = []
    for group in (True, False):
        for late in (False, True):
            rows = (data.group == group) & (after == late)
            if not rows.any():
                raise ModelRefusal(
                    f"did2x2: no row of the {'treated' if group else 'comparison'} group "
                    f"{'after' if late else 'before'} the start."
                )
            w = data.weights[rows]
            records.append(
                {
                    "group": "treated" if group else "comparison",
                    "after": late,
                    "rows": int(rows.sum()),
                    "weight": float(w.sum()),
                    "mean": float(w @ data.outcome[rows] / w.sum()),
                }
            )
    return pd.DataFrame(records)


def _regression(
    data: PanelData,
    after: np.ndarray,
    panel: bool,
    inference: str,
    rule: Rule,
    seed: int,
    warnings: tuple[str, ...],
) -> PanelEstimate:
    late = after.astype(float)[:, None]
    if panel:
        effects = {data.unit_name: data.unit, data.time_name: data.time}
        x = _before(data, after)[data.unit] * late if data.covariate_names else data.covariates
    else:
        effects = {"group": data.group.astype(int), data.time_name: data.time}
        x = data.covariates
    fit = least_squares(
        data.outcome,
        np.column_stack([data.treated, x]),
        [TREATED, *data.covariate_names],
        weights=data.weights,
        effects=effects,
    )
    found = slope_estimate(
        "did2x2",
        data,
        fit,
        TREATED,
        inference=inference,
        rule=rule,
        seed=seed,
        effects=effects,
        covariates=x,
        warnings=warnings,
        details={"method": "regression", "form": "panel" if panel else "repeated cross-section"},
    )
    coefficients = found.table.to_dict("records")
    return replace(
        found, table=cells(data, after), details={**found.details, "coefficients": coefficients}
    )


def _before(data: PanelData, after: np.ndarray) -> np.ndarray:
    """(U, K) covariates of each unit in its last row before the start; zero where it has none."""
    out = np.zeros((data.units, data.covariates.shape[1]))
    early = np.flatnonzero(~after)
    out[data.unit[early]] = data.covariates[early]  # rows are in the order of time: the last one stays
    return out


def _unit_means(data: PanelData, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    w = np.bincount(data.unit[rows], weights=data.weights[rows], minlength=data.units)
    total = np.bincount(data.unit[rows], weights=(data.weights * data.outcome)[rows], minlength=data.units)
    count = np.maximum(np.bincount(data.unit[rows], minlength=data.units), 1)
    return np.divide(total, w, out=np.zeros_like(w), where=w > 0), w / count


def _weighted(
    data: PanelData,
    after: np.ndarray,
    panel: bool,
    incomplete: np.ndarray,
    method: str,
    inference: str,
    warnings: tuple[str, ...],
    influence: str,
) -> PanelEstimate:
    details: dict[str, Any] = {"method": method, "form": "panel" if panel else "repeated cross-section"}
    if panel:
        used = np.unique(data.unit[~incomplete])
        (late, _), (early, weight) = _unit_means(data, after), _unit_means(data, ~after)
        first = np.unique(data.unit, return_index=True)[1]
        d = data.group[first][used].astype(float)
        x = design(_before(data, after)[used], data.covariate_names, d == 0, "did2x2")
        cluster, rows = data.cluster[first][used], int((~incomplete).sum())
        found = panel_effects(d, (late - early)[used, None], x, weight[used], FORMS[method], "did2x2")
    else:
        d = data.group.astype(float)
        x = design(data.covariates, data.covariate_names, d == 0, "did2x2")
        cluster, rows = data.cluster, data.rows
        post = after.astype(float)

        def by(influence: str) -> CellEffects:
            return repeated_effect(
                d, post, data.outcome, x, data.weights, FORMS[method], "did2x2", influence=influence
            )

        found = by(influence)
        if method == "dr":
            exact = by("exact").influence[:, 0]
            details["se_exact_influence"] = influence_error(exact, cluster if inference == "cr1" else None)
    if found.trimmed:
        warnings = (
            *warnings,
            f"{found.trimmed} comparison rows with a propensity of 0.995 or more left out.",
        )
    se = influence_error(found.influence[:, 0], cluster if inference == "cr1" else None)
    return finished(
        "did2x2",
        data,
        Inference.of(float(found.att[0]), se, math.inf),
        f"influence function, {'summed by cluster' if inference == 'cr1' else 'by row or unit'}, no "
        "small-sample factor; normal"
        + (f"; {INFLUENCES[influence]}" if method.startswith("dr") and not panel else ""),
        rows=rows,
        units=len(used) if panel else data.units,
        clusters=len(np.unique(codes(cluster))),
        warnings=(*warnings, *cluster_cautions(data, inference)),
        table=cells(data, after),
        details={**details, "trimmed": found.trimmed},
    )
