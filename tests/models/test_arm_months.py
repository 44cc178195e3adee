"""Definitions of expected as functions of sums by arm, rate cell and month: by hand, and identities."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from member_world import START, study, world
from numpy.testing import assert_allclose

from medhome.models import arm_means, arm_months, expected
from medhome.study.cells import Cells


def made(rows):
    """Cells of (arm, stratum, month, members, cost PMPM, frozen risk PMPM); an arm is one practice."""
    frame = pd.DataFrame(rows, columns=["arm", "stratum", "month", "rows", "cost", "risk"])
    frame = frame.assign(organization_id=frame["arm"], practice_id=frame["arm"], w=1000 * frame["rows"])
    for name, column in (("allowed_capped", "cost"), ("expected", "risk")):
        frame[f"w*{name}"] = (frame.pop(column) * 100 * frame["w"]).round().astype("int64")
    return Cells(scales={"allowed_capped": 100, "expected": 100}, frame=frame)


def of(cells, **chosen):
    spec = study(**chosen)
    return arm_months.of_study(cells, spec), arm_months.definitions_of(spec)


JUNE, JULY = START - 12, START - 11


def test_e1b_by_hand_with_the_same_calendar_months():
    # June costs 200 and July 400; after the start there are twice as many July months as June months.
    rows = [("treated", "adults", JUNE, 10, 200, 100), ("treated", "adults", JULY, 10, 400, 100)]
    rows += [("treated", "adults", START - 1, 50, 9_999, 100)]  # a calendar month without a counterpart
    rows += [("treated", "adults", START, 10, 210, 110), ("treated", "adults", START + 1, 20, 420, 110)]
    rows += [("comparison", "adults", m, 10, 300, 100) for m in (JUNE, START)]
    x, definitions = of(made(rows), external_trend_share=0.05)
    found = definitions["E1b"](x)
    baseline = (200 + 2 * 400) / 3
    assert_allclose(found.baseline, baseline, rtol=1e-12)
    assert_allclose(found.trend, 1.05, rtol=1e-12)  # twelve months between the periods' middles
    assert_allclose(found.expected, baseline * 1.05 * 1.1, rtol=1e-12)
    assert_allclose(found.actual, (210 + 2 * 420) / 3, rtol=1e-12)


def test_e1b_needs_a_declared_trend_and_a_calendar_month_of_both_periods():
    rows = [(a, "adults", m, 10, 300, 100) for a in ("treated", "comparison") for m in (START - 1, START)]
    x, definitions = of(made(rows), external_trend_share=0.05)
    assert np.isnan(definitions["E1b"](x).expected)
    assert "E1b" not in of(made(rows), external_trend_share=None)[1]


def test_e1b_needs_no_comparison_data():
    rows = [("treated", "adults", m, 10, 300, 100) for m in (JUNE, START)]
    others = [("comparison", "adults", m, 10, cost, 90) for m, cost in ((JUNE, 50), (START, 5_000))]
    x, definitions = of(made(rows + others))
    y, _ = of(made(rows + [(*row[:4], 300, 100) for row in others]))
    assert definitions["E1b"](x).expected == definitions["E1b"](y).expected


def test_e4_by_hand():
    # Two base years, weighted 1 to 3; adults and children as rate cells; children's risk grew beyond the cap.
    early, late, after = START - 20, START - 2, START + 3
    cost = {  # arm, stratum: early, late, after
        ("treated", "adults"): (200, 220, 250),
        ("treated", "children"): (100, 120, 150),
        ("comparison", "adults"): (160, 200, 240),
        ("comparison", "children"): (80, 100, 110),
    }
    rows = []
    for (arm, stratum), dollars in cost.items():
        members = (30 if stratum == "adults" else 10, 30, 20)
        for month, n, value in zip((early, late, after), members, dollars, strict=True):
            grown = stratum == "children" and arm == "treated" and month == after
            rows.append((arm, stratum, month, n, value, 120 if grown else 100))
    spec = study(base_year_weights=[1, 3], risk_ratio_cap_share=0.03)
    plain = spec.model_copy(
        update={"periods": spec.periods.model_copy(update={"baseline_first": "2006-06"})}
    )
    x = arm_months.of_study(made(rows), plain)
    found = arm_months.definitions_of(plain)["E4"](x)
    adults = 0.25 * 200 * 240 / 160 + 0.75 * 220 * 240 / 200
    children = (0.25 * 100 * 110 / 80 + 0.75 * 120 * 110 / 100) * 1.03
    assert_allclose(found.expected, (adults + children) / 2, rtol=1e-12)  # 20 of each after the start
    assert_allclose(found.actual, (250 + 150) / 2, rtol=1e-12)
    assert_allclose(found.baseline * found.trend * found.risk, found.expected, rtol=1e-12)


def test_e4_with_one_base_year_one_rate_cell_and_no_cap_is_e1():
    cells = made([
        *[("treated", "adults", m, 10, c, r) for m, c, r in ((START - 1, 300, 100), (START, 330, 110))],
        *[("comparison", "adults", m, 10, c, r) for m, c, r in ((START - 1, 200, 100), (START, 250, 105))],
    ])  # fmt: skip
    x, definitions = of(cells, risk_ratio_cap_share=0.9)
    assert_allclose(definitions["E4"](x).expected, arm_months.e1(x).expected, rtol=1e-12)
    assert_allclose(arm_months.e1(x).expected, 300 * 1.25 * 1.1 / 1.05, rtol=1e-12)


def test_weights_of_another_number_of_base_years_are_told():
    small = world(spec=study(base_year_weights=[1, 2, 3]))
    cells = small.scored({"intercept": 20_000.0}).cells()
    m = arm_means.means(cells, small.spec)
    pairs = small.pairs("allowed_capped")
    row = expected._carried(cells, pairs, m, small.spec)["E4"]
    assert np.isnan(row["expected_pmpm"]) and "has 3 weights, and the baseline 1 years" in row["note"]


def test_the_gradient_is_that_of_the_four_means():
    small = world(turnover=0.1)
    cells = small.scored({"intercept": 20_000.0, "condition:diabetes": 30_000.0}).cells()
    x = arm_months.of_study(cells, small.spec)
    m = arm_means.means(cells, small.spec)
    found = arm_months.gradient(arm_months.e1, x)
    assert_allclose(arm_months.e1(x).expected, m.e1, rtol=1e-12)
    by_hand = {  # of A_T1 - A_T0 * (A_C1 / A_C0) * rho, frozen risk held
        ("treated", 1): 1.0,
        ("treated", 0): -m.trend * m.rho,
        ("comparison", 1): -m.A["treated", 0] * m.rho / m.A["comparison", 0],
        ("comparison", 0): m.A["treated", 0] * m.rho * m.trend / m.A["comparison", 0],
    }
    for (arm, period), slope in by_hand.items():
        side = x.after if period else ~x.after
        wanted = slope / m.member_months[arm, period]
        assert_allclose(found[0 if arm == "treated" else 1][:, side], wanted, rtol=1e-9)


@pytest.mark.parametrize("name", ["E1", "E1b", "E4", "E5_level"])
def test_a_gradient_is_the_change_for_a_small_step(name):
    small = world(turnover=0.1)
    cells = small.scored({"intercept": 20_000.0, "condition:diabetes": 30_000.0}).cells()
    x = arm_months.of_study(cells, small.spec)
    definition = arm_months.definitions_of(small.spec)[name]
    slope = arm_months.gradient(definition, x)
    towards = np.random.default_rng(4).normal(size=x.cost.shape) * x.exposure
    step = 1e-5
    up, down = (
        definition(arm_months.replace(x, cost=x.cost + sign * step * towards)).difference for sign in (1, -1)
    )
    assert_allclose((up - down) / (2 * step), (slope * towards).sum(), rtol=1e-6)


def test_draws_of_practices_are_what_one_draw_gives():
    small = world(turnover=0.1)
    cells = small.scored({"intercept": 20_000.0, "condition:diabetes": 30_000.0}).cells()
    sites, treated = arm_months.by_practice(cells, small.spec)
    counts = np.random.default_rng(1).multinomial(len(treated), np.full(len(treated), 1 / len(treated)), 5)
    counts[:, treated] = np.maximum(counts[:, treated], 1)
    for definition in arm_months.definitions_of(small.spec).values():
        together = definition(arm_months.summed(sites, counts)).difference
        alone = [definition(arm_months.summed(sites, c[None])).difference[0] for c in counts]
        assert_allclose(together, alone, rtol=1e-10)
    whole = arm_months.summed(sites, np.ones((1, len(treated))))
    assert_allclose(arm_months.e1(whole).expected[0], arm_months.e1(arm_months.summed(sites)).expected)


def test_without_risk_actual_over_e1_is_the_effect_of_a_saturated_poisson_model():
    small = world()
    months = small.months.assign(allowed_capped=small.months["allowed_capped"].clip(lower=0))
    small = dataclasses.replace(small, months=months)
    x = arm_months.of_study(small.scored({"intercept": 20_000.0}).cells(), small.spec)
    found = arm_months.e1(x)
    treated, after = (months["arm"] == "treated").to_numpy(float), (months["month"] >= START).to_numpy(float)
    design = np.column_stack([np.ones(len(months)), treated, after, treated * after])
    cost = months["allowed_capped"].to_numpy(float)
    fit = sm.GLM(cost, design, family=sm.families.Poisson()).fit(tol=1e-12)
    assert_allclose(np.log(found.actual / found.expected), fit.params[3], rtol=1e-8)
    assert_allclose(found.risk, 1.0, rtol=1e-12)
