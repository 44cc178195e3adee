"""Exhibit T6: what changed in each program year, without and with the program's payments."""

from __future__ import annotations

from medhome.reporting.datatable import Column, DataTable
from medhome.study.display import count, month_short, p_value, share, usd
from medhome.study.periods import month_name
from medhome.study.results import Savings
from medhome.study.savings_years import NET_BY_YEAR


def impact_by_year(found: Savings) -> DataTable | None:
    """The effect by program year with both intervals; none for a run from before these were saved."""
    if not set(NET_BY_YEAR) <= set(found.by_year.columns):
        return None
    months = Column("first_month", "months", month_short, upper="last_month", raw=month_name)

    def chance(name: str) -> Column:
        return Column(name, "p", p_value)

    def range_of(prefix: str) -> Column:
        narrower = Column(f"{prefix}lo90", "90% interval", usd, upper=f"{prefix}hi90")
        return Column(
            f"{prefix}lo95", "95% interval", usd, "$ PMPM", upper=f"{prefix}hi95", beneath=narrower
        )

    return DataTable(
        id="tbl-impact-year",
        caption="Savings by program year, without and with program payments",
        frame=found.by_year,
        columns=(
            Column("year", "Year", count, beneath=months),
            Column("actual_pmpm", "Program", usd, "$ PMPM", beneath=Column("change_pmpm", "change", usd)),
            Column(
                "comparison_pmpm", "Comparison", usd, "$ PMPM",
                beneath=Column("comparison_change_pmpm", "change", usd),
            ),
            Column("gross_pmpm", "Without payments", usd, "$ PMPM, allowed", beneath=chance("p")),
            range_of(""),
            Column("gross_share", "Of expected", share),
            Column("net_pmpm", "With payments", usd, "$ PMPM, paid", beneath=chance("net_p")),
            range_of("net_"),
        ),
        counts=Savings.COUNTS["by_year"],
        resting=Savings.RESTING["by_year"],
        note="Changes are since the baseline, as they are; savings are adjusted for risk, and positive where "
        "care cost less. Years are parts of one effect: none was declared beforehand.",
    )  # fmt: skip
