"""What would the effect be without each of the largest employer groups?"""

from __future__ import annotations

from typing import Any

import pandas as pd

from medhome.models.did import OUTCOME
from medhome.models.linear_effects import NUMBERS, effect_on
from medhome.study.cells import Cells, MonthPairs
from medhome.study.employer_results import EmployerCells, Employers
from medhome.study.problems import ModelRefusal
from medhome.study.spec import StudySpec


def without_each(groups: EmployerCells, cells: Cells, pairs: MonthPairs, spec: StudySpec) -> Employers:
    """The effect without each employer group, with an interval of the headline's kind.

    Arguments
        groups: member-months of the groups. cells: those of the whole study. pairs: cross-products of
            members' months of the outcome, of the whole study: how one member's months vary together is
            learnt from everyone.

    Exact: cells are sums, so those without a group are the study's less the group's. Attribution, cost model
    and cap stay those of the study. Where a group leaves nothing to estimate, ``why`` says so.
    """
    if groups.cells is None:
        return Employers()
    records: list[dict[str, Any]] = []
    for group in groups.groups.to_dict("records"):
        own = groups.cells.where((groups.cells.frame["group_id"] == group["group_id"]).to_numpy())
        left = cells.without(own.by(*cells.keys))
        found, why = dict.fromkeys(NUMBERS, float("nan")), ""
        comparisons = left.frame.loc[left.frame["arm"] == "comparison", "organization_id"].nunique()
        if comparisons < 2:
            why = "fewer than 2 comparison organisations are left"
        else:
            try:
                found = effect_on(left, OUTCOME, pairs, spec, spec.periods.performance.first)
            except ModelRefusal as refusal:
                why = str(refusal)
        records.append({str(k): v for k, v in group.items()} | {**found, "why": why})
    return Employers(grid=pd.DataFrame(records))
