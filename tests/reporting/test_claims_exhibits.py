"""The reconciliation, encounters and prices as tables, with withheld columns, and what the checks say."""

from __future__ import annotations

import dataclasses

import example
import pytest

from medhome.models.encounters import capitation_shift
from medhome.reporting import claims_exhibits, disclosure
from medhome.study.display import WITHHELD
from medhome.study.results import ENCOUNTERS, DataQuality, without_rows

SPEC = example.spec()


def quality(few: int = 12, shares: tuple[float, ...] = (0.10, 0.10, 0.11, 0.10)) -> DataQuality:
    return dataclasses.replace(example.quality(), **example.claims_frames(few, shares))


def test_one_table_an_arm_with_periods_across():
    tables = claims_exhibits.reconciliation(quality(), SPEC)
    assert [t.id for t in tables] == [
        "tbl-reconciliation-treated",
        "tbl-reconciliation-comparison",
        "tbl-reconciliation-none",
    ]
    assert tables[2].caption.endswith("Everyone else in the files")
    assert [c.label for c in tables[0].columns[1:]] == [
        "Before the baseline",
        "Baseline",
        "After the start",
        "Later",
    ]
    assert tables[0].cells()[1] == ["Denied", *["\u2212$100"] * 4]
    assert WITHHELD not in str(tables[2].cells())


def test_dollars_of_few_people_are_withheld():
    released = disclosure.release_quality(quality(few=10), SPEC.disclosure.floor)
    tables = claims_exhibits.reconciliation(released, SPEC)
    assert all(cell == WITHHELD for row in tables[2].cells() for cell in row[1:])
    assert WITHHELD not in str(tables[0].cells())


def test_encounters_and_prices():
    found = claims_exhibits.encounters(quality(), SPEC)
    assert found.cells()[2][-1] == "11.00%"
    prices = claims_exhibits.prices(quality(), SPEC)
    assert prices.cells()[0][0].startswith("All services") and prices.strong == [True, True]


@pytest.mark.parametrize(
    ("shares", "passed"),
    [((0.10, 0.10, 0.11, 0.10), True), ((0.10, 0.10, 0.13, 0.10), False), ((0.10, 0.10, 0.30, 0.29), True)],
)
def test_capitation_that_spreads_in_one_arm_is_said_on_the_first_page(shares, passed):
    (check,) = capitation_shift(quality(shares=shares))
    assert check.passed is passed and check.front_page
    assert ("claims.capitation" in check.sentence) is not passed


def test_without_both_arms_and_periods_nothing_is_said():
    assert not list(capitation_shift(dataclasses.replace(quality(), encounters=without_rows(ENCOUNTERS))))
