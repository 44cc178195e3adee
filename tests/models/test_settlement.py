"""Settlements by hand: minimum rate, share, quality, cap, corridor, losses; and published ones."""

import json

import pandas as pd
import pytest
from numpy.testing import assert_allclose

import medhome
from medhome.cli import app
from medhome.models.settlement import medicare_minimum_savings_rate, settle
from medhome.study.payment_choices import SharedSavings
from medhome.study.problems import DataProblem, ModelRefusal, StudyFileError
from medhome.validation import run


def settled(actual, benchmark=1_000_000.0, persons=None, score=None, met=None, relief=0.0, **terms):
    return settle(
        SharedSavings(**terms),
        benchmark_usd=benchmark,
        actual_usd=actual,
        persons=persons,
        quality_score=score,
        quality_met=met,
        loss_relief_usd=relief,
    )


TWO = {"sides": "two", "share_rate": 0.6}


@pytest.mark.parametrize(
    ("persons", "rate"),
    # 42 CFR 425.604(b), and half-way between two of its numbers.
    [(5_000, 0.039), (5_500, 0.0375), (10_000, 0.03), (35_000, 0.0235), (55_000, 0.021), (1e6, 0.02)],
)
def test_medicares_minimum_savings_rate_is_interpolated(persons, rate):
    assert_allclose(medicare_minimum_savings_rate(persons), rate, rtol=1e-12)


def test_below_its_table_the_contract_must_say():
    with pytest.raises(ModelRefusal, match="begins at 5,000 persons, and there are 4,999"):
        settled(950_000, persons=4_999, minimum_savings_rate="medicare")
    found = settled(950_000, persons=4_999, minimum_savings_rate="medicare", minimum_savings_rate_few=0.06)
    assert (found.minimum_rate, found.earned_usd) == (0.06, 0.0)
    with pytest.raises(ModelRefusal, match="give persons"):
        settled(950_000, minimum_savings_rate="medicare")


def test_savings_count_from_the_first_dollar_once_the_rate_is_reached():
    below = settled(970_001, minimum_savings_rate=0.03)
    assert (below.generated_usd, below.earned_usd, below.why) == (0.0, 0.0, "below the minimum rate")
    at = settled(970_000, minimum_savings_rate=0.03)
    assert (at.generated_usd, at.earned_usd, at.reached) == (30_000, 15_000, True)


def test_a_corridor_shares_only_what_lies_beyond():
    assert_allclose(settled(950_000, corridor_rate=0.02).earned_usd, 0.5 * 30_000)
    assert settled(985_000, corridor_rate=0.02).earned_usd == 0
    assert_allclose(settled(1_050_000, corridor_rate=0.02, **TWO, loss_rate=0.5).earned_usd, -0.5 * 30_000)


def test_sequestration_comes_before_the_cap():
    # 0.98 * 0.5 * 210,000 = 102,900, above a cap of 10%; 0.98 * min would be 98,000.
    found = settled(790_000, cap_rate=0.10, sequestration_rate=0.02)
    assert_allclose(found.shared_usd, 102_900)
    assert (found.earned_usd, found.cap_bound, found.why) == (100_000, True, "shared, up to the cap")
    assert_allclose(settled(900_000, cap_rate=0.10, sequestration_rate=0.02).earned_usd, 49_000)


def test_quality_is_a_gate_or_scales_the_share():
    gate = {"quality": "gate", "minimum_quality_score": 0.7}
    assert settled(900_000, score=0.7, **gate).earned_usd == 50_000
    shut = settled(900_000, score=0.69, **gate)
    assert (shut.earned_usd, shut.generated_usd, shut.why) == (0, 100_000, "quality gate not met")
    assert_allclose(settled(900_000, score=0.8, quality="scaled").earned_usd, 40_000)
    assert settled(900_000, met=False, quality="gate").earned_usd == 0
    with pytest.raises(ModelRefusal, match="needs a quality_score"):
        settled(900_000, quality="scaled")
    with pytest.raises(ModelRefusal, match="not from 0 to 1"):
        settled(900_000, score=85, quality="scaled")


def test_losses_are_owed_only_where_the_contract_has_two_sides():
    one = settled(1_100_000)
    assert (one.earned_usd, one.generated_usd, one.why) == (0, -100_000, "losses are not shared")
    assert_allclose(settled(1_100_000, **TWO).earned_usd, -0.4 * 100_000)
    assert_allclose(settled(1_100_000, **TWO, loss_rate=0.3, loss_cap_rate=0.02).earned_usd, -20_000)
    assert_allclose(settled(1_100_000, **TWO, loss_rate=0.3, relief=-2_000).earned_usd, -28_000)
    # Without quality nothing is kept, so all of the loss would be owed, but for its upper end.
    lost = settled(1_100_000, met=False, quality="gate", **TWO, loss_rate_least=0.4, loss_rate_most=0.75)
    assert_allclose(lost.earned_usd, -75_000)
    far = settled(1_010_000, **TWO, minimum_savings_rate=0.02)
    assert (far.earned_usd, far.why) == (0, "below the minimum rate")
    assert settled(1_010_000, **TWO, minimum_savings_rate=0.02, minimum_loss_rate=0.01).earned_usd < 0


def test_cost_as_expected_is_neither():
    found = settled(1_000_000)
    assert (found.earned_usd, found.reached, found.why) == (0, False, "cost was as expected")


