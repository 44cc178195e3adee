"""Does the study leave people out by something that care itself decides? Then it says so.

Deaths, months of enrolment and special categories are outcomes of care, or follow from them: to leave such
members out is a sensitivity analysis, never the answer (`docs/methods.md`, cohort and attrition).
"""

from __future__ import annotations

from collections.abc import Iterator

from medhome.study.display import count
from medhome.study.results import Check
from medhome.study.spec import StudySpec


def left_out(spec: StudySpec) -> Iterator[Check]:
    """One sentence for each choice of ``[population]`` that selects members by what may be an outcome.

    >>> from medhome.study.spec import _validated
    >>> spec = _validated({
    ...     "id": "a", "title": "A", "seed": 1, "paid_through": "2010-03", "program": {"name": "P"},
    ...     "periods": {"baseline_first": "2008-01", "baseline_last": "2008-12", "start": "2009-01",
    ...                 "through": "2009-12"}, "population": {"decedents": "exclude"}}, source="a")
    >>> [(check.id, check.passed) for check in left_out(spec)]
    [('decedents-left-out', False)]
    """
    who = spec.population
    if who.decedents == "exclude":
        yield Check(
            id="decedents-left-out",
            passed=False,
            front_page=True,
            sentence="Members who died in the months analysed are left out of both arms. Death is an outcome "
            "of care: this is a sensitivity analysis, not the estimate.",
        )
    if who.special_categories == "exclude":
        yield Check(
            id="special-categories-left-out",
            passed=None,
            front_page=True,
            sentence="Members with end-stage renal disease, a transplant or hospice before the baseline are "
            "left out of both arms: the result does not speak for them.",
        )
    if who.min_months > 1 and who.min_months_rule == "continuous":
        yield Check(
            id="continuous-enrolment",
            passed=None,
            front_page=True,
            sentence=f"Only members with {count(who.min_months)} months in a row are in the study: it leaves "
            "out deaths, births and those who change jobs.",
        )
    if who.orphan_cost == "keep":
        yield Check(
            id="orphan-cost-kept",
            passed=False,
            front_page=True,
            sentence="Cost of months without enrolment is kept, without member-months of its own: dollars "
            "over member-months is no longer what an enrolled month cost, and the two do not agree.",
        )
    if who.employer_groups_excluded:
        yield Check(
            id="employer-groups-left-out",
            passed=None,
            front_page=True,
            sentence="Months covered through employer groups that the study file names are left out of both "
            "arms.",
        )
