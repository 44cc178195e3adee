"""High-cost truncation on the page: members and dollars above the cap, and the effect at other caps."""

from __future__ import annotations

import pandas as pd
from example import evaluation, report, spec, truncation

from medhome.reporting import truncation_exhibits
from medhome.reporting.disclosure import release
from medhome.reporting.results_file import numbers
from medhome.study.saved import load_evaluation, save_evaluation
from medhome.study.truncation_results import Truncation


def test_the_page_shows_who_is_above_the_cap_and_the_effect_at_every_cap():
    above = truncation_exhibits.cost_above_the_cap(report()).text
    for shown in ("The cap is $100,000 per member", "18,998", "110", "$5,000,000", "5.00%"):
        assert shown in above, shown
    caps = truncation_exhibits.effect_at_other_caps(report()).text
    assert "between −$6.10 per member per month (no cap) and −$3.40" in caps
    assert "(a cap of $41,300)" in caps and "$100,000 (this study)" in caps and "−$27.33 to $18.93" in caps


def test_a_study_without_a_cap_shows_nobody_above_it():
    plain = spec().model_dump()
    plain["outcomes"]["cap_usd_per_year"] = None
    uncapped = type(spec()).model_validate(plain)
    assert truncation_exhibits.cost_above_the_cap(report(uncapped)).text == ""
    assert truncation_exhibits.effect_at_other_caps(report(truncation=Truncation())).text == ""


def test_few_members_above_the_cap_are_withheld_with_their_dollars():
    few = truncation(members_above=(10, 11, 0, 58_995))
    released, _ = release(evaluation(truncation=few), 11)
    frame = released.truncation.above_cap
    told = ["members_above", "above_usd", "above_share"]
    # 10 are few; of 59,000 all but 5 are above, which tells of the 5; 11 and 0 may be told.
    assert frame[told].isna().all(axis=1).tolist() == [True, False, False, True]
    assert frame[["members", "member_months", "allowed_usd"]].notna().all(axis=None)
    page = truncation_exhibits.above_cap(released.truncation, spec())
    assert page.cells()[0][2:] == ["†", "$100,000,000", "†", "†"]
    assert "10," not in page.csv().splitlines()[1].replace("100000000", "")
    number = numbers(released, spec())["truncation.above_cap.treated.baseline.above_usd"]
    assert number["value"] is None and number["suppressed"]


def test_every_cap_has_a_name_and_its_interval():
    found = numbers(evaluation(), spec())
    own = found["truncation.cap_grid.100000.estimate"]
    assert own["value"] == -4.2 and own["se"] == 11.8 and own["ci95"] == [-27.328, 18.928]
    assert found["truncation.cap_grid.none.cap_usd"]["value"] is None
    assert found["truncation.above_cap.comparison.performance.members_above"]["value"] == 290


def test_truncation_survives_saving_and_an_older_report_has_none(tmp_path):
    whole = evaluation()
    save_evaluation(whole, tmp_path)
    again = load_evaluation(tmp_path).truncation
    pd.testing.assert_frame_equal(again.above_cap, whole.truncation.above_cap)
    pd.testing.assert_frame_equal(again.cap_grid, whole.truncation.cap_grid)
    path = tmp_path / "evaluation.json"
    path.write_text(path.read_text().replace('"truncation": {', '"of_an_older_version": {'))
    assert load_evaluation(tmp_path).truncation.cap_grid.empty
