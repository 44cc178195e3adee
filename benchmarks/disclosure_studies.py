"""Random studies with small cells: invented people, counted into the tables that a report releases.

Every table counts the same people, so that what adds up in a report adds up here: arms into organisations,
practices, strata, risk, statuses; months into quarters, years and periods; claim lines into fates.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.disclosure_lines import claim_lines, quality, selection
from benchmarks.disclosure_people import ARMS, END, FIRST, PERIODS, START, people_of, present, within
from medhome.study.completion_results import Completion
from medhome.study.measure_results import Measures, no_rows
from medhome.study.periods import month_name
from medhome.study.results import (
    Attrition,
    Cohort,
    DidResult,
    Estimate,
    Evaluation,
    ExpectedCosts,
    RiskModelResult,
    Savings,
    frames,
)
from medhome.study.robustness_results import Robustness
from medhome.study.truncation_results import Truncation
from medhome.study.where_results import KINDS, Where


def study(seed: int) -> Evaluation:
    """One random study: a few to a few hundred people an arm, in one to seven organisations each."""
    draw = np.random.default_rng([20261122, seed])
    people = people_of(draw)
    here = present(people)
    lines = claim_lines(draw, people, here)
    nothing = pd.DataFrame()
    estimate = Estimate(value=-4.0, unit="USD PMPM", ci95=(-9.0, 1.0))
    return Evaluation(
        study_id="random",
        fingerprint="",
        periods={
            "baseline_first": month_name(FIRST), "baseline_last": month_name(START - 1),
            "start": month_name(START), "through": month_name(END - 1), "paid_through": month_name(END + 2),
        },
        attrition=_attrition(draw, people, here),
        quality=quality(draw, people, here, lines),
        cohort=_cohort(people, here),
        risk=RiskModelResult(
            name="", version="", fitted_on="", terms=nothing, calibration=nothing, accuracy=nothing
        ),
        expected=ExpectedCosts(definitions=nothing, series=_windows(people, here, 3), primary="E3"),
        did=DidResult(
            headline=estimate, detectable=estimate, probability_lower_cost=estimate, relative=estimate,
            methods=nothing, event_study=_windows(people, here, 3).assign(estimate=1.0),
            variance_shares=nothing,
            pre_trend=estimate, treated_organizations=1, comparison_organizations=6, organization_sd_pmpm=1.0,
            autocorrelation=0.5, rule="",
        ),
        savings=Savings(rows={}, by_year=_windows(people, here, 12)),
        checks=(),
        completion=Completion(**{"periods": _periods(people, here)}),
        truncation=Truncation(above_cap=_above_cap(draw, people, here)),
        selection=selection(draw, people, here),
        robustness=_left_out(people),
        where=_where(people, here),
        measures=_measures(draw, people, here),
    )  # fmt: skip


def spoilt(evaluation: Evaluation, floor: int) -> Evaluation:
    """The evaluation as a simple rule would release it: small counts withheld, nothing else."""
    parts = {}
    for name in Evaluation.PARTS:
        part = getattr(evaluation, name)
        changed = {}
        for field, frame in frames(part):
            held = frame.copy()
            for column in (c for c in getattr(part, "COUNTS", {}).get(field, ()) if c in held):
                few = held[column].abs().between(1, floor - 1)
                for other in (column, *(r for r in part.RESTING[field] if r in held)):
                    held[other] = held[other].astype("float64").mask(few)
            changed[field] = held
        parts[name] = dataclasses.replace(part, **changed)
    return dataclasses.replace(evaluation, **parts)


def _attrition(draw: np.random.Generator, people: pd.DataFrame, here: np.ndarray) -> Attrition:
    rules = ("enrolled", "benefits", "age", "attributed", "arm")
    rows = []
    for arm in ARMS:
        mine = (people["arm"] == arm).to_numpy()
        members, months = int(mine.sum()), int(here[mine].sum())
        dropped = [0, *(int(d) for d in draw.choice([0, 0, 3, 8, 11, 40], 4))]
        for step in reversed(range(len(rules))):
            gone = dropped[step]
            rows.append(
                (
                    step,
                    rules[step],
                    rules[step],
                    arm,
                    members,
                    months,
                    100.0 * months,
                    gone,
                    6 * gone,
                    600.0 * gone,
                )
            )
            members, months = members + gone, months + 6 * gone
    columns = ["step", "rule", "label", "arm", "members", "member_months", "allowed_usd"]
    columns += ["members_dropped", "member_months_dropped", "allowed_usd_dropped"]
    return Attrition(
        frame=pd.DataFrame(rows, columns=columns).sort_values(["step", "arm"], ignore_index=True)
    )


def _cohort(people: pd.DataFrame, here: np.ndarray) -> Cohort:
    months = {period: within(here, *span)[0] for period, span in PERIODS.items()}
    table = people.assign(**{f"{p}_member_months": m for p, m in months.items()})
    by = table.groupby(["arm", "label"], as_index=False, sort=True)
    organizations = by.agg(
        members=("died", "size"), practices=("practice", "nunique"),
        baseline_member_months=("baseline_member_months", "sum"),
        performance_member_months=("performance_member_months", "sum"),
    )  # fmt: skip
    organizations = organizations.assign(
        organization_id=organizations["label"], clinicians=20, baseline_pmpm=300.0, performance_pmpm=310.0
    )
    rows = []
    for arm in ARMS:
        for period, span in PERIODS.items():
            n, there = within(here, *span)
            everyone = n[(people["arm"] == arm).to_numpy()].sum()
            for stratum in ("adults", "children", "infants"):
                mine = ((people["arm"] == arm) & (people["stratum"] == stratum)).to_numpy() & there
                if mine.any():
                    share = n[mine].sum() / everyone
                    rows.append((arm, stratum, period, int(mine.sum()), float(n[mine].sum()), share, 300.0))
    strata = pd.DataFrame(
        rows, columns=["arm", "stratum", "period", "members", "member_months", "share", "pmpm"]
    )
    sizes = {arm: int((people["arm"] == arm).sum()) for arm in ARMS}
    shares = {arm: people.loc[people["arm"] == arm, "asthma"].mean() for arm in ARMS}
    balance = pd.DataFrame(
        [
            {
                "characteristic": "asthma",
                "label": "Asthma",
                "unit": "share",
                **shares,
                "smd": 0.1,
                "variance_ratio": 1.0,
            }
        ]
    )
    return Cohort(
        balance=balance, organizations=organizations, members=sizes, strata=strata,
        member_months={arm: float(here[(people["arm"] == arm).to_numpy()].sum()) for arm in ARMS},
        practices=dict.fromkeys(ARMS, 20), organizations_n=dict.fromkeys(ARMS, 3),
        clinicians={arm: int(20 * (organizations["arm"] == arm).sum()) for arm in ARMS},
    )  # fmt: skip


def _windows(people: pd.DataFrame, here: np.ndarray, length: int) -> pd.DataFrame:
    """Members of the program by event quarter (``length`` 3, from the baseline on) or program year (12)."""
    mine = here[(people["arm"] == "treated").to_numpy()]
    rows = []
    for first in range(FIRST if length == 3 else START, END, length):
        end = min(first + length, END)
        months = mine[:, first - FIRST : end - FIRST].sum(axis=1)
        number = (first - START) // length
        rows.append((number, number + 1, first, end - 1, int((months > 0).sum()), float(months.sum())))
    table = pd.DataFrame(
        rows, columns=["quarter", "year", "first_month", "last_month", "members", "member_months"]
    )
    return table.drop(columns=["year", "last_month"] if length == 3 else ["quarter"])


def _periods(people: pd.DataFrame, here: np.ndarray) -> pd.DataFrame:
    rows = [
        (period, arm, float(there[mine].sum()), float(months[mine].sum()), 300.0, 0.98, 306.0, 6.0, 1.0)
        for period, span in PERIODS.items()
        for months, there in [within(here, *span)]
        for arm in ARMS
        for mine in [(people["arm"] == arm).to_numpy()]
    ]
    names = ["period", "arm", "members", "member_months", "paid_pmpm", "completion_factor", "completed_pmpm"]
    return pd.DataFrame(rows, columns=[*names, "unpaid_pmpm", "se"])


def _above_cap(draw: np.random.Generator, people: pd.DataFrame, here: np.ndarray) -> pd.DataFrame:
    rows = []
    for period, span in PERIODS.items():
        months, there = within(here, *span)
        above = there & (draw.random(len(people)) < draw.choice([0.01, 0.08, 0.98]))
        for arm in ARMS:
            mine = (people["arm"] == arm).to_numpy()
            n, k = int((there & mine).sum()), int((above & mine).sum())
            rows.append((arm, period, n, k, float(months[mine].sum()), 300.0 * n, 9.0 * k, 0.03 * k))
    names = ["arm", "period", "members", "members_above", "member_months", "allowed_usd", "above_usd"]
    return pd.DataFrame(rows, columns=[*names, "above_share"])


def _left_out(people: pd.DataFrame) -> Robustness:
    numbers: dict[str, Any] = {"estimate": -1.0, "change": 0.5, "why": ""}
    own = people.groupby(["label", "arm"], as_index=False).agg(members=("died", "size")).assign(**numbers)
    sites = people.groupby(["label", "arm", "practice"], as_index=False).agg(members=("died", "size"))
    number = sites.groupby("label").cumcount() + 1
    sites["label"] = [f"{label}, practice {n:02d}" for label, n in zip(sites["label"], number, strict=True)]
    others = own[own["arm"] == "comparison"].drop(columns=["arm", "change"])
    return Robustness(
        organizations=own, practices=sites.drop(columns="practice").assign(**numbers), placebo_arm=others
    )


def _where(people: pd.DataFrame, here: np.ndarray) -> Where:
    months = within(here, *PERIODS["performance"])[0]
    parts = [("all", "all", np.full(len(people), True))]
    parts += [("stratum", s, (people["stratum"] == s).to_numpy()) for s in ("adults", "children", "infants")]
    parts += [("risk", f"risk:{r}", (people["risk"] == r).to_numpy()) for r in ("high", "other")]
    parts += [("condition", "condition:asthma", people["asthma"].to_numpy())]
    rows = []
    for dimension, group, own in parts:
        n = {f"members_{arm}": float((own & (people["arm"] == arm)).sum()) for arm in ARMS}
        treated = months[own & (people["arm"] == "treated").to_numpy()].sum()
        rows.append(
            {"dimension": dimension, "group": group, "label": group, **n, "member_months": float(treated)}
        )
    return Where(groups=pd.DataFrame(rows).reindex(columns=list(KINDS["groups"])).astype(KINDS["groups"]))


def _measures(draw: np.random.Generator, people: pd.DataFrame, here: np.ndarray) -> Measures:
    rows = []
    for period, span in PERIODS.items():
        there = within(here, *span)[1]
        ill = there & (draw.random(len(people)) < draw.choice([0.05, 0.4]))
        late = ill & (draw.random(len(people)) < 0.8)
        soon = late & (draw.random(len(people)) < 0.9)
        screened = there & (draw.random(len(people)) < draw.choice([0.03, 0.5, 0.97]))
        for arm in ARMS:
            mine = (people["arm"] == arm).to_numpy()
            for name, among, with_ in (
                ("screening", there, screened), ("follow_up_7", ill, soon), ("follow_up_30", ill, late),
            ):  # fmt: skip
                n, k = int((mine & among).sum()), int((mine & with_).sum())
                rows.append(
                    (
                        name,
                        "chronic",
                        name,
                        "share",
                        arm,
                        period,
                        n,
                        k,
                        float(n),
                        float(k),
                        k / n if n else 0.0,
                    )
                )
    names = ["measure", "family", "label", "unit", "arm", "period", "members", "members_with", "denominator"]
    return Measures(rates=pd.DataFrame(rows, columns=[*names, "events", "rate"]), effects=no_rows("effects"))
