"""From a fitted slope to a finished estimate: the inference that was asked for, and what must be said.

Every regression estimator ends here, so that a name (``cr1``, ``wild``, ...) means one thing everywhere, and
so that a study without a comparison, without a period before, or with one treated cluster is refused or
warned about in the same words whichever estimator is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from medhome.models.panels.absorb import Regression
from medhome.models.panels.conclusion import finished
from medhome.models.panels.permutation import randomization
from medhome.models.panels.vcov import (
    Covariance,
    Inference,
    Rule,
    cluster_influence,
    covariance,
    treated_cluster_warnings,
)
from medhome.models.panels.wild import wild_cluster
from medhome.study.panel_data import PanelData
from medhome.study.panel_results import PanelEstimate
from medhome.study.problems import ModelRefusal

INFERENCES = ("iid", "hc1", "cr1", "cr2", "cr3", "wild", "randomization")


def known(inference: str, allowed: Sequence[str], estimator: str) -> None:
    """Refuse an inference that an estimator does not have, by name."""
    if inference not in allowed:
        raise ModelRefusal(f"{estimator} has no inference {inference!r}; it has {', '.join(allowed)}.")


def study_warnings(data: PanelData, estimator: str, *, comparison: bool = True) -> tuple[str, ...]:
    """Refuse a study without treated rows, period before or comparison; warn of what weakens one.

    comparison: whether the estimator needs units that are not treated inside the data.
    """
    group = data.group
    if not group.any():
        raise ModelRefusal(f"{estimator}: no unit is treated inside the data.")
    start = data.cohorts[0]
    before = data.times < start
    treated_rows = data.treated > 0
    if treated_rows.all():
        raise ModelRefusal(f"{estimator}: every row is treated, so there is nothing to compare with.")
    if not (group & ~treated_rows).any():
        raise ModelRefusal(
            f"{estimator}: no treated unit has a period before its start ({start:g}); a difference in "
            "differences needs one."
        )
    if comparison and group.all() and len(data.cohorts) == 1:
        raise ModelRefusal(
            f"{estimator}: every unit is treated from {start:g} on, so there is no comparison."
        )
    warnings = []
    if before.sum() == 1:
        warnings.append("Only one period before the first start: trends before it cannot be checked.")
    always = np.unique(data.unit[data.first_treated <= data.times[0]])
    if len(always):
        names = ", ".join(data.unit_labels[u] for u in always[:5])
        warnings.append(
            f"{len(always)} unit{'s' if len(always) > 1 else ''} treated from the first period on, which "
            f"show no change and serve as a comparison only: {names}{', ...' if len(always) > 5 else ''}."
        )
    last = np.full(data.units, -1)
    np.maximum.at(last, data.unit, data.time)
    ever = np.zeros(data.units, dtype=bool)
    ever[data.unit[group]] = True
    if data.one_row_each and not data.balanced and data.rows > data.units:
        gone = np.flatnonzero(ever & (last < len(data.times) - 1))
        if len(gone):
            names = ", ".join(data.unit_labels[u] for u in gone[:5])
            warnings.append(
                f"{len(gone)} treated unit{'s' if len(gone) > 1 else ''} not seen in the last period: "
                f"{names}{', ...' if len(gone) > 5 else ''}."
            )
    return tuple(warnings)


def arms(data: PanelData) -> tuple[int, int]:
    """Clusters with a unit that is treated inside the data, and clusters without."""
    treated = np.zeros(data.clusters, dtype=bool)
    treated[data.cluster[data.group]] = True
    return int(treated.sum()), int((~treated).sum())


def cluster_cautions(data: PanelData, inference: str) -> tuple[str, ...]:
    """What few treated or comparison clusters mean, where clusters as wholes are treated."""
    treated, comparison = arms(data)
    mixed = len(np.unique(data.cluster[~data.group])) > comparison
    if inference in ("iid", "hc1"):
        return (f"{inference} takes rows as independent; rows of one cluster rarely are.",)
    if mixed:
        return ()
    return treated_cluster_warnings(treated, comparison or treated, inference)


def coefficient_table(fit: Regression, found: Covariance) -> pd.DataFrame:
    """One row per kept column: estimate, se, df, p, lo95, hi95."""
    records = []
    for name in fit.names:
        each = found.of(fit, name)
        records.append(
            {
                "term": name,
                "estimate": each.estimate,
                "se": each.se,
                "df": each.df,
                "p": each.p,
                "lo95": each.ci[0],
                "hi95": each.ci[1],
            }
        )
    return pd.DataFrame(records)


def slope_estimate(
    estimator: str,
    data: PanelData,
    fit: Regression,
    name: str,
    *,
    inference: str,
    rule: Rule = "fixest",
    seed: int = 1,
    effects: dict[str, np.ndarray] | None = None,
    covariates: np.ndarray | None = None,
    warnings: tuple[str, ...] = (),
    details: dict[str, Any] | None = None,
) -> PanelEstimate:
    """The estimate of column ``name`` of a fit on all rows of ``data``, by the named inference.

    effects, covariates: needed by randomization, which refits with other assignments.
    """
    known(inference, INFERENCES, estimator)
    fallback = "cr1" if data.clusters > 1 else "hc1"
    base = covariance(
        fit, inference if inference in ("iid", "hc1", "cr1", "cr2", "cr3") else fallback, data.cluster, rule
    )
    each: Inference = base.of(fit, name)
    words = base.rule
    more = dict(details or {})
    if inference == "wild":
        boot = wild_cluster(fit, data.cluster, name, seed=seed)
        each = replace(each, p=boot.p, ci=boot.ci, ci90=boot.ci90)
        words = f"{boot.rule}; se: {base.rule}"
        more |= {"t": boot.t, "draws": boot.draws, "exact": boot.exact}
    elif inference == "randomization":
        nan = float("nan")
        test = randomization(data, effects or {}, covariates=covariates, seed=seed)
        each = replace(each, p=test.p, ci=(nan, nan), ci90=(nan, nan), df=nan)
        words = f"{test.rule}; se: {base.rule}"
        more |= {
            "assignments": test.assignments,
            "rank": test.rank,
            "smallest_p": test.smallest_p,
            "exact": test.exact,
        }
    if inference not in ("iid", "hc1") and data.clusters > 1:
        influence = cluster_influence(fit, data.cluster, name, data.cluster_labels)
        more |= {
            "clusters_effective": influence.effective,
            "largest_partial_leverage": float(influence.table["partial_leverage"].max()),
        }
        warnings = (*warnings, *(w for w in influence.warnings if w not in warnings))
    return finished(
        estimator,
        data,
        each,
        words,
        rows=fit.rows,
        warnings=(*warnings, *fit.warnings, *base.warnings, *cluster_cautions(data, inference)),
        table=coefficient_table(fit, base),
        details=more,
    )
