"""The engine is the user's choice: by name, with one message where it is missing, and the same numbers."""

from __future__ import annotations

import importlib.util

import dozen
import pandas as pd
import pytest

from medhome.evaluate import check, collapse_study
from medhome.study.problems import StudyFileError
from medhome.tables import engines, second_engine

INSTALLED = importlib.util.find_spec("datafusion") is not None


def test_an_engine_that_there_is_not_is_named_with_those_that_there_are():
    with (
        pytest.raises(StudyFileError, match="no engine 'oracle': choose one of duckdb, datafusion, spark"),
        engines.opened("oracle"),
    ):
        pass


def test_a_missing_extra_is_named_before_any_file_is_read(monkeypatch, tmp_path):
    def missing():
        raise ImportError("No module named 'datafusion'", name="datafusion")

    monkeypatch.setattr(second_engine, "_backend", missing)
    with pytest.raises(StudyFileError, match=r"datafusion.*pip install 'medhome\[engines\]'"):
        check(dozen.study(), tmp_path / "nothing here", engine="datafusion")


@pytest.mark.skipif(not INSTALLED, reason="pip install 'medhome[engines]'")
def test_what_the_models_read_is_the_same_on_another_engine(dozen_folder):
    spec = dozen.study()
    first = collapse_study(spec, dozen_folder)
    second = collapse_study(spec, dozen_folder, engine="datafusion")

    def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
        pd.testing.assert_frame_equal(one, other, check_exact=True, check_dtype=False)

    same(first.cells.frame, second.cells.frame)
    same(first.grid.cells.frame, second.grid.cells.frame)
    same(first.grid.caps, second.grid.caps)
    same(first.above_cap, second.above_cap)
    same(first.triangles.payments, second.triangles.payments)
    same(first.coded, second.coded)
    for name, pairs in first.grid.pairs.items():
        same(pairs.frame, second.grid.pairs[name].frame)
    for name in ("rules", "inputs", "waterfall", "reconciliation", "encounters"):
        same(getattr(first.quality, name), getattr(second.quality, name))
    assert len(first.cells.frame) > 10
