"""Which cost models fit a study's members, and what does each expect of everybody?

Models of expected cost see the comparison arm at baseline alone. Members of comparison practices are
predicted by fits that never saw their practice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from medhome.models.cost_models.design import CostTable
from medhome.models.cost_models.model import Choice, CostModel, fit_table
from medhome.models.cost_models.specification import Folds, fold_fits, held_out
from medhome.models.member_costs.members import Covariates, Members, table_of
from medhome.study.cost_model_choices import CostModelChoices
from medhome.study.problems import ModelRefusal

Found = TypeVar("Found")


def choice_of(family: str, asked: CostModelChoices) -> Choice:
    """The family as the study asks for it."""
    return Choice(
        family=family,
        first=asked.first_part,
        second=asked.second_part,
        power=asked.tweedie_power,
        limits=True,
    )


def without_negatives(table: CostTable, family: str) -> CostTable:
    """The table as a family takes it: every family but ols has cost of zero or more."""
    return replace(table, y=np.maximum(table.y, 0.0)) if table.negative and family != "ols" else table


def attempt(what: Callable[[], Found]) -> tuple[Found | None, str]:
    """A fit, or why there is none, in words."""
    try:
        return what(), ""
    except ModelRefusal as refused:
        return None, str(refused)


def fitted(table: CostTable, choice: Choice) -> CostModel:
    """One choice fitted; refusals tell no number of people."""
    if table.clusters < 2:
        raise ModelRefusal("There is one practice alone, so nothing says how far practices differ.")
    if choice.family == "gamma" and (table.y <= 0).any():
        raise ModelRefusal(
            "gamma has no zeros, and some members have no cost: read two-part (any cost, then gamma), "
            "poisson or tweedie instead."
        )
    return fit_table(table, choice)


@dataclass(frozen=True, kw_only=True)
class Expecting:
    """A model of one group's expected cost: fit, folds, its table, predictions (n,) of the group's rows."""

    model: CostModel
    folds: Folds
    table: CostTable
    predicted: np.ndarray

    @property
    def held(self) -> np.ndarray:
        """Predictions of the table's rows by fits without their practice."""
        return held_out(self.table, self.folds)


def expecting(
    members: Members,
    inside: np.ndarray,
    covariates: Covariates,
    outcome: str,
    choice: Choice,
    folds: int,
    seed: Sequence[int],
) -> Expecting:
    """Fit on the group's comparison baseline, whole and without each fold of practices; predict all rows."""
    base = members.fitted_on[inside]
    practice = members.practice[inside]
    table = without_negatives(
        table_of(
            covariates.x[base], covariates.names, members.cost[outcome][inside][base],
            members.months[inside][base], practice[base],
        ),
        choice.family,
    )  # fmt: skip
    model = fitted(table, choice)
    again = fold_fits(model, table, folds, seed)
    each = covariates.each[:, table.kept]
    predicted = model.mean(each)[covariates.pattern]
    fold_of = np.full(len(members.practices), -1)
    fold_of[np.unique(practice[base])] = again.fold
    own = np.where(members.treated[inside], -1, fold_of[practice])
    for k in range(len(again.fits)):
        out = own == k
        predicted[out] = again.mean(k, each)[covariates.pattern[out]]
    return Expecting(model=model, folds=again, table=table, predicted=predicted)
