"""Shared savings: what does a contract pay on a benchmark and an actual cost, and why?

The arithmetic of one settlement, without any statistics: it takes expected and actual cost as the contract
states them. Source: 42 CFR 425.604 and 425.606 for the form (first dollar once the minimum rate is reached,
sequestration before the cap), ``docs/methods/payment.md``, settlement.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from medhome.study.definitions import read_csv
from medhome.study.payment_choices import SharedSavings
from medhome.study.problems import ModelRefusal


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """Exhibit T16: one contract, one year.

    savings_rate: benchmark less actual, over the benchmark. minimum_rate: what its size had to reach (of
    savings, or of losses). reached: whether it did. generated_usd: savings (or losses, negative) from the
    first dollar; 0 where the rate was not reached. shared_usd: generated less the
    corridor, times share_rate (for losses the loss rate), after sequestration, before cap_usd.
    earned_usd: what is paid to the program; negative is owed. why: the step that decided, in words.
    """

    benchmark_usd: float
    actual_usd: float
    savings_rate: float
    minimum_rate: float
    reached: bool
    generated_usd: float
    quality_met: bool
    share_rate: float
    shared_usd: float
    cap_usd: float | None
    cap_bound: bool
    earned_usd: float
    why: str

    @property
    def difference_usd(self) -> float:
        """Benchmark less actual: positive is savings."""
        return self.benchmark_usd - self.actual_usd


def medicare_minimum_savings_rate(persons: float) -> float:
    """The minimum savings rate of Medicare's one-sided track, interpolated between its numbers of persons.

    It was set so that a program of that size without any effect rarely reaches it, on Medicare's costs: those
    of a younger population vary more. Below 5,000 persons the track has no rate. Source: 42 CFR 425.604(b).

    >>> round(medicare_minimum_savings_rate(19_000), 4), medicare_minimum_savings_rate(80_000)
    (0.0254, 0.02)
    """
    sizes, rates = _medicare_rates()
    if not persons >= sizes[0]:
        raise ModelRefusal(
            f"Medicare's table of minimum savings rates begins at {sizes[0]:,.0f} persons, and there are "
            f"{persons:,.0f}; give the contract's own minimum_savings_rate, or minimum_savings_rate_few"
        )
    return float(np.interp(persons, sizes, rates))


def settle(
    terms: SharedSavings,
    *,
    benchmark_usd: float,
    actual_usd: float,
    persons: float | None = None,
    quality_score: float | None = None,
    quality_met: bool | None = None,
    loss_relief_usd: float = 0.0,
) -> Settlement:
    """What does the contract pay to the program, or what does the program owe?

    Arguments
        benchmark_usd, actual_usd: of the whole year, as the contract counts cost.
        persons: who decide the minimum savings rate of a "medicare" contract.
        quality_score: from 0 to 1, for contracts whose ``quality`` is "scaled" or has a minimum score.
        quality_met: the gate's verdict where somebody else gave it; else by ``minimum_quality_score``.
        loss_relief_usd: taken off a loss after its cap (a disaster adjustment); its sign does not count.

    Raises `ModelRefusal` where a number that the terms ask for is missing or is none.

    >>> found = settle(SharedSavings(), benchmark_usd=500.00 * 125_000, actual_usd=495.50 * 125_000)
    >>> found.earned_usd
    281250.0
    """
    if not (benchmark_usd > 0 and np.isfinite(benchmark_usd) and np.isfinite(actual_usd)):
        raise ModelRefusal(
            f"settlement: benchmark {benchmark_usd:,.2f} and actual {actual_usd:,.2f}: both must be known, "
            "and the benchmark above zero"
        )
    difference = benchmark_usd - actual_usd
    rate = difference / benchmark_usd
    least = _minimum_rate(terms, persons, loss=difference < 0)
    met, score = _quality(terms, quality_score, quality_met)
    share = terms.share_rate * (score if terms.quality == "scaled" else 1.0) if met else 0.0
    cap: float | None = None
    generated = shared = 0.0
    reached = abs(rate) >= least and difference != 0
    if difference == 0:
        why = "cost was as expected"
    elif not reached:
        why = "below the minimum rate"
    elif difference > 0:
        generated = difference
        cap = None if terms.cap_rate is None else terms.cap_rate * benchmark_usd
        left = max(0.0, generated - terms.corridor_rate * benchmark_usd)
        shared = (1 - terms.sequestration_rate) * share * left
        why = "shared" if met else "quality gate not met"
    elif terms.sides == "one":
        generated, share, why = difference, 0.0, "losses are not shared"
    else:
        generated = difference
        cap = None if terms.loss_cap_rate is None else terms.loss_cap_rate * benchmark_usd
        share = _loss_rate(terms, share)
        shared = share * min(0.0, generated + terms.corridor_rate * benchmark_usd)
        why = "loss shared"
    bound = cap is not None and abs(shared) > cap
    earned = shared if cap is None else float(np.clip(shared, -cap, cap))
    if earned < 0:
        earned = min(0.0, earned + abs(loss_relief_usd))
    return Settlement(
        benchmark_usd=benchmark_usd,
        actual_usd=actual_usd,
        savings_rate=rate,
        minimum_rate=least,
        reached=reached,
        generated_usd=generated,
        quality_met=met,
        share_rate=share,
        shared_usd=shared,
        cap_usd=cap,
        cap_bound=bound,
        earned_usd=earned,
        why=f"{why}, up to the cap" if bound else why,
    )


@functools.cache
def _medicare_rates() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Numbers of persons, and the rate at each."""
    table = read_csv("payment/minimum_savings_rates.csv").astype(float)
    return tuple(table["persons"]), tuple(table["rate"])


def _minimum_rate(terms: SharedSavings, persons: float | None, *, loss: bool) -> float:
    if loss and terms.sides == "two" and not isinstance(terms.minimum_loss_rate, str):
        return terms.minimum_loss_rate
    if not isinstance(terms.minimum_savings_rate, str):
        return terms.minimum_savings_rate
    if persons is None:
        raise ModelRefusal('minimum_savings_rate "medicare" goes by the number of persons; give persons')
    if persons < _medicare_rates()[0][0] and terms.minimum_savings_rate_few is not None:
        return terms.minimum_savings_rate_few
    return medicare_minimum_savings_rate(persons)


def _quality(terms: SharedSavings, score: float | None, met: bool | None) -> tuple[bool, float]:
    if terms.quality == "none":
        return (True if met is None else met), 1.0
    if score is None and (terms.quality == "scaled" or met is None):
        raise ModelRefusal(
            f'settlement: quality is "{terms.quality}", so the contract needs a quality_score from 0 to 1'
        )
    if score is not None and not 0 <= score <= 1:
        raise ModelRefusal(f"settlement: quality_score {score:g} is not from 0 to 1")
    known = 1.0 if score is None else score
    return (known >= terms.minimum_quality_score if met is None else met), known


def _loss_rate(terms: SharedSavings, share: float) -> float:
    own = 1 - share if isinstance(terms.loss_rate, str) else terms.loss_rate
    return float(np.clip(own, terms.loss_rate_least, terms.loss_rate_most))
