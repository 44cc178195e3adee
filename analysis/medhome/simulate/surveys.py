"""What patients, clinicians and practices of a simulated world answer in surveys, with known effects.

A patient's answer to an item is in the top box with a chance that is the item's own level, plus the site's
and the patient's own, plus what age, sex and health add. The program adds a declared number of points to
the two items on appointments, and nothing to any other. Practices report the days to the third next free
appointment, which the program changes by a declared number. Random numbers are streams of their own: claims
are the same with and without these effects.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from medhome.simulate.members import month_days
from medhome.simulate.program import Panel
from medhome.simulate.providers import Providers, site_name
from medhome.simulate.world import WorldSettings
from medhome.simulate.write import coded, dates

PATIENTS, CLINICIANS, ACCESS = "patient-experience", "clinician-satisfaction", "appointment-access"
# Patients' items: chance of the top box, answers outside it (drawn alike often) and in it.
ITEMS = (
    ("appointment_urgent", 0.52, ("2", "3"), ("4",)),
    ("appointment_routine", 0.48, ("2", "3"), ("4",)),
    ("explains_clearly", 0.62, ("2", "3"), ("4",)),
    ("listens", 0.58, ("2", "3"), ("4",)),
    ("results_followed_up", 0.45, ("1", "2", "3"), ("4",)),
    ("rating", 0.55, ("5", "6", "7", "8"), ("9", "10")),
)
ON_APPOINTMENTS = ("appointment_urgent", "appointment_routine")
CLINICIAN_ITEMS = (("satisfied_with_practice", 0.60), ("time_enough", 0.40))
# Months from the program's start at which a wave is in the field, for two months.
WAVES = (-3, 15)
FIELD_DAYS = 60
_INVITED_SHARE, _MOST, _FEWEST = 0.30, 3_000, 30
_CHANCES = (0.02, 0.98)
_LEFT_OUT = 0.03
_INCOME_USD, _INCOME_GROWTH = 185_000.0, 0.05
_DAYS_TO_THIRD = 8.0
_STEP_PATIENTS, _STEP_CLINICIANS, _STEP_ACCESS = 9, 12, 13


def survey_table(world: WorldSettings, providers: Providers, panel: Panel) -> pa.Table:
    """Rows of survey: patients and clinicians in two waves, appointment availability by quarter."""
    return pa.concat_tables(
        [_patients(world, providers, panel), _clinicians(world, providers), _access(world, providers)]
    )


def _field_days(world: WorldSettings) -> list[int]:
    days = month_days(world)
    return [int(days[min(max(world.start_offset + w, 0), len(days) - 3)]) for w in WAVES]


def _patients(world: WorldSettings, providers: Providers, panel: Panel) -> pa.Table:
    """Adults of both arms: who is asked, who answers (older people more often), and what."""
    rng = np.random.default_rng([world.seed, _STEP_PATIENTS])
    site_level = rng.standard_normal(providers.sites) * 0.03
    program = providers.site_program[panel.site]
    parts: list[tuple[np.ndarray, ...]] = []
    for field_day in _field_days(world):
        for arm in (True, False):
            adult = field_day - panel.birth_day >= 18 * 365.25
            frame = np.flatnonzero(adult & (program == arm) & (panel.end_day >= field_day + FIELD_DAYS))
            size = min(len(frame), _MOST, max(_FEWEST, round(_INVITED_SHARE * len(frame))))
            asked = np.sort(rng.choice(frame, size, replace=False))
            decades = ((field_day - panel.birth_day[asked]) / 365.25 - 45) / 10
            who = asked[rng.random(size) < np.clip(0.45 + 0.05 * decades, 0.1, 0.9)]
            day = field_day + rng.integers(1, FIELD_DAYS, len(who))
            weight = np.full(len(who), len(frame) / max(1, size))
            by_telephone = rng.choice(2, len(who), p=[0.7, 0.3])
            age = ((field_day - panel.birth_day[who]) / 365.25 - 45) / 10
            health = np.clip(np.rint(4.0 - 0.3 * panel.conditions[who] + rng.normal(0, 0.8, len(who))), 1, 5)
            level = site_level[panel.site[who]] + rng.normal(0, 0.06, len(who))
            level += 0.02 * age - 0.02 * panel.female[who] + 0.03 * (health - 3.5)
            under = providers.site_start[panel.site[who]] <= _month_of(world, field_day)
            invited_day, none = np.full(size, field_day), np.full(size, -1)
            parts.append((asked, invited_day, none, none, np.full(size, len(frame) / max(1, size)), none))
            parts.append((who, day, np.full(len(who), 0), health, weight, by_telephone))
            for number, (name, chance, others, top) in enumerate(ITEMS, start=1):
                lift = world.appointment_effect_share if name in ON_APPOINTMENTS else 0.0
                p = np.clip(chance + level + lift * under, *_CHANCES)
                in_top = rng.random(len(who)) < p
                best = np.array(top, dtype=int)[rng.integers(0, len(top), len(who))]
                rest = np.array(others, dtype=int)[rng.integers(0, len(others), len(who))]
                answer = np.where(in_top, best, rest)
                answer[rng.random(len(who)) < _LEFT_OUT] = -1
                parts.append((who, day, np.full(len(who), number), answer, weight, by_telephone))
    who, day, item, answer, weight, mode = (np.concatenate([p[k] for p in parts]) for k in range(6))
    order = np.lexsort((item, day, panel.person[who]))
    who, day, item, answer, weight, mode = (a[order] for a in (who, day, item, answer, weight, mode))
    names = ["invited", "general_health", *(name for name, *_ in ITEMS)]
    return _table(
        [f"P{p:08d}" for p in panel.person[who].tolist()],
        day,
        PATIENTS,
        coded(item + 1, names),
        coded(answer, [str(k) for k in range(11)]),
        pa.array(np.round(weight, 4)),
        coded(mode, ["mail", "telephone"]),
    )


def _clinicians(world: WorldSettings, providers: Providers) -> pa.Table:
    """About half of the clinicians of both arms, in the months of the patients' waves; no effect."""
    rng = np.random.default_rng([world.seed, _STEP_CLINICIANS])
    site_level = rng.standard_normal(providers.sites) * 0.04
    usual = _INCOME_USD * np.exp(rng.normal(-0.03, 0.25, providers.clinicians))
    parts: list[tuple[np.ndarray, ...]] = []
    for wave, field_day in enumerate(_field_days(world)):
        asked = np.flatnonzero(rng.random(providers.clinicians) < 0.5)
        when = field_day + rng.integers(1, FIELD_DAYS, len(asked))
        for item, (_name, chance) in enumerate(CLINICIAN_ITEMS):
            p = np.clip(chance + site_level[providers.clinician_site[asked]], *_CHANCES)
            best, rest = rng.integers(4, 6, len(asked)), rng.integers(1, 4, len(asked))
            given = np.where(rng.random(len(asked)) < p, best, rest)
            parts.append((asked, when, np.full(len(asked), item), given))
        income = usual[asked] * (1 + _INCOME_GROWTH * wave) * np.exp(rng.normal(0, 0.05, len(asked)))
        hundreds = np.rint(income / 100).astype(int) * 100
        parts.append((asked, when, np.full(len(asked), len(CLINICIAN_ITEMS)), hundreds))
    flat = [np.concatenate([part[k] for part in parts]) for k in range(4)]
    order = np.lexsort((flat[2], flat[1], flat[0]))
    number, day, kind, answer = (part[order] for part in flat)
    return _table(
        [providers.npi[n] for n in number.tolist()],
        day,
        CLINICIANS,
        coded(kind, [*(name for name, _ in CLINICIAN_ITEMS), "professional_income"]),
        pa.array([str(v) for v in answer.tolist()]),
    )


