"""How a long piece of work tells what it has done."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the name of a stage and "k of n"; n is 0 for a stage without parts."""


def silent(stage: str, done: int, total: int) -> None:
    """Say nothing."""
