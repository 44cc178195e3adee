"""The study in words: its question, its arms, its rules and its models, as the study file declares them."""

from __future__ import annotations

from medhome.reporting.rounded_counts import BASE
from medhome.study.display import (
    count,
    listed,
    month,
    share,
    usd,
)
from medhome.study.periods import month_index
from medhome.study.population_choices import EXPOSURE_RULES
from medhome.study.spec import StudySpec


def question(spec: StudySpec) -> str:
    return (
        spec.question
        or f"Did care cost less under {spec.program.name} than would have been expected without it?"
    )


def data_through(spec: StudySpec) -> str:
    """Which costs are in, and how long their claims had time to be paid."""
    periods = spec.periods
    return (
        f"Costs from {month(periods.baseline.first)} to {month(periods.performance.last)}, as paid through "
        f"{month(month_index(spec.paid_through))}. {treated_arm(spec).capitalize()} started in "
        f"{month(periods.start_month)}. Study {spec.id}, version {spec.version}."
    )


def caveats(spec: StudySpec) -> list[str]:
    """What a reader must know before anything else: data that are not real, a program that is not real."""
    found = []
    if spec.data.synthetic:
        found.append(
            "All data in this report are synthetic. No number in it describes a real person, practice or "
            "program."
        )
    if spec.arms.placeholder:
        found.append(
            "This is a placebo study: no program exists in these data. Members were put into two arms by "
            f"{placeholder_rule(spec)}, and a start month was chosen. A difference found here comes from "
            "chance or from the arms themselves, not from a program."
        )
    return found


def caveats_title(spec: StudySpec) -> str:
    """The heading above the caveats."""
    parts = (("synthetic data", spec.data.synthetic), ("placebo arms", spec.arms.placeholder))
    return listed([name for name, holds in parts if holds]).capitalize()


def placeholder_rule(spec: StudySpec) -> str:
    if spec.arms.rule == "state":
        return f"their state ({listed(list(spec.arms.treated_states))} against the others)"
    return "a rule on their identifiers that has nothing to do with their care"


def treated_arm(spec: StudySpec) -> str:
    return "the placebo arm" if spec.arms.placeholder else "the program"


def arm_label(arm: str, spec: StudySpec) -> str:
    """The name of an arm in tables and figures."""
    if arm == "treated":
        return "Placebo arm" if spec.arms.placeholder else "Program"
    return "Comparison"


def arms_rule(spec: StudySpec) -> str:
    """Who is treated and who is compared, in words."""
    if spec.arms.placeholder:
        return f"A placebo: arms by {placeholder_rule(spec)}"
    return "Program and comparison practices as the program's roster lists them"


def population_rule(spec: StudySpec) -> str:
    """Who was looked at, in words."""
    rules = [
        f"aged {spec.population.age_min} to {spec.population.age_max}",
        f"enrolled {EXPOSURE_RULES[spec.population.exposure]} of the month",
    ]
    if spec.population.require_medical_benefit:
        rules.append("with medical benefits")
    if spec.population.require_pharmacy_benefit:
        rules.append("with pharmacy benefits")
    if spec.population.capitated_months == "drop":
        rules.append("not capitated in the month")
    rules += _left_out(spec)
    if spec.population.min_months > 1:
        together = " in a row" if spec.population.min_months_rule == "continuous" else " in the study"
        rules.append(f"at least {count(spec.population.min_months)} months{together}")
    return f"Members {listed(rules)}"


def orphan_rule(spec: StudySpec) -> str:
    """What becomes of cost in a month without enrolment."""
    month = f"a month in which its member was not enrolled {EXPOSURE_RULES[spec.population.exposure]}"
    if spec.population.orphan_cost == "drop":
        return f"Cost of {month} has no member-month, and is left out of both arms."
    return (
        f"Cost of {month} is kept (population.orphan_cost): it is counted with the nearest member-month of "
        "the same member and period, where there is one, and adds none. Cost per member-month is then more "
        "than what the enrolled months cost."
    )


def _left_out(spec: StudySpec) -> list[str]:
    """Who else is left out, in words that go on after "members"."""
    who, found = spec.population, []
    if who.infants == "exclude":
        found.append("from the month of the first birthday on")
    if who.employer_groups_excluded:
        found.append(f"not covered through {listed(list(who.employer_groups_excluded))}")
    if who.special_categories == "exclude":
        found.append("without end-stage renal disease, transplant or hospice before the baseline")
    if who.decedents == "exclude":
        found.append("alive through the last month analysed (a sensitivity analysis)")
    return found


