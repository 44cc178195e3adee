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
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "analysis"), str(ROOT / "tests" / "models")]

import few_cluster_worlds as worlds  # noqa: E402
import numpy as np  # noqa: E402

from benchmarks.own_covariance import Design, Posterior  # noqa: E402
from benchmarks.skewed_members import blocks, organization_months, whole_blocks  # noqa: E402
from medhome.models.inference import ferman_pinto, recommend  # noqa: E402
from medhome.models.inference.contrasts import Contrasts, contrasts, month_shares  # noqa: E402
from medhome.models.inference.random_effects import re_panel_runs  # noqa: E402

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

    def null(self, out5: bool, out10: bool, length: float) -> None:
        self.out5.append(out5)
        self.out10.append(out10)
        self.length.append(length)

    def ferman_pinto(self, c: Contrasts, A: float, sampling: np.ndarray, rng: np.random.Generator) -> None:
        scaled = ferman_pinto.recommended(c, A, sampling)
        shape = (999, len(c.change))
        index = rng.integers(0, len(scaled.z), shape, dtype=np.uint16)
        sign = rng.integers(0, 2, shape, dtype=np.int8) * 2 - 1
        self.p.append(ferman_pinto.bootstrap(c, scaled, index, sign).p)

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


class Setting:
    """Sizes and kinds of the organisations of one line of the table."""

    def __init__(self, world: str, kind: str, treated: int, comparisons: int) -> None:
        members = worlds.sizes(kind, treated, comparisons)
        self.members = whole_blocks(members) if world == "members" else members
        self.arm = np.arange(len(members)) < treated
        self.after = np.arange(worlds.MONTHS) >= worlds.BEFORE
        self.by_month = np.repeat(self.members[:, None], worlds.MONTHS, axis=1)
        self.share = month_shares(self.after)

    def contrasts(self, y: np.ndarray) -> Contrasts:
        return contrasts(y, self.by_month, self.arm, self.after)

    def sampling(self, covariance: np.ndarray) -> np.ndarray:
        return (self.share @ covariance @ self.share) / self.members

    def recommended(self) -> str:
        found = recommend.Setting(
            treated_members=tuple(self.members[self.arm]),
            comparison_members=tuple(self.members[~self.arm]),
            months_before=worlds.BEFORE,
            months_after=worlds.AFTER,
        )
        return recommend.recommend(found).interval


def shocks(at: Setting, runs: int, truth: float, rng: np.random.Generator, rates: Rates) -> None:
    """Organisation-months with one covariance of members: the grid's matrices are made once a batch."""
    covariance = worlds.member_covariance()
    for first in range(0, runs, AT_ONCE):
        y = worlds.draw(rng, at.members, min(AT_ONCE, runs - first))
        y[:, at.arm, worlds.BEFORE :] += truth
        found, A = re_panel_runs(y, at.members, at.arm, worlds.BEFORE, covariance, worlds.MEAN)
        for k, f in enumerate(found):
            if truth:
                rates.covered.append(f.ci95[0] <= truth <= f.ci95[1])
                continue
            out5, out10 = (not low <= 0 <= high for low, high in (f.ci95, f.ci90))
            rates.null(out5, out10, f.ci95[1] - f.ci95[0])
            rates.ferman_pinto(at.contrasts(y[k]), float(A[k]), at.sampling(covariance), rng)


def members(at: Setting, runs: int, truth: float, rng: np.random.Generator, rates: Rates) -> None:
    """Single members, their covariance estimated in every run; one run in a thousand is compared with
    `re_panel_runs`."""
    drawn = blocks()
    design = Design(at.members, int(at.arm.sum()), worlds.MONTHS, worlds.BEFORE, worlds.MEAN)
    for run in range(runs):
        y, covariance = organization_months(drawn, at.members, rng)
        y[at.arm, worlds.BEFORE :] += truth
        found = design.posterior(y, covariance)
        if run % 1000 == 0:
            _compare(found, at, y, covariance)
        inside = found.inside(abs(found.estimate - truth))
        if truth:
            rates.covered.append(inside <= 0.95)
        else:
            rates.null(inside > 0.95, inside > 0.90, 2 * found.half())
            rates.ferman_pinto(at.contrasts(y), found.A, at.sampling(covariance), rng)


def _compare(found: Posterior, at: Setting, y: np.ndarray, covariance: np.ndarray) -> None:
    (whole,), _ = re_panel_runs(y[None], at.members, at.arm, worlds.BEFORE, covariance, worlds.MEAN)
    np.testing.assert_allclose(
        (found.estimate - found.half(), found.estimate + found.half()), whole.ci95, rtol=1e-6
    )


def row(world: str, kind: str, treated: int, comparisons: int, runs: int, seed: int) -> str:
    """One setting's line of the table."""
    at, rates = Setting(world, kind, treated, comparisons), Rates()
    for step, truth in enumerate((0.0, EFFECT_PMPM)):
        rng = np.random.default_rng([seed, treated, comparisons, len(kind), len(world), step])
        {"shocks": shocks, "members": members}[world](at, runs, truth, rng, rates)
    return rates.row(world, kind, treated, comparisons, at.recommended())


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
