"""Satisfaction as a picture: the share of best answers that was expected, and the one that was given."""

from __future__ import annotations

import pandas as pd

from medhome.reporting import survey_exhibits as exhibits
from medhome.reporting.drawing import Figure
from medhome.reporting.measure_figures import dumbbells, expected_and_actual
from medhome.reporting.study_words import arm_label
from medhome.study.spec import StudySpec
from medhome.study.survey_results import Surveys


def drawn(found: Surveys) -> pd.DataFrame:
    """The rows that the figure shows: shares with an effect."""
    rows = found.effects
    return rows[(rows["unit"] == "share") & rows["estimate"].notna()].reset_index(drop=True)


def effects(found: Surveys, spec: StudySpec) -> Figure:
    """Expected and actual share of answers in the top box, of each item and composite that is a share."""
    frame = drawn(found)
    ends = expected_and_actual(frame, pd.Series(100.0, index=frame.index))
    return Figure(
        id="fig-surveys",
        title="Best answers: expected and actual",
        subtitle=f"{arm_label('treated', spec)}, after the start; in % of answers; line: 95% interval of "
        "expected",
        note="",
        description="For each item a line for the interval of what was expected, a ring for the expected and "
        "a filled mark for the actual share of answers in the top box.",
        draw=lambda width: dumbbells(width, frame["label"], ends),
        table=exhibits.effects(found, spec),
        drawn=("estimate",),
    )
