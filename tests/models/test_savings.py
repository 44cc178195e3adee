"""Savings: the sign turns here, payer's dollars, fees, returns and program years."""

import dataclasses
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from member_world import START, study, world
from numpy.testing import assert_allclose
from test_expected import did

from medhome.models import savings
from medhome.models.linear_effects import years_of
from medhome.models.twfe import twfe
from medhome.study.cells import Cells, MonthPairs
from medhome.study.period_choices import Periods
from medhome.study.problems import ModelRefusal

FEE = {"name": "Care management", "pmpm_usd": 1.5, "first": "2008-06"}


def by_hand(effect_usd, paid_share, months=(START - 1, START), excess_usd=0.0):
    """Three organisations of one practice, ten members, $300 allowed; the program moves the last month."""
    cells, pairs = [], []
    for name in "ABC":
        treated = name == "A"
        for month in months:
            allowed = 300 + (effect_usd if treated and month >= START else 0)
            over = excess_usd if treated and month >= START else 0
            cents = {
                "allowed_capped": round(100 * allowed),
                "paid_capped": round(100 * allowed * paid_share),
                "paid": round(100 * (allowed * paid_share + over)),
            }
            cells.append(
                {
                    "organization_id": name,
                    "practice_id": name,
                    "arm": "treated" if treated else "comparison",
                    "stratum": "adults",
                    "month": month,
                    "rows": 10,
                    "w": 10_000,
                    "w*expected": 0,
                    **{f"w*{k}": v * 10_000 for k, v in cents.items()},
                }
            )
        for i, s in enumerate(months):
            for t in months[i:]:
                # Ten members of $200 and $400 by turns: sd $100, no correlation between months.
                product = 10 * (10_000**2 + 30_000**2 if s == t else 30_000**2)
                pairs.append((name, s, t, 10, 300_000, 300_000, product))
    frame = pd.DataFrame(
        pairs, columns=["organization_id", "month_s", "month_t", "members", "sum_s", "sum_t", "sum_st"]
    )
    scales = dict.fromkeys(("allowed_capped", "paid_capped", "paid", "expected"), 100)
    return Cells(scales=scales, frame=pd.DataFrame(cells)), {"allowed_capped": MonthPairs(frame=frame)}


def short(**changes):
    spec = study(covariates=(), **changes)
    periods = Periods(baseline_first="2008-05", baseline_last="2008-05", start="2008-06", through="2008-06")
    return spec.model_copy(update={"periods": periods})


@pytest.fixture(scope="module")
def found():
    spec = study(fees=[FEE])
    small = world(effect_cents=-1500, spec=spec, turnover=0.05, cap=150_000)
    scored = small.scored({"intercept": 20_000.0, "condition:diabetes": 30_000.0})
    cells, pairs = scored.cells(), {k: scored.pairs(k) for k in ("allowed_capped", "paid")}
    fit = twfe(cells, "allowed_capped", ["expected"], first_post=START)
    headline = did(float(fit.coefficients[0]), (-40.0, 20.0), (-50.0, 30.0))
    return cells, pairs, spec, headline, savings.from_effect(headline, cells, pairs, spec)


def test_the_members_share_is_no_saving_of_the_payer():
    # At a member share of 18%, $5 gross less a $4 fee leaves $0.10, not $1 (`docs/methods.md`).
    cells, pairs = by_hand(-5, 0.82)
    spec = short(fees=[{"name": "Fee", "pmpm_usd": 4.0, "first": "2008-06"}])
    rows = savings.from_effect(did(-5.0, (-9.0, -1.0), (-10.0, 0.0)), cells, pairs, spec).rows
    assert_allclose(rows["gross_pmpm"].value, 5)
    assert_allclose(rows["paid_gross_pmpm"].value, 4.10, rtol=1e-9)
    assert_allclose(rows["net_pmpm"].value, 0.10, rtol=1e-7)
    assert_allclose(rows["roi_ratio"].value, 4.10 / 4, rtol=1e-9)
    assert_allclose(rows["net_roi_ratio"].value, 0.10 / 4, rtol=1e-7)
    # Ten treated members in one month after the start.
    assert_allclose(rows["member_months"].value, 10)
    assert_allclose(rows["gross_total_usd"].value, 50)
    assert_allclose(rows["net_total_usd"].value, 1.0, rtol=1e-7)
    assert_allclose(rows["gross_share"].value, 5 / 300)


def test_dollars_above_the_cap_count_for_the_payer():
    cells, pairs = by_hand(-5, 0.8, excess_usd=7.0)
    rows = savings.from_effect(did(-5.0, (-9.0, -1.0), (-10.0, 0.0)), cells, pairs, short()).rows
    assert_allclose(rows["paid_gross_pmpm"].value, 4.0, rtol=1e-9)
    assert_allclose(rows["excess_pmpm"].value, -7.0, rtol=1e-9)
    assert_allclose(rows["payer_pmpm"].value, -3.0, rtol=1e-9)
    assert_allclose(rows["net_pmpm"].value, -3.0, rtol=1e-9)


