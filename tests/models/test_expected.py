"""The definitions of "expected": hand arithmetic, and the identities that tie them together."""


import dataclasses

import pandas as pd
import pytest
from member_world import FIRST, START, study, world
from numpy.testing import assert_allclose

from medhome.models import arm_means, expected, risk
from medhome.models.twfe import twfe
from medhome.study.cells import Cells
from medhome.study.display import number
from medhome.study.periods import month_index
from medhome.study.problems import ModelRefusal
from medhome.study.results import DidResult, Estimate

EMPTY = pd.DataFrame()


def did(value, ci90=None, ci95=None):
    none = Estimate(value=None, unit="USD PMPM")
    return DidResult(
        headline=Estimate(value=value, unit="USD PMPM", ci90=ci90, ci95=ci95),
        detectable=none,
        probability_lower_cost=none,
        relative=none,
        methods=EMPTY,
        event_study=EMPTY,
        variance_shares=EMPTY,
        pre_trend=none,
        treated_organizations=1,
        comparison_organizations=8,
        organization_sd_pmpm=0.0,
        autocorrelation=0.0,
        rule="",
    )


def two_by_two(treated, comparison, risks=((100.0, 100.0), (100.0, 100.0))):
    """One practice in each arm, ten members, the last month before and the first after the start."""
    rows = []
    for name, arm, costs, expected_cost in (
        ("A", "treated", treated, risks[0]),
        ("B", "comparison", comparison, risks[1]),
    ):
        for month, cost, frozen in zip((START - 1, START), costs, expected_cost, strict=True):
            rows.append(
                {
                    "organization_id": name,
                    "practice_id": name,
                    "arm": arm,
                    "stratum": "adults",
                    "month": month,
                    "rows": 10,
                    "w": 10_000,
                    "w*allowed_capped": int(cost * 100) * 10_000,
                    "w*expected": int(frozen * 100) * 10_000,
                }
            )
    return Cells(scales={"allowed_capped": 100, "expected": 100}, frame=pd.DataFrame(rows))


@pytest.fixture(scope="module")
def found():
    small = world(turnover=0.1)
    rows = small.rows()
    model = risk.fit(rows, small.spec)
    scored = small.scored(model.coefficients())
    cells = scored.cells()
    fit = twfe(cells, "allowed_capped", small.spec.estimation.covariates, first_post=START)
    headline = did(float(fit.coefficients[0]), (-50.0, 40.0), (-60.0, 50.0))
    result = expected.definitions(cells, rows, model, scored.pairs("allowed_capped"), small.spec, headline)
    return small, rows, model, cells, headline, result


def test_e1_by_hand():
    # 300 grew by 250/200 and by risk: (110/100)/(105/100). E = 300 * 1.25 * 1.047619 = 392.857.
    cells = two_by_two((300, 330), (200, 250), ((100, 110), (100, 105)))
    m = arm_means.means(cells, study())
    assert_allclose((m.trend, m.rho), (1.25, 1.1 / 1.05), rtol=1e-12)
    assert_allclose(m.e1, 300 * 1.25 * 1.1 / 1.05, rtol=1e-12)


def test_with_constant_risk_actual_over_e1_is_the_ratio_of_ratios():
    m = arm_means.means(two_by_two((300, 330), (200, 250)), study())
    assert_allclose(m.A["treated", 1] / m.e1, (330 / 300) / (250 / 200), rtol=1e-12)


def test_level_and_change_may_differ_in_sign():
    # $330 against $300 with +$24 in both arms: a saving of $2.40 for E1, none for linear E3, -$30 as a level.
    cells = two_by_two((330, 354), (300, 324))
    m = arm_means.means(cells, study())
    assert_allclose(m.e1 - m.A["treated", 1], 2.40, rtol=1e-12)
    fit = twfe(cells, "allowed_capped", (), first_post=START)
    assert_allclose(fit.coefficients, [0], atol=1e-9)
    assert m.A["comparison", 1] - m.A["treated", 1] == -30


