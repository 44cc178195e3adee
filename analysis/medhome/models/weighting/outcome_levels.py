"""What does matching on levels of past outcomes do where nothing happened?

Groups that differ in their lasting level and are matched on a noisy one part again afterwards: each regresses
to its own mean, and a null effect looks real. The worse, the further apart they are and the weaker outcomes
persist. So such weights come with a placebo test: weights are made without the last baseline period, and the
change into it must be alike. Source: Daw and Hatfield (2018), "Matching and regression to the mean in
difference-in-differences analysis", Health Services Research 53:4138-4156; docs/methods, weighting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy import special

from medhome.study.problems import ModelRefusal
from medhome.study.weights import OutcomeLevelPlacebo, Weights


def history(frame: pd.DataFrame, rows: int, *, allowed: bool, four: bool) -> pd.DataFrame:
    """The outcome's baseline levels, one column per period, if they may be matched on at all."""
    if not allowed:
        raise ModelRefusal(
            "propensity: matching on levels of past outcomes regresses to the mean and can make an effect of "
            "nothing; set allow_outcome_levels to do it with a placebo test beside it"
        )
    if four:
        raise ModelRefusal(
            "propensity: outcome levels need one row per unit; leave after out and weight two groups"
        )
    if frame.shape[1] < 2:
        raise ModelRefusal(
            "propensity: the placebo test needs outcome levels of two or more baseline periods, in the "
            "order of time"
        )
    if len(frame) != rows:
        raise ModelRefusal(f"propensity: {len(frame)} rows of outcome levels for {rows} rows of covariates")
    return frame.reset_index(drop=True)


def placebo(
    covariates: pd.DataFrame,
    levels: pd.DataFrame,
    weigh: Callable[[pd.DataFrame], Weights],
    clusters: Sequence | np.ndarray | pd.Series | None,
) -> OutcomeLevelPlacebo:
    """Effect of the last baseline period, in which nothing happened, with and without matching on the
    earlier.

    weigh: makes weights from a frame of covariates. Errors are those of a weighted difference of mean
    changes, clustered, with the weights as given, normal.
    """
    earlier = levels.iloc[:, :-1]
    change = levels.iloc[:, -1].to_numpy(dtype=float) - earlier.to_numpy(dtype=float).mean(1)
    labels = np.arange(len(change)) if clusters is None else pd.factorize(np.asarray(clusters), sort=True)[0]
    if len(labels) != len(change) or (labels < 0).any():
        raise ModelRefusal("propensity: clusters must be one label for each row")
    matched = _difference(weigh(pd.concat([covariates, earlier], axis=1)), change, labels)
    plain = _difference(weigh(covariates), change, labels)
    estimate, se = matched
    z = float(special.ndtri(0.975))
    found = (estimate - z * se, estimate + z * se)
    clear = not found[0] <= 0 <= found[1]
    note = (
        f"matched on outcome levels: placebo effect {estimate:.4g} (95% interval {found[0]:.4g} to "
        f"{found[1]:.4g}) in {levels.columns[-1]!r}, when nothing happened; {plain[0]:.4g} without matching "
        "on them; "
        + (
            "the match regresses to the mean and its effect cannot be believed"
            if clear
            else "zero is possible"
        )
    )
    return OutcomeLevelPlacebo(
        estimate=estimate,
        se=se,
        ci95=found,
        plain_estimate=plain[0],
        plain_se=plain[1],
        clusters=len(np.unique(labels)),
        note=note,
    )


def _difference(found: Weights, change: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Weighted mean change of the treated less the comparisons', and its clustered error (CR1)."""
    signed, residual = np.zeros(len(change)), np.zeros(len(change))
    for k, sign in ((0, 1.0), (1, -1.0)):
        own = found.group == k
        share = found.weights[own] / found.weights[own].sum()
        signed[own] = sign * share
        residual[own] = change[own] - share @ change[own]
    sums = np.bincount(labels, signed * residual)
    clusters = len(np.unique(labels))
    return float(signed @ change), float(np.sqrt(clusters / max(clusters - 1, 1) * (sums @ sums)))
