"""The world of the dozen, built once for the tests that only read it."""

from __future__ import annotations

import dozen
import pytest

from medhome.tables import engine


@pytest.fixture(scope="session")
def dozen_folder(tmp_path_factory):
    return dozen.write(tmp_path_factory.mktemp("dozen"), dozen.frames())


@pytest.fixture(scope="session")
def dozen_built(dozen_folder):
    """The study of the dozen, in an engine of its own; read it, never build in it."""
    with engine.session() as con:
        yield dozen.build(con, dozen_folder, dozen.study())
