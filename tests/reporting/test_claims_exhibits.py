"""The reconciliation, encounters and prices as tables, with withheld columns, and what the checks say."""

from __future__ import annotations

import dataclasses

import example
import pytest

from medhome.models.encounters import capitation_shift
from medhome.reporting import claims_exhibits, cohort_exhibits, disclosure
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


def test_rows_add_up_to_the_cent_only_where_they_do():
    """Where counts and sums are rounded, the page says that a column adds up but for that."""
    plain = quality()
    waterfall = plain.waterfall.assign(allowed_usd=[*plain.waterfall["allowed_usd"].iloc[:-1].round(2), 0.0])
    waterfall.loc[waterfall.index[-1], "allowed_usd"] = waterfall["allowed_usd"].iloc[:-1].sum()
    waterfall["paid_usd"] = waterfall["allowed_usd"]
    exact = dataclasses.replace(plain, waterfall=waterfall)
    assert cohort_exhibits.waterfall(exact).note.endswith("add up to the last, to the cent.")
    waterfall.loc[waterfall.index[-1], "allowed_usd"] += 5
    rounded = dataclasses.replace(plain, waterfall=waterfall)
    assert cohort_exhibits.waterfall(rounded).note.endswith("add up to the last, but for rounding.")
    of_arms = plain.reconciliation
    for cents, said in ((0.0, "to the cent"), (0.01, "but for rounding")):
        moved = of_arms.assign(allowed_usd=of_arms["allowed_usd"] + cents * (of_arms["step"] == 1))
        told = dataclasses.replace(
            example.evaluation(), quality=dataclasses.replace(plain, reconciliation=moved)
        )
        whole = dataclasses.replace(example.report(), evaluation=told)
        page = claims_exhibits.dollars_by_arm_and_period(whole)
        assert f"add up to its last row, {said}. Periods" in page.text
