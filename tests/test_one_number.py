"""One claim line, followed by hand from its file to the sentence on the page.

Each step is worked out here from the files with pandas alone, and compared with what the package's own steps
hold at that place. Then the line is made $1,000 dearer, and the change is followed to the same sentence.
"""

from __future__ import annotations

import re
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose

from medhome.models import did, expected, risk, savings
from medhome.reporting import titles, words
from medhome.study.periods import month_index
from medhome.study.spec import read_study
from medhome.tables import collapse, engine, panel, sources

MONTH = month_index("2009-05")


def _walk(folder):
    """The package's own steps, with what each holds."""
    spec = read_study(folder / "study.toml")
    with engine.session() as con:
        months = panel.build(con, sources.open_inputs(con, spec, folder), spec)
        rows = collapse.member_rows(months, spec)
        model = risk.fit(rows, spec)
        scored = collapse.score(months, model.coefficients())
        cells = collapse.cells(scored, spec)
        pairs = {y: collapse.month_pairs(scored, y) for y in ("allowed_capped", "paid")}
        members = engine.fetch(scored.members).set_index("person_id")
        member_months = engine.fetch(scored.months).set_index(["person_key", "month"])
    effect = did.estimate(cells, pairs["allowed_capped"], spec)
    against = expected.definitions(cells, rows, model, pairs["allowed_capped"], spec, effect)
    saved = savings.from_effect(effect, cells, pairs, spec)
    return spec, members, member_months, model, cells, effect, against, saved


def _lines(folder):
    """Claim lines that count as cost, by hand: not denied, paid within three months and by the cut."""
    frames = []
    for table, day in (("medical_claim", "claim_start_date"), ("pharmacy_claim", "dispensing_date")):
        frame = pq.read_table(folder / f"{table}.parquet").to_pandas()
        frame["table"], frame["row"] = table, np.arange(len(frame))
        frame["day"], frame["paid"] = pd.to_datetime(frame[day]), pd.to_datetime(frame["paid_date"])
        frame["month"] = frame["day"].dt.year * 12 + frame["day"].dt.month - 1
        lag = frame["paid"].dt.year * 12 + frame["paid"].dt.month - 1 - frame["month"]
        counts = (frame["x_claim_status"] != "denied") & (lag <= 3) & (frame["paid"] <= "2010-06-30")
        frame["cents"] = [round(float(v) * 100) for v in frame["allowed_amount"]]
        frames.append(frame.loc[counts, ["table", "row", "person_id", "month", "cents", "x_claim_status"]])
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def walked(small_world):
    return small_world, _walk(small_world)


@pytest.fixture(scope="module")
def line(walked):
    """A treated member's claim line of May 2009, with another line that month and cost far below the cap."""
    folder, (_, members, *_rest) = walked
    lines = _lines(folder)
    treated = set(members.index[members["arm"] == "treated"])
    yearly = lines[(lines["month"] >= month_index("2008-06")) & (lines["month"] < month_index("2009-06"))]
    modest = yearly.groupby("person_id")["cents"].sum()
    here = lines[(lines["month"] == MONTH) & (lines["table"] == "medical_claim") & (lines["cents"] > 0)]
    here = here[here["person_id"].isin(treated) & here["person_id"].map(modest).lt(2_000_000)]
    here = here[here.groupby("person_id")["row"].transform("size") >= 2]
    return here.sort_values("row").iloc[0], lines


def test_from_the_file_to_the_member_month_to_the_cent(walked, line):
    _, (_, members, member_months, *_rest) = walked
    chosen, lines = line
    mine = lines[(lines["person_id"] == chosen["person_id"]) & (lines["month"] == MONTH)]
    assert len(mine) >= 2
    key = members.loc[chosen["person_id"], "person_key"]
    assert int(member_months.loc[(key, MONTH), "allowed_cents"]) == int(mine["cents"].sum())
    assert int(member_months.loc[(key, MONTH), "allowed_capped_cents"]) == int(mine["cents"].sum())


def test_the_expected_cost_is_the_sum_of_the_members_coefficients(walked, line):
    _, (_, members, _months, model, *_rest) = walked
    member = members.loc[line[0]["person_id"]]
    coefficients = model.coefficients()
    total = coefficients["intercept"]
    for term, cents in coefficients.items():
        kind, _, name = term.partition(":")
        total += cents * (kind == "age_sex" and member["band"] == name)
        total += cents * (kind == "condition" and bool(member.get(term, 0)))
    assert_allclose(member["expected_cents"], total, atol=0.5 + 1e-3)  # frozen in whole cents


