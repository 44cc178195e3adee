"""What did treatment change, once unit and time effects of untreated rows are taken out of all rows?

Gardner (2021): the outcome less the prediction of `UntreatedModel` on treatment. The same estimate as
imputation, with a standard error for both stages as one set of moments.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medhome.models.panels.conclusion import conclude
from medhome.models.panels.imputation import one_unit_waves
from medhome.models.panels.untreated_model import UntreatedModel
from medhome.study.panel_data import PanelData
from medhome.study.panel_results import PanelEstimate

RULE = "cluster sum of the moments of both stages (GMM), no small-sample factor; normal"


def two_stage(data: PanelData) -> PanelEstimate:
    """The effect on the treated in two stages, with the error of both.

    table: event_time, estimate, se, interval, p for every time since the start but the last before it, whose
    rows, with those never treated, are the comparison of the second stage. Raises `ModelRefusal` as
    `medhome.models.panels.imputation.imputation` does. Gardner (2021), "Two-stage differences in
    differences".

    >>> from medhome.models.panels.reading import panel_from_frame
    >>> frame = pd.DataFrame([(i, t, 2 if i < 2 else 0, i + t + 3.0 * (i < 2 and t == 2) + i * t % 3)
    ...                       for i in range(6) for t in (1, 2)], columns=["id", "t", "g", "y"])
    >>> round(two_stage(panel_from_frame(frame, "y", "id", "t", first_treated="g")).estimate, 10)
    3.75
    """
    model = UntreatedModel.fit(data, "two-stage")
    estimate, covariance = _second_stage(data, model, data.treated[:, None])
    event = data.times[data.time] - np.where(data.group, data.first_treated, np.inf)
    finite = np.unique(event[np.isfinite(event)])
    before = finite[finite < 0]
    times = finite[finite != before.max(initial=-np.inf)]
    by_time, by_covariance = _second_stage(
        data, model, np.column_stack([(event == e).astype(float) for e in times])
    )
    rows: list[dict[str, Any]] = []
    for e, b, v in zip(times, by_time, np.diag(by_covariance), strict=True):
        found = conclude("", data, float(b), float(np.sqrt(v)), np.inf, "", data.clusters)
        rows.append(
            {
                "event_time": float(e),
                "estimate": float(b),
                "se": found.se,
                "ci_low": found.ci[0],
                "ci_high": found.ci[1],
                "p": found.p,
                "rows": int((event == e).sum()),
                "pre": bool(e < 0),
            }
        )
    return conclude(
        "two-stage",
        data,
        float(estimate[0]),
        float(np.sqrt(covariance[0, 0])),
        np.inf,
        RULE,
        data.clusters,
        (*model.warnings, *one_unit_waves(data)),
        pd.DataFrame(rows),
        {"slopes": model.slopes} if model.slopes else {},
    )


def _second_stage(data: PanelData, model: UntreatedModel, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (k,) of x (N, k) on the gaps and their covariance (k, k)."""
    wx = data.weights[:, None] * x
    bread = np.linalg.inv(x.T @ wx)
    beta = bread @ (wx.T @ model.gap)
    left = model.gap - x @ beta
    moments = wx * left[:, None] - model.carried(wx) * (model.gap * model.untreated)[:, None]
    sums = np.column_stack(
        [np.bincount(data.cluster, weights=column, minlength=data.clusters) for column in moments.T]
    )
    return beta, bread @ (sums.T @ sums) @ bread
