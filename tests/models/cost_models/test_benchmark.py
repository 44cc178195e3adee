"""The benchmark of a million member-years on a small size: what it fits, and what its page says."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from benchmarks import cost_models as benchmark


def test_numbers_differ_in_every_row_and_flags_do_not():
    numbers, flags = (benchmark.member_years(kind, 3_000) for kind in ("numbers", "flags"))
    columns = [c for c in numbers if c.startswith("x")]
    assert len(columns) == 60 and numbers[columns].drop_duplicates().shape[0] == 3_000
    assert flags[columns].drop_duplicates().shape[0] < 800
    assert set(np.unique(flags[columns])) == {0.0, 1.0} and 0.15 < (flags["cost"] == 0).mean() < 0.25


def test_a_case_is_measured_and_told():
    found = benchmark.measure("flags", "poisson", False, 3_000)
    assert found["coefficients"] == 61 and found["rows"] == 3_000 and 0 < found["peak_gb"] < 4


@pytest.mark.parametrize(("cpu", "gb", "verdict"), [(59.0, 3.9, "**Held**"), (61.0, 3.9, "**Not held**"),
                                                    (5.0, 4.1, "**Not held**")])  # fmt: skip
def test_the_page_says_whether_the_limits_hold(cpu, gb, verdict):
    rows = [
        {"kind": kind, "family": family, "tests": tests, "rows": 1_000_000, "coefficients": 61,
         "seconds": 2 * cpu, "cpu_seconds": cpu, "table_gb": 0.6, "peak_gb": gb}
        for kind, family, tests in benchmark.MUST
    ]  # fmt: skip
    text = benchmark.page(rows, date(2026, 11, 22))
    assert verdict in text and f"at most {cpu:.1f} processor seconds" in text and "2026-11-22" in text
