"""Twenty random studies with small cells, read by one who has results.json and the documentation alone."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

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
    text = "Arm,Members,Effect\ntreated,7,7\nprogram,12,3\n"
    for data in (f"charset=utf-8,{quote(text)}", f"charset=utf-8;base64,{b64encode(text.encode()).decode()}"):
        (table,) = tables(f'<a href="data:text/csv;{data}">CSV</a>')
        assert list(small_cells(table, FLOOR)) == ["Members 7 (treated, 7)"]
    heads = ("treated_members", "engaged", "claim_lines", "member_months", "members_months", "estimate")
    assert [h for h in heads if list(small_cells([{h: "7"}], FLOOR))] == list(heads[:3])
