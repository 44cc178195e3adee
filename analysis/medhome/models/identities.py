"""Sums that must agree across the rooms: a claim line's dollar is found again in every result."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from medhome.study.cells import Cells
from medhome.study.display import absent, usd
from medhome.study.results import Check, Cohort, DataQuality, DidResult, ExpectedCosts, Savings
from medhome.study.spec import StudySpec


def identities(
    quality: DataQuality,
    cohort: Cohort,
    expected: ExpectedCosts,
    did: DidResult,
    savings: Savings,
    cells: Cells,
    spec: StudySpec,
) -> Iterator[Check]:
    """Sums that must agree across the rooms; a failure is a defect and stands on the first page."""
    scale = cells.weight_scale * cells.scales["allowed_capped"]
    in_cells = round(Fraction(sum(int(v) for v in cells.frame["w*allowed_capped"]), scale) * 100)
    if len(quality.waterfall):
        steps = [_cents(v) for v in quality.waterfall["allowed_usd"]]
        adds_up = sum(steps[:-1]) == steps[-1]
        agrees = in_cells == steps[-1] and adds_up
        yield Check(
            id="dollars-add-up",
            passed=agrees,
            front_page=True,
            sentence=f"Dollars in the analysis, {usd(in_cells / 100)}, "
            + (
                "equal dollars in the files less every exclusion, to the cent."
                if agrees
                else f"do not equal dollars in the files less every exclusion, {usd(sum(steps[:-1]) / 100)}."
            ),
        )
    gap = _pmpm_gap(cohort, cells, spec)
    if gap is not None:
        yield Check(
            id="pmpm-adds-up",
            passed=gap < 0.005,
            front_page=True,
            sentence="The member-month-weighted mean of organisations' cost equals the aggregate PMPM of "
            "each arm and period, to the cent."
            if gap < 0.005
            else f"The member-month-weighted mean of organisations' cost differs from the aggregate PMPM "
            f"by up to {usd(gap)}.",
        )
    gross, headline = savings.rows["gross_pmpm"].value, did.headline.value
    e3 = expected.definitions.set_index("definition")["difference_pmpm"].get("E3", np.nan)
    if not absent(gross) and not absent(headline):
        assert gross is not None and headline is not None
        one = bool(abs(gross + headline) < 1e-9 and abs(e3 - headline) < 1e-9)
        yield Check(
            id="one-effect",
            passed=one,
            front_page=True,
            sentence="Savings, the difference from expected (E3) and the headline effect are one number."
            if one
            else "Savings, the difference from expected (E3) and the headline effect do not agree.",
        )


def _pmpm_gap(cohort: Cohort, cells: Cells, spec: StudySpec) -> float | None:
    """Largest difference between an arm's PMPM by organisations and by cells, in dollars."""
    frame, table = cells.frame, cohort.organizations
    months = frame["month"].to_numpy(dtype=int)
    gaps = []
    for name, span in (("baseline", spec.periods.baseline), ("performance", spec.periods.performance)):
        for arm in ("treated", "comparison"):
            part = cells.where(
                (frame["arm"] == arm).to_numpy() & (months >= span.first) & (months < span.end)
            )
            own = table[(table["arm"] == arm) & (table[f"{name}_member_months"] > 0)]
            weight = own[f"{name}_member_months"].sum()
            if own.empty or not part.member_months.sum() > 0:
                continue
            by_organization = (own[f"{name}_pmpm"] * own[f"{name}_member_months"]).sum() / weight
            gaps.append(
                abs(by_organization - math.fsum(part.total("allowed_capped")) / part.member_months.sum())
            )
    return float(max(gaps)) if gaps else None


def _cents(usd_value: float) -> int:
    return round(float(usd_value) * 100)
