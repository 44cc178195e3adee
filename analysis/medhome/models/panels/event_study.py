"""Event study of one start: how far apart were the arms in each period, from the last one before it?

One base for all periods ("universal"), so that a slow drift before the start shows. The joint test of the
periods before is given twice: in the form of Hotelling (the one to read: the other over-rejects badly with
many periods, `docs/methods.md`), refused when there are too many periods for the clusters, and as F(q, G-1),
which reference packages print. Beside it stands the straight drift that the test could have found: a test
that does not reject has not shown that trends are parallel. Source: ``docs/methods/panel-estimators.md``;
Roth 2022 for the power of such tests.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq

from medhome.models.panels.absorb import Regression, least_squares
from medhome.models.panels.conclusion import finished
from medhome.models.panels.sandwich import Covariance, Inference, Rule
from medhome.models.panels.slope import arms, cluster_cautions, known, study_warnings
from medhome.models.panels.vcov import covariance, wald
from medhome.study.panel_data import PanelData
from medhome.study.panel_results import PanelEstimate
from medhome.study.problems import ModelRefusal

PERIODS_PER_CLUSTER = 5
POWER = (0.5, 0.8)


def event_study(
    data: PanelData, *, inference: str = "cr1", reference: int = -1, rule: Rule = "fixest"
) -> PanelEstimate:
    """Effect at each event time k (periods since the start, 0 the first treated), zero at ``reference``.

    The headline is the mean of the effects at k >= 0. table: one row per event time with estimate, se, df, p,
    lo95, hi95, lo90, hi90 and ``reference``. details: ``pre_trend`` (see above; with cr2
    also ``htz_*``, Hotelling's form with estimated degrees of freedom), ``beta`` and ``sigma`` of
    all estimated event times in order, as `medhome.sensitivity` reads them, and ``event_times``.
    Refused with several starts: use sun-abraham or callaway-santanna.

    >>> import pandas as pd
    >>> from medhome.models.panels.reading import panel_from_frame
    >>> rows = [(u, t, u < 2, float(t * (u < 2) * (t > 1) + u * t % 3)) for u in range(6) for t in range(4)]
    >>> frame = pd.DataFrame(rows, columns=["u", "t", "g", "y"])
    >>> frame["first"] = [2.0 if g else 0.0 for g in frame["g"]]
    >>> frame["t"] = frame["t"] + 0
    >>> found = event_study(panel_from_frame(frame, "y", "u", "t", first_treated="first"))
    >>> found.table["event_time"].tolist()
    [-2, -1, 0, 1]
    """
    known(inference, ("iid", "hc1", "cr1", "cr2", "cr3"), "event-study")
    warnings = study_warnings(data, "event-study")
    if len(data.cohorts) > 1:
        raise ModelRefusal(
            f"event-study has one start, the data have {len(data.cohorts)}; use sun-abraham, imputation or "
            "callaway-santanna."
        )
    start = int(np.searchsorted(data.times, data.cohorts[0]))
    event = np.arange(len(data.times)) - start
    if reference not in event:
        raise ModelRefusal(f"The data have no event time {reference}; they have {event[0]} to {event[-1]}.")
    estimated = [int(k) for k in event if k != reference]
    columns = np.column_stack(
        [*(data.group * (data.time == k + start) for k in estimated), data.covariates]
    ).astype(float)
    names = [f"event {k}" for k in estimated]
    fit = least_squares(
        data.outcome,
        columns,
        [*names, *data.covariate_names],
        weights=data.weights,
        effects={data.unit_name: data.unit, data.time_name: data.time},
    )
    seen = [k for k, name in zip(estimated, names, strict=True) if name in fit.names]
    found = covariance(fit, inference, data.cluster, rule)
    positions = [fit.position(f"event {k}") for k in seen]
    post = np.zeros(len(fit.beta))
    post[[p for p, k in zip(positions, seen, strict=True) if k >= 0]] = 1.0
    if not post.any():
        raise ModelRefusal("No event time from the start on can be estimated.")
    headline = found.inference(fit, post / post.sum())
    sigma = found.matrix[np.ix_(positions, positions)]
    tested = pre_trend(fit.beta[positions], sigma, np.array(seen), reference, data.clusters, arms(data))
    before = [p for p, k in zip(positions, seen, strict=True) if k < 0]
    if found.joint_df_of is not None and before:
        few = found.joint(fit, np.eye(len(fit.beta))[before])
        tested |= {"htz_f": few.statistic, "htz_df": [few.df1, few.df2], "htz_p": few.p}
    return finished(
        "event-study",
        data,
        headline,
        found.rule,
        warnings=(*warnings, *fit.warnings, *found.warnings, *cluster_cautions(data, inference)),
        table=_table(fit, found, seen, reference),
        details={
            "event_times": seen,
            "beta": fit.beta[positions].tolist(),
            "sigma": sigma.tolist(),
            "pre_trend": tested,
        },
    )


def _table(fit: Regression, found: Covariance, seen: list[int], reference: int) -> pd.DataFrame:
    records = []
    for k in sorted([*seen, reference]):
        if k == reference:
            zero: dict[str, Any] = dict.fromkeys(("estimate", "se", "lo95", "hi95", "lo90", "hi90"), 0.0)
            records.append({"event_time": k, **zero, "df": math.nan, "p": math.nan, "reference": True})
            continue
        each: Inference = found.of(fit, f"event {k}")
        records.append(
            {
                "event_time": k,
                "estimate": each.estimate,
                "se": each.se,
                "lo95": each.ci[0],
                "hi95": each.ci[1],
                "lo90": each.ci90[0],
                "hi90": each.ci90[1],
                "df": each.df,
                "p": each.p,
                "reference": False,
            }
        )
    return pd.DataFrame(records)


def pre_trend(
    beta: np.ndarray,
    sigma: np.ndarray,
    event: np.ndarray,
    reference: int,
    clusters: int,
    arm_clusters: tuple[int, int],
) -> dict[str, Any]:
    """Joint test of the event times before the start, and the drift that it could have found.

    f, f_df, f_p: W/q against F(q, G-1). hotelling_f, _p: W (G-q-1)/(q (G-2)) against F(q, G-q-1), with
    a ``verdict`` in place of them when q is more than a fifth of the smaller arm's clusters. slope, slope_se:
    generalised least squares drift per period. detectable_slope_50, _80: drift per period that the joint test
    finds with that probability (noncentral F). Empty when no period before is estimated.

    >>> found = pre_trend(np.array([0.1]), np.array([[0.04]]), np.array([-2]), -1, 50, (20, 30))
    >>> round(found["f"], 6), round(found["detectable_slope_50"], 2)
    (0.25, 0.4)
    """
    before = event < 0
    q = int(before.sum())
    if q == 0:
        return {"verdict": "no period before the start besides the reference: nothing can be tested"}
    b, s = beta[before], sigma[np.ix_(before, before)]
    test = wald(b, s, float(clusters - 1))
    w = test.statistic * test.df1
    out: dict[str, Any] = {"f": test.statistic, "f_df": [test.df1, clusters - 1], "f_p": test.p, "periods": q}
    if q > min(arm_clusters) / PERIODS_PER_CLUSTER:
        out["verdict"] = (
            f"{q} periods before are too many to test jointly with {min(arm_clusters)} clusters in the "
            "smaller arm; join periods into quarters or years"
        )
    else:
        left = clusters - q - 1
        statistic = w * left / (q * (clusters - 2))
        out |= {
            "hotelling_f": statistic,
            "hotelling_df": [q, left],
            "hotelling_p": float(stats.f.sf(statistic, q, left)),
            "verdict": "what the test leaves possible is the range of drifts, never that trends are parallel",
        }
    line = (event[before] - reference).astype(float)
    inverse = np.linalg.pinv(s, hermitian=True)
    information = float(line @ inverse @ line)
    if information > 0:
        out |= {"slope": float(line @ inverse @ b) / information, "slope_se": information**-0.5}
        for power in POWER:
            shift = _noncentrality(test.df1, clusters - 1, power)
            out[f"detectable_slope_{power:.0%}".rstrip("%")] = math.sqrt(shift / information)
    return out


def _noncentrality(q: int, df: float, power: float) -> float:
    critical = stats.f.ppf(0.95, q, df)
    return float(brentq(lambda n: stats.ncf.sf(critical, q, df, n) - power, 1e-6, 500.0))
