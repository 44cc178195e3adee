"""A program that does nothing looks as if it did, where engaged members are compared with the others."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from benchmarks import engaged_and_not as benchmark

from medhome.simulate import simulate_world

# The seed was taken before its numbers were seen: the first of the benchmark's.
WORLD = benchmark.WORLD.with_seed(benchmark.FIRST_SEED)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rising")
    simulate_world(WORLD, folder)
    return folder, benchmark.compared(folder)


def test_the_comparison_of_engaged_with_the_others_is_wrong_by_many_standard_errors(found):
    assert found[1].engaged > 50
    assert found[1].after > 4 * found[1].after_se
    assert found[1].change > 3 * found[1].change_se


def test_members_at_high_risk_at_the_baseline_have_the_true_effect_of_nothing(found):
    assert found[1].high_risk_lo95 < 0 < found[1].high_risk_hi95
    assert abs(found[1].high_risk) < 2 * found[1].high_risk_se


def test_who_is_engaged_moves_no_claim(found, tmp_path):
    """The same world with members engaged by expected cost has other events and the same claims."""
    small = replace(WORLD, program_members=300, program_sites=1, program_clinicians=8, comparison_members=300,
                    comparison_organizations=2, comparison_size_min=50, comparison_size_max=250)  # fmt: skip
    for name, kind in (("rising", "rising_need"), ("expected", "expected_cost")):
        simulate_world(replace(small, engaged_by=kind), tmp_path / name)
    for table in ("eligibility", "medical_claim", "pharmacy_claim", "survey"):
        one, other = ((tmp_path / n / f"{table}.parquet").read_bytes() for n in ("rising", "expected"))
        assert one == other
    events = [pd.read_parquet(tmp_path / n / "care_management.parquet") for n in ("rising", "expected")]
    assert set(events[0]["person_id"]) != set(events[1]["person_id"])
