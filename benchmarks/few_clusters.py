"""Does the recommended inference keep its promise? Size and coverage by number and size of organisations.

    python -m benchmarks.few_clusters --runs 5000 --out docs/benchmarks/size_and_coverage.md

Two kinds of world, both without a true effect (coverage: with one), 17 months before the start and 12 after:
*shocks*, organisation-months as the few-clusters note draws them (organisation shocks sd 10, autocorrelation
0.8; shocks of sites that no method models; members' sampling), and *members*, where every organisation's
months are means of single members drawn with replacement from a bank of skewed, persistent cost paths (most
months zero), and the members' covariance is estimated anew in every run.

Printed a setting: which interval `models.inference.recommend` fixes beforehand, how often it rejects a true
null at 5% and 10%, how often its 95% interval covers an effect of -15 PMPM (other draws), its median length,
and rejections of Ferman and Pinto's test as recommended. A rate of 5% has a standard error of 0.31 points
with 5,000 runs. Needs the checkout (the worlds live beside the tests).
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "analysis"), str(ROOT / "tests" / "models")]

import few_cluster_worlds as worlds  # noqa: E402
import numpy as np  # noqa: E402

from benchmarks.skewed_members import blocks, organization_months, whole_blocks  # noqa: E402
from medhome.models.inference import ferman_pinto  # noqa: E402
from medhome.models.inference.contrasts import contrasts, month_shares  # noqa: E402
from medhome.models.inference.random_effects import re_panel_runs  # noqa: E402
from medhome.models.inference.recommend import Setting, recommend  # noqa: E402

EFFECT_PMPM = -15.0
AT_ONCE = 250
HEADER = (
    "| world | treated | comparisons | smallest p by rank | recommended | runs | rejects at 5% | at 10% | "
    "covers -15 (95%) | median length | FP p: 5% | 10% |"
)


class Rates:
    """What the recommended interval and test did, run by run."""

    def __init__(self) -> None:
        self.out5: list[bool] = []
        self.out10: list[bool] = []
        self.covered: list[bool] = []
        self.length: list[float] = []
        self.p: list[float] = []

    def null(self, found, A, y, by_month, arm, after, sampling, rng) -> None:
        for k, f in enumerate(found):
            self.out5.append(not f.ci95[0] <= 0 <= f.ci95[1])
            self.out10.append(not f.ci90[0] <= 0 <= f.ci90[1])
            self.length.append(f.ci95[1] - f.ci95[0])
            c = contrasts(y[k], by_month, arm, after)
            scaled = ferman_pinto.recommended(c, float(A[k]), sampling)
            draws = ferman_pinto.random_draws(len(scaled.z), len(arm), rng, 999)
            self.p.append(ferman_pinto.bootstrap(c, scaled, *draws).p)

    def effect(self, found) -> None:
        self.covered += [f.ci95[0] <= EFFECT_PMPM <= f.ci95[1] for f in found]

    def row(self, world: str, kind: str, treated: int, comparisons: int, method: str) -> str:
        def percent(hits: list[bool] | np.ndarray) -> str:
            return f"{100 * np.mean(hits):.1f}"

        p = np.array(self.p)
        smallest = 1.0
        for k in range(treated):
            smallest *= (k + 1) / (comparisons + k + 1)
        return (
            f"| {world} | {treated} {kind} | {comparisons} | {smallest:.2g} | {method} | {len(self.out5)} | "
            f"{percent(self.out5)} | {percent(self.out10)} | {percent(self.covered)} | "
            f"{np.median(self.length):.0f} | {percent(p <= 0.05)} | {percent(p <= 0.10)} |"
        )


def _panels(world: str, members: np.ndarray, runs: int, rng: np.random.Generator) -> Iterator[tuple]:
    """(panels, covariance) by batch: one covariance for all shocks worlds, one a run for members."""
    if world == "shocks":
        for first in range(0, runs, AT_ONCE):
            n = min(AT_ONCE, runs - first)
            yield worlds.draw(rng, members, n), worlds.member_covariance()
        return
    drawn = blocks()
    for _ in range(runs):
        y, covariance = organization_months(drawn, members, rng)
        yield y[None], covariance


def row(world: str, kind: str, treated: int, comparisons: int, runs: int, seed: int) -> str:
    """One setting's line of the table."""
    members = worlds.sizes(kind, treated, comparisons)
    members = whole_blocks(members) if world == "members" else members
    arm, after = np.arange(len(members)) < treated, np.arange(worlds.MONTHS) >= worlds.BEFORE
    by_month = np.repeat(members[:, None], worlds.MONTHS, axis=1)
    share = month_shares(after)
    setting = Setting(
        treated_members=tuple(members[arm]),
        comparison_members=tuple(members[~arm]),
        months_before=worlds.BEFORE,
        months_after=worlds.AFTER,
    )
    rates = Rates()
    for step, truth in enumerate((0.0, EFFECT_PMPM)):
        rng = np.random.default_rng([seed, treated, comparisons, len(kind), len(world), step])
        for y, covariance in _panels(world, members, runs, rng):
            y[:, arm, worlds.BEFORE :] += truth
            found, A = re_panel_runs(y, members, arm, worlds.BEFORE, covariance, worlds.MEAN)
            if truth:
                rates.effect(found)
            else:
                sampling = (share @ covariance @ share) / members
                rates.null(found, A, y, by_month, arm, after, sampling, rng)
    return rates.row(world, kind, treated, comparisons, recommend(setting).interval)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--worlds", nargs="+", default=["shocks"], choices=["shocks", "members"])
    parser.add_argument("--kinds", nargs="+", default=["large", "equal"], choices=["large", "equal"])
    parser.add_argument("--treated", type=int, nargs="+", default=[1, 2, 3, 6])
    parser.add_argument("--comparisons", type=int, nargs="+", default=[12, 40, 400])
    parser.add_argument("--seed", type=int, default=20080601)
    parser.add_argument("--out", type=Path, help="a file that gains the lines of the table as they are made")
    asked = parser.parse_args()
    lines = [HEADER, "|---" * HEADER.count(" | ") + "|---|"]
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}"
    print(f"{machine}, {time.strftime('%Y-%m-%d')}\n", *lines, sep="\n", flush=True)
    for world in asked.worlds:
        for treated in asked.treated:
            for comparisons in asked.comparisons:
                for kind in asked.kinds:
                    line = row(world, kind, treated, comparisons, asked.runs, asked.seed)
                    print(line, flush=True)
                    if asked.out:
                        with asked.out.open("a", encoding="utf-8") as file:
                            file.write(line + "\n")


if __name__ == "__main__":
    main()
