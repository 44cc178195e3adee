"""Randomisation inference: where does the actual assignment stand among those that could have been drawn?

Whole clusters exchange their treatment paths (never treated, or the time of their start), within strata where
given. The statistic is the slope over its cluster error ("t", the default: it stands up to unequal sizes) or
the slope ("beta"). Exact, all arrangements, when there are few; otherwise the actual one and a seeded sample;
ties count. Source: Young 2019; MacKinnon and Webb 2020; ``docs/methods/panel-estimators.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import factorial, prod
from typing import Literal

import numpy as np

from medhome.models.panels.absorb import Effects, codes, symmetric_inverse
from medhome.study.panel_data import PanelData
from medhome.study.problems import ModelRefusal

ENUMERATED_AT_MOST = 2000
SAMPLED = 999
STEP = 12
TIE = 1e-10
BLOCK = 100


@dataclass(frozen=True, kw_only=True)
class RandomizationTest:
    """rank: assignments at least as extreme as the actual one (itself among them), of ``assignments``."""

    statistic: float
    rank: int
    assignments: int
    smallest_p: float
    exact: bool
    rule: str

    @property
    def p(self) -> float:
        return self.rank / self.assignments


def randomization(
    data: PanelData,
    effects: dict[str, np.ndarray],
    *,
    covariates: np.ndarray | None = None,
    statistic: Literal["t", "beta"] = "t",
    strata: np.ndarray | None = None,
    draws: int = SAMPLED,
    seed: int = 1,
) -> RandomizationTest:
    """Test that treatment changes nothing, for the slope of the treated rows given effects and covariates.

    strata: (G,) of clusters; paths are exchanged inside a stratum only. Refused where units of one cluster
    start at different times (the cluster is then not what was assigned).

    >>> data = PanelData(outcome=np.array([1.0, 5.0, 1.0, 2.0, 0.0, 0.0, 3.0, 3.0]),
    ...     unit=np.repeat(np.arange(4), 2), time=np.tile([0, 1], 4), times=np.array([0.0, 1.0]),
    ...     first_treated=np.repeat([1.0, np.inf, np.inf, np.inf], 2), weights=np.ones(8),
    ...     treated=np.array([0.0, 1, 0, 0, 0, 0, 0, 0]), cluster=np.repeat(np.arange(4), 2),
    ...     unit_labels=tuple("abcd"), cluster_labels=tuple("abcd"))
    >>> randomization(data, {"unit": data.unit, "time": data.time}, statistic="beta").p
    0.25
    """
    path = cluster_paths(data)
    stratum = np.zeros(len(path), dtype=int) if strata is None else codes(strata)
    kinds, kind = np.unique(path, return_inverse=True)
    number = _arrangements(kind, stratum)
    exact = number <= ENUMERATED_AT_MOST
    if exact:
        assigned = np.array(list(_all(kind, stratum)))
    else:
        assigned = np.vstack([kind, *_drawn(kind, stratum, draws, np.random.default_rng([seed, STEP]))])
    w = data.weights
    absorbed = Effects(levels={n: codes(v) for n, v in effects.items()}, weights=w)
    x = absorbed.residual(np.zeros((data.rows, 0)) if covariates is None else covariates)
    inverse = symmetric_inverse(x.T @ (w[:, None] * x)) if x.shape[1] else np.zeros((0, 0))
    when = data.times[data.time]

    def without(v: np.ndarray) -> np.ndarray:
        tilde = absorbed.residual(v)
        return tilde - x @ (inverse @ (x.T @ (w[:, None] * tilde)))

    y = without(data.outcome[:, None])[:, 0]
    values = []
    for first in range(0, len(assigned) + 1, BLOCK):
        part = assigned[first : first + BLOCK] if first else np.vstack([kind, assigned[:BLOCK]])
        if len(part) == 0:
            continue
        columns = (when[:, None] >= kinds[part].T[data.cluster]).astype(float)
        values.append(_statistics(without(columns), y, w, data.cluster, data.clusters, statistic))
    value = np.concatenate(values)
    actual, value = value[0], value[1:]
    rank = int((value >= actual * (1 - TIE)).sum())
    how = "all of them" if exact else f"the actual one and a sample, seed {seed}"
    return RandomizationTest(
        statistic=float(actual),
        rank=rank,
        assignments=len(value),
        smallest_p=1 / len(value),
        exact=exact,
        rule=f"randomisation of {data.clusters} clusters by {statistic}, {len(value):,} assignments ({how})",
    )


def cluster_paths(data: PanelData) -> np.ndarray:
    """(G,) first treated time of each cluster, infinite for none inside the data."""
    path = np.full(data.clusters, np.inf)
    inside = np.where(data.group, data.first_treated, np.inf)
    np.minimum.at(path, data.cluster, inside)
    if (path[data.cluster] != inside).any():
        at = int(np.argmax(path[data.cluster] != inside))
        raise ModelRefusal(
            f"Units of cluster {data.cluster_labels[data.cluster[at]]} start at different times, so clusters "
            "are not what was assigned; randomise over units (leave out --cluster)."
        )
    return path


def _statistics(
    d: np.ndarray, y: np.ndarray, w: np.ndarray, cluster: np.ndarray, G: int, statistic: str
) -> np.ndarray:
    information = (w[:, None] * d**2).sum(0)
    beta = np.divide(
        d.T @ (w * y), information, out=np.zeros(d.shape[1]), where=information > 1e-12 * w.sum()
    )
    if statistic == "beta":
        return np.abs(beta)
    score = (w[:, None] * d) * (y[:, None] - d * beta)
    order = np.argsort(cluster, kind="stable")
    starts = np.r_[0, np.cumsum(np.bincount(cluster, minlength=G))[:-1]]
    spread = np.sqrt((np.add.reduceat(score[order], starts, axis=0) ** 2).sum(0))
    with np.errstate(divide="ignore", invalid="ignore"):
        # no spread at all: as extreme as can be where there is an effect, nothing where there is none
        return np.nan_to_num(np.abs(beta) * information / spread, nan=0.0, posinf=np.finfo(float).max)


def _arrangements(kind: np.ndarray, stratum: np.ndarray) -> int:
    number = 1
    for s in np.unique(stratum):
        counts = np.bincount(kind[stratum == s])
        number *= factorial(int(counts.sum())) // prod(factorial(int(c)) for c in counts)
    return number


def _all(kind: np.ndarray, stratum: np.ndarray) -> Iterator[np.ndarray]:
    groups = [np.flatnonzero(stratum == s) for s in np.unique(stratum)]
    for chosen in product(*(list(_permutations(np.sort(kind[g]))) for g in groups)):
        out = np.empty_like(kind)
        for g, values in zip(groups, chosen, strict=True):
            out[g] = values
        yield out


def _permutations(values: np.ndarray) -> Iterator[list[int]]:
    """Distinct orders of a sorted multiset."""
    if len(values) == 0:
        yield []
        return
    for k in range(len(values)):
        if k == 0 or values[k] != values[k - 1]:
            for rest in _permutations(np.delete(values, k)):
                yield [int(values[k]), *rest]


def _drawn(
    kind: np.ndarray, stratum: np.ndarray, draws: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    groups = [np.flatnonzero(stratum == s) for s in np.unique(stratum)]
    for _ in range(draws):
        out = np.empty_like(kind)
        for g in groups:
            out[g] = rng.permutation(kind[g])
        yield out