def test_from_member_months_to_the_cell(walked, line):
    _, (_, members, member_months, _model, cells, *_rest) = walked
    member = members.loc[line[0]["person_id"]]
    alike = members[
        (members["practice_id"] == member["practice_id"]) & (members["stratum"] == member["stratum"])
    ]
    inside = member_months.xs(MONTH, level="month")
    inside = inside[inside.index.isin(alike["person_key"])]
    cell = cells.frame[
        (cells.frame["practice_id"] == member["practice_id"])
        & (cells.frame["month"] == MONTH)
        & (cells.frame["stratum"] == member["stratum"])
    ].iloc[0]
    assert int(cell["rows"]) == len(inside) and int(cell["w"]) == 1000 * len(inside)
    assert int(cell["w*allowed_capped"]) == 1000 * int(inside["allowed_capped_cents"].sum())


def test_from_the_effect_to_savings_and_to_the_sentence(walked):
    _, (spec, _members, _months, _model, _cells, effect, against, saved) = walked
    assert_allclose(saved.rows["gross_pmpm"].value, -effect.headline.value, rtol=1e-12)
    assert_allclose(saved.rows["gross_pmpm"].ci95, (-effect.headline.ci95[1], -effect.headline.ci95[0]))
    e3 = against.definitions.set_index("definition").loc["E3"]
    assert_allclose(e3["actual_pmpm"] - e3["expected_pmpm"], effect.headline.value, rtol=1e-9)
    printed = f"{abs(effect.headline.value):,.2f}"
    assert printed in words.effect(effect, spec)


def test_a_thousand_dollars_more_on_that_line_reach_the_sentence(walked, line, tmp_path):
    """The estimate moves as another library says that it should, and the sentence says the new number."""
    folder, (_spec, _members, _months, _model, cells, before, *_rest) = walked
    chosen, _ = line
    shutil.copytree(folder, tmp_path / "dearer")
    path = tmp_path / "dearer" / "medical_claim.parquet"
    table = pq.read_table(path)
    amounts = table["allowed_amount"].to_pylist()
    amounts[chosen["row"]] += 1000
    i = table.schema.get_field_index("allowed_amount")
    pq.write_table(table.set_column(i, "allowed_amount", [amounts]), path)
    spec, _, _, _, dearer, after, _, saved = _walk(tmp_path / "dearer")

    # One practice-month's total rises by $1,000; the frozen cost model does not see the performance period.
    rise = dearer.total("allowed_capped").sum() - cells.total("allowed_capped").sum()
    assert_allclose(rise, 1000, rtol=1e-9)
    expected_rise = _statsmodels_effect(dearer, spec) - _statsmodels_effect(cells, spec)
    moved = after.headline.value - before.headline.value
    assert moved > 0
    assert_allclose(moved, expected_rise, rtol=1e-6)
    assert_allclose(saved.rows["gross_pmpm"].value, -after.headline.value, rtol=1e-12)
    number = re.search(r"[−-]?\$[\d,]+\.\d\d", words.effect(after, spec))
    assert number and f"{abs(after.headline.value):,.2f}" in number[0]
    assert words.effect(after, spec) != words.effect(before, spec) and titles.detectable(after)


def _statsmodels_effect(cells, spec):
    """Treatment coefficient of a dummy-variable regression on practice-months, by another library.

    The covariate's within-cell part needs the cells' own second moments, so it is added as one row more per
    cell: two rows at the cell's mean plus and minus its standard deviation carry the same moments.
    """
    import statsmodels.api as sm

    x, y, w = cells.mean("expected"), cells.mean("allowed_capped"), cells.member_months
    spread = np.sqrt(np.maximum(cells.total("expected", "expected") / w - x**2, 0))
    with_y = cells.total("allowed_capped", "expected") / w - x * y
    slope = np.divide(with_y, spread, out=np.zeros_like(spread), where=spread > 1e-9)
    frame = cells.frame[["practice_id", "month", "arm"]]
    both = pd.concat([frame, frame], ignore_index=True)
    sides = np.r_[np.ones(len(x)), -np.ones(len(x))]
    post = both["month"].isin(list(spec.periods.performance))
    design = pd.get_dummies(both[["practice_id", "month"]].astype(str), drop_first=True, dtype=float)
    design.insert(0, "effect", (post & (both["arm"] == "treated")).astype(float))
    design.insert(1, "expected", np.tile(x, 2) + sides * np.tile(spread, 2))
    outcome = np.tile(y, 2) + sides * np.tile(slope, 2)
    fitted = sm.WLS(outcome, sm.add_constant(design.to_numpy()), weights=np.tile(w, 2) / 2).fit()
    return float(fitted.params[1])
