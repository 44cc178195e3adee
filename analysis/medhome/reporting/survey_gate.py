"""Small counts among answers: few respondents, few or all but few in the top box, and what gives one away."""

from __future__ import annotations

import dataclasses
import math

import pandas as pd

from medhome.study.survey_results import Surveys

_WAVE = ["instrument", "arm", "period"]


def release_surveys(released: Surveys, whole: Surveys, floor: int) -> tuple[Surveys, int]:
    """Withhold items of few respondents or answers, and composites, effects and counts that would tell them.

    Arguments
        released: small counts already withheld. whole: nothing withheld.

    Respondents are counted alike whether they are members, clinicians or practices. Returns what may be
    shown, and how many rows were withheld further.
    """
    items, hidden = _items(released.items, whole, floor)
    gone = set(zip(whole.items["instrument"][hidden], whole.items["measure"][hidden], strict=True))
    effects = released.effects.astype(dict.fromkeys(_all("effects"), "float64"))
    pairs = zip(effects["family"], effects["measure"], strict=True)
    mine = pd.Series([pair in gone for pair in pairs], index=effects.index, dtype=bool)
    withheld = int((mine & effects["members_treated"].notna()).sum())
    withheld += int(items["rate"].isna().sum() - released.items["rate"].isna().sum())
    effects.loc[mine, _all("effects")] = math.nan
    responses = released.responses.astype({"response_share": "float64"})
    silent = whole.responses["invited"] - whole.responses["members"]
    few = _few(silent, floor) | _few(whole.responses["invited"], floor)
    withheld += int((few & responses["response_share"].notna()).sum())
    responses.loc[few, ["invited", "response_share"]] = math.nan
    return dataclasses.replace(released, items=items, effects=effects, responses=responses), withheld


def _items(shown: pd.DataFrame, whole: Surveys, floor: int) -> tuple[pd.DataFrame, pd.Series]:
    """`Surveys.items` as it may be shown, and the rows of which nothing may."""
    full = whole.items
    members, top = full["members"].astype(float), full["members_with"].astype(float)
    hide = _few(members, floor) | _few(top, floor) | _few(members - top, floor)
    # A composite is a mean of its items: with one of them withheld, it and the others would tell it.
    of_items = hide & (full["part"] == "item") & (full["unit"] == "share")
    waves = set(full.loc[of_items, _WAVE].itertuples(index=False, name=None))
    composite = full["part"] == "composite"
    hide |= composite & pd.Series(
        [wave in waves for wave in full[_WAVE].itertuples(index=False, name=None)],
        index=full.index,
        dtype=bool,
    )
    items = shown.astype(dict.fromkeys(_all("items"), "float64"))
    items.loc[hide, _all("items")] = math.nan
    # Respondents less those who answered an item: how many left it out.
    answered = whole.responses.set_index(_WAVE)["members"]
    asked = [answered.get(w, math.nan) for w in full[_WAVE].itertuples(index=False, name=None)]
    nested = _few(pd.Series(asked, index=full.index, dtype=float) - members, floor)
    items.loc[nested, ["members", "members_with"]] = math.nan
    return items, hide


def _all(name: str) -> list[str]:
    return [*Surveys.COUNTS[name], *Surveys.RESTING[name]]


def _few(count: pd.Series, floor: int) -> pd.Series:
    return (count > 0) & (count < floor)
