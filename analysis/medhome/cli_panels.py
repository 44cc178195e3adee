"""Commands for tables that are no claims: difference in differences of any panel."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer

from medhome.study.problems import DataProblem

Table = Annotated[Path, typer.Argument(help="the table (CSV or Parquet)", show_default=False)]


def did(
    table: Table,
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
    covariates: Annotated[
        str, typer.Option("--covariates", metavar="A,B", help="columns of covariates, with commas")
    ] = "",
    weights: Annotated[str | None, typer.Option("--weights", help="column of positive weights")] = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", help="column of clusters; the unit when left out")
    ] = None,
    inference: Annotated[
        str | None, typer.Option("--inference", help="cr1 | cr2 | cr3 | wild | randomization")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="another option of the estimator; repeatable"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """Difference in differences of any panel: one row per unit and time, from CSV or Parquet."""
    from medhome import panels

    frame = panels.read_table(table)
    try:
        found = panels.did(
            frame,
            outcome=outcome,
            unit=unit,
            time=time,
            treated=treated,
            first_treated=first_treated,
            estimator=estimator,
            covariates=tuple(c.strip() for c in covariates.split(",") if c.strip()),
            weights=weights,
            cluster=cluster,
            control=control,
            inference=inference,
            **_options(option or []),
        )
    except DataProblem as problem:
        raise DataProblem(f"{table}: {problem}") from None
    if json:
        print(jsonlib.dumps(found.to_json(), indent=2, ensure_ascii=False, allow_nan=False))
        return
    print(found.summary())
    if len(found.table):
        print("", found.table.to_string(index=False, max_rows=60), sep="\n")


def _options(pairs: list[str]) -> dict[str, object]:
    """NAME=VALUE as keyword arguments: numbers and true/false as such, all else as text."""
    out: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{pair!r}: write NAME=VALUE", param_hint="--option")
        try:
            out[name.replace("-", "_")] = jsonlib.loads(value)
        except ValueError:
            out[name.replace("-", "_")] = value
    return out
