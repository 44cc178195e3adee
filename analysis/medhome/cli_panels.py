"""Commands for tables that are no claims: difference in differences of any panel."""

from __future__ import annotations

import json as jsonlib
from typing import Annotated

import typer

from medhome import cli_tables


def did(
    table: cli_tables.Table,
    outcome: Annotated[str, typer.Option("--outcome", help="column of the outcome", show_default=False)],
    unit: Annotated[str, typer.Option("--unit", help="column of the unit", show_default=False)],
    time: Annotated[str, typer.Option("--time", help="column of the time", show_default=False)],
    treated: Annotated[
        str | None, typer.Option("--treated", help="column that is 1 in rows under treatment")
    ] = None,
    first_treated: Annotated[
        str | None,
        typer.Option("--first-treated", help="column of the first treated time; 0, empty or inf for never"),
    ] = None,
    estimator: Annotated[str, typer.Option("--estimator", help="which estimator; see below")] = "twfe",
    control: Annotated[
        str | None,
        typer.Option("--control", help="never | not-yet: who is compared (callaway-santanna, ...)"),
    ] = None,
    covariates: Annotated[str, cli_tables.Covariates] = "",
    weights: Annotated[str | None, typer.Option("--weights", help="column of positive weights")] = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", help="column of clusters; the unit when left out")
    ] = None,
    affected: Annotated[
        str | None,
        typer.Option("--affected", help="triple-difference: column that is 1 in rows that could change"),
    ] = None,
    inference: Annotated[
        str | None, typer.Option("--inference", help="cr1 | cr2 | cr3 | wild | randomization")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="another option of the estimator; repeatable"),
    ] = None,
    json: cli_tables.Json = False,
) -> None:
    """Difference in differences of any panel: one row per unit and time, from CSV or Parquet."""
    from medhome import panels

    with cli_tables.opened(table) as frame:
        found = panels.did(
            frame,
            outcome=outcome,
            unit=unit,
            time=time,
            treated=treated,
            first_treated=first_treated,
            estimator=estimator,
            covariates=cli_tables.names(covariates),
            weights=weights,
            cluster=cluster,
            affected=affected,
            control=control,
            inference=inference,
            **_options(option or []),
        )
    cli_tables.show(found, json)
    if len(found.table) and not json:
        print("", found.table.to_string(index=False, max_rows=60), sep="\n")


def _options(texts: list[str]) -> dict[str, object]:
    """NAME=VALUE as keyword arguments: numbers and true/false as such, all else as text."""
    out: dict[str, object] = {}
    for name, value in cli_tables.pairs(texts, "--option").items():
        try:
            out[name.replace("-", "_")] = jsonlib.loads(value)
        except ValueError:
            out[name.replace("-", "_")] = value
    return out
