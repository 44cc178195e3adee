"""CMS DE-SynPUF files."""

from __future__ import annotations

from pathlib import Path

from medhome.study.problems import DataProblem
from medhome.study.spec import StudySpec
from medhome.tables.engine import Engine


def open_tables(con: Engine, spec: StudySpec, folder: Path, problems: list[str]) -> list[str]:
    raise DataProblem("reading DE-SynPUF is being written")
