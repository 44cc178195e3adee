"""Costs of simulated members vary as those of a commercial population, and the effect is as injected.

Bands lie around the figures of the simulation that chose the headline interval (docs/simulation.md).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from medhome.simulate import WORLDS, costs, simulate_world
from medhome.simulate.members import chunks, draw_members
from medhome.simulate.providers import autoregression, build_providers, monthly_sd_of_year
from medhome.study.problems import StudyFileError

WORLD = replace(WORLDS["coverage"], seed=77)


@pytest.fixture(scope="module")
def market():
    """Cost and exposure of every member-month, person x month, the trend taken out."""
    providers = build_providers(WORLD)
    planned = []
    for number, chunk in enumerate(chunks(WORLD, providers)):
        members = draw_members(WORLD, providers, number, *chunk)
        planned.append((members, costs.plan_costs(WORLD, providers, members)))
    means = costs.additive_means(WORLD, providers, [p for _, p in planned])
    cost = []
    for members, plan in planned:
        events = costs.draw_events(WORLD, members, plan, means.factor)
        y = np.zeros(members.exposure.shape)
        y[plan.person, plan.month] = np.bincount(events.cell, events.usd, minlength=len(plan.person))
        cost.append(y / costs.trend(WORLD))
    return providers, planned, means, np.concatenate(cost), np.concatenate([m.exposure for m, _ in planned])


def test_share_of_zero_months_and_variation(market):
    *_, cost, exposure = market
    monthly = np.minimum(cost, 100_000)[exposure]
    assert 0.58 < (monthly == 0).mean() < 0.66
    assert 4.2 < monthly.std() / monthly.mean() < 6.0
    year = slice(12, 24)
    annual = cost[exposure[:, year].all(axis=1), year].sum(axis=1)
    assert 2.3 < annual.std() / annual.mean() < 3.4
    assert 0.06 < (annual == 0).mean() < 0.15
    top = np.sort(annual)[-len(annual) // 100 :].sum() / annual.sum()
    assert 0.16 < top < 0.26
    assert (annual > 100_000).any()


def test_months_and_years_of_a_member_resemble_each_other(market):
    *_, cost, exposure = market
    capped = np.minimum(cost, 100_000)
    mean, variance = capped[exposure].mean(), capped[exposure].var()
    found = []
    for lag in (1, 3, 6, 12, 24):
        both = exposure[:, :-lag] & exposure[:, lag:]
        product = (capped[:, :-lag] - mean) * (capped[:, lag:] - mean)
        found.append(product[both].mean() / variance)
    assert_allclose(found, [0.37, 0.27, 0.19, 0.11, 0.06], atol=0.08)
    assert found == sorted(found, reverse=True)
    both = exposure[:, 12:36].all(axis=1)
    one, two = cost[both, 12:24].sum(axis=1), cost[both, 24:36].sum(axis=1)
    assert 0.28 < np.corrcoef(one, two)[0, 1] < 0.55


def test_events_are_drawn_around_the_true_mean(market):
    _, planned, means, cost, _ = market
    expected = sum(
        (p.mean_usd * means.factor[p.site, p.month] / costs.trend(WORLD)[p.month]).sum() for _, p in planned
    )
    # Monthly variation 5 times the mean over 700,000 months, with persistence: about 1.5%.
    assert cost.sum() == pytest.approx(expected, rel=0.05)


def test_every_practice_has_its_constant_and_shares_one_path_of_dollars(market):
    providers, _, means, *_ = market
    paths = means.target_usd - means.target_usd[:, :1]
    assert_allclose(paths, np.broadcast_to(paths[0], paths.shape), atol=1e-9)
    # Levels and shocks are whole dollars on top: raw mean times factor is the target plus the shock.
    kept = means.factor > 0.2
    assert_allclose((means.raw_usd * means.factor)[kept], (means.target_usd + providers.shock_usd)[kept])


def test_the_cohorts_mean_in_the_baseline_is_the_one_set_and_grows_by_the_trend(market):
    providers, planned, means, *_ = market
    dollars, months = np.zeros(58), np.zeros(58)
    for _, plan in planned:
        here = plan.in_cohort
        without_levels = means.target_usd - providers.persistent_level_usd[:, None]
        dollars += np.bincount(
            plan.month[here], without_levels[plan.site[here], plan.month[here]], minlength=58
        )
        months += np.bincount(plan.month[here], minlength=58)
    assert dollars[12:36].sum() / months[12:36].sum() == pytest.approx(300.0, abs=1e-6)
    yearly = (dollars[24:36].sum() / months[24:36].sum()) / (dollars[12:24].sum() / months[12:24].sum())
    assert yearly == pytest.approx(1.05, abs=0.005)


def test_shocks_of_a_year_have_the_set_standard_deviation():
    sd = monthly_sd_of_year(4.0, 0.8)
    draws = autoregression(np.random.default_rng(1), 20_000, 24, sd, 0.8)
    assert draws[:, 12:].mean(axis=1).std() == pytest.approx(4.0, rel=0.02)
    assert np.corrcoef(draws[:, 10], draws[:, 11])[0, 1] == pytest.approx(0.8, abs=0.01)


def cohort_of(folder: Path) -> tuple[set[str], int]:
    """Treated cohort by the files alone: persons, and their member-months after the start."""
    clinicians = pd.read_parquet(folder / "provider_practice.parquet").query("x_primary_care == 1")
    arm = pd.read_parquet(folder / "program_roster.parquet").set_index("unit_id").arm
    claims = pd.read_parquet(folder / "medical_claim.parquet")
    day = pd.to_datetime(claims.claim_start_date)
    visits = claims[
        claims.rendering_npi.isin(clinicians.npi) & (claims.x_claim_status == "paid") & (day < "2006-06-01")
    ]
    practice = visits.rendering_npi.map(clinicians.set_index("npi").practice_id)
    home = (practice.map(arm) == "program").groupby(visits.person_id).mean()
    # Visits in another organisation never outnumber those at home.
    treated = set(home[home > 0.5].index)
    spans = pd.read_parquet(folder / "eligibility.parquet")
    spans = spans[spans.person_id.isin(treated)]
    first = pd.to_datetime(spans.enrollment_start_date)
    last = pd.to_datetime(spans.enrollment_end_date).fillna(pd.Timestamp("2100-01-01"))
    months = 0
    for fifteenth in pd.date_range("2008-06-01", "2010-03-01", freq="MS") + pd.Timedelta(days=14):
        months += spans.person_id[(first <= fifteenth) & (last >= fifteenth)].nunique()
    return treated, months


def test_the_effect_is_what_was_injected_line_by_line(tmp_path):
    """Two worlds that differ in the effect alone differ by it in the files: same lines, other amounts."""
    late = replace(WORLDS["small"], paid_through="2013-06")  # everything is paid: no tail is missing
    truth = simulate_world(late, tmp_path / "with")
    simulate_world(replace(late, effect_pmpm_usd=0.0), tmp_path / "without")
    treated, months = cohort_of(tmp_path / "with")
    assert months == truth.counts["cohort_member_months"]["treated"]["performance"]
    difference, lines = 0.0, 0
    for table, day in (("medical_claim", "claim_start_date"), ("pharmacy_claim", "dispensing_date")):
        one = pd.read_parquet(tmp_path / "with" / f"{table}.parquet")
        two = pd.read_parquet(tmp_path / "without" / f"{table}.parquet")
        amounts = ["allowed_amount", "paid_amount"]
        assert one.drop(columns=amounts).equals(two.drop(columns=amounts))
        change = one.allowed_amount.astype(float) - two.allowed_amount.astype(float)
        moved = change != 0
        assert (pd.to_datetime(one[day][moved]) >= "2008-06-01").all()
        difference += change[(one.x_claim_status != "denied") & one.person_id.isin(treated)].sum()
        lines += int(moved.sum())
    assert lines > 1_000
    assert difference / months == pytest.approx(-1.78, abs=2e-3)
    assert truth.effect_realised_paid_by_cut_pmpm_usd == pytest.approx(difference / months, rel=2e-3)


def test_the_effect_realised_is_exact_to_a_hundredth_of_a_cent(small):
    assert small.truth.effect_realised_pmpm_usd == pytest.approx(-1.78, abs=1e-4)
    assert small.truth.effect_realised_equal_run_out_pmpm_usd == pytest.approx(-1.78, abs=0.15)
    assert small.truth.truths["E3"] == -1.78


def test_an_effect_in_per_cent(tmp_path):
    truth = simulate_world(replace(WORLDS["small"], effect_share=-0.10), tmp_path)
    after = truth.means["A_T1"]
    assert truth.truths["E3"] / (after - truth.truths["E3"]) == pytest.approx(-0.10, abs=0.02)
    assert truth.effect_realised_pmpm_usd == pytest.approx(truth.effect_pmpm_usd, abs=1e-3)


def test_an_effect_larger_than_the_cost_is_refused(tmp_path):
    with pytest.raises(StudyFileError, match="smaller effect_pmpm_usd"):
        simulate_world(replace(WORLDS["small"], effect_pmpm_usd=-900.0), tmp_path)


def test_truths_hold_the_arithmetic_of_their_definitions(small):
    m = small.truth.means
    found = small.truth.truths
    assert found["E1"] == pytest.approx(m["A_T1"] - m["A_T0"] * m["A_C1"] / m["A_C0"] * m["rho"], abs=1e-4)
    assert found["E5_level"] == pytest.approx(m["A_T1"] - m["A_C1"] * m["R_T1"] / m["R_C1"], abs=1e-4)
    assert found["E2"] == pytest.approx(
        m["A_T1"] - m["A_C1"] - m["slope"] * (m["R_T1"] - m["R_C1"]), abs=1e-4
    )
    assert {"E1b", "E4"} == set(small.truth.not_given)


def test_equal_levels_and_no_effect_make_every_truth_near_zero(tmp_path):
    plain = replace(
        WORLDS["coverage"], effect_pmpm_usd=0.0, organization_sd_pmpm_usd=0.0, practice_sd_pmpm_usd=0.0
    )
    truth = simulate_world(plain, tmp_path)
    assert truth.truths["E3"] == 0.0
    for name in ("E1", "E2", "E5_level"):
        assert abs(truth.truths[name]) < 8.0, name


def test_members_who_cross_over_take_the_program_with_them(tmp_path):
    moving = replace(WORLDS["small"], crossover_share=0.2)
    truth = simulate_world(moving, tmp_path)
    assert -1.78 < truth.truths["E3"] < -1.2
    plain = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert plain["settings"]["crossover_share"] == 0.2
