"""Tables of care management: the funnel, practices, months, dose, and what became of the events."""

from __future__ import annotations

import dataclasses

from medhome.reporting import where_exhibits
from medhome.reporting.blocks import Block, escape
from medhome.reporting.datatable import Column, DataTable, csv_link, records
from medhome.study.care_management_results import ALL, CareManagement
from medhome.study.display import count, month_short, number, share, usd
from medhome.study.spec import StudySpec
from medhome.study.where_results import Where


def _one(value: object) -> str:
    return number(value, 1)


_WORK = (
    Column("member_months", "Member-months", count),
    Column("engaged_member_months", "Engaged member-months", count),
    Column("contacts", "Contacts", count),
    Column("minutes", "Minutes", count),
    Column("contacts_per_1000", "Contacts", _one, "per 1,000 member-months"),
)
_STAGES = (
    Column("identified", "Identified", count),
    Column("reached", "Reached", count),
    Column("engaged", "Engaged", count),
)


def stages(found: CareManagement) -> DataTable:
    """The funnel: members of the program, identified, reached, engaged."""
    return DataTable(
        id="tbl-care-stages",
        caption="Care management: from all members to the engaged",
        frame=found.stages,
        columns=(
            Column("label", "Stage"),
            Column("members", "Members", count),
            Column("previous_share", "Of the stage before", share),
            Column("expected_pmpm", "Expected at the baseline", usd, "$ PMPM"),
        ),
        counts=CareManagement.COUNTS["stages"],
        resting=CareManagement.RESTING["stages"],
    )


def practices(found: CareManagement) -> Block:
    """The funnel by practice: a compact table, and every column in its CSV."""
    table = DataTable(
        id="tbl-care-practices",
        caption="Care management by practice",
        frame=found.practices,
        columns=(
            Column("label", "Practice"),
            Column("members", "Members", count),
            *_STAGES,
            Column("contacts_per_1000", "Contacts", _one, "per 1,000 member-months"),
            Column("contacts_per_engaged_month", "per engaged month", number),
            Column("wait_median_days", "First contact", count, "median days"),
        ),
        counts=CareManagement.COUNTS["practices"],
        resting=CareManagement.RESTING["practices"],
        strong=[row["label"] == ALL for row in records(found.practices)],
        note="A person counts once, in the practice of the first event; who is further on is in every stage "
        "before. Median days from identification, members never reached counted as such: a dash where fewer "
        "than half were reached. The CSV has member-months, minutes and quartiles.",
    )
    every = dataclasses.replace(
        table,
        columns=(
            *(table.columns[:2]), *_STAGES, *_WORK,
            Column("contacts_per_engaged_month", "Contacts per engaged month", number),
            Column("wait_q1_days", "First quartile", count),
            Column("wait_median_days", "Median", count),
            Column("wait_q3_days", "Third quartile", count),
        ),
    )  # fmt: skip
    return _compact(table, every)


def months(found: CareManagement) -> DataTable:
    """Stages entered and work done in each month."""
    return DataTable(
        id="tbl-care-months",
        caption="Care management by month",
        frame=found.months,
        columns=(Column("month", "Month", month_short, raw=month_short), *_STAGES, *_WORK),
        counts=CareManagement.COUNTS["months"],
        resting=CareManagement.RESTING["months"],
    )


def doses(found: CareManagement) -> DataTable:
    """Engaged members by how often they were in contact: a description, never an effect."""
    return DataTable(
        id="tbl-care-doses",
        caption="Engaged members by contacts per month since engagement",
        frame=found.doses,
        columns=(
            Column("label", "Contacts per month"),
            Column("members", "Members", count),
            Column("share", "Of the engaged", share),
            Column("engaged_member_months", "Member-months", count),
            Column("contacts", "Contacts", count),
            Column("expected_pmpm", "Expected at the baseline", usd, "$ PMPM"),
        ),
        counts=CareManagement.COUNTS["doses"],
        resting=CareManagement.RESTING["doses"],
        note="Not an effect: expected cost at the baseline shows how bands differ before any contact.",
    )


def notes(found: CareManagement) -> DataTable:
    """What became of the rows of the table."""
    return DataTable(
        id="tbl-care-events",
        caption="Events of care management: counted and not",
        frame=found.notes,
        columns=(Column("label", "Events"), Column("rows", "Number", count)),
        counts=CareManagement.COUNTS["notes"],
    )


def high_risk(found: Where, spec: StudySpec) -> DataTable:
    """The effect by risk at the baseline: the rows of "Where and for whom"."""
    rows = found.groups[found.groups["dimension"].isin(["all", "risk"])].reset_index(drop=True)
    return dataclasses.replace(
        where_exhibits.groups(dataclasses.replace(found, groups=rows), spec),
        id="tbl-care-high-risk",
        caption="Effect by risk at the baseline, care-managed or not",
    )


def _compact(table: DataTable, every: DataTable) -> Block:
    """A table with few columns on the page, and all of them in the file to download."""
    return Block(
        html=f'<div class="tbl" id="{escape(table.id)}">{table.html()}'
        f'<div class="dl">{csv_link(every)}</div></div>',
        text=table.plain(),
    )


def downloads(found: CareManagement) -> Block:
    """Months and events as files alone: they are long."""
    tables = (months(found), notes(found))
    links = " ".join(f"{escape(table.caption)}: {csv_link(table)}" for table in tables)
    return Block(html=f'<div class="dl">{links}</div>', text="\n\n".join(t.plain() for t in tables))
