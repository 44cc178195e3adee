"""Weights of the comparison group on the cohort page: words follow the numbers, small arms stay withheld."""

from __future__ import annotations

import dataclasses

import example
import pandas as pd

from medhome.reporting import comparison_pages as pages
from medhome.reporting.comparison_gate import release_comparison
from medhome.reporting.results_file import numbers
from medhome.study.comparison_results import ComparisonGroup

FOUND = ComparisonGroup(
    method="propensity",
    rule="odds weights of a logit to the group 'treated'; trimming: overlap",
    balance=pd.DataFrame(
        [
            ("age", "Age", "years", 41.0, 36.0, 40.8, 0.31, 0.01, 0.9, 1.0),
            ("diabetes", "Diabetes", "share", 0.08, 0.05, 0.055, 0.14, 0.12, 1.4, 1.2),
        ],
        columns=["characteristic", "label", "unit", "treated", "comparison", "weighted", "smd",
                 "smd_weighted", "variance_ratio", "variance_ratio_weighted"],
    ),
    groups=pd.DataFrame(
        [("treated", 3, 3, 2.9, 0.39), ("comparison", 40, 37, 21.34, 0.083)],
        columns=["group", "practices", "kept", "effective", "largest_share"],
    ),
    trimming=pd.DataFrame(
        [("outside the common range", "comparison", 3)], columns=["rule", "group", "practices"]
    ),
    placebo=pd.DataFrame(
        [("levels", "Matched on cost before the start", -14.0, 4.0, -21.84, -6.16),
         ("plain", "Not matched on cost", -2.0, 4.0, -9.84, 5.84)],
        columns=["weights", "label", "estimate", "se", "lo95", "hi95"],
    ),
)  # fmt: skip


def test_words_say_what_is_left_and_what_a_match_on_cost_does():
    lead, left, _, trimmed, placebo = pages.words(FOUND)
    assert "Of 2 characteristics, 2 differed notably before and 1 do with the weights" in lead
    assert "37 of 40 comparison practices are kept" in left and "as much as 21.3 equal ones" in left
    assert "8.3% of the weight" in left and trimmed.startswith("3 of the comparison practices")
    assert "gives −$14.00 PMPM" in placebo and "cannot be believed" in placebo
    quiet = dataclasses.replace(FOUND, placebo=FOUND.placebo.assign(hi95=5.0))
    assert "zero is possible" in pages.words(quiet)[-1]


def test_the_page_and_the_results_file_have_the_same_numbers():
    shown = example.report(comparison=FOUND)
    text = pages.comparison_weights(shown).text
    for part in ("Characteristics at baseline, before and after weighting", "What the weights leave"):
        assert part in text, text
    found = numbers(shown.evaluation, shown.spec)
    assert found["comparison.balance.age.smd_weighted"]["value"] == 0.01
    assert found["comparison.group.comparison.kept"]["value"] == 37
    assert "asks for no weights" in pages.comparison_weights(example.report()).text


def test_what_the_balance_withholds_is_withheld_here():
    cohort = example.cohort()
    told = cohort.balance["treated"].where(cohort.balance["label"] != "Diabetes")
    hidden = cohort.balance.assign(treated=told)
    released, count = release_comparison(FOUND, dataclasses.replace(cohort, balance=hidden))
    row = released.balance.set_index("characteristic").loc["diabetes"]
    assert row.drop(["label", "unit"]).isna().all() and count == 7
    assert released.balance["treated"].tolist()[0] == 41.0
