"""Caps by hand: growth, shares by exposure, what is above them, exact percentiles, and the grid of caps."""

from __future__ import annotations

from decimal import Decimal

import dozen
import ibis
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from medhome.models import truncation as estimates
from medhome.models.twfe import twfe
from medhome.study.periods import month_index
from medhome.study.problems import StudyFileError
from medhome.tables import cap_grid, collapse, engine, truncation

START = month_index("2008-04")


@pytest.fixture(scope="module")
def con():
    with engine.session() as con:
        yield con


def cut(con, costs, spec, w=1000, trend=None):
    """Capped cents of one member's months from the start on, each with this exposure."""
    rows = [(0, START + i, w, cents, cents) for i, cents in enumerate(costs)]
    names = {"person_key": "int32", "month": "int32", "w": "int32"}
    names |= {"allowed_cents": "int64", "paid_cents": "int64"}
    table = con.create_table("costs", ibis.memtable(rows, schema=names), overwrite=True)
    kept = con.create_table("kept", truncation.capped(table, spec, trend), overwrite=True)
    return engine.fetch(kept.order_by("month"))["allowed_capped_cents"].tolist()


def test_a_prorated_cap_is_the_members_share_of_a_year(con):
    costs = [20_000, 30_000, 40_000]  # dollars 200, 300, 400 against a cap of $1,000 a year
    whole = dozen.study()
    assert cut(con, costs, whole) == costs
    share = dozen.study(outcomes__prorate_cap=True)
    # Three member-months: a quarter of $1,000. The second month keeps what is left below $250.
    assert cut(con, costs, share) == [20_000, 5_000, 0]
    # Three months of half exposure: an eighth of it.
    assert cut(con, costs, share, w=500) == [12_500, 0, 0]


def test_caps_grow_with_the_trend_given():
    spec = dozen.study(outcomes__cap_usd_per_year=100_000, outcomes__cap_trend="comparison")
    assert [truncation.cap_cents(k, spec, Decimal("0.1")) for k in (-1, 0, 1)] == [
        9_090_909,
        10_000_000,
        11_000_000,
    ]
    for wrong in ("program", 0.6, True, None):
        with pytest.raises(StudyFileError, match=r'outcomes\.cap_trend = .*"comparison"'):
            dozen.study(outcomes__cap_trend=wrong)


def test_the_comparison_arms_own_growth(con):
    """$100 a month in three months, then $121 in three: 21% in a quarter of a year, (1.21^4 - 1) a year."""
    first = month_index("2008-01")
    rows = [(key, first + i, 1000, 10_000 if i < 3 else 12_100) for key in (0, 1) for i in range(6)]
    rows += [(2, first + i, 1000, 99_999 * (i + 1)) for i in range(6)]  # treated: not looked at
    schema = {"person_key": "int32", "month": "int32", "w": "int32", "allowed_cents": "int64"}
    months = ibis.memtable(rows, schema=schema)
    who = [(0, "comparison"), (1, "comparison"), (2, "treated")]
    assigned = ibis.memtable(who, schema={"person_key": "int32", "arm": "string"})
    months, assigned = (con.create_table(n, t, overwrite=True) for n, t in (("m", months), ("a", assigned)))
    found = truncation.cap_trend(months, assigned, dozen.study(outcomes__cap_trend="comparison"))
    assert found == Decimal("1.1436")  # 1.21^4 = 2.14358881
    assert truncation.cap_trend(months, assigned, dozen.study(outcomes__cap_trend=0.05)) == Decimal("0.05")


