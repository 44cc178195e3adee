"""Selection on the page: who came and went, where they were seen, what goes with a small count."""

from __future__ import annotations

import dataclasses

import pandas as pd
from example import evaluation, report, selection, spec

from medhome.reporting import selection_exhibits
from medhome.reporting.disclosure import release
from medhome.reporting.results_file import numbers
from medhome.study.saved import load_evaluation, save_evaluation
from medhome.study.selection_results import Selection


def test_the_page_shows_who_came_and_went_and_what_that_moves():
    text = selection_exhibits.who_came_and_went(report()).text
    for shown in (
        "0.8 more members in 1,000 left in a month than the change in the comparison leads to expect",
        "(95% interval −0.2 to 1.8)",
        "moved expected cost by −$1.90 per member per month more than in the comparison",
        "(95% interval −$3.66 to −$0.14)",
        "14,300",
        "$402.00",
        "5.4",
    ):
        assert shown in text, shown


def test_the_page_shows_where_members_were_seen():
    text = selection_exhibits.where_members_were_seen(report()).text
    assert "Program: 2.0% of member-months after the start were of members whom a practice of the" in text
    assert "15.6% of all eligible members could not be given a practice at all" in text
    assert "Nowhere: no visit that counts" in text and "$3,000,000" in text


def test_an_older_run_without_selection_shows_nothing():
    older = report(selection=Selection())
    assert selection_exhibits.who_came_and_went(older).text == ""
    assert selection_exhibits.where_members_were_seen(older).text == ""


def test_a_small_count_takes_another_with_it_that_would_give_it_away():
    """Four deaths: the arm's total is told, so the next smallest status goes as well."""
    few = selection(died=4)
    released, gate = release(evaluation(selection=few), 11)
    frame = released.selection.members.set_index(["arm", "status"])
    hidden = frame.index[frame["members"].isna()].tolist()
    assert hidden == [("treated", "entered"), ("treated", "died")]
    resting = list(Selection.RESTING["members"])
    assert frame.loc[hidden, resting].isna().all(axis=None)
    assert frame.loc[("treated", "stayed"), resting].notna().all()
    assert gate.cells_primary >= 1 and gate.cells_secondary >= 1
    page = selection_exhibits.members(released.selection, spec())
    row = next(r for r in page.cells() if r[0].startswith("Died; Program"))
    assert row[1] == row[2] == row[4]  # the symbol of what is withheld
    assert "1,240" not in page.html()


def test_leaving_by_period_and_visits_do_not_give_a_withheld_status_away():
    """With four deaths and few entered the status "left" is withheld, whose number the exits would tell."""
    found = selection(died=4)
    members, crossovers = found.members.copy(), found.crossovers.copy()
    members.loc[(members["arm"] == "treated") & (members["status"] == "entered"), "members"] = 0
    crossovers.loc[(crossovers["arm"] == "treated") & (crossovers["seen_in"] == "comparison"), "members"] = 5
    told = dataclasses.replace(found, members=members, crossovers=crossovers)
    released, _ = release(evaluation(selection=told), 11)
    left = released.selection.members.set_index(["arm", "status"])["members"]
    assert pd.isna(left[("treated", "left")]) and left[("treated", "entered")] == 0
    assert released.selection.exits["members"].isna().tolist() == [True, True, False, False]
    assert released.selection.exits["per_1000"].isna().tolist() == [True, True, False, False]
    # Five crossed over: so "nowhere" is withheld, and with it the members without visits.
    assert released.selection.without_visits["members"].isna().tolist() == [True, False, False]


def test_all_but_a_few_without_visits_is_a_small_count_too():
    found = selection()
    frame = found.without_visits.copy()
    frame.loc[frame["arm"] == "treated", "members"] = 18_595
    told = dataclasses.replace(found, without_visits=frame)
    released, _ = release(evaluation(selection=told), 11)
    assert released.selection.without_visits["members"].isna().tolist() == [True, False, False]


def test_selection_is_saved_and_its_numbers_are_named(tmp_path):
    found = evaluation()
    save_evaluation(found, tmp_path)
    back = load_evaluation(tmp_path)
    for name in ("members", "crossovers", "without_visits", "exits", "effects"):
        pd.testing.assert_frame_equal(getattr(back.selection, name), getattr(found.selection, name))
    named = numbers(found, spec())
    assert named["selection.exit_rate.estimate"]["value"] == 0.78
    assert named["selection.composition.estimate"]["unit"] == "USD PMPM"
    assert named["selection.crossovers.treated.comparison.member_months"]["value"] == 8000
    assert named["selection.members.treated.left.members"]["value"] == 3248
