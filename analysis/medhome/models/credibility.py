"""Before any claim of savings: what could this study see, what would chance do, and how credible is it?

The numbers that a reader needs before the estimate (`docs/methods/payment.md`, before any claim of savings):
the smallest effect found with 80% power, the chance of a difference this large without any effect, limited
fluctuation credibility, and the minimum savings rate beside the chance of reaching it without any effect.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy import special

from medhome.models.inference.member_covariance import member_covariance
from medhome.models.settlement import medicare_minimum_savings_rate
from medhome.study.cells import Cells, MonthPairs
from medhome.study.problems import ModelRefusal
from medhome.study.results import DidResult, Estimate
from medhome.study.spec import StudySpec

OUTCOME = "allowed_capped"
TOLERANCE, CONFIDENCE_Z = 0.05, 1.645
"""Full credibility: the mean within 5% of the truth with 90% probability (1.645, as it is printed)."""
YEAR = 12


def full_credibility_member_years(cv: float) -> float:
    """Member-years whose mean cost lies within 5% of the truth with 90% probability: (z/k)^2 CV^2.

    Limited fluctuation credibility; cv is that of one member's yearly cost.

    >>> round(full_credibility_member_years(1.0)), round(full_credibility_member_years(2.5))
    (1082, 6765)
    """
    return (CONFIDENCE_Z / TOLERANCE) ** 2 * cv**2


def credibility(member_years: float, cv: float) -> float:
    """Z = min(1, sqrt(n/n_full)): the weight of a group's own cost.

    >>> round(credibility(6765 / 4, 2.5), 3)
    0.5
    """
    return min(1.0, math.sqrt(member_years / full_credibility_member_years(cv)))


def yearly_cv(by_lag: Mapping[int, float], mean: float) -> float:
    """Coefficient of variation of one member's yearly cost, from the covariance of months by lag.

    Months further apart than any seen count as the furthest seen.

    >>> round(yearly_cv({0: 400.0, 1: 100.0}, 10.0), 6)  # sd of a year's mean: sqrt((12*400 + 132*100)/144)
    1.118034
    """
    furthest = by_lag[max(by_lag)]
    lags = np.abs(np.subtract.outer(range(YEAR), range(YEAR)))
    variance = sum(by_lag.get(int(lag), furthest) for lag in lags.ravel()) / YEAR**2
    return math.sqrt(max(variance, 0.0)) / mean


def before_savings(did: DidResult, cells: Cells, pairs: MonthPairs, spec: StudySpec) -> dict[str, Estimate]:
    """What must be known before savings are claimed?

    =================================== ==================================================================
    detectable_pmpm, detectable_share   smallest effect found with 80% power, and over expected cost
    chance_share                        chance of an effect at least this far from zero without any effect:
                                        p of the recommended method
    minimum_savings_share, _pmpm        minimum savings rate: the contract's, else Medicare's
    minimum_by_chance_share             chance of savings at that rate without any effect
    cv_ratio                            coefficient of variation of one member's yearly cost
    full_credibility_member_years       member-years for full credibility
    credibility_share                   weight of the program's own baseline
    baseline_pmpm                       its baseline cost
    credible_baseline_pmpm              Z * own + (1 - Z) * comparison's at the program's risk
    =================================== ==================================================================

    cells, pairs: of capped allowed cost. An estimate that does not exist says why.
    """
    arm, month = cells.frame["arm"].to_numpy(), cells.frame["month"].to_numpy(dtype=int)
    before, after = (np.isin(month, list(p)) for p in (spec.periods.baseline, spec.periods.performance))
    treated = arm == "treated"
    own, peers = (_mean(cells, OUTCOME, side & before) for side in (treated, ~treated))
    effect = did.headline.value
    expected = None if effect is None else _mean(cells, OUTCOME, treated & after) - effect
    rows = {
        "detectable_pmpm": did.detectable,
        "detectable_share": _over(did.detectable.value, expected, "Smallest effect found, in percent"),
        "chance_share": _share(
            did.headline.p, "Chance of an effect this far from zero if the program did nothing",
            "p of the recommended method", why="The recommended method gives no p in this setting.",
        ),
    }  # fmt: skip
    rows |= _minimum(did, cells, spec, treated & after, expected)
    member = member_covariance(pairs, sorted(set(month.tolist())))
    everyone = _mean(cells, OUTCOME, before)
    if everyone > 0 and own > 0 and peers > 0:
        rows |= _credible(cells, yearly_cv(member.by_lag, everyone), own, peers, treated, before)
    return rows


def _mean(cells: Cells, variable: str, inside: np.ndarray) -> float:
    exposure = cells.member_months[inside].sum()
    return math.fsum(cells.total(variable)[inside]) / float(exposure) if exposure > 0 else math.nan


def _minimum(
    did: DidResult, cells: Cells, spec: StudySpec, inside: np.ndarray, expected: float | None
) -> dict[str, Estimate]:
    months = len(set(cells.frame.loc[inside, "month"]))
    persons = float(cells.member_months[inside].sum()) / months
    contract = spec.payment.shared_savings
    label, why, rate = "Minimum savings rate", "", None
    if contract is not None and not isinstance(contract.minimum_savings_rate, str):
        rate, method = contract.minimum_savings_rate, "of the contract"
    else:
        method = "Medicare's one-sided track at this number of persons; calibrated on Medicare's costs"
        try:
            rate = medicare_minimum_savings_rate(persons)
        except ModelRefusal as refusal:
            rate = None if contract is None else contract.minimum_savings_rate_few
            why, method = f"{refusal}.", ""
            if rate is not None:
                why, method = "", "of the contract, for fewer persons than Medicare's table has"
    known = rate is not None and expected is not None and expected > 0
    se = did.headline.se
    by_chance = (
        float(special.ndtr(-rate * expected / se))
        if known and rate is not None and expected is not None and se is not None and se > 0
        else None
    )
    return {
        "minimum_savings_share": _share(rate, label, method, digits=4, why=why),
        "minimum_savings_pmpm": Estimate(
            value=rate * expected if known and rate is not None and expected is not None else None,
            unit="USD PMPM", kind="exact", label=f"{label}, in dollars", method=method, why=why,
        ),
        "minimum_by_chance_share": _share(
            by_chance, "Chance of savings at that rate if the program did nothing",
            "normal, with the headline's standard error", why=why,
        ),
    }  # fmt: skip


def _credible(
    cells: Cells, cv: float, own: float, peers: float, treated: np.ndarray, before: np.ndarray
) -> dict[str, Estimate]:
    years = float(cells.member_months[treated & before].sum()) / YEAR
    z = credibility(years, cv)
    risk = 1.0
    if cells.has("expected"):
        levels = [_mean(cells, "expected", side & before) for side in (treated, ~treated)]
        risk = levels[0] / levels[1] if min(levels) > 0 else 1.0
    return {
        "cv_ratio": Estimate(
            value=cv, unit="ratio", label="Coefficient of variation of one member's yearly cost",
            method="from the covariance of a member's months",
        ),
        "full_credibility_member_years": Estimate(
            value=full_credibility_member_years(cv), unit="member-years", digits=0,
            label="Member-years for full credibility", method="within 5% with 90% probability",
        ),
        "credibility_share": _share(z, "Credibility of the program's own baseline", "limited fluctuation"),
        "baseline_pmpm": Estimate(
            value=own, unit="USD PMPM", kind="exact", label="Baseline cost", method="own"
        ),
        "credible_baseline_pmpm": Estimate(
            value=z * own + (1 - z) * peers * risk, unit="USD PMPM", label="Credible baseline cost",
            method="own cost by its credibility, the comparison's at the program's risk for the rest",
        ),
    }  # fmt: skip


def _share(value: float | None, label: str, method: str, digits: int = 3, why: str = "") -> Estimate:
    said = why if value is None else ""
    return Estimate(value=value, unit="share", label=label, method=method, digits=digits, why=said)


def _over(value: float | None, expected: float | None, label: str) -> Estimate:
    known = value is not None and expected is not None and expected > 0
    found = value / expected if known and value is not None and expected is not None else None
    why = "" if known else "Expected cost is not above zero."
    return Estimate(
        value=found, unit="share", label=label, digits=3, why=why, method="the same over expected cost"
    )
