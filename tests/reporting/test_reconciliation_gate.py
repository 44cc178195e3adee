"""Whoever subtracts what is shown of the reconciliation from the waterfall finds no small count of lines."""

from __future__ import annotations

import dataclasses

import example
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medhome.reporting import claims_exhibits, cohort_exhibits, cohort_figures, cohort_words, disclosure
from medhome.reporting.reconciliation_gate import release_reconciliation
from medhome.study.display import WITHHELD
from medhome.study.results import DataQuality

FLOOR = 11
ARMS = [("treated", "baseline"), ("treated", "performance"), ("comparison", "baseline"), ("none", "later")]
REASONS = ["files", "denied", "orphan", "arm", "model"]


def quality(lines: list[list[int]], members: list[int] | None = None, orphans: tuple = ()) -> DataQuality:
    """Steps down, columns across, the model's row worked out; $10 a line."""
    columns = ARMS[: len(lines[0])]
    people = members or [500] * len(columns)
    whole = [*lines, [sum(row[i] for row in lines) for i in range(len(columns))]]
    rows = [
        (step, reason, reason, *columns[i], people[i], n, 10.0 * n, 8.0 * n)
        for step, (reason, row) in enumerate(zip(REASONS, whole, strict=True))
        for i, n in enumerate(row)
    ]
    names = ["step", "reason", "label", "arm", "period", "members", "lines", "allowed_usd", "paid_usd"]
    frame = pd.DataFrame(rows, columns=names)
    total = frame.groupby(["step", "reason", "label"], as_index=False)[names[-3:]].sum()
    listed = pd.DataFrame(
        [(*c, m, n, 10.0 * n, 8.0 * n, 0.0) for c, m, n in orphans],
        columns=["arm", "period", "members", "lines", "allowed_usd", "paid_usd", "kept_allowed_usd"],
    )
    return dataclasses.replace(example.quality(), waterfall=total, reconciliation=frame, orphans=listed)


def shown(released: DataQuality) -> np.ndarray:
    """Lines of every column and of the waterfall, NaN where withheld."""
    table = released.reconciliation.pivot(index="step", columns=["arm", "period"], values="lines")
    return np.column_stack([table.to_numpy(dtype=float), released.waterfall["lines"].astype(float)])


def worked_out(table: np.ndarray) -> np.ndarray:
    """What subtraction gives: again and again the one missing number of a row or of a column."""
    known = table.copy()
    across = np.r_[np.ones(known.shape[1] - 1), -1]
    down = np.r_[np.ones(known.shape[0] - 1), -1]
    for _ in range(known.size):
        for line, signs in [*((r, across) for r in known), *((c, down) for c in known.T)]:
            if np.isnan(line).sum() == 1:
                at = int(np.flatnonzero(np.isnan(line))[0])
                line[at] = -signs[at] * np.nansum(line * signs)
    return known


def small_numbers(table: np.ndarray) -> list[float]:
    return [n for n in np.abs(table[~np.isnan(table)]) if 0 < n < FLOOR]


LINES = [[700, 650, 900, 150], [-50, -40, -60, -20], [-30, -25, -18, -15], [-12, -14, -16, -45]]


def test_one_column_of_few_people_takes_another_with_it():
    """$20 left of everyone else follows from the waterfall less three shown columns: so a second one goes."""
    whole = quality(LINES, [500, 400, 600, 4])
    naive = shown(whole)
    naive[:, 3] = np.nan
    assert worked_out(naive)[1, 3] == -20  # without the gate the subtraction works
    released, primary, further = release_reconciliation(whole, whole, FLOOR)
    table = shown(released)
    assert np.isnan(table[:, 3]).all()
    assert np.isnan(worked_out(table)[:, 3]).all()
    assert not np.isnan(table[:, 4]).any() and (primary, further) == (5, 5)
    gone = released.reconciliation.groupby(["arm", "period"])["members"].max().isna()
    assert gone.sum() == 2  # nor does the number of people say which of the two it was
    money = released.reconciliation[released.reconciliation["lines"].isna()]
    assert money[["allowed_usd", "paid_usd"]].isna().all(axis=None)


