"""What would each group of respondents have answered if all groups were alike? Answers at one case mix.

Weighted least squares of the score on the respondents' characteristics and a constant for each group (an
organisation in a wave): y_i* = y_i - (x_i - xbar) b, with xbar the weighted mean of all respondents.
Constants of groups keep differences between organisations and waves out of b, so that the adjustment cannot
take a part of the effect away. Source: ``docs/methods/survey.md``, case mix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

AGE_YEARS = 10.0
"""Ages count in decades, risk in multiples of the respondents' mean: numbers of about one."""
RESPONDENTS_FOR_EACH = 10
"""Fewer degrees of freedom for each characteristic would adjust by chance."""


@dataclass(frozen=True, kw_only=True)
class CaseMix:
    """Adjusted scores (n,), the coefficients by column, and why there are none (else empty)."""

    adjusted: np.ndarray
    coefficients: dict[str, float]
    note: str = ""


def characteristics(rows: pd.DataFrame, adjust: Sequence[str]) -> pd.DataFrame:
    """The columns of x: age and its square in decades, female, risk, self-rated health, each mode but one.

    Arguments
        rows: one row per respondent and day: ``age``, ``female``, ``risk``, ``health``, ``mode``, NaN where
            unknown. Unknown values are the mean of the known; a characteristic that nobody has is left out.
    """
    found: dict[str, np.ndarray] = {}
    for name in adjust:
        if name == "mode":
            modes = sorted(set(rows["mode"]))
            found |= {f"mode {m or 'unknown'}": (rows["mode"] == m).to_numpy(dtype=float) for m in modes[1:]}
            continue
        column = {"sex": "female", "self_rated_health": "health"}.get(name, name)
        values = rows[column].to_numpy(dtype=float)
        if not np.isfinite(values).any():
            continue
        values = np.where(np.isfinite(values), values, np.nanmean(values))
        if name == "age":
            decades = (values - values.mean()) / AGE_YEARS
            found |= {"age": decades, "age squared": decades**2}
        elif name == "risk":
            found["risk"] = values / values.mean() if values.mean() > 0 else values
        else:
            found[column] = values
    return pd.DataFrame(found, index=rows.index)


def adjusted(y: np.ndarray, x: pd.DataFrame, group: np.ndarray, weight: np.ndarray) -> CaseMix:
    """Scores at the mean case mix.

    Arguments
        y: (n,) scores. x: (n, K) characteristics. group: (n,) numbers of groups. weight: (n,) above zero.

    Without enough respondents the scores are returned as they are, with a note.

    >>> x = pd.DataFrame({"female": [0.0, 1.0] * 20})
    >>> found = adjusted(np.r_[[0.0, 1.0] * 10, [1.0, 2.0] * 10], x, np.repeat([0, 1], 20), np.ones(40))
    >>> round(found.coefficients["female"], 9), found.adjusted[[0, 1, 20]].round(9).tolist()
    (1.0, [0.5, 0.5, 1.5])
    """
    columns = [c for c in x.columns if np.ptp(_within(x[c].to_numpy(dtype=float), group, weight)) > 1e-9]
    spare = len(y) - len(np.unique(group))
    if not columns:
        return CaseMix(adjusted=y, coefficients={})
    if spare < RESPONDENTS_FOR_EACH * len(columns):
        return CaseMix(adjusted=y, coefficients={}, note="too few respondents to adjust for case mix")
    values = x[columns].to_numpy(dtype=float)
    root = np.sqrt(weight)
    inside = np.column_stack([_within(v, group, weight) for v in values.T])
    b = np.linalg.lstsq(inside * root[:, None], _within(y, group, weight) * root, rcond=None)[0]
    mean = np.average(values, axis=0, weights=weight)
    return CaseMix(adjusted=y - (values - mean) @ b, coefficients=dict(zip(columns, b.tolist(), strict=True)))


def _within(values: np.ndarray, group: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Values less the weighted mean of their group."""
    total = np.bincount(group, weight)
    return values - (np.bincount(group, weight * values) / total)[group]
