"""How often do the headline interval and its p-value reject a true null, by setting of the few-clusters note?

    python benchmarks/few_clusters.py --runs 1000 --treated 1 3 6

prints one row a setting: rejections at 5% and 10%, median length of the 95% interval, rejections of Ferman
and Pinto's test as recommended, and the standard error of a rate of 5%. Realistic to demand with 4,000 runs:
3.5 to 6.5% at 5%. Needs the checkout (the worlds live beside the tests).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "analysis"), str(ROOT / "tests" / "models")]

import few_cluster_worlds as worlds  # noqa: E402
import numpy as np  # noqa: E402

from medhome.models.inference import ferman_pinto  # noqa: E402
from medhome.models.inference.contrasts import contrasts, month_shares  # noqa: E402
from medhome.models.inference.random_effects import re_panel_runs  # noqa: E402

SETTINGS = (("large", 40), ("large", 12), ("equal", 40), ("equal", 12))


def row(kind: str, treated: int, comparisons: int, runs: int, seed: int) -> str:
    members = worlds.sizes(kind, treated, comparisons)
    arm, after = np.arange(len(members)) < treated, np.arange(worlds.MONTHS) >= worlds.BEFORE
    covariance, share = worlds.member_covariance(), month_shares(after)
    y = worlds.draw(np.random.default_rng([seed, treated, comparisons, len(kind), 0]), members, runs)
    found, A = re_panel_runs(y, members, arm, worlds.BEFORE, covariance, worlds.MEAN)
    sampling = (share @ covariance @ share) / members
    by_month = np.repeat(members[:, None], worlds.MONTHS, axis=1)
    rng = np.random.default_rng([seed, treated, comparisons, len(kind), 1])
    p = []
    for k in range(runs):
        c = contrasts(y[k], by_month, arm, after)
        scaled = ferman_pinto.recommended(c, float(A[k]), sampling)
        draws = ferman_pinto.random_draws(len(scaled.z), len(members), rng, 999)
        p.append(ferman_pinto.bootstrap(c, scaled, *draws).p)
    out5 = 100 * np.mean([not f.ci95[0] <= 0 <= f.ci95[1] for f in found])
    out10 = 100 * np.mean([not f.ci90[0] <= 0 <= f.ci90[1] for f in found])
    length = np.median([f.ci95[1] - f.ci95[0] for f in found])
    fp5, fp10 = (100 * np.mean(np.array(p) <= level) for level in (0.05, 0.10))
    se = 100 * np.sqrt(0.05 * 0.95 / runs)
    rates = " | ".join(f"{v:.1f}" for v in (fp5, fp10, se))
    return f"| {treated} | {kind}, {comparisons} | {out5:.1f} | {out10:.1f} | {length:.0f} | {rates} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--treated", type=int, nargs="+", default=[1, 3, 6])
    parser.add_argument("--seed", type=int, default=20080601)
    asked = parser.parse_args()
    print("| treated | comparisons | RE-panel 5% | 10% | length | FP recommended 5% | 10% | s.e. |")
    print("|---|---|---|---|---|---|---|---|")
    for treated in asked.treated:
        for kind, comparisons in SETTINGS:
            print(row(kind, treated, comparisons, asked.runs, asked.seed), flush=True)


if __name__ == "__main__":
    main()
