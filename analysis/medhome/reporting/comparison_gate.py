"""What exhibit T2 withholds stays withheld beside the weights."""

from __future__ import annotations

import dataclasses
import math

from medhome.study.comparison_results import ComparisonGroup
from medhome.study.results import Cohort


def release_comparison(found: ComparisonGroup, cohort: Cohort) -> tuple[ComparisonGroup, int]:
    """Means, differences and ratios only where the cohort page has the mean of both arms.

    Arguments
        cohort: as released. Returns the part, and how many cells were withheld.
    """
    if found.balance.empty:
        return found, 0
    told = cohort.balance.set_index("characteristic")[["treated", "comparison"]].notna().all(axis=1)
    hide = ~found.balance["characteristic"].map(told).fillna(False).astype(bool)
    columns = [c for c in found.balance.columns if found.balance[c].dtype.kind == "f"]
    further = int(found.balance.loc[hide, columns].notna().sum().sum())
    balance = found.balance.copy()
    balance.loc[hide, columns] = math.nan
    return dataclasses.replace(found, balance=balance), further
