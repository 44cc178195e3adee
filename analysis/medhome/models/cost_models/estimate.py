"""One call from table to result: fit, errors, specification tests, recycled predictions, warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from medhome.models.cost_models.design import CostTable
from medhome.models.cost_models.errors import Errors
from medhome.models.cost_models.model import Choice, CostModel, fit_table
from medhome.models.cost_models.patterns import collapsed
from medhome.models.cost_models.recycled import recycled_predictions
from medhome.models.cost_models.specification import specification_tests
from medhome.models.panels.sandwich import Inference
from medhome.study.cost_model_results import CostModelResult
from medhome.study.problems import StudyFileError

FAMILIES = ("ols", "poisson", "gamma", "tweedie", "two-part")
FIRST = ("logit", "probit")
SECOND = ("gamma", "poisson", "ols")
FEW_CLUSTERS = 30
MANY_ROWS = 20_000
"""From here on a table with clusters is fitted from its covariate patterns."""
LINKS = {"ols": "identity", "poisson": "log", "gamma": "log", "tweedie": "log"}


def chosen(family: str, first: str, second: str, power: float | str) -> Choice:
    """A choice that exists, or `StudyFileError`.

    >>> chosen("two-part", "probit", "gamma", 1.5).label
    'two-part (probit, then gamma)'
    """
    for what, value, allowed in (("family", family, FAMILIES), ("first part", first, FIRST),
                                 ("second part", second, SECOND)):  # fmt: skip
        if value not in allowed:
            raise StudyFileError(f"there is no {what} {value!r}; there are {', '.join(allowed)}")
    if power == "estimate":
        return Choice(family=family, first=first, second=second, power=None)
    if isinstance(power, str) or not 1 < power < 2:
        raise StudyFileError(f"a Tweedie power lies between 1 and 2, or is 'estimate'; it is {power!r}")
    return Choice(family=family, first=first, second=second, power=float(power))


def estimate(
    table: CostTable,
    choice: Choice,
    *,
    recycle: Sequence[str] = (),
    draws: int = 0,
    folds: int = 10,
    seed: int = 1,
    tests: bool = True,
) -> CostModelResult:
    """Fit a choice to a checked table. Negative outcomes become 0, counted, for all families but ols."""
    if folds < 2:
        raise StudyFileError(f"the Copas test needs two folds or more; folds is {folds}")
    for name in recycle:
        table.term(name)
    warnings = []
    if not table.by_row and len(table.y) >= MANY_ROWS:
        table = collapsed(table)
    if table.dropped:
        warnings.append(f"Left out as collinear with earlier columns: {', '.join(table.dropped)}.")
    if table.negative and choice.family != "ols":
        warnings.append(
            f"{table.negative:,} negative outcomes, together {table.negative_sum:,.2f}, were set to zero: "
            f"{choice.label} has none; with ols they stay."
        )
        table = replace(table, y=np.maximum(table.y, 0.0))
    if table.by_row:
        warnings.append("No cluster was named: errors take each row as independent of all others.")
    elif table.clusters < FEW_CLUSTERS:
        warnings.append(
            f"{table.clusters} clusters only: errors by cluster are too small on average under "
            f"{FEW_CLUSTERS}."
        )
    model = fit_table(table, choice)
    errors = model.errors(table)
    predictions = [recycled_predictions(model, table, name, draws=draws, seed=seed) for name in recycle]
    mean = model.mean(table.x[:, table.kept])
    return CostModelResult(
        family=choice.label,
        link=", ".join(_links(choice)),
        power=model.power,
        outcome=table.outcome_name,
        coefficients=_coefficients(model, errors),
        rule=errors.rule,
        tests=specification_tests(model, table, folds=folds, seed=seed) if tests else pd.DataFrame(),
        predictions=pd.concat(predictions, ignore_index=True) if predictions else pd.DataFrame(),
        references={t.name: t.levels[0] for t in table.terms if t.kind == "category"},
        rows=table.size,
        clusters=None if table.by_row else table.clusters,
        weight=float(table.weights.sum()),
        mean_actual=float(np.average(table.y, weights=table.weights)),
        mean_predicted=float(np.average(mean, weights=table.weights)),
        negative_set_to_zero=table.negative if choice.family != "ols" else 0,
        negative_sum=table.negative_sum if choice.family != "ols" else 0.0,
        warnings=(*warnings, *model.warnings),
        recycle=lambda name, draws, seed: recycled_predictions(model, table, name, draws=draws, seed=seed),
    )


def _links(choice: Choice) -> list[str]:
    if choice.family == "two-part":
        return [choice.first, LINKS[choice.second]]
    return [LINKS[choice.family]]


def _coefficients(model: CostModel, errors: Errors) -> pd.DataFrame:
    rows, position = [], 0
    spread = np.sqrt(np.maximum(np.diag(errors.matrix), 0.0))
    for part in model.parts:
        for name, value in zip(part.names, part.beta, strict=True):
            found = Inference.of(float(value), float(spread[position]), errors.df)
            rows.append((part.label, name, found.estimate, found.se, found.ci[0], found.ci[1], found.p))
            position += 1
    return pd.DataFrame(rows, columns=["part", "name", "coefficient", "se", "ci_low", "ci_high", "p"])
