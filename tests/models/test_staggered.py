"""A study in waves: effects by hand, the same sums as the estimators, intervals, and named warnings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from staggered_study import START, effect, hand_cells, pairs, spec, starts_of, true_effect

from medhome.models.inference.untreated_months import untreated_months
from medhome.models.panels.group_time import group_time_effects
from medhome.models.staggered.cautions import checks
from medhome.models.staggered.description import describe
from medhome.models.staggered.group_time_weights import averages, cell_weights
from medhome.models.staggered.periods import Staggered
from medhome.study.problems import ModelRefusal
from medhome.study.wave_results import Waves

# Without noise some variances are zero up to rounding, and negative by it.
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in sqrt:RuntimeWarning")


@pytest.fixture(scope="module")
def whole():
    return effect()


def described(cells, whole, **last) -> Waves:
    return describe(cells, pairs(), starts_of(cells, **last), spec(), whole)


@pytest.fixture(scope="module")
def found(whole) -> Waves:
    return described(hand_cells(), whole)


def average(found: Waves, kind: str) -> list[float]:
    return found.averages.loc[found.averages["kind"] == kind, "estimate"].tolist()


def test_every_group_time_effect_is_the_true_one(found):
    rows = found.effects
    assert found.period_months == 3 and found.waves["wave"].tolist() == [START, START + 6]
    want = [true_effect(w, m) for w, m in zip(rows["wave"], rows["first_month"], strict=True)]
    assert_allclose(rows["estimate"], want, atol=1e-9)
    assert rows["since_start"].tolist() == [*range(-4, 4), *range(-6, 2)]
    assert rows.loc[rows["reference"], "since_start"].tolist() == [-1, -1]
    assert set(rows["members"]) == {100, 200}


def test_the_four_averages_by_hand(found):
    """Waves of 100 and 200 members: −12, −18, −24, −30 and −4, −6."""
    assert_allclose(average(found, "overall:simple"), [(100 * -84 + 200 * -10) / 800], atol=1e-9)  # −13
    after = average(found, "dynamic")[-4:]
    assert_allclose(after, [(100 * -12 + 200 * -4) / 300, (100 * -18 + 200 * -6) / 300, -24, -30], atol=1e-9)
    assert_allclose(average(found, "overall:dynamic"), [np.mean(after)], atol=1e-9)
    assert_allclose(average(found, "group"), [-21, -5], atol=1e-9)
    assert_allclose(average(found, "overall:group"), [(100 * -21 + 200 * -5) / 300], atol=1e-9)
    calendar = [-12, -18, (100 * -24 + 200 * -4) / 300, (100 * -30 + 200 * -6) / 300]
    assert_allclose(average(found, "calendar"), calendar, atol=1e-9)
    assert_allclose(average(found, "overall:calendar"), [np.mean(calendar)], atol=1e-9)
    assert found.headline is not None and round(found.headline["estimate"], 9) == -13


def test_estimators_for_waves_agree_and_two_way_fixed_effects_do_not(found):
    rows = found.methods.set_index("method")
    ours = ["headline", "group-time", "group-time-never", "sun-abraham", "imputation", "two-stage", "etwfe"]
    assert_allclose(rows.loc[ours, "estimate"], -13, atol=1e-8)
    assert abs(rows.loc["twfe", "estimate"] - -13) > 1
    total = (found.comparisons["estimate"] * found.comparisons["weight"]).sum()
    assert_allclose([total, found.two_way], rows.loc["twfe", "estimate"], atol=1e-9)
    late = found.comparisons[found.comparisons["kind"] == "later vs earlier treated"]
    assert_allclose(found.already, late["weight"].sum())
    # The second wave's start against the first, whose effect grows from −12, −18 to −24, −30: 12 too much.
    assert late[["treated", "compared_with"]].to_numpy().tolist() == [[START + 6, START]]
    assert_allclose(late["estimate"], [-5 + 12], atol=1e-9)


def test_the_study_itself_counts_months_before_the_own_start(found, whole):
    """Of 100 + 200 members in 12 months, the 200 wait 6 months."""
    assert_allclose(found.before_share, 200 * 6 / (300 * 12))
    row = found.methods.set_index("method").loc["study"]
    assert_allclose([row["estimate"], row["se"]], [whole.headline.value, whole.headline.se])
    lead, *others = checks(found, spec())
    assert lead.id == "waves" and "start in 2 different months" in lead.sentence and "33.3%" in lead.sentence
    assert [c.sentence for c in others] == list(found.warnings)


def test_bands_hold_the_intervals_and_are_wider_with_more_effects(found):
    rows = found.averages[(found.averages["kind"] == "dynamic") & ~found.averages["reference"]]
    assert (rows["band_lo"] < rows["lo95"]).all() and (rows["band_hi"] > rows["hi95"]).all()
    width = (rows["band_hi"] - rows["band_lo"]) / (rows["hi95"] - rows["lo95"])
    assert_allclose(width, width.iloc[0], rtol=1e-9)
    cells = found.effects[~found.effects["reference"]]
    wider = (cells["band_hi"] - cells["band_lo"]) / (cells["hi95"] - cells["lo95"])
    assert wider.iloc[0] > width.iloc[0]
    assert found.outside_band == 0


def test_weights_are_those_of_the_estimators_or_refused():
    arranged = Staggered.of(hand_cells(split=2), "allowed_capped", spec())
    cells = group_time_effects(arranged.data, control="not-yet")
    weights = cell_weights(arranged.data, cells, "not-yet")
    assert_allclose(weights.sum(2), 0, atol=1e-12)
    own = weights[~cells.reference]
    assert_allclose(np.where(own > 0, own, 0).sum((1, 2)), 2)
    with pytest.raises(ValueError, match="not the estimates"):
        cell_weights(arranged.data, replace(cells, estimate=cells.estimate + 1), "not-yet")
    mixed = averages(cells)
    assert_allclose(mixed.weights.sum(1), 1)
    for name, seen in zip(arranged.panel.organizations, arranged.untreated(), strict=True):
        start = {"O1": START, "O2": START + 6}.get(name.split("\x1f")[0], START + 99)
        assert seen.tolist() == [month < start for month in arranged.panel.months]
    months = arranged.by_month(weights)
    assert_allclose((months * arranged.panel.y).sum((1, 2)), cells.estimate, atol=1e-9)


def test_the_interval_is_that_of_shocks_and_members_together():
    """Two organisations, two months: variance = organisations' shocks + members, at every grid point."""
    y = np.array([[300.0, 310.0, 300.0, 290.0], [280.0, 300.0, 290.0, 310.0], [305.0, 300.0, 310.0, 320.0]])
    members = np.full((3, 4), 400.0)
    cov = 1e6 * (0.3 * 0.8 ** abs(np.subtract.outer(range(4), range(4))) + 0.7 * np.eye(4))
    untreated = np.array([[True, True, True, False], [True] * 4, [True] * 4])
    w = np.array([[[0, 0, -1, 1], [0, 0, 0.5, -0.5], [0, 0, 0.5, -0.5]]], dtype=float)
    sampling = np.einsum("kjt,ts,ljs->kl", w, cov, w) / 400
    one, two = (
        untreated_months(y + add, members, untreated, cov, 300.0, months=np.arange(4), weights=w,
                         estimates=(w * (y + add)).sum((1, 2)), sampling_covariance=sampling)
        for add in (0.0, np.where(untreated, 0.0, -500.0))
    )  # fmt: skip
    # What the program does to its own months teaches nothing about organisations' shocks.
    assert_allclose(two.effects[0].sd, one.effects[0].sd, rtol=1e-12)
    assert_allclose(two.effects[0].estimate, one.effects[0].estimate - 500)
    assert_allclose(one.effects[0].sd ** 2, one.covariance[0, 0], rtol=1e-9)
    assert one.covariance[0, 0] > sampling[0, 0]
    with pytest.raises(ModelRefusal, match="fewer than 2 organisations"):
        untreated_months(y, members, untreated & False, cov, 300.0, months=np.arange(4), weights=w,
                         estimates=np.zeros(1), sampling_covariance=sampling)  # fmt: skip


