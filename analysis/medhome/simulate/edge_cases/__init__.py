"""The 25 edge cases of an evaluation from claims, each a world of a few people with its arithmetic by hand.

The worlds are text tables in ``definitions/worlds``; `docs/simulation.md` lists them.
"""

from medhome.simulate.edge_cases.reading import (
    Choice,
    EdgeCase,
    base_rows,
    base_study,
    edge_case,
    edge_cases,
    row,
)
from medhome.simulate.edge_cases.writing import write_edge_case, write_tables

__all__ = [
    "Choice",
    "EdgeCase",
    "base_rows",
    "base_study",
    "edge_case",
    "edge_cases",
    "row",
    "write_edge_case",
    "write_tables",
]
