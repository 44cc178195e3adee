"""Small notebooks for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nbformat

PARAMETERS = ("run = None", "parameters")


def write_notebook(path: Path, cells: Sequence[str | tuple[str, str]]) -> Path:
    """A notebook; a cell is its source, or its source and a tag. What begins with "# " is markdown."""
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    for number, cell in enumerate(cells):
        source, tag = (cell, "") if isinstance(cell, str) else cell
        made = (
            nbformat.v4.new_markdown_cell(source)
            if source.startswith("# ")
            else nbformat.v4.new_code_cell(source)
        )
        made["id"] = f"cell-{number}"
        made["metadata"] = nbformat.NotebookNode({"tags": [tag]} if tag else {})
        notebook.cells.append(made)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path