def _access(world: WorldSettings, providers: Providers) -> pa.Table:
    """Days to the third next free appointment at every site, a reading in each quarter analysed."""
    rng = np.random.default_rng([world.seed, _STEP_ACCESS])
    days = month_days(world)
    usual = _DAYS_TO_THIRD + rng.normal(0, 1.5, providers.sites)
    first = world.baseline.first - world.months.first
    months = np.arange(first, len(days) - 1, 3)
    site = np.repeat(np.arange(providers.sites), len(months))
    month = np.tile(months, providers.sites)
    under = providers.site_start[site] <= month
    expected = usual[site] + world.appointment_effect_days * under
    given = np.clip(np.rint(expected + rng.normal(0, 1.5, len(site))), 0, 60).astype(int)
    return _table(
        [site_name(s) for s in site.tolist()],
        days[month] + 9,
        ACCESS,
        coded(np.zeros(len(site)), ["days_to_third_next"]),
        pa.array([str(v) for v in given.tolist()]),
    )


def _month_of(world: WorldSettings, day: int) -> int:
    """The month of the world in which a day lies, 0 the first."""
    return int(np.searchsorted(month_days(world), day, side="right")) - 1


def _table(
    who: list[str],
    day: np.ndarray,
    instrument: str,
    item: pa.Array,
    response: pa.Array,
    weight: pa.Array | None = None,
    mode: pa.Array | None = None,
) -> pa.Table:
    text = pa.string()
    return pa.table(
        {
            "person_id": pa.array(who, type=text),
            "survey_date": dates(day),
            "instrument": pa.array([instrument] * len(who), type=text),
            "item_id": item.cast(text),
            "response": response.cast(text),
            "weight": pa.nulls(len(who), pa.float64()) if weight is None else weight,
            "mode": pa.nulls(len(who), text) if mode is None else mode.cast(text),
        }
    )
