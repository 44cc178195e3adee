"""The whole chain on the page: both kinds of interval, chance, and a probability only with a prior."""

from __future__ import annotations

from example import estimate, evaluation, report, savings, spec, uncertainty

from medhome.reporting import uncertainty_exhibits
from medhome.reporting.pages import effect_in_words, savings_by_year, uncertainty_of_the_chain
from medhome.reporting.results_file import numbers
from medhome.study.results import Savings
from medhome.study.saved import load_evaluation, save_evaluation
from medhome.study.uncertainty_results import Uncertainty


def test_the_page_shows_both_intervals_and_chance():
    text = uncertainty_of_the_chain(report()).text
    assert "with a probability of 0.72" in text and "conditional on this organisation" in text
    assert "−$27.33 to $18.93" in text  # the method's
    assert "−$15.76 to $7.36" in text  # practices drawn anew
    assert "probability in" not in text


def test_no_p_value_no_chance():
    text = uncertainty_exhibits.chance(uncertainty(p=float("nan")))
    assert text.startswith("No chance is told")
    note = uncertainty_exhibits.chain(uncertainty()).note
    assert "a level has none" in note and "by the recommended test" in note


def test_a_probability_names_the_prior_that_was_declared():
    with_prior = uncertainty(prior="mean $0.00 and standard deviation $3.00 PMPM (a source)")
    text = uncertainty_exhibits.probability(with_prior, spec())
    assert "(a source)" in text and "of savings before fees 71% and of savings above fees 62%" in text
    assert text in effect_in_words(report(uncertainty=with_prior)).text
    assert "probability" not in effect_in_words(report()).text
    assert "savings.probability.net" in numbers(evaluation(uncertainty=with_prior), spec())


def test_every_number_has_its_unit_and_draws_a_tolerance():
    found = numbers(evaluation(), spec())
    assert found["uncertainty.E5_trend.estimate"]["unit"] == "percentage points"
    assert found["uncertainty.E3.estimate"]["p"] == 0.72
    draws = found["uncertainty.E3.practices_lo95"]
    assert draws["kind"] == "simulated" and draws["tolerance"]["rtol"] == 0.05
    assert not any(name.startswith("savings.probability") for name in found)


def test_why_practices_were_not_drawn_is_said():
    few = Uncertainty(quantities=uncertainty().quantities, why="an arm has fewer than 2 practices")
    assert "not drawn anew: an arm has fewer than 2 practices" in uncertainty_exhibits.practices(few)


def test_it_is_saved_with_its_estimates(tmp_path):
    whole = evaluation(uncertainty=uncertainty(prior="a prior"))
    save_evaluation(whole, tmp_path)
    again = load_evaluation(tmp_path).uncertainty
    assert again.probabilities["gross"] == estimate(0.71, unit="share") and again.prior == "a prior"
    assert uncertainty_of_the_chain(report(uncertainty=Uncertainty())).text == ""


def test_years_stand_without_and_with_payments_and_an_older_run_goes_without():
    text = savings_by_year(report()).text
    assert "With payments" in text and "−$21.50 to $25.10" in text and "−$16.30 to $22.90" in text
    older = savings()
    frame = older.by_year.drop(columns=[c for c in older.by_year if c.startswith("net_") and c != "net_pmpm"])
    plain = savings_by_year(report(savings=Savings(rows=older.rows, by_year=frame)))
    assert "With payments" not in plain.text
