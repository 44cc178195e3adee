"""Does each definition of expected cover its own truth, and zero where there is nothing to find?

    python -m benchmarks.definitions --worlds 2000 --out docs/benchmarks/definitions.md

Worlds of members in many treated and comparison organisations are drawn as cells, without claim files, and
given to the package's own definitions. Costs are skewed and persistent; organisations differ by a lasting
level and wander from month to month. Two kinds of world: in one levels, trends and risk are equal and there
is no program; in the other the treated arm is sicker, dearer, in a growing market, and the program works. A
definition's truth is what it gives on the true means of the members drawn (`truths`).
"""

from __future__ import annotations

import argparse
import concurrent.futures
import datetime as dt
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from medhome.study.cells import Cells, MonthPairs, Rows, moment_name
from medhome.study.periods import month_name
from medhome.study.provenance import FIXED_ENVIRONMENT, package_versions
from medhome.study.spec import StudySpec

TERMS = {"age_sex:C": "Children", "age_sex:A": "Adults", "condition:ill": "Chronic illness"}
STRATA = ("adults", "children")
DEFINITIONS = ("E1", "E1b", "E2", "E3", "E4", "E5_level", "E5_trend")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What distinguishes worlds: dollars PMPM, shares and yearly trends."""

    name: str
    effect: float
    level: float
    ill_treated: float
    trend: float
    declared_trend: float


EQUAL = Kind(name="equal", effect=0.0, level=0.0, ill_treated=0.20, trend=0.0, declared_trend=0.0)
UNEQUAL = Kind(name="unequal", effect=-15.0, level=20.0, ill_treated=0.25, trend=0.06, declared_trend=0.04)
SHARED = dict(organizations=10, members=150, level_sd=15.0, shock_sd=8.0, ar=0.8, ill=0.20, child=0.25)


def study(kind: Kind) -> StudySpec:
    """A year before the start, a year after."""
    return StudySpec.model_validate(
        {
            "id": "definitions", "title": "Definitions", "seed": 1, "paid_through": "2009-12",
            "program": {"name": "Simulated"}, "risk": {"min_members_per_term": 5},
            "periods": {"baseline_first": "2007-06", "baseline_last": "2008-05", "start": "2008-06",
                        "through": "2009-05"},
            "expected": {"external_trend_share": kind.declared_trend},
        }
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class World:
    """One row per member: organisation (O,), practice, stratum, illness; (N, T) cents and true dollars."""

    organization: np.ndarray
    practice: np.ndarray
    treated: np.ndarray
    child: np.ndarray
    ill: np.ndarray
    cents: np.ndarray
    mean: np.ndarray
    months: np.ndarray
    after: np.ndarray


def draw(kind: Kind, seed: int) -> World:
    """One world; the first half of the organisations is treated; each has two practices."""
    spec, rng = study(kind), np.random.default_rng([20081122, seed])
    months = np.array(spec.periods.analysed)
    after = months >= spec.periods.start_month
    T, J = len(months), 2 * SHARED["organizations"]
    organization = np.repeat(np.arange(J), SHARED["members"])
    treated = organization < SHARED["organizations"]
    child = rng.random(len(organization)) < SHARED["child"]
    share = np.where(treated, kind.ill_treated if kind.name == "unequal" else SHARED["ill"], SHARED["ill"])
    ill = rng.random(len(organization)) < share
    season = 1 + 0.06 * np.cos(2 * np.pi * (months % 12) / 12)
    factor = season * (1 + kind.trend) ** ((months - months[0]) / 12)
    base = np.where(child, 130.0, 280.0) + 400.0 * ill
    mean = base[:, None] * factor + (kind.level * treated)[:, None] + kind.effect * np.outer(treated, after)
    shock = np.zeros((J, T))
    shock[:, 0] = rng.normal(0, SHARED["shock_sd"], J)
    for t in range(1, T):
        step = rng.normal(0, SHARED["shock_sd"] * np.sqrt(1 - SHARED["ar"] ** 2), J)
        shock[:, t] = SHARED["ar"] * shock[:, t - 1] + step
    shock += rng.normal(0, SHARED["level_sd"], (J, 1))
    frailty = rng.gamma(1.5, 1 / 1.5, len(organization))[:, None]
    passing = rng.gamma(0.25, 4.0, (len(organization), T))
    # Shocks add to every member: an organisation's mean moves, whoever is in it.
    dollars = mean * frailty * passing + shock[organization]
    return World(
        organization=organization,
        practice=2 * organization + rng.integers(0, 2, len(organization)),
        treated=treated,
        child=child,
        ill=ill,
        cents=np.round(100 * dollars).astype(np.int64),
        mean=mean,
        months=months,
        after=after,
    )


def rows_of(world: World) -> Rows:
    """Members' periods, as the engine's room hands them over."""
    parts = []
    for period, side in (("baseline", ~world.after), ("performance", world.after)):
        total = world.cents[:, side].sum(1)
        parts.append(
            pd.DataFrame(
                {
                    "organization_id": _names("O", world.organization),
                    "practice_id": _names("P", world.practice),
                    "arm": np.where(world.treated, "treated", "comparison"),
                    "stratum": np.where(world.child, "children", "adults"),
                    "period": period,
                    "w": 1000 * int(side.sum()),
                    "allowed_capped": total,
                    "age_sex:C": world.child.astype(int),
                    "age_sex:A": (~world.child).astype(int),
                    "condition:ill": world.ill.astype(int),
                }
            )
        )
    return Rows(frame=pd.concat(parts, ignore_index=True), terms=TERMS)


def cells_of(world: World, frozen_cents: np.ndarray) -> Cells:
    """Practice-months with frozen expected cost."""
    key = 2 * world.practice + world.child
    order = np.argsort(key, kind="stable")
    names, first, inverse = np.unique(key[order], return_index=True, return_inverse=True)
    del inverse
    y, x = world.cents[order], frozen_cents[order][:, None]
    one = np.ones_like(y)
    sums = {
        "rows": one, "w": 1000 * one, "w*allowed_capped": 1000 * y, "w*expected": 1000 * x * one,
        "w*expected*expected": 1000 * x * x * one, "w*allowed_capped*expected": 1000 * x * y,
    }  # fmt: skip
    T = len(world.months)
    who = order[first]
    frame = pd.DataFrame(
        {
            "organization_id": np.repeat(_names("O", world.organization[who]), T),
            "practice_id": np.repeat(_names("P", world.practice[who]), T),
            "arm": np.repeat(np.where(world.treated[who], "treated", "comparison"), T),
            "stratum": np.repeat(np.where(world.child[who], "children", "adults"), T),
            "month": np.tile(world.months, len(names)),
        }
        | {name: np.add.reduceat(values, first, axis=0).ravel() for name, values in sums.items()}
    )
    return Cells(scales={"allowed_capped": 100, "expected": 100}, frame=frame)


def pairs_of(world: World) -> MonthPairs:
    """Cross-products of members' months by organisation; nobody leaves."""
    T = len(world.months)
    s, t = np.triu_indices(T)
    parts = []
    for j in np.unique(world.organization):
        y = world.cents[world.organization == j]
        total = y.sum(0)
        parts.append(
            pd.DataFrame(
                {
                    "organization_id": f"O{j:02d}", "month_s": world.months[s], "month_t": world.months[t],
                    "members": len(y), "sum_s": total[s], "sum_t": total[t], "sum_st": (y.T @ y)[s, t],
                }
            )
        )  # fmt: skip
    return MonthPairs(frame=pd.concat(parts, ignore_index=True))


