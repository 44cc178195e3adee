"""The command that holds our numbers against those of the reference implementations."""

from __future__ import annotations

import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from medhome.study.problems import NumbersDiffer


def validate(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="folder of the reference data (docs/reference-data.md)"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="write the page OUT/validation/index.html")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """Every golden value of a reference implementation, ours beside it, and the digits that agree."""
    from medhome import runs
    from medhome.progress import terminal_or_lines

    found, page = runs.validate(data, out, progress=terminal_or_lines(sys.stderr))
    if json:
        print(jsonlib.dumps(found.to_plain(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print(found.to_text() + (f"\n{page}" if page else ""))
    if not found.agrees:
        raise NumbersDiffer("numbers differ from their golden values by more than the tolerance; see OUTSIDE")
