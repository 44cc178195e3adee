"""What did the program pay, month by month: fees by tier, pay for performance, shared savings?

Payments are sums that a contract fixes, without uncertainty of their own. Incremental payments are those of
the program less those of the comparison arm, on the treated arm's member-months of the months for which they
were paid (`docs/methods/payment.md`, payments of the program).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from medhome.models.linear_effects import two_way, years_of
from medhome.models.measured_values import with_values
from medhome.models.settlement import settle
from medhome.study.cells import Cells
from medhome.study.fee_schedules import schedule_gaps
from medhome.study.measure_results import CollapsedMeasures
from medhome.study.payment_choices import Measure, PayForPerformance, StudyContract
from medhome.study.payment_results import Payment
from medhome.study.problems import ModelRefusal
from medhome.study.results import Check
from medhome.study.spec import StudySpec

COLUMNS = ("month", "kind", "name", "arm", "usd")
NOT_MEASURED = CollapsedMeasures()


@dataclass(frozen=True, kw_only=True)
class ProgramPayments:
    """Incremental program payments of the months after the start.

    monthly: one row per month and payment: ``month``, ``kind``, ``name``, ``arm``, ``usd`` on the treated
    arm's member-months (of the comparison arm: negative). member_months: of the treated arm by month.
    """

    monthly: pd.DataFrame
    member_months: dict[int, float]
    result: Payment

    def pmpm(self, months: Sequence[int] | None = None) -> float:
        """Dollars per treated member-month of these months; of all when left out."""
        wanted = list(self.member_months) if months is None else list(months)
        usd = math.fsum(self.monthly.loc[self.monthly["month"].isin(wanted), "usd"])
        return usd / math.fsum(self.member_months[m] for m in wanted)


@dataclass(frozen=True, kw_only=True)
class Score:
    """A pay for performance, scored: the weighted mean of what measures attained, and the share earned."""

    measures: pd.DataFrame
    score: float
    gates_met: bool
    earned_share: float


def program_payments(
    cells: Cells, spec: StudySpec, measured: CollapsedMeasures = NOT_MEASURED
) -> ProgramPayments:
    """What did the program cost the payer beyond claims, and how was each part of it worked out?

    cells: practice-months with ``allowed_capped`` and ``paid``. Fees go by the month's members of their
    tier; the pool of a pay for performance by months; a settlement of shared savings by the year's members.
    measured: the study's measures, from which those that name one take their value (`measured_values`).
    """
    months = list(spec.periods.performance)
    treated = {m: _exposure(cells, "treated", m) for m in months}
    rows = [*_fees(cells, spec, treated)]
    programs = with_values(spec.payment.performance, measured, spec.disclosure.floor)
    scored = [(program, score(program)) for program in programs]
    for program, found in scored:
        rows += _performance(program, found.earned_share, treated, spec)
    settlement = _settlements(cells, spec, scored)
    for row in settlement:
        if np.isfinite(row["earned_usd"]) and row["earned_usd"] != 0:
            window = [m for m in months if row["first_month"] <= m <= row["last_month"]]
            whole = sum(treated[m] for m in window)
            rows += [
                (m, "shared_savings", "Shared savings", "treated", row["earned_usd"] * treated[m] / whole)
                for m in window
            ]
    monthly = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"month": "int64", "usd": "float64"})
    return ProgramPayments(
        monthly=monthly, member_months=treated, result=_result(monthly, treated, settlement, scored, spec)
    )


def score(program: PayForPerformance) -> Score:
    """What did the measures of a pay for performance earn?

    Each attains nothing below its threshold, all from its target, in proportion between; the score is their
    mean by weight. A gate that is not met, or a score below the minimum, earns nothing.

    >>> measures = [{"id": "a", "label": "Screened", "value": 0.75, "threshold": 0.7, "target": 0.8,
    ...              "weight": 3},
    ...             {"id": "b", "label": "Visits", "value": 210, "threshold": 200, "lower_is_better": True}]
    >>> program = PayForPerformance(first="2008-06", pool_pmpm_usd=2.0, measures=measures)
    >>> round(score(program).earned_share, 12)
    0.375
    """
    rows = [
        {
            **{k: getattr(m, k) for k in ("id", "label", "kind", "measure", "threshold", "weight", "gate")},
            "value": _value(m),
            "target": math.nan if m.target is None else m.target,
            "lower_is_better": m.lower_is_better,
            "met": _met(m),
            "attained_share": _attained(m),
        }
        for m in program.measures
    ]
    weight = math.fsum(m.weight for m in program.measures)
    mean = math.fsum(r["weight"] * r["attained_share"] for r in rows) / weight
    open_gates = all(r["met"] for r in rows if r["gate"])
    earned = mean if open_gates and mean >= program.minimum_score else 0.0
    return Score(
        measures=pd.DataFrame(rows).assign(program=program.name),
        score=mean,
        gates_met=open_gates,
        earned_share=earned,
    )


def payment_checks(spec: StudySpec, payments: Payment) -> tuple[Check, ...]:
    """Warnings on payment: a schedule with a gap, a settlement that could not be made."""
    found = [
        Check(
            id=f"fee-gap-{number}",
            passed=False,
            front_page=True,
            sentence=f'The fee schedule "{name}" has a gap: no rate '
            + (f"in {first}" if first == last else f"from {first} to {last}")
            + ", which counts as $0; write a rate of 0 for these months if that is meant.",
        )
        for number, (name, first, last) in enumerate(schedule_gaps(spec.fees), start=1)
    ]
    table = payments.settlement
    found += [
        Check(
            id=f"settlement-year-{row['year']}",
            passed=False,
            front_page=True,
            sentence=f"Shared savings of program year {row['year']} are not settled: {row['why']}.",
        )
        for row in table[table["earned_usd"].isna()].to_dict("records")
    ]
    return tuple(found)


def _value(measure: Measure) -> float:
    if measure.value is None:
        raise ModelRefusal(f"pay for performance: the value of {measure.id} is not known; give its value")
    return measure.value


def _met(measure: Measure) -> bool:
    sign = -1 if measure.lower_is_better else 1
    return sign * _value(measure) >= sign * measure.threshold


def _attained(measure: Measure) -> float:
    if not _met(measure):
        return 0.0
    if measure.target is None:
        return 1.0
    return min(1.0, (_value(measure) - measure.threshold) / (measure.target - measure.threshold))


def _exposure(
    cells: Cells, arm: str, month: int, strata: Sequence[str] = (), practices: Sequence[str] = ()
) -> float:
    frame = cells.frame
    inside = (frame["arm"] == arm) & (frame["month"] == month)
    if strata:
        inside &= frame["stratum"].isin(list(strata))
    if practices:
        inside &= frame["practice_id"].isin(list(practices))
    return float(cells.member_months[inside.to_numpy()].sum())


def _fees(cells: Cells, spec: StudySpec, treated: dict[int, float]) -> Iterator[tuple[Any, ...]]:
    for fee in spec.fees:
        for month, members in treated.items():
            if not fee.holds_in(month):
                continue
            paid_on = _exposure(cells, fee.arm, month, fee.strata, fee.practices) * fee.member_share
            usd = fee.pmpm_usd * paid_on * spec.price_ratio(month)
            if fee.arm == "comparison":
                whole = _exposure(cells, "comparison", month)
                usd = -usd * members / whole if whole > 0 else 0.0
            yield month, fee.kind, fee.name, fee.arm, usd


def _performance(
    program: PayForPerformance, earned: float, treated: dict[int, float], spec: StudySpec
) -> Iterator[tuple[Any, ...]]:
    """A pool in dollars is spread evenly over the months it is for, of which some may not be analysed."""
    inside = [m for m in treated if program.holds_in(m)]
    for month in inside:
        if program.pool_pmpm_usd is not None:
            pool = program.pool_pmpm_usd * treated[month]
        else:
            assert program.pool_usd is not None
            pool = program.pool_usd / program.months_to(max(treated))
        yield month, "performance", program.name, "treated", pool * earned * spec.price_ratio(month)


def _settlements(
    cells: Cells, spec: StudySpec, scored: list[tuple[PayForPerformance, Score]]
) -> list[dict[str, Any]]:
    contract = spec.payment.shared_savings
    if contract is None:
        return []
    windows = years_of(spec)
    outcome = "paid" if contract.amount == "paid" else "allowed_capped"
    treated = cells.where((cells.frame["arm"] == "treated").to_numpy())
    month = treated.frame["month"].to_numpy(dtype=int)
    effects = [0.0] * len(windows)
    if not contract.benchmark_pmpm_usd:
        effects = two_way(cells, outcome, spec, windows).coefficients.tolist()
    found = []
    for window, effect in zip(windows, effects, strict=True):
        inside = np.isin(month, window)
        member_months = float(treated.member_months[inside].sum())
        actual = math.fsum(treated.total(outcome)[inside]) / member_months
        by_month = treated.frame.loc[inside].groupby("month")["rows"].sum()
        year = (window[0] - spec.periods.start_month) // 12
        row: dict[str, Any] = {
            "year": 1 + year, "first_month": window[0], "last_month": window[-1],
            "members": float(by_month.max()), "member_months": member_months, "actual_pmpm": actual,
            "benchmark_pmpm": _benchmark(contract, year, actual - effect),
            "quality_score": _quality_score(contract, window[-1], scored),
        }  # fmt: skip
        found.append(row | _settled(contract, row, len(window)))
    return found


def _benchmark(contract: StudyContract, year: int, expected: float) -> float:
    if not contract.benchmark_pmpm_usd:
        return expected
    listed = contract.benchmark_pmpm_usd
    return listed[year] if year < len(listed) else math.nan


def _quality_score(
    contract: StudyContract, month: int, scored: list[tuple[PayForPerformance, Score]]
) -> float:
    """The contract's own, else that of the pay for performance in force in a month; NaN without."""
    if contract.quality_score is not None:
        return contract.quality_score
    return next((found.score for program, found in scored if program.holds_in(month)), math.nan)


