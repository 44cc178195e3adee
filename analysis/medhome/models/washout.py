"""What would the effect be with the first months of the program left out?

A program works by degrees: practices sign up, hire and change how they book visits. Months of that kind can
be left out (`docs/methods.md`, washout sensitivity); this shows what the choice does to the effect.
"""

from __future__ import annotations

import pandas as pd

from medhome.models.did import OUTCOME
from medhome.models.linear_effects import NUMBERS, effect_on
from medhome.study.cells import Cells, MonthPairs
from medhome.study.problems import ModelRefusal
from medhome.study.spec import StudySpec

MONTHS_LEFT_OUT = (0, 6, 12)
"""Months of implementation that are left out, beside the study's own washout."""


def washout(cells: Cells, pairs: MonthPairs, spec: StudySpec) -> pd.DataFrame:
    """The effect with months after the start left out, with an interval of the headline's kind.

    Arguments
        cells: practice-months of the months analysed. pairs: cross-products of members' months of the
            outcome.

    Exact: the same two-way model on the cells of the months that are left. One row for the study's own
    washout, which gives the headline, and one for each longer one of `MONTHS_LEFT_OUT`: the columns of
    `medhome.study.washout_results.Washout.grid`. Where the choice leaves nothing to estimate, ``why`` says
    so.
    """
    own, start = spec.periods.washout_months, spec.periods.start_month
    month = cells.frame["month"].to_numpy(dtype=int)
    before = month < spec.periods.baseline.end
    analysed = cells.where(before | (month >= spec.periods.performance.first))
    records = []
    for left_out in sorted({own, *(m for m in MONTHS_LEFT_OUT if m > own)}):
        first = start + left_out
        after = max(spec.periods.performance.end - first, 0)
        found, why = dict.fromkeys(NUMBERS, float("nan")), ""
        if not after:
            why = "no month is left"
        else:
            seen = analysed.frame["month"].to_numpy(dtype=int)
            kept = analysed.where((seen < spec.periods.baseline.end) | (seen >= first))
            try:
                found = effect_on(kept, OUTCOME, pairs, spec, first)
            except ModelRefusal as refusal:
                why = str(refusal)
        records.append(
            {"months_left_out": left_out, "months_after": after, **found}
            | {"declared": left_out == own, "why": why}
        )
    return pd.DataFrame(records)