def truths(world: World, spec: StudySpec, kind: Kind) -> dict[str, float]:
    """Each definition on the true means of the members drawn; frozen risk is their true need."""
    from medhome.models import arm_months

    need = np.where(world.child, 130.0, 280.0) + 400.0 * world.ill
    shape = (2, 2, len(world.months))
    sums = {name: np.zeros(shape) for name in ("exposure", "cost", "risk")}
    for arm, mine in enumerate((world.treated, ~world.treated)):
        for s, young in enumerate((False, True)):
            who = mine & (world.child == young)
            sums["exposure"][arm, s] = who.sum()
            sums["cost"][arm, s] = world.mean[who].sum(0)
            sums["risk"][arm, s] = need[who].sum()
    x = arm_months.ArmMonths(
        **sums, months=world.months, after=world.after, start=spec.periods.start_month, rate_cells=STRATA
    )
    found = {n: float(d(x).difference) for n, d in arm_months.definitions_of(spec).items()}
    change = {
        arm: x.cost[arm][:, x.after].sum() / x.exposure[arm][:, x.after].sum()
        - x.cost[arm][:, ~x.after].sum() / x.exposure[arm][:, ~x.after].sum()
        for arm in (0, 1)
    }
    # The cost model is right, so that only the level and the program are left of the gap.
    return found | {
        "E2": kind.level + kind.effect,
        "E3": float(change[0] - change[1]),
        "E5_trend": found["E1"],
    }


