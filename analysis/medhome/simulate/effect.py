"""The injected effect: which events the program touches, and the factor of their cost.

The effect scales all care of a member's program year that costs no more than the ceiling, so that an annual
cap above the ceiling leaves the effect as it is; very high cost is out of the program's reach. Where the
program starts in waves, each wave has its own effect in each quarter since its start, and so its own factor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from medhome.simulate import costs
from medhome.simulate.costs import CostPlan, Events
from medhome.simulate.members import Members
from medhome.simulate.providers import Providers
from medhome.simulate.world import WorldSettings
from medhome.study.problems import StudyFileError

_SMALLEST_FACTOR = 0.05
_Planned = tuple[Members, CostPlan]
_Ordered = Callable[[Callable[[int], Any], Iterable[int]], Iterator[Any]]


@dataclass(frozen=True, kw_only=True)
class TreatedChunk:
    """Events of a chunk with member-months in the program, one entry each.

    applies: the effect scales it; measured: a cohort member's, in the program; group: the wave and quarter
    (0 throughout where there are no waves).
    """

    events: Events
    applies: np.ndarray
    measured: np.ndarray
    group: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Effect:
    """The effect of a world: chunks with treated events, and by group the factor of cost.

    factors (G,); months (G,) the cohort's treated member-months; change_usd (G,) wanted over them; reach_usd
    (G,) cost that the effect may scale; pmpm_usd: over all treated member-months.
    """

    chunks: dict[int, TreatedChunk]
    factors: np.ndarray
    months: np.ndarray
    change_usd: np.ndarray
    realised_usd: np.ndarray
    reach_usd: np.ndarray

    @property
    def pmpm_usd(self) -> float:
        return float(self.change_usd.sum()) / max(1.0, float(self.months.sum()))

    @property
    def factor(self) -> float:
        """Of all cost within reach together."""
        if len(self.factors) == 1:
            return float(self.factors[0])
        reach = float(self.reach_usd.sum())
        return 1 + float(self.change_usd.sum()) / reach if reach else 1.0

    def factor_of(self, chunk: TreatedChunk) -> np.ndarray:
        """What each event's cost is multiplied by."""
        return np.where(chunk.applies, self.factors[chunk.group], 1.0)

    def by_wave(self, world: WorldSettings) -> list[dict[str, Any]]:
        """One row for each wave and quarter under the program; none where there are no waves."""
        quarters = _quarters(world)
        return [
            {
                "start": wave.start,
                "quarter": quarter,
                "effect_pmpm_usd": wave.effect(quarter),
                "effect_realised_pmpm_usd": round(float(self.realised_usd[g] / self.months[g]), 6),
                "member_months": int(self.months[g]),
            }
            for number, wave in enumerate(world.waves)
            for quarter in range(quarters)
            if self.months[g := number * quarters + quarter] > 0
        ]


def find_effect(
    world: WorldSettings,
    providers: Providers,
    planned: list[_Planned],
    ordered: _Ordered,
    scale: np.ndarray,
) -> Effect:
    """Draw the events of chunks with treated member-months, and find the factors of their cost.

    The factors make the total change over the cohort's treated member-months of each group the wanted one, to
    the cent. Raises `StudyFileError` for an effect that the cost cannot carry.
    """
    groups = max(1, len(world.waves) * _quarters(world))
    with_effect = [k for k, (_, p) in enumerate(planned) if treated_months(providers, p).any()]

    def draw(k: int) -> tuple[int, TreatedChunk, float, np.ndarray]:
        members, plan = planned[k]
        events = costs.draw_events(world, members, plan, scale)
        treated = treated_months(providers, plan)
        begins = np.minimum(providers.site_start[plan.site], world.months.months)
        year = np.maximum((plan.month - np.where(treated, begins, world.start_offset)) // 12, 0)
        years = int(year.max(initial=0)) + 1
        key = plan.person[events.cell] * years + year[events.cell]
        inside = treated[events.cell]
        total = np.bincount(key[inside], events.usd[inside], minlength=members.count * years)
        applies = inside & (total[key] <= world.effect_ceiling_usd_per_year)
        measured = inside & plan.in_cohort[events.cell]
        group = _group(world, providers, plan)
        months = np.bincount(group[treated & plan.in_cohort], minlength=groups).astype(float)
        chunk = TreatedChunk(events=events, applies=applies, measured=measured, group=group[events.cell])
        return k, chunk, float(events.usd[measured].sum()), months

    chunks: dict[int, TreatedChunk] = {}
    everything, months = 0.0, np.zeros(groups)
    for k, chunk, cost, own_months in ordered(draw, with_effect):
        chunks[k] = chunk
        everything, months = everything + cost, months + own_months
    reach = _sums(chunks, groups, lambda usd, group: usd)
    change = _wanted(world, months, everything)
    factors = np.where(reach > 0, 1 + np.divide(change, reach, out=np.zeros(groups), where=reach > 0), 1.0)
    if factors.min() < _SMALLEST_FACTOR:
        worst, own = int(factors.argmin()), "effect_pmpm_usd or effect_share"
        raise StudyFileError(
            f"world {world.name!r}: the effect takes {-change[worst]:,.0f} dollars from care of "
            f"{reach[worst]:,.0f}; choose a smaller {'effect in waves' if world.waves else own}"
        )
    # Amounts are rounded to cents: two small corrections bring the rounded totals to the wanted ones.
    for _ in range(2):
        made = _changes(chunks, factors)
        factors = factors + np.divide(change - made, reach, out=np.zeros(groups), where=reach > 0)
    realised = _changes(chunks, factors)
    return Effect(
        chunks=chunks,
        factors=factors,
        months=months,
        change_usd=change,
        realised_usd=realised,
        reach_usd=reach,
    )


def _changes(chunks: dict[int, TreatedChunk], factors: np.ndarray) -> np.ndarray:
    """Dollars by which amounts in whole cents change, by group."""

    def changed(usd: np.ndarray, group: np.ndarray) -> np.ndarray:
        return (np.rint(usd * factors[group] * 100) - np.rint(usd * 100)) / 100

    return _sums(chunks, len(factors), changed)


def _sums(
    chunks: dict[int, TreatedChunk], groups: int, of: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Sums by group over the cohort's events that the effect scales."""
    total = np.zeros(groups)
    for chunk in chunks.values():
        counted = chunk.applies & chunk.measured
        usd, group = chunk.events.usd[counted], chunk.group[counted]
        total += np.bincount(group, of(usd, group), minlength=groups)
    return total


def _wanted(world: WorldSettings, months: np.ndarray, everything: float) -> np.ndarray:
    """Dollars by which each group's cost is to change."""
    if world.waves:
        quarters = _quarters(world)
        return months * np.array([w.effect(q) for w in world.waves for q in range(quarters)])
    if world.effect_share is not None:
        return np.array([world.effect_share * everything])
    return world.effect_pmpm_usd * months


def _quarters(world: WorldSettings) -> int:
    """Quarters from the first start to the end of the world."""
    return (world.months.months - world.start_offset + 2) // 3


def _group(world: WorldSettings, providers: Providers, plan: CostPlan) -> np.ndarray:
    """By cell: the wave and quarter under the program; 0 outside it."""
    if not world.waves:
        return np.zeros(len(plan.month), dtype=np.int64)
    quarter = (plan.month - providers.site_start[plan.site]) // 3
    group = providers.site_wave[plan.site] * _quarters(world) + quarter
    return np.where(treated_months(providers, plan), group, 0)


def treated_months(providers: Providers, plan: CostPlan) -> np.ndarray:
    return plan.month >= providers.site_start[plan.site]
