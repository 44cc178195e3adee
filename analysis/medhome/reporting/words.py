"""Every sentence, card and title that states a result: a function of the result.

Nothing here is fixed text about an outcome. Where an interval holds zero, or a number was withheld, the
wording is neutral; a finding is worded from the 95% interval and never from a p-value. Effects are actual
minus expected: negative means that care cost less.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from medhome.reporting import phrases
from medhome.reporting.study_words import treated_arm
from medhome.study.display import (
    absent,
    count,
    interval,
    listed,
    number,
    pmpm,
    share,
    usd,
)
from medhome.study.published import PublishedEffect
from medhome.study.results import (
    Check,
    DidResult,
    Estimate,
    ExpectedCosts,
)
from medhome.study.spec import StudySpec


def rows_of(frame: pd.DataFrame) -> Iterator[Any]:
    """The rows of a frame, each with the columns as its attributes."""
    return frame.itertuples()


def direction(low: Any, high: Any) -> str:
    """What an interval says of a difference: "less", "more", or "unclear" where it holds zero or is missing.

    >>> direction(-3, -1), direction(1, 3), direction(-1, 1), direction(None, None)
    ('less', 'more', 'unclear', 'unclear')
    """
    if absent(low) or absent(high):
        return "unclear"
    return "less" if high < 0 else "more" if low > 0 else "unclear"


def direction_of(estimate: Estimate) -> str:
    """`direction` of an estimate's 95% interval."""
    return direction(*(estimate.ci95 or (None, None)))


# -- what could be detected ----------------------------------------------------------------------------


def detectable(did: DidResult, baseline_pmpm: float | None) -> str:
    """The smallest change that the study finds with 80% power; read before the estimate."""
    size = did.detectable.value
    if absent(size):
        return (
            "How small an effect this study could detect is not known: its interval could not be worked out."
        )
    part = (
        ""
        if absent(baseline_pmpm) or not baseline_pmpm
        else f" ({share(size / baseline_pmpm, 0)} of baseline cost)"
    )
    about = phrases.coarse(size)
    return f"This study could detect a change of about {about} {_PMPM}{part} or more, with 80% power."


def uncertainty(did: DidResult) -> str:
    """What the width of the interval is made of."""
    shares = [(str(r.label), r.share) for r in rows_of(did.variance_shares) if not absent(r.share)]
    if not shares:
        return ""
    parts = [f"{share(s, 0)} is {phrases.lower_first(label)}" for label, s in shares]
    return f"Of the uncertainty, {listed(parts)}."


def published_against_detectable(did: DidResult, published: PublishedEffect) -> str:
    """Whether an effect as published elsewhere could be seen by this study."""
    size = did.detectable.value
    if absent(size):
        return ""
    effect = published.effect_pmpm_usd
    verdict = (
        "is below what this study can detect"
        if abs(effect) < size
        else "is within what this study can detect"
    )
    words = "less" if effect < 0 else "more"
    return (
        f"An effect of {usd(abs(effect))} PMPM, as published for {published.program} (cost {words} than "
        f"expected), {verdict}."
    )


def estimate_against_detectable(did: DidResult) -> str:
    """A warning where the estimate is smaller than what the study can detect."""
    size, value = did.detectable.value, did.headline.value
    if absent(size) or absent(value) or abs(value) >= size:
        return ""
    return (
        f"The estimate below, {usd(value)} PMPM, is smaller than that: read the interval around it, not the "
        "estimate alone."
    )


# -- the effect ----------------------------------------------------------------------------------------


def compared(value: Any, low: Any, high: Any, than: str) -> str:
    """One difference in words, from its 95% interval.

    >>> compared(-9.0, -15.0, -3.0, "expected")
    'Care cost less than expected: −$9.00 per member per month (95% interval −$15.00 to −$3.00).'
    """
    if absent(value):
        return f"The difference from {than} is withheld or could not be estimated."
    if absent(low) or absent(high):
        return f"The difference from {than} is {pmpm(value)}; it has no interval, so it is no finding."
    found = direction(low, high)
    if found == "unclear":
        return (
            f"Whether care cost less or more than {than} cannot be told: the estimate is {pmpm(value)}, and "
            f"its 95% interval, {interval(low, high)}, holds both."
        )
    return f"Care cost {found} than {than}: {pmpm(value)} (95% interval {interval(low, high)})."


def effect(did: DidResult, spec: StudySpec) -> str:
    """The headline: the change in the program arm beyond that of the comparison group."""
    low, high = did.headline.ci95 or (None, None)
    return compared(
        did.headline.value,
        low,
        high,
        f"expected in {treated_arm(spec)}, given how cost changed in the comparison group",
    )


def relative(did: DidResult) -> str:
    """The effect in percent of expected cost."""
    low, high = did.relative.ci95 or (None, None)
    if absent(did.relative.value) or absent(low) or absent(high):
        return ""
    return (
        f"In percent of expected cost, the effect is {share(did.relative.value)} (95% interval "
        f"{interval(low, high, share)})."
    )


