"""Triangles: what the engine hands to the models about when cost was paid."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from medhome.study.cells import Cells


@dataclass(frozen=True, kw_only=True)
class Triangles:
    """When the cost of the member-months in a study was paid, and what each kind of service cost.

    payments: one row per arm, kind of service, service month and lag: ``arm``, ``category``, ``month``,
        ``lag`` (months from service to payment, 0 or more), ``allowed_cents``: what was booked at that lag,
        of members below the yearly cap, reversals at their own dates (a row may be negative). Months are
        those analysed; payments those by ``paid_through``.
    paid_through: last month whose payments were seen.
    undated_share: share of dollars that have no paid date, and so no lag.
    cells: practice-months with ``expected`` and one variable per kind of service, named like it: dollars as
        paid by the study's run-out cut, of members below the yearly cap.
    categories: the kinds of service, in order.
    services: one row per kind of service, and "large" for members above the yearly cap: ``category``,
        ``members_treated``, ``members_comparison`` (with cost of it), ``member_variance`` (of one member's
        change of it, dollars PMPM squared: an organisation's is this over its members).
    """

    payments: pd.DataFrame
    paid_through: int
    undated_share: float
    cells: Cells
    categories: tuple[str, ...]
    services: pd.DataFrame = field(default_factory=pd.DataFrame)
