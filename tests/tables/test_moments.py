"""Collapse of any table: exact whole numbers whatever the threads, the order and the files."""

import dataclasses
from decimal import Decimal

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose

from medhome.models.cell_moments import CellMoments
from medhome.study.cells import Cells
from medhome.study.problems import DataProblem, ModelRefusal
from medhome.tables.collapse import cells as study_cells
from medhome.tables.engine import fetch, session
from medhome.tables.moments import collapse, collapse_members

SIX = pd.DataFrame(
    {
        "practice": ["P1", "P1", "P1", "P2", "P2", "P2"],
        "month": [1, 1, 2, 1, 2, 2],
        "cost": [10.25, 0.0, 5.5, 7.0, 1.25, 2.0],
        "paid_cents": [1000, 0, 500, 700, 100, 200],
        "age": [30, 40, 40, 50, 50, 60],
        "share": [0.5, 1.0, 1.0, 0.25, 1.0, 0.0],
    }
)


def test_sums_by_hand():
    cells = collapse(
        ibis.memtable(SIX), ["practice", "month"], ["cost", "paid_cents"], ["age"],
        scales={"cost": 100}, held={"paid_cents": 100},
    )  # fmt: skip
    first = cells.frame.iloc[0]
    assert (first["practice"], first["month"], first["rows"], first["w"]) == ("P1", 1, 2, 2)
    assert (first["w*cost"], first["w*cost*cost"], first["w*age*cost"]) == (1025, 1025**2, 30 * 1025)
    assert (first["w*age"], first["w*age*age"], first["w*paid_cents"]) == (70, 900 + 1600, 1000)
    assert not cells.has("cost", "paid_cents"), "two outcomes are not multiplied"
    assert cells.has("paid_cents", "paid_cents") and cells.has("age", "paid_cents")
    assert_allclose(cells.mean("cost"), [5.125, 5.5, 7.0, 1.625])
    assert_allclose(cells.mean("paid_cents")[0], 5.0)
    # P1 in month 1: costs 10.25 and 0 at ages 30 and 40, deviations 5.125 and 5
    assert_allclose(cells.scatter("cost", "cost")[0], 2 * 5.125**2)
    assert_allclose(cells.scatter("age", "cost")[0], -2 * 5.125 * 5)


def test_weights_by_hand_and_rows_of_weight_zero_do_not_count():
    cells = collapse(ibis.memtable(SIX), ["practice"], ["cost"], weights="share",
                     scales={"cost": 100, "share": 100})  # fmt: skip
    assert cells.weight_scale == 100
    assert list(cells.frame["rows"]) == [3, 2]
    assert list(cells.frame["w"]) == [250, 125]
    assert list(cells.frame["w*cost"]) == [50 * 1025 + 100 * 550, 25 * 700 + 100 * 125]
    assert_allclose(cells.mean("cost"), [(0.5 * 10.25 + 5.5) / 2.5, (0.25 * 7 + 1.25) / 1.25])


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    rng = np.random.default_rng([1, 1])
    n = 20_000
    frame = pd.DataFrame(
        {
            "practice": rng.integers(0, 15, n).astype("int16"),
            "month": rng.integers(0, 12, n).astype("int16"),
            "cost": np.round(rng.gamma(0.4, 900, n), 2),
            "age": rng.integers(0, 90, n).astype("int8"),
            "risk": np.round(rng.gamma(2.0, 0.6, n), 3),
        }
    )
    folder = tmp_path_factory.mktemp("many")
    shuffled = frame.sample(frac=1, random_state=3)
    for part in range(5):
        shuffled.iloc[part::5].to_parquet(folder / f"part-{part}.parquet", index=False)
    return frame, folder


def _many(source, **options):
    return collapse(source, ["practice", "month"], ["cost"], ["age", "risk"],
                    scales={"cost": 100, "risk": 1000}, **options).frame  # fmt: skip


def test_neither_threads_nor_order_nor_files_change_a_bit(many):
    frame, folder = many
    one = _many(f"{folder}/*.parquet", threads=1)
    two = _many(sorted(folder.glob("*.parquet"), reverse=True), threads=4)
    third = _many(ibis.memtable(frame))
    for other in (two, third):
        for name in one.columns:
            assert one[name].tolist() == other[name].tolist(), name


def test_sums_equal_pandas_sums_of_whole_numbers(many):
    frame, folder = many
    cents, thousandths = (frame["cost"] * 100).round().astype(int), (frame["risk"] * 1000).round().astype(int)
    expected = (cents * thousandths).groupby([frame["practice"], frame["month"]]).sum()
    assert _many(f"{folder}/*.parquet")["w*cost*risk"].tolist() == expected.tolist()


def test_products_wider_than_64_bits_stay_exact():
    big = 3_000_000_019
    wide = ibis.memtable({"unit": ["a", "a"], "cost": [big, big + 1], "size": [2 * big, 1]})
    frame = collapse(wide, ["unit"], ["cost"], ["size"]).frame
    assert frame["w*size*size"].item() == 4 * big**2 + 1
    assert frame["w*cost*cost"].item() == big**2 + (big + 1) ** 2


def test_an_ibis_table_of_an_engine_of_ones_own():
    with session() as con:
        cells = collapse(con.create_table("t", SIX), ["practice"], ["age"])
    assert list(cells.frame["w*age"]) == [110, 160]