def interval_basis(did: DidResult, spec: StudySpec) -> str:
    """What the headline interval allows for, in one sentence."""
    organizations = "organisation" if did.comparison_organizations == 1 else "organisations"
    return (
        "The interval allows for shocks of whole organisations, estimated from "
        f"{count(did.comparison_organizations)} comparison {organizations} over "
        f"{count(len(spec.periods.analysed))} months (standard deviation {usd(did.organization_sd_pmpm)} "
        f"PMPM, autocorrelation {number(did.autocorrelation)}) and a prior scale of "
        f"{share(spec.estimation.prior_scale_share, 0)} of cost."
    )


def before_the_start(did: DidResult) -> str:
    """How far the arms may have drifted apart before the program; never a verdict that they did not."""
    low, high = did.pre_trend.ci95 or (None, None)
    if absent(low) or absent(high):
        return "How the two arms moved against each other before the start could not be estimated."
    lead = {
        "less": "Before the start, cost in the program arm already fell against the comparison group. ",
        "more": "Before the start, cost in the program arm already rose against the comparison group. ",
        "unclear": "",
    }[direction(low, high)]
    return f"{lead}Pre-trend differences of {interval(low, high)} PMPM per year remain possible."


def versus(expected: ExpectedCosts, compares: str) -> str:
    """One kind of comparison in words: "versus expected" (a change) or "versus peers" (a level)."""
    row = definition(expected, compares)
    if row is None:
        return ""
    than = "expected" if compares == "versus expected" else "its peers"
    lead = "Versus expected (a change)" if compares == "versus expected" else "Versus peers (a level)"
    sentence = compared(row["difference_pmpm"], row["lo95"], row["hi95"], than)
    return f"{lead}, definition {definition_name(row['definition'])}: {phrases.lower_first(sentence)}"


def both_readings(expected: ExpectedCosts) -> str:
    """Why the change and the level are both shown, and whether they disagree."""
    change, level = definition(expected, "versus expected"), definition(expected, "versus peers")
    if change is None or level is None:
        return ""
    a, b = change["difference_pmpm"], level["difference_pmpm"]
    if not absent(a) and not absent(b) and a * b < 0:
        return (
            "The two estimates have opposite signs. They answer different questions: the first asks "
            "whether cost changed more than expected, the second whether it is higher or lower than that "
            "of others."
        )
    return (
        "The two answer different questions: the first asks whether cost changed more than expected, the "
        "second whether it is higher or lower than that of others."
    )


def definition(expected: ExpectedCosts, compares: str) -> dict[str, Any] | None:
    """Stands for one kind of comparison: the primary definition, or else the first that has a number."""
    frame = expected.definitions[expected.definitions["compares"] == compares]
    if frame.empty:
        return None
    ordered = frame.assign(_missing=frame["difference_pmpm"].isna()).sort_values(
        ["primary", "_missing"], ascending=[False, True], kind="stable"
    )
    return phrases.first(ordered)


def definition_name(definition_id: Any) -> str:
    """How a definition is called in text.

    >>> definition_name("E5_level")
    'E5 level'
    """
    return str(definition_id).replace("_", " ")


def primary_definition(expected: ExpectedCosts) -> dict[str, Any]:
    """The definition declared primary in the study file."""
    return phrases.first(expected.definitions[expected.definitions["definition"] == expected.primary])


def headline_rule(did: DidResult) -> str:
    """Which rule fixed the headline method, before the estimate was seen."""
    treated = (
        "One organisation is"
        if did.treated_organizations == 1
        else f"{count(did.treated_organizations)} organisations are"
    )
    rule = str(did.rule).strip().rstrip(".")
    why = f" Rule applied: {phrases.lower_first(rule)}." if rule else ""
    return (
        f"{treated} treated and {count(did.comparison_organizations)} are compared; these numbers fix the "
        f"headline method beforehand.{why} Rows in grey are not valid in this setting and are no finding "
        "here."
    )


def front_page(checks: Sequence[Check]) -> list[str]:
    """The checks that belong on the first page and did not pass; the rest stand in the table of checks."""
    told = "placeholder"  # at the head of every page
    return [c.sentence for c in checks if c.front_page and c.passed is False and c.id != told]


def checks_not_on_paper(checks: Sequence[Check]) -> str:
    """What the printed page says in the place of checks that only inform, so that it keeps to two sheets."""
    n = sum(c.passed is None for c in checks)
    stand = "check for information stands" if n == 1 else "checks for information stand"
    return f"{count(n)} {stand} in index.html and not on paper." if n else ""


# -- cohort and data -----------------------------------------------------------------------------------


# -- expected and actual -------------------------------------------------------------------------------


def definitions_spread(expected: ExpectedCosts) -> str:
    """How far the definitions of "expected" lie apart: the method is part of the finding."""
    known = expected.definitions[expected.definitions["difference_pmpm"].notna()]
    if len(known) < 2:
        return ""
    low, high = known["difference_pmpm"].min(), known["difference_pmpm"].max()
    name = primary_definition(expected)["label"]
    return (
        f"Across {count(len(known))} definitions of expected cost, the difference from actual runs from "
        f"{usd(low)} to {usd(high)} PMPM. Declared primary beforehand: {expected.primary}, "
        f"{phrases.lower_first(str(name))}."
    )


# -- savings -------------------------------------------------------------------------------------------


_PMPM = "per member per month"
