"""Every sentence, card and title that states a result: a function of the result.

Nothing here is fixed text about an outcome. Where an interval holds zero, or a number was withheld, the
wording is neutral; a finding is worded from the 95% interval and never from a p-value. Effects are actual
minus expected: negative means that care cost less.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from medhome.reporting.study_words import treated_arm
from medhome.study.display import (
    WITHHELD,
    absent,
    count,
    interval,
    listed,
    month,
    number,
    pmpm,
    ratio,
    share,
    usd,
    usd_round,
)
from medhome.study.periods import month_index
from medhome.study.published import PublishedEffect
from medhome.study.results import (
    Attrition,
    Check,
    Cohort,
    DataQuality,
    DidResult,
    Estimate,
    ExpectedCosts,
    RiskModelResult,
    Savings,
)
from medhome.study.spec import StudySpec

NOTABLE_SMD = 0.10
"""A standardised difference above this is called out (`methods.md` exhibit T2)."""


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
    return f"This study could detect a change of about {_coarse(size)} {_PMPM}{part} or more, with 80% power."


def uncertainty(did: DidResult) -> str:
    """What the width of the interval is made of."""
    shares = [(str(r.label), r.share) for r in rows_of(did.variance_shares) if not absent(r.share)]
    if not shares:
        return ""
    return (
        f"Of the uncertainty, {listed([f'{share(s, 0)} is {_lower_first(label)}' for label, s in shares])}."
    )


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


def probability(did: DidResult, spec: StudySpec) -> str:
    """How probable it is that cost fell, with the prior that this rests on."""
    if absent(did.probability_lower_cost.value):
        return ""
    return (
        f"Given the data and a prior scale of {share(spec.estimation.prior_scale_share, 0)} of cost for how "
        f"far organisations drift by themselves, the probability that cost in {treated_arm(spec)} fell "
        f"against the comparison group is {_probability(did.probability_lower_cost.value)}."
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
    return f"{lead}, definition {definition_name(row['definition'])}: {_lower_first(sentence)}"


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
    return _first(ordered)


def definition_name(definition_id: Any) -> str:
    """How a definition is called in text.

    >>> definition_name("E5_level")
    'E5 level'
    """
    return str(definition_id).replace("_", " ")


def primary_definition(expected: ExpectedCosts) -> dict[str, Any]:
    """The definition declared primary in the study file."""
    return _first(expected.definitions[expected.definitions["definition"] == expected.primary])


def headline_rule(did: DidResult) -> str:
    """Which rule fixed the headline method, before the estimate was seen."""
    treated = (
        "One organisation is"
        if did.treated_organizations == 1
        else f"{count(did.treated_organizations)} organisations are"
    )
    rule = str(did.rule).strip().rstrip(".")
    why = f" Rule applied: {_lower_first(rule)}." if rule else ""
    return (
        f"{treated} treated and {count(did.comparison_organizations)} are compared; these numbers fix the "
        f"headline method beforehand.{why} Rows in grey are not valid in this setting and are no finding "
        "here."
    )


def front_page(checks: Sequence[Check]) -> list[str]:
    """The checks that belong on the first page and did not pass; the rest stand in the table of checks."""
    told = "placeholder"  # at the head of every page
    return [c.sentence for c in checks if c.front_page and c.passed is False and c.id != told]


# -- cohort and data -----------------------------------------------------------------------------------


def who_was_compared(cohort: Cohort, spec: StudySpec) -> str:
    """Members, practices and organisations of both arms."""

    def arm(name: str) -> str:
        people, sites, groups = (
            m.get(name) for m in (cohort.members, cohort.practices, cohort.organizations_n)
        )
        return (
            f"{_counted(people, 'member', 'members')} at {_counted(sites, 'practice', 'practices')} of "
            f"{_counted(groups, 'organisation', 'organisations')}"
        )

    return (
        f"{treated_arm(spec).capitalize()} holds {arm('treated')}; the comparison group holds "
        f"{arm('comparison')}."
    )


def who_is_left(attrition: Attrition, spec: StudySpec) -> str:
    """How many members the eligibility rules left, by arm, and how many people are in neither arm."""
    parts, others = [], []
    for arm, rows in attrition.frame.sort_values("step", kind="stable").groupby("arm", sort=False):
        first, last = rows["members"].iloc[0], rows["members"].iloc[-1]
        if arm in ("treated", "comparison"):
            name = treated_arm(spec) if arm == "treated" else "the comparison group"
            parts.append(f"{_withheld(last)} of {_counted(first, 'member', 'members')} in {name}")
        elif absent(first) or first > 0:
            others.append(f"{_counted(first, 'person is', 'people are')} in neither arm ({arm}).")
    left = f"The eligibility rules left {listed(parts)}." if parts else ""
    return " ".join([left, *others]).strip()


def balance(cohort: Cohort) -> str:
    """Which characteristics differ by more than 0.1 standard deviations at baseline."""
    known = cohort.balance[cohort.balance["smd"].notna()]
    if known.empty:
        return "Standardised differences at baseline could not be worked out."
    apart = known[known["smd"].abs() > NOTABLE_SMD]
    if apart.empty:
        return (
            f"At baseline, none of {count(len(known))} characteristics differs by more than "
            f"{number(NOTABLE_SMD, 1)} standard deviations."
        )
    worst = apart.reindex(apart["smd"].abs().sort_values(ascending=False, kind="stable").index)["label"].head(
        3
    )
    more = "the largest: " if len(apart) > 3 else ""
    verb = "differs" if len(apart) == 1 else "differ"
    return (
        f"At baseline, {count(len(apart))} of {count(len(known))} characteristics {verb} by more than "
        f"{number(NOTABLE_SMD, 1)} standard deviations "
        f"({more}{listed([_lower_first(str(w)) for w in worst])})."
    )


def dollars_kept(quality: DataQuality) -> str:
    """How much of the dollars in the files the evaluation rests on."""
    if len(quality.waterfall) < 2:
        return ""
    first, last = quality.waterfall["allowed_usd"].iloc[0], quality.waterfall["allowed_usd"].iloc[-1]
    if absent(first) or absent(last) or first == 0:
        return ""
    return (
        f"Of {usd_round(first)} allowed in the files, {usd_round(last)} ({share(last / first)}) is cost in "
        "the evaluation."
    )


def rules_found(quality: DataQuality) -> str:
    """How many input rules found something."""
    rules = quality.rules
    hit = rules[rules["count"] > 0]
    if hit.empty:
        return f"None of {count(len(rules))} rules on the input tables found anything."
    warnings = int((hit["severity"] == "warning").sum())
    return (
        f"Of {count(len(rules))} rules on the input tables, {count(len(hit))} found something, "
        f"{count(warnings)} of them worth a warning."
    )


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
        f"{_lower_first(str(name))}."
    )


def accuracy(risk: RiskModelResult) -> str:
    """How well the cost model predicts single members, and groups."""
    known = risk.accuracy[risk.accuracy["r2"].notna()]
    if known.empty:
        return ""
    row = _first(known)
    members = (
        f"explains {share(row['r2'])} of the variation in cost between members"
        if row["r2"] > 0
        else "predicts single members no better than their mean cost does"
    )
    return (
        f"Among {_lower_first(str(row['population']))}, the model {members}; predicted over actual cost is "
        f"{ratio(row['predictive_ratio'])} for the group as a whole. Single members are hard to predict for "
        "every model of this kind; groups are less so."
    )


# -- savings -------------------------------------------------------------------------------------------


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
        f"{f.name}, {usd(f.pmpm_usd)} PMPM from {month(month_index(f.first))}"
        + (f" to {month(month_index(f.last))}" if f.last else "")
        for f in spec.fees
    ]
    return f"Program payments taken off: {listed(parts)}."


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


_PMPM = "per member per month"


def _coarse(value: float) -> str:
    return usd(value, 0 if abs(value) >= 10 else 2)


def _probability(value: float) -> str:
    return "above 99%" if value > 0.99 else "below 1%" if value < 0.01 else share(value, 0)


def _lower_first(text: str) -> str:
    """A label inside a sentence: its first letter small, unless the word is an abbreviation."""
    return text if len(text) > 1 and text[1].isupper() else text[:1].lower() + text[1:]


def arm_count(numbers: Mapping[str, Any], arm: str) -> str:
    """A count of one arm, or the symbol of what is withheld."""
    return _withheld(numbers.get(arm))


def _withheld(value: Any) -> str:
    return WITHHELD if absent(value) else count(value)


def _counted(value: Any, one: str, many: str) -> str:
    if absent(value):
        return f"a withheld number of {many}"
    return f"{count(value)} {one if value == 1 else many}"


def _first(frame: pd.DataFrame) -> dict[str, Any]:
    return {str(name): value for name, value in frame.iloc[0].items()}
