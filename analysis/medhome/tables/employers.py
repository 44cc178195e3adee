"""Which member-months are covered through which employer? A benefit change of one can look like an effect."""

from __future__ import annotations

import dataclasses

import ibis
from ibis import _
from ibis.expr.types import Table

from medhome.study.cells import WEIGHT_SCALE, Cells
from medhome.study.employer_results import EmployerCells
from medhome.study.spec import StudySpec
from medhome.tables import collapse, member_months
from medhome.tables.arms import COMPARISON, TREATED
from medhome.tables.engine import fetch
from medhome.tables.panel import Panel

LARGEST = 10
"""Employer groups that are left out one by one: those with most member-months (ties: the first id)."""


def employer_cells(inputs: dict[str, Table], scored: Panel, cells: Cells, spec: StudySpec) -> EmployerCells:
    """The practice-months of each of the largest employer groups, where the study asks for them.

    Arguments
        scored: the panel, scored. cells: its cells (`collapse.cells`).

    A member-month is of a group when a span of that ``group_id`` counts in it by the study's exposure rule;
    it is what ``population.employer_groups_excluded`` would take. Empty where ``population.employer_grid`` is
    false or no span names a group.
    """
    if not spec.population.employer_grid:
        return EmployerCells()
    persons = member_months.people(inputs["eligibility"], spec)
    covered = member_months.of_groups(
        inputs["eligibility"], persons, spec.periods.analysed, spec.population.exposure
    )
    # A person who is two members (another practice in another period) has each month under one of them.
    who = scored.members.select("person_key", "person_id", "arm")
    mine = scored.months.join(who, "person_key")
    of_group = mine.join(covered, ["person_id", "month"])
    of_group = scored.con.create_table(
        "medhome_employers",
        of_group.select(*scored.months.columns, "arm", "group_id"),
        overwrite=True,
    )
    sizes = of_group.group_by("group_id").aggregate(
        w=_.w.sum(),
        members_treated=_.person_key.nunique(where=_.arm == TREATED),
        members_comparison=_.person_key.nunique(where=_.arm == COMPARISON),
    )
    found = fetch(sizes.order_by(ibis.desc("w"), "group_id").limit(LARGEST))
    if found.empty:
        scored.con.drop_table("medhome_employers")
        return EmployerCells()
    largest = of_group.filter(_.group_id.isin(found["group_id"].tolist())).drop("arm")
    part = collapse.cells(dataclasses.replace(scored, months=largest), spec, ("group_id",))
    scored.con.drop_table("medhome_employers")
    months = found["w"] / WEIGHT_SCALE
    groups = found[["group_id", "members_treated", "members_comparison"]].assign(
        label=[f"Employer group {n:02d}" for n in range(1, len(found) + 1)],
        member_months=months,
        share=months / cells.member_months.sum(),
    )
    columns = ["label", "group_id", "members_treated", "members_comparison", "member_months", "share"]
    return EmployerCells(groups=groups[columns], cells=part)
