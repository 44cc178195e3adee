"""Sentences about payment and about what must be known before savings are claimed."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from medhome.study.display import absent, count, number, p_value, pmpm, share, usd, usd_round
from medhome.study.payment_results import Payment
from medhome.study.results import Estimate

Rows = Mapping[str, Estimate]


def detectable(before: Rows) -> str:
    """How small an effect this study could see, and how far chance alone may reach."""
    size, part, chance = (before.get(n) for n in ("detectable_pmpm", "detectable_share", "chance_share"))
    if size is None or absent(size.value):
        return "How small a saving this study could see is not known."
    of_cost = "" if part is None or absent(part.value) else f" ({share(part.value)} of expected cost)"
    said = (
        f"Savings or losses smaller than {pmpm(size.value)}{of_cost} are found by fewer than 80% of studies "
        "like this one."
    )
    if chance is None or absent(chance.value):
        return said
    return (
        f"{said} If the program had done nothing, a difference as far from zero as the one found would still "
        f"arise with probability {p_value(chance.value)}."
    )


def minimum_savings_rate(before: Rows) -> str:
    """The rate that a contract would ask for, and how often chance alone would reach it."""
    rate, dollars, chance = (
        before.get(n) for n in ("minimum_savings_share", "minimum_savings_pmpm", "minimum_by_chance_share")
    )
    if rate is None:
        return ""
    if absent(rate.value):
        return f"There is no minimum savings rate. {rate.why}"
    said = f"The minimum savings rate is {share(rate.value, 2)} ({rate.method})"
    if dollars is None or absent(dollars.value) or chance is None or absent(chance.value):
        return f"{said}."
    return (
        f"{said}: {pmpm(dollars.value)}. A program that does nothing would show savings of that size or more "
        f"with probability {p_value(chance.value)} in this study."
    )


def credibility(before: Rows) -> str:
    """How much weight the program's own baseline bears."""
    own, full = before.get("credibility_share"), before.get("full_credibility_member_years")
    base, credible = before.get("baseline_pmpm"), before.get("credible_baseline_pmpm")
    if own is None or full is None or base is None or credible is None:
        return ""
    said = (
        f"A member's yearly cost varies so much that {count(full.value)} member-years are needed for full "
        "credibility (within 5% with 90% probability)"
    )
    if own.value is not None and own.value >= 1:
        return f"{said}; the baseline has as many, so its own cost, {pmpm(base.value)}, stands."
    return (
        f"{said}; the baseline has a credibility of {number(own.value, 2)}, so that a credible baseline is "
        f"{pmpm(credible.value)} beside its own {pmpm(base.value)}."
    )


def settlement(payment: Payment) -> list[str]:
    """What the shared-savings contract paid in each program year, and which step decided."""
    said = []
    for row in payment.settlement.to_dict("records"):
        months_n = row["last_month"] - row["first_month"] + 1
        so_far = "" if months_n == 12 else f" ({count(months_n)} months so far)"
        year = f"Program year {row['year']}{so_far}"
        if absent(row["earned_usd"]):
            why = row["why"]
            withheld = absent(row["members"])
            said.append(f"{year} is withheld." if withheld else f"{year} is not settled: {why}.")
            continue
        gap = row["benchmark_usd"] - row["actual_usd"]
        found = "under" if gap >= 0 else "over"
        first = (
            f"{year}: cost was {usd_round(abs(gap))} ({share(abs(row['savings_rate']), 2)}) {found} its "
            f"benchmark, where the minimum rate is {share(row['minimum_rate'], 2)}"
        )
        earned = row["earned_usd"]
        if earned > 0:
            said.append(f"{first}; the program earns {usd_round(earned)} ({row['why']}).")
        elif earned < 0:
            said.append(f"{first}; the program owes {usd_round(-earned)} ({row['why']}).")
        else:
            said.append(f"{first}; nothing is paid ({row['why']}).")
    return said


def settled_in_all(payment: Payment) -> str:
    """What the settled program years come to together."""
    earned = payment.settlement["earned_usd"].dropna()
    total = float(earned.sum())
    if total > 0:
        return f"Shared savings of {usd_round(total)} are earned"
    if total < 0:
        return f"The program owes {usd_round(-total)} of losses"
    return "No shared savings are paid"


def performance(measures: pd.DataFrame) -> str:
    """How many measures of quality and appropriate care were met, and gates that were not."""
    met, closed = int(measures["met"].sum()), measures[measures["gate"] & ~measures["met"]]
    said = f"{count(met)} of {count(len(measures))} measures reached their threshold."
    if len(closed):
        names = ", ".join(str(label) for label in closed["label"])
        return f"{said} A gate is shut ({names}), so that its pool earns nothing."
    return said


def payments(payment: Payment) -> str:
    """What was paid in all, less what the comparison arm was paid."""
    if payment.payments.empty:
        return ""
    own = payment.payments["arm"] == "treated"
    treated, other = (float(payment.payments.loc[side, "usd"].sum()) for side in (own, ~own))
    if (~own).any():
        return (
            f"Program payments after the start come to {usd_round(treated)}; the comparison arm's, for as "
            f"many members, to {usd_round(-other)}; the difference, "
            f"{usd_round(treated + other)}, is taken off."
        )
    return f"Program payments after the start come to {usd_round(treated)}; they are taken off."


def written(value: float | None, unit: str, digits: int) -> str:
    """A number of the table before savings, in its own unit.

    >>> written(0.0254, "share", 4), written(6765.1, "member-years", 0)
    ('2.54%', '6,765')
    """
    if unit == "share":
        return share(value, max(digits - 2, 0))
    return usd(value, digits) if unit.startswith("USD") else number(value, digits)
