"""Every text of a release, with the place of each line: what may not leave the house, and where it stands.

Looked for: rows about people (identifiers), paths, users, hosts, sources in the network. HTML, SVG, CSV and
TOML are read line by line with their data links decoded, JSON and notebooks value by value (a notebook's
markup is quoted inside), Parquet column by column.

An identifier of a person or a claim is recognised by one of three signs: the name of a column, key or table
head (``person_id``, ``claim_id``, ``bene_id`` and the like); the shape of a US social security number or
Medicare beneficiary identifier; or, where the input tables are at hand, being one of their identifiers, as a
whole word. Identifiers of fewer than eight digits and nothing else cannot be told from counts: they are known
by their column alone.
"""

from __future__ import annotations

import datetime as dt
import getpass
import json
import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from medhome.reporting.normalise import signs_of_chance, split_data_links
from medhome.study.problems import DataProblem

KINDS = (".html", ".svg", ".json", ".ipynb", ".toml", ".csv", ".parquet")
"""Kinds of files that a release may hold; all are read."""

ID_COLUMN = re.compile(
    r"(?:x_)?(?:(?:person|member|patient|subscriber|enrollee|beneficiary|bene|desynpuf|clm|claim)_?(?:source_)?"
    r"(?:id|num|number|no|key|value|line_number|mbi_id|hic_num)|mbi(?:_id)?|hicn?|ssn)",
    re.IGNORECASE,
)
_ID_OF_A_TABLE = frozenset(("id", "person", "member", "patient", "claim"))
"""Columns of input tables that hold identifiers under a name that in a report is a word."""
_HEAD = re.compile(r"<th\b(?![^>]*scope=.?.?row)[^>]*>(.*?)</th>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_SHAPES = (
    (
        "the shape of a social security number",
        re.compile(r"(?<![\w.-])(?!000|666|9)\d{3}-\d\d-\d{4}(?![\w.-])"),
    ),
    (
        "the shape of a Medicare beneficiary identifier",
        re.compile(r"(?<![\w.-])[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d-?[AC-HJKMNP-RT-Y]"
                   r"[0-9AC-HJKMNP-RT-Y]\d-?[AC-HJKMNP-RT-Y]{2}\d\d(?![\w.-])"),
    ),
)  # fmt: skip
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{4,}")
_NO_DAY = dt.date(2000, 1, 1)  # a released page may name the day on which it is released
_ANYBODY = frozenset(("root", "user", "admin", "ubuntu", "runner", "jovyan", "vscode", "docker", "guest"))


def is_id_column(name: str) -> bool:
    """Whether a column, key or table head names an identifier of a person or a claim.

    >>> [is_id_column(n) for n in ("person_id", "Claim ID", "BENE_MBI_ID", "members", "Member-months")]
    [True, True, True, False, False]
    """
    return bool(ID_COLUMN.fullmatch(re.sub(r"[\s-]+", "_", name.strip())))


def identifiers(folder: Path, names: Iterable[str]) -> frozenset[str]:
    """Every identifier of a person or a claim in the input tables that can be told from a count.

    Arguments
        folder: of the input tables. names: their files, as the manifest names them.

    Raises `DataProblem` when a file is not there.
    """

    def holds(column: str) -> bool:
        return is_id_column(column) or column.lower() in _ID_OF_A_TABLE

    found: set[str] = set()
    for name in names:
        path = folder / name
        if not path.is_file():
            raise DataProblem(
                f"{path}: is not there; name the folder of the input tables that the report was made of"
            )
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            columns = [c for c in pq.read_schema(path).names if holds(c)]
            table = pd.read_parquet(path, columns=columns)
        else:
            table = pd.read_csv(path, dtype=str, usecols=holds)
        for column in table:
            if not str(column).lower().endswith("line_number"):
                found |= {str(v) for v in table[column].dropna().unique()}
    return frozenset(v for v in found if _WORD.fullmatch(v) and not (v.isdigit() and len(v) < 8))


def findings(path: Path, known: frozenset[str], folders: Iterable[Path] = ()) -> Iterator[str]:
    """What may not be in a released file: place and sign.

    Arguments
        known: identifiers of the input tables (`identifiers`), none where they are not at hand.
        folders: places of this machine that may not be named.
    """
    lines = list(_lines(path))
    for sign in signs_of_chance("\n".join(line for _, line in lines), folders=folders, today=_NO_DAY):
        at = re.fullmatch(r"line (\d+): (.*)", sign, re.DOTALL)
        yield sign if at is None else f"{lines[int(at[1]) - 1][0]}: {at[2]}"
    named = _of_this_machine()
    for number, (place, line) in enumerate(lines):
        parts = [line]
        heads = [_TAG.sub("", head) for head in _HEAD.findall(line)] if "<th" in line else []
        if "data:" in line:
            outside, inside = split_data_links(line)
            parts = [outside, *inside]
            heads += [head for body in inside for head in _csv_heads(body)]
        if path.suffix == ".csv" and not number:
            heads += _csv_heads(line)
        yield from (f"{place}: a column of identifiers, {h.strip()}" for h in heads if is_id_column(h))
        for part in parts:
            yield from (f"{place}: {what}" for what, sign in (*named, *_SHAPES) if sign.search(part))
            for word in sorted(known.intersection(_WORD.findall(part)))[:1] if known else ():
                yield f"{place}: an identifier of the input tables ({word[0]}…, {len(word)} characters)"


def _csv_heads(text: str) -> list[str]:
    return [head.strip(' "\r') for head in text.lstrip("\ufeff").split("\n", 1)[0].split(",")]


def _of_this_machine() -> list[tuple[str, re.Pattern[str]]]:
    """How the names of this machine and of its user read in a text; words that name anybody are left out."""
    user, host = re.escape(getpass.getuser()), socket.gethostname()
    told = [rf"\b{user}@|[/\\]{user}[/\\]"]
    if len(getpass.getuser()) > 3 and getpass.getuser().lower() not in _ANYBODY:
        told.append(rf"\b{user}\b")
    found = [("names this machine's user", re.compile("|".join(told)))]
    if len(host) > 3 and host != "localhost":
        found.append(("names this machine", re.compile(rf"\b{re.escape(host)}\b")))
    return found


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """The text of a file: lines with their places. Keys of documents and columns of tables are heads."""
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
        yield from (("columns", f"<th>{column}</th>") for column in table.columns)
        for column in (c for c in table.columns if table[c].dtype.kind not in "iufbM"):
            values = table[column].dropna().astype(str).unique()
            yield from ((f"column {column}", value.replace("\n", " ")) for value in values)
    elif path.suffix in (".json", ".ipynb"):
        yield from _of_document(json.loads(path.read_text(encoding="utf-8")), "")
    else:
        text = path.read_text(encoding="utf-8")
        yield from ((f"line {n}", line) for n, line in enumerate(text.split("\n"), 1))


def _of_document(found: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(found, dict):
        for key, value in found.items():
            at = f"{place}.{key}" if place else str(key)
            yield at, f"<th>{key}</th>"
            yield from _of_document(value, at)
    elif isinstance(found, list):
        joined = all(isinstance(v, str) for v in found) and any("\n" in v for v in found)
        for n, value in enumerate(["".join(found)] if joined else found):
            yield from _of_document(value, place if joined else f"{place}[{n}]")
    elif isinstance(found, str):
        for line in found.split("\n"):
            yield place, line
