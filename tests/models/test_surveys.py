"""Surveys by hand: top boxes, weights, composites, case mix, and what cannot be estimated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from medhome.models import surveys
from medhome.models.case_mix import adjusted
from medhome.study.spec import StudySpec
from medhome.study.survey_results import ANSWERS, KINDS, SurveyAnswers, Surveys

OWN = {
    "id": "own",
    "label": "Own survey",
    "adjust": ["sex"],
    "source": "made up for these tests",
    "items": [
        {"id": "asked", "label": "Asked", "use": "invitation"},
        {"id": "soon", "label": "Soon", "answers": ["1", "2", "3"], "top": ["3"]},
        {"id": "kind", "label": "Kind", "answers": ["no", "yes"], "top": ["yes"]},
        {"id": "days", "label": "Days", "unit": "mean", "low": 0.0, "high": 99.0, "of": "days",
         "direction": "lower"},
    ],
    "composites": [{"id": "both", "label": "Both", "items": ["soon", "kind"]}],
}  # fmt: skip


def study(**own) -> StudySpec:
    """Two months before, two after; one instrument of three items."""
    return StudySpec.model_validate(
        {
            "id": "s", "title": "S", "seed": 1, "paid_through": "2008-05", "program": {"name": "P"},
            "periods": {"baseline_first": "2008-01", "baseline_last": "2008-02", "start": "2008-03",
                        "through": "2008-04", "run_out_months": 0},
            "surveys": {"enabled": True, "instruments": {"own": "own.toml"}, "instrument_rows": (OWN | own,)},
        }
    )  # fmt: skip


def given(rows: list[tuple]) -> SurveyAnswers:
    """Rows of organisation, period, item, response, weight, and perhaps person and female."""
    filled = []
    for i, (organization, period, item, response, weight, *more) in enumerate(rows):
        person = more[0] if more else f"{organization}{period}{i}"
        filled.append(
            {"instrument": "own", "person": person, "organization_id": organization, "arm":
             "treated" if organization == "T" else "comparison", "period": period, "day": 100 + period,
             "item_id": item, "response": response, "weight": weight, "mode": "", "age": 40.0,
             "female": more[1] if len(more) > 1 else 0.0, "risk": np.nan}
        )  # fmt: skip
    return SurveyAnswers(answers=pd.DataFrame(filled)[list(ANSWERS)].astype(ANSWERS), given=True)


SOON = [
    ("T", 0, "soon", "3", 1.0), ("T", 0, "soon", "2", 3.0),
    ("T", 1, "soon", "3", 2.0), ("T", 1, "soon", "3", 1.0), ("T", 1, "soon", "1", 1.0),
    ("A", 0, "soon", "3", 1.0), ("A", 0, "soon", "1", 1.0),
    ("A", 1, "soon", "3", 1.5), ("A", 1, "soon", "1", 0.5),
    ("B", 0, "soon", "3", 3.0), ("B", 0, "soon", "2", 1.0),
    ("B", 1, "soon", "3", 4.0), ("B", 1, "soon", "3", 0.5),
]  # fmt: skip


def test_the_top_box_counts_by_weight_and_moves_against_the_comparisons():
    """T: 1/4 to 3/4. A: 1/2 to 1.5/2, so +1/4; B: 3/4 to 1, so +1/4: the effect is 1/2 - 1/4."""
    found = surveys.describe(given(SOON), study())
    row = found.effects.set_index("measure").loc["soon"]
    assert_allclose([row["treated_baseline"], row["treated_performance"]], [0.25, 0.75], atol=1e-6)
    assert_allclose(row["comparison_baseline"], (1 + 3) / (2 + 4), atol=1e-6)
    assert_allclose(row["comparison_performance"], (1.5 + 4.5) / (2 + 4.5), atol=1e-6)
    assert_allclose(row["estimate"], 0.25, atol=1e-5)
    assert (row["members_treated"], row["members_comparison"], row["unit"]) == (2, 4, "share")
    items = found.items.set_index(["measure", "arm", "period"])
    assert items.loc[("soon", "treated", "performance"), ["members", "members_with"]].tolist() == [3, 2]
    assert found.responses.set_index(["arm", "period"]).loc[("treated", "baseline"), "members"] == 2


def test_weights_count_in_any_unit():
    once = surveys.describe(given(SOON), study()).effects
    often = surveys.describe(given([(*row[:4], row[4] * 37.5) for row in SOON]), study()).effects
    pd.testing.assert_frame_equal(once, often, check_exact=False, rtol=1e-9)


def test_sampling_rests_on_the_weighted_part_of_each_respondent():
    """T has weights 1 and 3 before, 2, 1 and 1 after, of which 1, then 2 and 1, are in the top box."""
    spec = study()
    one, *_ = surveys.scores(given(SOON).answers, spec.surveys.known["own"])
    cells, *_ = surveys.collapse(one, pd.DataFrame(index=one.frame.index), spec.surveys.known["own"], spec)
    mean = sum(row[4] for row in SOON) / len(SOON)
    row = cells.organizations.set_index("organization_id").loc["T"]
    sums = [row[name] * mean for name in ("n0", "d0", "n1", "d1")]
    assert_allclose(sums, [1, 4, 3, 4], rtol=1e-5)
    squares = [row[name] * mean**2 for name in ("n0n0", "d0d0", "n1n1", "n1d1", "n0n1")]
    assert_allclose(squares, [1, 10, 5, 5, 0], rtol=1e-5)


def test_a_composite_is_the_mean_of_what_a_respondent_answered():
    """Top in both 1, in one of two 1/2, in one alone 1: the treated go from 1/2 to (1 + 1/2 + 1)/3."""
    rows = [("T", 0, "soon", "3", 1, "t1"), ("T", 0, "kind", "no", 1, "t1")]
    rows += [("T", 1, "soon", "3", 1, "t2"), ("T", 1, "kind", "yes", 1, "t2")]
    rows += [("T", 1, "soon", "1", 1, "t3"), ("T", 1, "kind", "yes", 1, "t3")]
    rows += [("T", 1, "kind", "yes", 1, "t4")]
    rows += [(o, p, item, "yes" if item == "kind" else "1", 1, f"{o}{p}") for o in "AB" for p in (0, 1)
             for item in ("soon", "kind")]  # fmt: skip
    row = surveys.describe(given(rows), study()).effects.set_index("measure").loc["both"]
    assert_allclose([row["treated_baseline"], row["treated_performance"]], [0.5, 2.5 / 3], atol=1e-6)
    assert_allclose([row["comparison_baseline"], row["estimate"]], [0.5, 2.5 / 3 - 0.5], atol=1e-6)
    assert row["part"] == "composite"


def test_few_of_a_composites_items_are_not_enough():
    """Of three items one is below half: only who answered two has the composite."""
    third = {"id": "calm", "label": "Calm", "answers": ["no", "yes"], "top": ["yes"]}
    both = {**OWN["composites"][0], "items": ["soon", "kind", "calm"]}
    own = {"items": [*OWN["items"], third], "composites": [both]}
    rows = [("T", 0, "soon", "3", 1, "t1"), ("T", 0, "kind", "no", 1, "t2"), ("T", 0, "calm", "yes", 1, "t2")]
    parts = {s.measure: s for s in surveys.scores(given(rows).answers, study(**own).surveys.known["own"])}
    assert parts["both"].frame[["person", "y"]].to_numpy().tolist() == [["t2", 0.5]]


def test_amounts_are_means():
    rows = [("T", 0, "days", "8", 1), ("T", 0, "days", "6", 3), ("T", 1, "days", "4.5", 1)]
    rows += [(o, p, "days", v, 1) for o in "AB" for p in (0, 1) for v in ("5", "7")]
    row = surveys.describe(given(rows), study()).effects.set_index("measure").loc["days"]
    assert_allclose([row["treated_baseline"], row["treated_performance"]], [6.5, 4.5], atol=1e-6)
    assert_allclose(row["estimate"], -2, atol=1e-5)
    assert (row["unit"], row["of"], row["direction"]) == ("mean", "days", "lower")


def test_case_mix_is_taken_out_within_organisations_and_waves():
    """Women score one point more; in the treated's second wave most are women. The effect is two points."""
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(4), 40)  # T before, T after, C before, C after
    female = (np.tile(np.arange(40), 4) < np.array([10, 30, 10, 10])[group]).astype(float)
    level = np.array([1.0, 3.0, 2.0, 2.0])[group]
    weight = rng.uniform(0.5, 2.0, 160)
    found = adjusted(level + female, pd.DataFrame({"female": female}), group, weight)
    assert_allclose(found.coefficients["female"], 1.0)
    mean = np.average(female, weights=weight)
    assert_allclose(found.adjusted, level + mean)
    means = [np.average(found.adjusted[group == g], weights=weight[group == g]) for g in range(4)]
    assert_allclose(means[1] - means[0] - (means[3] - means[2]), 2.0)
    plain = [np.average((level + female)[group == g], weights=weight[group == g]) for g in range(4)]
    assert plain[1] - plain[0] - (plain[3] - plain[2]) > 2.3


