"""Small counts among measures: few people with an event, all but few, and what another row gives away."""

from __future__ import annotations

import dataclasses
import math

import pandas as pd

from medhome.study.measure_results import Measures

KEYS = ["measure", "arm", "period"]
NESTED = (("follow_up_7", "follow_up_30"),)
"""Measures whose events are a part of another's: their difference is a count of people too."""


def release_measures(released: Measures, whole: Measures, floor: int) -> tuple[Measures, int]:
    """Withhold rates of few people, of all but few, and effects and composites that would give one away.

    Arguments
        released: small counts already withheld. whole: nothing withheld.

    Returns what may be shown, and how many counts were withheld further.
    """
    changed: dict[str, pd.DataFrame] = {}
    withheld = 0
    for name in ("rates", "gaps"):
        frame, full = getattr(released, name).copy(), getattr(whole, name)
        hidden = _hidden(full, floor)
        columns = [*Measures.COUNTS[name], *Measures.RESTING[name]]
        shown = int(frame["members_with"].notna().sum())
        frame = frame.astype(dict.fromkeys(columns, "float64"))
        frame.loc[hidden, columns] = math.nan
        withheld += shown - int(frame["members_with"].notna().sum())
        changed[name] = frame
    closed = set(changed["gaps"].loc[changed["gaps"]["rate"].isna(), "measure"])
    told = set(changed["rates"].loc[changed["rates"]["rate"].isna(), "measure"])
    whole_closed = set(whole.gaps.loc[whole.gaps["rate"].isna(), "measure"])
    whole_told = set(whole.rates.loc[whole.rates["rate"].isna(), "measure"])
    without = (closed - whole_closed) | (told - whole_told)
    effects = released.effects.copy()
    columns = [*Measures.COUNTS["effects"], *Measures.RESTING["effects"]]
    effects = effects.astype(dict.fromkeys(columns, "float64"))
    mine = effects["measure"].isin(without) & effects["members_treated"].notna()
    withheld += int(mine.sum())
    effects.loc[effects["measure"].isin(without), columns] = math.nan
    return dataclasses.replace(released, **changed, effects=effects), withheld


def _hidden(full: pd.DataFrame, floor: int) -> pd.Series:
    """Rows to be withheld: few people in the denominator, with an event, or without one.

    Where a row is a share, its denominator counts people of each year, gaps, discharges or fills, and a
    reader subtracts: 18 of 19 gaps closed leave one person's open.
    """
    members, with_event = full["members"].astype(float), full["members_with"].astype(float)
    hide = _few(members, floor) | _few(with_event, floor) | _few(members - with_event, floor)
    shares = full["unit"] == "share" if "unit" in full else pd.Series(True, index=full.index)
    had, of = full["events"].astype(float), full["denominator"].astype(float)
    hide |= shares & (_few(of, floor) | _few(had, floor) | _few(of - had, floor))
    for part, all_of in NESTED:
        some = full[full["measure"] == part].set_index(KEYS[1:])["members_with"]
        for row in full.index[full["measure"] == all_of]:
            place = tuple(full.loc[row, KEYS[1:]])
            if place in some.index and 0 < full.loc[row, "members_with"] - some[place] < floor:
                hide[row] = True
    for row in full.index[full["measure"].str.startswith("composite_")]:
        parts = full["family"] == full.loc[row, "family"]
        parts &= (full["arm"] == full.loc[row, "arm"]) & (full["period"] == full.loc[row, "period"])
        if hide[parts].any():
            hide[row] = True
    return hide


def _few(count: pd.Series, floor: int) -> pd.Series:
    # Weighted shares can miss a whole number by a rounding error.
    return (count > 1e-9) & (count < floor - 1e-9)
