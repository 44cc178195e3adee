"""Command for person-year tables: a cost model with its tests and effects in dollars."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer

from medhome.study.problems import DataProblem

Table = Annotated[Path, typer.Argument(help="the table (CSV or Parquet)", show_default=False)]


def cost_model(
    table: Table,
    outcome: Annotated[str, typer.Option("--outcome", help="column of cost", show_default=False)],
    covariates: Annotated[
        str, typer.Option("--covariates", metavar="A,B", help="columns of covariates, with commas")
    ],
    family: Annotated[
        str, typer.Option("--family", help="ols | poisson | gamma | tweedie | two-part")
    ] = "ols",
    weights: Annotated[
        str | None, typer.Option("--weights", help="column of positive weights (member months)")
    ] = None,
    cluster: Annotated[str | None, typer.Option("--cluster", help="column of clusters (practice)")] = None,
    categorical: Annotated[
        str, typer.Option("--categorical", metavar="A,B", help="number columns that are categories")
    ] = "",
    reference: Annotated[
        list[str] | None,
        typer.Option("--reference", metavar="COLUMN=LEVEL", help="another reference level; repeatable"),
    ] = None,
    first: Annotated[str, typer.Option("--first", help="two-part: logit | probit")] = "logit",
    second: Annotated[str, typer.Option("--second", help="two-part: gamma | poisson | ols")] = "gamma",
    power: Annotated[str, typer.Option("--power", help="tweedie: a number in (1, 2), or estimate")] = "1.5",
    recycle: Annotated[
        str, typer.Option("--recycle", metavar="A,B", help="covariates whose effect in dollars is wanted")
    ] = "",
    draws: Annotated[
        int, typer.Option("--draws", min=0, help="cluster-bootstrap draws; 0 for the delta method")
    ] = 0,
    folds: Annotated[int, typer.Option("--folds", min=2, help="folds of the Copas test")] = 10,
    seed: Annotated[int, typer.Option("--seed", min=0, help="of folds and bootstrap")] = 1,
    json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """Cost model of any person-year table, with specification tests and effects in dollars."""
    from medhome import cost_model_tables, panels

    frame = panels.read_table(table)
    try:
        found = cost_model_tables.cost_model(
            frame,
            outcome=outcome,
            covariates=_names(covariates),
            family=family,
            weights=weights,
            cluster=cluster,
            categorical=_names(categorical),
            reference=_levels(reference or []),
            first=first,
            second=second,
            power=_power(power),
            recycle=_names(recycle),
            draws=draws,
            folds=folds,
            seed=seed,
        )
    except DataProblem as problem:
        raise DataProblem(f"{table}: {problem}") from None
    if json:
        print(jsonlib.dumps(found.to_json(), indent=2, ensure_ascii=False, allow_nan=False))
        return
    print(found.summary())


def _names(text: str) -> tuple[str, ...]:
    return tuple(c.strip() for c in text.split(",") if c.strip())


def _power(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _levels(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, equals, level = pair.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{pair!r}: write COLUMN=LEVEL", param_hint="--reference")
        found[name] = level
    return found
