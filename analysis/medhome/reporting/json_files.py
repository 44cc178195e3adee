"""How the house writes JSON: sorted keys, UTF-8, two spaces, a final newline, no NaN."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from medhome.study.problems import DataProblem


def as_text(document: Any) -> str:
    """A document as the text of its file: the same document gives the same bytes."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(document: Any, path: Path) -> None:
    """Write a document."""
    path.write_text(as_text(document), encoding="utf-8", newline="\n")


def read_json(path: Path) -> Any:
    """Read a document. Raises `DataProblem` when the file is missing or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataProblem(f"{path}: there is no such file; a report's folder holds it") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataProblem(f"{path}: cannot be read as JSON ({error}); it was cut short or changed") from None
