"""When each practice of the program starts, by the roster; cells then have the start as a key."""

from __future__ import annotations

import dozen
import pandas as pd
import pytest

from medhome.study.cells import KEYS
from medhome.study.periods import month_index
from medhome.study.problems import ModelRefusal
from medhome.tables import engine

APRIL, JUNE = month_index("2008-04"), month_index("2008-06")


@pytest.fixture(scope="module")
def con():
    with engine.session() as con:
        yield con


def roster(*rows: tuple) -> dict[str, pd.DataFrame]:
    """The dozen with this roster: unit_type, unit_id, start_date, end_date, arm."""
    tables = dozen.frames()
    names = ["unit_type", "unit_id", "start_date", "end_date", "arm"]
    tables["program_roster"] = pd.DataFrame(rows, columns=names).assign(program_id="PCMH")
    return tables


def built(con, folder, tables, **changes):
    dozen.write(folder, tables)
    return dozen.build(con, folder, dozen.study(**changes), {"intercept": 100.0})


IN_WAVES = (
    ("practice", "P1", "2008-04-01", None, "program"),
    ("organization", "O2", "2008-06-15", None, "program"),
    ("provider", "N3", "2008-04-01", None, "comparison"),
)


def test_practices_that_start_later_are_waves_of_the_cells(con, tmp_path):
    found = built(con, tmp_path, roster(*IN_WAVES))
    assert found.panel.starts.to_numpy().tolist() == [["P1", "O1", APRIL, 0], ["P2", "O2", JUNE, 0]]
    cells = found.cells
    assert cells.keys == (*KEYS[:-1], "wave", "month")
    told = cells.frame.groupby("practice_id")["wave"].unique()
    assert {p: w.tolist() for p, w in told.items()} == {"P1": [APRIL], "P2": [JUNE], "P3": [0]}
    plain = built(con, tmp_path / "none", roster(*IN_WAVES), arms__waves="none")
    assert plain.panel.starts.empty and plain.cells.keys == KEYS
    pd.testing.assert_frame_equal(cells.by(*KEYS).frame, plain.cells.by(*KEYS).frame)


def test_one_start_has_no_waves(con, tmp_path):
    found = built(con, tmp_path, dozen.frames())
    assert found.cells.keys == KEYS and found.panel.starts["wave"].tolist() == [APRIL]


def test_of_several_listings_the_first_start_and_the_last_end_count(con, tmp_path):
    rows = (
        ("practice", "P1", "2008-05-01", "2008-05-31", "program"),
        ("practice", "P1", "2008-04-10", "2008-04-30", "program"),
        ("provider", "N2", "2008-06-01", None, "program"),
        ("organization", "O2", "2001-01-01", None, "program"),
        ("provider", "N3", "2008-04-01", None, "comparison"),
    )
    starts = built(con, tmp_path, roster(*rows)).panel.starts
    # P2's clinician is listed, so that the listing of its organisation does not speak for it.
    assert starts[["practice_id", "wave", "last"]].to_numpy().tolist() == [
        ["P1", APRIL, APRIL + 1],
        ["P2", JUNE, 0],
    ]


def test_a_listing_without_a_start_begins_with_the_study(con, tmp_path):
    rows = (("practice", "P1", None, None, "program"), *IN_WAVES[1:])
    assert built(con, tmp_path, roster(*rows)).panel.starts["wave"].tolist() == [APRIL, JUNE]


def test_waves_without_a_practice_that_never_starts_are_refused(con, tmp_path):
    with pytest.raises(ModelRefusal, match=r'no practice is never in the program.*arm "comparison"'):
        built(con, tmp_path, roster(*IN_WAVES[:2]))
