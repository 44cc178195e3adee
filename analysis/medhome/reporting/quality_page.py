"""The data-quality page of ``medhome check``: what the rules found, where dollars went, volumes by month."""

from __future__ import annotations

from pathlib import Path

from medhome.reporting import claims_exhibits, cohort_exhibits, cohort_figures, cohort_words, study_words
from medhome.reporting.blocks import NOTHING, Block, paragraphs
from medhome.reporting.section_page import write_sections
from medhome.study.results import DataQuality
from medhome.study.spec import StudySpec


def blocks(quality: DataQuality, spec: StudySpec) -> list[tuple[str, Block]]:
    """The page's sections, in order: heading and content.

    Arguments
        quality: released findings (`disclosure.release_quality`).
    """
    rules = cohort_exhibits.rules(quality)
    return [
        ("", paragraphs([study_words.data_through(spec)], css="meta")),
        ("Input files", cohort_exhibits.inputs(quality).block()),
        (
            "Input rules",
            paragraphs([cohort_words.rules_found(quality)])
            + (rules.block() if len(rules.frame) else NOTHING),
        ),
        ("Claims by month", cohort_figures.volumes(quality, spec).block()),
        ("Where the dollars went", cohort_figures.waterfall(quality, spec).with_table()),
        ("Cost in months without enrolment", claims_exhibits.without_enrolment(quality, spec)),
    ]


def write_quality_page(quality: DataQuality, spec: StudySpec, out: Path) -> Path:
    """Write the page, whole or not at all: one self-contained file without network requests.

    Arguments
        quality: released findings.
        out: the page; an earlier one is replaced.
    """
    return write_sections(blocks(quality, spec), out, f"{spec.title}: quality of the input data")
