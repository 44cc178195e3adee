"""A fitted cost model: one part, or any cost times cost among users, with means and their derivatives."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from medhome.models.cost_models.design import CostTable, independent_columns
from medhome.models.cost_models.errors import Errors, joint_errors
from medhome.models.cost_models.fitting import PART_OF_IT, Part, Separated, family_of, fit_part, tweedie_power
from medhome.study.problems import ModelRefusal

ASSUMED_POWER = {"ols": 0.0, "poisson": 1.0, "gamma": 2.0}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which model: family; first and second part of "two-part"; Tweedie's power, None to estimate it.

    limits: where a covariate decides who has any cost, the first of two parts has no finite coefficient; true
    takes its limit (rows so decided have a chance of one or zero, and leave that part), false refuses.
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
    decided_by: tuple[str, ...] = ()

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
    return CostModel(choice=choice, parts=(first, second), power=None, decided_by=certain)


def _first(
    some: np.ndarray,
    x: np.ndarray,
    weights: np.ndarray,
    names: tuple[str, ...],
    choice: Choice,
    start: tuple[np.ndarray, ...] | None,
    pattern: np.ndarray | None,
) -> tuple[Part, tuple[str, ...]]:
    """The part of any cost, and the terms that decide it for some rows (where limits are taken).

    A fit that is separated says which rows are certain: these leave, and the others are fitted.
    """
    label, family = f"{choice.first} of any cost", family_of(choice.first)
    rows, columns, whole = np.arange(len(some)), tuple(range(x.shape[1])), True
    limits: list[tuple[np.ndarray, np.ndarray]] = []
    terms: list[str] = []
    while True:
        try:
            part = fit_part(
                some[rows].astype(float), x if whole else x[rows][:, columns], weights[rows], family,
                [names[k] for k in columns], label, rows=rows, start=start[0] if start and whole else None,
                pattern=None if pattern is None else pattern[rows],
            )  # fmt: skip
        except Separated as found:
            if not choice.limits:
                raise
            end, directions = np.zeros(x.shape[1]), np.zeros((x.shape[1], found.directions.shape[1]))
            end[list(columns)], directions[list(columns)] = found.beta, found.directions
            limits.append((end, directions))
            terms += [t for t in found.terms if t not in terms]
            rows = rows[np.abs(x[rows] @ directions).max(axis=1) <= PART_OF_IT]
            if some[rows].all() or not some[rows].any():
                raise ModelRefusal(f"{found} No row is left that it does not decide.") from None
            columns, whole = independent_columns(x[rows], weights[rows]), False
            continue
        return (part if whole else replace(part, columns=columns, limits=tuple(limits))), tuple(terms)
