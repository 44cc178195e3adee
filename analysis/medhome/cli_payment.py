"""Commands on payment and on planning: settlements of contracts, and the power of a pilot."""

from __future__ import annotations

import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from medhome.study.problems import DataProblem, StudyFileError


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


def power(
    study: Annotated[Path, typer.Argument(help="the study file (TOML)", show_default=False)],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="folder of the input tables; without it, the assumptions of [power]"),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="folder: power.html, .json and .csv go to OUT/<study>/")
    ] = Path("reports"),
    practices: Annotated[
        str, typer.Option("--practices", metavar="N,N", help="practices in the program to draw")
    ] = "",
    members: Annotated[
        str, typer.Option("--members", metavar="N,N", help="members of each practice to draw")
    ] = "",
    months: Annotated[
        str, typer.Option("--months", metavar="N,N", help="months after the start to draw")
    ] = "",
    organizations: Annotated[
        str, typer.Option("--organizations", metavar="N,N", help="organisations in the program to draw")
    ] = "",
    effect: Annotated[
        float | None, typer.Option("--effect-pmpm", min=0, help="an effect aimed at, in dollars PMPM")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """How small an effect a study could find, over practices, members and months: for planning a pilot."""
    from medhome import planning
    from medhome.progress import terminal_or_lines

    found = planning.power(
        study,
        data,
        practices=_numbers(practices, "--practices"),
        members=_numbers(members, "--members"),
        months=_numbers(months, "--months"),
        organizations=_numbers(organizations, "--organizations"),
        effect_pmpm_usd=effect,
        progress=terminal_or_lines(sys.stderr),
    )
    page = planning.write_power(found, out)
    if json:
        print(
            jsonlib.dumps(
                {**found.to_plain(), "page": str(page)}, indent=2, ensure_ascii=False, allow_nan=False
            )
        )
    else:
        print(f"{found.to_text()}\n{page}")


def _numbers(text: str, option: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise StudyFileError(f"{option} {text!r}: write whole numbers with commas, such as 10,25,50")
    return tuple(int(part) for part in parts)
