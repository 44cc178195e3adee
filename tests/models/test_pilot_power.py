"""Power of a pilot: the formula by hand, a simulation of it, plans and data, the command and its page."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from member_world import study, world
from numpy.testing import assert_allclose
from scipy import stats

import medhome
from medhome import planning
from medhome.models import did, pilot_power
from medhome.models.inference.panel_likelihood import correlation
from medhome.models.panels.power import detectable_effect
from medhome.models.pilot_power import Size, Variation
from medhome.study.power_choices import PowerPlan, YearlyAssumptions
from medhome.study.problems import ModelRefusal, StudyFileError

TWENTY = Size(practices=(20, 20), organizations=(20, 20), members=50, before=12, after=12)


def varies(**changes):
    known = {"mean": 300.0, "by_lag": {0: 1e6, 1: 3e5}, "practice_sd": 10.0, "practice_rho": 0.5}
    known |= {"organization_sd": 0.0, "organization_rho": 0.5}
    return Variation(**(known | changes))


def test_two_months_by_hand():
    # One month before, one after: a shock's change has variance 2 sd^2 (1 - rho), a member's 2 (g0 - g1).
    size = Size(practices=(4, 10), organizations=(4, 10), members=100, before=1, after=1)
    variation = varies(organization_sd=8.0, organization_rho=0.25)
    own, member, shared = 2 * 100 * 0.5, 2 * (1e6 - 3e5), 2 * 64 * 0.75
    v = (own + member / 100) * (1 / 4 + 1 / 10) + shared * (1 / 4 + 1 / 10)
    assert_allclose(pilot_power.standard_error(size, variation), v**0.5, rtol=1e-12)
    t = stats.t.ppf(0.975, 12) + stats.t.ppf(0.8, 12)
    assert_allclose(pilot_power.detectable(size, variation), t * v**0.5, rtol=1e-12)
    assert_allclose(pilot_power.power_to_find(-t * v**0.5, size, variation), 0.8, rtol=1e-9)


def test_without_organisations_it_is_the_textbook_formula():
    variation = varies(by_lag={k: 1e6 * (0.3 * 0.85**k + 0.1 * (k < 40)) for k in range(50)})
    size = Size(practices=(15, 30), organizations=(15, 30), members=80, before=18, after=12)
    of_periods = variation.formula(18, 12)
    textbook = detectable_effect(
        (15, 30), (80, 80), sd=of_periods["sd_pmpm"], icc=of_periods["icc"],
        cluster_autocorrelation=of_periods["cluster_autocorrelation"],
        member_autocorrelation=of_periods["member_autocorrelation"],
    )  # fmt: skip
    assert_allclose(pilot_power.detectable(size, variation), textbook, rtol=1e-12)


def test_yearly_assumptions_are_the_golden_value():
    # The design note's closed form: 20 clusters of 50 an arm, sd 1000, icc .05, r .7 and .5.
    yearly = YearlyAssumptions(
        sd_pmpm_usd=1000.0, icc=0.05, cluster_autocorrelation=0.7, member_autocorrelation=0.5
    )
    plan = PowerPlan(yearly=yearly, organization_sd_share=0.0, organizations_treated=20, practices_treated=20,
                     practices_comparison=20, organizations_comparison=20,
                     members_per_practice=50.0)  # fmt: skip
    variation = Variation.assumed(plan)
    assert_allclose(pilot_power.detectable(TWENTY, variation), 201.2903844266, rtol=1e-10)
    frame = pilot_power.curve(plan, TWENTY, variation)
    assert "months" not in set(frame["axis"])


def test_a_simulation_finds_the_detectable_effect_in_80_percent_of_studies():
    rng = np.random.default_rng([20080601, 8])
    size = Size(practices=(12, 18), organizations=(12, 18), members=40, before=6, after=4)
    variation = varies(by_lag={k: 4e4 * (0.6 * 0.5**k + 0.2 * (k < 99)) for k in range(10)}, practice_sd=25.0)
    months = np.arange(10)
    gamma = np.array([[variation.by_lag[abs(s - t)] for t in months] for s in months])
    shocks = np.linalg.cholesky(625.0 * correlation(months, 0.5))
    noise = np.linalg.cholesky(gamma / size.members)
    effect = pilot_power.detectable(size, variation)
    runs, practices = 4000, sum(size.practices)
    draws = rng.standard_normal((runs, practices, 10)) @ shocks.T
    draws += rng.standard_normal((runs, practices, 10)) @ noise.T
    change = draws[..., 6:].mean(-1) - draws[..., :6].mean(-1)
    change[:, :12] += effect
    found = stats.ttest_ind(change[:, :12], change[:, 12:], axis=1)
    estimates = change[:, :12].mean(1) - change[:, 12:].mean(1)
    assert_allclose(estimates.std(), pilot_power.standard_error(size, variation), rtol=0.04)
    assert abs((found.pvalue < 0.05).mean() - 0.80) < 0.025  # four standard errors


def test_more_of_anything_finds_less_and_one_organisation_is_a_floor():
    plan = PowerPlan(effect_pmpm_usd=10.0)
    variation = Variation.assumed(plan)
    size = Size(practices=(25, 100), organizations=(1, 40), members=760, before=17, after=12)
    frame = pilot_power.curve(plan, size, variation)
    for axis, rows in frame.groupby("axis"):
        assert rows["value"].is_monotonic_increasing and rows["detectable_pmpm"].is_monotonic_decreasing, axis
        assert rows["power"].is_monotonic_increasing
    # Few-clusters note: with ever more of all else, 2.8 times the sd of an organisation's contrast is left.
    endless = Size(practices=(10**6, 10**6), organizations=(1, 10**5), members=1e6, before=17, after=12)
    floor = variation.organization(17, 12) ** 0.5
    assert_allclose(floor, 8.4, atol=0.1)
    assert_allclose(pilot_power.detectable(endless, variation), 2.8016 * floor, rtol=1e-3)


def test_the_default_world_is_that_of_the_few_clusters_note():
    # Its member variance of the contrast, 17 months before and 12 after, is 809,538.
    variation = Variation.assumed(PowerPlan())
    assert_allclose(variation.member(17, 12), 809_538, rtol=0.03)
    size = Size(practices=(25, 26), organizations=(1, 40), members=760, before=17, after=12)
    # The note's simulated interval of one large organisation against 40: 33 PMPM.
    assert 24 < pilot_power.detectable(size, variation) < 36


def test_a_study_of_its_own_data():
    spec = study(covariates=())
    small = world(effect_cents=-1500, spec=spec)
    cells, pairs = small.cells(), small.pairs("allowed_capped")
    effect = did.estimate(cells, pairs, spec)
    size, variation = pilot_power.from_data(cells, pairs, effect, spec)
    frame = cells.frame
    practices = frame.groupby("arm")[["organization_id", "practice_id"]].nunique()
    assert size.practices == tuple(practices.loc[["treated", "comparison"], "practice_id"])
    assert size.organizations == tuple(practices.loc[["treated", "comparison"], "organization_id"])
    assert (size.before, size.after) == (spec.periods.baseline.months, spec.periods.performance.months)
    assert variation.organization_sd == effect.organization_sd_pmpm
    assert pilot_power.detectable(size, variation) > 0


def test_shocks_of_practices_are_found_where_there_are_enough_of_them():
    rng = np.random.default_rng([20080601, 9])
    organization = np.repeat(np.arange(40), 25)
    members = np.full((1000, 2), 200.0)
    change = rng.normal(0, 12, 1000) + rng.normal(0, (20_000 / 200) ** 0.5, 1000) + 5.0 * organization
    y = np.column_stack([np.zeros(1000), change])
    after = np.array([False, True])
    found = pilot_power._practice_variance(members, y, after, organization, 20_000.0)
    assert_allclose(found, 144, rtol=0.25)
    few = slice(0, 10)
    assert pilot_power._practice_variance(members[few], y[few], after, organization[few], 20_000.0) == 0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"practices": (0,)}, "sizes must be 1 or more"),
        ({"members": (50.0, 50.0)}, "each of them once"),
        ({"member_fading_share": 0.95}, "add up to more than 1"),
        ({"organizations_treated": 30}, "organizations_treated is above practices_treated"),
        ({"effect_pmpm_usd": -3.0}, "greater than 0"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        PowerPlan(**changes)


def test_too_few_organisations_are_refused():
    size = Size(practices=(5, 5), organizations=(1, 1), members=100, before=12, after=12)
    with pytest.raises(ModelRefusal, match="at least 3 organisations"):
        pilot_power.detectable(size, Variation.assumed(PowerPlan()))
    with pytest.raises(ModelRefusal, match="30 organisations cannot share 25 practices"):
        medhome.power(study(), organizations=[30])


def test_a_plan_needs_no_data_and_its_page_stands_alone(tmp_path):
    found = medhome.power(study(), effect_pmpm_usd=10, practices=[5, 50], months=[12], members=[100, 400])
    assert found.basis == "assumptions" and found.study_detectable_pmpm is None
    assert list(found.frame.loc[found.frame["axis"] == "practices", "value"]) == [5.0, 50.0]
    page = planning.write_power(found, tmp_path)
    folder = page.parent
    assert sorted(p.name for p in folder.iterdir()) == ["power.csv", "power.html", "power.json"]
    plain = json.loads((folder / "power.json").read_text(encoding="utf-8"))
    assert plain["plan"]["detectable_pmpm"] == found.plan["detectable_pmpm"]
    table = pd.read_csv(folder / "power.csv")
    assert_allclose(table["detectable_pmpm"], found.frame["detectable_pmpm"])
    text = page.read_text(encoding="utf-8")
    assert "<svg" in text and 'id="fig-power-practices"' in text and 'id="fig-power-months"' not in text
    assert "<script" not in text and "the smallest effect found with" in text
    assert "$10.00" in found.to_text() and "assumptions:" in found.to_text()


def test_the_command_reads_sizes_and_names_what_is_none(tmp_path, capsys):
    from typer.testing import CliRunner

    from medhome.cli import app

    demo = str(Path(__file__).parents[2] / "analysis" / "studies" / "demo.toml")
    done = CliRunner().invoke(
        app, ["power", demo, "--out", str(tmp_path), "--practices", "10,20", "--months", "12", "--json"]
    )
    assert done.exit_code == 0, done.output
    plain = json.loads(done.stdout)
    assert [r["value"] for r in plain["curve"] if r["axis"] == "practices"] == [10, 20]
    assert plain["page"].endswith("power.html")
    wrong = CliRunner().invoke(app, ["power", demo, "--out", str(tmp_path), "--practices", "ten"])
    assert isinstance(wrong.exception, StudyFileError) and "--practices 'ten'" in str(wrong.exception)