def test_the_adjusted_rate_stands_beside_the_unadjusted_one():
    """Women are always in the top box, men never: at one case mix the treated's waves are alike."""
    rows = []
    for organization in "TAB":
        for period in (0, 1):
            women = 15 if (organization, period) == ("T", 1) else 5
            rows += [
                (organization, period, "soon", "13"[i < women], 1.0, f"{organization}{period}{i}", i < women)
                for i in range(20)
            ]
    found = surveys.describe(given(rows), study())
    items = found.items.set_index(["measure", "arm", "period"]).loc["soon"]
    share = (5 * 5 + 15) / 120
    row = items.loc[("treated", "performance")]
    assert_allclose([row["unadjusted"], row["rate"]], [0.75, share], atol=1e-6)
    assert_allclose(found.effects.set_index("measure").loc["soon", "estimate"], 0.0, atol=1e-5)
    assert found.case_mix["adjusters"].tolist() == ["female"]


def test_few_respondents_are_not_adjusted_and_the_note_says_so():
    rows = [(*row, f"p{i}", float(i % 2)) for i, row in enumerate(SOON)]
    found = surveys.describe(given(rows), study())
    assert found.effects["note"].str.contains("too few respondents to adjust").all()
    assert_allclose(found.effects["estimate"], 0.25, atol=1e-5)


