"""Checks: each sentence follows from the results, and each check can fail."""

import dataclasses

import pandas as pd
import pytest

from medhome.models import checks
from medhome.study.arm_choices import Arms, Attribution
from medhome.study.cells import Cells
from medhome.study.period_choices import Periods
from medhome.study.periods import month_index
from medhome.study.results import (
    Attrition,
    Cohort,
    DataQuality,
    DidResult,
    Estimate,
    ExpectedCosts,
    RiskModelResult,
    Savings,
)
from medhome.study.spec import Program, StudySpec

BASE, AFTER = month_index("2008-05"), month_index("2008-06")


def study(through="2009-05", paid_through="2009-12", **changes):
    return StudySpec(
        id="small",
        title="Small",
        seed=1,
        paid_through=paid_through,
        program=Program(name="None"),
        periods=Periods(
            baseline_first="2007-06",
            baseline_last="2008-05",
            start="2008-06",
            through=through,
            run_out_months=0,
        ),
        **changes,
    )


def found():
    """A world of two organisations: $1,000 allowed in each of four arm-periods of 10 member-months."""
    keys = [("A", "P1", "treated"), ("B", "P2", "comparison")]
    cells = Cells(
        scales={"allowed": 100, "allowed_capped": 100},
        frame=pd.DataFrame(
            [
                {
                    "organization_id": o,
                    "practice_id": p,
                    "arm": a,
                    "stratum": "adults",
                    "month": m,
                    "rows": 10,
                    "w": 10_000,
                    "w*allowed": 101_000_000,
                    "w*allowed_capped": 100_000_000,
                }
                for o, p, a in keys
                for m in (BASE, AFTER)
            ]
        ),
    )
    waterfall = pd.DataFrame(
        {"step": [0, 1, 2], "allowed_usd": [4_100.10, -100.10, 4_000.00], "reason": ["raw", "out", "left"]}
    )
    rules = pd.DataFrame(
        {
            "column": ["paid_date", "age"],
            "severity": ["note", "warning"],
            "count": [0, 0],
            "label": ["Paid date unknown", "Age odd"],
        }
    )
    organizations = pd.DataFrame(
        {
            "organization_id": ["A", "B"],
            "arm": ["treated", "comparison"],
            "baseline_member_months": 10.0,
            "performance_member_months": 10.0,
            "baseline_pmpm": 100.0,
            "performance_pmpm": 100.0,
        }
    )
    empty = pd.DataFrame()

    def number(value, ci=None):
        return Estimate(value=value, unit="USD PMPM", ci95=ci)

    return {
        "attrition": Attrition(
            frame=pd.DataFrame(
                {
                    "rule": ["all", "attributed"],
                    "member_months": [100.0, 80.0],
                    "member_months_dropped": [0.0, 20.0],
                }
            )
        ),
        "quality": DataQuality(rules=rules, waterfall=waterfall, volumes=empty, inputs=empty),
        "cohort": Cohort(
            balance=pd.DataFrame({"label": ["Age", "Diabetes"], "smd": [0.02, -0.05]}),
            organizations=organizations,
            members={},
            member_months={},
            practices={},
            organizations_n={},
            clinicians={},
        ),
        "risk": RiskModelResult(
            name="x",
            version="1",
            fitted_on="",
            terms=empty,
            calibration=empty,
            accuracy=pd.DataFrame({"population": ["Members of the treated arm"], "predictive_ratio": [0.97]}),
        ),
        "expected": ExpectedCosts(
            definitions=pd.DataFrame({"definition": ["E1", "E3"], "difference_pmpm": [-11.0, -12.0]}),
            series=empty,
            primary="E3",
        ),
        "did": DidResult(
            headline=number(-12.0, (-20.0, -4.0)),
            detectable=number(11.5),
            probability_lower_cost=number(0.9),
            relative=number(-0.1),
            methods=empty,
            event_study=empty,
            variance_shares=empty,
            pre_trend=number(1.0, (-3.0, 5.0)),
            treated_organizations=1,
            comparison_organizations=40,
            organization_sd_pmpm=8.0,
            autocorrelation=0.8,
            rule="",
        ),
        "savings": Savings(rows={"gross_pmpm": number(12.0)}, by_year=empty),
        "cells": cells,
    }


def run(parts=None, spec=None, **changes):
    parts = {**found(), **(parts or {}), **changes}
    return {c.id: c for c in checks.run_all(**parts, spec=spec or study())}


def changed(name, **changes):
    return {name: dataclasses.replace(found()[name], **changes)}


def test_a_sound_study_puts_only_the_published_effect_on_the_front_page():
    result = run()
    front = [c.id for c in result.values() if c.front_page and c.passed is not True]
    assert front == ["published-effect"]
    assert result["published-effect"].sentence == (
        "An effect of $1.78 PMPM, as published for a medical home of one physician group that began in "
        "June 2008, is below what this study can detect."
    )


@pytest.mark.parametrize(
    "through, months, passed", [("2009-04", "11 months", False), ("2009-05", "12 months", True)]
)
def test_fewer_than_twelve_months_is_a_warning_and_no_error(through, months, passed):
    check = run(spec=study(through))["months-after-start"]
    assert check.sentence == (
        f"The first evaluation of such a program comes after at least 12 months; this one has {months}."
    )
    assert check.passed is passed and check.front_page


