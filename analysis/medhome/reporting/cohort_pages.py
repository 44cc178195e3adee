"""The page "Data and cohort": one public function for one part of it, as in `pages`."""

from __future__ import annotations

from medhome.reporting import (
    cohort_exhibits,
    cohort_figures,
    cohort_words,
    study_words,
)
from medhome.reporting.blocks import NOTHING, Block, escape, paragraphs, prose
from medhome.study.display import month, months
from medhome.study.periods import month_index
from medhome.study.released import ReleasedRun
from medhome.study.spec import StudySpec


def the_program(report: ReleasedRun) -> Block:
    """The program's card, and the rules of the study, from the study file."""
    name = "The placebo arm" if report.spec.arms.placeholder else "The program"
    return _card(name, _program_rows(report)) + _card("The study as declared", _study_rows(report.spec))


def _card(caption: str, rows: list[tuple[str, list[str]]]) -> Block:
    """Names and what they hold, as a table of two columns."""
    body = "".join(f'<tr><th scope="row">{escape(k)}</th><td>{_items(v)}</td></tr>' for k, v in rows)
    return Block(
        html=f'<div class="tbl"><table class="kv"><caption>{escape(caption)}</caption>'
        f"<tbody>{body}</tbody></table></div>",
        text="\n".join(f"{k}: {'; '.join(v)}" for k, v in rows),
    )


def input_files(report: ReleasedRun) -> Block:
    """Table: which files were read."""
    return cohort_exhibits.inputs(report.evaluation.quality).block()


def input_rules(report: ReleasedRun) -> Block:
    """What the rules on the input tables found."""
    quality = report.evaluation.quality
    table = cohort_exhibits.rules(quality)
    return paragraphs([cohort_words.rules_found(quality)]) + (table.block() if len(table.frame) else NOTHING)


def dollars_kept(report: ReleasedRun) -> Block:
    """Figure: from the dollars in the files to the cost in the evaluation."""
    return cohort_figures.waterfall(report.evaluation.quality, report.spec).block(table_follows=True)


def dollars_kept_table(report: ReleasedRun) -> Block:
    """Table: the same steps, with claim lines and paid dollars."""
    return cohort_exhibits.waterfall(report.evaluation.quality).block()


def claims_by_month(report: ReleasedRun) -> Block:
    """Figure: are the claims whole, month by month and in both arms?"""
    return cohort_figures.volumes(report.evaluation.quality, report.spec).block()


def cohort_flow(report: ReleasedRun) -> Block:
    """Exhibit T1: who is left after each eligibility rule."""
    attrition = report.evaluation.attrition
    return (
        paragraphs([cohort_words.who_is_left(attrition, report.spec), study_words.look_back(report.spec)])
        + cohort_exhibits.cohort_flow(attrition, report.spec).block()
    )


def who_was_compared(report: ReleasedRun) -> Block:
    """Members, practices and organisations of both arms."""
    return paragraphs([cohort_words.who_was_compared(report.evaluation.cohort, report.spec)], css="first")


def organizations_compared(report: ReleasedRun) -> Block:
    """Figure: how far each organisation's cost moved, by its size."""
    return cohort_figures.organizations(report.evaluation.cohort, report.spec).block()


def members_by_stratum(report: ReleasedRun) -> Block:
    """Table: adults, children, infants and special categories by arm, with their cost before and after."""
    cohort = report.evaluation.cohort
    return NOTHING if cohort.strata.empty else cohort_exhibits.strata(cohort, report.spec).block()


def balance_at_baseline(report: ReleasedRun) -> Block:
    """Exhibit T2 as picture and table: how alike the arms were before the start."""
    cohort = report.evaluation.cohort
    drawn = cohort_figures.balance(cohort, report.spec)
    return paragraphs([cohort_words.balance(cohort)]) + drawn.with_table()


NOT_STATED = "Not stated in the study file"


def _program_rows(report: ReleasedRun) -> list[tuple[str, list[str]]]:
    """What a reader asks of every program, said to be missing where the study file does not say it."""
    program = report.spec.program
    asked = [
        ("Name", [program.name]),
        ("Location", [program.location]),
        ("Organisation", [program.organization]),
        ("Practices", [program.practices, cohort_words.program_in_numbers(report.evaluation.cohort)]),
        ("Payer", [program.payer]),
        ("Description", [program.description]),
        ("Components", list(program.components)),
        ("Payment model", [program.payment_model]),
        ("At the same time", list(program.co_interventions)),
        ("Outcomes reported", list(program.reported_outcomes)),
    ]
    return [(name, [v for v in values if v] or [NOT_STATED]) for name, values in asked]


def _study_rows(spec: StudySpec) -> list[tuple[str, list[str]]]:
    periods, cap = spec.periods, spec.outcomes.cap_usd_per_year
    rows = [
        ("Baseline", [months(periods.baseline.first, periods.baseline.last)]),
        ("After the start", [months(periods.performance.first, periods.performance.last)]),
        ("Paid through", [month(month_index(spec.paid_through))]),
        ("Arms", [study_words.arms_rule(spec)]),
        ("Population", [study_words.population_rule(spec)]),
        ("Attribution", [study_words.attribution_rule(spec)]),
        ("Cost", [study_words.cost_rule(cap)]),
        ("Month of a claim", [study_words.month_rule(spec)]),
        ("Small numbers", [study_words.disclosure_rule(spec)]),
    ]
    return [(name, [v for v in values if v]) for name, values in rows if any(values)]


def _items(values: list[str]) -> str:
    if len(values) == 1:
        return prose(values[0])
    return f"<ul>{''.join(f'<li>{prose(v)}</li>' for v in values)}</ul>"