def test_the_sign_turns_and_so_does_the_interval(found):
    *_, headline, result = found
    gross = result.rows["gross_pmpm"]
    assert gross.value == -headline.headline.value
    assert gross.ci95 == (-30.0, 50.0) and gross.ci90 == (-20.0, 40.0)
    assert not gross.headline


def test_the_payers_savings_are_those_below_and_above_the_cap(found):
    rows = found[-1].rows
    parts = rows["paid_gross_pmpm"].value + rows["excess_pmpm"].value
    assert_allclose(rows["payer_pmpm"].value, parts, rtol=1e-9)
    assert rows["excess_pmpm"].value != 0


def test_net_is_less_the_fees_with_the_same_width(found):
    rows = found[-1].rows
    payer, net = rows["payer_pmpm"], rows["net_pmpm"]
    assert_allclose(rows["fees_pmpm"].value, 1.5)
    assert_allclose([net.value, *net.ci95], np.array([payer.value, *payer.ci95]) - 1.5, rtol=1e-12)
    months = rows["member_months"].value
    assert_allclose(rows["net_total_usd"].ci90, np.array(net.ci90) * months, rtol=1e-12)
    assert_allclose(rows["net_roi_ratio"].ci95, np.array(net.ci95) / 1.5, rtol=1e-12)
    assert rows["net_total_usd"].n["member_months"] == round(months)


def test_chance_is_the_headline_s_for_gross_and_its_own_for_paid_dollars_and_net():
    cells, pairs = by_hand(-5, 0.82)
    spec = short(fees=[{"name": "Fee", "pmpm_usd": 4.0, "first": "2008-06"}])
    headline = did(-5.0, (-9.0, -1.0), (-10.0, 0.0))
    without = savings.from_effect(headline, cells, pairs, spec).rows
    assert all(e.p is None for e in without.values())
    known = replace(headline, headline=replace(headline.headline, p=0.03))
    rows = savings.from_effect(known, cells, pairs, spec).rows
    assert {rows[n].p for n in ("gross_pmpm", "gross_share", "gross_total_usd")} == {0.03}
    assert 0 < rows["payer_pmpm"].p < 1 and rows["roi_ratio"].p == rows["paid_gross_pmpm"].p
    # $0.10 net: two-sided by the normal with the error of what the payer paid.
    net = math.erfc(0.10 / rows["payer_pmpm"].se / math.sqrt(2))
    assert_allclose([rows[n].p for n in ("net_pmpm", "net_total_usd", "net_roi_ratio")], net, rtol=1e-6)
    assert rows["fees_pmpm"].p is None and rows["member_months"].p is None


def test_every_estimate_has_both_intervals_nested(found):
    for name, e in found[-1].rows.items():
        if name in ("fees_pmpm", "fees_total_usd", "member_months"):
            assert e.ci95 is None and e.kind == "exact"
            continue
        assert e.ci95[0] < e.ci90[0] < e.value < e.ci90[1] < e.ci95[1], name


def test_the_share_of_expected_cost_by_hand(found):
    cells, _, _, headline, result = found
    after = (cells.frame["arm"] == "treated") & (cells.frame["month"] >= START)
    part = cells.where(after.to_numpy())
    actual = part.total("allowed_capped").sum() / part.member_months.sum()
    expected = actual - headline.headline.value
    assert_allclose(result.rows["gross_share"].value, -headline.headline.value / expected, rtol=1e-12)
    assert_allclose(result.rows["gross_share"].ci95[1], 50 / (actual + 50), rtol=1e-12)