def attribution_rule(spec: StudySpec) -> str:
    """How a member gets a practice, when, and what becomes of those who move, in words."""
    choices = spec.attribution
    if choices.method == "rule":
        return "By the same rule that makes the arms"
    afresh = choices.population == "dynamic"
    period = "each year of the study" if choices.freeze == "year" else "the baseline and before the start"
    if choices.method == "roster":
        how = "As the provider-attribution table says in the first month of "
        when = period.replace("before ", "of ") if afresh else "the baseline"
    else:
        then = listed([s.strip().lower() for s in choices.specialties if s.strip()])
        steps = f" (members without any: of visits to {then})" if choices.method == "stepwise" else ""
        how = f"Most primary-care visits{steps} in the {count(choices.lookback_months)} months before "
        when = period if afresh else "the baseline"
    return f"{how}{when}; {_AFTERWARDS[choices.population]}"


def look_back(spec: StudySpec) -> str:
    """Where the months lie from which attribution is read, and why that may be."""
    choices = spec.attribution
    if choices.method == "rule":
        return ""
    if choices.population == "dynamic":
        return (
            "Members are attributed afresh and alike in both arms: months of the study decide on later ones, "
            "and a program that brings its members to their doctor changes who is counted."
        )
    if choices.population == "stable":
        return (
            "Who is compared was seen before the baseline and again before the start: months of the study "
            "decide on it, alike in both arms."
        )
    return (
        "Attribution is read from what lies before the first month analysed, so that no month of the study "
        "decides on who is in it."
        if choices.method != "roster"
        else "Attribution is the payer's in the first month analysed; what that looks back on is the payer's "
        "rule."
    )


_AFTERWARDS = {
    "intention_to_treat": "the practice stays the same afterwards",
    "dynamic": "the rule is applied afresh and alike in both arms; members change arm with their practice",
    "stable": "the practice stays the same, and only members whom the same rule puts into the same arm at "
    "the start are compared",
    "market": "everyone who lives in an area is of the arm whose organisation has most patients there, "
    "whoever their own practice is",
}


def cost_rule(cap_usd_per_year: int | None) -> str:
    cap = (
        "not truncated"
        if cap_usd_per_year is None
        else f"truncated at {usd(cap_usd_per_year, 0)} per member and year"
    )
    return f"Allowed amounts (plan and member share), {cap}"


def month_rule(spec: StudySpec) -> str:
    """Which month a claim is cost of, where the study departs from that in which it began."""
    words = {
        "end": "A claim is cost of the month in which it ended",
        "paid": "A claim is cost of the month in which it was paid; nothing is completed",
    }
    return words.get(spec.claims.claims_month, "")


def disclosure_rule(spec: StudySpec) -> str:
    small = (
        f"No count of people from 1 to {count(spec.disclosure.floor - 1)} is shown, nor what would reveal one"
    )
    if not spec.disclosure.rounding:
        return small
    return (
        f"{small}; other counts, claim lines and member-months are rounded to multiples of {count(BASE)} "
        f"(policy {spec.disclosure.policy}), totals are sums of rounded parts, shares and rates are of "
        "rounded counts, and means and dollars are no more exact than the numbers of people and months that "
        "they rest on. Tables that share one total out in different ways need not add up to it. Effects and "
        "their intervals are as estimated"
    )


def model_of_the_effect(spec: StudySpec) -> str:
    return (
        f"The effect is the coefficient β of {treated_arm(spec)} (T) after the start (A), with effects of "
        "practice and month, in a regression weighted by member-months; x is the cost that the cost model "
        "expects from the members of a practice in a month."
    )


def letters_of_expected(spec: StudySpec) -> str:
    """What the letters of the formulas of expected cost stand for."""
    return (
        "A is an arm's mean cost and R the mean of what the frozen cost model expects of its members, in "
        f"dollars per member per month: of {treated_arm(spec)} (T) or of the comparison arm (C), before (0) "
        "or after (1) the start."
    )


def letters_of_savings(spec: StudySpec) -> str:
    """What the letters of the formulas of savings stand for."""
    return (
        "Savings turn the sign of an effect: what was not spent is positive. β is the effect on allowed cost "
        "below the cap, or in paid dollars, or on cost above the cap, as it says; G are gross and N net "
        f"savings, F the payments to {treated_arm(spec)} less those to the comparison arm, "
        "all in dollars per member per month."
    )


def model_of_the_interval(spec: StudySpec) -> str:
    return (
        "The headline interval comes from a model of whole organisations: shocks u that fade at rate ρ and "
        "the sampling e of members, whose covariance Σ is estimated from their own months. It is averaged "
        f"over σ and ρ, with a half-normal prior of scale {share(spec.estimation.prior_scale_share, 0)} of "
        "cost for σ."
    )
