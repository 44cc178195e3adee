"""A released report read by an outsider for counts below the floor: results, CSV behind tables, sentences.

The reader (`medhome.reporting.outside_reader`) has what is released and the documentation, and knows nothing
of the gate, of what it withheld, nor of the true numbers.
"""

from __future__ import annotations

import base64
import csv
import html
import io
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medhome.reporting.json_files import read_json
from medhome.reporting.outside_reader import Reader
from medhome.reporting.rounded_counts import BASE
from medhome.study.spec import StudySpec, read_study

_LINK = re.compile(r'href="data:text/csv[^,"]*?(;base64)?,([^"]*)"')
_COUNTED = re.compile(r"(?<![\d.,:$-])(\d+) (?:members|people|persons|patients|clinicians|claim lines)\b")
_HEADS = re.compile(
    r"(\w+_)?(members|people|persons|clinicians|lines|respondents|invited)(_(?!months)\w+)?"
    r"|identified|reached|engaged|contacts|count|without_(history|score)"
)
_NOT_READ = re.compile(r"(?s)<(style|script|pre).*?</\1>")
_TAG = re.compile(r"<[^>]+>")


def findings(folder: Path, floor: int) -> list[str]:
    """What a reader of a report's folder finds, in words; empty where nothing is found."""
    spec = read_study(folder / "study.toml")
    found = list(derived(read_json(folder / "results.json")["numbers"], spec, floor))
    for page in sorted(folder.glob("*.html")):
        found += [f"{page.name}{said}" for said in on_page(page.read_text(encoding="utf-8"), floor)]
    return found


def derived(numbers: Mapping[str, Mapping[str, Any]], spec: StudySpec, floor: int) -> Iterator[str]:
    """Counts from 1 to ``floor - 1`` that ``results.json`` tells, or that follow from its tables together."""
    periods = spec.periods
    reader = Reader(
        numbers,
        floor=floor,
        baseline=periods.baseline.first,
        start=periods.performance.first,
        through=periods.performance.last + 1,
        rounding=BASE if spec.disclosure.rounding else 0,
    )
    for claim in reader.claims():
        what = f"{claim.name} less {claim.less}" if claim.less else claim.name
        yield f"results.json: {what} lies between {claim.low:g} and {claim.high:g}"


def on_page(page: str, floor: int) -> Iterator[str]:
    """Counts below the floor in the CSV files behind a page's tables, and in its sentences."""
    for number, table in enumerate(tables(page)):
        for cell in small_cells(table, floor):
            yield f", table {number + 1}: {cell}"
    words = html.unescape(_TAG.sub(" ", _NOT_READ.sub(" ", page)))
    for match in _COUNTED.finditer(words):
        before = words[max(0, match.start() - 12) : match.start()]
        if 0 < int(match[1]) < floor and "fewer than" not in before:
            yield f": …{words[max(0, match.start() - 40) : match.end()]}"


def tables(page: str) -> Iterator[list[dict[str, str]]]:
    """The tables of a page, from the CSV files that it offers."""
    for coded, data in _LINK.findall(page):
        text = base64.b64decode(data).decode() if coded else urllib.parse.unquote(html.unescape(data))
        yield list(csv.DictReader(io.StringIO(text)))


def small_cells(table: list[dict[str, str]], floor: int) -> Iterator[str]:
    """Cells of columns that count people or lines with a count from 1 to ``floor - 1``."""
    for row in table:
        for head, value in row.items():
            if head and _HEADS.fullmatch(head.strip().lower()):
                number = re.fullmatch(r"-?(\d+)(?:\.0+)?", (value or "").strip())
                if number and 0 < int(number[1]) < floor:
                    yield f"{head} {value} ({', '.join(list(row.values())[:2])})"
