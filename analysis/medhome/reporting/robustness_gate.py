"""Small counts among the units left out: what the cohort page withholds stays withheld here."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pandas as pd

from medhome.study.results import Cohort
from medhome.study.robustness_results import Robustness

PRACTICE = ", practice "
"""Stands between an organisation's neutral name and the number of its practice."""


def release_robustness(released: Robustness, cohort: Cohort) -> tuple[Robustness, int]:
    """Numbers of members only where the cohort page has them, and of practices for whole organisations.

    Arguments
        released: small counts already withheld. cohort: as released.

    An organisation's members less those of its other practices are a practice's, so that one small practice
    takes the numbers of the others of its organisation with it. Returns the part, and how many cells were
    withheld further.
    """
    told = cohort.organizations.set_index("label")["members"].astype("float64")
    changed: dict[str, Any] = {}
    further = 0
    for name in ("organizations", "placebo_arm"):
        frame = getattr(released, name).copy()
        hide = frame["members"].notna() & frame["label"].map(told).isna()
        frame["members"] = frame["members"].astype("float64").mask(hide)
        changed[name], further = frame, further + int(hide.sum())
    practices = released.practices.astype({"members": "float64"})
    hide = practices["members"].notna() & untold_practices(practices, cohort)
    practices.loc[hide, "members"] = math.nan
    changed["practices"] = practices
    return dataclasses.replace(released, **changed), further + int(hide.sum())


def untold_practices(practices: pd.DataFrame, cohort: Cohort) -> pd.Series:
    """Practices of organisations of which a practice, or the whole, is withheld: their numbers would tell it.

    Arguments
        practices: ``label`` ("Comparison 07, practice 02") and ``members``, small ones missing. cohort: as
            released.
    """
    told = cohort.organizations.set_index("label")["members"].astype("float64")
    owner = practices["label"].astype(str).str.split(PRACTICE).str[0]
    return owner.isin(set(owner[practices["members"].isna()])) | owner.map(told).isna()
