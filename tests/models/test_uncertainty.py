"""The whole chain: each quantity keeps its own interval, completion widens it, a prior only if declared."""

import math

import numpy as np
import pytest
from member_world import study, world
from numpy.testing import assert_allclose

from medhome.models import completion, did, expected, risk, savings, uncertainty
from medhome.models.declared_prior import probability_above
from medhome.study.expected_choices import SavingsPrior
from medhome.study.triangles import Triangles


def chain(spec, **changed):
    small = world(organizations=9, members=12, spec=spec)
    rows = small.rows()
    model = risk.fit(rows, spec)
    scored = small.scored(model.coefficients())
    cells = scored.cells()
    pairs = {"allowed_capped": scored.pairs("allowed_capped")}
    effect = did.estimate(cells, pairs["allowed_capped"], spec)
    against = expected.definitions(cells, rows, model, pairs["allowed_capped"], spec, effect)
    saved = savings.from_effect(effect, cells, pairs, spec)
    none = completion.Completion(reason="no paid dates", run_out_months=3)
    triangles = Triangles(
        payments=cells.frame.iloc[:0], paid_through=0, undated_share=0.0, cells=cells, categories=()
    )
    found = uncertainty.whole_chain(cells, rows, spec, against, saved, none, triangles)
    return found, effect, against, saved


FEE = [{"name": "Care", "pmpm_usd": 2.0, "first": "2008-06"}]


@pytest.fixture(scope="module")
def found():
    return chain(study(fees=FEE))


def test_every_definition_and_every_quantity_of_savings_is_there(found):
    table = found[0].quantities.set_index("quantity")
    assert list(table.index) == [
        *("E1", "E1b", "E2", "E3", "E4", "E5_level", "E5_trend"),
        *("gross_pmpm", "gross_share", "gross_total_usd", "payer_pmpm", "net_pmpm", "net_total_usd"),
        *("roi_ratio", "net_roi_ratio"),
    ]
    ends = table[["lo95", "lo90", "estimate", "hi90", "hi95"]].to_numpy()
    assert (np.diff(ends, axis=1) > 0).all()
    assert (table["practices_lo95"] < table["practices_hi95"]).all()
    assert found[0].draws == 2000 and found[0].why == ""


def test_without_completion_factors_each_interval_is_that_of_its_own_exhibit(found):
    table = found[0].quantities.set_index("quantity")
    own = found[2].definitions.set_index("definition")
    names, ends = ["E1", "E1b", "E2", "E3", "E4", "E5_level"], ["lo95", "lo90", "hi90", "hi95"]
    assert_allclose(table.loc[names, ends], own.loc[names, ends].astype(float))
    net = found[3].rows["net_pmpm"]
    assert_allclose((table.loc["net_pmpm", "lo95"], table.loc["net_pmpm", "hi95"]), net.ci95)
    assert (table["completion_se"] == 0).all()


def test_the_trend_is_told_in_percentage_points_of_the_baseline(found):
    table, own = found[0].quantities.set_index("quantity"), found[2].definitions.set_index("definition")
    e1 = own.loc["E1"]
    wanted = 100 * (e1["actual_pmpm"] - e1["expected_pmpm"]) / e1["baseline_pmpm"]
    assert_allclose(table.loc["E5_trend", "estimate"], wanted)
    assert table.loc["E5_trend", "unit"] == "percentage points"


def test_draws_of_savings_are_those_of_the_effect_turned(found):
    table = found[0].quantities.set_index("quantity")
    assert_allclose(table.loc["gross_pmpm", "practices_lo95"], -table.loc["E3", "practices_hi95"])
    assert_allclose(table.loc["net_pmpm", "practices_lo90"], table.loc["payer_pmpm", "practices_lo90"] - 2)
    assert_allclose(table.loc["net_roi_ratio", "practices_hi95"], table.loc["net_pmpm", "practices_hi95"] / 2)


def test_the_variance_of_completion_factors_widens_an_interval():
    row = {"estimate": 1.0, "lo90": -2.0, "hi90": 4.0, "lo95": 1 - 3 * 1.96, "hi95": 1 + 3 * 1.96}
    wide = uncertainty._widened(row, 4.0)
    assert_allclose(wide["se"], 5.0, rtol=1e-4)  # 3 and 4 make 5
    assert_allclose((wide["hi95"] - 1, wide["lo90"]), (5 * 1.96, 1 - 3 * 5 / 3), rtol=1e-4)


def test_without_an_estimate_completion_brings_nothing_to_say():
    none = dict.fromkeys(("estimate", "lo90", "hi90", "lo95", "hi95"), math.nan)
    assert math.isnan(uncertainty._widened(none, 0.0)["completion_se"])


def test_no_prior_no_probability_and_with_one_the_posterior():
    assert chain(study(fees=FEE))[0].probabilities == {}
    spec = study(fees=FEE).model_copy(
        update={"savings_prior": SavingsPrior(mean_pmpm_usd=1.0, sd_pmpm_usd=2.0, source="a survey of peers")}
    )
    found, _, _, saved = chain(spec)
    assert "mean $1.00 and standard deviation $2.00 PMPM (a survey of peers)" in found.prior
    gross = saved.rows["gross_pmpm"]
    precision = 1 / gross.se**2 + 1 / 4
    centre = (gross.value / gross.se**2 + 1 / 4) / precision
    wanted = 0.5 * math.erfc(-centre * math.sqrt(precision) / math.sqrt(2))
    assert_allclose(found.probabilities["gross"].value, wanted, rtol=1e-10)
    assert found.probabilities["net"].value < found.probabilities["gross"].value


def test_a_prior_without_spread_decides_alone():
    sure = SavingsPrior(mean_pmpm_usd=3.0, sd_pmpm_usd=1e-6, source="dogma")
    assert probability_above(2.0, -50.0, 5.0, sure) == 1.0 and probability_above(4.0, 50.0, 5.0, sure) == 0.0
