"""The front door for cost models: what does a person-year cost, in any table, and is the model right?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from medhome.models.cost_models.design import cost_table
from medhome.models.cost_models.estimate import chosen, estimate
from medhome.study.cost_model_results import CostModelResult


def cost_model(
    frame: pd.DataFrame,
    *,
    outcome: str,
    covariates: Sequence[str],
    family: str = "ols",
    weights: str | None = None,
    cluster: str | None = None,
    categorical: Sequence[str] = (),
    reference: Mapping[str, str] | None = None,
    first: str = "logit",
    second: str = "gamma",
    power: float | str = 1.5,
    recycle: Sequence[str] = (),
    draws: int = 0,
    folds: int = 10,
    seed: int = 1,
    tests: bool = True,
) -> CostModelResult:
    """What does cost depend on, by how many dollars, and does the model hold?

    frame: one row per person and period. outcome: cost in any unit, per member per month where weights are
    member months. family: ols, poisson, gamma, tweedie (power in (1, 2), or "estimate"), or two-part (first:
    logit or probit of any cost; second: gamma, poisson or ols among users). weights, cluster: columns.
    Text columns, and those in categorical, become levels against a reference (the first in sorted order, or
    reference={column: level}). recycle: covariates whose effect in the outcome's unit is wanted; draws: 0 for
    the delta method, else cluster-bootstrap draws. folds, seed: of the Copas test and the bootstrap.

    Raises `StudyFileError` for a choice that does not exist, `DataProblem` for a table that is not as
    described, `ModelRefusal` where the model has no answer (separation, no variation, gamma with zeros).
    Source: ``docs/methods/cost-models.md``.

    >>> frame = pd.DataFrame({"cost": [1.0, 3.0, 4.0, 6.0], "member": [0, 0, 1, 1]})
    >>> found = cost_model(frame, outcome="cost", covariates=["member"], family="poisson", tests=False)
    >>> round(float(found.recycled("member")["effect"].iloc[0]), 9)
    3.0
    """
    choice = chosen(family, first, second, power)
    table = cost_table(
        frame,
        outcome=outcome,
        covariates=covariates,
        weights=weights,
        cluster=cluster,
        categorical=categorical,
        reference=reference,
    )
    return estimate(table, choice, recycle=recycle, draws=draws, folds=folds, seed=seed, tests=tests)