def test_one_wave_has_rates_and_no_effect():
    found = surveys.describe(given([row for row in SOON if row[1] == 1]), study())
    row = found.effects.iloc[0]
    assert_allclose(row["treated_performance"], 0.75, atol=1e-6)
    assert np.isnan(row["estimate"])
    assert "no answers (treated arm, baseline; comparison arm, baseline)" in row["note"]


def test_the_response_rate_is_of_those_who_were_asked():
    asked = [("T", 0, "asked", "", 1.0, f"t{i}") for i in range(4)]
    told = [("T", 0, "soon", "3", 1.0, f"t{i}") for i in range(3)] + [("T", 0, "soon", "1", 1.0, "late")]
    found = surveys.describe(given(asked + told + SOON[5:]), study()).responses.set_index(["arm", "period"])
    row = found.loc[("treated", "baseline")]
    assert (row["invited"], row["members"], row["response_share"]) == (4, 4, 0.75)
    assert found.loc[("comparison", "baseline"), "invited"] == 0


def test_p_values_are_adjusted_within_an_instrument():
    rng = np.random.default_rng(3)
    rows = []
    for organization in ["T", *(f"C{i}" for i in range(9))]:
        for period in (0, 1):
            for i in range(60):
                who = f"{organization}-{period}-{i}"
                share = 0.9 if (organization, period) == ("T", 1) else 0.4
                for item, top in (("soon", "3"), ("kind", "yes")):
                    low = "1" if item == "soon" else "no"
                    chance = share if item == "soon" else 0.4
                    rows.append((organization, period, item, top if rng.random() < chance else low, 1.0, who))
    effects = surveys.describe(given(rows), study()).effects.set_index("measure")
    assert effects.loc["soon", "p"] < 0.01 and effects["p"].notna().all()
    assert (effects["p_holm"] >= effects["p"]).all() and (effects["p_holm"] >= effects["p_bh"]).all()
    assert_allclose(effects["p_holm"].min(), min(3 * effects["p"].min(), 1))


def test_an_input_without_the_table_has_no_result():
    found = surveys.describe(SurveyAnswers(), study())
    assert not found.given and found.effects.empty
    assert list(Surveys().effects.columns) == list(KINDS["effects"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"adjust": ["self_rated_health"]}, "no item has use"),
        ({"respondents": "clinicians"}, "sex is known of members only"),
        ({"composites": [{"id": "both", "label": "B", "items": ["soon", "days"]}]}, "days is no measured"),
        ({"composites": [{"id": "soon", "label": "B", "items": ["soon", "kind"]}]}, "names of their own"),
    ],
)
def test_an_instrument_that_contradicts_itself_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        study(**changes)
