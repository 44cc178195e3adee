"""What a reader must know before reading the estimate: warnings by rule, in plain words.

The rules are those of the few-clusters note, section 8 (``docs/methods.md``, few treated organisations).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from medhome.models.inference.random_effects import END_SHARE_ALLOWED, RePanel
from medhome.models.inference.recommend import (
    FEWEST_AFTER,
    FEWEST_BEFORE,
    FEWEST_COMPARISONS,
    NO_5_PERCENT_RANK,
    Setting,
)
from medhome.study.display import interval, number, share, usd


def cautions(
    setting: Setting,
    found: RePanel,
    *,
    left_out: int = 0,
    covariates_dropped: Sequence[str] = (),
    pre_trend_known: bool = True,
) -> tuple[str, ...]:
    """Warnings about one study's estimate.

    left_out: organisations with members on one side of the start only; covariates_dropped: covariates without
    variation; pre_trend_known: whether there are two months before the start.
    """
    return (
        *_sizes(setting, found),
        *_reach(setting),
        *_grid(found),
        *_data(left_out, covariates_dropped, pre_trend_known),
    )


def _sizes(setting: Setting, found: RePanel) -> Iterator[str]:
    if setting.treated_is_larger:
        yield (
            "The program has more than twice the members of the largest comparison organisation: how far "
            "so large an organisation drifts by itself is extrapolated, and the prior matters. Under a "
            f"flat prior the 95% interval is {interval(*found.flat[0].ci95)}."
        )
    if setting.treated == 1 and setting.treated_members[0] < np.median(setting.comparison_members):
        yield (
            "The program organisation is smaller than the middle comparison organisation: a p-value from "
            "ranks among placebos is too small."
        )
    if setting.treated == 1 and setting.comparisons < NO_5_PERCENT_RANK:
        yield (
            f"With one treated and {setting.comparisons} comparison organisations no randomisation test can "
            f"reach 5%: its smallest p-value is {number(1 / (setting.comparisons + 1), 3)}."
        )
    for members, arm in ((setting.treated_members, "program"), (setting.comparison_members, "comparison")):
        largest = max(members) / sum(members)
        if len(members) > 1 and largest > 0.5:
            yield (
                f"One organisation holds {share(largest, 0)} of the weight of the {arm} arm: that arm's "
                "result is mostly its own."
            )


def _reach(setting: Setting) -> Iterator[str]:
    if setting.simulated:
        return
    short = []
    if setting.comparisons < FEWEST_COMPARISONS:
        short.append(
            f"{setting.comparisons} comparison organisations (simulated: {FEWEST_COMPARISONS} or more)"
        )
    if setting.months_before < FEWEST_BEFORE:
        short.append(f"{setting.months_before} months before the start (simulated: {FEWEST_BEFORE} or more)")
    if setting.months_after < FEWEST_AFTER:
        short.append(f"{setting.months_after} months after it (simulated: {FEWEST_AFTER} or more)")
    yield (
        f"The interval was not tried in simulation for a study like this one: {', '.join(short)}. It is "
        "shown without a p-value."
    )


def _grid(found: RePanel) -> Iterator[str]:
    end = float(found.grid["sigma_share"].max())
    if found.widened:
        yield (
            "Organisations drift by more than the usual range of a model of this kind: it was widened to a "
            f"standard deviation of {share(end, 0)} of mean cost ({usd(found.sigma_mean)} PMPM on average)."
        )
    if found.end_share > END_SHARE_ALLOWED:
        yield (
            f"{share(found.end_share)} of the probability lies at the widest drift that the model tried: "
            "the interval may be too short."
        )


def _data(left_out: int, covariates_dropped: Sequence[str], pre_trend_known: bool) -> Iterator[str]:
    if left_out:
        who = "One organisation has" if left_out == 1 else f"{left_out} organisations have"
        yield (
            f"{who} members only before or only after the start: methods that rest on each organisation's "
            f"change leave {'it' if left_out == 1 else 'them'} out."
        )
    for name in covariates_dropped:
        yield f"The covariate {name} does not vary between members and was left out."
    if not pre_trend_known:
        yield "With one month before the start, how the arms moved before it cannot be estimated."
