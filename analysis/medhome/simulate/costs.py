"""What care costs: every member's true mean by month, and events drawn around it.

A member-month has three parts. Routine primary-care visits and fills for long-term conditions depend
on persistent traits only; all other care follows the traits times a passing state of health, a
lognormal first-order autoregression. Each event's mean amount is the expected dollars of its kind
divided by its expected number, so the expected cost of a member-month is known exactly, and being
attributed (which needs a routine visit) says nothing about the passing state.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, log, sqrt

import numpy as np

from medhome.simulate.members import DAYS_PER_YEAR, Members, month_days
from medhome.simulate.providers import Providers
from medhome.simulate.world import WorldSettings

# Kinds of events, in the order of the tables below.
KINDS = (
    "primary_care_visit",
    "maintenance_fill",
    "other_fill",
    "specialist",
    "laboratory",
    "imaging",
    "outpatient_hospital",
    "emergency",
    "inpatient",
    "delivery",
)
(
    PRIMARY_CARE,
    MAINTENANCE,
    OTHER_FILL,
    SPECIALIST,
    LABORATORY,
    IMAGING,
    OUTPATIENT,
    EMERGENCY,
    INPATIENT,
    DELIVERY,
) = range(len(KINDS))

# All dollars below are of the first month of a world with mean_pmpm_usd 300: the cohort's true mean in its
# baseline. Rates, shares, spreads and the state were set so that zero months, variation and
# autocorrelation come near the targets in docs/simulation.md.
_VISIT_USD = 94.0
_VISIT_AGES = (0, 1, 3, 6, 12, 18, 30, 50, 65)
_VISITS_MONTHLY = (0.55, 0.36, 0.18, 0.14, 0.13, 0.11, 0.12, 0.15, 0.19)  # expected, without conditions
_REST_USD = 227.0  # expected dollars a month of all other care at relative cost 1
_DELIVERY_USD = 6_000.0
# Relative cost without conditions, by the age at which a band begins: women, men.
_BASE_AGES = np.array([0, 1, 5, 12, 18, 25, 35, 45, 55])
_BASE = np.array(
    [
        (1.50, 1.60),
        (0.50, 0.55),
        (0.30, 0.33),
        (0.38, 0.36),
        (0.55, 0.36),
        (0.72, 0.38),
        (0.75, 0.48),
        (0.82, 0.68),
        (0.95, 1.00),
    ]
)
# Relative cost that each condition adds, and dollars a month of its maintenance drug (0: none).
_CONDITION_COST = np.array([1.0, 0.30, 3.2, 1.8, 1.2, 0.40, 0.65, 3.2, 4.0, 0.20, 0.60])
_MAINTENANCE_USD = np.array([75.0, 28.0, 40.0, 65.0, 105.0, 55.0, 60.0, 0.0, 0.0, 65.0, 0.0])
# Expected events a month and share of the dollars of "other care", at relative need u = 1; the number
# grows with u to the power given, and the inpatient share grows with u.
_RATE = {
    OTHER_FILL: (0.072, 0.80),
    SPECIALIST: (0.090, 0.85),
    LABORATORY: (0.050, 0.85),
    IMAGING: (0.024, 0.80),
    OUTPATIENT: (0.022, 1.00),
    EMERGENCY: (0.013, 0.65),
    INPATIENT: (0.0070, 1.00),
}
_SHARE = {
    OTHER_FILL: 0.19,
    SPECIALIST: 0.26,
    LABORATORY: 0.07,
    IMAGING: 0.11,
    OUTPATIENT: 0.29,
    EMERGENCY: 0.08,
}
_INPATIENT_SHARE = (0.08, 0.28, 2.5)  # floor, rise, and the need at which half of the rise is reached
_SPREAD = {
    PRIMARY_CARE: 0.30,
    MAINTENANCE: 0.25,
    OTHER_FILL: 0.70,
    SPECIALIST: 0.50,
    LABORATORY: 0.50,
    IMAGING: 0.40,
    OUTPATIENT: 0.60,
    EMERGENCY: 0.50,
    INPATIENT: 0.45,
    DELIVERY: 0.25,
}
_STATE_SD, _STATE_CORRELATION, _STATE_CAP = 1.43, 0.906, 60.0
_SEASON = 0.05  # highest in January, of other care
_SMALLEST_FACTOR = 0.2
_STEP_VISITS, _STEP_COSTS = 5, 6


@dataclass(frozen=True, kw_only=True)
class CostPlan:
    """Persistent part of the costs of one chunk: one entry per exposed member-month (cell)."""

    person: np.ndarray  # within the chunk
    month: np.ndarray  # offset from the world's first month
    relative: np.ndarray  # relative cost by traits (mean about 1)
    mean_usd: np.ndarray  # true mean before levels, shocks and effect
    visits: np.ndarray  # routine primary-care visits drawn
    cohort: np.ndarray  # by person: visit in the look-back and a member-month after it
    site: np.ndarray  # by cell: home in that month

    @property
    def in_cohort(self) -> np.ndarray:
        """By cell: a member-month of the cohort in baseline or performance."""
        return self.cohort[self.person]


@dataclass(frozen=True, kw_only=True)
class Events:
    """Care of one chunk: one entry per event (a visit, a fill, a stay)."""

    cell: np.ndarray
    kind: np.ndarray
    condition: np.ndarray  # of a maintenance fill; -1 otherwise
    usd: np.ndarray  # allowed amount, levels and shocks included, the effect not


def trend(world: WorldSettings) -> np.ndarray:
    """Trend of cost by month, 1 in the world's first month."""
    return (1 + world.trend_yearly_share) ** (np.arange(world.months.months) / 12)