def test_a_step_of_few_lines_is_withheld_in_a_rectangle():
    lines = [row[:] for row in LINES]
    lines[1][0] = -3
    released, primary, further = release_reconciliation(quality(lines), quality(lines), FLOOR)
    table = shown(released)
    assert (primary, further) == (1, 3) and np.isnan(table[1, 0])
    assert np.isnan(worked_out(table)[1, 0]) and not np.isnan(table[[0, -1]]).any()


def test_a_small_sum_of_two_withheld_steps_is_not_told_either():
    """-3 and -4 of one column: what is shown says -7 together, so a third step goes."""
    lines = [row[:] for row in LINES]
    lines[1][0], lines[2][0] = -3, -4
    released, _, _ = release_reconciliation(quality(lines), quality(lines), FLOOR)
    assert np.isnan(shown(released)[:, 0]).sum() >= 3
    assert not small_numbers(worked_out(shown(released)))


def test_orphans_and_their_step_are_withheld_together():
    few = quality(LINES, orphans=((ARMS[0], 4, 30), (ARMS[1], 20, 25), (ARMS[2], 12, 18)))
    released, _, _ = release_reconciliation(few, few, FLOOR)
    assert released.orphans["lines"].isna().tolist()[0]
    hidden = released.reconciliation[released.reconciliation["reason"] == "orphan"]["lines"].isna()
    assert hidden.iloc[0] and np.isnan(worked_out(shown(released))[2, 0])
    for (arm, period), n in zip(ARMS[:3], released.orphans["lines"], strict=True):
        row = hidden[(few.reconciliation["arm"] == arm) & (few.reconciliation["period"] == period)]
        assert row.iloc[0] == np.isnan(n)


def test_without_small_counts_nothing_is_withheld():
    released, primary, further = release_reconciliation(quality(LINES), quality(LINES), FLOOR)
    assert (primary, further) == (0, 0) and not np.isnan(shown(released)).any()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.one_of(st.integers(0, 14), st.integers(11, 90)), min_size=4, max_size=4),
             min_size=3, max_size=3),
    st.lists(st.sampled_from([4, 500, 600]), min_size=4, max_size=4),
)  # fmt: skip
def test_no_small_count_of_lines_follows(steps, members):
    lines = [[400, 500, 600, 300], *[[-n for n in row] for row in steps]]
    whole = quality(lines, members)
    released, _, _ = release_reconciliation(whole, whole, FLOOR)
    found = worked_out(shown(released))
    assert not small_numbers(found)
    for i, people in enumerate(members):
        filled = np.array([row[i] != 0 for row in [*lines, [1] * 4]])
        if people < FLOOR:
            assert np.isnan(found[filled, i]).all()


def test_exhibits_say_what_is_withheld():
    lines = [row[:] for row in LINES]
    lines[1] = [-3, 0, 0, 0]
    released = disclosure.release_quality(quality(lines), FLOOR)
    total = cohort_exhibits.waterfall(released)
    assert total.cells()[1][1:] == [WITHHELD] * 3 and "withheld" in total.full_note()
    assert WITHHELD in str(claims_exhibits.reconciliation(released, example.spec())[0].cells())
    drawn = cohort_figures.waterfall(released, example.spec()).block().html
    assert WITHHELD in drawn


@pytest.mark.parametrize(("count", "withheld"), [(0, False), (1, True), (10, True), (11, False)])
def test_a_rule_that_few_rows_break_is_named_without_its_count(count, withheld):
    rules = example.quality().rules.iloc[[0]].assign(count=count, share=count / 100, dollars_usd=50.0)
    released = disclosure.release_quality(dataclasses.replace(quality(LINES), rules=rules), FLOOR)
    row = released.rules.iloc[0]
    assert row[["count", "share", "dollars_usd"]].isna().all() == withheld
    cells = cohort_exhibits.rules(released).cells()
    assert bool(cells) == (count > 0)
    assert not cells or (cells[0].count(WITHHELD) == 3) == withheld
    assert (" 1 found something" in cohort_words.rules_found(released)) == (count > 0)
