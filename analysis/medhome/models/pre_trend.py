"""Were the arms already apart before the start? All quarters before it taken jointly.

Three readings of the same coefficients, none of which can show that trends were alike: the rank of the actual
assignment among all ways of giving the program's label to as many organisations (a placebo distribution, the
one to read with one treated organisation); Wald's statistic with the covariance of the organisation-month
random-effects model; and Hotelling's form clustered by organisation, refused where quarters are too many for
the organisations. Beside them stands the straight drift that would have been found. Source:
``docs/methods/how-sure-are-we.md``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq

from medhome.models.event_study import Quarters
from medhome.models.inference.contrasts import signed_weights
from medhome.models.inference.panel_likelihood import AUTOCORRELATIONS
from medhome.models.inference.random_effects import RePanel, expected_drift
from medhome.models.inference.randomization import TIE, assignments
from medhome.models.organization_months import OrganizationMonths
from medhome.models.panels.event_study import pre_trend as hotelling
from medhome.models.twfe import TwoWayFit
from medhome.study.pre_trend_results import pre_trend_tests

STEP = 405
"""Step of the seed for assignments that are drawn."""
QUARTERS_A_YEAR = 4.0
POWER, LEVEL = 0.8, 0.05


def of_study(
    fit: TwoWayFit,
    quarters: Quarters,
    months: OrganizationMonths,
    covariance: np.ndarray,
    found: RePanel,
    drift: np.ndarray,
    seed: int,
) -> pd.DataFrame:
    """``pre_trend_tests`` of a study with one start (`study.pre_trend_results.KINDS`).

    fit: the event study; months: its organisations; covariance: (T, T) of one member's months; found: the
    random-effects model, of which drift is the (K, K) covariance of the quarters from organisations' shocks.
    """
    before = np.flatnonzero([q < quarters.reference for q in quarters.estimated])
    if not len(before):
        return pre_trend_tests()
    beta = fit.coefficients[before]
    sigma = (drift + fit.sampling_covariance(covariance))[np.ix_(before, before)]
    since = np.array([quarters.estimated[i] - quarters.reference for i in before], dtype=float)
    arms = (int(months.treated.sum()), int((~months.treated).sum()))
    clustered = fit.covariance["organization"][np.ix_(before, before)]
    number = [quarters.estimated[i] for i in before]
    rows = [
        _exchange(quarters, number, months, covariance, found, seed),
        shocks(beta, sigma, since / QUARTERS_A_YEAR),
        by_hotelling(beta, clustered, since, arms),
    ]
    return pre_trend_tests(rows)


def shocks(beta: np.ndarray, sigma: np.ndarray, years: np.ndarray) -> dict[str, object]:
    """Wald's statistic b' Sigma^-1 b against chi-square, and the drift that it finds.

    years: (q,) from the base to each period, negative.

    >>> round(shocks(np.array([2.0]), np.array([[1.0]]), np.array([-0.25]))["p"], 4)
    0.0455
    """
    inverse = np.linalg.pinv(sigma, hermitian=True)
    q = int(np.linalg.matrix_rank(sigma, hermitian=True))
    statistic, information = float(beta @ inverse @ beta), float(years @ inverse @ years)
    critical = stats.chi2.ppf(1 - LEVEL, q)
    shift = brentq(lambda n: stats.ncx2.sf(critical, q, n) - POWER, 1e-6, 500.0)
    return {
        "test": "shocks",
        "label": "Shocks of organisations and sampling of members (random effects)",
        "periods": len(beta),
        "statistic": statistic,
        "df1": q,
        "p": float(stats.chi2.sf(statistic, q)),
        "detectable": math.sqrt(shift / information) if information > 0 else math.nan,
        "note": "",
    }


def by_hotelling(
    beta: np.ndarray, clustered: np.ndarray, since: np.ndarray, arms: tuple[int, int]
) -> dict[str, object]:
    """W (G-q-1) / (q (G-2)) against F(q, G-q-1), or why not: q above a fifth of the smaller arm."""
    row: dict[str, object] = {
        "test": "hotelling",
        "label": "Hotelling's form, clustered by organisation",
        "periods": len(beta),
        "note": "",
    }
    if len(beta) > min(arms) / 5:
        few = "1 organisation" if min(arms) == 1 else f"{min(arms)} organisations"
        periods = "1 period" if len(beta) == 1 else f"{len(beta)} periods"
        return {**row, "note": f"not given: {periods} for {few} in the smaller arm; a fifth at most"}
    found = hotelling(beta, clustered, since - 1, -1, sum(arms), arms)
    return {
        **row,
        "statistic": found["hotelling_f"],
        "df1": found["hotelling_df"][0],
        "df2": found["hotelling_df"][1],
        "p": found["hotelling_p"],
    }


def _exchange(
    quarters: Quarters,
    number: Sequence[int],
    months: OrganizationMonths,
    covariance: np.ndarray,
    found: RePanel,
    seed: int,
) -> dict[str, object]:
    """Rank of Wald's statistic among all assignments of the label to organisations seen in every quarter.

    The statistic of an assignment is divided by its own variance, so that organisations of different size can
    be compared; coefficients are changes of organisations' quarters with fixed weights, their mean members.
    """
    row: dict[str, object] = {
        "test": "exchange",
        "label": "The program's label given to other organisations",
        "periods": len(number),
        "note": "",
    }
    base = [*number, quarters.reference]
    into = np.array([quarters.of_month == q for q in base], dtype=float).T  # (T, q + 1)
    by_quarter = months.members @ into
    seen = (by_quarter > 0).all(1)
    treated = months.treated[seen]
    if treated.all() or not treated.any():
        return {**row, "note": "not given: no organisation of an arm has members in every quarter before"}
    members = months.members[seen]
    mean = ((months.y * months.members)[seen] @ into) / by_quarter[seen]
    change = mean[:, :-1] - mean[:, -1:]
    own = into / into.sum(0)
    contrast = own[:, :-1] - own[:, -1:]  # (T, q)
    rho_index = np.searchsorted(AUTOCORRELATIONS, found.grid["rho"].to_numpy())
    weighted = (found.grid["posterior"] * found.grid["sigma"] ** 2).to_numpy()
    wander = contrast.T @ expected_drift(months.months, rho_index, weighted) @ contrast
    sampling = contrast.T @ covariance @ contrast
    size = members.sum(1) / np.maximum((members > 0).sum(1), 1)
    assigned, _ = assignments(treated, np.random.default_rng([seed, STEP]))
    weights = signed_weights(size, assigned)
    variance = (weights**2).sum(1)[:, None, None] * wander
    variance = variance + (weights**2 / size).sum(1)[:, None, None] * sampling
    effects = weights @ change
    inverse = np.linalg.pinv(variance, hermitian=True)
    value = np.einsum("aq,aqr,ar->a", effects, inverse, effects)
    actual = float(value[(assigned == treated).all(1)][0])
    rank = int((value >= actual * (1 - TIE)).sum())
    return {
        **row,
        "statistic": actual,
        "p": rank / len(assigned),
        "smallest_p": 1 / len(assigned),
    }
