"""Command for person-years without a comparison: what risk explains, and what a change cannot show."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from medhome import cli_tables
from medhome.study.problems import StudyFileError


def person_years(
    table: cli_tables.Table,
    source: Annotated[
        str, typer.Option("--source", help="table, or synpuf: CMS's DE-SynPUF beneficiary summaries")
    ] = "table",
    person: Annotated[str, typer.Option("--person", help="column of people")] = "",
    year: Annotated[str, typer.Option("--year", help="column of years")] = "",
    cost: Annotated[str, typer.Option("--cost", metavar="A,B", help="columns of dollars, added up")] = "",
    covariates: Annotated[str, cli_tables.Covariates] = "",
    months: Annotated[
        str | None, typer.Option("--months", help="column of member-months; 12 where left out")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="write the page OUT/person-years.html")] = None,
    json: cli_tables.Json = False,
) -> None:
    """Cost of people by year, how much of it risk explains, and why a change alone is no effect."""
    from medhome import person_year_tables

    if source not in ("table", "synpuf"):
        raise StudyFileError(f"--source {source!r}: use table or synpuf")
    given = {"--person": person, "--year": year, "--cost": cost, "--covariates": covariates}
    if source == "table" and (absent := [name for name, value in given.items() if not value]):
        raise StudyFileError(f"{', '.join(absent)}: missing; --source table needs the names of the columns")
    with cli_tables.opened(table) as frame:
        if source == "synpuf":
            found = person_year_tables.synpuf_beneficiaries(frame)
        else:
            found = person_year_tables.person_years(
                frame,
                person=person,
                year=year,
                cost=cli_tables.names(cost),
                covariates=cli_tables.names(covariates),
                months=months,
            )
    cli_tables.show(found, json)
    if out is not None:
        from medhome.reporting.person_years_page import write_page

        page = write_page(found, f"Person-years of {table.name}", out / "person-years.html")
        print(page, file=sys.stderr if json else sys.stdout)
