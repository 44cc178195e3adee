"""All periods before the start taken jointly, as a table."""

from __future__ import annotations

import pandas as pd

from medhome.reporting.datatable import Column, DataTable
from medhome.study.display import count, number, p_value, usd


def joint_tests(tests: pd.DataFrame, table_id: str, caption: str) -> DataTable:
    """One row for each joint test of `study.pre_trend_results`."""
    return DataTable(
        id=table_id,
        caption=caption,
        frame=tests,
        columns=(
            Column("label", "Judged by", beneath=Column("note", "note")),
            Column("periods", "Periods", count),
            Column("statistic", "Statistic", number),
            Column("p", "p", p_value),
            Column("smallest_p", "Smallest p", p_value, "that it can give"),
            Column("detectable", "Drift found", usd, "$ PMPM per year, 80% power"),
        ),
    )