def one_world(kind: Kind, seed: int) -> list[dict[str, object]]:
    """Estimate, interval and truth of each definition in one world."""
    from medhome.models import expected, risk
    from medhome.models.arm_means import means
    from medhome.models.linear_effects import effect_on
    from medhome.study.results import DidResult, Estimate

    spec, world = study(kind), draw(kind, seed)
    rows, pairs = rows_of(world), pairs_of(world)
    model = risk.fit(rows, spec)
    frozen = np.round(model.predict(rows.frame[rows.frame["period"] == "baseline"])).astype(np.int64)
    cells = cells_of(world, frozen)
    effect = effect_on(cells, "allowed_capped", pairs, spec, spec.periods.performance.first)
    headline = Estimate(
        value=effect["estimate"], unit="USD PMPM", ci90=(effect["lo90"], effect["hi90"]),
        ci95=(effect["lo95"], effect["hi95"]),
    )  # fmt: skip
    none, empty = Estimate(value=None, unit="USD PMPM"), pd.DataFrame()
    did = DidResult(
        headline=headline, detectable=none, probability_lower_cost=none, relative=none, methods=empty,
        event_study=empty, variance_shares=empty, pre_trend=none,
        treated_organizations=SHARED["organizations"], comparison_organizations=SHARED["organizations"],
        organization_sd_pmpm=0.0, autocorrelation=0.0, rule="",
    )  # fmt: skip
    table = expected.side_by_side(cells, rows, model, pairs, spec, did, means(cells, spec))
    table = table.set_index("definition")
    true = truths(world, spec, kind)
    return [
        {
            "kind": kind.name, "seed": seed, "definition": name, "truth": true[name],
            "estimate": table.loc[name, "difference_pmpm"],
            **{end: table.loc[name, end] for end in ("lo90", "hi90", "lo95", "hi95")},
        }
        for name in DEFINITIONS
    ]  # fmt: skip


