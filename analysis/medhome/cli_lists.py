"""Command for the lists that a program works with: who is high-risk, and which care is due."""

from __future__ import annotations

import datetime as dt
import json as jsonlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from medhome.study.problems import StudyFileError


def register(app: typer.Typer, fixed_environment: Callable[[], None]) -> None:
    """Add the command to the command line.

    Arguments
        app: the command line.
        fixed_environment: starts a command again in the environment in which bytes are repeatable.
    """

    @app.command(
        epilog="Example:  medhome lists study.toml --data data/demo --as-of 2009-06-30 --out private\n\n"
        "Criteria, columns and what is used: docs/lists.md"
    )
    def lists(
        study: Annotated[Path, typer.Argument(help="the study file (TOML)", show_default=False)],
        data: Annotated[Path, typer.Option("--data", help="folder of the input tables", show_default=False)],
        as_of: Annotated[
            str,
            typer.Option(
                "--as-of", metavar="YYYY-MM-DD", help="the day; nothing later is used", show_default=False
            ),
        ],
        out: Annotated[
            Path,
            typer.Option(
                "--out", help="private folder: what is written goes to OUT/<study>-private-lists/<day>/"
            ),
        ],
        json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
    ) -> None:
        """Lists of named members as of a day, private: high-risk with reasons, and gaps in care."""
        fixed_environment()
        from medhome.lists import program_lists
        from medhome.progress import terminal_or_lines
        from medhome.reporting.private_lists import write_lists
        from medhome.study.spec import read_study

        try:
            day = dt.date.fromisoformat(as_of)
        except ValueError:
            raise StudyFileError(
                f"--as-of {as_of!r} is not a day; write YYYY-MM-DD, as in 2009-06-30"
            ) from None
        spec = read_study(study)
        found = program_lists(spec, data, day, terminal_or_lines(sys.stderr))
        folder = write_lists(found, out)
        rows = found.about["rows"]
        plain = {"folder": str(folder), "as_of": as_of, "members": found.about["members"], "rows": rows}
        text = "\n".join(f"{name}: {count:,} rows" for name, count in rows.items())
        print(jsonlib.dumps(plain, indent=2, sort_keys=True) if json else f"{text}\n{folder}")
