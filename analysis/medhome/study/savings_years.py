"""Columns of savings by program year (`medhome.study.results.Savings.by_year`)."""

NET_BY_YEAR = ("net_lo90", "net_hi90", "net_lo95", "net_hi95", "net_p")
"""Interval and p of savings with program payments; a run from before they were saved has none of them."""

RESTING_BY_YEAR = (
    *("member_months", "actual_pmpm", "expected_pmpm", "gross_pmpm", "lo90", "hi90", "lo95", "hi95", "p"),
    *("change_pmpm", "gross_share", "net_pmpm", *NET_BY_YEAR),
)
"""Columns that rest on a year's members: withheld with their number."""
