"""The parts of the page on savings: words, then the table."""

from __future__ import annotations

from medhome.reporting import exhibits, savings_exhibits, savings_words
from medhome.reporting.blocks import Block, paragraphs
from medhome.study.released import ReleasedRun


def savings_in_words(report: ReleasedRun) -> Block:
    """Savings before and after fees, per member per month and in all."""
    savings = report.evaluation.savings
    return paragraphs([savings_words.savings_gross(savings)], css="first") + paragraphs(
        [savings_words.savings_net(savings), savings_words.savings_total(savings)]
    )


def savings_table(report: ReleasedRun) -> Block:
    """Exhibit T15: savings gross and net."""
    return exhibits.savings(report.evaluation.savings).block()


def savings_by_year(report: ReleasedRun) -> Block:
    """Exhibit T6: savings by program year."""
    found = report.evaluation.savings
    impact = savings_exhibits.impact_by_year(found)
    made = exhibits.savings_by_year(found).block()
    return made if impact is None else made + impact.block()


def fees(report: ReleasedRun) -> Block:
    """The program payments that were taken off."""
    return paragraphs([savings_words.fees(report.spec)])
