"""What commands for tables that are no claims share: reading the table, lists, pairs, the result."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from medhome.study.problems import DataProblem

if TYPE_CHECKING:
    import pandas as pd

Table = Annotated[Path, typer.Argument(help="the table (CSV or Parquet)", show_default=False)]
Covariates = typer.Option("--covariates", metavar="A,B", help="columns of covariates, with commas")
Json = Annotated[bool, typer.Option("--json", help="print the result as JSON")]


class Result(Protocol):
    """What a front door finds: as JSON can hold it, and in a few lines of text."""

    def to_json(self) -> dict[str, Any]: ...

    def summary(self) -> str: ...


@contextmanager
def opened(table: Path) -> Iterator[pd.DataFrame]:
    """The table as a frame; a `DataProblem` raised inside names the file."""
    from medhome import panels

    frame = panels.read_table(table)
    try:
        yield frame
    except DataProblem as problem:
        raise DataProblem(f"{table}: {problem}") from None


def names(text: str) -> tuple[str, ...]:
    """Columns of a list with commas.

    >>> names("age, sex,")
    ('age', 'sex')
    """
    return tuple(c.strip() for c in text.split(",") if c.strip())


def pairs(texts: Sequence[str], option: str, form: str = "NAME=VALUE") -> dict[str, str]:
    """NAME=VALUE texts of a repeatable option; ``form`` is how its help writes them.

    >>> pairs(["sex=F"], "--reference")
    {'sex': 'F'}
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{text!r}: write {form}", param_hint=option)
        found[name] = value
    return found


def show(found: Result, as_json: bool) -> None:
    """The result on standard output."""
    if as_json:
        print(jsonlib.dumps(found.to_json(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print(found.summary())
