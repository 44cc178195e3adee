"""Program payments by hand: tiers, dates, both arms, measures, settlements of a study; gaps are named."""

from dataclasses import replace

import pandas as pd
import pytest
from member_world import START, study, world
from numpy.testing import assert_allclose
from test_savings import by_hand, short

from medhome.models import credibility, payment, savings
from medhome.models.inference.member_covariance import member_covariance
from medhome.models.settlement import medicare_minimum_savings_rate
from medhome.study.fee_schedules import schedule_gaps
from medhome.study.measure_choices import Measures
from medhome.study.measure_results import CollapsedMeasures, MeasureCells
from medhome.study.payment_choices import Fee, PayForPerformance, Payment
from medhome.study.problems import ModelRefusal, StudyFileError
from medhome.tables.measures.definitions import named_by_payment

FEE = {"name": "Care management", "pmpm_usd": 1.5, "first": "2008-06"}


def with_payment(**sections):
    spec = short(fees=sections.pop("fees", []))
    return spec.model_copy(update={"payment": Payment.model_validate(sections)})


def usd(spec, cells=None):
    found = payment.program_payments(by_hand(-5, 0.8)[0] if cells is None else cells, spec)
    return dict(zip(found.result.payments["name"], found.result.payments["usd"], strict=True)), found


def test_a_fee_is_paid_on_the_months_of_its_tier():
    # Ten treated members in the one month after the start.
    spec = short(
        fees=[
            {**FEE, "name": "All"},
            {**FEE, "name": "Children", "strata": ["children"]},
            {**FEE, "name": "Adults", "strata": ["adults"], "pmpm_usd": 2.0},
            {**FEE, "name": "Risk tier", "member_share": 0.2, "pmpm_usd": 20.0},
            {**FEE, "name": "One practice", "practices": ["A"], "pmpm_usd": 3.0},
            {**FEE, "name": "Not theirs", "practices": ["B"], "pmpm_usd": 3.0},
            {**FEE, "name": "Over", "first": "2008-01", "last": "2008-05"},
        ]
    )
    found, _ = usd(spec)
    assert found == {
        "All": 15.0, "Children": 0.0, "Adults": 20.0, "Risk tier": 40.0, "One practice": 30.0,
        "Not theirs": 0.0,
    }  # fmt: skip


def test_a_fee_changes_by_date_and_the_members_of_each_month_count():
    spec = study(
        fees=[{**FEE, "last": "2008-11"}, {**FEE, "pmpm_usd": 3.0, "first": "2008-12"}], covariates=()
    )
    cells = world(effect_cents=-1500, spec=spec, turnover=0.05).cells()
    frame = cells.frame.assign(n=cells.member_months)
    members = frame[frame["arm"] == "treated"].groupby("month")["n"].sum()
    after = members[members.index.isin(list(spec.periods.performance))]
    rate = [1.5 if m < START + 6 else 3.0 for m in after.index]
    found = payment.program_payments(cells, spec)
    assert_allclose(found.pmpm(), (after * rate).sum() / after.sum(), rtol=1e-12)
    assert_allclose(found.pmpm([START + 5]), 1.5, rtol=1e-12)


def test_incremental_payments_are_the_programs_less_the_comparison_arms():
    spec = short(fees=[FEE, {**FEE, "name": "Theirs", "arm": "comparison", "pmpm_usd": 0.4}])
    found, both = usd(spec)
    # 20 comparison members are paid $8, which is $0.40 PMPM: $4 on the ten treated member-months.
    assert found == {"Care management": 15.0, "Theirs": pytest.approx(-4.0)}
    assert_allclose(both.pmpm(), 1.1)


MEASURES = [
    {"id": "a", "label": "Screened", "value": 0.75, "threshold": 0.70, "target": 0.80, "weight": 2.0},
    {"id": "b", "label": "Visits", "kind": "appropriate_care", "value": 210, "threshold": 220, "target": 180,
     "lower_is_better": True},
    {"id": "c", "label": "Controlled", "value": 0.5, "threshold": 0.5},
]  # fmt: skip


def scored(measures=MEASURES, **more):
    return payment.score(
        PayForPerformance.model_validate(
            {"first": "2008-06", "pool_pmpm_usd": 2.0, "measures": measures, **more}
        )
    )


def test_measures_earn_in_proportion_between_threshold_and_target():
    found = scored()
    assert_allclose(found.measures["attained_share"], [0.5, 0.25, 1.0])
    assert_allclose(found.score, (2 * 0.5 + 0.25 + 1) / 4)
    assert found.earned_share == found.score and found.gates_met
    beyond = scored([{**MEASURES[0], "value": 0.95}, {**MEASURES[1], "value": 100}])
    assert list(beyond.measures["attained_share"]) == [1.0, 1.0]
    below = scored([{**MEASURES[0], "value": 0.69}, {**MEASURES[1], "value": 221}])
    assert list(below.measures["met"]) == [False, False] and below.earned_share == 0