def test_one_start_has_no_waves(whole):
    cells = hand_cells({"O1": START, "O2": START})
    plain = cells.by("organization_id", "practice_id", "arm", "stratum", "month")
    found = describe(plain, pairs(), starts_of(cells), spec(), whole)
    assert found.waves.empty and found.reason.startswith(
        "Every practice of the program starts in January 2008"
    )
    assert checks(found, spec()) == ()


@pytest.mark.parametrize(
    ("waves", "last", "sentence"),
    [
        ({"O1": START, "O2": START + 6}, {}, "The wave of January 2008 is one practice"),
        ({"O1": START - 9, "O2": START}, {}, "The wave of April 2007 started inside the baseline"),
        ({"O1": START - 9, "O2": START}, {}, "The wave of April 2007 has one period before its start"),
        (
            {"O1": START - 24, "O2": START},
            {},
            "The wave of January 2006 started in the first month analysed or",
        ),
        (
            {"O1": START, "O2": START + 6},
            {"O2": START + 8},
            "Practices left the program before December 2008",
        ),
        ({"O1": START, "O2": START + 4}, {}, "The starts do not lie whole quarters apart"),
        ({"O1": START, "O2": START + 3}, {}, "has 60.0% of the member-months under the program"),
    ],
)
def test_what_a_reader_must_know_is_a_named_warning(whole, waves, last, sentence):
    found = described(hand_cells(waves), whole, **last)
    assert any(sentence in warning for warning in found.warnings), found.warnings
    assert not found.effects.empty


