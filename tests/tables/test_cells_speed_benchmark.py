"""The benchmark of cells on a small size: what it sums and fits is what it says it is."""

from __future__ import annotations

import pandas as pd
import pytest
from benchmarks import cells_speed
from benchmarks.cells_speed_page import page
from linearmodels.iv import AbsorbingLS
from numpy.testing import assert_allclose


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rows = tmp_path_factory.mktemp("cells_speed") / "rows"
    cells_speed.write(rows, 1200, per_part=500)
    return rows


@pytest.fixture(scope="module")
def found(folder):
    return cells_speed.cells(folder)


def test_rows_are_a_panel_in_parts(folder):
    frame = pd.read_parquet(folder)
    assert len(list(folder.glob("*.parquet"))) == 3 and len(frame) == 1200 * 36
    assert frame["month"].nunique() == 36 and set(frame["treat"]) == {0, 1}
    assert frame.loc[frame["treat"] == 1, "month"].min() == 24
    assert 0.3 < (frame["cost"] == 0).mean() < 0.4


def test_the_estimate_is_that_of_the_rows(folder, found):
    frame = pd.read_parquet(folder)
    names = ["treat", "age", "risk", "female"]
    fit = AbsorbingLS(
        frame["cost"] / 100,
        frame[names].astype(float),
        absorb=frame[["practice", "month"]].astype("category"),
    ).fit()
    assert_allclose(found["estimate"], fit.params["treat"], rtol=1e-9)
    assert found["rows"] == len(frame) and found["draws"] > 1000


def test_the_page_tells_what_is_met(found):
    times = {"seconds": 1.0, "cpu_seconds": 1.0, "peak_mb": 100.0}
    size = {"members": 1200, "load": 0.5, "bytes": 10, "scan": times, "doubles": times}
    peer = {
        **times,
        "seconds": 13 * found["seconds"],
        "estimate": found["estimate"],
        "se": 1.001 * found["se"],
    }
    text = page([{**size, "cells": {**found, "peak_mb": 1500.0}, "pyfixest": peer}], repeats=1,
                largest_for_peers=10**7)  # fmt: skip
    assert "1,000 MB: 1500, not met" in text
    assert "pyfixest takes at least 12 times as long: 13.0, met" in text
    assert "to 10 digits: 3.0, not met" in text
