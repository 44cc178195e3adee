"""Which rows can take part in a regression on waves, and who stands for the untreated?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medhome.study.panel_data import NEVER, PanelData
from medhome.study.problems import ModelRefusal

MOST_NUMBERS = 4e8


@dataclass(frozen=True)
class WaveRows:
    """keep: (N,) rows that take part. first: (N,) first treated times, `NEVER` for who is compared with.
    reference: the base time of each wave, the last one before its start less anticipation. cells of waves
    and times follow from them. last_wave: whether the last wave is the comparison."""

    keep: np.ndarray
    first: np.ndarray
    reference: dict[float, float]
    warnings: tuple[str, ...]
    last_wave: bool = False

    @property
    def waves(self) -> np.ndarray:
        return np.array(sorted(self.reference))


def wave_rows(data: PanelData, anticipation: float = 0) -> WaveRows:
    """Rows without units that are treated from the first time on and, where nobody is never treated, before
    the last wave starts: that wave is then the comparison. Refuses when no wave has a time before it."""
    if len(data.cohorts) == 0:
        raise ModelRefusal(f"no {data.unit_name} is treated at a time that the data hold")
    first = np.where(data.group, data.first_treated, NEVER)
    warnings = []
    early = first <= data.times[0] + anticipation
    if early.any():
        count = len(np.unique(data.unit[early]))
        warnings.append(f"{count} units treated from the first time on have no time before and are left out")
    keep = ~early
    last_wave = not (first[keep] == NEVER).any()
    if last_wave:
        last = data.cohorts[-1]
        keep &= data.times[data.time] < last - anticipation
        first = np.where(first == last, NEVER, first)
        warnings.append(
            f"nobody is never treated: the wave {last:g} is the comparison, and rows from its start on are "
            "left out"
        )
    waves = np.unique(first[keep & np.isfinite(first)])
    waves = np.array([g for g in waves if (data.times[data.time[keep]] >= g).any()])
    if len(waves) == 0:
        raise ModelRefusal(
            f"no pre-period: no {data.unit_name} has a time before its treatment and one after it beside "
            "units that are untreated at both"
        )
    reference = {float(g): float(data.times[data.times + anticipation < g][-1]) for g in waves}
    one = [f"{g:g}" for g in reference if (data.times + anticipation < g).sum() == 1]
    if one:
        warnings.append(f"one pre-period for the wave {', '.join(one)}: its pre-trend cannot be tested")
    for g in reference:
        if len(np.unique(data.unit[first == g])) == 1:
            warnings.append(f"wave {g:g} is one unit: no error clustered by unit can hold its own variation")
    return WaveRows(keep, first, reference, tuple(warnings), last_wave)


def check_size(rows: int, columns: int, what: str) -> None:
    """Refuses a dense design that would not fit in the memory of a small machine."""
    if rows * columns > MOST_NUMBERS:
        raise ModelRefusal(
            f"{what}: {rows:,} rows by {columns:,} columns need {rows * columns * 8 / 1e9:.0f} GB; take "
            "sums by practice and month first, or callaway_santanna, which needs no such table"
        )
