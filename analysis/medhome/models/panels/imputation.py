"""What did treatment change, row by row, against what untreated rows predict?

Borusyak, Jaravel and Spiess (2024): unit and time effects (and covariates) from the untreated rows predict
each treated row; the effect is the mean of what is left. The most precise of the estimators here when errors
are independent and equal, because every time before treatment counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medhome.models.panels.absorb import least_squares
from medhome.models.panels.conclusion import conclude
from medhome.models.panels.sandwich import cr1, wald
from medhome.models.panels.untreated_model import UntreatedModel
from medhome.study.panel_data import PanelData
from medhome.study.panel_results import PanelEstimate

RULE = (
    "conservative cluster sum of exact leave-in weights times residuals, effects centred by wave and time; "
    "no small-sample factor; normal"
)


def imputation(data: PanelData) -> PanelEstimate:
    """The mean effect over treated rows (weighted by the data's weights).

    table: event_time, estimate, se, interval, p, rows, for times from the start on by imputation, for times
    before it (``pre`` True) by least squares among untreated rows against the last time before the start.
    details: ``pretest`` of those. The error is conservative: what varies between the effects of one wave at
    one time counts as noise. Units with one untreated row are kept. Raises `ModelRefusal` naming units and
    times whose untreated outcome nothing identifies. Review of Economic Studies 91 (2024).

    >>> from medhome.models.panels.reading import panel_from_frame
    >>> frame = pd.DataFrame([(i, t, 2 if i < 2 else 0, i + t + 3.0 * (i < 2 and t == 2) + i * t % 3)
    ...                       for i in range(6) for t in (1, 2)], columns=["id", "t", "g", "y"])
    >>> round(imputation(panel_from_frame(frame, "y", "id", "t", first_treated="g")).estimate, 10)
    3.75
    """
    model = UntreatedModel.fit(data, "imputation")
    treated = ~model.untreated
    event = data.times[data.time] - data.first_treated
    times = np.unique(event[treated])
    target = np.column_stack(
        [data.weights * treated, *(data.weights * treated * (event == e) for e in times)]
    )
    target = target / target.sum(axis=0)
    estimate = target.T @ model.gap
    influence = (
        target * (model.gap[:, None] - _centres(data, model, target))
        - model.carried(target) * (model.gap * model.untreated)[:, None]
    )
    by_cluster = np.column_stack(
        [np.bincount(data.cluster, weights=column, minlength=data.clusters) for column in influence.T]
    )
    se = np.sqrt((by_cluster**2).sum(axis=0))
    rows = [
        _row(data, float(e), float(b), float(s), int((treated & (event == e)).sum()))
        for e, b, s in zip(times, estimate[1:], se[1:], strict=True)
    ]
    before, test = _before(data, model, event)
    details: dict[str, Any] = {"slopes": model.slopes} if model.slopes else {}
    if test:
        details["pretest"] = test
    table = pd.DataFrame([*before, *rows])
    return conclude(
        "imputation",
        data,
        float(estimate[0]),
        float(se[0]),
        np.inf,
        RULE,
        data.clusters,
        (*model.warnings, *one_unit_waves(data)),
        table,
        details,
    )


def one_unit_waves(data: PanelData) -> list[str]:
    """A warning for each wave of a single unit."""
    return [
        f"wave {g:g} is one unit: its effects equal their own centre, so its variation is not in the error"
        for g in data.cohorts
        if len(np.unique(data.unit[data.first_treated == g])) == 1
    ]


def _centres(data: PanelData, model: UntreatedModel, target: np.ndarray) -> np.ndarray:
    """(N, k) mean effect of each wave at each time, weighted by squared weights; zero in untreated rows."""
    cell = np.unique(np.column_stack([data.first_treated, data.time]), axis=0, return_inverse=True)[
        1
    ].reshape(-1)
    out = np.zeros_like(target)
    treated = ~model.untreated
    for k in range(target.shape[1]):
        square = target[:, k] ** 2 * treated
        total = np.bincount(cell, weights=square)
        mean = np.divide(
            np.bincount(cell, weights=square * model.gap), total, out=np.zeros_like(total), where=total > 0
        )
        out[:, k] = mean[cell] * treated
    return out


def _row(
    data: PanelData, event: float, estimate: float, se: float, rows: int, pre: bool = False
) -> dict[str, Any]:
    found = conclude("", data, estimate, se, np.inf, "", data.clusters)
    return {
        "event_time": event,
        "estimate": estimate,
        "se": found.se,
        "ci_low": found.ci[0],
        "ci_high": found.ci[1],
        "p": found.p,
        "rows": rows,
        "pre": pre,
    }


def _before(
    data: PanelData, model: UntreatedModel, event: np.ndarray
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Times before the start among untreated rows, against the last one, and their joint test."""
    o = model.untreated
    early = np.unique(event[o & np.isfinite(event) & data.group])
    early = early[early < early.max(initial=-np.inf)]
    if not len(early):
        return [], {}
    columns = np.column_stack([data.covariates[o], *((event[o] == e).astype(float) for e in early)])
    names = [f"event {e:g}" for e in early]
    fit = least_squares(
        data.outcome[o],
        columns,
        [*data.covariate_names, *names],
        weights=data.weights[o],
        effects={"unit": data.unit[o], "time": data.time[o]},
    )
    cov = cr1(fit, data.cluster[o])
    kept = [(e, fit.position(n)) for e, n in zip(early, names, strict=True) if n in fit.names]
    rows = [
        _row(data, float(e), float(fit.beta[k]), float(cov.se()[k]), int((event[o] == e).sum()), True)
        for e, k in kept
    ]
    place = [k for _, k in kept]
    test = wald(fit.beta[place], cov.matrix[np.ix_(place, place)], cov.clusters - 1)
    return rows, {"f": test.statistic, "df1": test.df1, "df2": test.df2, "p": test.p}
