"""All that leaves the engine, to hold one engine to another."""

from __future__ import annotations

import pandas as pd

from medhome.tables import balance, collapse, panel, triangles
from medhome.tables.engine import fetch

COEFFICIENTS = {"intercept": 20000.4}


def everything(con, inputs, spec) -> dict[str, pd.DataFrame]:
    """Every frame that leaves the engine, and the tables inside it in the order of their keys."""
    months = panel.build(con, inputs, spec)
    scored = collapse.score(months, COEFFICIENTS | dict.fromkeys(months.terms, 33.35))
    cells = collapse.cells(scored, spec)
    paid_when = triangles.build(inputs, scored, cells, spec)
    found = {
        "attrition": months.attrition.frame,
        "waterfall": months.waterfall,
        "volumes": months.volumes,
        "practices": months.practices,
        "clinicians": months.clinicians,
        "rows": collapse.member_rows(months, spec).frame,
        "cells": cells.frame,
        "payments": paid_when.payments,
        "cells by kind of service": paid_when.cells.frame,
        "months": fetch(scored.months.order_by("person_key", "month")),
        "members": fetch(scored.members.order_by("person_key")),
        "sample by md5": fetch(collapse.sampled(scored.members, 7).order_by("person_key")),
        "categories": fetch(scored.categories.order_by("person_key", "month", "category")),
    }
    found |= {f"pairs of {y}": collapse.month_pairs(scored, y).frame for y in panel.OUTCOMES}
    cohort = balance.describe(scored, spec)
    return found | {"balance": cohort.balance, "organizations": cohort.organizations}


def assert_equal(first: dict[str, pd.DataFrame], second: dict[str, pd.DataFrame]) -> None:
    """Every frame of two engines, value by value; whole numbers may come in another width."""
    assert list(first) == list(second)
    for name, frame in first.items():
        pd.testing.assert_frame_equal(second[name], frame, check_exact=True, check_dtype=False, obj=name)
