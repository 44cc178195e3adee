"""A page of headings and blocks that no notebook stands behind: checks, verification, comparison."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from medhome.reporting.blocks import Block, prose


def write_sections(
    sections: Iterable[tuple[str, Block]],
    out: Path,
    title: str,
    context: Mapping[str, Any] | None = None,
    folders: tuple[Path, ...] = (),
) -> Path:
    """Write a page, whole or not at all: one self-contained file without network requests.

    Arguments
        sections: heading (none where empty) and content, in order; sections without content are left out.
        out: the page; an earlier one is replaced.
        title: the page's own.
        context: what the template shows beside it, as `render.render_page` says.
        folders: paths that must not show on the page.
    """
    import nbformat

    from medhome.reporting.render import render_notebook

    cells = []
    for heading, block in sections:
        if not block.html:
            continue
        if heading:
            cells.append(nbformat.v4.new_markdown_cell(f"## {prose(heading)}"))
        shown = nbformat.v4.new_output("display_data", {"text/html": block.html, "text/plain": block.text})
        cells.append(nbformat.v4.new_code_cell("", outputs=[shown], execution_count=1))
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.stem}-") as name:
        made = Path(name) / out.name
        notebook = nbformat.v4.new_notebook(cells=cells)
        render_notebook(notebook, made, {"title": title, **(context or {})}, folders)
        os.replace(made, out)
    return out