def test_program_years_are_twelve_months_and_add_up_without_turnover():
    spec = study(fees=[{**FEE, "first": "2009-06"}], covariates=())
    small = world(effect_cents=-1500, spec=spec)
    cells, pairs = small.cells(), {"allowed_capped": small.pairs("allowed_capped")}
    fit = twfe(cells, "allowed_capped", (), first_post=START)
    result = savings.from_effect(did(float(fit.coefficients[0])), cells, pairs, spec)
    table = result.by_year
    assert list(table["year"]) == [1, 2]
    assert list(table["first_month"]) == [START, START + 12]
    assert list(table["last_month"]) == [START + 11, START + 17]
    weight = table["member_months"] / table["member_months"].sum()
    assert_allclose((table["gross_pmpm"] * weight).sum(), result.rows["gross_pmpm"].value, rtol=1e-9)
    assert_allclose((table["net_pmpm"] * weight).sum(), result.rows["net_pmpm"].value, rtol=1e-9)
    assert_allclose(table["expected_pmpm"] - table["actual_pmpm"], table["gross_pmpm"], rtol=1e-9)
    assert ((table["lo95"] < table["gross_pmpm"]) & (table["gross_pmpm"] < table["hi95"])).all()
    ends = table[["net_lo95", "net_lo90", "net_pmpm", "net_hi90", "net_hi95"]].to_numpy()
    assert (np.diff(ends, axis=1) > 0).all()
    assert_allclose(table["gross_share"], table["gross_pmpm"] / table["expected_pmpm"])
    twice = table["change_pmpm"] - table["comparison_change_pmpm"]
    assert (abs(twice + table["gross_pmpm"]) < 15).all()  # but for risk and months, the two-by-two difference
    # A fee of $1.50 from the second year on: nothing in the first, and a third of it over 12 + 6 months.
    assert list(table["fees_pmpm"]) == [0.0, 1.5]
    assert_allclose(result.rows["fees_pmpm"].value, 0.5)


def test_no_fees_no_return(found):
    cells, pairs, _, headline, _ = found
    rows = savings.from_effect(headline, cells, pairs, study()).rows
    assert rows["roi_ratio"].value is None and rows["net_roi_ratio"].value is None
    assert rows["net_pmpm"].value == rows["payer_pmpm"].value
    assert rows["fees_total_usd"].value == 0


def test_no_cap_means_nothing_above_it():
    small = world(cap=10**9)
    cells, pairs = small.cells(), {"allowed_capped": small.pairs("allowed_capped")}
    rows = savings.from_effect(did(1.0, (0.0, 2.0), (-1.0, 3.0)), cells, pairs, small.spec).rows
    assert rows["excess_pmpm"].value == 0 and rows["excess_pmpm"].ci95 == (0.0, 0.0)


def test_borrowed_covariance_is_said_and_given_pairs_are_not(found):
    cells, pairs, spec, headline, result = found
    assert "borrowed" not in result.rows["payer_pmpm"].method
    assert "borrowed" in result.rows["paid_gross_pmpm"].method
    alone = savings.from_effect(headline, cells, {"allowed_capped": pairs["allowed_capped"]}, spec)
    assert "borrowed" in alone.rows["payer_pmpm"].method
    assert alone.rows["payer_pmpm"].value == result.rows["payer_pmpm"].value


def test_borrowed_covariance_is_right_where_paid_is_a_share_of_allowed():
    # Paid is 80% of allowed to the cent of rounding, so borrowing and own pairs give the same interval.
    small = world(cap=10**9)
    cells = small.cells()
    own = {k: small.pairs(k) for k in ("allowed_capped", "paid")}
    lent = {"allowed_capped": own["allowed_capped"]}
    one, other = (savings.from_effect(did(0.0), cells, p, small.spec).rows["payer_pmpm"] for p in (own, lent))
    assert_allclose(one.ci95, other.ci95, rtol=2e-3)


def test_an_injected_saving_is_recovered_by_difference():
    # The same draws with and without an effect of -$15: gross moves by exactly $15, paid by 80% of it.
    found = []
    for cents in (0, -1500):
        small = world(effect_cents=cents, spec=study(covariates=()), cap=10**9)
        cells = small.cells()
        fit = twfe(cells, "allowed_capped", (), first_post=START)
        pairs = {"allowed_capped": small.pairs("allowed_capped")}
        found.append(savings.from_effect(did(float(fit.coefficients[0])), cells, pairs, small.spec).rows)
    gross, payer = (found[1][k].value - found[0][k].value for k in ("gross_pmpm", "payer_pmpm"))
    assert_allclose(gross, 15, atol=0.01)
    assert_allclose(payer, 12, atol=0.01)


def test_a_washout_shortens_the_first_year():
    spec = study()
    periods = spec.periods.model_copy(update={"washout_months": 6})
    years = years_of(spec.model_copy(update={"periods": periods}))
    assert [len(y) for y in years] == [6, 6] and years[0][0] == START + 6


def test_no_treated_months_after_the_start_are_refused(found):
    cells, pairs, spec, headline, _ = found
    gone = cells.where(~((cells.frame["arm"] == "treated") & (cells.frame["month"] >= START)).to_numpy())
    with pytest.raises(ModelRefusal, match="treated arm has no member-months from 2008-06 to 2009-11"):
        savings.from_effect(headline, gone, pairs, spec)


def test_results_are_the_same_twice(found):
    cells, pairs, spec, headline, result = found
    again = savings.from_effect(headline, cells, pairs, spec)
    assert {k: dataclasses.asdict(v) for k, v in again.rows.items()} == {
        k: dataclasses.asdict(v) for k, v in result.rows.items()
    }
    pd.testing.assert_frame_equal(again.by_year, result.by_year)
