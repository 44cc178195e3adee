"""From effect to savings: the only place where the sign turns.

Everywhere else an effect is actual minus expected (negative = care cost less); here savings are expected
minus actual. Gross savings are on the study's primary amount: allowed dollars, truncated. Net savings and
return are the payer's: paid dollars, truncated, plus the part above the cap, less the program's fees. A
member's share of the allowed amount is no saving of the payer: at a share of 18%, gross savings of $5 less a
fee of $4 leave the payer $0.10, not $1 (`docs/methods.md`, savings and fees).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medhome.models.inference.member_covariance import member_covariance
from medhome.models.inference.mixture import Mixture
from medhome.models.linear_effects import baseline_mean, intervals, two_way, years_of
from medhome.models.payment import ProgramPayments, program_payments
from medhome.models.purchasers import purchaser_rows
from medhome.models.twfe import TwoWayFit
from medhome.study.cells import Cells, MonthPairs
from medhome.study.completion_results import Completion
from medhome.study.problems import ModelRefusal
from medhome.study.results import DidResult, Estimate, Savings
from medhome.study.spec import StudySpec

ALLOWED, PAID, PAID_CAPPED, PAID_EXCESS = "allowed_capped", "paid", "paid_capped", "paid_excess"
METHOD = "Two-way fixed effects; organisation-month random-effects interval"
_FLOOR = 1e-3


def from_effect(
    did: DidResult,
    cells: Cells,
    pairs: Mapping[str, MonthPairs],
    spec: StudySpec,
    completion: Completion | None = None,
    payments: ProgramPayments | None = None,
) -> Savings:
    """How many dollars were saved, before and after the program's fees, and how sure is that?

    ============================ ==========================================================================
    gross_pmpm, gross_total_usd  minus the headline effect: allowed dollars, truncated
    gross_share                  gross over expected cost
    completed_gross_pmpm         minus the effect on completed cost (none where it cannot be completed)
    paid_gross_pmpm              minus the effect on paid dollars, truncated
    excess_pmpm                  minus the effect on paid dollars above the cap
    payer_pmpm                   their sum: the payer's savings without fees
    fees_pmpm, fees_total_usd    program payments less the comparison arm's, on the treated arm's months
    net_pmpm, net_total_usd      payer_pmpm less fees_pmpm: the payer's savings with fees
    roi_ratio, net_roi_ratio     paid_gross_pmpm and net_pmpm over fees_pmpm; none without fees
    member_months                of the treated arm after the start
    employer_*                   where the study declares an employer (`models.purchasers`)
    ============================ ==========================================================================

    Every estimate has 90% and 95% intervals of the headline's kind (`linear_effects`), and a p where the
    headline has one: its own for gross savings, else that of the interval's model. Fees are known sums
    and carry no uncertainty; fees of washout months, which are not analysed, are not in them.

    Arguments
        did: the headline effect.
        cells: practice-months with ``allowed_capped``, ``paid`` and ``paid_capped``.
        pairs: cross-products of one member's months by outcome: ``allowed_capped``, and ``paid`` where given.
            An outcome without pairs borrows those of ``allowed_capped``, scaled to its own mean, and its row
            says so.
        completion: the effect on completed cost; without it there is no row of completed savings.
        payments: what the program paid (`models.payment`), worked out here when left out.

    Raises `ModelRefusal` when the treated arm has no member-months after the start.
    """
    treated = _Treated.of(cells, spec)
    windows = years_of(spec)
    paid = _paid_effects(cells, pairs, spec, windows)
    payments = program_payments(cells, spec) if payments is None else payments
    fees = payments.pmpm()
    n = {"member_months": round(treated.member_months)}

    def pmpm(mixture: Mixture | None, label: str, method: str) -> Estimate:
        if mixture is None:
            zero = (0.0, 0.0)
            return Estimate(value=0.0, unit="USD PMPM", kind="exact", label=label, ci90=zero, ci95=zero, n=n)
        effect = Estimate(
            value=mixture.estimate, unit="USD PMPM", se=mixture.sd, ci90=mixture.ci90, ci95=mixture.ci95, n=n,
            p=None if did.headline.p is None else mixture.p,
        )  # fmt: skip
        return effect.negated(label=label, method=method)

    gross = did.headline.negated(label="Gross savings (allowed, truncated)", headline=False, n=n)
    payer = pmpm(paid.all, "Payer's savings without fees (paid)", paid.note(PAID))
    capped = pmpm(paid.capped, "of these, below the cap", paid.note(PAID_CAPPED))
    excess = pmpm(paid.excess, "of these, above the cap", paid.note(PAID_EXCESS))
    net = payer.shifted(-fees, label="Net savings, with fees (paid)")
    fee = Estimate(value=fees, unit="USD PMPM", kind="exact", label="Program fees", n=n)
    rows = {
        "gross_pmpm": gross,
        "gross_share": _share(gross, treated.mean(ALLOWED, list(spec.periods.performance))),
        "gross_total_usd": _total(gross, treated.member_months, "Gross savings, total"),
        "paid_gross_pmpm": capped,
        "excess_pmpm": excess,
        "payer_pmpm": payer,
        "fees_pmpm": fee,
        "fees_total_usd": _total(fee, treated.member_months, "Program fees, total"),
        "net_pmpm": net,
        "net_total_usd": _total(net, treated.member_months, "Net savings, total"),
        "roi_ratio": _over(capped, fees, "Gross savings below the cap (paid) for each dollar of fees"),
        "net_roi_ratio": _over(net, fees, "Net savings for each dollar of fees"),
        "member_months": Estimate(
            value=treated.member_months, unit="member-months", kind="exact", digits=0, n=n,
            label="Member-months after the start",
        ),
    }  # fmt: skip
    rows |= purchaser_rows(spec, payer, capped, fees, treated.member_months)
    if completion is not None:
        rows["completed_gross_pmpm"] = _completed(completion, n)
    years = _by_year(treated, cells, pairs, spec, windows, paid, payments)
    if did.headline.p is None:  # a setting that was not simulated has no p-value, in no year either
        years = years.assign(p=np.nan, net_p=np.nan)
    return Savings(rows=rows, by_year=years)


@dataclass(frozen=True, kw_only=True)
class _Treated:
    """The cells of an arm, the treated one unless told."""

    cells: Cells
    months: np.ndarray
    member_months: float

    @classmethod
    def of(cls, cells: Cells, spec: StudySpec, arm: str = "treated") -> _Treated:
        part = cells.where((cells.frame["arm"] == arm).to_numpy())
        months = part.frame["month"].to_numpy(dtype=int)
        after = float(part.member_months[np.isin(months, list(spec.periods.performance))].sum())
        if not after > 0:
            raise ModelRefusal(
                f"savings: the {arm} arm has no member-months from {spec.periods.performance}; check arms "
                f"and periods in the study file"
            )
        return cls(cells=part, months=months, member_months=after)

    def exposure(self, months: Sequence[int]) -> float:
        return float(self.cells.member_months[np.isin(self.months, list(months))].sum())

    def mean(self, variable: str, months: Sequence[int]) -> float:
        inside = np.isin(self.months, list(months))
        return math.fsum(self.cells.total(variable)[inside]) / self.exposure(months)

    def members(self, months: Sequence[int]) -> int:
        """The largest number of members of a month: at most the number of people in these months."""
        frame = self.cells.frame[np.isin(self.months, list(months))]
        return int(frame.groupby("month")["rows"].sum().max())


@dataclass(frozen=True, kw_only=True)
class _Paid:
    """Effects on paid dollars: all, below and above the cap (None where nothing is above it), all by year."""

    all: Mixture
    capped: Mixture
    excess: Mixture | None
    years: tuple[Mixture, ...]
    borrowed: tuple[str, ...]

    def note(self, outcome: str) -> str:
        if outcome not in self.borrowed:
            return METHOD
        return f"{METHOD}; members' covariance borrowed from allowed cost, scaled to this outcome's mean"


def _paid_effects(
    cells: Cells, pairs: Mapping[str, MonthPairs], spec: StudySpec, windows: list[list[int]]
) -> _Paid:
    whole, below = (two_way(cells, outcome, spec) for outcome in (PAID, PAID_CAPPED))
    years = two_way(cells, PAID, spec, windows)
    mean = baseline_mean(whole.panel, spec)
    cov_whole, borrowed = _covariance(PAID, whole, cells, pairs, spec)
    cov_below, borrowed_below = _covariance(PAID_CAPPED, below, cells, pairs, spec)
    found = intervals(
        whole,
        cov_whole,
        spec,
        mean=mean,
        weights=np.concatenate([whole.weights, years.weights]),
        estimates=np.concatenate([whole.coefficients, years.coefficients]),
    )
    above = whole.adjusted - below.adjusted
    excess = whole.coefficients - below.coefficients
    if (whole.panel.y == below.panel.y).all():
        over, borrowed_above = None, False
    else:
        if PAID_EXCESS in pairs:
            cov_above = member_covariance(pairs[PAID_EXCESS], whole.panel.months.tolist()).matrix
        else:
            cov_above = _at_most(cov_whole, cov_below)
        borrowed_above = PAID_EXCESS not in pairs and borrowed
        over = intervals(whole, cov_above, spec, mean=mean, adjusted=above, estimates=excess)[0]
    flags = ((PAID, borrowed), (PAID_CAPPED, borrowed_below), (PAID_EXCESS, borrowed_above))
    return _Paid(
        all=found[0],
        capped=intervals(below, cov_below, spec, mean=mean)[0],
        excess=over,
        years=found[1:],
        borrowed=tuple(name for name, is_borrowed in flags if is_borrowed),
    )


def _covariance(
    outcome: str, fit: TwoWayFit, cells: Cells, pairs: Mapping[str, MonthPairs], spec: StudySpec
) -> tuple[np.ndarray, bool]:
    """Covariance of one member's months of an outcome, and whether it had to be borrowed."""
    months = fit.panel.months.tolist()
    if outcome in pairs:
        return member_covariance(pairs[outcome], months).matrix, False
    baseline = np.isin(cells.frame["month"].to_numpy(dtype=int), list(spec.periods.baseline))
    own, other = (math.fsum(cells.total(v)[baseline]) for v in (outcome, ALLOWED))
    if not other > 0:
        raise ModelRefusal(
            f"savings: {ALLOWED} of the baseline is not above zero, so nothing can be scaled: check the "
            "amounts of medical_claim and pharmacy_claim"
        )
    return member_covariance(pairs[ALLOWED], months).matrix * (own / other) ** 2, True