def measured(rate=0.9, members=400, having=360) -> CollapsedMeasures:
    """One measure; its comparison arm and baseline have another rate; one that claims do not tell."""
    rates = pd.DataFrame([
        {"arm": arm, "period": period, "members": members, "members_with": having,
         "rate": rate if (arm, period) == ("treated", "performance") else 0.1}
        for arm in ("treated", "comparison") for period in ("baseline", "performance")
    ])  # fmt: skip
    one = MeasureCells(
        measure="diabetes_a1c", family="chronic", label="A1c", unit="share", direction="higher",
        cells=by_hand(-5, 0.8)[0], organizations=pd.DataFrame(), rates=rates,
    )  # fmt: skip
    unknown = pd.DataFrame([{"measure": "influenza", "family": "preventive", "label": "", "why": "no codes"}])
    closed = replace(one, gap=True, rates=rates.assign(rate=0.2))
    return CollapsedMeasures(measures=(closed, one), unknown=unknown)


def pool(**measure) -> list[dict]:
    asked = {"id": "a1c", "label": "A1c tested", "threshold": 0.8, "target": 1.0} | measure
    return [{"first": "2008-06", "pool_pmpm_usd": 2.0, "measures": [asked]}]


def test_a_measure_of_the_evaluation_gives_its_rate_in_the_program_after_the_start():
    """0.9 lies half way from 0.8 to 1.0: half of $2.00."""
    cells, spec = by_hand(-5, 0.8)[0], with_payment(performance=pool(measure="diabetes_a1c"))
    found = payment.program_payments(cells, spec, measured())
    assert_allclose(found.pmpm(), 1.00, rtol=1e-12)
    row = found.result.measures.iloc[0]
    assert (row["measure"], row["value"]) == ("diabetes_a1c", 0.9)
    own = payment.program_payments(cells, with_payment(performance=pool(value=0.95)), measured())
    assert own.result.measures[["measure", "value"]].iloc[0].tolist() == ["", 0.95]


@pytest.mark.parametrize(
    ("name", "found", "says"),
    [
        ("influenza", measured(), r"a1c takes its value from influenza, which is not known \(no codes\)"),
        ("colorectal", measured(), r"which is not known \(it was not evaluated\)"),
        ("diabetes_a1c", measured(rate=float("nan")), "has no rate after the start"),
        ("diabetes_a1c", measured(members=8, having=0), "fewer than 11 people"),
        ("diabetes_a1c", measured(having=3), "fewer than 11 people"),
        ("diabetes_a1c", measured(having=398), "fewer than 11 people"),
    ],
)
def test_a_measured_value_that_there_is_not_or_that_gives_people_away_is_refused(name, found, says):
    spec = with_payment(performance=pool(measure=name))
    with pytest.raises(ModelRefusal, match=says):
        payment.program_payments(by_hand(-5, 0.8)[0], spec, found)


@pytest.mark.parametrize(
    ("asked", "measure", "says"),
    [
        ({"enabled": True}, "diabetes_a1d", "no measure 'diabetes_a1d'; did you mean 'diabetes_a1c'"),
        ({"enabled": False}, "diabetes_a1c", "does not evaluate; set measures.enabled, with 'chronic'"),
        ({"enabled": True, "families": ["utilisation"]}, "diabetes_a1c", "does not evaluate"),
        ({"enabled": True, "leave_out": ["diabetes_a1c"]}, "diabetes_a1c", "not left out"),
    ],
)
def test_a_measure_that_the_study_does_not_evaluate_is_a_fault_of_the_study_file(asked, measure, says):
    spec = with_payment(performance=pool(measure=measure))
    with pytest.raises(StudyFileError, match=says):
        named_by_payment(spec.model_copy(update={"measures": Measures(**asked)}))
    named_by_payment(with_payment(performance=pool(value=0.9)))
    chronic = Measures(enabled=True, families=["chronic"])
    asks = with_payment(performance=pool(measure="diabetes_a1c"))
    named_by_payment(asks.model_copy(update={"measures": chronic}))


@pytest.mark.parametrize("both", [{}, {"value": 0.9, "measure": "diabetes_a1c"}])
def test_a_value_is_given_or_measured(both):
    with pytest.raises(ValueError, match="either value, or measure"):
        PayForPerformance(**pool(**both)[0])


