"""What would treated rows have been without treatment, by unit and time effects of the untreated rows?

The first stage that imputation and two-stage estimation share: exact least squares on the untreated rows,
where nothing is dropped, so that a unit with one untreated row keeps its prediction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, hstack
from scipy.sparse.csgraph import connected_components

from medhome.models.panels.absorb import least_squares, symmetric_inverse
from medhome.study.panel_data import PanelData
from medhome.study.problems import ModelRefusal

NAMED = 5


@dataclass(frozen=True)
class UntreatedModel:
    """data: the panel. untreated: (N,). gap: (N,) outcome less what the model predicts: the residual of an
    untreated row, the effect of a treated one. warnings: covariates that the effects hold already."""

    data: PanelData
    untreated: np.ndarray
    gap: np.ndarray
    slopes: dict[str, float]
    warnings: tuple[str, ...]
    _other: csr_matrix
    _mass: np.ndarray
    _cross: csr_matrix
    _inverse: np.ndarray

    @classmethod
    def fit(cls, data: PanelData, estimator: str) -> UntreatedModel:
        """Fits the model for the estimator named; `ModelRefusal` where the data are no panel, and where it
        names units and times whose untreated outcome is not identified."""
        if not data.one_row_each:
            raise ModelRefusal(f"a {data.unit_name} has several rows at one time: {estimator} needs a panel")
        untreated = data.treated == 0
        if not (data.treated == 1).any():
            raise ModelRefusal(f"no {data.unit_name} is treated at a time that the data hold")
        _identified(data, untreated)
        x, names, warnings = _covariates(data, untreated)
        period = csr_matrix((np.ones(data.rows), (np.arange(data.rows), data.time)))
        other = hstack([period, csr_matrix(x)]).tocsr()
        w = data.weights * untreated
        weighted = other.multiply(w[:, None]).tocsr()
        mass = np.bincount(data.unit, weights=w, minlength=data.units)
        by_unit = coo_matrix((np.ones(data.rows), (data.unit, np.arange(data.rows)))).tocsr()
        cross = (by_unit @ weighted).tocsr()
        inverse_mass = np.divide(1.0, mass, out=np.zeros_like(mass), where=mass > 0)
        swept = (other.T @ weighted).toarray() - (cross.T @ cross.multiply(inverse_mass[:, None])).toarray()
        model = cls(
            data, untreated, np.zeros(data.rows), {}, warnings, other, mass, cross, symmetric_inverse(swept)
        )
        gap = data.outcome.astype(float)
        total = np.zeros(other.shape[1])
        for _ in range(2):  # the second pass takes out the rounding of the first
            unit, rest = model._solve((w * gap)[:, None])
            gap = gap - unit[data.unit, 0] - np.asarray(other @ rest)[:, 0]
            total += rest[:, 0]
        slopes = dict(zip(names, (float(b) for b in total[len(data.times) :]), strict=True))
        return cls(data, untreated, gap, slopes, warnings, other, mass, cross, model._inverse)

    def _solve(self, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (U, k), (T + K, k) whose normal equations have Z' target (N, k) on the right."""
        rows = self.data.rows
        by_unit = csr_matrix(
            (np.ones(rows), (self.data.unit, np.arange(rows))), shape=(self.data.units, rows)
        )
        mass = np.where(self._mass > 0, self._mass, 1.0)[:, None]
        to_unit = np.asarray(by_unit @ target) / mass
        rest = self._inverse @ (np.asarray(self._other.T @ target) - np.asarray(self._cross.T @ to_unit))
        return to_unit - np.asarray(self._cross @ rest) / mass, rest

    def carried(self, target: np.ndarray) -> np.ndarray:
        """(N, k) weights on the untreated rows through which sums target' prediction (N, k) depend on their
        outcomes; zero in treated rows."""
        unit, rest = self._solve(target)
        weights = unit[self.data.unit] + np.asarray(self._other @ rest)
        return weights * (self.data.weights * self.untreated)[:, None]


def _identified(data: PanelData, untreated: np.ndarray) -> None:
    nodes = data.units + len(data.times)
    edges = coo_matrix(
        (np.ones(int(untreated.sum())), (data.unit[untreated], data.units + data.time[untreated])),
        (nodes, nodes),
    )
    _, part = connected_components(edges, directed=False)
    treated = ~untreated
    lone = np.setdiff1d(data.unit[treated], data.unit[untreated])
    if len(lone):
        raise ModelRefusal(
            f"{len(lone)} {data.unit_name} without an untreated row, so their untreated outcome is not "
            f"identified: {_names([data.unit_labels[i] for i in lone])}; leave them out"
        )
    bare = np.setdiff1d(data.time[treated], data.time[untreated])
    if len(bare):
        raise ModelRefusal(
            f"no untreated row at {data.time_name} {_names([f'{t:g}' for t in data.times[bare]])}: nobody "
            "shows what these times would have been; end the data before them"
        )
    apart = treated & (part[data.unit] != part[data.units + data.time])
    if apart.any():
        who = np.unique(data.unit[apart])
        raise ModelRefusal(
            f"{len(who)} {data.unit_name} are treated at times that no chain of untreated rows connects with "
            f"their own: {_names([data.unit_labels[i] for i in who])}"
        )


def _names(labels: list[str]) -> str:
    more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
    return ", ".join(labels[:NAMED]) + more


def _covariates(data: PanelData, untreated: np.ndarray) -> tuple[np.ndarray, list[str], tuple[str, ...]]:
    """Covariates less those that never change inside a unit."""
    x = data.covariates
    if not x.shape[1]:
        return x, [], ()
    first = np.zeros((data.units, x.shape[1]))
    first[data.unit] = x
    moves = (first[data.unit] != x).any(axis=0)
    held = [n for n, m in zip(data.covariate_names, moves, strict=True) if not m]
    warnings = (f"{', '.join(held)} never changes inside a unit: the unit effects hold it",) if held else ()
    names = [n for n, m in zip(data.covariate_names, moves, strict=True) if m]
    x = x[:, moves]
    fit = least_squares(
        data.outcome[untreated],
        x[untreated],
        names,
        weights=data.weights[untreated],
        effects={"unit": data.unit[untreated], "time": data.time[untreated]},
    )
    if fit.dropped:
        raise ModelRefusal(
            f"covariate {', '.join(fit.dropped)} cannot be told from unit and time effects in the "
            "untreated rows"
        )
    return x, names, warnings
