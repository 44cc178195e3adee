"""Members: age, sex, home practice, conditions, and when they are enrolled."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from medhome.simulate.providers import FAMILY, PEDIATRICS, Providers
from medhome.simulate.world import WorldSettings

# Persons are drawn in chunks of this size; it decides which random numbers a person gets.
CHUNK_PERSONS = 4096
NEVER = 30_000
CONDITIONS = (
    "diabetes",
    "hypertension",
    "heart_failure",
    "coronary",
    "copd",
    "asthma",
    "depression",
    "cancer",
    "renal",
    "hyperlipidaemia",
    "arthritis",
)
# Share of persons with a condition at ages 0-17, 18-34, 35-44, 45-54, 55-64 (an invented market).
PREVALENCE = np.array(
    [
        (0.003, 0.011, 0.035, 0.070, 0.125),
        (0.001, 0.025, 0.080, 0.180, 0.320),
        (0.000, 0.001, 0.003, 0.008, 0.020),
        (0.000, 0.001, 0.010, 0.030, 0.070),
        (0.000, 0.004, 0.010, 0.020, 0.050),
        (0.070, 0.040, 0.040, 0.040, 0.045),
        (0.020, 0.060, 0.070, 0.075, 0.075),
        (0.001, 0.003, 0.010, 0.020, 0.050),
        (0.000, 0.001, 0.003, 0.006, 0.012),
        (0.000, 0.015, 0.070, 0.150, 0.240),
        (0.001, 0.020, 0.050, 0.100, 0.160),
    ]
)
_BAND_ENDS = (18, 35, 45, 55)
_ONSET_MONTHLY = 0.007  # chance a month of a new condition, as a share of its prevalence
_ADULT_AGES = np.array([18, 25, 35, 45, 55, 65])
_ADULT_SHARES = np.array([0.13, 0.21, 0.24, 0.24, 0.18])
# Chance of leaving by age, against the mean; low near 65, where turning 65 is what ends enrolment, so that
# practices of children and of adults lose members alike.
_LEAVING_AGES = (18, 30, 50, 60)
_LEAVING = np.array([1.10, 1.30, 0.95, 0.72, 0.35])
_BIRTH_SHARE = 0.35  # of children who enter after the world's start, newborns
_STEP_MEMBERS = 4
DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, kw_only=True)
class Members:
    """One chunk of persons; every array has one entry per person unless it says otherwise."""

    chunk: int
    first_person: int  # number of the chunk's first person in the world
    site: np.ndarray
    later_site: np.ndarray  # home after move_month (a crossover); else the same
    move_month: np.ndarray  # month offset, NEVER for most
    clinician: np.ndarray
    female: np.ndarray
    birth_day: np.ndarray  # days since 1970-01-01, as are all days
    start_day: np.ndarray
    end_day: np.ndarray  # inclusive; after the world's end for those who stay
    death_day: np.ndarray  # -1: alive
    gap: np.ndarray  # person x 2: month offsets first, end; NEVER: none
    onset: np.ndarray  # person x condition: month offset from which it is there, NEVER: not
    delivery: np.ndarray  # month offset of a birth given, NEVER: none
    delivery_chance: np.ndarray  # of a birth in any one month
    frailty: np.ndarray  # mean 1
    visit_propensity: np.ndarray  # mean 1
    adherence: np.ndarray
    fills_90_days: np.ndarray
    employer: np.ndarray
    exposure: np.ndarray  # person x month, bool: enrolled on the 15th

    @property
    def count(self) -> int:
        return len(self.site)


def month_days(world: WorldSettings) -> np.ndarray:
    """Days since 1970-01-01 on which the world's months begin, with the month after the last at the end."""
    first = world.months.first - 1970 * 12
    return first_days(np.arange(first, first + world.months.months + 1))


