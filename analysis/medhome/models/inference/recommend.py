"""Which interval and p-value may be printed: fixed by the numbers and sizes of organisations, not by results.

The table of the few-clusters note (``docs/methods.md``, few treated organisations), from 4,000 simulated
studies a setting. False-alarm rates of every method come from ``definitions/inference/sizes.csv``, read for
the simulated setting that is nearest to the study's.
"""

from __future__ import annotations

import csv
import importlib.resources
from dataclasses import dataclass
from functools import cache

import numpy as np

ACCEPTED = (3.5, 6.5)
"""Rejections of a true null at 5% that count as right, in percent: the band of the simulation."""

FEWEST_COMPARISONS, FEWEST_BEFORE, FEWEST_AFTER = 8, 17, 12
ONE_IS_LARGE = 2.0
NO_5_PERCENT_RANK = 19

# How far a difference of one (in logarithms) in each feature moves a simulated setting away.
_DISTANCE = {"treated": 2.0, "size_ratio": 1.0, "comparisons": 0.5, "size_spread": 0.25}
_CONVENTIONAL = frozenset({"cr1_organization", "cr1_practice", "cr2", "wcr"})


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What decides the method: members are mean members a month of each organisation."""

    treated_members: tuple[float, ...]
    comparison_members: tuple[float, ...]
    months_before: int
    months_after: int

    @property
    def treated(self) -> int:
        return len(self.treated_members)

    @property
    def comparisons(self) -> int:
        return len(self.comparison_members)

    @property
    def size_ratio(self) -> float:
        """Mean treated over median comparison organisation."""
        return float(np.mean(self.treated_members) / np.median(self.comparison_members))

    @property
    def size_spread(self) -> float:
        """Largest over smallest comparison organisation."""
        return max(self.comparison_members) / min(self.comparison_members)

    @property
    def treated_is_larger(self) -> bool:
        return max(self.treated_members) > ONE_IS_LARGE * max(self.comparison_members)

    @property
    def simulated(self) -> bool:
        """Whether the simulations reach this far: comparisons, months before, months after."""
        return (
            self.comparisons >= FEWEST_COMPARISONS
            and self.months_before >= FEWEST_BEFORE
            and self.months_after >= FEWEST_AFTER
        )


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The headline's methods and how to read the others.

    interval, p_value: method ids (p_value is None where no p may be printed); rule: one plain sentence;
    nearest: the simulated setting, in words; never: methods that are no finding in this setting.
    """

    interval: str
    p_value: str | None
    rule: str
    nearest: str
    never: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Size:
    """How often a method rejects a true null at 5%, in percent, in the simulated setting named."""

    percent: float
    setting: str


def recommend(setting: Setting) -> Recommendation:
    """The methods for a study, by its numbers and sizes alone.

    >>> found = recommend(Setting(treated_members=(19_000,), comparison_members=(800, 1200, 2000, 3000) * 10,
    ...                           months_before=24, months_after=22))
    >>> found.interval, found.p_value, "cr2" in found.never
    ('re_panel', 'fp_recommended', True)
    """
    never: set[str] = set()
    if setting.treated <= 2:
        never |= _CONVENTIONAL
        if setting.size_ratio > ONE_IS_LARGE or setting.size_ratio < 1 / ONE_IS_LARGE:
            never |= {"ri_rank", "donald_lang"}
    elif setting.treated <= 5:
        never |= {"cr1_organization", "cr1_practice", "wcr", "welch"}
    else:
        never |= {"cr1_practice"}
    if 1 / (setting.comparisons + 1) > 0.05 and setting.treated == 1:
        never |= {"ri_rank"}
    if setting.treated == 1:
        size = (
            "more than twice as large as any comparison organisation"
            if setting.treated_is_larger
            else "smaller than the middle comparison organisation"
            if setting.size_ratio < 1
            else "at most twice as large as the largest comparison organisation"
        )
        who = f"one treated organisation, {size}"
    else:
        who = f"{setting.treated} treated organisations"
    nearest = size_in_simulation("re_panel", setting).setting
    if setting.simulated:
        p = (
            "its p-value is that of Ferman and Pinto's test with that model's variance; "
            f"false alarms are those simulated for {nearest}"
        )
    else:
        p = "no simulated setting is near enough for a p-value"
    return Recommendation(
        interval="re_panel",
        p_value="fp_recommended" if setting.simulated else None,
        never=frozenset(never),
        rule=f"with {who} and {setting.comparisons} to compare, the interval is that of the "
        f"organisation-month random-effects model; {p}",
        nearest=nearest,
    )


def size_in_simulation(method: str, setting: Setting) -> Size:
    """False alarms of a method in the nearest simulated setting that has it.

    Raises KeyError for a method that was not simulated.
    """
    at = {name: np.log(getattr(setting, name)) for name in _DISTANCE}
    candidates = [row for row in _sizes() if row["method"] == method]
    if not candidates:
        raise KeyError(f"method {method!r} was not simulated")
    nearest = min(
        candidates,
        key=lambda row: (
            sum(weight * abs(at[name] - np.log(float(row[name]))) for name, weight in _DISTANCE.items()),
            row["setting"],
        ),
    )
    return Size(percent=float(nearest["rejects_at_5_percent"]), setting=nearest["label"])


def right_size(percent: float) -> bool:
    """Whether a false-alarm rate counts as right."""
    return ACCEPTED[0] <= percent <= ACCEPTED[1]


@cache
def _sizes() -> tuple[dict[str, str], ...]:
    source = importlib.resources.files("medhome") / "definitions" / "inference" / "sizes.csv"
    return tuple(csv.DictReader(source.read_text(encoding="utf-8").splitlines()))
