"""Which comparisons do two-way fixed effects make when waves start at different times, with what weights?

Goodman-Bacon (2021): the coefficient is a weighted mean of two-by-two comparisons, some of which use units
already treated as the comparison; where effects grow, those subtract growth from the effect. The identity
holds on balanced panels only, so others are refused.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from medhome.models.panels.absorb import least_squares
from medhome.models.panels.conclusion import conclude
from medhome.models.panels.vcov import cr1
from medhome.study.panel_data import NEVER, PanelData
from medhome.study.panel_results import PanelEstimate
from medhome.study.problems import ModelRefusal

NEVER_TREATED = "treated vs never treated"
ALWAYS = "later vs always treated"
EARLY = "earlier vs later treated"
LATE = "later vs earlier treated"
SUMS_TO = 1e-10


def bacon(data: PanelData) -> PanelEstimate:
    """The two-way fixed effects coefficient and the two-by-two comparisons that it averages.

    table: treated, comparison (first treated times; inf never, the first time or before always), type,
    estimate, weight; weights sum to one and weight times estimate to the coefficient, which is checked to
    1e-10 against the regression. details: weight and mean by type. The error is that of the regression.
    Refuses unbalanced panels, covariates and weights that change inside a unit. Goodman-Bacon (2021, Journal
    of Econometrics 225, theorem 1).

    >>> from medhome.models.panels.reading import panel_from_frame
    >>> frame = pd.DataFrame([(i, t, g, i + t + 2.0 * (0 < g <= t) * (t - g + 1)) for i, g in
    ...                       enumerate([2, 3, 0]) for t in (1, 2, 3)], columns=["id", "t", "g", "y"])
    >>> found = bacon(panel_from_frame(frame, "y", "id", "t", first_treated="g"))
    >>> round(found.estimate, 9), found.table["type"].value_counts()["treated vs never treated"].item()
    (2.0, 2)
    """
    if not data.balanced:
        raise ModelRefusal(
            f"bacon needs a balanced panel: {data.units} {data.unit_name} by {len(data.times)} times are not "
            f"{data.rows} rows with one each; on others the comparisons do not add up to the coefficient"
        )
    if data.covariate_names:
        raise ModelRefusal("bacon decomposes the coefficient without covariates: leave them out")
    first = np.where(data.group, data.first_treated, NEVER).reshape(data.units, -1)[:, 0]
    weights = data.weights.reshape(data.units, -1)
    if (weights != weights[:, :1]).any():
        raise ModelRefusal("bacon needs weights that do not change inside a unit")
    if not np.isfinite(first).any():
        raise ModelRefusal(f"no {data.unit_name} is treated at a time that the data hold")
    first = np.where(first <= data.times[0], data.times[0], first)
    waves = np.unique(first)
    if len(waves) == 1:
        raise ModelRefusal("all units are treated at the same time: there is nothing to compare with")
    if waves[np.isfinite(waves)].max() <= data.times[0]:
        raise ModelRefusal(
            f"no pre-period: every treated {data.unit_name} is treated from {data.times[0]:g} on, the first "
            "time of the data"
        )
    share = np.array([weights[first == g, 0].sum() for g in waves]) / weights[:, 0].sum()
    y = data.outcome.reshape(data.units, -1)
    mean = np.array([np.average(y[first == g], axis=0, weights=weights[first == g, 0]) for g in waves])
    rows = [
        row
        for k, g in enumerate(waves)
        for m, h in enumerate(waves)
        if k != m
        and (row := _comparison(data.times, float(g), float(h), share[k], share[m], mean[k], mean[m]))
    ]
    table = pd.DataFrame(rows, columns=["treated", "comparison", "type", "estimate", "weight"])
    table["weight"] /= table["weight"].sum()
    fit = least_squares(
        data.outcome,
        data.treated[:, None],
        ["treated"],
        weights=data.weights,
        effects={data.unit_name: data.unit, data.time_name: data.time},
    )
    found = cr1(fit, data.cluster).of(fit, "treated")
    total = float(np.dot(table["weight"].to_numpy(), table["estimate"].to_numpy()))
    if abs(total - found.estimate) > SUMS_TO * max(1.0, float(np.abs(table["estimate"]).max())):
        raise ModelRefusal(
            f"the comparisons add up to {total:.12g}, the regression gives {found.estimate:.12g}: scale the "
            "outcome"
        )
    details = {
        str(name): {
            "weight": float(rows["weight"].sum()),
            "mean": float(np.average(rows["estimate"], weights=rows["weight"])),
        }
        for name, rows in table.groupby("type", sort=True)
    }
    already = float(table.loc[table["type"].isin([LATE, ALWAYS]), "weight"].sum())
    warnings = [f"{already:.0%} of the weight compares with units already treated"] if already > 0 else []
    return conclude(
        "bacon",
        data,
        found.estimate,
        found.se,
        found.df,
        cr1(fit, data.cluster).rule,
        data.clusters,
        (*warnings, *fit.warnings),
        table,
        details,
    )


def _comparison(
    times: np.ndarray,
    g: float,
    h: float,
    share_g: float,
    share_h: float,
    mean_g: np.ndarray,
    mean_h: np.ndarray,
) -> tuple[float, float, str, float, float] | None:
    """The wave g as treated against h: estimate and weight before they are scaled to sum one."""
    if g == times[0] or not np.isfinite(g):
        return None
    d_g, d_h = float((times >= g).mean()), float((times >= h).mean())
    both = share_g + share_h
    balance = share_g * share_h / both**2
    if h > g:  # comparison while it is untreated
        window = times < h
        name = EARLY if np.isfinite(h) else NEVER_TREATED
        weight = (both * (1 - d_h)) ** 2 * balance * (d_g - d_h) / (1 - d_h) * (1 - d_g) / (1 - d_h)
    else:  # comparison that is already treated
        window = times >= h
        name = LATE if h > times[0] else ALWAYS
        weight = (both * d_h) ** 2 * balance * d_g / d_h * (d_h - d_g) / d_h
    post = window & (times >= g)
    pre = window & (times < g)
    gap = mean_g - mean_h
    return g, h, name, float(gap[post].mean() - gap[pre].mean()), float(weight)
