"""What is true of a simulated world: the injected effect, and a truth for each definition of "expected"."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from medhome.simulate.costs import CostPlan, Means, trend
from medhome.simulate.members import Members
from medhome.simulate.providers import Providers
from medhome.simulate.world import WorldSettings

HOW = {
    "E3": "The injected effect: change on the additive scale, over treated member-months after the start, "
    "uncapped or capped alike; every practice's true mean is its constant plus one path that all share.",
    "E1": "A_T1 - A_T0 * (A_C1 / A_C0) * rho, from true means; rho from true needs frozen at the baseline.",
    "E2": "Level gap given risk: A_T1 - (A_C1 + slope * (R_T1 - R_C1)), slope of true means on true needs "
    "frozen at the baseline, in the comparison after the start.",
    "E5_level": "A_T1 - A_C1 * R_T1 / R_C1, from true means and true needs frozen at the baseline.",
    "E5_trend_points": "100 * (A_T1 / A_T0 - A_C1 / A_C0 * rho), percentage points of trend.",
}
NOT_GIVEN = {
    "E1b": "depends on the external trend that a study declares, which is no property of the world",
    "E4": "depends on a contract's base-year weights and update factors, which is no property of the world",
}


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What a simulated world holds, as written to ``truth.json``.

    Effects are actual minus expected in dollars PMPM of allowed amounts. ``truths`` are expectations over
    the noise (passing states, event draws, organisation and site shocks, payment delays) given the drawn
    members and the drawn persistent levels of organisations and practices. ``waves``, where the world has
    them: one row for each wave and quarter under the program, with the effect PMPM as injected and as
    realised, and the cohort's member-months in it.
    """

    world: str
    seed: int
    settings: dict[str, Any]
    effect_pmpm_usd: float
    effect_realised_pmpm_usd: float
    effect_realised_paid_by_cut_pmpm_usd: float
    effect_realised_equal_run_out_pmpm_usd: float
    effect_factor_ratio: float
    truths: dict[str, float]
    how: dict[str, str] = field(default_factory=lambda: dict(HOW))
    not_given: dict[str, str] = field(default_factory=lambda: dict(NOT_GIVEN))
    means: dict[str, float]
    counts: dict[str, Any]
    waves: list[dict[str, Any]] = field(default_factory=list)

    def to_plain(self) -> dict[str, Any]:
        """As ``truth.json`` holds it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def to_json(self) -> str:
        return json.dumps(self.to_plain(), indent=2, sort_keys=True) + "\n"

    def write(self, folder: Path) -> None:
        part = folder / ".truth.json.part"
        part.write_text(self.to_json(), encoding="utf-8")
        os.replace(part, folder / "truth.json")


@dataclass
class Sums:
    """Sums over the cohort's member-months: arm (0 comparison, 1 treated) x period (0 baseline, 1 after).

    ``dollars`` are true means with persistent levels; ``level`` these levels; ``risk`` the needs at the first
    month analysed, with their squares and products with dollars; ``exposed`` member-months in the program.
    """

    months: np.ndarray = field(default_factory=lambda: np.zeros((2, 2)))
    dollars: np.ndarray = field(default_factory=lambda: np.zeros((2, 2)))
    level: np.ndarray = field(default_factory=lambda: np.zeros((2, 2)))
    risk: np.ndarray = field(default_factory=lambda: np.zeros((2, 2)))
    risk_risk: np.ndarray = field(default_factory=lambda: np.zeros((2, 2)))
    risk_dollars: np.ndarray = field(default_factory=lambda: np.zeros((2, 2)))
    exposed: np.ndarray = field(default_factory=lambda: np.zeros((2, 2)))


def add_chunk(
    sums: Sums,
    world: WorldSettings,
    providers: Providers,
    members: Members,
    plan: CostPlan,
    means: Means,
) -> None:
    """Add a chunk's cohort to the sums."""
    first = world.baseline.first - world.months.first
    here = np.flatnonzero(plan.in_cohort & (plan.month >= first))
    person, month, site = plan.person[here], plan.month[here], plan.site[here]
    mean = plan.mean_usd[here]
    # Need, frozen at the first month analysed, without trend.
    opening = np.full(members.count, np.nan)
    opening[person[::-1]] = (mean / trend(world)[month])[::-1]
    dollars = mean * means.persistent_factor[site, month]
    risk = opening[person]
    arm = providers.site_program[members.site[person]].astype(int)
    after = (month >= world.start_offset).astype(int)
    cell = arm * 2 + after
    for total, values in (
        (sums.months, None),
        (sums.dollars, dollars),
        (sums.level, providers.persistent_level_usd[site]),
        (sums.risk, risk),
        (sums.risk_risk, risk * risk),
        (sums.risk_dollars, risk * dollars),
        (sums.exposed, (month >= providers.site_start[site]).astype(float)),
    ):
        total += np.bincount(cell, values, minlength=4).reshape(2, 2)


def truths(sums: Sums, effect_pmpm_usd: float) -> tuple[dict[str, float], dict[str, float]]:
    """One truth for each definition of "expected", and the means they come from."""
    exposed = sums.exposed / sums.months
    mean = sums.dollars / sums.months + effect_pmpm_usd * exposed
    level = sums.level / sums.months
    risk = sums.risk / sums.months
    (a_c0, a_c1), (a_t0, a_t1) = mean
    (r_c0, r_c1), (r_t0, r_t1) = risk
    rho = (r_t1 / r_t0) / (r_c1 / r_c0)
    # The comparison's dollars after the start per dollar of need at baseline.
    spread = sums.risk_risk[0, 1] / sums.months[0, 1] - r_c1**2
    slope = (sums.risk_dollars[0, 1] - sums.dollars[0, 1] * r_c1) / sums.months[0, 1] / spread
    effect = effect_pmpm_usd * (exposed[1, 1] - exposed[0, 1])
    out = {
        "E3": effect,
        "E1": a_t1 - a_t0 * (a_c1 / a_c0) * rho,
        "E2": a_t1 - (a_c1 + slope * (r_t1 - r_c1)),
        "E5_level": a_t1 - a_c1 * r_t1 / r_c1,
        "E5_trend_points": 100 * (a_t1 / a_t0 - a_c1 / a_c0 * rho),
    }
    means = {
        "A_T0": a_t0,
        "A_T1": a_t1,
        "A_C0": a_c0,
        "A_C1": a_c1,
        "R_T0": r_t0,
        "R_T1": r_t1,
        "R_C0": r_c0,
        "R_C1": r_c1,
        "rho": rho,
        "slope": slope,
        "level_T0": level[1, 0],
        "level_T1": level[1, 1],
        "level_C0": level[0, 0],
        "level_C1": level[0, 1],
    }
    return (
        {k: round(float(v), 6) for k, v in out.items()},
        {k: round(float(v), 6) for k, v in means.items()},
    )
