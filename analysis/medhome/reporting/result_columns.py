"""How a result frame becomes numbers with names, units and kinds: the form that `result_names` fills in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

USD, PMPM, MEMBER_MONTHS = "USD", "USD PMPM", "member-months"


@dataclass(frozen=True)
class Column:
    """How one column of a result frame becomes numbers."""

    unit: str
    kind: str = "exact"
    digits: int = 0
    of: str = ""  # the count that it rests on: withheld together

    @property
    def to_the_cent(self) -> bool:
        """A sum of dollars, which is a whole number of cents and so the same on every machine."""
        return self.kind == "exact" and self.unit == USD


@dataclass(frozen=True)
class Table:
    """How one frame becomes numbers: the words of the names, and the columns with values.

    arm: whose members it counts, where no column says it.
    """

    prefix: str
    frame: str
    keys: tuple[str, ...]
    columns: Mapping[str, Column] = field(default_factory=dict)
    label: str = "label"
    arm: str = ""


MEMBERS = Column("members", "count")
