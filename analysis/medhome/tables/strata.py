"""How many members of each kind are in each arm, and what do they cost?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from medhome.study.cells import Cells, Rows
from medhome.study.population_choices import SPECIAL_CATEGORIES, STRATA
from medhome.study.spec import StudySpec
from medhome.tables.arms import ARMS

OUTCOME = "allowed_capped"
_BY = ["arm", "stratum", "period"]


def by_arm(cells: Cells, rows: Rows, spec: StudySpec) -> pd.DataFrame:
    """Members, member-months and cost of adults, children, infants and special categories, by arm and period.

    Arguments
        cells: practice-months of the study. rows: its members' periods, whose number the cells do not hold.

    One row per arm, stratum and period with exposure: ``Cohort.strata``. Strata are those of the first month
    of the baseline (`docs/methods.md`, infants), so nobody changes stratum between periods; members of both
    periods count in each. Exact: sums of whole numbers, divided once.
    """
    before = cells.frame["month"].to_numpy(dtype=int) < spec.periods.baseline.end
    summed = cells.relabel(period=np.where(before, "baseline", "performance").tolist()).by(*_BY)
    members = rows.frame.groupby(_BY)["w"].size().rename("members")
    found = summed.frame[_BY].assign(member_months=summed.member_months, pmpm=summed.mean(OUTCOME))
    found = found.join(members, on=_BY)
    total = found.groupby(["arm", "period"])["member_months"].transform("sum")
    found["share"] = found["member_months"] / total
    order = {name: i for i, name in enumerate((*ARMS, *reversed(STRATA), *SPECIAL_CATEGORIES))}
    found = found.sort_values(_BY, key=lambda column: column.map(order).fillna(len(order)), kind="stable")
    return found[[*_BY, "members", "member_months", "share", "pmpm"]].reset_index(drop=True)
