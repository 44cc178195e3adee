"""Squares of large months by share of exposure: whole numbers, exact where doubles are not."""

from __future__ import annotations

import ibis
import pytest

from medhome.study.cells import WEIGHT_SCALE
from medhome.tables import collapse, engine, second_engine

ENGINES = ["duckdb", "datafusion"]
ROWS = [
    (500_000_000, 484),  # $5 million in 15 of 31 days
    (499_999_999, 484),
    (-499_999_999, 67),
    (2_999_999_999, 999),  # $30 million less a cent, the most that a month may cost
    (94_906_267, 1000),  # its square is the first above 2^53
    (1, 7),
    (-1, 7),
    (0, 1000),
]


@pytest.fixture(params=ENGINES)
def con(request):
    if request.param == "datafusion":
        pytest.importorskip("datafusion", reason="pip install 'medhome[engines]'")
        yield second_engine.connect()
        return
    with engine.session() as con:
        yield con


def exact(product: int, w: int) -> int:
    """E^2 * product / w, cut towards zero, by Python's whole numbers."""
    size = abs(product) * WEIGHT_SCALE**2 // w
    return size if product >= 0 else -size


def moment(con, rows, names):
    schema = {"w": "int32"} | {f"{name}_cents": "int64" for name in names}
    table = con.create_table("months", ibis.memtable(rows, schema=schema), overwrite=True)
    parts = collapse._moment(table, (names[0], names[-1]), whole=False)
    found = engine.fetch(table.select("w", **{f"part{i}": part for i, (part, _f) in enumerate(parts)}))
    factors = [factor for _part, factor in parts]
    assert set(found["w"]) == {row[0] for row in rows}
    values = [sum(int(r[f"part{i}"]) * f for i, f in enumerate(factors)) for r in found.to_dict("records")]
    return sorted(values)


def test_squares_of_large_months(con):
    found = moment(con, [(w, cents) for cents, w in ROWS], ("allowed_capped",))
    assert found == sorted(exact(cents * cents, w) for cents, w in ROWS)


def test_products_of_opposite_signs(con):
    rows = [(w, cents, -cents + 1) for cents, w in ROWS]
    found = moment(con, rows, ("allowed_capped", "paid_capped"))
    assert found == sorted(exact(a * b, w) for w, a, b in rows)
    assert min(found) < -(2**63)
