"""How long does the specification curve take? One collapse per attribution, then a thousand specifications.

    python -m benchmarks.specifications DATA_FOLDER [--attributions dynamic stable] [--populations all]

DATA_FOLDER is a simulated world with its study.toml (``medhome simulate DATA_FOLDER --world demo``). Prints
the rows of `docs/benchmarks/specifications.md`: seconds by the clock, and of processor time of this process.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medhome import evaluate
from medhome.models import did, specifications
from medhome.study.spec import StudySpec, read_study

WEIGHTS = ["member_months", "equal_practices", "equal_organizations", "entropy"]
POPULATIONS = ["all", "adults", "children"]


def widened(spec: StudySpec, attributions: list[str], populations: list[str]) -> StudySpec:
    """The study with the widest curve."""
    plain = spec.model_dump()
    plain["specifications"] |= {
        "attributions": attributions, "weights": WEIGHTS, "populations": populations
    }  # fmt: skip
    return StudySpec.model_validate(plain)


def timed(what: str, work: Callable[[], Any]) -> Any:
    clock, processor = time.perf_counter(), time.process_time()
    found = work()
    passed, worked = time.perf_counter() - clock, time.process_time() - processor
    print(f"| {what} | {passed:.1f} | {worked:.1f} |", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--attributions", nargs="*", default=["dynamic", "stable"])
    parser.add_argument("--populations", nargs="*", default=POPULATIONS)
    options = parser.parse_args()
    spec = widened(read_study(options.data / "study.toml"), options.attributions, options.populations)
    off = spec.specifications.model_copy(update={"enabled": False})
    own = spec.model_copy(update={"specifications": off})
    print("| step | seconds | processor seconds |\n|---|---|---|")
    study = timed("the study's collapses", lambda: evaluate.collapse_study(own, options.data))
    whole = timed("the same with the curve's", lambda: evaluate.collapse_study(spec, options.data))
    effect = did.estimate(study.cells, study.pairs["allowed_capped"], spec).headline
    cells = whole.by_attribution
    found = timed("all specifications", lambda: specifications.curve(cells, effect, spec))
    print(
        f"\n{len(found.specifications)} specifications, {len(found.effects)} estimates, {found.ranked} of "
        f"them under {found.ranks['assignments'].max()} assignments."
    )


if __name__ == "__main__":
    main()
