"""Payment on the page Savings: before savings, T16, what was paid; names in results.json; older reports."""

from __future__ import annotations

import dataclasses

import pandas as pd
from example import evaluation, payment, report, spec

from medhome.reporting import pages, payment_exhibits, payment_figures, payment_words
from medhome.reporting.disclosure import release
from medhome.reporting.results_file import numbers
from medhome.study.payment_results import Payment
from medhome.study.saved import load_evaluation, save_evaluation


def test_what_comes_before_savings_is_said_with_its_chance():
    text = pages.before_any_claim_of_savings(report()).text
    assert "smaller than $33.00 per member per month (10.2% of expected cost)" in text
    assert "still arise with probability 0.42" in text
    assert "The minimum savings rate is 2.54% (Medicare's): $8.20" in text and "probability 0.24" in text
    assert "7,891 member-years" in text and "so its own cost, $301.22 per member per month, stands" in text
    assert "Minimum savings rate; Medicare's" in text and "2.54%" in text


def test_a_rate_that_does_not_exist_says_why():
    rows = dict(payment().before)
    rows["minimum_savings_share"] = dataclasses.replace(
        rows["minimum_savings_share"], value=None, why="Medicare's table begins at 5,000 persons."
    )
    said = payment_words.minimum_savings_rate(rows)
    assert said == "There is no minimum savings rate. Medicare's table begins at 5,000 persons."
    part = dataclasses.replace(rows["credibility_share"], value=0.36)
    assert "a credibility of 0.36" in payment_words.credibility(rows | {"credibility_share": part})


def test_the_settlement_statement_names_each_step():
    text = pages.settlement_statement(report()).text
    assert "Program year 1: cost was $2.2 million (3.12%) under its benchmark" in text
    assert "the program earns $888,000 (shared)" in text
    assert "Program year 2 (10 months so far) is not settled: the contract has no benchmark for it." in text
    cells = payment_exhibits.settlement(payment()).cells()
    assert cells[0][1:] == [
        "222,000", "$71,040,000; $320.00", "$68,820,000; $310.00", "3.12%; 2.54%, reached", "$2,220,000",
        "40.00%; met, 0.800", "$888,000; ", "shared",
    ]  # fmt: skip
    turned = dict(reversed(payment().before.items()))
    rows = payment_exhibits.before_savings(Payment(before=turned)).rows()
    assert [r["id"] for r in rows] == list(payment().before)
    owing = payment().settlement.iloc[:1].assign(earned_usd=-5000.0, savings_rate=-0.03, why="loss shared")
    owing = owing.assign(actual_usd=72_000_000.0)
    said = payment_words.settlement(Payment(settlement=owing))
    assert "over its benchmark" in said[0] and "the program owes $5,000 (loss shared)" in said[0]


def settled(**changes) -> Payment:
    return Payment(settlement=payment().settlement.iloc[:1].assign(**changes))


def test_the_settlement_is_drawn_in_steps_that_add_up():
    steps = payment_figures.settlement_steps(payment())
    assert steps[["year", "step", "usd"]].to_numpy().tolist() == [
        [1, "Benchmark less actual cost", 2_220_000.0],
        [1, "The payer's part", -1_332_000.0],
        [1, "Earned by the program", 888_000.0],
    ]
    for changes, labels in (
        ({"shared_usd": 900_000.0, "cap_bound": True}, ["The payer's part", "Above the cap"]),
        (
            {"generated_usd": 0.0, "shared_usd": 0.0, "earned_usd": 0.0},
            ["Below the minimum rate: not shared"],
        ),
        (
            {"actual_usd": 72_040_000.0, "generated_usd": -1e6, "shared_usd": -4e5, "earned_usd": -3e5},
            ["Losses that the payer bears", "Above the cap"],
        ),
    ):
        found = payment_figures.settlement_steps(settled(**changes))
        assert found["step"].tolist()[1:-1] == labels
        assert found["usd"].iloc[:-1].sum() == found["usd"].iloc[-1]
    assert found["step"].iloc[-1] == "Owed by the program"


