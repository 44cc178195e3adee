"""Weights of the comparison group on the page "Data and cohort": words and tables."""

from __future__ import annotations

from collections.abc import Callable

from medhome.reporting.blocks import Block, paragraphs
from medhome.reporting.datatable import Column, DataTable, Row
from medhome.reporting.study_words import arm_label
from medhome.reporting.words import direction, rows_of
from medhome.study.comparison_results import ComparisonGroup
from medhome.study.display import absent, count, in_unit, interval, number, share, usd
from medhome.study.released import ReleasedRun
from medhome.study.spec import StudySpec

NOTABLE = 0.1
"""A standardised difference above which groups are notably apart (as on exhibit T2)."""

METHODS = {"propensity": "the odds of a propensity score", "entropy": "entropy balancing"}


def comparison_weights(report: ReleasedRun) -> Block:
    """How much each comparison practice counts, and how alike the arms then are."""
    found, spec = report.evaluation.comparison, report.spec
    made = paragraphs(words(found))
    if found.method == "none":
        return made
    made = made + balance(found, spec).block() + groups(found, spec).block()
    return made if found.placebo.empty else made + placebo(found).block()


def words(found: ComparisonGroup) -> list[str]:
    """What the weights did, in sentences.

    >>> words(ComparisonGroup())
    ['Comparison practices count by their member-months; the study asks for no weights.']
    """
    if found.method == "none":
        return ["Comparison practices count by their member-months; the study asks for no weights."]
    known = found.balance[["smd", "smd_weighted"]].dropna().abs()
    far, left = (int((known[c] > NOTABLE).sum()) for c in ("smd", "smd_weighted"))
    own = found.groups[found.groups["group"] == "comparison"].iloc[0]
    sentences = [
        f"Comparison practices are weighted by {METHODS[found.method]}, so that their members look like the "
        f"program's before the start. Of {count(len(known))} characteristics, {count(far)} differed "
        f"notably before and {count(left)} do with the weights.",
        f"{count(own['kept'])} of {count(own['practices'])} comparison practices are kept; they weigh as "
        f"much as {number(own['effective'], 1)} equal ones, and the largest has "
        f"{share(own['largest_share'])} of the weight.",
        "Every estimate rests on these weights; weighted members count for what they are worth.",
    ]
    for row in rows_of(found.trimming):
        sentences.append(f"{count(row.practices)} of the {row.group} practices: {row.rule}.")
    for row in rows_of(found.placebo[found.placebo["weights"] == "levels"]):
        clear = direction(row.lo95, row.hi95) != "unclear"
        verdict = (
            "the match regresses to the mean, and its effect cannot be believed"
            if clear
            else "zero is possible, which does not show that the match is harmless"
        )
        sentences.append(
            "Practices are matched on their cost before the start as well. Where nothing happened, that "
            f"match gives {usd(row.estimate)} PMPM (95% interval {interval(row.lo95, row.hi95)}): {verdict}."
        )
    return sentences


def balance(found: ComparisonGroup, spec: StudySpec) -> DataTable:
    """Exhibit T2 with the weighted comparison group beside the plain one."""
    frame = found.balance

    def written(column: str) -> Callable[[Row], str]:
        return lambda row: in_unit(row[column], str(row["unit"]))

    return DataTable(
        id="tbl-balance-weighted",
        caption="Characteristics at baseline, before and after weighting",
        frame=frame,
        columns=(
            Column("label", "Characteristic"),
            Column("treated", arm_label("treated", spec), number, by_row=written("treated")),
            Column("comparison", "Comparison", number, by_row=written("comparison")),
            Column("weighted", "Comparison, weighted", number, by_row=written("weighted")),
            Column("smd", "Standardised difference", number),
            Column("smd_weighted", "weighted", number),
            Column("variance_ratio", "Variance ratio", number),
            Column("variance_ratio_weighted", "weighted", number),
        ),
        strong=[not absent(v) and abs(v) > NOTABLE for v in frame["smd_weighted"]],
        note="Differences are over the deviation of the unweighted arms, before and after alike. Bold: above "
        f"{number(NOTABLE, 1)} with the weights. {found.rule[:1].upper()}{found.rule[1:]}.",
    )


def groups(found: ComparisonGroup, spec: StudySpec) -> DataTable:
    """How much of each arm is left."""
    return DataTable(
        id="tbl-comparison-weights",
        caption="What the weights leave",
        frame=found.groups.assign(arm=[arm_label(str(g), spec) for g in found.groups["group"]]),
        columns=(
            Column("arm", "Arm"),
            Column("practices", "Practices", count),
            Column("kept", "Kept", count),
            Column("effective", "Worth so many equal ones", lambda v: number(v, 1)),
            Column("largest_share", "Largest share of one", share),
        ),
        note=" ".join(f"{w[:1].upper()}{w[1:]}." for w in found.warnings),
    )


def placebo(found: ComparisonGroup) -> DataTable:
    """What matching on cost does where nothing happened."""
    return DataTable(
        id="tbl-outcome-levels",
        caption="The change into the last part of the baseline, in which nothing happened",
        frame=found.placebo,
        columns=(
            Column("label", "Weights"),
            Column("estimate", "Placebo effect", usd, "$ PMPM"),
            Column("se", "Standard error", usd, "$ PMPM"),
            Column("lo95", "95% interval", usd, "$ PMPM", upper="hi95"),
        ),
    )