def test_starts_that_are_not_whole_quarters_apart_are_told_by_month(whole):
    found = described(hand_cells({"O1": START, "O2": START + 4}), whole)
    rows = found.effects
    assert found.period_months == 1
    want = [true_effect(w, m) for w, m in zip(rows["wave"], rows["first_month"], strict=True)]
    assert_allclose(rows["estimate"], want, atol=1e-9)


def test_months_of_the_washout_are_left_out_for_every_wave(whole):
    cells = hand_cells()
    found = describe(cells, pairs(), starts_of(cells), spec(washout=3), whole)
    rows = found.effects
    assert START not in set(rows["first_month"]) and START + 6 in set(rows["first_month"])
    want = [true_effect(w, m) for w, m in zip(rows["wave"], rows["first_month"], strict=True)]
    assert_allclose(rows["estimate"], want, atol=1e-9)
    assert any("leaves out 3 months from the first start on" in w for w in found.warnings)


def test_practices_under_the_program_throughout_are_left_out_on_both_sides(whole):
    found = described(hand_cells({"O1": START - 24, "O2": START, "O3": START + 6}), whole)
    assert found.waves["estimated"].tolist() == [False, True, True]
    assert set(found.effects["wave"]) == {START, START + 6}
    assert_allclose(average(found, "group"), [-21, -5], atol=1e-9)


def test_where_every_practice_started_before_the_baseline_the_page_says_why(whole):
    found = described(hand_cells({"O1": START - 24, "O2": START - 30}), whole)
    assert found.effects.empty and "starts before the first month analysed" in found.reason
    assert len(found.waves) == 2 and not found.waves["estimated"].any()


def test_times_before_the_own_start_are_tested_jointly(whole):
    """Without noise nothing is apart before the start; then the waves drift by $3 a month, $9 a quarter.

    The first wave (100 members) is compared with the second (200), which drifts too, and with 250 who never
    start: 9 x 250/450 = 5 a quarter; the second with those 250 alone: 9. Two to four quarters before the
    start both waves count, (100 x 5 + 200 x 9)/300; five and six before it the second alone.
    """
    flat = described(hand_cells(), whole)
    assert flat.pre_trend_tests["test"].tolist() == ["shocks"]
    assert flat.pre_trend_tests["periods"].tolist() == [5]
    assert_allclose(flat.slope["estimate"], 0, atol=1e-8)
    assert_allclose(flat.pre_trend_tests["statistic"], 0, atol=1e-8)
    cells = hand_cells()
    frame = cells.frame.copy()
    mine = (frame["wave"] > 0).to_numpy()
    months = frame["month"].to_numpy(dtype=int) - int(frame["month"].min())
    frame["w*allowed_capped"] += np.where(mine, frame["w"].to_numpy(dtype=int) * 300 * months, 0)
    drifting = described(replace(cells, frame=frame), whole)
    slope = ((25 + 16) * 9 + (9 + 4 + 1) * (100 * 5 + 200 * 9) / 300) / (25 + 16 + 9 + 4 + 1) * 4
    assert_allclose(drifting.slope["estimate"], slope, atol=1e-7)
    assert drifting.slope["lo95"] < slope < drifting.slope["hi95"] and drifting.slope["detectable"] > 0
    assert (drifting.pre_trend_tests["statistic"] > flat.pre_trend_tests["statistic"]).all()
