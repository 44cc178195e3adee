"""Cells: exact integer sums that merge, filter and survive a file without losing a cent."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from medhome.study.cells import KEYS, Cells, moment_name


def _cells(rows):
    frame = pd.DataFrame(rows, columns=[*KEYS, "rows", "w", "w*cost", "w*cost*cost"])
    return Cells(scales={"cost": 100}, frame=frame)


SMALL = [
    # organisation, practice, arm, stratum, month, rows, thousandths, w x cents, w x cents squared
    ("B", "P2", "comparison", "adults", 2, 3, 3000, 90_000_000, 10**21),
    ("A", "P1", "treated", "adults", 1, 2, 2000, 50_000_000, 3 * 10**18),
    ("A", "P1", "treated", "children", 1, 1, 500, 5_000_000, 10**17),
]


def test_means_are_dollars_per_member_month_by_hand():
    cells = _cells(SMALL)
    # P1 adults: 50,000,000 thousandth-cents over 2 member-months = $250; children $100
    assert_allclose(cells.mean("cost"), [250.0, 100.0, 300.0])
    assert_allclose(cells.by("arm").mean("cost"), [300.0, 220.0])  # (500 + 50) / 2.5
    assert_allclose(cells.by().member_months, [5.5])


def test_wide_sums_are_exact():
    both = _cells(SMALL).by("arm").frame
    assert both.loc[both["arm"] == "treated", "w*cost*cost"].item() == 3 * 10**18 + 10**17
    assert _cells(SMALL).by().frame["w*cost*cost"].item() == 10**21 + 3 * 10**18 + 10**17


def test_splitting_and_adding_changes_nothing():
    whole = _cells(SMALL)
    parts = [_cells([row]) for row in SMALL]
    pd.testing.assert_frame_equal((parts[2] + parts[0] + parts[1]).frame, whole.frame, check_dtype=False)


def test_a_file_keeps_every_digit(tmp_path):
    cells = _cells(SMALL)
    cells.save(tmp_path / "cells.parquet")
    again = Cells.load(tmp_path / "cells.parquet")
    assert again.scales == {"cost": 100} and again.keys == KEYS
    assert list(again.frame["w*cost*cost"]) == list(cells.frame["w*cost*cost"])
    assert_allclose(again.mean("cost"), cells.mean("cost"), rtol=0)


def test_empty_exposure_gives_nan_not_zero():
    frame = pd.DataFrame(
        [("A", "P1", "treated", "adults", 1, 0, 0, 100)], columns=[*KEYS, "rows", "w", "w*cost"]
    )
    assert np.isnan(Cells(scales={"cost": 100}, frame=frame).mean("cost")[0])


def test_a_cell_held_twice_and_a_missing_moment_are_refused():
    with pytest.raises(ValueError, match="twice"):
        _cells([SMALL[0], SMALL[0]])
    with pytest.raises(KeyError, match=r"w\*risk"):
        _cells(SMALL).total("risk")
    assert moment_name("risk", "cost") == "w*cost*risk"


def test_relabelling_merges_what_coincides():
    cells = _cells(SMALL).relabel(stratum=["all", "all", "all"])
    assert len(cells.frame) == 2
    assert_allclose(cells.mean("cost"), [220.0, 300.0])


def test_reweighting_counts_members_anew_and_rows_as_before():
    cells = _cells(SMALL).reweighted([0.5, 2.0, 1.0])  # P1 adults, P1 children, P2 adults
    assert_allclose(cells.member_months, [1.0, 1.0, 3.0])
    assert_allclose(cells.mean("cost"), [250.0, 100.0, 300.0])
    assert_allclose(cells.by("arm").mean("cost"), [300.0, 175.0])  # (250 + 100) / 2
    assert list(cells.frame["rows"]) == [2, 1, 3]
    assert cells.frame["w*cost*cost"].iloc[2] == 10**24, "wide sums stay whole"
    with pytest.raises(ValueError, match="one finite factor of zero or more for each cell"):
        _cells(SMALL).reweighted([1.0, -1.0, 1.0])


def test_scatter_is_what_the_means_leave_out():
    # P1 adults: 2 member-months of $250, sum of squares 3e18 / (1000 * 100 * 100) = $300,000,000,000
    assert_allclose(_cells(SMALL).scatter("cost", "cost")[0], 3e11 - 2 * 250.0**2)
