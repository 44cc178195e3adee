"""Use of care and quality in sentences: what moved, by how much, and what could not be measured."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medhome.reporting.datatable import records
from medhome.study.display import absent, count, interval, listed, number, p_value, share
from medhome.study.measure_results import Measures

FAMILIES = {
    "utilisation": "Use of care",
    "preventive": "Preventive care",
    "chronic": "Chronic care",
    "medication": "Medication",
    "closure": "Gaps in care that were closed",
}
LEVEL = 0.05


def of_family(frame: pd.DataFrame, family: str) -> pd.DataFrame:
    """The rows of one family, in order."""
    return frame[frame["family"] == family].reset_index(drop=True)


def value(row: Any, name: str) -> str:
    """A rate or an effect in its own unit: per 1,000 member-years, a share in percent, or a mean."""
    return written(row[name], row["unit"])


def written(number_: Any, unit: str) -> str:
    """A number in the unit of its measure.

    >>> written(0.1234, "share"), written(104.06, "per_1000"), written(20.37, "mean")
    ('12.3%', '104.1', '20.4')
    """
    return share(number_) if unit == "share" else number(number_, 1)


def effect_value(row: Any, name: str) -> str:
    """An effect in its own unit; of a share, in percentage points."""
    scaled = row[name] * 100 if row["unit"] == "share" and not absent(row[name]) else row[name]
    return number(scaled, 1)


def effect_interval(row: Any) -> str:
    """The 95% interval of an effect in its own unit."""
    factor = 100 if row["unit"] == "share" else 1
    if absent(row["lo95"]) or absent(row["hi95"]):
        return interval(None, None, number)
    return interval(row["lo95"] * factor, row["hi95"] * factor, lambda v: number(v, 1))


UNITS = {"per_1000": "per 1,000 member-years", "share": "percentage points", "mean": "mean"}


def family_in_words(found: Measures, family: str) -> str:
    """How many effects of a family were estimated, and which differ from none once all are counted."""
    return effects_in_words(FAMILIES[family], records(of_family(found.effects, family)), "measure")


def effects_in_words(name: str, rows: list[dict[str, Any]], noun: str) -> str:
    """How many effects were estimated, and which differ from none once all are counted."""
    known = [row for row in rows if not absent(row["estimate"])]
    if not known:
        return f"{name}: no effect could be estimated, or all are withheld."
    tested = [row for row in known if not absent(row["p_holm"])]
    moved = [row for row in tested if row["p_holm"] < LEVEL]
    counted = f"{name}: {_many(len(known), noun)} could be estimated."
    if not tested:
        return f"{counted} With so few organisations none has a p-value."
    if not moved:
        return (
            f"{counted} Allowing for how many were tested, no {noun} differs from no effect (smallest "
            f"p-value after Holm {p_value(min(row['p_holm'] for row in tested))})."
        )
    said = listed([one_in_words(row) for row in moved])
    return f"{counted} Allowing for how many were tested (Holm), {said}."


def one_in_words(row: Any) -> str:
    """One effect: by how much, in which direction, with its interval.

    >>> one_in_words({"label": "Eye exam", "unit": "share", "estimate": 0.05, "lo95": 0.01, "hi95": 0.09})
    'Eye exam rose by 5.0 percentage points (95% interval 1.0 to 9.0)'
    """
    size = effect_value({**row, "estimate": abs(row["estimate"])}, "estimate")
    verb = "rose" if row["estimate"] > 0 else "fell"
    unit = UNITS[row["unit"]] if row["unit"] != "mean" else row.get("of", "")
    return f"{row['label']} {verb} by {size} {unit}".rstrip() + f" (95% interval {effect_interval(row)})"


def unknown_in_words(found: Measures) -> str:
    """How many measures the input does not let be known."""
    if found.unknown.empty:
        return "Every measure of the study could be known from its input."
    return (
        f"Not known from this input: {_many(len(found.unknown))}, listed with the reason at the end of the "
        "page and in no table above it."
    )


def gaps_together(found: Measures) -> dict[str, tuple[float, float]]:
    """Gaps of the program's members open and closed, by period, over the measures that are shown."""
    rows = [r for r in records(found.gaps) if r["arm"] == "treated" and not absent(r["denominator"])]
    rows = [r for r in rows if not r["measure"].startswith("composite_")]
    sums = {}
    for period in ("baseline", "performance"):
        mine = [r for r in rows if r["period"] == period]
        opened = sum(r["denominator"] for r in mine)
        if opened:
            sums[period] = (opened, sum(r["events"] for r in mine))
    return sums


def closure_in_words(found: Measures) -> str:
    """How many gaps in care were open, and the share that was closed, in the program."""
    sums = gaps_together(found)
    if not sums:
        return (
            "No gaps in care could be followed: look-back before a first year is missing, or counts "
            "are small."
        )
    words = {"baseline": "before the start", "performance": "after it"}
    parts = [
        f"{words[period]} {count(shut)} of {count(opened)} ({share(shut / opened)})"
        for period, (opened, shut) in sums.items()
    ]
    return (
        "A gap is open when a member who is due a service has not had it by the first day of a year; "
        "it is closed "
        f"when the service is given in that year. In the program, {listed(parts)} were closed."
    )


def _many(measures: int, noun: str = "measure") -> str:
    return f"{count(measures)} {noun}" + ("" if measures == 1 else "s")
