"""Is the cost model's variance, its link and its mean right, and does it hold on rows that it has not seen?

Modified Park, Pregibon link, modified Hosmer-Lemeshow, Pearson correlation, Copas on held-out folds: each has
a sentence that is made from its numbers. A test that cannot be computed says why, in the same place.
Source: ``docs/methods/cost-models.md``, specification tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from medhome.models.cost_models.design import CostTable, independent_columns
from medhome.models.cost_models.errors import joint_errors, regression
from medhome.models.cost_models.fitting import Part, family_of, fit_part
from medhome.models.cost_models.model import ASSUMED_POWER, CostModel, fit_model
from medhome.models.panels.absorb import codes
from medhome.models.panels.sandwich import Inference, wald
from medhome.study.display import p_value
from medhome.study.problems import ModelRefusal

FEWEST_ROWS = 20
SMALL = 0.05
"""Share of the mean prediction below which a prediction (of ols, say) has no usable logarithm."""
GROUPS = 10
FAMILIES = {0: "Gaussian", 1: "Poisson", 2: "gamma", 3: "inverse Gaussian"}
COLUMNS = ("test", "statistic", "ci_low", "ci_high", "se", "p", "largest", "mean", "meaning")


def specification_tests(
    model: CostModel,
    table: CostTable,
    *,
    folds: int = 10,
    seed: int = 1,
    held: np.ndarray | None = None,
    floor: int = 1,
) -> pd.DataFrame:
    """One row per test: statistic, 95% interval, standard error, p and what it means, in words.

    ``largest`` is the mean residual of the group that is furthest off and ``mean`` the mean outcome, of the
    test that has groups.

    folds, seed: of the Copas test; whole clusters are held out. held: predictions (N,) on rows left out of
    the fit, where they are known already. floor: numbers of rows below it are not told.
    """
    mean = model.mean(table.x[:, table.kept])
    last = model.parts[-1]
    rows = [
        _row("modified Park", lambda: _park(last, table, model, floor)),
        *[
            _row(
                "Pregibon link" if len(model.parts) == 1 else f"Pregibon link, {part.label}",
                lambda part=part: _link(part, table),  # type: ignore[misc]
            )
            for part in model.parts
        ],
        _row("modified Hosmer-Lemeshow", lambda: _hosmer_lemeshow(mean, table)),
        _row("Pearson correlation", lambda: _pearson(mean, table)),
        _row(
            f"Copas, {folds} folds",
            lambda: _copas(
                held_out(table, fold_fits(model, table, folds, (seed, 1))) if held is None else held, table
            ),
        ),
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(name: str, test: Callable[[], dict[str, object]]) -> dict[str, object]:
    nan = float("nan")
    names = ("statistic", "ci_low", "ci_high", "se", "p", "largest", "mean")
    empty = dict.fromkeys(names, nan)
    try:
        return {"test": name, **empty, **test()}
    except ModelRefusal as refused:
        return {"test": name, **empty, "meaning": f"Could not be computed: {refused}"}


def _of(found: Inference, meaning: str) -> dict[str, object]:
    return {
        "statistic": found.estimate,
        "ci_low": found.ci[0],
        "ci_high": found.ci[1],
        "se": found.se,
        "p": found.p,
        "meaning": meaning,
    }


def _varies(values: np.ndarray, what: str) -> None:
    if np.ptp(values) <= 1e-9 * max(1e-300, float(np.abs(values).max())):
        raise ModelRefusal(f"{what} is the same in all rows.")


def _park(part: Part, table: CostTable, model: CostModel, floor: int) -> dict[str, object]:
    y, scatter = table.y[part.rows], table.scatter[part.rows]
    use = part.mu > SMALL * float(part.mu.mean())
    if table.rows_of(part.rows[use]) < FEWEST_ROWS:
        raise ModelRefusal(f"fewer than {FEWEST_ROWS} predictions are above {SMALL:.0%} of their mean.")
    mu, rows = part.mu[use], part.rows[use]
    _varies(np.log(mu), "the prediction")
    squared = (y[use] - mu) ** 2 + scatter[use]
    if squared.max() <= 1e-18 * float((y[use] ** 2).max()):
        raise ModelRefusal("the model reproduces every outcome, so no variance is left.")
    centre = float(np.log(mu).mean())
    x = np.column_stack([np.ones(len(mu)), np.log(mu) - centre])
    scaled = squared / squared.mean()
    fit = fit_part(scaled, x, table.weights[rows], family_of("gamma"), ["intercept", "ln mean"], "gamma")
    counts = None if table.counts is None else table.counts[rows]
    errors = joint_errors([fit], x, codes(table.cluster[rows]), table.by_row, counts)
    found = Inference.of(float(fit.beta[1]), float(errors.matrix[1, 1] ** 0.5), errors.df)
    power = found.estimate
    nearest = FAMILIES[int(np.clip(np.floor(power + 0.5), 0, 3))]
    family = model.choice.second if len(model.parts) > 1 else model.choice.family
    name = {"ols": "OLS"}.get(family, family)
    assumed = model.power if model.power is not None else ASSUMED_POWER.get(family, 1.5)
    left = (
        ""
        if use.all()
        else f" {_rows_in_words(table.rows_of(part.rows[~use]), floor)} predicted under {SMALL:.0%} of the "
        "mean are left out."
    )
    whose = " among users" if len(model.parts) > 1 else ""
    verdict = (
        f"{name} assumes {assumed:.3g}, which the data allow."
        if found.ci[0] <= assumed <= found.ci[1]
        else f"{name} assumes {assumed:.3g}: its errors are robust to that, but a family with a power in "
        "that interval would use the data better."
    )
    return _of(
        found,
        f"Variance{whose} grows as the mean to the power {power:.2f} (95% interval {found.ci[0]:.2f} to "
        f"{found.ci[1]:.2f}); the nearest family is {nearest}. {verdict}{left}",
    )


def _link(part: Part, table: CostTable) -> dict[str, object]:
    x = table.x[part.rows][:, table.kept]
    eta = part.eta(x)
    _varies(eta, "the linear predictor")
    centre, spread = float(eta.mean()), float(eta.std())
    z = (eta - centre) / spread
    columns = np.column_stack([np.ones(len(z)), z, z**2])
    if len(independent_columns(columns, table.weights[part.rows])) < 3:
        raise ModelRefusal("the linear predictor takes two values only, so its square says nothing.")
    y = ((table.y > 0).astype(float) if part.binary else table.y)[part.rows]
    fit = fit_part(
        y, columns, table.weights[part.rows], part.family, ["intercept", "xb", "xb squared"], "the link test",
        pattern=None if table.pattern is None else table.pattern[part.rows],
    )  # fmt: skip
    counts = None if table.counts is None else table.counts[part.rows]
    errors = joint_errors([fit], columns, codes(table.cluster[part.rows]), table.by_row, counts)
    found = Inference.of(
        float(fit.beta[2]) / spread**2, float(errors.matrix[2, 2] ** 0.5) / spread**2, errors.df
    )
    meaning = (
        f"The squared linear predictor adds nothing that chance would not: the link fits (p {found.p:.2g})."
        if found.p >= 0.05
        else f"The squared linear predictor still explains the outcome (p {found.p:.2g}): the link is wrong, "
        "or squares and interactions of covariates are missing."
    )
    return _of(found, meaning)


def _rows_in_words(rows: int, floor: int) -> str:
    return f"{rows:,} rows" if rows >= floor else f"Fewer than {floor} rows"


def _hosmer_lemeshow(mean: np.ndarray, table: CostTable) -> dict[str, object]:
    cuts = np.unique(np.quantile(table.of_each(mean), np.arange(1, GROUPS) / GROUPS))
    group = codes(np.searchsorted(cuts, mean, side="left"))
    count = int(group.max()) + 1
    if count < 2:
        raise ModelRefusal("every prediction is the same.")
    if table.clusters <= count + 1:
        raise ModelRefusal(f"{table.clusters} clusters are too few for a joint test of {count} groups.")
    dummies = (group[:, None] == np.arange(count)).astype(float)
    names = [f"group {k + 1}" for k in range(count)]
    residual = table.y - mean
    if np.abs(residual).max() <= 1e-9 * np.abs(table.y).max() and not table.scatter.any():
        raise ModelRefusal("the model reproduces every outcome.")
    fit, found = regression(residual, dummies, names, table.weights, table.cluster, table.size)
    overall = float(np.average(table.y, weights=table.weights))
    worst = int(np.argmax(np.abs(fit.beta)))
    if np.abs(fit.beta).max() <= 1e-8 * float(np.abs(table.y).max()):
        meaning = f"The mean residual is zero in each of the {count} groups: the model is saturated in them."
        return {"statistic": 0.0, "p": 1.0, "meaning": meaning}
    joint = wald(fit.beta, found.matrix, np.inf)
    q, G = joint.df1, table.clusters
    f = joint.statistic * (G - q) / (G - 1)
    p, largest = float(stats.f.sf(f, q, G - q)), float(fit.beta[worst])
    where = (
        f"F({q}, {G - q}) {f:.2f}, p {p_value(p)}; largest in group {worst + 1} of {count} by prediction: "
        f"{largest:+,.2f} against a mean of {overall:,.2f}"
    )
    meaning = (
        f"Mean residuals by tenth of the prediction are no further from zero than chance allows ({where})."
        if p >= 0.05
        else f"Some tenth of the predictions is off ({where}): predicted and actual cost part there."
    )
    return {"statistic": f, "p": p, "largest": largest, "mean": overall, "meaning": meaning}


def _pearson(mean: np.ndarray, table: CostTable) -> dict[str, object]:
    _varies(mean, "the prediction")
    w = table.weights / table.weights.sum()
    residual = table.y - mean
    a, b = residual - w @ residual, mean - w @ mean
    spread = w @ (a**2 + table.scatter)
    if spread <= 1e-18 * (w @ table.y**2):
        raise ModelRefusal("the model reproduces every outcome.")
    r = float((w @ (a * b)) / np.sqrt(spread * (w @ b**2)))
    fit, found = regression(
        residual, np.column_stack([np.ones(len(b)), b]), ["intercept", "mean"], table.weights, table.cluster,
        table.size,
    )  # fmt: skip
    if abs(r) < 1e-9:
        meaning = "Residuals and predictions have no correlation, which this model's fit makes so."
        return {"statistic": 0.0, "p": 1.0, "meaning": meaning}
    p = found.of(fit, "mean").p
    too = "low" if r > 0 else "high"
    meaning = (
        f"Residuals and predictions go together no more than chance allows (r {r:+.3f}, p {p:.2g})."
        if p >= 0.05
        else f"Residuals {'rise' if r > 0 else 'fall'} with the prediction (r {r:+.3f}, p {p:.2g}): high "
        f"cost is predicted too {too}."
    )
    return {"statistic": r, "p": p, "meaning": meaning}


@dataclass(frozen=True, kw_only=True)
class Folds:
    """A model fitted again without each fold: fold (G,) of each cluster, the fits and their columns."""

    fold: np.ndarray
    fits: tuple[CostModel, ...]
    kept: tuple[list[int], ...]

    def mean(self, k: int, x: np.ndarray) -> np.ndarray:
        """Expected cost (N,) by the fit without fold k, for kept columns (N, K) of the table."""
        return self.fits[k].mean(x[:, self.kept[k]])


def fold_fits(model: CostModel, table: CostTable, folds: int, seed: Sequence[int]) -> Folds:
    """The model's choice fitted without each fold; folds of whole clusters, drawn by a seeded generator."""
    folds = min(folds, table.clusters)
    order = np.random.default_rng(list(seed)).permutation(table.clusters)
    fold = order % folds
    x = table.x[:, table.kept]
    fits, columns = [], []
    for k in range(folds):
        stay = fold[table.cluster] != k
        kept = list(independent_columns(x[stay], table.weights[stay]))
        names = tuple(table.kept_names[j] for j in kept)
        columns.append(kept)
        fits.append(
            fit_model(
                table.y[stay], x[stay][:, kept], table.weights[stay], names, model.choice,
                start=None if model.choice.limits else tuple(b[kept] for b in model.start),
                pattern=None if table.pattern is None else table.pattern[stay],
                within=None if table.within is None else table.within[stay],
            )
        )  # fmt: skip
    return Folds(fold=fold, fits=tuple(fits), kept=tuple(columns))


