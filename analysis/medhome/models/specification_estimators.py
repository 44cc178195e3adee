"""The estimators of the specification curve: what each needs of `Cells`, its fit, and its effect under every
assignment of the treated label, exact from the same sums.

An estimator may be asked only for what it can do exactly from sums: Poisson with a covariate that varies
inside a practice-month cannot, so it declares that it takes none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from medhome.models.cell_moments import CellMoments
from medhome.models.cells_regression import regress
from medhome.models.inference.conventional import TTest
from medhome.models.panels.ppml import ppml
from medhome.models.specification_ppml import permuted_ppml
from medhome.models.specification_samples import CLUSTERS, PRACTICE, Sample
from medhome.study.panel_data import NEVER, PanelData
from medhome.study.problems import ModelRefusal

EFFECT = "effect"
_NOTHING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Estimator:
    """Covariates that it can take from `Cells`; ``fit`` by clustering, and ``permuted``: (A,) effects."""

    covariates: tuple[str, ...]
    fit: Callable[[Sample, str, tuple[str, ...], tuple[str, ...]], dict[str, TTest]]
    permuted: Callable[[Sample, str, tuple[str, ...], np.ndarray, np.ndarray], np.ndarray]


def _linear(effects: tuple) -> Callable[[Sample, str, tuple[str, ...], tuple[str, ...]], dict[str, TTest]]:
    def fit(
        sample: Sample, outcome: str, covariates: tuple[str, ...], clustering: tuple[str, ...]
    ) -> dict[str, TTest]:
        found = regress(
            sample.moments,
            outcome,
            [sample.treat, *covariates],
            effects=effects,
            cluster=CLUSTERS[clustering[0]],
        )
        return {c: found.clustered(CLUSTERS[c]).test(EFFECT) for c in clustering}

    return fit


def _poisson(
    sample: Sample, outcome: str, covariates: tuple[str, ...], clustering: tuple[str, ...]
) -> dict[str, TTest]:
    found = {}
    for name in clustering:
        e = ppml(_panel(sample, outcome, name))
        if e.se is None or e.df is None or e.p is None or e.ci is None or e.ci90 is None:
            raise ModelRefusal(f"ppml: no error for clusters {name!r}")
        found[name] = TTest(estimate=e.estimate, se=e.se, df=e.df, p=e.p, ci90=e.ci90, ci95=e.ci)
    return found


def _panel(sample: Sample, outcome: str, clustering: str) -> PanelData:
    moments = sample.moments
    unit, cluster = moments.codes(PRACTICE), moments.codes(CLUSTERS[clustering])
    month = moments.keys["month"].to_numpy(dtype=int)
    times = np.unique(month)
    treated = (moments.keys["arm"] == "treated").to_numpy()
    start = float(month[sample.after > 0].min())
    return PanelData(
        outcome=moments.mean[moments.position(outcome)],
        unit=unit,
        time=np.searchsorted(times, month),
        times=times.astype(float),
        first_treated=np.where(treated, start, NEVER),
        treated=treated * sample.after,
        weights=moments.weight,
        cluster=cluster,
        unit_labels=tuple(str(u) for u in range(int(unit.max()) + 1)),
        cluster_labels=tuple(str(c) for c in range(int(cluster.max()) + 1)),
        unit_name="practice",
        time_name="month",
        cluster_name=clustering,
    )


def _permuted_twfe(
    sample: Sample, outcome: str, covariates: tuple[str, ...], organization: np.ndarray, assigned: np.ndarray
) -> np.ndarray:
    """Two-way fixed effects: what is left of each organisation's own months after the start is worked out
    once, and the treatment of an assignment is the sum of those of its organisations."""
    m = sample.moments
    gram, raw, left, absorbed = _organizations(sample, organization, assigned.shape[1])
    y = absorbed.residual(m.mean[m.position(outcome)] - _level(m, outcome))
    a = assigned.astype(float)
    top = a @ (left.T @ (m.weight * y))
    under = ((a @ gram) * a).sum(1)
    for name in covariates:
        k, o = m.position(name), m.position(outcome)
        x = absorbed.residual(m.mean[k] - _level(m, name))
        own = float(m.weight @ x**2 + m.scatter[k, k].sum())
        with_treatment = a @ (left.T @ (m.weight * x))
        top = top - with_treatment * float(m.weight @ (x * y) + m.scatter[k, o].sum()) / own
        under = under - with_treatment**2 / own
    known = under > _NOTHING * (a @ raw)
    return np.divide(top, under, out=np.full(len(a), np.nan), where=known)


def _organizations(sample: Sample, organization: np.ndarray, count: int) -> tuple:
    """Gram matrix (J, J) and raw squares (J,) of the organisations' months after the start, what practice and
    month effects leave of them (n, J), and those effects; arranged once for a sample."""
    m = sample.moments
    if "organizations" not in m.kept:
        absorbed = m.effects((PRACTICE, "month"))
        dummies = (organization[:, None] == np.arange(count)) * sample.after[:, None]
        left = absorbed.residual(dummies)
        gram = left.T @ (m.weight[:, None] * left)
        m.kept["organizations"] = (gram, m.weight @ dummies, left, absorbed)
    return m.kept["organizations"]


def _level(m: CellMoments, name: str) -> float:
    return float(m.weight @ m.mean[m.position(name)] / m.weight.sum())


def _permuted_two_by_two(
    sample: Sample, outcome: str, covariates: tuple[str, ...], organization: np.ndarray, assigned: np.ndarray
) -> np.ndarray:
    """Four means: sums of organisations by period, added up by assignment."""
    m, J = sample.moments, assigned.shape[1]
    period = sample.after.astype(int)
    place = 2 * organization + period

    def four(values: np.ndarray) -> np.ndarray:
        """(A, 2, 2) sums by treated and period under each assignment."""
        sums = np.bincount(place, values, 2 * J).reshape(J, 2)
        return np.stack([(~assigned) @ sums, assigned @ sums], axis=1)

    y = m.mean[m.position(outcome)] - _level(m, outcome)
    w = four(m.weight)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_y = four(m.weight * y) / w
        for name in covariates:
            k, o = m.position(name), m.position(outcome)
            x = m.mean[k] - _level(m, name)
            mean_x = four(m.weight * x) / w
            own = float(m.weight @ x**2 + m.scatter[k, k].sum()) - (w * mean_x**2).sum((1, 2))
            both = float(m.weight @ (x * y) + m.scatter[k, o].sum()) - (w * mean_x * mean_y).sum((1, 2))
            mean_y = mean_y - (both / own)[:, None, None] * mean_x
        change = mean_y[:, :, 1] - mean_y[:, :, 0]
        found = change[:, 1] - change[:, 0]
    return np.where(np.isfinite(found), found, np.nan)


def _permuted_poisson(
    sample: Sample, outcome: str, covariates: tuple[str, ...], organization: np.ndarray, assigned: np.ndarray
) -> np.ndarray:
    m = sample.moments
    return permuted_ppml(
        m.mean[m.position(outcome)],
        m.weight,
        m.codes(PRACTICE),
        m.codes("month"),
        (organization[:, None] == np.arange(assigned.shape[1])) @ assigned.T * sample.after[:, None] > 0,
    )


ESTIMATORS: Mapping[str, Estimator] = {
    "twfe": Estimator(
        covariates=("none", "expected"), fit=_linear((PRACTICE, "month")), permuted=_permuted_twfe
    ),
    "did2x2": Estimator(
        covariates=("none", "expected"), fit=_linear(("arm", "after")), permuted=_permuted_two_by_two
    ),
    "ppml": Estimator(covariates=("none",), fit=_poisson, permuted=_permuted_poisson),
}
