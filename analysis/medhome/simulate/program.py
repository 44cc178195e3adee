"""What the program and its evaluators record: care-management contacts and a patient survey."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from medhome.simulate.costs import CostPlan, passing_state
from medhome.simulate.members import DAYS_PER_YEAR, Members, month_days
from medhome.simulate.providers import Providers, site_name
from medhome.simulate.world import WorldSettings
from medhome.simulate.write import coded, dates

HIGH_RISK_SHARE = 0.05
RISE_MONTHS = 6
"""Illness has risen when the passing state of health is worse at the start than so many months before."""

_ENGAGED_SHARE, _ENGAGED_BY_RISE = 0.65, (0.35, 0.95)  # of those reached; less steep half, steeper half
INSTRUMENT = "CAHPS-like 1.0"
# Items with their highest answer and mean answer on it (never = 1 to always = 4; rating 0 to 10).
SURVEY_ITEMS = (
    ("access_urgent_appointment", 1, 4, 3.2),
    ("access_routine_appointment", 1, 4, 3.3),
    ("communication_explains", 1, 4, 3.6),
    ("coordination_results_follow_up", 1, 4, 3.2),
    ("rating_provider", 0, 10, 8.4),
)
# Months from the program's start at which a wave is in the field, and the program's lift of the mean
# answer in it, as a share of the scale.
_WAVES = ((-1, 0.0), (15, 0.02))
_SURVEY_SHARE, _SURVEY_MOST = 0.03, 1_500
_STEP_CARE, _STEP_SURVEY = 8, 9


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The cohort's members who are enrolled in the month of the program's start, one entry each."""

    person: np.ndarray  # number in the world
    site: np.ndarray
    adult: np.ndarray
    mean_usd: np.ndarray  # true mean cost in that month
    conditions: np.ndarray  # number of them
    rise_usd: np.ndarray  # of true mean cost by the passing state; 0 where the world engages by expected cost
    end_day: np.ndarray


def panel_of(world: WorldSettings, members: Members, plan: CostPlan) -> Panel:
    """The part of the panel that is in one chunk."""
    here = plan.in_cohort & (plan.month == world.start_offset)
    person = plan.person[here]
    start_day = month_days(world)[world.start_offset]
    rise = np.zeros(len(person))
    if world.engaged_by == "rising_need":
        state, now = passing_state(world, members), world.start_offset
        rise = plan.mean_usd[here] * (state[person, now] - state[person, max(now - RISE_MONTHS, 0)])
    return Panel(
        person=members.first_person + person,
        site=plan.site[here],
        adult=start_day - members.birth_day[person] >= 18 * DAYS_PER_YEAR,
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


def survey_table(world: WorldSettings, providers: Providers, panel: Panel) -> pa.Table:
    """Rows of survey: two waves among adults of both arms, before and after the program's start."""
    rng = np.random.default_rng([world.seed, _STEP_SURVEY])
    days = month_days(world)
    site_effect = rng.standard_normal(providers.sites) * 0.03
    program = providers.site_program[panel.site]
    parts = []
    for offset, lift in _WAVES:
        field_day = days[min(max(world.start_offset + offset, 0), len(days) - 2)]
        for arm in (True, False):
            frame = np.flatnonzero(panel.adult & (program == arm) & (panel.end_day >= field_day + 60))
            size = min(len(frame), _SURVEY_MOST, max(30, round(_SURVEY_SHARE * len(frame))))
            chosen = np.sort(rng.choice(frame, size, replace=False))
            answered = field_day + rng.integers(0, 60, size)
            by_telephone = rng.choice(2, size, p=[0.7, 0.3])
            taste = rng.standard_normal(size) * 0.12
            for number, (_, low, high, mean) in enumerate(SURVEY_ITEMS):
                span = high - low
                centre = (
                    (mean - low) / span + site_effect[panel.site[chosen]] + taste + (lift if arm else 0.0)
                )
                answers = low + np.clip(np.rint(span * (centre + 0.18 * rng.standard_normal(size))), 0, span)
                answers[rng.random(size) < 0.03] = -1
                parts.append(
                    (
                        chosen,
                        answered,
                        np.full(size, number),
                        answers,
                        np.full(size, len(frame) / max(1, size)),
                        by_telephone,
                    )
                )
    who, day, item, answer, weight, mode = (np.concatenate([p[k] for p in parts]) for k in range(6))
    order = np.lexsort((item, day, panel.person[who]))
    who, day, item, answer, weight, mode = (a[order] for a in (who, day, item, answer, weight, mode))
    return pa.table(
        {
            "person_id": pa.array([f"P{p:08d}" for p in panel.person[who].tolist()]),
            "survey_date": dates(day),
            "instrument": coded(np.zeros(len(who)), [INSTRUMENT]),
            "item_id": coded(item, [name for name, *_ in SURVEY_ITEMS]),
            "response": coded(answer, [str(k) for k in range(11)]),
            "weight": pa.array(np.round(weight, 4)),
            "mode": coded(mode, ["mail", "telephone"]),
        }
    )
