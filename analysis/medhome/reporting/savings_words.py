"""Sentences about savings: functions of the result, as in `words`."""

from __future__ import annotations

from medhome.study.display import (
    absent,
    count,
    interval,
    listed,
    month,
    pmpm,
    share,
    usd,
    usd_round,
)
from medhome.study.payment_choices import Fee
from medhome.study.periods import month_index
from medhome.study.results import (
    Estimate,
    Savings,
)
from medhome.study.spec import StudySpec


def savings_gross(savings: Savings) -> str:
    """Savings before fees; positive means that care cost less than expected."""
    return _saved(savings.rows["gross_pmpm"], "in allowed amounts, before program fees")


def savings_net(savings: Savings) -> str:
    """Savings after fees: they are the payer's, and counted in what it paid (`methods.md` 4.9)."""
    return _saved(savings.rows["net_pmpm"], "in paid amounts, after program fees")


def savings_total(savings: Savings) -> str:
    """Net savings in dollars over the whole period."""
    total = savings.rows.get("net_total_usd")
    if total is None or absent(total.value) or total.ci95 is None:
        return ""
    low, high = total.ci95
    months_n = total.n.get("member_months")
    over = "" if absent(months_n) else f" over {count(months_n)} member-months"
    return (
        f"In all, net savings are estimated at {usd_round(total.value)}{over} (95% interval "
        f"{interval(low, high, usd_round)})."
    )


def fees(spec: StudySpec) -> str:
    """The program payments that were taken off."""
    if not spec.fees:
        return "The study file declares no program fees, so none are taken off."
    parts = [
        f"{f.name}{_tier(f)}, {usd(f.pmpm_usd)} PMPM from {month(month_index(f.first))}"
        + (f" to {month(month_index(f.last))}" if f.last else "")
        for f in spec.fees
    ]
    return f"Program payments taken off: {listed(parts)}."


def _tier(fee: Fee) -> str:
    """Whose months a fee is paid on, where it is not every treated member's."""
    parts = [*fee.strata, *(f"practice {p}" for p in fee.practices)]
    if fee.member_share < 1:
        parts.append(f"{share(fee.member_share, 0)} of members")
    if fee.arm == "comparison":
        parts.append("paid to the comparison arm")
    return f" ({listed(parts)})" if parts else ""


def _saved(estimate: Estimate, when: str) -> str:
    if absent(estimate.value):
        return f"Savings {when} are withheld or could not be estimated."
    if estimate.ci95 is None:
        return f"Savings {when} are {pmpm(estimate.value)}; they have no interval, so they are no finding."
    low, high = estimate.ci95
    if low > 0:
        return f"There were savings {when}: {pmpm(estimate.value)} (95% interval {interval(low, high)})."
    if high < 0:
        return (
            f"There were losses {when}: savings of {pmpm(estimate.value)} (95% interval "
            f"{interval(low, high)})."
        )
    return (
        f"Whether there were savings or losses {when} cannot be told: the estimate is "
        f"{pmpm(estimate.value)}, and its 95% interval, {interval(low, high)}, holds both."
    )