@pytest.mark.parametrize(
    ("change", "arguments", "words"),
    [
        ({}, (["clinic"], ["cost"]), "'clinic' is not in the table"),
        ({}, (["practice"], ["cost"]), "'cost' holds fractions: declare its scale"),
        ({}, (["month"], ["practice"]), "'practice' is string, not a number"),
        ({}, (["age"], ["age"]), "'age' is both a key and a variable"),
        ({"age": [1, None, 2, 3, 4, 5]}, (["practice"], ["age"]), "1 rows have no value"),
        ({"practice": ["P1", None, "P1", "P2", "P2", "P2"]}, (["practice"], ["age"]), "'practice' is empty"),
        ({"share": [-1, 1, 1, 1, 1, 1]}, (["practice"], ["age"], (), "share"), "below zero"),
    ],
)
def test_bad_input_is_named(change, arguments, words):
    frame = SIX.assign(**change)
    if "age" in change:
        frame["age"] = frame["age"].astype("Int64")
    with pytest.raises(DataProblem, match=words):
        collapse(ibis.memtable(frame), *arguments)


def test_not_a_number_and_a_file_that_is_not_parquet_are_named(tmp_path):
    with session() as con:
        con.raw_sql("CREATE TABLE t AS SELECT 'a' AS unit, unnest([1.5, 'NaN'::DOUBLE]) AS x")
        table = con.table("t")
        with pytest.raises(DataProblem, match="'x' is not a number in 1 rows"):
            collapse(table, ["unit"], ["x"], scales={"x": 10})
    (tmp_path / "rows.parquet").write_text("practice,month\n")
    with pytest.raises(DataProblem, match=r"rows\.parquet: cannot be read as Parquet"):
        collapse(tmp_path / "rows.parquet", ["practice"], ["age"])


MEMBERS = pd.DataFrame(
    {
        "person": ["x", "x", "y", "y", "z"],
        "practice": ["P1"] * 5,
        "month": [1, 2, 1, 2, 60],
        "cost": [1, 5, 2, 8, 4],
        "age": [30, 32, 40, 42, 50],
    }
)


def test_members_with_the_same_months_share_a_pattern():
    cells = collapse_members(ibis.memtable(MEMBERS), "person", "month", ["practice"], ["cost"], ["age"])
    frame = cells.frame
    assert cells.keys == ("practice", "pattern", "month")
    assert sorted(int(p, 16) for p in frame["pattern"]) == [0b11, 0b11, 1 << 59]
    first = frame[frame["month"] == 1].iloc[0]
    assert (first["rows"], first["w*cost"]) == (2, 3)
    assert first["m*cost*cost"] == (1 + 5) ** 2 + (2 + 8) ** 2
    assert first["m*age*cost"] == 62 * 6 + 82 * 10
    assert frame[frame["month"] == 2]["m*cost*cost"].item() == 0
    # within members and months: x has -2, 2, y has -3, 3, less the month means -2.5, 2.5: four times 0.25
    moments = CellMoments.of_members(cells, ["cost"])
    assert_allclose(moments.scatter[0, 0].sum(), 1.0)
    with pytest.raises(ModelRefusal, match="months were taken out"):
        CellMoments.of_members(cells.where(frame["month"] != 2), ["cost"])


def test_members_with_two_rows_in_a_month_or_a_key_that_changes_are_refused():
    with pytest.raises(DataProblem, match="'x' has several rows in one month"):
        collapse_members(ibis.memtable(MEMBERS.assign(month=[1, 1, 1, 2, 6])), "person", "month",
                         ["practice"], ["cost"])  # fmt: skip
    with pytest.raises(DataProblem, match="'y' changes its practice"):
        collapse_members(ibis.memtable(MEMBERS.assign(practice=["P1", "P1", "P1", "P2", "P1"])), "person",
                         "month", ["practice"], ["cost"])  # fmt: skip


def test_waves_are_a_key_where_members_have_one(dozen_built):
    panel, plain = dozen_built.panel, dozen_built.cells

    assert plain.waves.tolist() == ["1"] * len(plain.frame), "one wave where none is told"
    wave = ibis.ifelse(panel.members.arm == "treated", "2008", "never")
    told = study_cells(dataclasses.replace(panel, members=panel.members.mutate(wave=wave)), dozen_built.spec)
    assert set(told.waves) == {"2008", "never"}
    merged = told.by(*plain.keys)
    assert merged.frame.to_dict("list") == plain.frame[merged.frame.columns].to_dict("list")


def test_sums_of_any_width_come_whole_from_the_engine():
    numbers = [0, -1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**37, -(10**37)]
    column = pa.array([Decimal(n) for n in numbers], pa.decimal128(38, 0))
    found = fetch(ibis.memtable(pa.table({"place": range(len(numbers)), "n": column})).order_by("place"))
    assert found["n"].tolist() == numbers
    assert [type(n) for n in found["n"]] == [int] * len(numbers)


def test_a_file_keeps_cells_of_any_table(tmp_path):
    cells = collapse(ibis.memtable(SIX), ["practice", "month"], ["cost"], ["age"], scales={"cost": 100})
    cells.save(tmp_path / "cells.parquet")
    again = Cells.load(tmp_path / "cells.parquet")
    assert again.scales == cells.scales and again.weight_scale == 1
    assert again.frame.to_dict("list") == cells.frame.to_dict("list")
