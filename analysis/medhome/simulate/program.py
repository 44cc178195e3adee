"""What the program records: care-management contacts, and the members that they are chosen from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from medhome.simulate.costs import CostPlan, passing_state
from medhome.simulate.members import Members, month_days
from medhome.simulate.providers import Providers, site_name
from medhome.simulate.world import WorldSettings
from medhome.simulate.write import coded, dates

HIGH_RISK_SHARE = 0.05
RISE_MONTHS = 6
"""Illness has risen when the passing state of health is worse at the start than so many months before."""

_ENGAGED_SHARE, _ENGAGED_BY_RISE = 0.65, (0.35, 0.95)  # of those reached; less steep half, steeper half
_STEP_CARE = 8


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The cohort's members who are enrolled in the month of the program's start, one entry each."""

    person: np.ndarray  # number in the world
    site: np.ndarray
    birth_day: np.ndarray
    female: np.ndarray
    mean_usd: np.ndarray  # true mean cost in that month
    conditions: np.ndarray  # number of them
    rise_usd: np.ndarray  # of true mean cost by the passing state; 0 where the world engages by expected cost
    end_day: np.ndarray


def panel_of(world: WorldSettings, members: Members, plan: CostPlan) -> Panel:
    """The part of the panel that is in one chunk."""
    here = plan.in_cohort & (plan.month == world.start_offset)
    person = plan.person[here]
    rise = np.zeros(len(person))
    if world.engaged_by == "rising_need":
        state, now = passing_state(world, members), world.start_offset
        rise = plan.mean_usd[here] * (state[person, now] - state[person, max(now - RISE_MONTHS, 0)])
    return Panel(
        person=members.first_person + person,
        site=plan.site[here],
        birth_day=members.birth_day[person],
        female=members.female[person],
        mean_usd=plan.mean_usd[here],
        conditions=(members.onset[person] <= world.start_offset).sum(axis=1),
        rise_usd=rise,
        end_day=members.end_day[person],
    )


def joined(panels: list[Panel]) -> Panel:
    names = list(Panel.__dataclass_fields__)
    return Panel(**{n: np.concatenate([getattr(p, n) for p in panels]) for n in names})


def care_management_table(world: WorldSettings, providers: Providers, panel: Panel) -> pa.Table:
    """Rows of care_management: the program's members of highest expected cost, or of the steepest rise in
    illness where the world says so (``engaged_by``), from the start on."""
    rng = np.random.default_rng([world.seed, _STEP_CARE])
    days = month_days(world)
    mine = np.flatnonzero(providers.site_program[panel.site])
    count = max(1, round(HIGH_RISK_SHARE * len(mine)))
    by_rise = world.engaged_by == "rising_need"
    rank = panel.rise_usd if by_rise else panel.mean_usd
    chosen = mine[np.argsort(-rank[mine], kind="stable")[:count]]
    chosen = chosen[np.argsort(panel.person[chosen])]
    n = len(chosen)
    identified = days[providers.site_start[panel.site[chosen]]] + rng.integers(0, 60, n)
    outreach = identified + rng.integers(3, 30, n)
    reached = outreach + rng.integers(1, 30, n)
    engaged = reached + rng.integers(1, 21, n)
    is_reached = rng.random(n) < 0.80
    steep = panel.rise_usd[chosen] >= np.median(panel.rise_usd[chosen])
    chance = np.where(steep, _ENGAGED_BY_RISE[1], _ENGAGED_BY_RISE[0]) if by_rise else _ENGAGED_SHARE
    is_engaged = is_reached & (rng.random(n) < chance)
    contacts = np.where(is_engaged, 1 + rng.poisson(6, n), 0)
    owner = np.repeat(np.arange(n), contacts)
    contact_day = engaged[owner] + rng.integers(7, 365, len(owner))
    parts = [
        (np.arange(n), identified, 0),
        (np.arange(n), outreach, 1),
        (np.flatnonzero(is_reached), reached[is_reached], 2),
        (np.flatnonzero(is_engaged), engaged[is_engaged], 3),
        (owner, contact_day, 4),
    ]
    who = np.concatenate([p[0] for p in parts])
    day = np.concatenate([p[1] for p in parts])
    kind = np.concatenate([np.full(len(p[0]), p[2]) for p in parts])
    minutes = np.where(kind >= 2, rng.integers(5, 46, len(who)), 0)
    inside = (day <= panel.end_day[chosen[who]]) & (day < days[-1])
    who, day, kind, minutes = who[inside], day[inside], kind[inside], minutes[inside]
    order = np.lexsort((kind, day, who))
    who, day, kind, minutes = who[order], day[order], kind[order], minutes[order]
    person, site = panel.person[chosen[who]], panel.site[chosen[who]]
    many = panel.conditions[chosen[who]] >= 3
    return pa.table(
        {
            "person_id": pa.array([f"P{p:08d}" for p in person.tolist()]),
            "practice_id": pa.array([site_name(s) for s in site.tolist()]),
            "event_date": dates(day),
            "event_type": coded(kind, ["identified", "outreach", "reached", "engaged", "contact"]),
            "list_id": coded(np.zeros(len(who)), [f"high-risk-{world.start}"]),
            "reason": coded(np.where(many, 0, 1), ["three or more conditions", "high expected cost"]),
            "minutes": pa.array(minutes.astype(np.float64), mask=kind < 2),
        }
    )
