"""Effects that others published: yardsticks that a study's power is read against."""

from __future__ import annotations

import csv
import importlib.resources
from dataclasses import dataclass

YARDSTICK = "medical-home-2008"
"""The published effect that every report compares with what its own study can detect."""


@dataclass(frozen=True, kw_only=True)
class PublishedEffect:
    """One published effect on cost, actual minus expected in dollars PMPM (negative = cost less)."""

    id: str
    effect_pmpm_usd: float
    program: str
    members: int
    start: str
    source: str


def published_effect(effect_id: str = YARDSTICK) -> PublishedEffect:
    """A published effect by its id in ``definitions/published.csv``, which names the source of each.

    >>> published_effect().effect_pmpm_usd
    -1.78
    """
    table = importlib.resources.files("medhome").joinpath("definitions", "published.csv")
    with table.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["id"] == effect_id:
                return PublishedEffect(
                    id=row["id"],
                    effect_pmpm_usd=float(row["effect_pmpm_usd"]),
                    program=row["program"],
                    members=int(row["members"]),
                    start=row["start"],
                    source=row["source"],
                )
    raise KeyError(f"definitions/published.csv has no effect {effect_id!r}")
