"""A fitted cost model: one part, or any cost times cost among users, with means and their derivatives."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from medhome.models.cost_models.design import CostTable, independent_columns
from medhome.models.cost_models.errors import Errors, joint_errors
from medhome.models.cost_models.fitting import Part, family_of, fit_part, tweedie_power
from medhome.study.problems import ModelRefusal

ASSUMED_POWER = {"ols": 0.0, "poisson": 1.0, "gamma": 2.0}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which model: family; first and second part of "two-part"; Tweedie's power, None to estimate it.

    limits: where all rows of a flag have some cost, the first of two parts has no finite coefficient for it;
    true takes its limit (these rows have a chance of one, and leave that part), false refuses.
    """

    family: str
    first: str = "logit"
    second: str = "gamma"
    power: float | None = 1.5
    limits: bool = False

    @property
    def label(self) -> str:
        if self.family == "two-part":
            return f"two-part ({self.first}, then {self.second})"
        return self.family


@dataclass(frozen=True, kw_only=True)
class CostModel:
    """Parts fitted on a table. The mean is the product of the parts' means."""

    choice: Choice
    parts: tuple[Part, ...]
    power: float | None
    warnings: tuple[str, ...] = field(default=())

    def mean(self, x: np.ndarray) -> np.ndarray:
        """Expected cost (N,) for a design (N, K)."""
        found = self.parts[0].mean(x)
        for part in self.parts[1:]:
            found = found * part.mean(x)
        return found

    def gradient(self, x: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Derivative of sum(share * mean(x)) with respect to all parts' coefficients, stacked."""
        whole = []
        for k, part in enumerate(self.parts):
            others = np.ones(len(x))
            for j, other in enumerate(self.parts):
                if j != k:
                    others = others * other.mean(x)
            whole.append(part.own(x).T @ (share * part.slope(x) * others))
        return np.concatenate(whole)

    @property
    def start(self) -> tuple[np.ndarray, ...]:
        return tuple(part.beta for part in self.parts)

    def errors(self, table: CostTable) -> Errors:
        return joint_errors(
            self.parts, table.x[:, table.kept], table.cluster, table.by_row, counts=table.counts
        )


def fit_table(
    table: CostTable, choice: Choice, start: tuple[np.ndarray, ...] | None = None
) -> CostModel:
    """Fit a choice to all rows of a table."""
    return fit_model(
        table.y, table.x[:, table.kept], table.weights, table.kept_names, choice, start, table.pattern,
        table.within,
    )  # fmt: skip


def fit_model(
    y: np.ndarray,
    x: np.ndarray,
    weights: np.ndarray,
    names: tuple[str, ...],
    choice: Choice,
    start: tuple[np.ndarray, ...] | None = None,
    pattern: np.ndarray | None = None,
    within: np.ndarray | None = None,
) -> CostModel:
    """Fit a choice to outcomes (N,) of zero or more (any sign for ols) and kept columns (N, K).

    pattern, within: as in `CostTable`, of rows that stand for several; a two-part model needs rows that
    stand for users alone or for others alone.

    Raises `ModelRefusal` where the family has no answer: gamma with zeros, two parts without zeros or without
    users, no variation, separation.
    """
    if choice.family != "ols" and not (y > 0).any():
        raise ModelRefusal(f"{choice.label}: every outcome is zero; there is nothing to fit.")
    if y.min() == y.max() and choice.family != "two-part":
        raise ModelRefusal(f"{choice.label}: every outcome is {y[0]:g}; without variation there is no model.")
    if choice.family == "two-part":
        return _two_part(y, x, weights, names, choice, start, pattern)
    _no_zeros_for_gamma(choice.family, y)
    power = choice.power
    warnings: tuple[str, ...] = ()
    if choice.family == "tweedie" and power is None:
        power, warning = tweedie_power(y, x, weights, names, within)
        warnings = (warning,) if warning else ()
    family = family_of(choice.family, power or 1.5)
    part = fit_part(
        y, x, weights, family, names, choice.family, start=start[0] if start else None, pattern=pattern
    )
    return CostModel(
        choice=choice,
        parts=(part,),
        power=power if choice.family == "tweedie" else None,
        warnings=warnings,
    )


def _no_zeros_for_gamma(family: str, y: np.ndarray) -> None:
    zeros = int((y <= 0).sum())
    if family == "gamma" and zeros:
        raise ModelRefusal(
            f"gamma has no zeros, and {zeros:,} outcomes are zero: use two-part (any cost, then gamma), "
            f"poisson "
            "or tweedie."
        )


def _two_part(
    y: np.ndarray,
    x: np.ndarray,
    weights: np.ndarray,
    names: tuple[str, ...],
    choice: Choice,
    start: tuple[np.ndarray, ...] | None,
    pattern: np.ndarray | None,
) -> CostModel:
    users = np.flatnonzero(y > 0)
    if len(users) == len(y):
        raise ModelRefusal(
            "two-part: every outcome is above zero, so there is no first part; use gamma, poisson or ols."
        )
    first, certain = _first(y > 0, x, weights, names, choice, start, pattern)
    own = x[users]
    kept = independent_columns(own, weights[users])
    constant = [name for k, name in enumerate(names) if k not in kept]
    if constant:
        raise ModelRefusal(
            f"two-part: among the rows with any cost {', '.join(constant[:5])} does not vary, "
            "or repeats other covariates; leave it out, or join its levels."
        )
    second = fit_part(
        y[users], own, weights[users], family_of(choice.second, choice.power or 1.5), names,
        f"{choice.second} of cost among users", rows=users, start=start[1] if start else None,
        pattern=None if pattern is None else pattern[users],
    )  # fmt: skip
    said = f"All rows with {', '.join(certain)} have some cost, so their chance of any is one."
    return CostModel(
        choice=choice, parts=(first, second), power=None, warnings=(said,) if certain else ()
    )


def _first(
    some: np.ndarray,
    x: np.ndarray,
    weights: np.ndarray,
    names: tuple[str, ...],
    choice: Choice,
    start: tuple[np.ndarray, ...] | None,
    pattern: np.ndarray | None,
) -> tuple[Part, tuple[str, ...]]:
    """The part of any cost, and names of the flags whose rows all have some (where limits are taken)."""
    label, family = f"{choice.first} of any cost", family_of(choice.first)
    flags = [k for k in range(1, x.shape[1]) if np.isin(x[:, k], (0.0, 1.0)).all()] if choice.limits else []
    certain = tuple(k for k in flags if some[x[:, k] > 0].all())
    rows, columns = np.arange(len(some)), tuple(range(x.shape[1]))
    if certain:
        start = None
        rows = np.flatnonzero(~(x[:, list(certain)] > 0).any(axis=1))
        if some[rows].all() or not some[rows].any():
            told = ", ".join(names[k] for k in certain[:5])
            raise ModelRefusal(f"{label}: {told} tell who has any cost; nothing is left.")
        left = [k for k in columns if k not in certain]
        columns = tuple(left[k] for k in independent_columns(x[rows][:, left], weights[rows]))
        x, some, weights = x[rows][:, columns], some[rows], weights[rows]
        pattern = None if pattern is None else pattern[rows]
    part = fit_part(
        some.astype(float), x, weights, family, [names[k] for k in columns], label, rows=rows,
        start=start[0] if start else None, pattern=pattern,
    )  # fmt: skip
    found = replace(part, columns=columns, certain=certain) if certain else part
    return found, tuple(names[k] for k in certain)
