"""Does the headline interval cover the truth, from claim files to interval?

    python -m benchmarks.coverage --worlds 200 --out docs/benchmarks/coverage.md

Each world is simulated with another seed, written as files, read again and evaluated by the package's own
straight line up to the headline; its 95% and 90% intervals are compared with the injected effect.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import datetime as dt
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from medhome.study.provenance import FIXED_ENVIRONMENT, package_versions


def one_world(seed: int, world: str) -> dict[str, float]:
    """The headline of one simulated world beside its truth."""
    from medhome import runs
    from medhome.evaluate import collapse_study
    from medhome.models.did import estimate
    from medhome.study.spec import read_study

    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth = runs.simulate(folder, world, seed=seed)
        spec = read_study(folder / "study.toml")
        study = collapse_study(spec, folder)
    did = estimate(study.cells, study.pairs["allowed_capped"], spec)
    lower, upper = did.headline.ci95
    lower90, upper90 = did.headline.ci90
    conditional = did.methods.set_index("method")
    cr1 = next((m for m in conditional.index if m.startswith("cr1_practice")), None)
    return {
        "seed": seed,
        "truth": truth["truths"]["E3"],
        "estimate": did.headline.value,
        "lo95": lower,
        "hi95": upper,
        "lo90": lower90,
        "hi90": upper90,
        "p": np.nan if did.headline.p is None else did.headline.p,
        "cr1_lo95": conditional.loc[cr1, "lo95"] if cr1 else np.nan,
        "cr1_hi95": conditional.loc[cr1, "hi95"] if cr1 else np.nan,
        "seconds": time.perf_counter() - began,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--world", default="small")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    if any(os.environ.get(k) != v for k, v in FIXED_ENVIRONMENT.items()):
        # Two processes with threaded linear algebra on two cores spend their time waiting for each other.
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **FIXED_ENVIRONMENT})

    seeds = range(wanted.first_seed, wanted.first_seed + wanted.worlds)
    with concurrent.futures.ProcessPoolExecutor(wanted.jobs) as pool:
        found = []
        for row in pool.map(one_world, seeds, [wanted.world] * len(seeds)):
            found.append(row)
            print(
                f"seed {row['seed']}: {row['estimate']:8.2f}  [{row['lo95']:8.2f}, {row['hi95']:8.2f}]  "
                f"truth {row['truth']:.2f}  {row['seconds']:.1f} s",
                flush=True,
            )
    text = table({k: np.array([r[k] for r in found]) for k in found[0]}, wanted)
    print(text)
    if wanted.out:
        wanted.out.parent.mkdir(parents=True, exist_ok=True)
        wanted.out.write_text(text, encoding="utf-8")


def table(x: dict[str, np.ndarray], wanted: argparse.Namespace) -> str:
    """The result as a page of Markdown."""
    n = len(x["seed"])
    covers95 = int(((x["lo95"] <= x["truth"]) & (x["truth"] <= x["hi95"])).sum())
    covers90 = int(((x["lo90"] <= x["truth"]) & (x["truth"] <= x["hi90"])).sum())
    cr1 = int(((x["cr1_lo95"] <= x["truth"]) & (x["truth"] <= x["cr1_hi95"])).sum())
    error = x["estimate"] - x["truth"]
    versions = ", ".join(f"{k} {v}" for k, v in package_versions().items())
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
    return f"""# Coverage of the headline interval, from claim files to interval

Command: `python -m benchmarks.coverage --worlds {n} --world {wanted.world} --first-seed {wanted.first_seed}`

| quantity | value |
|---|---|
| worlds | {n} |
| headline 95% interval covers the injected effect | {covers95} of {n} ({covers95 / n:.1%}) |
| headline 90% interval covers | {covers90} of {n} ({covers90 / n:.1%}) |
| 95% interval clustered by practice covers | {cr1} of {n} ({cr1 / n:.1%}) |
| injected effect, PMPM | {x["truth"].mean():.2f} |
| mean of the estimates, PMPM | {x["estimate"].mean():.2f} (standard error {error.std(ddof=1) / n**0.5:.2f}) |
| standard deviation of the estimates | {error.std(ddof=1):.2f} |
| median length of the 95% interval | {np.median(x["hi95"] - x["lo95"]):.1f} |
| seconds per world, median | {np.median(x["seconds"]):.1f} |

The headline is the organisation-month random-effects interval; the one clustered by practice is conditional
on this organisation. Machine: {machine}, Python {platform.python_version()}; {versions}.
Date: {dt.date.today().isoformat()}.
"""


if __name__ == "__main__":
    main()