def test_the_settlement_statement_is_a_figure_and_a_table_and_no_figure_where_nothing_is_settled():
    html = pages.settlement_statement(report()).html
    assert 'id="fig-settlement"' in html and "Shared savings of $888,000 are earned" in html
    assert "Year 1: the payer&#x27;s part" in html or "Year 1: the payer's part" in html
    assert 'Settlement of shared savings"' in html
    none = payment().settlement.iloc[1:]
    assert payment_figures.settlement_figure(Payment(settlement=none)) is None
    assert "fig-settlement" not in pages.settlement_statement(report(payment=Payment(settlement=none))).html
    older = payment().settlement.drop(columns="shared_usd")
    assert payment_figures.settlement_figure(Payment(settlement=older)) is None
    title = payment_words.settled_in_all
    assert title(settled(earned_usd=-3e5)) == "The program owes $300,000 of losses"
    assert title(settled(earned_usd=0.0)) == "No shared savings are paid"


def test_payments_and_measures_are_listed():
    text = pages.program_payments(report()).text
    assert "come to $1.2 million; the comparison arm's, for as many members, to $55,500" in text
    assert "the difference, $1.2 million, is taken off" in text
    text = pages.pay_for_performance(report()).text
    assert "1 of 2 measures reached their threshold. A gate is shut (Emergency visits per 1,000)" in text


def test_a_measured_value_names_its_measure_and_is_withheld_where_the_rate_is():
    rates = evaluation().measures.rates
    row = rates[(rates["arm"] == "treated") & (rates["period"] == "performance")].iloc[0]
    named = payment().measures.assign(measure=[row["measure"], ""])
    text = payment_exhibits.measures(Payment(measures=named)).plain()
    assert f"measured: {row['measure']}" in text and "study file" in text
    few = rates["measure"].eq(row["measure"]) & rates["arm"].eq("treated") & rates["period"].eq("performance")
    for hidden, shown in ((False, [0.75, 230.0]), (True, [230.0])):
        changed = rates.assign(members_with=rates["members_with"].mask(few, 3)) if hidden else rates
        whole = evaluation(
            payment=dataclasses.replace(payment(), measures=named),
            measures=dataclasses.replace(evaluation().measures, rates=changed),
        )
        released = release(whole, 11)[0].payment.measures
        assert released["value"].dropna().tolist() == shown
        assert released["attained_share"].notna().sum() == len(shown)


def test_a_study_without_contracts_says_so_and_an_older_report_shows_nothing(tmp_path):
    bare = report(payment=Payment())
    assert "nothing to settle" in pages.settlement_statement(bare).text
    assert "no pay for performance" in pages.pay_for_performance(bare).text
    assert pages.program_payments(bare).text == pages.before_any_claim_of_savings(bare).text == ""
    whole = evaluation()
    save_evaluation(whole, tmp_path)
    again = load_evaluation(tmp_path).payment
    pd.testing.assert_frame_equal(again.settlement, whole.payment.settlement)
    assert again.before == whole.payment.before
    path = tmp_path / "evaluation.json"
    path.write_text(path.read_text().replace('"payment": {', '"of_an_older_version": {'))
    assert load_evaluation(tmp_path).payment.settlement.empty


def test_every_payment_has_a_name():
    found = numbers(evaluation(), spec())
    assert found["payment.before.minimum_savings_share"]["value"] == 0.0254
    assert found["payment.settlement.1.earned_usd"]["value"] == 888_000
    assert found["payment.settlement.2.earned_usd"]["value"] is None
    assert found["payment.year.1.care_management.care-management-fee.treated.usd"]["value"] == 333_000
    assert found["payment.measure.quality-pool.screen.attained_share"]["value"] == 0.5


def test_a_year_of_few_members_is_withheld():
    few = payment().settlement.assign(members=[5.0, 18700.0])
    released, _ = release(evaluation(payment=dataclasses.replace(payment(), settlement=few)), 11)
    row = released.payment.settlement.iloc[0]
    assert row[["members", "actual_usd", "earned_usd"]].isna().all()
    assert "Program year 1 is withheld." in payment_words.settlement(released.payment)
