"""Progress for people: one moving line per notebook on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
from typing import TextIO

from medhome.study.progress import Progress


def terminal_or_lines(stream: TextIO) -> Progress:
    """A line that is rewritten while a stage goes on (terminal), or one line per finished stage."""
    if stream.isatty() and os.environ.get("TERM", "") != "dumb":
        return _Terminal(stream)
    return _Lines(stream)


class _Lines:
    def __init__(self, stream: TextIO) -> None:
        self.stream, self.begun = stream, set[str]()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if total == 0 or done == total:
            print(f"medhome: {stage}" + (f", {total} cells" if total else ""), file=self.stream, flush=True)


class _Terminal:
    """Uses rich, which knows terminals. With NO_COLOR nothing is set in grey either."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        self.console = Console(file=stream, highlight=False)
        self.style = "" if os.environ.get("NO_COLOR") else "dim"

    def __call__(self, stage: str, done: int, total: int) -> None:
        if total and done < total:
            self.console.print(f"  {stage}: cell {done} of {total}", end="\r", style=self.style)
        else:
            self.console.print(f"  {stage}" + (f": {total} cells" if total else "") + " " * 20)
