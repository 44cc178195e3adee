"""How often do the intervals of a program in waves hold the effect, with shocks of whole organisations?

    python -m benchmarks.wave_intervals --runs 150

simulates the world ``waves`` once for its practices, members by month and starts, and then draws
organisation-months around an effect that grows: organisations' levels ($30), their shocks (autocorrelation
0.8, with the standard deviation of a year given), and members whose months covary as the world's do. Prints
the share of 95% intervals that hold the effect, for the four averages and for three quarters since the start.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np

from medhome.models import risk
from medhome.models.inference.member_covariance import member_covariance
from medhome.models.inference.untreated_months import untreated_months
from medhome.models.linear_effects import baseline_mean
from medhome.models.panels.group_time import group_time_effects
from medhome.models.staggered.group_time_weights import averages, cell_weights
from medhome.models.staggered.periods import Staggered
from medhome.simulate import WORLDS, simulate_world
from medhome.simulate.providers import autoregression, monthly_sd_of_year
from medhome.study.cells import Cells, MonthPairs
from medhome.study.spec import StudySpec, read_study
from medhome.tables import collapse, engines, panel, sources

LEVEL_USD, CORRELATION, QUARTERS = 30.0, 0.8, (0, 3, 7)


def world() -> tuple[StudySpec, Cells, MonthPairs]:
    """The study of the world, its cells, and its members' months."""
    with tempfile.TemporaryDirectory() as name, engines.opened(engines.OWN) as ready:
        folder = Path(name)
        simulate_world(WORLDS["waves"], folder)
        spec = read_study(folder / "study.toml")
        months = panel.build(ready.con, ready.moved(sources.open_inputs(ready.files, spec, folder)), spec)
        scored = collapse.score(months, risk.fit(collapse.member_rows(months, spec), spec).coefficients())
        return spec, collapse.cells(scored, spec), collapse.month_pairs(scored, "allowed_capped")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--runs", type=int, default=150)
    arguments.add_argument("--year-sd", type=float, nargs="+", default=[0.0, 4.0, 12.0])
    asked = arguments.parse_args()

    spec, cells, pairs = world()
    found = Staggered.of(cells, "allowed_capped", spec)
    effects = group_time_effects(found.data, control="not-yet")
    mixed = averages(effects)
    rows = [
        i
        for i, (kind, key) in enumerate(zip(mixed.kind, mixed.key, strict=True))
        if np.isnan(key) or (kind == "event_time" and key in QUARTERS)
    ]
    own = cell_weights(found.data, effects, "not-yet")
    by_practice = found.by_month(np.tensordot(mixed.weights[rows], own, axes=1))
    weights = found.panel.by_organization(by_practice)
    members = found.panel.by_organization(found.panel.members)
    covariance = member_covariance(pairs, found.panel.months).matrix
    root, untreated = np.linalg.cholesky(covariance), found.untreated()
    mean, (organizations, months) = baseline_mean(found.panel, spec), members.shape
    scale = 1 / np.sqrt(np.where(members > 0, members, 1.0))
    scaled = np.where(members > 0, weights * scale, 0.0)
    sampling = np.einsum("kjt,ljt->kl", scaled @ covariance, scaled)
    growing = np.where(untreated, 0.0, -20.0 - 2.0 * np.arange(months))
    truth = (weights * growing).sum((1, 2))

    names = [mixed.kind[i] if np.isnan(mixed.key[i]) else f"quarter {mixed.key[i]:g}" for i in rows]
    print(f"| year sd, $ | {' | '.join(names)} | processor seconds |\n|{'---|' * (len(names) + 2)}")
    for year_sd in asked.year_sd:
        rng = np.random.default_rng([spec.seed, round(100 * year_sd)])
        begun, hits = time.process_time(), np.zeros(len(rows))
        for _ in range(asked.runs):
            month_sd = monthly_sd_of_year(year_sd, CORRELATION)
            shocks = autoregression(rng, organizations, months, month_sd, CORRELATION)
            noise = (root @ rng.standard_normal((months, organizations))).T * scale
            level = LEVEL_USD * rng.standard_normal((organizations, 1))
            y = mean + level + growing + shocks + noise
            interval = untreated_months(
                y,
                members,
                untreated,
                covariance,
                mean,
                months=found.panel.months,
                weights=weights,
                estimates=(weights * y).sum((1, 2)),
                sampling_covariance=sampling,
            )
            ends = zip(interval.effects, truth, strict=True)
            hits += [m.ci95[0] <= t <= m.ci95[1] for m, t in ends]
        shares = " | ".join(f"{share:.1%}" for share in hits / asked.runs)
        print(f"| {year_sd:g} | {shares} | {time.process_time() - begun:.0f} |", flush=True)


if __name__ == "__main__":
    main()