def test_linear_e3_without_covariates_is_the_two_by_two_difference_of_means():
    cells = two_by_two((300, 330), (200, 250), ((100, 110), (100, 105)))
    assert_allclose(
        twfe(cells, "allowed_capped", (), first_post=START).coefficients,
        [(330 - 300) - (250 - 200)],
        rtol=1e-12,
    )


def test_trend_points_are_minus_e1_savings_over_baseline(found):
    *_, result = found
    table = result.definitions.set_index("definition")
    e1, trend = table.loc["E1"], table.loc["E5_trend"]
    savings = e1["expected_pmpm"] - e1["actual_pmpm"]
    points = -100 * savings / e1["baseline_pmpm"]
    assert f"{number(points, 1)} percentage points" in trend["note"]
    m = arm_means.means(found[3], found[0].spec)
    direct = 100 * (m.A["treated", 1] / m.A["treated", 0] - m.trend * m.rho)
    assert_allclose(points, direct, rtol=1e-10)


def test_published_trends_of_3_7_and_4_9_percent_differ_by_1_2_points():
    # A group's cost grew by 3.7%, the market's by 4.9% (`docs/methods.md`, definition E5).
    m = arm_means.means(two_by_two((1000, 1037), (1000, 1049)), study())
    assert_allclose(-100 * (m.e1 - m.A["treated", 1]) / m.A["treated", 0], -1.2, rtol=1e-10)


def test_every_definition_is_there_and_both_kinds_are_labelled(found):
    *_, result = found
    table = result.definitions.set_index("definition")
    assert list(table.index) == ["E1", "E1b", "E2", "E3", "E4", "E5_level", "E5_trend"]
    assert dict(table["compares"]) == {
        "E1": "versus expected",
        "E1b": "versus expected",
        "E2": "versus peers",
        "E3": "versus expected",
        "E4": "versus expected",
        "E5_level": "versus peers",
        "E5_trend": "versus expected",
    }
    assert_allclose(table["difference_pmpm"], table["actual_pmpm"] - table["expected_pmpm"], rtol=1e-9)
    assert_allclose(table["ae_ratio"], table["actual_pmpm"] / table["expected_pmpm"], rtol=1e-12)
    months = arm_means.means(found[3], found[0].spec).member_months["treated", 1]
    changes = table["compares"] == "versus expected"
    assert_allclose(table.loc[changes, "difference_usd"], months * table.loc[changes, "difference_pmpm"])
    assert table.loc[~changes, "difference_usd"].isna().all()
    inside = (table["lo95"] < table["lo90"]) & (table["lo90"] < table["difference_pmpm"])
    assert (inside & (table["difference_pmpm"] < table["hi90"]) & (table["hi90"] < table["hi95"])).all()
    assert list(table.index[table["primary"]]) == ["E3"]
    assert table.loc["E1b", "note"].startswith("No concurrent control")


def test_changes_have_a_p_that_agrees_with_their_interval_and_levels_have_none(found):
    small, rows, model, cells, headline, result = found
    assert result.definitions["p"].isna().all()  # a headline without p: a setting that was not simulated
    known = dataclasses.replace(headline, headline=dataclasses.replace(headline.headline, p=0.4))
    pairs = small.scored(model.coefficients()).pairs("allowed_capped")
    frame = expected.definitions(cells, rows, model, pairs, small.spec, known).definitions
    p = frame.set_index("definition")["p"]
    assert p["E3"] == 0.4 and p["E5_trend"] == p["E1"]
    assert p[["E2", "E5_level"]].isna().all()
    for row in frame[frame["definition"].isin(["E1", "E1b", "E4"])].to_dict("records"):
        assert 0 < row["p"] < 1
        for level, alpha in (("90", 0.10), ("95", 0.05)):
            outside = row[f"lo{level}"] > 0 or row[f"hi{level}"] < 0
            assert outside == (row["p"] < alpha)


def test_e3_is_the_headline(found):
    *_, headline, result = found
    row = result.definitions.set_index("definition").loc["E3"]
    assert_allclose(row["difference_pmpm"], headline.headline.value, rtol=1e-12)
    assert (row["lo95"], row["hi95"]) == headline.headline.ci95


