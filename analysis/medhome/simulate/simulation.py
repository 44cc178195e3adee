"""From the settings of a world to its files."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from medhome.simulate import claims, costs, program, truth, write
from medhome.simulate.costs import CostPlan, Events
from medhome.simulate.members import Members, chunks, draw_members, months_of
from medhome.simulate.providers import Providers, build_providers
from medhome.simulate.world import WorldSettings, study_toml
from medhome.study.problems import StudyFileError

EQUAL_RUN_OUT_MONTHS = 3
_In = TypeVar("_In")
_Out = TypeVar("_Out")


def simulate_world(world: WorldSettings, folder: Path, workers: int = 2) -> truth.Truth:
    """Write the claims of a simulated world, with what is true of them.

    Into ``folder`` (made when absent) go ``eligibility``, ``medical_claim``, ``pharmacy_claim``,
    ``provider_practice``, ``program_roster``, ``care_management`` and ``survey`` as Parquet in the native
    schema, ``truth.json`` and ``study.toml``. Every file appears under its name only when complete. The same
    settings give the same bytes, whatever the number of ``workers`` (threads).

    Raises `StudyFileError` for an effect that the world's cost cannot carry.

    >>> from medhome.simulate import WORLDS
    >>> truth = simulate_world(WORLDS["small"], Path("world"))  # doctest: +SKIP
    >>> truth.truths["E3"]                                      # doctest: +SKIP
    -1.78
    """
    folder.mkdir(parents=True, exist_ok=True)
    providers = build_providers(world)
    with ThreadPoolExecutor(workers) as pool:

        def plan(job: tuple[int, tuple[int, np.ndarray, np.ndarray]]) -> tuple[Members, CostPlan]:
            chunk, (first, site, entry) = job
            members = draw_members(world, providers, chunk, first, site, entry)
            return members, costs.plan_costs(world, providers, members)

        planned = list(_ordered(pool, plan, enumerate(chunks(world, providers)), workers))
        means = costs.additive_means(world, providers, [p for _, p in planned])
        scale = means.factor
        sums = truth.Sums()
        for members, cost_plan in planned:
            truth.add_chunk(sums, world, providers, members, cost_plan, means)
        treated, factor, effect_pmpm = _effect_factor(pool, workers, world, providers, planned, scale)
        panel = program.joined([program.panel_of(world, m, p) for m, p in planned])
        counts = _write_claims(pool, workers, world, providers, planned, scale, treated, factor, folder)
    tables = {
        "provider_practice": write.provider_table(world, providers),
        "program_roster": write.roster_table(world, providers),
        "care_management": program.care_management_table(world, providers, panel),
        "survey": program.survey_table(world, providers, panel),
    }
    for name, table in tables.items():
        _write_whole(folder, name, table)
        counts["rows"][name] = table.num_rows
    found, true_means = truth.truths(sums, effect_pmpm)
    measured = counts.pop("effect_usd")
    months = max(1.0, float(sums.exposed.sum()))
    counts |= _people(providers, planned, sums)
    result = truth.Truth(
        world=world.name,
        seed=world.seed,
        settings=world.as_dict(),
        effect_pmpm_usd=round(effect_pmpm, 6),
        effect_realised_pmpm_usd=round(measured["incurred"] / months, 6),
        effect_realised_paid_by_cut_pmpm_usd=round(measured["paid_by_cut"] / months, 6),
        effect_realised_equal_run_out_pmpm_usd=round(measured["equal_run_out"] / months, 6),
        effect_factor_ratio=round(factor, 9),
        truths=found,
        means=true_means,
        counts=counts,
    )
    result.write(folder)
    part = folder / ".study.toml.part"
    part.write_text(study_toml(world), encoding="utf-8")
    os.replace(part, folder / "study.toml")
    return result


def _ordered(
    pool: ThreadPoolExecutor, work: Callable[[_In], _Out], jobs: Iterable[_In], workers: int
) -> Iterator[_Out]:
    """Results in the order of the jobs, with few of them in memory at a time."""
    waiting: deque[Future[_Out]] = deque()
    for job in jobs:
        waiting.append(pool.submit(work, job))
        if len(waiting) > workers:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _effect_factor(
    pool: ThreadPoolExecutor,
    workers: int,
    world: WorldSettings,
    providers: Providers,
    planned: list[tuple[Members, CostPlan]],
    scale: np.ndarray,
) -> tuple[dict[int, tuple[Events, np.ndarray, np.ndarray]], float, float]:
    """Events of chunks with treated member-months, the factor of their cost, and the effect PMPM.

    The effect scales all care of a member's program year that costs no more than the ceiling, so that an
    annual cap above the ceiling leaves the effect as it is; very high cost is out of the program's reach.
    The factor makes the total change over the cohort's treated member-months the wanted one exactly.
    """
    with_effect = [k for k, (_, p) in enumerate(planned) if (_treated_cells(world, providers, p)).any()]

    def draw(k: int) -> tuple[int, Events, np.ndarray, np.ndarray, tuple[float, float, int]]:
        members, plan = planned[k]
        events = costs.draw_events(world, members, plan, scale)
        treated = _treated_cells(world, providers, plan)
        year = (plan.month - world.start_offset) // 12
        years = int(year.max(initial=0)) + 1
        key = plan.person[events.cell] * years + np.maximum(year[events.cell], 0)
        inside = treated[events.cell]
        total = np.bincount(key[inside], events.usd[inside], minlength=members.count * years)
        applies = inside & (total[key] <= world.effect_ceiling_usd_per_year)
        measured = inside & plan.in_cohort[events.cell]
        usd = events.usd
        found = (
            float(usd[applies & measured].sum()),
            float(usd[measured].sum()),
            int((treated & plan.in_cohort).sum()),
        )
        return k, events, applies, measured, found

    treated_events, reach, everything, months = {}, 0.0, 0.0, 0
    for k, events, applies, measured, found in _ordered(pool, draw, with_effect, workers):
        treated_events[k] = (events, applies, measured)
        reach, everything, months = reach + found[0], everything + found[1], months + found[2]
    change = world.effect_pmpm_usd * months if world.effect_share is None else world.effect_share * everything
    factor = 1 + change / reach if reach else 1.0
    if factor < 0.05:
        raise StudyFileError(
            f"world {world.name!r}: the effect takes {-change:,.0f} dollars from care of "
            f"{reach:,.0f}; choose a smaller effect_pmpm_usd or effect_share"
        )
    # Amounts are rounded to cents: two small corrections bring the rounded total to the wanted one.
    for _ in range(2):
        made = 0.0
        for events, applies, measured in treated_events.values():
            usd = events.usd[applies & measured]
            made += float((np.rint(usd * factor * 100) - np.rint(usd * 100)).sum()) / 100
        factor += (change - made) / reach if reach else 0.0
    return treated_events, factor, change / max(1, months)


def _treated_cells(world: WorldSettings, providers: Providers, plan: CostPlan) -> np.ndarray:
    return (plan.month >= world.start_offset) & providers.site_program[plan.site]


def _write_claims(
    pool: ThreadPoolExecutor,
    workers: int,
    world: WorldSettings,
    providers: Providers,
    planned: list[tuple[Members, CostPlan]],
    scale: np.ndarray,
    treated: dict[int, tuple[Events, np.ndarray, np.ndarray]],
    factor: float,
    folder: Path,
) -> dict:
    """Write eligibility and claims chunk by chunk; what was written, in numbers."""

    def make(k: int) -> tuple[pa.Table, pa.Table, pa.Table, dict]:
        members, plan = planned[k]
        if k in treated:
            events, applies, measured = treated[k]
        else:
            events = costs.draw_events(world, members, plan, scale)
            applies = measured = np.zeros(len(events.usd), dtype=bool)
        usd = np.where(applies, events.usd * factor, events.usd)
        medical, pharmacy = claims.lines_of(world, providers, members, plan, events, usd)
        tally = _tally(world, events, usd, applies & measured, factor, medical, pharmacy)
        return (
            write.eligibility_table(world, members),
            write.medical_table(world, providers, members, medical),
            write.pharmacy_table(world, providers, members, pharmacy),
            tally,
        )

    files = {
        name: write.TableFile(folder, name) for name in ("eligibility", "medical_claim", "pharmacy_claim")
    }
    total: dict = {
        "effect_usd": {"incurred": 0.0, "paid_by_cut": 0.0, "equal_run_out": 0.0},
        "incurred_usd": dict.fromkeys(costs.KINDS, 0.0),
        "events": dict.fromkeys(costs.KINDS, 0),
    }
    try:
        for eligibility, medical_rows, pharmacy_rows, tally in _ordered(
            pool, make, range(len(planned)), workers
        ):
            files["eligibility"].write(eligibility)
            files["medical_claim"].write(medical_rows)
            files["pharmacy_claim"].write(pharmacy_rows)
            for group, values in tally.items():
                for name, value in values.items():
                    total[group][name] += value
    except BaseException:
        for file in files.values():
            file.abandon()
        raise
    for file in files.values():
        file.finish()
    total["incurred_usd"] = {k: round(v, 2) for k, v in total["incurred_usd"].items()}
    total["rows"] = {name: file.rows for name, file in files.items()}
    return total


def _tally(
    world: WorldSettings,
    events: Events,
    usd: np.ndarray,
    counted: np.ndarray,
    factor: float,
    medical: claims.MedicalLines,
    pharmacy: claims.PharmacyLines,
) -> dict:
    cents = np.rint(usd * 100)
    kinds = len(costs.KINDS)
    effect = {
        "incurred": float((cents - np.rint(events.usd * 100))[counted].sum()) / 100,
        "paid_by_cut": 0.0,
        "equal_run_out": 0.0,
    }
    share = 1 - 1 / factor
    for lines, day in ((medical, medical.start_day), (pharmacy, pharmacy.day)):
        inside = (lines.event >= 0) & (lines.version != claims.DENIED)
        inside &= lines.paid_day <= claims.paid_until(world)
        inside &= np.where(lines.event >= 0, counted[lines.event], False)
        effect["paid_by_cut"] += share * float(lines.allowed_cents[inside].sum()) / 100
        lag = months_of(lines.paid_day) - months_of(day)
        soon = inside & (lag <= EQUAL_RUN_OUT_MONTHS)
        effect["equal_run_out"] += share * float(lines.allowed_cents[soon].sum()) / 100
    dollars = np.bincount(events.kind, cents, minlength=kinds) / 100
    number = np.bincount(events.kind, minlength=kinds)
    return {
        "effect_usd": effect,
        "incurred_usd": dict(zip(costs.KINDS, dollars.tolist(), strict=True)),
        "events": dict(zip(costs.KINDS, number.tolist(), strict=True)),
    }


def _write_whole(folder: Path, name: str, table: pa.Table) -> None:
    file = write.TableFile(folder, name)
    try:
        file.write(table)
    except BaseException:
        file.abandon()
        raise
    file.finish()


def _people(providers: Providers, planned: list[tuple[Members, CostPlan]], sums: truth.Sums) -> dict:
    """Persons, cohort members and member-months, by arm and organisation."""
    organizations = len(providers.organization_size)
    cohort = np.zeros(organizations, dtype=np.int64)
    persons = exposed = 0
    for members, plan in planned:
        cohort += np.bincount(providers.site_organization[members.site[plan.cohort]], minlength=organizations)
        persons += members.count
        exposed += len(plan.person)
    program_sites = providers.site_program
    return {
        "persons": persons,
        "member_months": exposed,
        "cohort_members": {
            "treated": int(cohort[providers.organization_program].sum()),
            "comparison": int(cohort[~providers.organization_program].sum()),
        },
        "cohort_member_months": {
            "treated": {"baseline": int(sums.months[1, 0]), "performance": int(sums.months[1, 1])},
            "comparison": {"baseline": int(sums.months[0, 0]), "performance": int(sums.months[0, 1])},
        },
        "cohort_members_by_organization": cohort.tolist(),
        "organizations": organizations,
        "sites": providers.sites,
        "clinicians": providers.clinicians,
        "program_sites": int(program_sites.sum()),
        "program_clinicians": int(program_sites[providers.clinician_site].sum()),
    }