def test_a_shut_gate_or_a_low_score_earns_nothing():
    shut = scored(
        [*MEASURES, {"id": "g", "label": "Gate", "value": 1, "threshold": 2, "gate": True, "weight": 0.0}]
    )
    assert (shut.gates_met, shut.earned_share) == (False, 0.0) and shut.score > 0
    assert scored(minimum_score=0.57).earned_share == 0 < scored(minimum_score=0.56).earned_share


def test_a_pool_is_per_member_and_month_or_in_dollars_for_its_months():
    pool = {"first": "2008-06", "measures": MEASURES[2:]}
    assert usd(with_payment(performance=[{**pool, "pool_pmpm_usd": 2.0}]))[0]["Pay for performance"] == 20
    # A pool for a year, of which the one month analysed is a twelfth.
    year = {**pool, "pool_usd": 1200.0, "last": "2009-05"}
    assert_allclose(usd(with_payment(performance=[year]))[0]["Pay for performance"], 100.0)


def test_a_year_is_settled_on_the_studys_own_expected_cost():
    # Ten members at $295 against an expected $300: $50 saved, half of it earned, $2.50 PMPM off the net.
    spec = with_payment(shared_savings={"share_rate": 0.5})
    cells, pairs = by_hand(-5, 0.8)
    paid = payment.program_payments(cells, spec)
    row = paid.result.settlement.iloc[0]
    assert_allclose([row["benchmark_usd"], row["actual_usd"], row["earned_usd"]], [3000, 2950, 25], rtol=1e-9)
    assert (row["year"], row["members"], row["why"]) == (1, 10, "shared")
    assert_allclose(row["difference_usd"], 50, rtol=1e-9)
    rows = savings.from_effect(_did(-5.0), cells, pairs, spec, payments=paid).rows
    assert_allclose(rows["fees_pmpm"].value, 2.5, rtol=1e-9)
    assert_allclose(rows["net_pmpm"].value, 4.0 - 2.5, rtol=1e-7)


def test_a_year_is_settled_on_the_contracts_benchmark_in_paid_dollars():
    spec = with_payment(shared_savings={"amount": "paid", "benchmark_pmpm_usd": [250.0], "quality": "scaled"},
                        performance=[{"first": "2008-06", "pool_pmpm_usd": 0.0,
                                      "measures": MEASURES[:1]}])  # fmt: skip
    row = payment.program_payments(by_hand(-5, 0.8)[0], spec).result.settlement.iloc[0]
    # 80% of $295 is paid: $236 against $250; half of the quality score is half of the share.
    assert_allclose([row["actual_pmpm"], row["savings_rate"]], [236, 14 / 250], rtol=1e-12)
    assert_allclose([row["quality_score"], row["share_rate"], row["earned_usd"]], [0.5, 0.25, 0.25 * 140])


@pytest.mark.parametrize(
    ("contract", "says"),
    [
        ({"minimum_savings_rate": "medicare"}, "begins at 5,000 persons, and there are 10"),
        ({"quality": "scaled"}, "needs a quality_score"),
    ],
)
def test_a_year_that_cannot_be_settled_says_why_and_is_warned_of(contract, says):
    spec = with_payment(shared_savings=contract)
    found = payment.program_payments(by_hand(-5, 0.8)[0], spec)
    assert says in found.result.settlement["why"].iloc[0] and found.pmpm() == 0
    (check,) = payment.payment_checks(spec, found.result)
    assert check.passed is False and check.front_page and says in check.sentence


def test_a_year_without_a_benchmark_is_not_settled():
    spec = study(covariates=())
    contract = Payment.model_validate({"shared_savings": {"benchmark_pmpm_usd": [500.0]}})
    spec = spec.model_copy(update={"payment": contract})
    found = payment.program_payments(world(effect_cents=-1500, spec=spec).cells(), spec).result.settlement
    assert found["earned_usd"].notna().tolist() == [True, *[False] * (len(found) - 1)]
    assert "has no benchmark for it" in found["why"].iloc[1]


def test_a_schedule_with_a_gap_is_named_and_counts_nothing():
    fees = [{**FEE, "last": "2008-08"}, {**FEE, "first": "2008-11"}, {**FEE, "name": "Whole"}]
    spec = study(fees=fees)
    assert schedule_gaps(spec.fees) == [("Care management", "2008-09", "2008-10")]
    (check,) = payment.payment_checks(spec, payment.Payment())
    assert 'The fee schedule "Care management" has a gap: no rate from 2008-09 to 2008-10' in check.sentence
    assert check.passed is False and check.front_page
    tiers = [Fee(**FEE, last="2008-08"), Fee(**FEE | {"first": "2009-01"}, strata=("adults",))]
    assert schedule_gaps(tiers) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"fees": [FEE, {**FEE, "first": "2009-01"}]}, '"Care management" has two rates in 2009-01'),
        ({"fees": [{**FEE, "last": "2008-05"}]}, "last 2008-05 lies before first 2008-06"),
        ({"payment": {"performance": [{"first": "2008-06", "measures": MEASURES}]}}, "either pool_pmpm"),
        ({"payment": {"performance": [{"first": "2008-06", "pool_usd": 1.0,
                                       "measures": [MEASURES[0], MEASURES[0]]}]}}, "have the same id"),
        ({"payment": {"performance": [{"first": "2008-06", "pool_usd": 1.0, "measures": [
            {**MEASURES[0], "target": 0.6}]}]}}, "target 0.6 must lie above threshold 0.7"),
        ({"payment": {"shared_savings": {"benchmark_pmpm_usd": [0.0]}}}, "benchmark must be above zero"),
    ],
)  # fmt: skip
def test_a_payment_section_that_does_not_fit_is_refused(changes, says):
    spec = study()
    with pytest.raises(ValueError, match=says):
        type(spec).model_validate(spec.model_dump() | changes)


