"""Satisfaction and access in sentences: what moved, what answers were adjusted for, which are left out."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medhome.reporting.datatable import records
from medhome.reporting.measure_words import effects_in_words, written
from medhome.study.display import absent, count, interval, listed, number
from medhome.study.survey_results import Surveys

NOT_ASKED = "This study evaluates no survey ([surveys] of its study file)."
NO_TABLE = "The input has no survey table: satisfaction and access are not known in this study."
NO_ANSWER = "The survey table has no answer that can be used."
_ADJUSTERS = {
    "age": "age",
    "female": "sex",
    "health": "self-rated health",
    "risk": "expected cost at baseline",
    "mode": "mode of the answer",
}
_FINE = 1_000


def about(row: Any) -> str:
    """What stands under an item's name: its instrument, and what it is.

    >>> about({"instrument_label": "Patient experience", "part": "composite", "of": ""})
    'Patient experience, composite'
    """
    told = row["of"] or ("composite" if row["part"] == "composite" else "")
    return ", ".join(filter(None, [row["instrument_label"], told]))


def rate(row: Any, name: str) -> str:
    """A share in percent, an amount in its own unit.

    >>> rate({"x": 0.5, "unit": "share"}, "x"), rate({"x": 8.25, "unit": "mean"}, "x")
    ('50.0%', '8.3')
    """
    if row["unit"] == "share":
        return written(row[name], "share")
    return _amount(row[name])


def effect(row: Any) -> str:
    """An effect: percentage points of a share, or an amount."""
    return _points(row["estimate"], row["unit"])


def effect_interval(row: Any) -> str:
    """The 95% interval of an effect, in the unit of the effect."""
    if absent(row["lo95"]) or absent(row["hi95"]):
        return interval(None, None, number)
    return interval(row["lo95"], row["hi95"], lambda v: _points(v, row["unit"]))


def _points(value: Any, unit: str) -> str:
    return _amount(value) if unit != "share" or absent(value) else number(100 * value, 1)


def _amount(value: Any) -> str:
    fine = absent(value) or abs(value) < _FINE
    return number(value, 1 if fine else 0)


def moved(found: Surveys) -> list[str]:
    """A sentence for each instrument: how many items were estimated, and which moved."""
    names = _labels(found)
    return [
        effects_in_words(names[str(family)], records(rows.reset_index(drop=True)), "score")
        for family, rows in found.effects.groupby("family", sort=False)
    ]


def adjusted(found: Surveys) -> str:
    """What answers were adjusted for, by instrument.

    >>> adjusted(Surveys())
    ''
    """
    told = []
    for row in records(found.case_mix):
        used = [u.split(" ")[0] for u in str(row["adjusters"]).split(", ") if u]
        words = [text for key, text in _ADJUSTERS.items() if key in used]
        if words:
            told.append(f"{row['label']} is shown as if all arms and waves were alike in {listed(words)}.")
        elif row["note"]:
            told.append(f"{row['label']}: {row['note']}.")
    return " ".join(told)


def left_out(found: Surveys) -> str:
    """How many answers are not used, and why."""
    rows = [row for row in records(found.left_out) if not absent(row["answers"])]
    if found.left_out.empty:
        return "Every answer of the table is used."
    if not rows:
        return "Some answers are not used; their numbers are small and are withheld."
    by_reason: dict[str, float] = {}
    for row in rows:
        by_reason[row["why"]] = by_reason.get(row["why"], 0) + row["answers"]
    said = [f"{count(n)} ({why[0].lower()}{why[1:]})" for why, n in by_reason.items()]
    return f"Answers that are not used: {listed(said)}."


def with_instruments(frame: pd.DataFrame, found: Surveys, key: str) -> pd.DataFrame:
    """Rows with the label of their instrument as ``instrument_label``."""
    return frame.assign(instrument_label=frame[key].map(_labels(found)).astype("str"))


def _labels(found: Surveys) -> dict[str, str]:
    return dict(zip(found.responses["instrument"], found.responses["label"], strict=True))