def test_dollars_and_members_above_the_cap_add_up_to_the_waterfall(dozen_built):
    frame = truncation.above_cap(dozen_built.panel, dozen_built.spec)
    assert list(zip(frame["arm"], frame["period"], strict=True)) == [
        ("treated", "baseline"),
        ("treated", "performance"),
        ("comparison", "baseline"),
        ("comparison", "performance"),
    ]
    steps = dozen_built.panel.waterfall.set_index("reason")["allowed_usd"]
    assert frame["above_usd"].sum() == pytest.approx(-steps["above_cap"])
    assert frame["allowed_usd"].sum() - frame["above_usd"].sum() == pytest.approx(steps["model"])
    months = engine.fetch(dozen_built.panel.table)
    over = months[months["allowed_cents"] != months["allowed_capped_cents"]]
    after = over["month"] >= dozen_built.spec.periods.start_month
    for (arm, period), row in frame.set_index(["arm", "period"]).iterrows():
        mine = over[(over["arm"] == arm) & (after == (period == "performance"))]
        assert row["members_above"] == mine["person_key"].nunique()
    assert frame["members_above"].sum() > 0
    assert_allclose(frame["above_share"], frame["above_usd"] / frame["allowed_usd"])


def test_the_99th_percentile_is_a_rank_not_an_approximation(dozen_built):
    months = engine.fetch(dozen_built.panel.table)
    mine = months[(months["arm"] == "comparison") & (months["month"] < dozen_built.spec.periods.baseline.end)]
    sums = sorted(mine.groupby("person_key")["allowed_cents"].sum())  # one window: three months of baseline
    assert len(sums) < 100  # the rank of 99% is then the last
    assert cap_grid.reference_cap(dozen_built.panel, dozen_built.spec) == sums[-1]


def test_the_grid_is_the_same_study_at_other_caps(con, dozen_built, tmp_path):
    panel, spec, cells = dozen_built.panel, dozen_built.spec, dozen_built.cells
    grid = cap_grid.cap_grid(panel, cells, spec)
    assert grid.caps["cap"].tolist() == ["none", "1000", "250000", "100000", "p99"]
    assert grid.caps.loc[grid.caps["declared"], "cap"].tolist() == ["1000"]
    same = grid.cells.frame
    for name, own in (("allowed_none", "allowed"), ("allowed_1000", "allowed_capped")):
        for moment in ("w*{}", "w*{}*expected"):
            theirs = moment.format(name) if "expected" in moment else f"w*{name}"
            mine = "w*allowed_capped*expected" if own == "allowed_capped" else "w*allowed*expected"
            mine = mine if "expected" in moment else f"w*{own}"
            assert same[theirs].tolist() == cells.frame[mine].tolist()
    # Nobody passes $250,000: the cap binds for nobody and cost is the uncapped cost.
    assert same["w*allowed_250000"].tolist() == cells.frame["w*allowed"].tolist()
    # The p99 is the greatest baseline sum of a comparison member: only others, or later windows, are cut.
    before = same[(same["arm"] == "comparison") & (same["month"] < spec.periods.start_month)]
    assert before["w*allowed_p99"].tolist() == before["w*allowed_none"].tolist()
    for variable, own in (("allowed_none", "allowed"), ("allowed_1000", "allowed_capped")):
        pd.testing.assert_frame_equal(
            grid.pairs[variable].frame, collapse.month_pairs(panel, own).frame, check_dtype=False
        )


def test_the_estimate_at_the_studys_own_cap_is_the_headlines(dozen_built):
    spec = dozen.study(estimation__covariates=[])
    grid = cap_grid.cap_grid(dozen_built.panel, dozen_built.cells, spec)
    found = estimates.cap_grid(grid, spec).set_index("cap")
    start = spec.periods.performance.first
    headline = float(twfe(dozen_built.cells, "allowed_capped", (), first_post=start).coefficients[0])
    uncapped = float(twfe(dozen_built.cells, "allowed", (), first_post=start).coefficients[0])
    assert_allclose(found.loc["1000", "estimate"], headline, rtol=1e-12)
    assert_allclose(found.loc["none", "estimate"], uncapped, rtol=1e-12)
    assert abs(headline - uncapped) > 1
    assert (found["lo95"] < found["estimate"]).all() and (found["estimate"] < found["hi95"]).all()
