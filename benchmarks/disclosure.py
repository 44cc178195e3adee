"""Can a reader of released files find a count of 1 to 10? Random studies with small cells, attacked.

    python -m benchmarks.disclosure --studies 500 --worlds 3 --jobs 2     writes docs/benchmarks/disclosure.md

The reader (`medhome.reporting.outside_reader`) has ``results.json`` alone and knows nothing of the gate. It
reads some studies with small counts withheld and nothing else as well, to show that it finds what there is.
Whole reports of simulated worlds are read page by page as well (`medhome.reporting.read_as_outsider`).
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks import disclosure_studies as studies
from medhome import runs
from medhome.reporting import disclosure
from medhome.reporting.outside_reader import Claim, Reader
from medhome.reporting.read_as_outsider import findings
from medhome.reporting.result_names import TABLES
from medhome.reporting.results_file import numbers
from medhome.study.problems import DisclosureRefused
from medhome.study.results import Evaluation
from medhome.study.spec import StudySpec, read_study

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks" / "disclosure.md"
FLOOR = 11
EVERY = 5
"""One study in so many is also read with nothing but its small counts withheld."""


@dataclass(frozen=True)
class Attacked:
    """What came of one study.

    refused: the gate released nothing. claims: of a reader of the release; naive: of a reader of small
    counts withheld alone (None: not asked).
    """

    seed: int
    refused: bool
    claims: int
    naive: int | None
    primary: int
    secondary: int
    counts: int


def claims(evaluation: Evaluation, spec: StudySpec) -> list[Claim]:
    """What a reader of a random study's ``results.json`` finds."""
    found = numbers(evaluation, spec)
    return Reader(
        found, floor=FLOOR, baseline=studies.FIRST, start=studies.START, through=studies.END
    ).claims()


def attacked(seed: int) -> Attacked:
    """Draw one study, release it, and read it."""
    spec = read_study(ROOT / "analysis" / "studies" / "demo.toml")
    whole = studies.study(seed)
    naive = len(claims(studies.spoilt(whole, FLOOR), spec)) if seed % EVERY == 0 else None
    counts = sum(
        len(frame) * sum(c.kind == "count" and n in frame for n, c in table.columns.items())
        for table in TABLES
        for frame in [getattr(getattr(whole, table.frame.split(".")[0]), table.frame.split(".")[1])]
    )
    try:
        released, gate = disclosure.release(whole, FLOOR)
    except DisclosureRefused:
        return Attacked(seed, True, 0, naive, 0, 0, counts)
    found = claims(released, spec)
    return Attacked(seed, False, len(found), naive, gate.cells_primary, gate.cells_secondary, counts)


def world(seed: int) -> list[str]:
    """Run one simulated world to a published report, and read every file of it."""
    with tempfile.TemporaryDirectory() as name:
        data, out = Path(name) / "data", Path(name) / "reports"
        runs.simulate(data, "small", seed=seed)
        published = runs.run(data / "study.toml", data, out)
        return findings(published.folder, FLOOR)


def page(found: list[Attacked], worlds: dict[int, list[str]]) -> str:
    """The table, in Markdown."""
    released = [a for a in found if not a.refused]
    asked = [a for a in found if a.naive is not None]
    exposed, naive = sum(a.claims > 0 for a in released), sum(bool(a.naive) for a in asked)
    counts, named = sum(a.counts for a in released), sum(a.naive or 0 for a in asked)
    rows = [
        ("random studies", f"{len(found):,}"),
        ("of them refused by the gate (exit code 5), nothing released", f"{len(found) - len(released):,}"),
        ("released, and read", f"{len(released):,}"),
        ("**of them with a count of 1 to 10 that the reader names**", f"**{exposed:,}**"),
        ("counts in the released tables", f"{counts:,}"),
        ("small counts withheld", _part(sum(a.primary for a in released), counts)),
        ("numbers withheld further", _part(sum(a.secondary for a in released), counts)),
        ("studies read with their small counts withheld and nothing else", f"{len(asked):,}"),
        ("of them with a count of 1 to 10 that the reader names", f"{naive:,}"),
        (
            "counts that it names there, a study",
            f"{named / max(1, len(asked)):.0f}",
        ),
        ("whole reports of simulated worlds, every file read", f"{len(worlds):,}"),
        ("of them with a finding", f"{sum(bool(f) for f in worlds.values()):,}"),
    ]
    table = "\n".join(f"| {what} | {number} |" for what, number in rows)
    return f"""# Small counts that a reader can derive

`python -m benchmarks.disclosure --studies {len(found)} --worlds {len(worlds)}` writes this page.

{_WHAT}
| | |
|---|---|
{table}

{_LIMITS}"""


_WHAT = """\
Each random study has 25 to 400 invented people an arm, in one to seven organisations of unequal
size, and is counted into cohort flow, organisations, practices, strata, groups, months, quarters,
years, statuses, measures, members above the cap and claim lines, so that tables share cells as
those of a report do. The gate ([method](../methods.md#disclosure)) releases it. A reader who has
the released `results.json` and the documentation, and nothing of the gate, then asks of every
withheld count, and of every whole less a part of it, which range is left by all that is shown (two
linear programmes each). It names a count where the range lies within 1 to 10.
"""
_LIMITS = """\
The reader knows the sums that the documentation tells: this is no proof against sums that nobody
wrote down. It does not compare reports of different periods, and does not guess why a number is
withheld. Practices and organisations are no people, and their numbers are not looked at. In the
whole reports it also reads every CSV file, and sentences that count people.
"""


def _part(n: int, of: int) -> str:
    return f"{n:,} ({n / max(1, of):.1%})"


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--studies", type=int, default=500)
    ask.add_argument("--worlds", type=int, default=3)
    ask.add_argument("--jobs", type=int, default=2)
    said = ask.parse_args()
    worlds = {seed: world(seed) for seed in range(1, said.worlds + 1)}
    with ProcessPoolExecutor(said.jobs) as pool:
        found = list(pool.map(attacked, range(said.studies), chunksize=5))
    for one in (a for a in found if a.claims):
        print(f"study {one.seed}: {one.claims} counts")
    for seed, finding in ((s, f) for s, fs in worlds.items() for f in fs):
        print(f"world {seed}: {finding}")
    PAGE.write_text(page(found, worlds), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
