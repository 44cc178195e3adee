"""Who is compared, and who was left out by which of the ordered rules (`medhome.tables.eligibility`)?

A member is lost when the last month is lost. Every rule gives a row of the attrition exhibit by arm, and
before = after + dropped holds for members, member-months and dollars.
"""

from __future__ import annotations

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from medhome.study.cells import WEIGHT_SCALE
from medhome.study.periods import month_name
from medhome.study.problems import DataProblem
from medhome.study.results import Attrition
from medhome.study.spec import StudySpec
from medhome.tables.arms import ARMS, COMPARISON, EXCLUDED, TREATED, UNATTRIBUTED
from medhome.tables.balance import describe
from medhome.tables.eligibility import KEPT, Rule, apply_rules, rules
from medhome.tables.engine import fetch

__all__ = ["KEPT", "Rule", "apply_rules", "attrition", "describe", "rules"]

ORDER_OF_ARMS = (TREATED, COMPARISON, EXCLUDED, UNATTRIBUTED)


def attrition(flagged: Table, persons: Table, spec: StudySpec) -> Attrition:
    """Exhibit T1: who is left after each rule, by arm.

    Arguments
        flagged: `apply_rules` with ``allowed_cents`` of each member-month.
        persons: one row per person: ``person_key``, ``arm``.

    Raises `DataProblem` when an arm ends empty.
    """
    steps = rules(spec)
    last = len(steps)
    ranked = flagged.mutate(rank=ibis.ifelse(_.dropped_by == KEPT, last, _.dropped_by).cast("int32"))
    by_person = ranked.group_by("person_key", "rank").aggregate(
        w=_.w.sum(), allowed_cents=_.allowed_cents.sum()
    )
    by_person = by_person.join(persons.select("person_key", "arm"), "person_key")
    amounts = fetch(
        by_person.group_by("arm", "rank")
        .aggregate(w=_.w.sum(), allowed_cents=_.allowed_cents.sum())
        .order_by("arm", "rank")
    )
    furthest = by_person.group_by("person_key", "arm").aggregate(rank=_["rank"].max())
    members = fetch(furthest.group_by("arm", "rank").aggregate(members=_.count()).order_by("arm", "rank"))
    frame = _attrition_frame(steps, members, amounts)
    if spec.population.exposure != "day_fraction":
        months = ["member_months", "member_months_dropped"]
        frame[months] = frame[months].astype("int64")
    _refuse_empty_arm(frame, steps, spec)
    return Attrition(frame=frame)


def _attrition_frame(steps: tuple[Rule, ...], members: pd.DataFrame, amounts: pd.DataFrame) -> pd.DataFrame:
    arms = [a for a in ORDER_OF_ARMS if a in set(members["arm"]) | set(ARMS)]
    rows = []
    for arm in arms:
        people = members[members["arm"] == arm]
        money = amounts[amounts["arm"] == arm]
        before = None
        for step, rule in enumerate(steps):
            left = (
                int(people.loc[people["rank"] > step, "members"].sum()),
                int(money.loc[money["rank"] > step, "w"].sum()),
                int(money.loc[money["rank"] > step, "allowed_cents"].sum()),
            )
            dropped: tuple[int, ...] = (
                (0, 0, 0) if before is None else tuple(b - n for b, n in zip(before, left, strict=True))
            )
            rows.append((step, rule.id, rule.label, arm, *_shown(left), *_shown(dropped)))
            before = left
    columns = [
        "step",
        "rule",
        "label",
        "arm",
        "members",
        "member_months",
        "allowed_usd",
        "members_dropped",
        "member_months_dropped",
        "allowed_usd_dropped",
    ]
    frame = pd.DataFrame(rows, columns=columns)
    frame["order"] = frame["arm"].map({a: i for i, a in enumerate(ORDER_OF_ARMS)})
    return frame.sort_values(["step", "order"], ignore_index=True).drop(columns="order")


def _shown(counted: tuple[int, ...]) -> tuple[int, float, float]:
    """Members, member-months and dollars from members, thousandths and cents."""
    return counted[0], counted[1] / WEIGHT_SCALE, counted[2] / 100


def _refuse_empty_arm(frame: pd.DataFrame, steps: tuple[Rule, ...], spec: StudySpec) -> None:
    first, final = frame[frame["step"] == 0], frame[frame["step"] == len(steps) - 1]
    enrolled = ", ".join(f"{n} {arm}" for arm, n in zip(first["arm"], first["members"], strict=True))
    if not first["members"].sum():
        raise DataProblem(
            f"eligibility: nobody is enrolled in a month analysed ({spec.periods.baseline_first} to "
            f"{spec.periods.through}); check periods of the study file and the enrolment dates"
        )
    if not first.loc[first["arm"] != UNATTRIBUTED, "members"].sum():
        raise DataProblem(
            f"none of {first['members'].sum()} people can be attributed: {_attribution_advice(spec)}"
        )
    for arm, left in zip(final["arm"], final["members"], strict=True):
        if left or arm not in ARMS:
            continue
        mine = frame[frame["arm"] == arm]
        flow = "; ".join(f"{label}: {n}" for label, n in zip(mine["label"], mine["members"], strict=True))
        raise DataProblem(
            f"the {arm} arm is empty: no member is left in it. Members of this arm by rule: {flow}. "
            f"Enrolled at first: {enrolled}. {_arm_advice(spec)}"
        )


def _arm_advice(spec: StudySpec) -> str:
    if spec.arms.rule == "state":
        return f"arms.treated_states = {spec.arms.treated_states}: check the states in eligibility.state"
    if spec.arms.rule == "hash":
        return f"arms.treated_share = {spec.arms.treated_share}: too few people for placeholder arms"
    return (
        f'arms.program_id = "{spec.arms.program_id}": check the arms and units of program_roster against '
        "practice_id and organization_id of provider_practice"
    )


def _attribution_advice(spec: StudySpec) -> str:
    first = spec.periods.baseline.first
    if spec.attribution.method == "roster":
        return f"provider_attribution has no practice for anybody in year_month {month_name(first)}"
    months = spec.attribution.lookback_months
    since, until = month_name(first - months), month_name(first - 1)
    return (
        f"medical_claim has no primary-care visit from {since} to {until} (attribution.lookback_months = "
        f"{months}) whose rendering_npi is in provider_practice with x_primary_care 1 on that day"
    )
