"""Triple difference: is the effect on people who could be affected larger than on those who could not?

The difference in differences of the affected subgroup less that of the other, so that what moves both
subgroups of the treated alike (a local price, a hospital that closed) falls out. Source: Gruber 1994; Olden
and Moen 2022; ``docs/methods/panel-estimators.md``.
"""

from __future__ import annotations

import numpy as np

from medhome.models.panels.absorb import codes, least_squares
from medhome.models.panels.sandwich import Rule
from medhome.models.panels.slope import INFERENCES, known, slope_estimate, study_warnings
from medhome.study.panel_data import PanelData
from medhome.study.panel_results import PanelEstimate
from medhome.study.problems import ModelRefusal

NAME = "treated in the affected subgroup"


def triple_difference(
    data: PanelData, affected: np.ndarray, *, inference: str = "cr1", rule: Rule = "fixest"
) -> PanelEstimate:
    """Effect of one start on rows with ``affected`` (N,) 1, less that on rows with 0.

    Absorbed: subgroup by time, treated group by time, and units (group by subgroup where rows are a repeated
    cross-section or a unit has both subgroups). table: coefficients.

    >>> import pandas as pd
    >>> from medhome.models.panels.reading import panel_from_frame
    >>> rows = [(4 * g + 2 * s + k, t, g, s, 1.0 * g + s + t + g * t + s * t + 3 * g * s * t + 0.1 * k)
    ...         for g in (0, 1) for s in (0, 1) for k in (0, 1) for t in (0, 1)]
    >>> frame = pd.DataFrame(rows, columns=["u", "t", "g", "s", "y"])
    >>> frame["first"] = frame["g"]
    >>> data = panel_from_frame(frame, "y", "u", "t", first_treated="first", covariates=["s"])
    >>> round(triple_difference(data, data.covariates[:, 0]).estimate, 9)
    3.0
    """
    known(inference, [i for i in INFERENCES if i != "randomization"], "triple difference")
    warnings = study_warnings(data, "triple difference")
    if len(data.cohorts) > 1:
        raise ModelRefusal(f"A triple difference has one start and the data have {len(data.cohorts)}.")
    part = np.asarray(affected, dtype=float)
    if set(np.unique(part)) != {0.0, 1.0}:
        raise ModelRefusal("The subgroup of a triple difference must hold 0 and 1, and both.")
    subgroup, group = part.astype(int), data.group.astype(int)
    periods = len(data.times)
    one_subgroup = len(np.unique(data.unit * 2 + subgroup)) == data.units
    effects = {
        "unit or cell": data.unit if data.one_row_each and one_subgroup else codes(group * 2 + subgroup),
        "subgroup by time": subgroup * periods + data.time,
        "group by time": group * periods + data.time,
    }
    fit = least_squares(
        data.outcome,
        np.column_stack([data.treated * part, data.covariates]),
        [NAME, *data.covariate_names],
        weights=data.weights,
        effects=effects,
    )
    if NAME not in fit.names:
        raise ModelRefusal(
            "The triple difference cannot be told apart from the effects: a subgroup is missing on one side, "
            "or before or after the start."
        )
    return slope_estimate(
        "triple-difference", data, fit, NAME, inference=inference, rule=rule, warnings=warnings
    )
