"""Commands on payment: settlements of shared-savings contracts."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer

from medhome.study.problems import DataProblem


def settle(
    terms: Annotated[
        str,
        typer.Argument(
            help="the terms file (TOML), or one of the package: mssp-2018, commercial-example",
            show_default=False,
        ),
    ],
    table: Annotated[
        Path | None,
        typer.Argument(help="one row per contract and year (CSV or Parquet)", show_default=False),
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="write every settlement to this CSV file")] = None,
    json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """What shared-savings contracts pay: minimum savings rate, share, quality gate, cap, losses."""
    from medhome import panels, settlements

    frame = None if table is None else panels.read_table(table)
    try:
        found = settlements.settle(terms, frame)
    except DataProblem as problem:
        raise DataProblem(f"{table or terms}: {problem}") from None
    if csv is not None:
        csv.write_text(found.frame.to_csv(index=False, lineterminator="\n"), encoding="utf-8")
    if json:
        print(jsonlib.dumps(found.to_plain(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print(found.to_text())