def season(world: WorldSettings) -> np.ndarray:
    month_of_year = (world.months.first + np.arange(world.months.months)) % 12
    return 1 + _SEASON * np.cos(2 * np.pi * month_of_year / 12)


def plan_costs(world: WorldSettings, providers: Providers, members: Members) -> CostPlan:
    """True mean cost and routine visits of every exposed member-month of a chunk."""
    rng = np.random.default_rng([world.seed, _STEP_VISITS, members.chunk])
    person, month = np.nonzero(members.exposure)
    days = month_days(world)[:-1]
    age = np.maximum((days[month] - members.birth_day[person]) / DAYS_PER_YEAR, 0)
    band = np.searchsorted(_BASE_AGES, age, side="right") - 1
    active = members.onset[person] <= month[:, None]
    relative = _BASE[band, np.where(members.female[person], 0, 1)] + active @ _CONDITION_COST
    relative = relative * members.frailty[person]

    visit_rate = np.interp(age, _VISIT_AGES, _VISITS_MONTHLY)
    visit_rate = (
        visit_rate * (1 + 0.25 * np.minimum(active.sum(axis=1), 4)) * members.visit_propensity[person]
    )
    visits = np.minimum(rng.poisson(visit_rate), 6)
    fills = members.adherence[person] * (active @ _MAINTENANCE_USD)
    scale = world.mean_pmpm_usd / 300.0
    mean = (
        scale
        * trend(world)[month]
        * (
            _mean_of_capped_poisson(visit_rate) * _VISIT_USD
            + fills
            + _DELIVERY_USD * members.delivery_chance[person]
            + _REST_USD * relative * season(world)[month]
        )
    )

    first = world.baseline.first - world.months.first
    seen = np.bincount(person, visits * (month < first), minlength=members.count) > 0
    cohort = seen & (np.bincount(person, month >= first, minlength=members.count) > 0)
    site = np.where(month >= members.move_month[person], members.later_site[person], members.site[person])
    return CostPlan(
        person=person, month=month, relative=relative, mean_usd=mean, visits=visits, cohort=cohort, site=site
    )


def _mean_of_capped_poisson(rate: np.ndarray) -> np.ndarray:
    """E min(N, 6) of Poisson counts: 6 less the sum of P(N <= k), k = 0..5."""
    term = np.exp(-rate)
    at_most = term.copy()
    short = at_most.copy()
    for k in range(1, 6):
        term = term * rate / k
        at_most = at_most + term
        short += at_most
    return 6 - short


@dataclass(frozen=True, kw_only=True)
class Means:
    """True mean cost of the cohort by site and month, before and after it is made additive.

    Ageing, new conditions and a trend in per cent would move costly practices by more dollars than others.
    So that a linear difference in differences is exactly right, every site's mean is brought to its own
    constant plus one path of dollars by month that all sites share (trend and season of the mean), plus its
    level: that is ``target_usd``. The cohort's mean in the baseline, levels aside, is mean_pmpm_usd.
    """

    raw_usd: np.ndarray  # by site and month; nan where nobody is left
    target_usd: np.ndarray  # with persistent levels, without shocks
    factor: np.ndarray  # raw to target with shocks: what events are multiplied by

    @property
    def persistent_factor(self) -> np.ndarray:
        return np.where(np.isfinite(self.raw_usd), self.target_usd / self.raw_usd, 1.0)


