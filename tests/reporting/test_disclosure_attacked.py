"""Twenty random studies with small cells, read by one who has results.json and the documentation alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks import disclosure_studies as studies
from benchmarks.disclosure import FLOOR, attacked, claims

from medhome.reporting.read_as_outsider import small_cells, tables
from medhome.reporting.results_file import numbers
from medhome.study.spec import read_study

SPEC = read_study(Path(__file__).parents[2] / "analysis" / "studies" / "demo.toml")


@pytest.fixture(scope="module")
def found():
    return [attacked(seed) for seed in range(1000, 1020)]


def test_no_count_of_one_to_ten_can_be_derived_from_what_is_released(found):
    assert [one.seed for one in found if one.claims] == []
    assert sum(one.refused for one in found) <= 2
    assert all(one.primary for one in found if not one.refused)


def test_the_same_reader_finds_counts_where_small_ones_alone_are_withheld(found):
    assert all(one.naive for one in found if one.naive is not None)
    assert sum(one.naive is not None for one in found) == 4


def test_what_the_reader_names_is_true():
    whole = studies.study(1001)
    true = numbers(whole, SPEC)
    named = claims(studies.spoilt(whole, FLOOR), SPEC)
    assert named
    for claim in named:
        if claim.name.startswith("cohort.balance") or claim.name.endswith(".rate"):
            continue
        value = true[claim.name]["value"] - (true[claim.less]["value"] if claim.less else 0)
        assert claim.low - 1e-6 <= value <= claim.high + 1e-6, claim


def test_a_small_count_in_the_file_behind_a_table_is_found():
    page = '<a href="data:text/csv;charset=utf-8,Arm,Members,Effect%0Atreated,7,7%0Aprogram,12,3%0A">CSV</a>'
    (table,) = tables(page)
    assert list(small_cells(table, FLOOR)) == ["Members 7 (treated, 7)"]
