"""Small counts among waves: a wave of few members is not told of, nor what would give it away."""

from __future__ import annotations

import dataclasses
import math

import pandas as pd

from medhome.reporting.selection_gate import withhold_further
from medhome.study.wave_results import Waves

_NUMBERS = (*Waves.RESTING["effects"], "members")


def release_waves(released: Waves, whole: Waves, floor: int) -> tuple[Waves, int]:
    """Withhold everything of a wave with few members, and of the next smallest one.

    Arguments
        released: small counts already withheld. whole: nothing withheld.

    Averages over waves less those of the other waves are the last one's: so at least two waves are withheld,
    or none. Returns what may be shown, and how many rows were withheld further.
    """
    if whole.waves.empty or not released.waves["members"].isna().any():
        return released, 0
    frame, further = withhold_further(
        released.waves.assign(all=1), whole.waves.assign(all=1), ["all"], Waves.RESTING["waves"], floor
    )
    hidden = set(frame.loc[frame["members"].isna(), "wave"].astype(int))
    effects, averages, comparisons = (
        getattr(released, n).copy() for n in ("effects", "averages", "comparisons")
    )
    further += _hide(effects, effects["wave"].isin(hidden), _NUMBERS)
    own = (averages["kind"] == "group") & averages["first_month"].isin(hidden)
    further += _hide(averages, own, _NUMBERS)
    mine = comparisons["treated"].isin(hidden) | comparisons["compared_with"].isin(hidden)
    further += _hide(comparisons, mine, ("estimate", "weight"))
    return dataclasses.replace(
        released,
        waves=frame.drop(columns="all"),
        effects=effects,
        averages=averages,
        comparisons=comparisons,
    ), further


def _hide(frame: pd.DataFrame, rows: pd.Series, columns: tuple[str, ...]) -> int:
    """Make these rows missing. Returns how many were shown before."""
    shown = int(frame.loc[rows, columns[0]].notna().sum())
    for column in columns:
        frame[column] = frame[column].astype("float64").mask(rows, math.nan)
    return shown
