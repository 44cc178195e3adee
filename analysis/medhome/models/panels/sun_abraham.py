"""What did treatment change at each time since the start, when effects differ between waves?

Sun and Abraham (2021): least squares of the outcome on every wave times every time since its start (but the
base), with unit and time effects; the coefficients of a time since the start are averaged over waves by their
share of rows. The comparison is never treated units, or the last wave where nobody is never treated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medhome.models.panels.absorb import least_squares
from medhome.models.panels.conclusion import conclude
from medhome.models.panels.sandwich import Covariance, Regression, wald
from medhome.models.panels.vcov import covariance
from medhome.models.panels.waves import check_size, wave_rows
from medhome.study.panel_data import PanelData
from medhome.study.panel_results import PanelEstimate
from medhome.study.problems import ModelRefusal


def sun_abraham(data: PanelData, *, inference: str = "cr1") -> PanelEstimate:
    """The effect on the treated from a saturated regression: mean over treated rows, each wave and time its
    own coefficient.

    inference: "cr1", "cr2", "cr3", "hc1" or "iid". table: one row a wave and time (group, time, event_time,
    estimate, se, p, interval, weight). details: ``dynamic`` and ``group`` averages, ``covariates``, and the
    joint test ``pretest`` of all cells before the base. Shares are taken as known, as in R fixest. Raises
    `ModelRefusal`; Sun and Abraham (2021, Journal of Econometrics 225).

    >>> from medhome.models.panels.reading import panel_from_frame
    >>> frame = pd.DataFrame([(i, t, 2 if i < 2 else 0, i + t + 3.0 * (i < 2 and t == 2) + i * t % 3)
    ...                       for i in range(6) for t in (1, 2)], columns=["id", "t", "g", "y"])
    >>> round(sun_abraham(panel_from_frame(frame, "y", "id", "t", first_treated="g")).estimate, 10)
    3.75
    """
    rows = wave_rows(data)
    keep, first = rows.keep, rows.first[rows.keep]
    time = data.times[data.time[keep]]
    cells = [(g, t) for g in rows.waves for t in np.unique(time[first == g]) if t != rows.reference[g]]
    check_size(int(keep.sum()), len(cells) + len(data.covariate_names), "sun_abraham")
    columns = [((first == g) & (time == t)).astype(float) for g, t in cells]
    names = [f"wave {g:g} at {t:g}" for g, t in cells]
    weights = data.weights[keep]
    fit = least_squares(
        data.outcome[keep],
        np.column_stack([data.covariates[keep], *columns]),
        [*data.covariate_names, *names],
        weights=weights,
        effects={data.unit_name: data.unit[keep], data.time_name: time},
    )
    lost = [name for name in names if name in fit.dropped]
    if lost:
        raise ModelRefusal(f"not identified beside unit and time effects: {', '.join(lost)}")
    cov = covariance(fit, inference, data.cluster[keep])
    found = pd.DataFrame(
        {
            "group": [g for g, _ in cells],
            "time": [t for _, t in cells],
            "event_time": [t - g for g, t in cells],
            "weight": [float(weights @ c) for c in columns],
        }
    )
    place = np.array([fit.position(name) for name in names])
    table = found.join(_combined(fit, cov, place, np.eye(len(cells))))
    post = (table["event_time"] >= 0).to_numpy()
    share = np.where(post, found["weight"], 0.0)
    chosen = _combined(fit, cov, place, (share / share.sum())[None, :]).iloc[0]
    details: dict[str, Any] = {
        "comparison": "last wave" if rows.last_wave else "never treated",
        "dynamic": _averages(fit, cov, place, found, "event_time", post | True),
        "group": _averages(fit, cov, place, found, "group", post),
    }
    kept = [c for c in data.covariate_names if c in fit.names]
    if kept:
        details["covariates"] = {
            c: {"estimate": cov.of(fit, c).estimate, "se": cov.of(fit, c).se} for c in kept
        }
    if (~post).any():
        test = wald(fit.beta[place[~post]], cov.matrix[np.ix_(place[~post], place[~post])], cov.clusters - 1)
        details["pretest"] = {"f": test.statistic, "df1": test.df1, "df2": test.df2, "p": test.p}
    return conclude(
        "sun-abraham",
        data,
        float(chosen["estimate"]),
        float(chosen["se"]),
        float(cov.df_of(_row(fit, place, share))),
        cov.rule,
        cov.clusters,
        (*rows.warnings, *fit.warnings, *cov.warnings),
        table,
        details,
    )


def _row(fit: Regression, place: np.ndarray, share: np.ndarray) -> np.ndarray:
    combination = np.zeros(len(fit.beta))
    combination[place] = share / share.sum()
    return combination


def _combined(fit: Regression, cov: Covariance, place: np.ndarray, weights: np.ndarray) -> pd.DataFrame:
    """Estimate and uncertainty of each row of weights (r, cells)."""
    out = []
    for row in weights:
        combination = np.zeros(len(fit.beta))
        combination[place] = row
        found = cov.inference(fit, combination)
        out.append((found.estimate, found.se, found.p, *found.ci))
    return pd.DataFrame(out, columns=["estimate", "se", "p", "ci_low", "ci_high"])


def _averages(
    fit: Regression, cov: Covariance, place: np.ndarray, cells: pd.DataFrame, by: str, chosen: np.ndarray
) -> list[dict[str, float]]:
    keys = np.unique(cells[by][chosen])
    share = np.array([np.where(chosen & (cells[by] == key), cells["weight"], 0.0) for key in keys])
    rows = _combined(fit, cov, place, share / share.sum(axis=1, keepdims=True))
    rows.insert(0, by, keys)
    return [{str(k): float(v) for k, v in row.items()} for row in rows.to_dict("records")]