def bootstrap_seconds(practices: int = 400, months: int = 58) -> float:
    """Processor seconds for 2,000 draws of practices: every definition, and the effects on three outcomes."""
    from medhome.models import practice_bootstrap

    rng, span = np.random.default_rng(1), 12 * (months // 24)
    spec = study(EQUAL).model_copy(deep=True)
    start = spec.periods.start_month
    first, last = start - (months - span), start + span - 1
    periods = spec.periods.model_copy(
        update={"baseline_first": month_name(first), "through": month_name(last)}
    )
    spec = spec.model_copy(update={"periods": periods})
    p, t = (a.ravel() for a in np.meshgrid(np.arange(practices), np.arange(first, last + 1), indexing="ij"))
    n, x = rng.integers(50, 800, len(p)), rng.integers(20_000, 40_000, len(p))
    frame = pd.DataFrame(
        {
            "organization_id": _names("O", p // 8), "practice_id": _names("P", p), "month": t,
            "arm": np.where(p < practices // 4, "treated", "comparison"), "stratum": "adults",
            "rows": n, "w": 1000 * n, "w*expected": 1000 * n * x,
            "w*expected*expected": 1000 * n * (x * x + 10**8),
        }
    )  # fmt: skip
    outcomes = ("allowed_capped", "paid", "paid_capped")
    for outcome in outcomes:
        y = rng.integers(10_000, 60_000, len(p))
        frame[f"w*{outcome}"], frame[moment_name("expected", outcome)] = 1000 * n * y, 1000 * n * x * y
    cells = Cells(scales=dict.fromkeys((*outcomes, "expected"), 100), frame=frame)
    kept = ["organization_id", "practice_id", "arm"]
    rows = Rows(frame=frame[frame["month"] == last][[*kept, "w", "w*allowed_capped"]].rename(
        columns={"w*allowed_capped": "allowed_capped"}), terms={})  # fmt: skip
    began = time.process_time()  # the machine may be shared
    found = practice_bootstrap.draw(cells, rows, np.zeros(len(rows.frame)), outcomes, spec)
    assert all(len(values) == practice_bootstrap.DRAWS for values in found.values())
    return time.process_time() - began


def table_of(found: pd.DataFrame) -> str:
    """Coverage by kind of world and definition."""
    lines = [
        "| world | definition | worlds | truth, mean | estimate, mean (se) | 95% covers | 90% covers "
        "| length |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (kind, name), part in found.groupby(["kind", "definition"], sort=False):
        covers = {
            level: ((part[f"lo{level}"] <= part["truth"]) & (part["truth"] <= part[f"hi{level}"])).mean()
            for level in ("95", "90")
        }
        error = part["estimate"].std() / np.sqrt(len(part))
        length = (part["hi95"] - part["lo95"]).median()
        lines.append(
            f"| {kind} | {name} | {len(part):,} | {part['truth'].mean():.2f} | {part['estimate'].mean():.2f} "
            f"({error:.2f}) | {covers['95']:.1%} | {covers['90']:.1%} | {length:.1f} |"
        )
    return "\n".join(lines)


def page(found: pd.DataFrame, command: str, seconds: float, draws: float) -> str:
    versions = ", ".join(f"{name} {v}" for name, v in sorted(package_versions().items()))
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python"
    return f"""# Definitions of expected: does each interval cover its own truth?

Command: `{command}`

{table_of(found)}

`equal`: levels, trends and risk are equal in both arms and there is no program, so that every truth is zero.
`unequal`: the treated arm has more members who are ill, costs ${UNEQUAL.level:.0f} PMPM more besides, cost
grows by {UNEQUAL.trend:.0%} a year ({UNEQUAL.declared_trend:.0%} is declared for E1b), and the program saves
${-UNEQUAL.effect:.0f} PMPM: each definition has a truth of its own.

{SHARED["organizations"]} treated and {SHARED["organizations"]} comparison organisations of
{SHARED["members"]} members with two practices each, twelve months before the
start and twelve after; organisations differ by a lasting level (sd ${SHARED["level_sd"]:.0f}) and wander
(sd ${SHARED["shock_sd"]:.0f}, autocorrelation {SHARED["ar"]}). Truths of changes are given the members drawn;
truths of levels (E2, E5_level) are those of the population from which organisations are drawn, which is what
their prediction interval is about. With 2,000 worlds the standard error of a coverage of 95% is half a point;
93% to 97% is asked.

2,000 draws of practices (every definition, the effects on three outcomes) for 400 practices and 58 months:
{draws:.1f} seconds of one core (alone: `--draws-only`); 5 are asked.

{seconds:,.0f} seconds. Machine: {machine} {platform.python_version()}; {versions}.
Date: {dt.date.today()}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=2000)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", default=["equal", "unequal"])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--draws-only", action="store_true")
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    if any(os.environ.get(k) != v for k, v in FIXED_ENVIRONMENT.items()):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **FIXED_ENVIRONMENT})
    if wanted.draws_only:
        print(f"{bootstrap_seconds():.1f} seconds of one core")
        return
    began, found, draws = time.perf_counter(), [], bootstrap_seconds()
    kinds = [k for k in (EQUAL, UNEQUAL) if k.name in wanted.kinds]
    seeds = range(wanted.first_seed, wanted.first_seed + wanted.worlds)
    worlds = [(kind, seed) for seed in seeds for kind in kinds]
    with concurrent.futures.ProcessPoolExecutor(wanted.jobs) as pool:
        for done, rows in enumerate(pool.map(one_world, *zip(*worlds, strict=True), chunksize=10), 1):
            found.extend(rows)
            if done % (100 * len(kinds)) and done < len(worlds):
                continue  # what is done so far can be read: the run is long
            frame = pd.DataFrame(found).sort_values(["kind", "definition", "seed"], kind="stable")
            command = f"python -m benchmarks.definitions --worlds {done // len(kinds)}"
            text = page(frame, command, time.perf_counter() - began, draws)
            print(f"{done // len(kinds)} worlds: {time.perf_counter() - began:,.0f} s", flush=True)
            if wanted.out:
                wanted.out.write_text(text, encoding="utf-8")
    print(text)


def _names(letter: str, numbers: np.ndarray) -> np.ndarray:
    return np.array([f"{letter}{n:02d}" for n in numbers.tolist()])


if __name__ == "__main__":
    main()