def test_e2_is_indirect_standardisation_and_never_fitted_on_whom_it_judges(found):
    small, rows, _, _, _, result = found
    frame = rows.frame[rows.frame["period"] == "performance"]
    terms, _ = risk.solve(rows, small.spec, arm="comparison", period="performance")
    predicted = risk.predict(risk.fitted_cents(terms), frame) * frame["w"] / 1000
    treated = frame["arm"] == "treated"
    row = result.definitions.set_index("definition").loc["E2"]
    assert_allclose(
        row["expected_pmpm"], predicted[treated].sum() / frame["w"][treated].sum() * 10, rtol=1e-9
    )
    assert_allclose(predicted[~treated].sum(), frame["allowed_capped"][~treated].sum(), rtol=1e-9)


def test_e5_level_is_the_comparison_cost_at_the_treated_risk(found):
    small, _, _, cells, _, result = found
    m = arm_means.means(cells, small.spec)
    row = result.definitions.set_index("definition").loc["E5_level"]
    wanted = m.A["comparison", 1] * m.R["treated", 1] / m.R["comparison", 1]
    assert_allclose(row["expected_pmpm"], wanted, rtol=1e-12)
    assert row["lo95"] < row["difference_pmpm"] < row["hi95"]
    said = f"8 comparison organisations differ (sd between them {row['peers_sd_pmpm']:.2f} PMPM"
    assert said in row["note"]


def test_series_adds_up_to_both_periods(found):
    small, _, _, cells, _, result = found
    series, m = result.series, arm_means.means(cells, small.spec)
    assert list(series["quarter"]) == [-4, -3, -2, -1, 0, 1, 2, 3, 4, 5]
    assert list(series["first_month"]) == [FIRST + 3 * i for i in range(10)]
    before = series["quarter"] < 0
    weight = series["member_months"]
    actual = (series["actual_pmpm"] * weight)[before].sum() / weight[before].sum()
    assert_allclose(actual, m.A["treated", 0], rtol=1e-12)
    assert (series["members"] > 0).all()


def test_series_by_hand():
    cells = two_by_two((300, 330), (200, 250), ((100, 110), (100, 105)))
    spec = study()
    series = expected.series(arm_means.means(cells, spec), cells, spec)
    # After the start: 300 + (250 - 200) + ((110 - 100) - (105 - 100)) = 355.
    assert list(series["expected_pmpm"]) == [300.0, 355.0]
    assert list(series["actual_pmpm"]) == [300.0, 330.0]
    assert list(series["comparison_pmpm"]) == [200.0, 250.0]
    assert list(series["members"]) == [10, 10]


def test_order_of_the_cells_and_names_of_organisations_change_nothing(found):
    small, rows, model, cells, headline, result = found
    turned = Cells(keys=cells.keys, scales=cells.scales, frame=cells.frame.iloc[::-1])
    scored = small.scored(model.coefficients())
    again = expected.definitions(turned, rows, model, scored.pairs("allowed_capped"), small.spec, headline)
    pd.testing.assert_frame_equal(again.definitions, result.definitions, rtol=1e-9)


def test_an_arm_without_members_is_refused_by_name():
    cells = two_by_two((300, 330), (200, 250))
    gone = cells.where(~((cells.frame["arm"] == "comparison") & (cells.frame["month"] == START)).to_numpy())
    with pytest.raises(ModelRefusal, match="comparison arm has no member-months from 2008-06 to 2009-11"):
        arm_means.means(gone, study())


def test_a_primary_definition_that_does_not_exist_is_refused(found):
    small, rows, model, cells, headline, _ = found
    without_risk = Cells(keys=cells.keys, scales=cells.scales, frame=cells.frame.assign(**{"w*expected": 0}))
    pairs = small.scored(model.coefficients()).pairs("allowed_capped")
    shown = expected.definitions(without_risk, rows, model, pairs, small.spec, headline)
    assert shown.definitions.set_index("definition")["expected_pmpm"].isna()["E1"]
    with pytest.raises(ModelRefusal, match="E1, declared primary"):
        expected.definitions(without_risk, rows, model, pairs, study(primary="E1"), headline)


def test_months_are_the_studys():
    assert month_index("2007-06") == FIRST and month_index("2008-06") == START
