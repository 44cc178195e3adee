"""Command for person-year tables: a cost model with its tests and effects in dollars."""

from __future__ import annotations

from typing import Annotated

import typer

from medhome import cli_tables


def cost_model(
    table: cli_tables.Table,
    outcome: Annotated[str, typer.Option("--outcome", help="column of cost", show_default=False)],
    covariates: Annotated[str, cli_tables.Covariates],
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
    json: cli_tables.Json = False,
) -> None:
    """Cost model of any person-year table, with specification tests and effects in dollars."""
    from medhome import cost_model_tables

    with cli_tables.opened(table) as frame:
        found = cost_model_tables.cost_model(
            frame,
            outcome=outcome,
            covariates=cli_tables.names(covariates),
            family=family,
            weights=weights,
            cluster=cluster,
            categorical=cli_tables.names(categorical),
            reference=cli_tables.pairs(reference or [], "--reference", "COLUMN=LEVEL"),
            first=first,
            second=second,
            power=_power(power),
            recycle=cli_tables.names(recycle),
            draws=draws,
            folds=folds,
            seed=seed,
        )
    cli_tables.show(found, json)


def _power(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
