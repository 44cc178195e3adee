"""Small pieces of sentences that the modules of words share."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medhome.study.display import (
    WITHHELD,
    absent,
    count,
    usd,
)


def coarse(value: float) -> str:
    return usd(value, 0 if abs(value) >= 10 else 2)


def lower_first(text: str) -> str:
    """A label inside a sentence: its first letter small, unless the word is an abbreviation."""
    return text if len(text) > 1 and text[1].isupper() else text[:1].lower() + text[1:]


def withheld(value: Any) -> str:
    return WITHHELD if absent(value) else count(value)


def counted(value: Any, one: str, many: str) -> str:
    if absent(value):
        return f"a withheld number of {many}"
    return f"{count(value)} {one if value == 1 else many}"


def first(frame: pd.DataFrame) -> dict[str, Any]:
    return {str(name): value for name, value in frame.iloc[0].items()}
