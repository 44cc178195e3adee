"""Every file of a released report, read for counts of 1 to 10: results, CSV behind each table, sentences."""

from __future__ import annotations

import base64
import csv
import html
import io
import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from benchmarks.disclosure_reader import Reader
from medhome.reporting.json_files import read_json
from medhome.study.spec import read_study

_LINK = re.compile(r'href="data:text/csv[^,"]*(;base64)?,([^"]*)"')
_COUNTED = re.compile(r"(?<![\d.,:$-])(\d+) (?:members|people|persons|patients|clinicians|claim lines)\b")
_HEADS = re.compile(r"(members|people|persons|clinicians|lines)(_(?!months)\w+)?")


def findings(folder: Path, floor: int) -> list[str]:
    """What a reader of a report's folder finds, in words; empty where nothing is found."""
    spec = read_study(folder / "study.toml")
    periods = spec.periods
    reader = Reader(
        read_json(folder / "results.json")["numbers"],
        floor=floor,
        baseline=periods.baseline.first,
        start=periods.performance.first,
        through=periods.performance.last + 1,
    )
    found = [f"results.json: {c.name} {c.low:g} to {c.high:g} {c.less}".strip() for c in reader.claims()]
    for page in sorted(folder.glob("*.html")):
        text = page.read_text(encoding="utf-8")
        for number, table in enumerate(tables(text)):
            found += [f"{page.name}, table {number + 1}: {cell}" for cell in _small_cells(table, floor)]
        words = html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|script|pre).*?</\1>", " ", text)))
        for match in _COUNTED.finditer(words):
            if (
                0 < int(match[1]) < floor
                and "fewer than" not in words[max(0, match.start() - 12) : match.start()]
            ):
                found.append(f"{page.name}: …{words[max(0, match.start() - 40) : match.end()]}")
    return found


def tables(page: str) -> Iterator[list[dict[str, str]]]:
    """The tables of a page, from the CSV files that it offers."""
    for coded, data in _LINK.findall(page):
        text = base64.b64decode(data).decode() if coded else urllib.parse.unquote(html.unescape(data))
        yield list(csv.DictReader(io.StringIO(text)))


def _small_cells(table: list[dict[str, str]], floor: int) -> Iterator[str]:
    for row in table:
        for head, value in row.items():
            if head and _HEADS.fullmatch(head.strip().lower()):
                number = re.fullmatch(r"-?(\d+)(?:\.0+)?", (value or "").strip())
                if number and 0 < int(number[1]) < floor:
                    yield f"{head} {value} ({', '.join(list(row.values())[:2])})"