def _settled(contract: StudyContract, row: dict[str, Any], months: int) -> dict[str, Any]:
    """The settlement of one year, or why there is none."""
    rates, dollars = ("savings_rate", "minimum_rate", "share_rate"), ("generated", "shared", "cap", "earned")
    nothing = dict.fromkeys((*rates, *(f"{name}_usd" for name in dollars)), math.nan)
    nothing |= dict.fromkeys(("reached", "quality_met", "cap_bound"), False)
    usd = {f"{side}_usd": row[f"{side}_pmpm"] * row["member_months"] for side in ("benchmark", "actual")}
    nothing["difference_usd"] = usd["benchmark_usd"] - usd["actual_usd"]
    if math.isnan(row["benchmark_pmpm"]):
        why = "payment.shared_savings.benchmark_pmpm_usd has no benchmark for it"
        return {**usd, **nothing, "why": why}
    score_known = None if math.isnan(row["quality_score"]) else row["quality_score"]
    try:
        found = settle(contract, **usd, persons=row["member_months"] / months, quality_score=score_known)
    except ModelRefusal as refusal:
        return {**usd, **nothing, "why": str(refusal)}
    held = asdict(found)
    held["difference_usd"] = found.difference_usd
    held["cap_usd"] = math.nan if found.cap_usd is None else found.cap_usd
    return {k: held[k] for k in (*usd, *nothing)} | {"why": found.why}


def _result(
    monthly: pd.DataFrame,
    treated: dict[int, float],
    settlement: list[dict[str, Any]],
    scored: list[tuple[PayForPerformance, Score]],
    spec: StudySpec,
) -> Payment:
    empty = Payment()
    years = {m: (m - spec.periods.start_month) // 12 + 1 for m in treated}
    parts: dict[str, Any] = {}
    if len(monthly):
        keys = ["year", "kind", "name", "arm"]
        dated = monthly.assign(year=monthly["month"].map(years))
        by = dated.groupby(keys, sort=False).agg(usd=("usd", "sum")).reset_index()
        whole = pd.Series(treated).groupby(pd.Series(years)).sum()
        by["pmpm"] = by["usd"] / by["year"].map(whole)
        order = by.sort_values("year", kind="stable").reset_index(drop=True)
        parts["payments"] = order[list(empty.payments.columns)]
    if settlement:
        parts["settlement"] = pd.DataFrame(settlement)[list(empty.settlement.columns)]
    if scored:
        table = pd.concat([s.measures for _, s in scored], ignore_index=True)
        parts["measures"] = table[list(empty.measures.columns)]
    return Payment(**parts)