def _at_most(whole: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Member covariance of the dollars above the cap, from above.

    Cost above and below the cap rise together, so var(whole) - var(below) = var(above) + 2 cov is at least
    var(above). Eigenvalues are raised to a small share of the monthly variance, so that it stays positive.
    """
    values, vectors = np.linalg.eigh(whole - below)
    floor = _FLOOR * float(np.trace(whole)) / len(whole)
    return (vectors * np.maximum(values, floor)) @ vectors.T


def _by_year(
    treated: _Treated,
    cells: Cells,
    pairs: Mapping[str, MonthPairs],
    spec: StudySpec,
    windows: list[list[int]],
    paid: _Paid,
    payments: ProgramPayments,
) -> pd.DataFrame:
    """Exhibit T6: gross savings (allowed, truncated) and net savings (paid, less fees) by program year."""
    fit = two_way(cells, ALLOWED, spec, windows)
    covariance = member_covariance(pairs[ALLOWED], fit.panel.months.tolist()).matrix
    gross = intervals(fit, covariance, spec, mean=baseline_mean(fit.panel, spec))
    others = _Treated.of(cells, spec, arm="comparison")
    before = list(spec.periods.baseline)
    table = []
    for window, effect, on_paid in zip(windows, gross, paid.years, strict=True):
        actual, fees = treated.mean(ALLOWED, window), payments.pmpm(window)
        comparison, net = others.mean(ALLOWED, window), -on_paid.estimate - fees
        expected = actual - effect.estimate
        table.append({
            "year": 1 + (window[0] - spec.periods.start_month) // 12, "first_month": window[0],
            "last_month": window[-1], "member_months": treated.exposure(window),
            "members": treated.members(window), "actual_pmpm": actual,
            "expected_pmpm": expected, "gross_pmpm": -effect.estimate,
            "lo95": -effect.ci95[1], "hi95": -effect.ci95[0], "fees_pmpm": fees, "net_pmpm": net,
            "lo90": -effect.ci90[1], "hi90": -effect.ci90[0], "p": effect.p,
            "change_pmpm": actual - treated.mean(ALLOWED, before), "comparison_pmpm": comparison,
            "comparison_change_pmpm": comparison - others.mean(ALLOWED, before),
            "gross_share": -effect.estimate / expected if expected > 0 else np.nan,
            "net_lo90": -on_paid.ci90[1] - fees, "net_hi90": -on_paid.ci90[0] - fees,
            "net_lo95": -on_paid.ci95[1] - fees, "net_hi95": -on_paid.ci95[0] - fees,
            "net_p": _p_about(on_paid, -fees),
        })  # fmt: skip
    return pd.DataFrame(table)


def _p_about(effect: Mixture, value: float) -> float:
    """Two-sided p of an effect against another value than zero, by the normal with its standard error."""
    return math.erfc(abs(effect.estimate - value) / effect.sd / math.sqrt(2))


def _completed(completion: Completion, n: Mapping[str, int]) -> Estimate:
    """Gross savings on completed cost; the headline, as paid by the equal cut, stands beside it."""
    label = "Gross savings on completed cost (allowed, truncated)"
    if not completion.available:
        why = f"Completion is not available: {completion.reason}."
        return Estimate(value=None, unit="USD PMPM", label=label, why=why, n=n)
    return completion.rows["completed_effect_pmpm"].negated(label=label, n=n)


def _total(estimate: Estimate, member_months: float, label: str) -> Estimate:
    return estimate.scaled(member_months, unit="USD", label=label, digits=0)


def _over(estimate: Estimate, fees: float, label: str) -> Estimate:
    if fees > 0:
        return estimate.scaled(1 / fees, unit="ratio", label=label)
    return Estimate(value=None, unit="ratio", label=label, why="The study declares no program fees.")


def _share(gross: Estimate, actual: float) -> Estimate:
    """Gross savings over expected cost, which is actual cost plus savings; its ends are those of savings."""

    def share(savings: float | None) -> float | None:
        return None if savings is None or not actual + savings > 0 else savings / (actual + savings)

    def both(ci: tuple[float, float] | None) -> tuple[float, float] | None:
        low, high = (None, None) if ci is None else (share(ci[0]), share(ci[1]))
        return None if low is None or high is None else (low, high)

    return Estimate(
        value=share(gross.value), unit="share", label="Gross savings in percent of expected cost", n=gross.n,
        ci90=both(gross.ci90), ci95=both(gross.ci95), method=gross.method, digits=3, p=gross.p,
    )  # fmt: skip
