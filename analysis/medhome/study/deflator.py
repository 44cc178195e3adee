"""A price index by month, in which a study may state its dollars: those of one base year."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

from pydantic import BaseModel, Field

from medhome.study.claims_choices import STRICT
from medhome.study.periods import month_index, month_name
from medhome.study.problems import StudyFileError, printable

LARGEST_RATIO = 10
"""Prices more than ten times apart within a study are taken for an error of the file."""


class IndexMonth(BaseModel):
    """One row of a price index: a month and its level, on whatever scale."""

    model_config = STRICT

    month: str = Field(pattern=r"^\d{4}-\d{2}$")
    index: float = Field(gt=0, allow_inf_nan=False)


class PriceIndex:
    """What a dollar of a month is worth in dollars of the base year.

    >>> rows = [IndexMonth(month=f"2008-{m:02d}", index=100.0) for m in range(1, 13)]
    >>> index = PriceIndex([*rows, IndexMonth(month="2009-01", index=125.0)], 2008)
    >>> index.ratio(month_index("2009-01"))
    0.8
    """

    def __init__(self, rows: list[IndexMonth] | tuple[IndexMonth, ...], base_year: int) -> None:
        self.levels = {month_index(row.month): row.index for row in rows}
        year = range(base_year * 12, base_year * 12 + 12)
        absent = [month_name(m) for m in year if m not in self.levels]
        if absent:
            raise ValueError(
                f"outcomes.deflator: the price index lacks {absent[0]}, a month of deflator_base {base_year}"
            )
        self.base = math.fsum(self.levels[m] for m in year) / 12

    def ratio(self, month: int) -> float:
        """Dollars of the base year for one dollar of this month."""
        return self.base / self.levels[month]

    def fault(self, months: list[int]) -> str:
        """Why the index does not do for these months; empty when it does."""
        absent = [month_name(m) for m in months if m not in self.levels]
        if absent:
            more = f" and {len(absent) - 1} more" if absent[1:] else ""
            return f"the price index lacks {absent[0]}{more}"
        far = [m for m in months if not 1 / LARGEST_RATIO <= self.ratio(m) <= LARGEST_RATIO]
        if far:
            return (
                f"the price index of {month_name(far[0])} is over {LARGEST_RATIO} times off the base year's"
            )
        return ""


def read_price_index(path: Path) -> tuple[dict[str, str | float], ...]:
    """The rows of a study's price index, which lies beside the study file: ``month`` (YYYY-MM) and ``index``.

    Raises `StudyFileError` naming the file, its line and what to do.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            held, rows = reader.fieldnames or [], list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StudyFileError(
            f"{path}: outcomes.deflator names this file, which cannot be read ({error})"
        ) from None
    lacking = [name for name in ("month", "index") if name not in held]
    if lacking or not rows:
        raise StudyFileError(
            f"{path}: lacks {', '.join(lacking) or 'rows'}; a price index has the columns month (YYYY-MM) "
            "and index"
        )
    found: dict[str, float] = {}
    for number, row in enumerate(rows, start=2):
        month, level = (row["month"] or "").strip(), _level(row["index"])
        if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", month) or level is None or month in found:
            raise StudyFileError(
                f"{path}: line {number}: month {printable(month)!r}, index {printable(row['index'])!r}; "
                "write each month once as YYYY-MM, and an index above zero"
            )
        found[month] = level
    return tuple({"month": month, "index": level} for month, level in found.items())


def _level(text: str | None) -> float | None:
    try:
        level = float(text or "")
    except ValueError:
        return None
    return level if math.isfinite(level) and level > 0 else None
