"""The names of joint tests of the periods before the start in ``results.json``."""

from __future__ import annotations

from medhome.reporting.result_columns import Column, Table

_COLUMNS = {
    "periods": Column("periods", "count"),
    "statistic": Column("", "estimate", 2),
    "df1": Column("degrees of freedom", "estimate", 0),
    "df2": Column("degrees of freedom", "estimate", 0),
    "p": Column("", "estimate", 3),
    "smallest_p": Column("", "estimate", 3),
    "detectable": Column("USD PMPM per year", "estimate", 2),
}

PRE_TREND: tuple[Table, ...] = (
    Table("did.before_the_start", "did.pre_trend_tests", ("test",), _COLUMNS),
    Table("waves.before_the_start", "waves.pre_trend_tests", ("test",), _COLUMNS),
)
