"""The same notebook, byte for byte, wherever and whenever it ran; and a scan for what would break that.

`normalise` takes away what papermill and the kernel add by chance. `scan` names what only the author can
mend: an object's address, a temporary path, a date of today, a warning.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import os
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medhome.reporting.failures import NotRepeatable
from medhome.reporting.parameters import SECRET, injected_source

if TYPE_CHECKING:
    from nbformat import NotebookNode

_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
_LANGUAGE = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"}

_TEXTUAL = re.compile(r"^(text/|image/svg|application/(json|javascript|xml|x-))")
_DATA_LINK = re.compile(r"data:(?P<type>[\w.+/-]*)(?P<options>(?:;[\w=.-]+)*),(?P<body>[^\"'<>\s)]*)")

_SHORTEST_SECRET = 8
"""Shorter values are ordinary words and numbers more often than secrets."""

_SIGNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("an object's address in memory", re.compile(r"\bat 0x[0-9a-fA-F]{6,}")),
    ("the number of a process", re.compile(r"\bipykernel_\d+")),
    (
        "an absolute path",
        re.compile(
            r"(?<![\w.:/<-])(?:/(?:home|root|tmp|var|usr|opt|mnt|srv|etc|proc|Users|Volumes|private|Library)/[\w.-]+"
            r"|file://|[A-Za-z]:\\[\w])"
        ),
    ),
    ("a time that was measured", re.compile(r"\b(?:Wall time|CPU times)\b|\bper loop\b")),
    (
        "a random identifier",
        re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.I),
    ),
    (
        "something fetched from the network",
        re.compile(
            r"(?:\b(?:src|href|srcset|action|poster)\s*=\s*[\"']?\s*|\burl\(\s*[\"']?|@import\s+[\"']?)(?:https?:)?//",
            re.I,
        ),
    ),
)


def normalise(notebook: NotebookNode, parameters: Mapping[str, Any]) -> NotebookNode:
    """Take away what differs from run to run; changes and returns the notebook.

    Cell ids by position, no times, no papermill or widget blocks, no kernel or language version, adjacent
    printed output joined (how it is cut into pieces depends on time), and the injected parameters in the
    house's own layout.
    """
    for key in ("papermill", "widgets"):
        notebook.metadata.pop(key, None)
    notebook.metadata["kernelspec"] = dict(_KERNEL)
    notebook.metadata["language_info"] = dict(_LANGUAGE)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"c{number:03d}"
        tags = cell.metadata.get("tags", [])
        cell.metadata = type(notebook.metadata)({"tags": list(tags)} if tags else {})
        if "injected-parameters" in tags:
            cell["source"] = injected_source(parameters)
        if cell.cell_type == "code":
            cell["outputs"] = _joined(cell.outputs)
    return notebook


def scan(notebook: NotebookNode, name: str, *, folders: Iterable[Path] = ()) -> None:
    """Raise `NotRepeatable` where an output could differ on another run or betrays this machine.

    ``folders`` are places of this run whose paths must not appear. Every finding is named at once, with
    its cell and line.
    """
    findings = []
    for number, cell in numbered(notebook):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                findings.append(f"cell {number}: ended in an error, {output.ename}")
            elif output.output_type == "stream" and output.name == "stderr":
                first = next((line for line in output.text.splitlines() if line.strip()), "")
                findings.append(
                    f"cell {number}: wrote to standard error ({first.strip()[:120]}); "
                    "report notebooks are silent: collect warnings and show them as a table"
                )
            for text in _texts(output):
                findings += [f"cell {number}, {what}" for what in signs_of_chance(text, folders=folders)]
    if findings:
        listed = "\n".join(f"  {f}" for f in findings)
        raise NotRepeatable(f"{name}: would not come out the same on another run\n{listed}")


def numbered(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    """The cells with the numbers that a reader of the kept notebook counts: an injected cell has that of the
    parameters cell before it."""
    number = 0
    for cell in notebook.cells:
        number += 0 if "injected-parameters" in cell.metadata.get("tags", []) else 1
        yield number, cell


def signs_of_chance(text: str, *, folders: Iterable[Path] = (), today: dt.date | None = None) -> list[str]:
    """What in a text depends on machine, folder, clock or chance: one line per finding, with line number.

    Data links are looked into. Today's date counts unless it begins or ends a month, as a study's dates do.

    >>> signs_of_chance("<p>1.2</p>\\n<Frame at 0x7f00aa11bb>")
    ["line 2: an object's address in memory (at 0x7f00aa11bb)"]
    """
    outside, inside = split_data_links(text)
    found = []
    for part, where in [(outside, ""), *((body, "data link, ") for body in inside)]:
        for what, match in _matches(part, folders, today):
            line = part.count("\n", 0, match.start()) + 1
            found.append(f"{where}line {line}: {what} ({match[0].strip()[:80]})")
        for name, at in _secrets(part):
            line = part.count("\n", 0, at) + 1
            found.append(f"{where}line {line}: the value of the environment variable {name}")
    return found


def _secrets(text: str) -> Iterator[tuple[str, int]]:
    """Environment variables named like secrets whose values stand in a text, and where."""
    for name, value in sorted(os.environ.items()):
        if SECRET.search(name) and len(value) >= _SHORTEST_SECRET and value in text:
            yield name, text.index(value)


def _matches(
    text: str, folders: Iterable[Path], today: dt.date | None
) -> Iterator[tuple[str, re.Match[str]]]:
    for what, pattern in _SIGNS:
        for match in pattern.finditer(text):
            yield what, match
    places = {
        str(p) for f in (*folders, Path.home(), Path.cwd()) for p in (f, f.resolve()) if len(p.parts) > 2
    }
    for place in sorted(places):
        for match in re.finditer(re.escape(place) + r"\b", text):
            if not _SIGNS[2][1].match(text, match.start()):
                yield "a folder of this machine", match
    day = today or dt.date.today()
    if day.day != 1 and (day + dt.timedelta(days=1)).day != 1:
        forms = (
            day.isoformat(),
            f"{day:%B} {day.day}, {day.year}",
            f"{day.day} {day:%B} {day.year}",
            f"{day:%b} {day.day}, {day.year}",
            f"{day.day} {day:%b} {day.year}",
            f"{day:%a %b} {day.day:2d}",
        )
        for match in re.finditer("|".join(rf"\b{re.escape(f)}\b" for f in dict.fromkeys(forms)), text):
            yield "today's date", match


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last["text"] += output.text
        else:
            joined.append(output)
    return joined


def _texts(output: NotebookNode) -> Iterator[str]:
    if "text" in output:
        yield output.text
    for kind, value in output.get("data", {}).items():
        if isinstance(value, str) and _TEXTUAL.match(kind):
            yield value


def split_data_links(text: str) -> tuple[str, list[str]]:
    """A text without the bodies of its data links, and the bodies that are text, decoded."""
    bodies: list[str] = []

    def take(match: re.Match[str]) -> str:
        kind, body = match["type"] or "text/plain", urllib.parse.unquote(match["body"])
        if _TEXTUAL.match(kind):
            if ";base64" in match["options"]:
                try:
                    body = base64.b64decode(body, validate=False).decode("utf-8", errors="replace")
                except binascii.Error:
                    body = ""
            bodies.append(body)
        return f"data:{kind},"

    return _DATA_LINK.sub(take, text), bodies