def additive_means(world: WorldSettings, providers: Providers, plans: list[CostPlan]) -> Means:
    """The cohort's true means by site and month, and the factors that make them additive."""
    shape = (providers.sites, world.months.months)
    dollars, count = np.zeros(shape[0] * shape[1]), np.zeros(shape[0] * shape[1])
    for plan in plans:
        here = plan.in_cohort
        place = plan.site[here] * shape[1] + plan.month[here]
        dollars += np.bincount(place, plan.mean_usd[here], minlength=len(dollars))
        count += np.bincount(place, minlength=len(count))
    dollars, count = dollars.reshape(shape), count.reshape(shape)
    opening = slice(world.baseline.first - world.months.first, world.start_offset)
    path = trend(world) * season(world)
    path = world.mean_pmpm_usd * (path / np.average(path[opening], weights=count[:, opening].sum(axis=0)) - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        raw = dollars / count
        members = count[:, opening].sum(axis=1)
        own = (dollars[:, opening] - count[:, opening] * path[opening]).sum(axis=1) / members
        own *= world.mean_pmpm_usd / (np.nansum(own * members) / members.sum())
        target = own[:, None] + path + providers.persistent_level_usd[:, None]
        factor = (target + providers.shock_usd) / raw
    return Means(
        raw_usd=raw,
        target_usd=target,
        factor=np.where(np.isfinite(factor), np.maximum(factor, _SMALLEST_FACTOR), 1.0),
    )


def draw_events(world: WorldSettings, members: Members, plan: CostPlan, factor: np.ndarray) -> Events:
    """Draw the care of a chunk; ``factor`` by site and month carries levels and shocks."""
    rng = np.random.default_rng([world.seed, _STEP_COSTS, members.chunk])
    need = plan.relative * _state(rng, members)[plan.person, plan.month] * season(world)[plan.month]
    cells, kinds, conditions, dollars = [], [], [], []

    def add(kind: int, cell: np.ndarray, mean_usd: np.ndarray, condition: np.ndarray | int = -1) -> None:
        spread = _SPREAD[kind]
        noise = np.exp(spread * rng.standard_normal(len(cell)) - spread**2 / 2)
        cells.append(cell)
        kinds.append(np.full(len(cell), kind, dtype=np.int8))
        conditions.append(np.broadcast_to(np.asarray(condition, dtype=np.int8), len(cell)))
        dollars.append(mean_usd * noise)

    visit = np.repeat(np.arange(len(plan.visits)), plan.visits)
    add(PRIMARY_CARE, visit, np.full(len(visit), _VISIT_USD))
    for number in np.flatnonzero(_MAINTENANCE_USD):
        cell = np.flatnonzero(members.onset[plan.person, number] <= plan.month)
        long = members.fills_90_days[plan.person[cell]]
        due = rng.random(len(cell)) < members.adherence[plan.person[cell]] / np.where(long, 3, 1)
        add(MAINTENANCE, cell[due], _MAINTENANCE_USD[number] * np.where(long[due], 3.0, 1.0), int(number))
    floor, rise, half = _INPATIENT_SHARE
    inpatient_share = floor + rise * need / (need + half)
    for kind, (rate, power) in _RATE.items():
        expected = rate * need**power
        share = inpatient_share if kind == INPATIENT else (1 - inpatient_share) * _SHARE[kind]
        cell = np.repeat(np.arange(len(need)), rng.poisson(expected))
        add(kind, cell, _REST_USD * (need * share / expected)[cell])
    born = np.flatnonzero(members.delivery[plan.person] == plan.month)
    add(DELIVERY, born, np.full(len(born), _DELIVERY_USD))

    cell = np.concatenate(cells)
    month = plan.month[cell]
    scale = world.mean_pmpm_usd / 300.0 * trend(world)[month] * factor[plan.site[cell], month]
    return Events(
        cell=cell,
        kind=np.concatenate(kinds),
        condition=np.concatenate(conditions),
        usd=np.concatenate(dollars) * scale,
    )


def passing_state(world: WorldSettings, members: Members) -> np.ndarray:
    """The passing state of health that `draw_events` draws first: person x month, 1 on average."""
    return _state(np.random.default_rng([world.seed, _STEP_COSTS, members.chunk]), members)


def _state(rng: np.random.Generator, members: Members) -> np.ndarray:
    """Passing state of health, person x month: lognormal, autocorrelated, capped, mean exactly 1."""
    months = members.exposure.shape[1]
    x = rng.standard_normal((months, members.count))
    fresh = sqrt(1 - _STATE_CORRELATION**2)
    for t in range(1, months):
        x[t] = _STATE_CORRELATION * x[t - 1] + fresh * x[t]
    state = np.minimum(np.exp(_STATE_SD * x - _STATE_SD**2 / 2), _STATE_CAP)
    return state.T / _capped_lognormal_mean(_STATE_SD, _STATE_CAP)


def _capped_lognormal_mean(sd: float, cap: float) -> float:
    """E min(S, cap) of a lognormal S of mean 1."""

    def normal(z: float) -> float:
        return 0.5 * (1 + erf(z / sqrt(2)))

    at = (log(cap) + sd**2 / 2) / sd
    return normal(at - sd) + cap * (1 - normal(at))
