"""One call from member-periods to exhibits T8 to T10 and the effect under each cost model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from medhome.models.cost_models.model import Choice
from medhome.models.cost_models.specification import specification_tests
from medhome.models.member_costs import effects as program
from medhome.models.member_costs import panel
from medhome.models.member_costs.fits import Expecting, attempt, choice_of, expecting
from medhome.models.member_costs.members import (
    CAPPED,
    UNCAPPED,
    Covariates,
    Members,
    covariates_of,
    fewest_to_fit,
    members_of,
)
from medhome.study.cells import Rows
from medhome.study.member_cost_results import COLUMNS, MemberCosts, empty
from medhome.study.spec import StudySpec

DECIMALS = 10
"""Of test statistics: the digits beyond are noise of the fit."""
DRAWS_STEP, FOLDS_STEP, PANELS_STEP = 41, 42, 43
SEED_STEPS = {
    "cost_model_draws": DRAWS_STEP,
    "cost_model_folds": FOLDS_STEP,
    "random_panels": PANELS_STEP,
}
"""What each adds to the study's seed (`evaluate.seeds`)."""


@dataclass(kw_only=True)
class _Found:
    """What is collected on the way: rows of the result's frames, predictions and effects by family."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in COLUMNS})
    predicted: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    effects: dict[str, list[program.Effect]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def describe(rows: Rows, spec: StudySpec, labels: Mapping[tuple[str, str], str]) -> MemberCosts:
    """Fit the study's cost models on its member-periods, test them, and see how near they come.

    Arguments
        rows: one row per member and period. labels: neutral names of organisations by id and arm.

    Nothing is refused: where there is no model, the result says why. Source: ``docs/methods/cost-models.md``,
    in a study.
    """
    asked = spec.cost_models
    if not asked.enabled:
        return MemberCosts()
    members = members_of(rows, spec)
    primary = asked.families[0]
    if int(members.fitted_on.sum()) < fewest_to_fit(spec):
        return MemberCosts(primary=primary, warnings=(_too_few(spec),))
    generator = np.random.default_rng([spec.seed, DRAWS_STEP])
    count = len(members.practices)
    came = generator.multinomial(count, np.full(count, 1.0 / count), size=asked.draws)
    found = _Found(effects={family: [] for family in asked.families})
    for k, stratum in enumerate(members.groups):
        _group(members, k, stratum, rows, spec, came, found)
    return _collected(members, found, rows, spec, labels)


def _group(
    members: Members, k: int, stratum: str, rows: Rows, spec: StudySpec, came: np.ndarray, found: _Found
) -> None:
    asked = spec.cost_models
    inside = members.group == k
    covariates = covariates_of(members, inside, rows, spec)
    for place, family in enumerate(asked.families):
        choice = choice_of(family, asked)
        for outcome in (CAPPED, UNCAPPED) if place == 0 else (CAPPED,):
            model, why = attempt(partial(_expecting, members, inside, covariates, outcome, choice, spec))
            predicted = found.predicted.setdefault((family, outcome), np.full(len(members.months), np.nan))
            if model is not None:
                predicted[inside] = model.predicted
            if outcome == CAPPED:
                found.rows["identity"] += _identity(family, stratum, members, inside, model, why)
                if model is not None:
                    found.warnings += _certain(family, stratum, model, spec.disclosure.floor)
                    found.rows["tests"] += _tests(family, stratum, model, spec)
        effect, why = attempt(partial(program.effect, members, inside, covariates, choice, came))
        size = _size(members, inside & members.treated & members.performance)
        row = {"family": family, "stratum": stratum, **size, "why": why}
        if effect is not None:
            found.effects[family].append(effect)
            row |= program.in_row([effect])
        found.rows["effects"].append(row)


def _expecting(
    members: Members,
    inside: np.ndarray,
    covariates: Covariates,
    outcome: str,
    choice: Choice,
    spec: StudySpec,
) -> Expecting:
    folds, seed = spec.cost_models.folds, (spec.seed, FOLDS_STEP)
    return expecting(members, inside, covariates, outcome, choice, folds, seed)


def _certain(family: str, stratum: str, found: Expecting, floor: int) -> list[str]:
    """That some terms decide alone who has any cost, by name where they have enough members."""
    model, table = found.model, found.table
    if not model.decided_by:
        return []
    size = {name: table.rows_of(table.x[:, k] > 0) for k, name in enumerate(table.names)}
    named = [name for name in model.decided_by if size[name] >= floor]
    whom = "" if stratum == "all" else f", {stratum}"
    terms = f" ({', '.join(named)})" if named else ""
    return [
        f"{family}{whom}: some terms{terms} decide without exception who has any cost (perfect separation), "
        "so that the first part has no finite coefficient there; its limit is taken, a chance of one or zero."
    ]


def _identity(
    family: str, stratum: str, members: Members, inside: np.ndarray, found: Expecting | None, why: str
) -> list[dict[str, Any]]:
    size = _size(members, inside & members.fitted_on)
    head = {"family": family, "stratum": stratum, **size}
    if found is None:
        return [{**head, "part": "cost", "unit": "USD PMPM", "why": why}]
    table = found.table
    x, share = table.x[:, table.kept], table.weights / table.weights.sum()
    pairs = [("cost", "USD PMPM", float(share @ table.y), float(share @ found.model.mean(x)))]
    if len(found.model.parts) > 1:
        users = (table.y > 0).astype(float)
        expected = float(share @ found.model.parts[0].mean(x))
        pairs.append(("any cost", "share", float(share @ users), expected))
    rows = []
    for part, unit, actual, expected in pairs:
        gap = expected - actual if abs(expected - actual) > program.NO_GAP * abs(actual) else 0.0
        rows.append({
            **head, "part": part, "unit": unit, "actual": actual, "expected": expected, "gap": gap,
            "gap_share": gap / actual if actual > 0 else np.nan, "why": "",
            "without_cost": table.rows_of(table.y <= 0) if part == "any cost" else 0,
        })  # fmt: skip
    return rows


def _tests(family: str, stratum: str, found: Expecting, spec: StudySpec) -> list[dict[str, Any]]:
    tests = specification_tests(
        found.model, found.table, folds=len(found.folds.fits), held=found.held, floor=spec.disclosure.floor
    )
    head = {"family": family, "stratum": stratum, "members": found.table.size}
    named = tests.rename(columns={"ci_low": "lo95", "ci_high": "hi95"}).round(DECIMALS)
    return [{**head, **{str(c): v for c, v in row.items()}} for row in named.to_dict("records")]


def _size(members: Members, mask: np.ndarray) -> dict[str, Any]:
    return {"members": int(mask.sum()), "member_months": float(members.months[mask].sum())}


def _collected(
    members: Members, found: _Found, rows: Rows, spec: StudySpec, labels: Mapping[tuple[str, str], str]
) -> MemberCosts:
    asked = spec.cost_models
    primary = asked.families[0]
    if len(members.groups) > 1:
        size = _size(members, members.treated & members.performance)
        for family, parts in found.effects.items():
            row = {"family": family, "stratum": "all", **size}
            why = "" if len(parts) == len(members.groups) else "A part of the members has no model."
            found.rows["effects"].append({**row, **({} if why else program.in_row(parts)), "why": why})
    for (family, outcome), predicted in found.predicted.items():
        if np.isfinite(predicted).any():
            found.rows["accuracy"] += panel.accuracy_rows(members, family, outcome, predicted)
    frames = {name: _frame(name, table) for name, table in found.rows.items()}
    own = {y: found.predicted[primary, y] for y in (CAPPED, UNCAPPED)}
    if np.isfinite(own[CAPPED]).any():
        frames["ratios"] = panel.ratios(members, own, rows.terms)
        step = (spec.seed, PANELS_STEP)
        frames["practices"] = panel.practices(members, own[CAPPED], labels, asked.draws, step)
        frames["recalibration"] = panel.recalibration(frames["accuracy"])
    return MemberCosts(
        primary=primary, warnings=(*_warnings(members, frames, spec), *found.warnings), **frames
    )


def _frame(name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    if not rows:
        return empty(name)
    frame = pd.DataFrame(rows, columns=list(COLUMNS[name]))
    kinds = {c: k for c, k in empty(name).dtypes.items() if k == "float64"}
    for whole in sorted({"draws", "without_cost"} & set(frame)):
        frame[whole] = frame[whole].fillna(0).astype("int64")
    return frame.astype(kinds)


def _warnings(members: Members, frames: Mapping[str, pd.DataFrame], spec: StudySpec) -> tuple[str, ...]:
    found: list[str] = []
    negative = int((members.cost[CAPPED][members.fitted_on] < 0).sum())
    if negative:
        floor = spec.disclosure.floor
        many = f"{negative:,} member-periods" if negative >= floor else f"Fewer than {floor} member-periods"
        found.append(
            f"{many} of the comparison arm's baseline have cost below zero (reversals above claims): zero in "
            "every model but ols, where they stay."
        )
    missing = frames["identity"][frames["identity"]["why"] != ""]
    for (family, why), part in missing.groupby(["family", "why"], sort=False):
        whom = "" if (part["stratum"] == "all").all() else f" ({', '.join(part['stratum'])})"
        found.append(f"No {family} model{whom}: {why}")
    return tuple(found)


def _too_few(spec: StudySpec) -> str:
    return (
        f"No cost models: the comparison arm has fewer than {fewest_to_fit(spec)} members at baseline to "
        "fit on (cost_models.fewest_members, or ten times disclosure.floor)."
    )
