"""Two-way fixed effects: the slope of treatment once units and times are taken out.

The mean of all comparisons of changed with unchanged units, including, where starts are staggered, units
already treated as comparisons: then some weights are negative in effect, and the estimate is shown with the
decomposition (`bacon`), not as a finding. Source: ``docs/methods/panel-estimators.md``.
"""

from __future__ import annotations

import numpy as np

from medhome.models.panels.absorb import least_squares
from medhome.models.panels.bacon import bacon
from medhome.models.panels.sandwich import Rule
from medhome.models.panels.slope import slope_estimate, study_warnings
from medhome.study.panel_data import PanelData
from medhome.study.panel_results import PanelEstimate

TREATED = "treated"


def staggered_warning(data: PanelData) -> tuple[str, ...]:
    """That units already treated serve as comparisons, where there is more than one start."""
    if len(data.cohorts) < 2:
        return ()
    return (
        f"Starts are staggered ({len(data.cohorts)} of them): two-way fixed effects also compare with units "
        "already treated, and can have the wrong sign; see bacon, and callaway-santanna or imputation.",
    )


def decomposes(data: PanelData) -> bool:
    """Whether starts are staggered and the decomposition of Goodman-Bacon holds for the estimate."""
    if len(data.cohorts) < 2 or not data.balanced or data.covariate_names:
        return False
    weights = data.weights.reshape(data.units, -1)
    return bool((weights == weights[:, :1]).all())


def twfe(data: PanelData, *, inference: str = "cr1", rule: Rule = "fixest", seed: int = 1) -> PanelEstimate:
    """Weighted least squares of the outcome on treatment and covariates, unit and time absorbed.

    inference: iid, hc1, cr1, cr2, cr3, wild or randomization, by the data's cluster. rule: small-sample rule
    of cr1 (`sandwich`). table: one row per coefficient. details: ``bacon``, weight and mean by type,
    where starts are staggered and the decomposition holds (balanced, no covariates, weights of units).

    >>> import pandas as pd
    >>> from medhome.models.panels.reading import panel_from_frame
    >>> frame = pd.DataFrame({"id": [1, 1, 2, 2, 3, 3], "t": [1, 2] * 3, "d": [0, 1, 0, 0, 0, 0],
    ...                       "y": [1.0, 5.0, 1.0, 2.0, 0.0, 2.0]})
    >>> round(twfe(panel_from_frame(frame, "y", "id", "t", treated="d")).estimate, 9)
    2.5
    """
    warnings = (*study_warnings(data, "twfe", comparison=True), *staggered_warning(data))
    details = {}
    if decomposes(data):
        parts = bacon(data)
        warnings = (*warnings, *parts.warnings)
        details["bacon"] = parts.details
    effects = {data.unit_name: data.unit, data.time_name: data.time}
    columns = np.column_stack([data.treated, data.covariates])
    fit = least_squares(
        data.outcome, columns, [TREATED, *data.covariate_names], weights=data.weights, effects=effects
    )
    return slope_estimate(
        "twfe",
        data,
        fit,
        TREATED,
        inference=inference,
        rule=rule,
        seed=seed,
        effects=effects,
        covariates=data.covariates,
        warnings=warnings,
        details=details,
    )