def first_days(months_since_1970: np.ndarray) -> np.ndarray:
    """First day of each month, both counted from 1970-01."""
    return months_since_1970.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def months_of(days: np.ndarray) -> np.ndarray:
    """Months since 1970-01 in which the days (since 1970-01-01) lie."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def persons_of_sites(world: WorldSettings, providers: Providers) -> tuple[np.ndarray, np.ndarray]:
    """Home site and month of entry (-1: there from the start) of every person, in order of sites."""
    rng = np.random.default_rng([world.seed, _STEP_MEMBERS, 0])
    months = world.months.months
    leavers = providers.site_enrolled * world.churn_monthly_share * (months - 1)
    entrants = rng.poisson(leavers * world.entrants_share)
    per_site = np.stack([providers.site_enrolled, entrants], axis=1)
    site = np.repeat(np.arange(providers.sites), per_site.sum(axis=1))
    later = np.repeat(np.tile([False, True], providers.sites), per_site.ravel())
    entry = np.where(later, rng.integers(1, months, len(site)), -1)
    return site, entry


def chunks(world: WorldSettings, providers: Providers) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """First person, sites and entry months of every chunk; no chunk mixes program and comparison."""
    site, entry = persons_of_sites(world, providers)
    program = int(providers.site_program[site].sum())
    bounds = [*range(0, program, CHUNK_PERSONS), *range(program, len(site), CHUNK_PERSONS), len(site)]
    return [(a, site[a:b], entry[a:b]) for a, b in pairwise(bounds) if b > a]


def draw_members(
    world: WorldSettings,
    providers: Providers,
    chunk: int,
    first_person: int,
    site: np.ndarray,
    entry: np.ndarray,
) -> Members:
    """Draw one chunk of persons."""
    rng = np.random.default_rng([world.seed, _STEP_MEMBERS, chunk + 1])
    n, months = len(site), world.months.months
    days = month_days(world)
    kind = providers.site_kind[site]
    child = (kind == PEDIATRICS) | ((kind == FAMILY) & (rng.random(n) < 0.2))
    band = rng.choice(len(_ADULT_SHARES), n, p=_ADULT_SHARES)
    adult_age = _ADULT_AGES[band] + rng.random(n) * np.diff(_ADULT_AGES)[band]
    age = np.where(child, rng.random(n) * 18, adult_age)
    female = rng.random(n) < np.where(child, 0.49, 0.52)

    entered = entry >= 0
    entry_day = days[np.maximum(entry, 0)]
    birth_day = np.floor(entry_day - age * DAYS_PER_YEAR).astype(np.int64)
    entry_length = days[np.maximum(entry, 0) + 1] - entry_day
    newborn = entered & child & (rng.random(n) < _BIRTH_SHARE)
    birth_day = np.where(
        newborn, entry_day + np.floor(rng.random(n) * entry_length).astype(np.int64), birth_day
    )
    # Those there at the start came up to five years earlier, on the first of a month.
    earlier = first_days(months_of(days[:1]) - np.floor(rng.random(n) * 60).astype(np.int64))
    late = np.where(rng.random(n) < 0.05, np.floor(rng.random(n) * 28), 0).astype(np.int64)
    start_day = np.where(entered, entry_day + late, earlier)
    start_day = np.where(newborn, birth_day, np.maximum(start_day, birth_day))

    # Leaving: a constant chance a month by age.
    hazard = world.churn_monthly_share * _LEAVING[np.digitize(age, _LEAVING_AGES)]
    stay = np.floor(rng.exponential(1.0, n) / np.maximum(hazard, 1e-9))
    leave = np.minimum(np.maximum(entry, 0) + stay, NEVER).astype(np.int64)
    still = leave >= months
    end_day = days[np.minimum(leave, months - 1) + 1] - 1
    partial = rng.random(n) < 0.05
    end_day = np.where(partial & ~still, end_day - np.floor(rng.random(n) * 25).astype(np.int64), end_day)
    end_day = np.where(still, days[-1] + 3650, np.maximum(end_day, start_day + 5))
    # Medicare at 65: the last day before the month of the birthday.
    turns_65 = np.floor(birth_day + 65 * DAYS_PER_YEAR).astype(np.int64)
    end_day = np.minimum(end_day, np.maximum(first_days(months_of(turns_65)) - 1, start_day))

    onset, z = _onsets(rng, age, entry)
    # Deaths: about 0.03% a year among the young, 0.7% at 60, more with conditions.
    at_start = (onset <= 0).sum(axis=1)
    yearly = (0.0002 + 0.00018 * np.exp(np.maximum(age - 25, 0) / 10.5)) * (1 + 0.4 * at_start)
    death_in = rng.exponential(1.0, n) / yearly * DAYS_PER_YEAR
    death = np.maximum(start_day, days[0]) + np.minimum(death_in, 1e6).astype(np.int64)
    dies = (death < end_day) & (death < days[-1])
    end_day = np.where(dies, death, end_day)

    # A gap of two to four months in one person of twenty-five.
    gap_first = rng.integers(1, months, n)
    gap = np.where(
        (rng.random(n) < 0.04)[:, None],
        np.stack([gap_first, gap_first + rng.integers(2, 5, n)], axis=1),
        NEVER,
    )
    gap_days = days[np.minimum(gap, months)]
    inside = (gap_days[:, 0] > start_day + 31) & (gap_days[:, 1] < end_day - 31)
    gap = np.where(inside[:, None], gap, NEVER)

    fifteenth = days[:-1] + 14
    exposure = (start_day[:, None] <= fifteenth) & (fifteenth <= end_day[:, None])
    offset = np.arange(months)
    exposure &= ~((gap[:, :1] <= offset) & (offset < gap[:, 1:]))

    fertile = female & (age >= 19) & (age < 42)
    delivery_chance = np.where(fertile, np.interp(age, [19, 29, 42], [0.06, 0.11, 0.02]) / 12, 0.0)
    delivers = rng.random(n) < delivery_chance * months
    delivery = np.where(delivers, rng.integers(0, months, n), NEVER)

    first = providers.site_first_clinician
    clinician = first[site] + np.floor(rng.random(n) * (first[site + 1] - first[site])).astype(np.int64)
    later_site, move_month = _crossovers(rng, world, providers, site)
    return Members(
        chunk=chunk,
        first_person=first_person,
        site=site,
        later_site=later_site,
        move_month=move_month,
        clinician=clinician,
        female=female,
        birth_day=birth_day,
        start_day=start_day,
        end_day=end_day,
        death_day=np.where(dies, death, -1),
        gap=gap,
        onset=onset,
        delivery=delivery,
        delivery_chance=delivery_chance,
        frailty=np.exp(0.45 * (0.6 * z + 0.8 * rng.standard_normal(n)) - 0.45**2 / 2),
        visit_propensity=rng.gamma(1.5, 1 / 1.5, n),
        adherence=rng.beta(5.0, 2.2, n),
        fills_90_days=rng.random(n) < 0.25,
        employer=rng.integers(0, 60, n),
        exposure=exposure,
    )


def _onsets(rng: np.random.Generator, age: np.ndarray, entry: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Month from which each condition is there, and the latent proneness that makes conditions cluster."""
    n = len(age)
    z = rng.standard_normal(n)
    prone = np.exp(0.6 * z - 0.18)
    prevalence = np.minimum(PREVALENCE[:, np.digitize(age, _BAND_ENDS)].T * prone[:, None], 0.9)
    there = rng.random(prevalence.shape) < prevalence
    wait = rng.exponential(1.0, prevalence.shape) / np.maximum(prevalence * _ONSET_MONTHLY, 1e-9)
    later = np.minimum(np.maximum(entry, 0)[:, None] + 1 + np.floor(np.minimum(wait, NEVER)), NEVER)
    return np.where(there, -1, later).astype(np.int64), z


def _crossovers(
    rng: np.random.Generator, world: WorldSettings, providers: Providers, site: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """New home in the other arm, and the month of the move, for the share that crosses over."""
    n = len(site)
    moves = rng.random(n) < world.crossover_share
    months = rng.integers(world.start_offset + 1, max(world.months.months, world.start_offset + 2), n)
    to_program = rng.integers(0, int(providers.site_program.sum()), n)
    to_market = rng.integers(int(providers.site_program.sum()), providers.sites, n)
    other = np.where(providers.site_program[site], to_market, to_program)
    return np.where(moves, other, site), np.where(moves, months, NEVER)
