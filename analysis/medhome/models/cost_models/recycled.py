"""By how many dollars does cost differ with one covariate, all else as it is?

Recycled predictions: every row is predicted twice, with and without the change, and the weighted mean of the
difference is the effect. Intervals by the delta method (covariates as they are) or by drawing whole clusters
and fitting again (covariates drawn, too). Source: ``docs/methods/cost-models.md``, recycled predictions.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from medhome.models.cost_models.design import CostTable, independent_columns
from medhome.models.cost_models.model import CostModel, fit_model
from medhome.models.panels.sandwich import Inference
from medhome.study.problems import ModelRefusal, StudyFileError

MOST_FAILED_SHARE = 0.05
FEWEST_DRAWS = 50
COLUMNS = (
    "covariate", "change", "with_change", "without_change", "effect", "se", "ci_low",
    "ci_high", "p", "method",
)  # fmt: skip


def recycled_predictions(
    model: CostModel, table: CostTable, name: str, *, draws: int = 0, seed: int = 1
) -> pd.DataFrame:
    """One row per change of the covariate: mean prediction with and without it, effect, se, 95% interval, p.

    draws: 0 for the delta method, else the number of cluster-bootstrap draws (percentile interval; p from
    estimate and bootstrap se). Raises `ModelRefusal` where the covariate was left out as collinear.
    """
    if draws and draws < FEWEST_DRAWS:
        raise StudyFileError(f"{draws} bootstrap draws give no interval; ask for {FEWEST_DRAWS} or more")
    term = table.term(name)
    gone = [table.names[k] for k in term.columns if k not in table.kept]
    if gone:
        raise ModelRefusal(
            f"{', '.join(gone)} was left out as collinear, so cost with and without it cannot be told apart."
        )
    errors = model.errors(table)
    share = table.weights / table.weights.sum()
    changes = table.contrasts(name)
    drawn = _bootstrap(model, table, name, draws, seed) if draws else None
    rows = []
    for k, (change, high, low) in enumerate(changes):
        above, below = float(share @ model.mean(high)), float(share @ model.mean(low))
        if drawn is None:
            gradient = model.gradient(high, share) - model.gradient(low, share)
            se = float(np.sqrt(max(gradient @ errors.matrix @ gradient, 0.0)))
            found = Inference.of(above - below, se, errors.df)
            low_end, high_end, method = found.ci[0], found.ci[1], "delta method"
        else:
            values = drawn[:, k]
            found = Inference.of(above - below, float(values.std(ddof=1)), errors.df)
            low_end, high_end = (float(v) for v in np.quantile(values, (0.025, 0.975)))
            method = f"cluster bootstrap, {len(values)} draws"
        rows.append(
            (name, change, above, below, found.estimate, found.se, low_end, high_end, found.p, method)
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _bootstrap(model: CostModel, table: CostTable, name: str, draws: int, seed: int) -> np.ndarray:
    """(B, changes) effects from draws of whole clusters; a draw counts how often each cluster came."""
    count = table.clusters
    came = np.random.default_rng([seed, 2]).multinomial(count, np.full(count, 1.0 / count), size=draws)
    changes = [(high, low) for _, high, low in table.contrasts(name)]
    if model.choice.family == "ols":
        # the design is linear, so the effect in a draw is a fixed combination of that draw's coefficients
        return _linear(table, came, np.stack([(high - low)[0] for high, low in changes]))
    x = table.x[:, table.kept]
    found, failed = [], 0
    for times in came:
        weight = table.weights * times[table.cluster]
        use = weight > 0
        w, own = weight[use], x[use]
        if len(independent_columns(own, w)) < own.shape[1]:
            failed += 1
            continue
        try:
            again = fit_model(table.y[use], own, w, table.kept_names, model.choice, start=model.start)
        except ModelRefusal:
            failed += 1
            continue
        found.append([float(w @ (again.mean(a[use]) - again.mean(b[use])) / w.sum()) for a, b in changes])
    _enough(failed, draws, name)
    return np.array(found)


def _linear(table: CostTable, came: np.ndarray, difference: np.ndarray) -> np.ndarray:
    """All draws of a linear model at once, from each cluster's cross-products."""
    x = table.x[:, table.kept]
    K, G = x.shape[1], table.clusters
    scale = np.sqrt(np.average(x**2, axis=0, weights=table.weights))
    z = x / scale
    gram = np.zeros((G, K, K))
    moment = np.zeros((G, K))
    start = np.flatnonzero(np.r_[True, np.diff(table.cluster) > 0])
    weighted = table.weights[:, None] * z
    for k in range(K):
        gram[:, k] = np.add.reduceat(weighted[:, [k]] * z, start, axis=0)
        moment[:, k] = np.add.reduceat(weighted[:, k] * table.y, start)
    left = np.tensordot(came.astype(float), gram, axes=1)
    right = came @ moment
    singular = np.linalg.cond(left) > 1e12
    _enough(int(singular.sum()), len(came), "the covariates")
    beta = np.linalg.solve(left[~singular], right[~singular][:, :, None])[:, :, 0] / scale
    return np.asarray(beta @ difference.T)


def _enough(failed: int, draws: int, name: str) -> None:
    if failed > MOST_FAILED_SHARE * draws:
        raise ModelRefusal(
            f"{failed} of {draws} bootstrap draws had no fit (a level of {name} without rows, or "
            f"separation); use "
            "the delta method, or join small levels."
        )
