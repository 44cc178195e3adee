"""Does the change from ICD-9 to ICD-10 lie in the look-back, and what does it do to the conditions seen?

Claims of the United States are coded in ICD-10-CM from 1 October 2015 (45 CFR 162.1002(c)). Condition groups
of the two systems take in different people, so that a look-back on both sides of the change finds other sick
people than one on one side.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.periods import month_index
from medhome.study.spec import StudySpec
from medhome.tables.conditions import groups_of, standing_codes
from medhome.tables.engine import fetch

CHANGE = month_index("2015-10")
COLUMNS = ("arm", "month", "system", "score_pmpm")


def by_month(
    inputs: dict[str, Table], members: Table, coefficients: Mapping[str, float], spec: StudySpec
) -> pd.DataFrame:
    """What would the conditions coded in one month of the look-back say that a member costs?

    Arguments
        members: the panel's members: ``person_key``, ``person_id``, ``arm``.
        coefficients: the frozen cost model: term to cents PMPM.

    One row per arm and month of the look-back: ``system`` (that of most codes of the month), ``score_pmpm``
    (dollars: coefficients of the conditions coded in the month, over all members of the arm). No rows where
    the look-back does not span the change, or the model has no conditions.
    """
    last = spec.periods.baseline.first - 1
    first = spec.periods.baseline.first - spec.risk.lookback_months
    if spec.risk.model != "age-sex-conditions" or not first < CHANGE <= last:
        return pd.DataFrame({name: [] for name in COLUMNS})
    standing = standing_codes(inputs, spec, by=("person_id", "month", "system", "code"))
    keyed = standing.join(members.select("person_key", "person_id", "arm"), "person_id")
    coded = fetch(
        keyed.group_by("arm", "month", "system").aggregate(codes=_.count()).order_by("arm", "month", "system")
    )
    grouped = keyed.join(groups_of(standing), ["system", "code"])
    people = fetch(
        grouped.group_by("arm", "month", "condition_id")
        .aggregate(people=_.person_key.nunique())
        .order_by("arm", "month", "condition_id")
    )
    sizes = fetch(members.group_by("arm").aggregate(n=_.count()).order_by("arm")).set_index("arm")["n"]
    worth = people["condition_id"].map(lambda c: coefficients.get(f"condition:{c}", 0.0)).astype(float)
    sums = people.assign(cents=worth * people["people"]).groupby(["arm", "month"])["cents"].sum()
    rows = []
    for arm, n in sizes.items():
        mine = coded[coded["arm"] == arm]
        for month in range(first, last + 1):
            systems = mine[mine["month"] == month].sort_values(["codes", "system"])
            rows.append(
                {
                    "arm": arm,
                    "month": month,
                    "system": str(systems["system"].iloc[-1]) if len(systems) else "",
                    "score_pmpm": float(sums.get((arm, month), 0.0)) / int(n) / 100,
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))
