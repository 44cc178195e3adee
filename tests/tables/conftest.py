"""The world of the dozen, built once for the tests that only read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dozen
import pytest

from medhome.study.cells import Cells
from medhome.study.spec import StudySpec
from medhome.tables import collapse, engine, panel, sources


@dataclass(frozen=True)
class Built:
    spec: StudySpec
    panel: Any
    cells: Cells


def build(con, folder, spec: StudySpec, coefficients: dict[str, float] | None = None) -> Built:
    """A study run from its files to cells."""
    months = panel.build(con, sources.open_inputs(con, spec, folder), spec)
    scored = collapse.score(months, coefficients or {"intercept": 100.4, "condition:diabetes": 50.1})
    return Built(spec, scored, collapse.cells(scored, spec))


@pytest.fixture(scope="session")
def dozen_folder(tmp_path_factory):
    return dozen.write(tmp_path_factory.mktemp("dozen"), dozen.frames())


@pytest.fixture(scope="session")
def dozen_con():
    with engine.session() as con:
        yield con


@pytest.fixture(scope="session")
def dozen_built(dozen_con, dozen_folder) -> Built:
    return build(dozen_con, dozen_folder, dozen.study())
