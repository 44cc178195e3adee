"""The native format: one Parquet or CSV file (or a folder of parts) per input table."""

from __future__ import annotations

from pathlib import Path

from medhome.study.definitions import contracts
from medhome.study.spec import StudySpec
from medhome.tables.engine import Engine
from medhome.tables.sources.files import open_table


def open_tables(con: Engine, spec: StudySpec, folder: Path, problems: list[str]) -> list[str]:
    """Open every table of the contracts that the folder holds; returns the names of the tables opened.

    Faults are added to ``problems``.
    """
    return [t for t, contract in contracts().items() if open_table(con, spec, contract, folder, problems)]
