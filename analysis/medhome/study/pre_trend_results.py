"""Tests of all periods before the start taken jointly: the frame that results hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from medhome.study.frames import frame_of_rows

KINDS: dict[str, str] = {
    "test": "str", "label": "str", "periods": "int64", "statistic": "float64", "df1": "float64",
    "df2": "float64", "p": "float64", "smallest_p": "float64", "detectable": "float64", "note": "str",
}  # fmt: skip
"""Columns of ``pre_trend_tests``: one row per test of all periods before the start but the last.

test: "exchange" (the actual assignment of the program's label ranked among the others), "shocks" (Wald's
    statistic under the random-effects model's covariance) or "hotelling" (clustered by organisation);
label: in words; periods: how many are tested; statistic, df1, df2; p; smallest_p: the least that it can
    give; detectable: the straight drift before the start that it finds with 80% probability, dollars PMPM per
    year; note: why there is no p, or what to know.
"""


def pre_trend_tests(rows: Sequence[Mapping[str, object]] = ()) -> pd.DataFrame:
    """These rows as a frame; numbers that are not given are missing.

    >>> float(pre_trend_tests([{"test": "shocks", "label": "", "periods": 2, "p": 0.4, "note": ""}])["p"][0])
    0.4
    """
    return frame_of_rows([{column: row.get(column) for column in KINDS} for row in rows], KINDS)
