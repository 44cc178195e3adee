"""What a comparison of engaged members with the others finds where the program does nothing.

    python -m benchmarks.engaged_and_not --worlds 20

simulates worlds whose program changes no cost, and whose care managers list and engage members whose illness
has just risen. Each world answers four questions: do engaged members cost more after the start than members
of the program who are not engaged; did their cost change more since the baseline; did it change more from the
last quarter before the start to the second year; and what did the program do for members at high risk by what
was known at the baseline, against the same members of the comparison (`Where.groups`, the product's own
estimate)? The truth of all four is 0.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import numpy as np
import pandas as pd
from ibis import _

from medhome import adjustment
from medhome.models import did, where
from medhome.simulate import WORLDS, simulate_world
from medhome.study.spec import StudySpec, read_study
from medhome.tables import collapse, engines, panel, sources, subgroups
from medhome.tables.engine import fetch

CENTS, FIRST_SEED = "allowed_capped_cents", 7_000
WORLD = replace(
    WORLDS["coverage"], effect_pmpm_usd=0.0, engaged_by="rising_need", program_members=4_000, program_sites=8,
    program_clinicians=80, comparison_members=4_000, comparison_organizations=12, comparison_size_min=100,
    comparison_size_max=1_000,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Found:
    """Differences in dollars PMPM, engaged less not engaged, and the effect on members at high risk."""

    engaged: int
    not_engaged: int
    after: float
    after_se: float
    change: float
    change_se: float
    recent: float
    recent_se: float
    high_risk: float
    high_risk_se: float
    high_risk_lo95: float
    high_risk_hi95: float


def compared(folder: Path) -> Found:
    """Both naive differences and the effect on members at high risk, in the world of a folder."""
    spec = read_study(folder / "study.toml")
    with engines.opened(engines.OWN) as ready:
        inputs = ready.moved(sources.open_inputs(ready.files, spec, folder))
        scored = adjustment.adjusted(inputs, panel.build(ready.con, inputs, spec), spec).scored
        costs = _costs(scored, spec)
        events = fetch(inputs["care_management"].filter(_.event_type == "engaged").select("person_id"))
        cells = collapse.cells(scored, spec)
        pairs = collapse.month_pairs(scored, "allowed_capped")
        effect = did.estimate(cells, pairs, spec)
        groups = subgroups.group_cells(inputs, scored, spec)
    parts = where.by_group(cells, pairs, spec, effect, groups).set_index("group")
    engaged = costs["person_id"].isin(set(events["person_id"]))
    yes, no = costs[engaged], costs[~engaged]
    after, after_se = _difference(yes["after"], no["after"])
    recent, recent_se = _difference(yes["later"] - yes["recent"], no["later"] - no["recent"])
    change, change_se = _difference(yes["after"] - yes["before"], no["after"] - no["before"])
    high = parts.loc["risk:high"]
    return Found(
        engaged=len(yes),
        not_engaged=len(no),
        after=after,
        after_se=after_se,
        change=change,
        change_se=change_se,
        recent=recent,
        recent_se=recent_se,
        high_risk=float(high["estimate"]),
        high_risk_se=float(high["se"]),
        high_risk_lo95=float(high["lo95"]),
        high_risk_hi95=float(high["hi95"]),
    )


def _costs(scored: panel.Panel, spec: StudySpec) -> pd.DataFrame:
    """Program members with months in all of these, and their cost in dollars PMPM: ``before`` and ``after``
    the start, the last quarter before it (``recent``), and its second year on (``later``)."""
    known = scored.members.filter(_.arm == "treated").select("person_key", "person_id")
    mine = fetch(scored.months.join(known, "person_key").select("person_id", "month", "w", CENTS))
    start, end = spec.periods.start_month, spec.periods.baseline.end
    windows = {
        "before": mine["month"] < end,
        "after": mine["month"] >= start,
        "recent": (mine["month"] >= end - 3) & (mine["month"] < end),
        "later": mine["month"] >= start + 12,
    }
    sums = {name: mine[inside].groupby("person_id")[[CENTS, "w"]].sum() for name, inside in windows.items()}
    pmpm = {name: s[CENTS] / s["w"] * 10 for name, s in sums.items()}  # cents by thousandths of a month
    return pd.DataFrame(pmpm).dropna().rename_axis("person_id").reset_index()


def _difference(one: pd.Series, other: pd.Series) -> tuple[float, float]:
    """Difference of means and its standard error, as of independent members."""
    error = np.sqrt(one.var() / len(one) + other.var() / len(other))
    return float(one.mean() - other.mean()), float(error)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--worlds", type=int, default=20)
    asked = arguments.parse_args()
    found = []
    for seed in range(asked.worlds):
        with tempfile.TemporaryDirectory() as name:
            simulate_world(WORLD.with_seed(FIRST_SEED + seed), Path(name))
            found.append(compared(Path(name)))
    frame = pd.DataFrame([vars(f) for f in found])
    print(f"{asked.worlds} worlds without an effect; engaged {frame['engaged'].mean():.0f}, "
          f"not engaged {frame['not_engaged'].mean():.0f} members each")  # fmt: skip
    print("| comparison | mean, $ PMPM | its standard error | in standard errors | holds the truth, 0 |")
    print("|---|---|---|---|---|")
    for name, label in (
        ("after", "engaged less not engaged, after the start"),
        ("change", "engaged less not engaged, change since the baseline"),
        ("recent", "engaged less not engaged, change from the last quarter before to the second year"),
        ("high_risk", "high risk at the baseline, difference in differences"),
    ):
        mean, error = frame[name].mean(), frame[name].std() / np.sqrt(len(frame))
        low, high = (frame[name] + z * 1.96 * frame[f"{name}_se"] for z in (-1, 1))
        if name == "high_risk":
            low, high = frame["high_risk_lo95"], frame["high_risk_hi95"]
        holds = ((low <= 0) & (high >= 0)).sum()
        print(f"| {label} | {mean:.2f} | {error:.2f} | {mean / error:.1f} | {holds} of {len(frame)} |")


if __name__ == "__main__":
    main()