def held_out(table: CostTable, folds: Folds) -> np.ndarray:
    """Predictions (N,) of the table's rows by the fits that never saw their cluster."""
    x = table.x[:, table.kept]
    held = np.empty(len(table.y))
    for k in range(len(folds.fits)):
        out = folds.fold[table.cluster] == k
        held[out] = folds.mean(k, x[out])
    return held


def _copas(held: np.ndarray, table: CostTable) -> dict[str, object]:
    _varies(held, "the held-out prediction")
    centre, scale = float(held.mean()), float(held.std())
    columns = np.column_stack([np.ones(len(held)), (held - centre) / scale])
    fit, found = regression(
        table.y, columns, ["intercept", "held out"], table.weights, table.cluster, table.size
    )
    raw = found.of(fit, "held out")
    slope = Inference.of(raw.estimate / scale, raw.se / scale, raw.df)
    p = Inference.of(slope.estimate - 1.0, slope.se, slope.df).p
    shrink = f"(slope {slope.estimate:.3f}, 95% interval {slope.ci[0]:.3f} to {slope.ci[1]:.3f})"
    unseen = "On rows that it has not seen the model"
    if p >= 0.05:
        meaning = f"{unseen} predicts on the scale of the outcome {shrink}."
    elif slope.estimate < 1:
        meaning = (
            f"{unseen} spreads its predictions too far {shrink}: it is overfitted; use fewer covariates."
        )
    else:
        meaning = f"{unseen} spreads its predictions too little {shrink}."
    return {**_of(slope, meaning), "p": p}