@pytest.mark.parametrize("benchmark", [0.0, -5.0, float("nan"), float("inf")])
def test_a_benchmark_that_is_none_is_refused(benchmark):
    with pytest.raises(ModelRefusal, match="benchmark above zero"):
        settled(900_000, benchmark=benchmark)


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"share_rate": 1.5}, "share_rate"),
        ({"minimum_savings_rate": "table"}, 'must be a share from 0 to 1, or "medicare"'),
        ({"loss_rate": 0.4}, 'loss_rate counts only where sides is "two"'),
        ({**TWO, "loss_rate_least": 0.8, "loss_rate_most": 0.4}, "below loss_rate_least"),
    ],
)
def test_terms_that_do_not_fit(terms, says):
    with pytest.raises(ValueError, match=says):
        SharedSavings(**terms)


def test_the_commercial_example_pays_281250_and_with_a_threshold_of_1_percent_nothing(tmp_path, runner):
    assert list(medhome.settle("commercial-example").frame["earned_usd"]) == [281_250.0, 0.0]
    assert run(tmp_path, only=["commercial_settlement"]).counts()["within"] == 2
    done = runner(["settle", "commercial-example"])
    assert "$281,250" in done and "below the minimum rate" in done


@pytest.mark.shared_data
def test_the_public_file_of_2018_comes_out_as_published(shared_data):
    found = run(shared_data, only=["mssp_2018"])
    assert found.agrees, found.to_text()
    ours = found.frame.set_index("quantity")["ours"]
    assert len(ours) == 13
    assert ours["generated within $1 of the published"] == 548
    assert ours["Track 1 settlements within 0.03% or $1"] == 453


@pytest.mark.shared_data
def test_the_command_settles_the_public_file(shared_data, tmp_path, runner):
    table = str(shared_data / "mssp_puf_2018" / "aco_2018.csv.gz")
    plain = json.loads(runner(["settle", "mssp-2018", table, "--csv", str(tmp_path / "all.csv"), "--json"]))
    assert plain["totals"]["contracts"] == len(pd.read_csv(tmp_path / "all.csv")) == 548
    assert (plain["totals"]["paid"], plain["totals"]["owing"]) == (205, 11)
    first = plain["settlements"][0]
    assert (first["id"], first["contract"], first["why"]) == ("A1001", "Track 1", "shared")


@pytest.fixture
def runner():
    from typer.testing import CliRunner

    def called(arguments):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output
        return done.stdout

    return called


def _terms(tmp_path, text):
    path = tmp_path / "terms.toml"
    path.write_text(text, encoding="utf-8")
    return path


TABLE = '[columns]\nid = "who"\nbenchmark_usd = "b"\nactual_usd = "a"\n[[contracts]]\nname = "All"\n'


@pytest.mark.parametrize(
    ("text", "frame", "problem", "says"),
    [
        (TABLE, {"who": ["X"], "b": [100]}, DataProblem, "the table lacks a, which the terms name"),
        (TABLE, {"who": ["X"], "b": [100], "a": ["ten"]}, DataProblem,
         "line 2, column a: 'ten' is not a number"),
        (TABLE, {"who": ["X"], "b": [None], "a": [90]}, DataProblem, "X: no benchmark_usd"),
        (TABLE, {"who": ["X"], "b": [0], "a": [90]}, ModelRefusal, "X: settlement: benchmark 0.00"),
        (TABLE, None, StudyFileError, r"the terms hold no \[amounts\]"),
        (TABLE + "where = {b = 5}\n", {"who": ["X"], "b": [1], "a": [9]}, DataProblem, "line 2: no contract"),
        (TABLE + "shares = 0.5\n", None, StudyFileError, "contracts.0.shares"),
        ('[columns]\nbench = "b"\n[[contracts]]\nname = "A"\n', None, StudyFileError,
         "columns.bench: unknown"),
        ("[[contracts]\n", None, StudyFileError, "cannot be read as TOML"),
        (TABLE.replace('id = "who"', 'share_rate = "s"'), {"s": [50], "b": [9], "a": [9]}, DataProblem,
         "line 2: share_rate 50 is not a share from 0 to 1"),
    ],
)  # fmt: skip
def test_terms_and_tables_that_do_not_fit_are_named(tmp_path, text, frame, problem, says):
    with pytest.raises(problem, match=says):
        medhome.settle(_terms(tmp_path, text), None if frame is None else pd.DataFrame(frame))


def test_a_terms_file_that_is_not_there_names_those_of_the_package():
    with pytest.raises(StudyFileError, match="commercial-example, mssp-2018"):
        medhome.settle("mssp-2019")


def test_the_terms_of_a_row_are_the_first_that_are_meant_for_it(tmp_path):
    text = TABLE.replace('"All"', '"Two"') + (
        'where = {track = "two"}\nsides = "two"\nloss_rate = 0.25\n'
        '[[contracts]]\nname = "One"\nshare_rate = 0.4\n'
        'columns = {minimum_savings_rate = "least"}\n'
    )
    frame = pd.DataFrame(
        {"who": list("XYZ"), "track": ["two", "one", "one"], "least": [0.5, 0.02, 0.2], "b": 100.0}
    ).assign(a=[110.0, 90, 90])
    found = medhome.settle(_terms(tmp_path, text), frame)
    assert list(found.frame["contract"]) == ["Two", "One", "One"]
    assert_allclose(found.frame["earned_usd"], [-2.5, 4.0, 0.0])
    assert found.totals["paid"] == found.totals["owing"] == 1
    assert "Z (One)" in found.to_text() and "and 2 more" in found.to_text(longest=1)
