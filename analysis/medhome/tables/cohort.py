"""Ordered eligibility rules → who is compared, and who was left out by which rule.

Rules are applied in a fixed order to member-months; a member is lost when the last month is lost. Every rule
gives a row of the attrition exhibit by arm, and before = after + dropped holds for members, member-months and
dollars.
"""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import BooleanValue, Table

from medhome.study.arm_choices import Exclusion
from medhome.study.cells import WEIGHT_SCALE
from medhome.study.periods import month_name
from medhome.study.population_choices import EXPOSURE_RULES
from medhome.study.problems import DataProblem
from medhome.study.results import Attrition
from medhome.study.spec import StudySpec
from medhome.tables.arms import ARMS, COMPARISON, EXCLUDED, TREATED, UNATTRIBUTED
from medhome.tables.balance import describe
from medhome.tables.engine import fetch

__all__ = ["Rule", "apply_rules", "attrition", "describe", "rules"]

ORDER_OF_ARMS = (TREATED, COMPARISON, EXCLUDED, UNATTRIBUTED)
KEPT = 0


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One eligibility rule: its id, its words, and what the waterfall calls the cost that it drops."""

    id: str
    label: str
    dropped: str


def rules(spec: StudySpec) -> tuple[Rule, ...]:
    """The rules of a study in the order in which they are applied; the first one is where counting begins."""
    who = spec.population
    enrolled = f"Enrolled {EXPOSURE_RULES[who.exposure]} of a month analysed"
    found = [Rule(id="enrolled", label=enrolled, dropped="")]
    wanted = [
        name
        for name, required in (
            ("medical", who.require_medical_benefit),
            ("pharmacy", who.require_pharmacy_benefit),
        )
        if required
    ]
    if wanted:
        words = " and ".join(wanted)
        found.append(
            Rule(
                id="benefits",
                label=f"With {words} benefit in the month",
                dropped=f"Months without {words} benefit",
            )
        )
    if who.capitated_months == "drop":
        found.append(
            Rule(
                id="claims",
                label="Claims show the month's cost (not capitated)",
                dropped="Months whose care is capitated, so that claims do not show it",
            )
        )
    ages = f"{who.age_min} to {who.age_max}"
    found.append(Rule(id="age", label=f"Aged {ages} in the month", dropped=f"Months outside ages {ages}"))
    if who.payer_types:
        payers = ", ".join(who.payer_types)
        found.append(
            Rule(id="payer", label=f"Covered by {payers}", dropped=f"Months not covered by {payers}")
        )
    if spec.attribution.population == "market":
        belongs, not_so = "Lives in an area that an arm serves", "Members of areas that neither arm serves"
    else:
        belongs, not_so = "Attributed to a practice", "Members not attributed to a practice"
    found.append(Rule(id="attributed", label=belongs, dropped=not_so))
    found.append(
        Rule(
            id="arm",
            label="Practice in the program or the comparison",
            dropped="Practices in neither the program nor the comparison",
        )
    )
    for number, out in enumerate(spec.arms.exclusions):
        found.append(
            Rule(
                id=f"exclusion_{number + 1}",
                label=f"Outside the months excluded, {out.months} ({out.reason})",
                dropped=f"Months excluded, {out.months} ({out.reason})",
            )
        )
    if spec.attribution.population == "stable":
        found.append(
            Rule(
                id="stable",
                label="Attributed to the same arm at the start",
                dropped="Members of another arm, or of none, at the start",
            )
        )
    if who.min_months > 1:
        found.append(
            Rule(
                id="min_months",
                label=f"At least {who.min_months} months left",
                dropped=f"Members with fewer than {who.min_months} months",
            )
        )
    return tuple(found)


def apply_rules(exposure: Table, persons: Table, spec: StudySpec) -> Table:
    """Which rule, if any, drops each member-month?

    Arguments
        exposure: one row per member-month, `member_months.exposed`.
        persons: one row per member: ``person_key``, ``birth_month``, ``practice_id`` (null: not attributed),
            ``organization_id``, ``arm``, and ``stays`` where the population is "stable".

    One row per member-month: ``person_key``, ``month``, ``w``, ``dropped_by`` (0: kept, else the number of
    the first rule of `rules` that drops it).

    Age is counted in whole months: the month of a birthday already has the new age, so a member leaves in the
    month of the 65th birthday where ``age_max`` is 64.
    """
    who = spec.population
    known = ["person_key", "birth_month", "practice_id", "organization_id", "arm"]
    known += [name for name in ("stays",) if name in persons.columns]
    table = exposure.join(persons.select(*known), "person_key")
    month_age = table.month - table.birth_month
    benefits: BooleanValue = ibis.literal(True)
    if who.require_medical_benefit:
        benefits = benefits & (table.medical == 1)
    if who.require_pharmacy_benefit:
        benefits = benefits & (table.pharmacy == 1)
    passes = {
        "benefits": benefits,
        "claims": table.claims == 1,
        "age": (month_age >= 12 * who.age_min) & (month_age < 12 * (who.age_max + 1)),
        "payer": table.payer == 1,
        "attributed": table.practice_id.notnull(),
        "arm": table.arm.isin(ARMS),
    }
    for number, out in enumerate(spec.arms.exclusions):
        passes[f"exclusion_{number + 1}"] = ~_excluded(table, out)
    if "stays" in table.columns:
        passes["stable"] = table.stays == 1
    ids = [rule.id for rule in rules(spec)]
    fails = [(~passes[name], number) for number, name in enumerate(ids) if name in passes]
    flagged = table.select("person_key", "month", "w", dropped_by=ibis.cases(*fails, else_=KEPT).cast("int8"))
    if "min_months" not in ids:
        return flagged
    counts = (
        flagged.filter(_.dropped_by == KEPT)
        .group_by("person_key")
        .aggregate(months_left=_.count())
        .filter(_.months_left < who.min_months)
    )
    joined = flagged.left_join(counts, "person_key")
    few = (joined.dropped_by == KEPT) & joined.months_left.notnull()
    return joined.select(
        "person_key",
        "month",
        "w",
        dropped_by=ibis.ifelse(few, ids.index("min_months"), joined.dropped_by).cast("int8"),
    )


def _excluded(table: Table, out: Exclusion) -> BooleanValue:
    """Whether a member-month is one that the study file excludes."""
    unit = (
        table.practice_id == out.practice_id
        if out.practice_id
        else table.organization_id == out.organization_id
    )
    since = unit.fill_null(False) & (table.month >= out.first_month)
    return since if out.last_month is None else since & (table.month <= out.last_month)


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
