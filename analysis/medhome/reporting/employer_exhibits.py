"""Employer groups on the page: the effect without each of the largest ones."""

from __future__ import annotations

from medhome.reporting.blocks import NOTHING, Block, paragraphs
from medhome.reporting.datatable import Column, DataTable, records
from medhome.reporting.study_words import arm_label
from medhome.study.display import absent, count, pmpm, share, usd
from medhome.study.employer_results import Employers
from medhome.study.released import ReleasedRun
from medhome.study.spec import StudySpec


def effect_without_each_employer(report: ReleasedRun) -> Block:
    """Table: the effect without each of the largest employer groups, where the study asks for it."""
    spec, found = report.spec, report.evaluation.employers
    if found.grid.empty and not spec.population.employer_grid:
        return NOTHING
    if found.grid.empty:
        return paragraphs(
            [
                "The study asks for the effect without each employer group; no enrolment span that counts "
                "names one."
            ]
        )
    return paragraphs([in_words(found)]) + grid(found, spec).block()


def in_words(found: Employers) -> str:
    """How far the estimate moves when one employer group is left out."""
    known = [row for row in records(found.grid) if not absent(row["estimate"])]
    if not known:
        return "Without any one of the largest employer groups the effect cannot be told, or is withheld."
    low, high = (pick(known, key=lambda row: row["estimate"]) for pick in (min, max))
    return (
        "With one of the largest employer groups left out at a time, the effect lies between "
        f"{pmpm(low['estimate'])} (without {_named(low['label'])}) and {pmpm(high['estimate'])} "
        f"(without {_named(high['label'])}). A change of benefits at one employer would show here."
    )


def grid(found: Employers, spec: StudySpec) -> DataTable:
    """The effect without each group, with its interval."""
    missing = [f"Without {_named(row['label'])}: {row['why']}." for row in records(found.grid) if row["why"]]
    note = (
        "Groups by their member-months, the largest first; every month covered through the group is left "
        "out. Attribution, cost model and cap stay those of the study."
    )
    return DataTable(
        id="tbl-employers",
        caption="The effect without each of the largest employer groups",
        frame=found.grid,
        columns=(
            Column("label", "Left out"),
            Column("members_treated", f"{arm_label('treated', spec)} members", count),
            Column("members_comparison", f"{arm_label('comparison', spec)} members", count),
            Column("share", "Share", share, "of member-months"),
            Column("estimate", "Effect", usd, "$ PMPM"),
            Column("se", "Standard error", usd, "$ PMPM"),
            Column("lo95", "95% interval", usd, "$ PMPM", upper="hi95"),
        ),
        counts=Employers.COUNTS["grid"],
        resting=Employers.RESTING["grid"],
        note="\n".join([note, *missing]),
    )


def _named(label: object) -> str:
    return str(label).lower()
