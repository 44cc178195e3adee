"""Are the numbers of a report's tables those of ``results.json``? Every download of a page is read.

A number is supported where a result, an end of its interval, its error, its p or its size is the same to nine
digits, or where it is the difference of two numbers of its row. Columns that name a row (a quarter, a tenth,
an item of a checklist) and sizes of files are no results.
"""

from __future__ import annotations

import base64
import bisect
import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medhome.study.published import published_effect

Numbers = Mapping[str, Mapping[str, Any]]

_DOWNLOAD = re.compile(r'download="([\w-]+)\.csv" href="data:text/csv;charset=utf-8;base64,([^"]+)"')
_NO_RESULTS = frozenset(("quarter", "decile", "item", "bytes", "year", "month", "first_month", "last_month"))
_SAME = 6e-10
"""Half a unit of the ninth digit: tables hold ten digits, sums of dollars more."""


def cells(page: Path) -> Iterator[tuple[str, str, str, float, tuple[float, ...]]]:
    """Every number of a page's downloads: table, row, column, the number, and the numbers of its row."""
    for match in _DOWNLOAD.finditer(page.read_text(encoding="utf-8")):
        table = io.StringIO(base64.b64decode(match[2]).decode("utf-8"))
        for row in csv.DictReader(table):
            found = {c: v for c, text in row.items() if (v := _number(text)) is not None}
            values = tuple(found.values())
            for column, value in found.items():
                if column not in _NO_RESULTS:
                    yield match[1], str(next(iter(row.values()))), column, value, values


def unsupported(pages: Mapping[str, Path], numbers: Numbers) -> tuple[int, list[str]]:
    """How many numbers of tables are results, and those that are not, in words."""
    known = sorted({abs(value) for value in _values(numbers)} | {0.0})
    good, odd = 0, []
    for name, page in pages.items():
        for table, row, column, value, beside in cells(page):
            if _among(known, abs(value)) or _difference(value, beside):
                good += 1
            else:
                odd.append(f"{name}: {table}, {row}, {column}: {value:,.10g}")
    return good, odd


def _values(numbers: Numbers) -> Iterator[float]:
    for number in numbers.values():
        parts = [number.get(part) for part in ("value", "se", "p", "df")]
        parts += [*(number.get("ci90") or ()), *(number.get("ci95") or ())]
        parts += list((number.get("n") or {}).values())
        yield from (float(part) for part in parts if part is not None)
    yield published_effect().effect_pmpm_usd


def _among(known: list[float], value: float) -> bool:
    at = bisect.bisect_left(known, value * (1 - _SAME) - 1e-12)
    return at < len(known) and known[at] <= value * (1 + _SAME) + 1e-12


def _difference(value: float, beside: tuple[float, ...]) -> bool:
    near = max(map(abs, beside)) * 2 * _SAME
    return any(
        abs(a - b - value) <= near for a in beside for b in beside if a is not b and value not in (a, b)
    )


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