def test_an_effect_below_the_detectable_one_is_said_with_both_numbers():
    check = run(changed("did", detectable=Estimate(value=33.2, unit="USD PMPM")))["detectable-effect"]
    assert check.passed is None and check.front_page
    assert check.sentence == (
        "This study can detect an effect of $33 PMPM or more with 80% power; its estimate, −$12.00 PMPM, "
        "is below what it can detect."
    )
    assert run()["detectable-effect"].passed is True


def test_placeholder_arms_are_said_on_the_front_page():
    assert "placeholder" not in run()
    spec = study(arms=Arms(rule="hash"), attribution=Attribution(method="rule"))
    check = run(spec=spec)["placeholder"]
    assert check.front_page and check.passed is False and "no program exists in these data" in check.sentence


def test_dollars_add_up_to_the_cent_or_the_check_fails():
    assert run()["dollars-add-up"].passed is True
    frame = found()["quality"].waterfall
    off = run(changed("quality", waterfall=frame.assign(allowed_usd=[4_100.10, -100.10, 4_000.01])))
    assert off["dollars-add-up"].passed is False and off["dollars-add-up"].front_page
    wrong_total = run(changed("quality", waterfall=frame.assign(allowed_usd=[4_100.11, -100.10, 4_000.00])))
    assert wrong_total["dollars-add-up"].passed is False
    assert "$4,000.01" in wrong_total["dollars-add-up"].sentence


def test_organisation_means_add_up_to_the_arm():
    assert run()["pmpm-adds-up"].passed is True
    table = found()["cohort"].organizations
    off = run(changed("cohort", organizations=table.assign(performance_pmpm=[100.0, 100.01])))
    assert off["pmpm-adds-up"].passed is False and "$0.01" in off["pmpm-adds-up"].sentence


def test_savings_expected_and_effect_are_one_number():
    assert run()["one-effect"].passed is True
    off = run(changed("savings", rows={"gross_pmpm": Estimate(value=11.99, unit="USD PMPM")}))
    assert off["one-effect"].passed is False
    table = found()["expected"].definitions.assign(difference_pmpm=[-11.0, -12.5])
    assert run(changed("expected", definitions=table))["one-effect"].passed is False


def test_the_cap_is_judged_by_the_dollars_that_it_takes():
    check = run()["cap"]
    assert check.passed is True and "1.0% of allowed dollars in the treated arm" in check.sentence
    frame = found()["cells"].frame
    heavy = Cells(
        scales={"allowed": 100, "allowed_capped": 100}, frame=frame.assign(**{"w*allowed": 110_000_000})
    )
    assert run(cells=heavy)["cap"].passed is False


def test_balance_names_what_differs():
    check = run()["balance"]
    assert check.passed is True and check.sentence.startswith("0 of 2 characteristics differ")
    table = pd.DataFrame({"label": ["Age", "Diabetes", "Sex"], "smd": [0.02, -0.15, None]})
    check = run(changed("cohort", balance=table))["balance"]
    assert check.passed is False
    assert check.sentence == (
        "1 of 2 characteristics differ at baseline by more than 0.10 standard deviations: Diabetes."
    )


def test_short_run_out_and_unknown_paid_dates():
    assert run()["run-out"].passed is True
    check = run(spec=study(paid_through="2009-07"))["run-out"]
    assert check.passed is False and "2 months of run-out" in check.sentence
    assert "paid-date-unknown" not in run()
    rules = found()["quality"].rules.assign(count=[3, 4])
    result = run(changed("quality", rules=rules))
    assert "count as paid by December 2009" in result["paid-date-unknown"].sentence
    assert result["data-warnings"].sentence == "The input checks gave 1 warning: Age odd."


def test_who_could_not_be_attributed():
    check = run()["not-attributed"]
    assert check.passed is None and check.sentence.startswith("20.0% of the member-months")
    frame = found()["attrition"].frame.assign(member_months=[100.0, 60.0], member_months_dropped=[0.0, 40.0])
    assert run(changed("attrition", frame=frame))["not-attributed"].sentence.startswith("40.0%")
    assert "not-attributed" not in run(changed("attrition", frame=frame.assign(rule=["all", "age"])))


def test_few_comparison_organisations():
    assert run()["comparison-organizations"].passed is True
    result = run(changed("did", comparison_organizations=7))
    assert result["comparison-organizations"].passed is False
    assert "has 7 organisations; with fewer than 8" in result["comparison-organizations"].sentence


def test_before_the_start_is_an_interval_and_never_a_verdict():
    assert (
        run()["pre-trend"].sentence
        == "Differences before the start of −$3.00 to $5.00 PMPM per year remain possible."
    )
    gone = run(changed("did", pre_trend=Estimate(value=None, unit="USD PMPM per year")))["pre-trend"]
    assert "could not be estimated" in gone.sentence and gone.front_page


def test_notes_of_models_become_information():
    result = run(notes=("A note.",))
    assert result["risk-model-1"].sentence == "A note." and result["risk-model-1"].passed is None
    ids = [c.id for c in checks.run_all(**found(), spec=study())]
    assert len(ids) == len(set(ids))
