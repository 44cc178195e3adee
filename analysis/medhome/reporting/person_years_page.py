"""The page of ``medhome person-years``: cost and risk by year, and in words why a change is no effect."""

from __future__ import annotations

from pathlib import Path

from medhome.reporting.blocks import Block, notice, paragraphs
from medhome.reporting.datatable import Column, DataTable
from medhome.reporting.section_page import write_sections
from medhome.study.display import count, ratio, share, usd
from medhome.study.person_year_results import NOT_EVIDENCE, PersonYears


def blocks(found: PersonYears) -> list[tuple[str, Block]]:
    """The page's sections, in order: heading and content. What it cannot say stands first."""
    words = [said for said in found.words() if said != NOT_EVIDENCE]
    return [
        ("", notice("Not evidence of an effect", [NOT_EVIDENCE])),
        ("Cost by year", paragraphs([w for w in words if w.startswith("From")]) + years(found).block()),
        (
            "How much of it risk explains",
            paragraphs([w for w in words if not w.startswith("From")]) + pairs(found).block(),
        ),
    ]


def years(found: PersonYears) -> DataTable:
    """Cost of each year, its change, and the concurrent R2."""
    return DataTable(
        id="tbl-person-years",
        caption="Cost by year, without a comparison",
        frame=found.years.assign(label=found.years["year"].astype(str)),
        columns=(
            Column("label", "Year"),
            Column("people", "People", count),
            Column("pmpm", "Cost", usd, "$ PMPM"),
            Column("change", "Change", share, "from the year before; no effect"),
            Column("r2_concurrent", "R\N{SUPERSCRIPT TWO}", ratio, "concurrent"),
        ),
        note=f"Covariates: {', '.join(found.covariates)}.",
    )


def pairs(found: PersonYears) -> DataTable:
    """Prospective R2 of each pair of neighbouring years."""
    label = [f"{a} to {b}" for a, b in zip(found.pairs["year"], found.pairs["next_year"], strict=True)]
    return DataTable(
        id="tbl-person-year-pairs",
        caption="Cost explained by the covariates of the year before",
        frame=found.pairs.assign(label=label),
        columns=(
            Column("label", "Years"),
            Column("people", "People in both", count),
            Column("r2_prospective", "R\N{SUPERSCRIPT TWO}", ratio, "prospective"),
        ),
    )


def write_page(found: PersonYears, title: str, out: Path) -> Path:
    """Write the page, whole or not at all: one self-contained file."""
    return write_sections(blocks(found), out, title)
