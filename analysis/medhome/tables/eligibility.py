"""The ordered eligibility rules of a study: which months of which members are compared?

Rules are applied in a fixed order to member-months; what a rule drops is dropped by the first rule that a
month fails. `medhome.tables.cohort` counts what each of them takes.
"""

from __future__ import annotations

from dataclasses import dataclass

import ibis
from ibis import _
from ibis.expr.types import BooleanValue, Table

from medhome.study.arm_choices import Exclusion
from medhome.study.periods import month_name
from medhome.study.population_choices import EXPOSURE_RULES, SPECIAL_CATEGORIES, Population
from medhome.study.spec import StudySpec
from medhome.tables.arms import ARMS

__all__ = ["KEPT", "Rule", "apply_rules", "rules"]

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
    found = [Rule(id="enrolled", label=enrolled, dropped=""), *_of_coverage(who), *_of_persons(spec)]
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
        months = f"{who.min_months} months" if who.min_months_rule == "total" else _in_a_row(who)
        found.append(
            Rule(
                id="min_months",
                label=f"At least {months} left",
                dropped=f"Members with fewer than {months}",
            )
        )
    return tuple(found)


def _in_a_row(who: Population) -> str:
    return f"{who.min_months} months in a row"


def _of_coverage(who: Population) -> list[Rule]:
    """Rules on what a month's coverage shows of its cost."""
    found = []
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
    return found


def _of_persons(spec: StudySpec) -> list[Rule]:
    """Rules on who the members are."""
    who = spec.population
    ages = f"{who.age_min} to {who.age_max}"
    found = [Rule(id="age", label=f"Aged {ages} in the month", dropped=f"Months outside ages {ages}")]
    if who.infants == "exclude":
        found.append(Rule(id="infants", label="Aged 1 or over in the month", dropped="Months under age 1"))
    if who.payer_types:
        payers = ", ".join(who.payer_types)
        found.append(
            Rule(id="payer", label=f"Covered by {payers}", dropped=f"Months not covered by {payers}")
        )
    if who.employer_groups_excluded:
        many = len(who.employer_groups_excluded)
        named = "the employer group" if many == 1 else f"the {many} employer groups"
        found.append(
            Rule(
                id="employer_groups",
                label=f"Not covered through {named} left out",
                dropped=f"Months covered through {named} left out",
            )
        )
    if who.special_categories == "exclude":
        words = ", ".join(label.lower() for label in SPECIAL_CATEGORIES.values())
        found.append(
            Rule(
                id="special_categories",
                label=f"Without {words} before the baseline",
                dropped=f"Members with {words} before the baseline",
            )
        )
    if who.decedents == "exclude":
        last = month_name(spec.periods.performance.last)
        found.append(
            Rule(
                id="decedents",
                label=f"Alive through {last} (sensitivity)",
                dropped=f"Members who died by {last} (sensitivity)",
            )
        )
    return found


def apply_rules(exposure: Table, persons: Table, spec: StudySpec) -> Table:
    """Which rule, if any, drops each member-month?

    Arguments
        exposure: one row per member-month, `member_months.exposed`.
        persons: one row per member: ``person_key``, ``birth_month``, ``practice_id`` (null: not attributed),
            ``organization_id``, ``arm``; ``stays`` where the population is "stable", ``death_month`` where
            decedents are left out, ``special`` (`tables.special`) where special categories are.

    One row per member-month: ``person_key``, ``month``, ``w``, ``dropped_by`` (0: kept, else the number of
    the first rule of `rules` that drops it).

    Age is counted in whole months: the month of a birthday already has the new age, so a member leaves in the
    month of the 65th birthday where ``age_max`` is 64.
    """
    who = spec.population
    ids = [rule.id for rule in rules(spec)]
    needs = {"special_categories": "special", "decedents": "death_month"}
    known = ["person_key", "birth_month", "practice_id", "organization_id", "arm"]
    known += [column for rule, column in needs.items() if rule in ids]
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
        "infants": month_age >= 12,
        "payer": table.payer == 1,
        "attributed": table.practice_id.notnull(),
        "arm": table.arm.isin(ARMS),
    }
    for number, out in enumerate(spec.arms.exclusions):
        passes[f"exclusion_{number + 1}"] = ~_excluded(table, out)
    if "stays" in table.columns:
        passes["stable"] = table.stays == 1
    if "employer_groups" in ids:
        passes["employer_groups"] = table.groups == 1
    if "special_categories" in ids:
        passes["special_categories"] = table.special.isnull()
    if "decedents" in ids:
        last = spec.periods.performance.last
        passes["decedents"] = table.death_month.isnull() | (table.death_month > last)
    fails = [(~passes[name], number) for number, name in enumerate(ids) if name in passes]
    flagged = table.select("person_key", "month", "w", dropped_by=ibis.cases(*fails, else_=KEPT).cast("int8"))
    if "min_months" not in ids:
        return flagged
    counts = _months_left(flagged.filter(_.dropped_by == KEPT), spec).filter(_.months_left < who.min_months)
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


def _months_left(kept: Table, spec: StudySpec) -> Table:
    """``months_left`` of each person: months in all, or the longest run of months without a gap.

    A run goes on over the washout, whose months nobody is asked for.
    """
    if spec.population.min_months_rule == "total":
        return kept.group_by("person_key").aggregate(months_left=_.count())
    periods = spec.periods
    gap = periods.performance.first - periods.baseline.end
    place = ibis.ifelse(kept.month >= periods.performance.first, kept.month - gap, kept.month)
    nth = ibis.row_number().over(group_by=kept.person_key, order_by=kept.month)
    # Months in a row keep the distance between their place and their number.
    runs = kept.select("person_key", run=place - nth)
    lengths = runs.group_by("person_key", "run").aggregate(length=_.count())
    return lengths.group_by("person_key").aggregate(months_left=_.length.max())
