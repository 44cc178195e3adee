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

from medhome.simulate import claims, costs, program, surveys, truth, write
from medhome.simulate.coded_effects import with_coded_effects
from medhome.simulate.costs import CostPlan, Events
from medhome.simulate.effect import Effect, find_effect, treated_months
from medhome.simulate.members import Members, chunks, draw_members, months_of
from medhome.simulate.providers import Providers, build_providers
from medhome.simulate.study_file import study_toml
from medhome.simulate.world import WorldSettings

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
        effect = find_effect(
            world, providers, planned, lambda work, jobs: _ordered(pool, work, jobs, workers), scale
        )
        panel = program.joined([program.panel_of(world, m, p) for m, p in planned])
        counts = _write_claims(pool, workers, world, providers, planned, scale, effect, folder)
    tables = {
        "provider_practice": write.provider_table(world, providers),
        "program_roster": write.roster_table(world, providers),
        "care_management": program.care_management_table(world, providers, panel),
        "survey": surveys.survey_table(world, providers, panel),
    }
    for name, table in tables.items():
        _write_whole(folder, name, table)
        counts["rows"][name] = table.num_rows
    found, true_means = truth.truths(sums, effect.pmpm_usd)
    measured = counts.pop("effect_usd")
    months = max(1.0, float(sums.exposed.sum()))
    counts |= _people(providers, planned, sums)
    result = truth.Truth(
        world=world.name,
        seed=world.seed,
        settings=world.as_dict(),
        effect_pmpm_usd=round(effect.pmpm_usd, 6),
        effect_realised_pmpm_usd=round(measured["incurred"] / months, 6),
        effect_realised_paid_by_cut_pmpm_usd=round(measured["paid_by_cut"] / months, 6),
        effect_realised_equal_run_out_pmpm_usd=round(measured["equal_run_out"] / months, 6),
        effect_factor_ratio=round(effect.factor, 9),
        truths=found,
        means=true_means,
        counts=counts,
        waves=effect.by_wave(world),
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


def _write_claims(
    pool: ThreadPoolExecutor,
    workers: int,
    world: WorldSettings,
    providers: Providers,
    planned: list[tuple[Members, CostPlan]],
    scale: np.ndarray,
    effect: Effect,
    folder: Path,
) -> dict:
    """Write eligibility and claims chunk by chunk; what was written, in numbers."""

    def make(k: int) -> tuple[pa.Table, pa.Table, pa.Table, dict]:
        members, plan = planned[k]
        if k in effect.chunks:
            own = effect.chunks[k]
            events, factor, counted = own.events, effect.factor_of(own), own.applies & own.measured
        else:
            events = costs.draw_events(world, members, plan, scale)
            factor, counted = np.ones(len(events.usd)), np.zeros(len(events.usd), dtype=bool)
        usd = events.usd * factor
        medical, pharmacy = claims.lines_of(world, providers, members, plan, events, usd)
        in_program = treated_months(providers, plan)
        medical = with_coded_effects(world, members, plan, events, medical, in_program)
        tally = _tally(world, events, usd, counted, factor, medical, pharmacy)
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
    factor: np.ndarray,
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
    for lines, day in ((medical, medical.start_day), (pharmacy, pharmacy.day)):
        inside = (lines.event >= 0) & (lines.version != claims.DENIED)
        inside &= lines.paid_day <= claims.paid_until(world)
        inside &= np.where(lines.event >= 0, counted[lines.event], False)
        effect["paid_by_cut"] += _changed(lines, inside, factor)
        lag = months_of(lines.paid_day) - months_of(day)
        soon = inside & (lag <= EQUAL_RUN_OUT_MONTHS)
        effect["equal_run_out"] += _changed(lines, soon, factor)
    dollars = np.bincount(events.kind, cents, minlength=kinds) / 100
    number = np.bincount(events.kind, minlength=kinds)
    return {
        "effect_usd": effect,
        "incurred_usd": dict(zip(costs.KINDS, dollars.tolist(), strict=True)),
        "events": dict(zip(costs.KINDS, number.tolist(), strict=True)),
    }


def _changed(
    lines: claims.MedicalLines | claims.PharmacyLines, inside: np.ndarray, factor: np.ndarray
) -> float:
    """Dollars of these lines that the effect added."""
    share = 1 - 1 / factor[lines.event[inside]]
    return float((share * lines.allowed_cents[inside]).sum()) / 100


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
