"""All periods before the start taken jointly, in sentences: never a verdict that trends were alike."""

from __future__ import annotations

import pandas as pd

from medhome.reporting.datatable import records
from medhome.study.display import absent, count, interval, p_value, usd
from medhome.study.results import DidResult
from medhome.study.wave_results import Waves


def of_study(did: DidResult) -> list[str]:
    """The slope that would have been found, and the quarters before the start jointly."""
    sentences = []
    if did.pre_trend.value is not None and did.pre_trend.why:
        sentences.append(f"{did.pre_trend.why[:1].upper()}{did.pre_trend.why[1:]}.")
    return sentences + jointly(did.pre_trend_tests, "quarters before the start")


def of_waves(found: Waves, unit: str) -> list[str]:
    """The same for waves, by time since each practice's own start. unit: quarter or month."""
    sentences = []
    if found.slope:
        sentences.append(
            "A straight line through the times before the start has a slope of "
            f"{usd(found.slope['estimate'])} PMPM per year (95% interval "
            f"{interval(found.slope['lo95'], found.slope['hi95'])}); the smallest slope found with 80% power "
            f"is {usd(found.slope['detectable'])} PMPM per year."
        )
    return sentences + jointly(found.pre_trend_tests, f"{unit}s before the own start")


def jointly(tests: pd.DataFrame, periods: str) -> list[str]:
    """What each joint test found. periods: what is tested, for example "quarters before the start"."""
    sentences = []
    for row in records(tests):
        n = count(row["periods"])
        if absent(row["p"]):
            continue
        p = p_value(row["p"])
        if row["test"] == "exchange":
            rank, ways = round(row["p"] / row["smallest_p"]), round(1 / row["smallest_p"])
            sentences.append(
                f"The program's label can be given to as many organisations in {count(ways)} ways. In "
                f"{count(rank)} of them, the actual one included, the {n} {periods} lie at least as far from "
                f"the base, measured by their variance, as in the actual one: p = {p}, at best "
                f"{p_value(row['smallest_p'])}."
            )
        elif row["test"] == "shocks":
            sentences.append(
                f"Against shocks of whole organisations and the sampling of members, the {n} {periods} taken "
                f"jointly have p = {p}; a straight drift of {usd(row['detectable'])} PMPM per year would "
                "have been found in four of five such studies."
            )
        else:
            sentences.append(f"In Hotelling's form, clustered by organisation, they have p = {p}.")
    if sentences:
        sentences.append(
            "A test that finds nothing has not shown that trends were alike, and none of these chose the "
            "method."
        )
    return sentences
