"""Whether the change of diagnosis codes moves the risk score: a jump between months before and after."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from medhome.study.display import listed, share
from medhome.study.periods import month_index
from medhome.study.results import Check
from medhome.study.spec import StudySpec

CHANGE = month_index("2015-10")
"""45 CFR 162.1002(c): ICD-10-CM on claims of services from 1 October 2015."""
LARGEST_JUMP = 0.10
"""A jump of the score beyond a tenth is no change of health from one quarter to the next."""

_ARMS = {"treated": "treated", "comparison": "comparison"}


def jumps(coded: pd.DataFrame) -> dict[str, float]:
    """By arm, by how much the mean monthly score of the months in ICD-10 is above that of those in ICD-9.

    Arguments
        coded: one row per arm and month: ``system``, ``score_pmpm``.

    Shares of the score before the change; an arm without months of both systems, or without a score before,
    is left out.

    >>> systems = ["icd-9-cm", "icd-10-cm"]
    >>> jumps(pd.DataFrame({"arm": "treated", "system": systems, "score_pmpm": [50.0, 40.0]}))
    {'treated': -0.2}
    """
    found = {}
    for arm in _ARMS:
        mine = coded[coded["arm"] == arm]
        before = mine.loc[mine["system"] == "icd-9-cm", "score_pmpm"]
        after = mine.loc[mine["system"] == "icd-10-cm", "score_pmpm"]
        if len(before) and len(after) and before.mean() > 0:
            found[arm] = float(after.mean() / before.mean() - 1)
    return found


def code_systems(coded: pd.DataFrame, spec: StudySpec) -> Iterator[Check]:
    """The check on the change of codes, where it lies inside the study or its look-back."""
    found = jumps(coded) if len(coded) else {}
    if found:
        parts = [f"{share(value)} in the {_ARMS[arm]} arm" for arm, value in found.items()]
        yield Check(
            id="code-systems",
            passed=max(abs(value) for value in found.values()) <= LARGEST_JUMP,
            front_page=True,
            sentence="Diagnoses change from ICD-9 to ICD-10 inside the look-back: with the change, the score "
            f"of the conditions coded in a month moves by {listed(parts)}.",
        )
    elif spec.risk.model == "age-sex-conditions" and CHANGE in spec.periods.analysed:
        yield Check(
            id="code-systems",
            passed=None,
            sentence="Diagnoses change from ICD-9 to ICD-10 inside the months analysed; the cost model and "
            "its scores were frozen before and do not move with it.",
        )
