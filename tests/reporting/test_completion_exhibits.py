"""Run-out and completion on the page: what was paid by the cut comes first; missing dates are said."""

from __future__ import annotations

import pandas as pd
from example import completion, evaluation, report, spec

from medhome.reporting import completion_exhibits
from medhome.reporting.disclosure import release
from medhome.study.completion_results import Completion
from medhome.study.saved import load_evaluation, save_evaluation

UNKNOWN = Completion(reason="100.0% of the dollars have no paid date", run_out_months=3)


def test_the_page_shows_the_cut_the_factors_and_the_effect_both_ways():
    text = completion_exhibits.run_out_and_completion(report()).text
    assert "paid within 3 months after service and by June 2010, in both arms alike" in text
    for shown in ("Paid by the cut", "$9.84", "0.970", "−$3.12", "−$0.12"):
        assert shown in text, shown


def test_without_paid_dates_one_sentence_and_no_table():
    block = completion_exhibits.run_out_and_completion(report(completion=UNKNOWN))
    assert "not available: 100.0% of the dollars have no paid date." in block.text
    assert "<table" not in block.html


def test_small_arms_are_withheld_with_what_rests_on_them():
    found = completion()
    few = found.periods.assign(members=[10.0, 60_000.0, 18_850.0, 59_000.0])
    released, _ = release(evaluation(completion=Completion(available=True, periods=few)), 11)
    row = released.completion.periods.iloc[0]
    assert row[["members", *Completion.RESTING["periods"]]].isna().all()
    assert "$300.00" not in completion_exhibits.by_period(released.completion, spec()).block().html


def test_completion_survives_saving_and_an_older_report_has_none(tmp_path):
    whole = evaluation()
    save_evaluation(whole, tmp_path / "new")
    again = load_evaluation(tmp_path / "new").completion
    for name in ("factors", "periods", "effects", "reserves"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(whole.completion, name))
    assert again.rows == whole.completion.rows and again.lowest == whole.completion.lowest
    path = tmp_path / "new" / "evaluation.json"
    text = path.read_text(encoding="utf-8").replace('"completion": {', '"of_an_older_version": {')
    path.write_text(text, encoding="utf-8")
    assert not load_evaluation(tmp_path / "new").completion.available
