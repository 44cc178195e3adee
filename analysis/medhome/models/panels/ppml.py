"""Poisson and gamma pseudo-maximum likelihood: by how much did cost change, in proportion and in dollars?

The counterfactual is parallel growth in proportion: without treatment the treated would have moved by the
same ratio. Zeros need nothing done to them, so log(y + c) is never used. The estimate is the effect on the
treated in the unit of the outcome, the mean over treated rows of mu (1 - exp(-b)); the coefficient and the
ratio exp(b) stand in the table. Source: Santos Silva and Tenreyro 2006; Correia, Guimaraes and Zylkin 2020
for separation; ``docs/methods/panel-estimators.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from medhome.models.panels.absorb import Effects, Regression, codes, independent, symmetric_inverse
from medhome.models.panels.conclusion import finished
from medhome.models.panels.sandwich import Inference, Rule, parameters
from medhome.models.panels.slope import cluster_cautions, coefficient_table, known, study_warnings
from medhome.models.panels.twfe import TREATED, staggered_warning
from medhome.models.panels.vcov import covariance
from medhome.study.panel_data import PanelData
from medhome.study.panel_results import PanelEstimate
from medhome.study.problems import ModelRefusal

MOST_STEPS = 200
CONVERGED = 1e-11
LOWEST = 1e-10

Family = Literal["poisson", "gamma"]


def fit_log_link(
    outcome: np.ndarray,
    columns: np.ndarray,
    names: Sequence[str],
    *,
    weights: np.ndarray | None = None,
    effects: Mapping[str, np.ndarray] | None = None,
    family: Family = "poisson",
) -> tuple[Regression, np.ndarray]:
    """Log-link fit with absorbed effects by iterated weighted least squares, and the means mu (N,).

    The fit's scores are those of the likelihood, so that `covariance` gives its sandwich. Rows must not sit
    in a level without any outcome: see `separated`.

    >>> y, d = np.array([2.0, 4.0, 3.0, 3.0]), np.array([0.0, 1.0, 0.0, 0.0])
    >>> unit, time = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> fit, mu = fit_log_link(y, d[:, None], ["d"], effects={"unit": unit, "time": time})
    >>> round(float(np.exp(fit.beta[0])), 9)
    2.0
    """
    y = np.asarray(outcome, dtype=float)
    x = np.asarray(columns, dtype=float).reshape(len(y), -1)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    if (y < 0).any():
        raise ModelRefusal(
            f"{int((y < 0).sum())} outcomes are negative; Poisson and gamma need outcomes of zero or more."
        )
    if not (y > 0).any():
        raise ModelRefusal("Every outcome is zero; there is nothing to fit.")
    levels = {k: codes(v) for k, v in (effects or {}).items()}
    kept, _ = independent(x, Effects(levels=levels, weights=w))
    x = x[:, kept]
    eta = np.log((y + np.average(y, weights=w)) / 2)
    beta = np.zeros(x.shape[1])
    for _ in range(MOST_STEPS):
        mu = np.exp(eta)
        working = w * mu if family == "poisson" else w
        absorbed = Effects(levels=levels, weights=working)
        z = eta + (y - mu) / mu
        both = absorbed.residual(np.column_stack([x, z]))
        tilde, z_tilde = both[:, :-1], both[:, -1]
        bread = symmetric_inverse(tilde.T @ (working[:, None] * tilde))
        new = bread @ (tilde.T @ (working * z_tilde))
        moved = z - (z_tilde - tilde @ new)
        change = float(np.abs(np.clip(moved, -60, 60) - eta).max())
        eta, beta = np.clip(moved, -60, 60), new
        if change < CONVERGED:
            break
    else:
        raise ModelRefusal(
            f"The {family} fit did not settle in {MOST_STEPS} steps: some column or level tells zeros from "
            "other outcomes perfectly (separation); drop that column, or the rows it sets apart."
        )
    mu = np.exp(eta)
    fit = Regression(
        names=tuple(names[k] for k in kept),
        beta=beta,
        design=tilde,
        residual=y - mu,
        weights=working,
        bread=bread,
        effects=Effects(levels=levels, weights=working),
        dropped=tuple(n for k, n in enumerate(names) if k not in kept),
        linear=False,
        score_residual=w * (y - mu) if family == "poisson" else w * (y - mu) / mu,
    )
    return fit, mu


def separated(outcome: np.ndarray, effects: Mapping[str, np.ndarray]) -> tuple[np.ndarray, dict[str, int]]:
    """Rows (N,) in levels whose outcomes are all zero (their mean is fitted as zero), and levels by effect.

    >>> separated(np.array([0.0, 0.0, 1.0]), {"unit": np.array([0, 0, 1])})
    (array([ True,  True, False]), {'unit': 1})
    """
    gone = np.zeros(len(outcome), dtype=bool)
    counts = dict.fromkeys(effects, 0)
    while True:
        found = False
        for name, values in effects.items():
            level = codes(values)
            seen = np.bincount(level, weights=(~gone).astype(float)) > 0
            zero = seen & (np.bincount(level, weights=np.where(gone, 0.0, np.abs(outcome))) == 0)
            if zero.any():
                gone |= zero[level]
                counts[name] += int(zero.sum())
                found = True
        if not found:
            return gone, counts


def ppml(
    data: PanelData, *, inference: str = "cr1", family: Family = "poisson", rule: Rule = "fixest"
) -> PanelEstimate:
    """Effect on the treated in the outcome's unit, by Poisson or gamma with unit and time absorbed.

    inference: iid, hc1 or cr1. Error by the delta method over all parameters, the fixed effects among them;
    fitted means of treated rows vary too. table: coefficients, with the ratio exp(b) of treatment in details.
    Several rows per unit and time: the ever-treated group and time are absorbed in place of units.

    >>> import pandas as pd
    >>> from medhome.models.panels.reading import panel_from_frame
    >>> frame = pd.DataFrame({"id": [1, 1, 2, 2, 3, 3], "t": [1, 2] * 3, "d": [0, 1, 0, 0, 0, 0],
    ...                       "y": [2.0, 9.0, 1.0, 2.0, 2.0, 4.0]})
    >>> found = ppml(panel_from_frame(frame, "y", "id", "t", treated="d"))
    >>> round(found.estimate, 6), round(found.details["ratio"], 6)
    (5.0, 2.25)
    """
    known(inference, ("iid", "hc1", "cr1"), "ppml")
    warnings = [*study_warnings(data, "ppml"), *staggered_warning(data)]
    if data.one_row_each:
        effects = {data.unit_name: data.unit, data.time_name: data.time}
    else:
        effects = {"first_treated": data.first_treated, data.time_name: data.time}
    treated = data.treated > 0
    if not (data.outcome[treated] > 0).any():
        raise ModelRefusal(
            "ppml: every treated row has a zero outcome, so no ratio can be estimated (separation)."
        )
    gone, counts = separated(data.outcome, effects)
    if gone.any():
        named = ", ".join(f"{n} of {name}" for name, n in counts.items() if n)
        warnings.append(
            f"{int(gone.sum())} rows in levels whose outcomes are all zero ({named}) are fitted as zero and "
            "say nothing about the effect (separation)."
        )
    use = ~gone
    cluster = codes(data.cluster[use])
    columns = np.column_stack([data.treated, data.covariates])[use]
    fit, mu = fit_log_link(
        data.outcome[use],
        columns,
        [TREATED, *data.covariate_names],
        weights=data.weights[use],
        effects={k: v[use] for k, v in effects.items()},
        family=family,
    )
    found = covariance(fit, inference, cluster, rule)
    b = found.of(fit, TREATED)
    tiny = (mu < LOWEST * mu.max()) & (data.outcome[use] == 0)
    if tiny.any():
        warnings.append(f"{int(tiny.sum())} zero outcomes are fitted as nearly zero: check for separation.")
    estimate, se = _dollars(fit, mu, data, use, b.estimate, inference, cluster, rule)
    return finished(
        "ppml" if family == "poisson" else "gamma",
        data,
        Inference.of(estimate, se, b.df),
        f"{found.rule}; delta method over all parameters",
        rows=int(use.sum()),
        clusters=int(cluster.max()) + 1,
        warnings=(*warnings, *fit.warnings, *found.warnings, *cluster_cautions(data, inference)),
        table=coefficient_table(fit, found),
        details={
            "coefficient": b.estimate,
            "coefficient_se": b.se,
            "coefficient_p": b.p,
            "ratio": float(np.exp(b.estimate)),
            "ratio_ci": [float(np.exp(v)) for v in b.ci],
            "treated_rows": int(treated.sum()),
        },
    )


def _dollars(
    fit: Regression,
    mu: np.ndarray,
    data: PanelData,
    use: np.ndarray,
    b: float,
    inference: str,
    cluster: np.ndarray,
    rule: Rule,
) -> tuple[float, float]:
    """Mean over treated rows of mu (1 - exp(-b)) and its error; rows fitted as zero count with a zero effect.

    The derivative with respect to the linear predictor is projected on the design in the fit's own metric, so
    each row's part is that projection times its likelihood residual, plus its part in b.
    """
    share = np.where(data.treated[use] > 0, data.weights[use], 0.0)
    share = share / (data.weights * data.treated).sum()
    level = float(share @ mu)
    direction = share * mu * -np.expm1(-b) / fit.weights
    left = fit.effects.residual(direction)
    left = left - fit.design @ (fit.bread @ (fit.design.T @ (fit.weights * left)))
    k = fit.position(TREATED)
    own = direction - left + level * np.exp(-b) * (fit.design @ fit.bread[:, k])
    # one column whose slope is the dollar effect: the same sandwich, and the same rule, as for the slopes
    dollars = replace(fit, names=("dollars",), beta=np.ones(1), design=own[:, None], bread=np.ones((1, 1)))
    clusters = [cluster] if inference == "cr1" else []
    n, K, G = fit.rows, parameters(fit, clusters, rule), int(cluster.max()) + 1
    part = dollars.scores()[:, 0]
    if inference == "iid":
        variance = float((fit.weights * own**2).sum()) * (n - 1) / (n - K)
    elif inference == "hc1":
        variance = float((part**2).sum()) * n / (n - K)
    else:
        factor = 1.0 if rule == "none" else G / (G - 1) * (n - 1) / (n - K)
        variance = float((np.bincount(cluster, weights=part) ** 2).sum()) * factor
    return level * -float(np.expm1(-b)), variance**0.5
