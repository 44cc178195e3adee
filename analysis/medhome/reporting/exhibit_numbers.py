"""Which exhibit of the plan a table is: T1 to T20, as a reviewer asks for them by number.

The plan's numbers stand in captions; a table that answers none of its questions has no number. Tables that
answer one question together (by service, by decile, by arm) share theirs.
"""

from __future__ import annotations

_TABLES = {
    "T1": ("tbl-cohort-flow",),
    "T2": ("tbl-balance", "tbl-balance-weighted"),
    "T3": ("tbl-completion", "tbl-completion-service"),
    "T4": ("tbl-categories",),
    "T5": ("tbl-definitions",),
    "T6": ("tbl-savings-year", "tbl-impact-year"),
    "T7": ("tbl-event-study",),
    "T8": ("tbl-cost-model-tests",),
    "T9": ("tbl-risk-accuracy", "tbl-cost-model-accuracy"),
    "T10": (
        "tbl-calibration",
        "tbl-ratios-actual",
        "tbl-ratios-condition",
        "tbl-ratios-age-sex",
        "tbl-cost-model-practices",
    ),
    "T11": ("tbl-measures-utilisation",),
    "T12": (
        "tbl-measures-preventive",
        "tbl-measures-chronic",
        "tbl-measures-medication",
        "tbl-measures-closure",
    ),
    "T13": ("tbl-specification-choices", "tbl-estimators"),
    "T14": ("tbl-bounds-relative-magnitudes", "tbl-bounds-smoothness"),
    "T15": ("tbl-savings",),
    "T16": ("tbl-settlement",),
    "T17": ("tbl-groups",),
    "T18": ("tbl-selection", "tbl-selection-effects"),
    "T19": ("tbl-inference",),
    "T20": ("tbl-inputs",),
}

NUMBERS = {table: number for number, tables in _TABLES.items() for table in tables}
"""The exhibit's number, by the table's name in the page."""


def numbered(table: str, caption: str) -> str:
    """The caption with the exhibit's number before it, where the table has one.

    >>> numbered("tbl-savings", "Savings before and after program fees")
    'Exhibit T15. Savings before and after program fees'
    >>> numbered("tbl-strata", "Members of each kind in both arms")
    'Members of each kind in both arms'
    """
    return f"Exhibit {NUMBERS[table]}. {caption}" if table in NUMBERS else caption