def _did(effect):
    from test_expected import did

    return did(effect, (effect - 4, effect + 4), (effect - 5, effect + 5))


def test_an_employers_savings_by_hand():
    cells, pairs = by_hand(-5, 0.8, excess_usd=7.0)
    employer = {"stop_loss": True, "payment_share": 0.5, "administration_pmpm_usd": 0.25}
    spec = with_payment(fees=[FEE], employer=employer)
    rows = savings.from_effect(_did(-5.0), cells, pairs, spec).rows
    # $4 saved below the cap, half of the $1.50 fee and $0.25 borne; the $7 above the cap are the insurer's.
    assert_allclose(rows["employer_net_pmpm"].value, 4.0 - 0.75 - 0.25, rtol=1e-9)
    assert_allclose(rows["employer_net_total_usd"].value, 30, rtol=1e-9)
    assert_allclose(rows["employer_roi_ratio"].value, 3.0, rtol=1e-9)
    assert rows["employer_net_pmpm"].ci95 is not None
    whole = savings.from_effect(_did(-5.0), cells, pairs, with_payment(fees=[FEE], employer={})).rows
    assert_allclose(whole["employer_net_pmpm"].value, whole["net_pmpm"].value, rtol=1e-9)
    none = savings.from_effect(_did(-5.0), cells, pairs, with_payment(employer={})).rows
    assert none["employer_roi_ratio"].value is None


def test_credibility_by_the_printed_numbers():
    assert round(credibility.full_credibility_member_years(1.0)) == 1082
    assert round(credibility.full_credibility_member_years(2.5)) == 6765
    assert credibility.credibility(1e6, 2.5) == 1.0
    # Independent months of sd 100 at a mean of 50: a year's mean has sd 100/sqrt(12).
    assert_allclose(credibility.yearly_cv({0: 1e4, 1: 0.0}, 50.0), 2 / 12**0.5)


def test_what_comes_before_savings_by_hand():
    cells, pairs = by_hand(-5, 0.8)
    spec = with_payment(shared_savings={"minimum_savings_rate": 0.02})
    rows = credibility.before_savings(_did(-5.0), cells, pairs["allowed_capped"], spec)
    assert_allclose(rows["minimum_savings_pmpm"].value, 0.02 * 300, rtol=1e-12)
    cv = credibility.yearly_cv(member_covariance(pairs["allowed_capped"], [START - 1, START]).by_lag, 300.0)
    n_full = credibility.full_credibility_member_years(cv)
    z = ((10 / 12) / n_full) ** 0.5
    assert_allclose(rows["credibility_share"].value, z, rtol=1e-12)
    assert_allclose(rows["credible_baseline_pmpm"].value, 300.0)
    table = with_payment()
    few = credibility.before_savings(_did(-5.0), cells, pairs["allowed_capped"], table)
    with pytest.raises(ModelRefusal) as refused:
        medicare_minimum_savings_rate(10.0)
    assert few["minimum_savings_share"].value is None
    said = few["minimum_savings_share"]
    assert (said.why, said.method) == (f"{refused.value}.", "")
    own = with_payment(shared_savings={"minimum_savings_rate": "medicare", "minimum_savings_rate_few": 0.06})
    rows = credibility.before_savings(_did(-5.0), cells, pairs["allowed_capped"], own)
    rate = rows["minimum_savings_share"]
    assert rate.value == 0.06 and rate.why == "" and "of the contract" in rate.method


def test_medicares_rate_needs_its_persons():
    with pytest.raises(ModelRefusal):
        payment.settle(
            with_payment(shared_savings={"minimum_savings_rate": "medicare"}).payment.shared_savings,
            benchmark_usd=1.0, actual_usd=0.5, persons=10.0,
        )  # fmt: skip
    assert isinstance(payment.Payment().settlement, pd.DataFrame)
