"""What a report can say by itself to an item of a reporting checklist: one function for one subject.

An empty answer means that the study file or the results do not say it: the item is then the author's.
"""

from __future__ import annotations

from collections.abc import Callable

from medhome.reporting import (
    cohort_words,
    protocol_words,
    robustness_words,
    savings_words,
    study_words,
    words,
)
from medhome.study.display import count, listed, month, share
from medhome.study.published import published_effect
from medhome.study.released import ReleasedRun


def summary(report: ReleasedRun) -> str:
    """Design and result in two sentences."""
    return f"{design(report)} {words.effect(report.evaluation.did, report.spec)}"


def design(report: ReleasedRun) -> str:
    """The study's design in one sentence."""
    arms = study_words.arms_rule(report.spec)
    return f"Difference in differences of {report.spec.program.name}, not randomised. {arms}."


def data_sources(report: ReleasedRun) -> str:
    """The input files, by name and size."""
    inputs = report.evaluation.quality.inputs
    named = listed([f"{r['role']} ({count(r['rows'])} rows)" for r in inputs.to_dict("records")])
    made = "synthetic " if report.spec.data.synthetic else ""
    return f"Claims and enrolment tables, {made}layout {report.spec.data.source}: {named}."


def codes(report: ReleasedRun) -> str:
    """Where the lists of codes are, and the study's own."""
    own = report.spec.claims.service_categories
    more = f" Service categories: the study's own list {own}." if own else ""
    return (
        "Codes of visits, conditions and services are data files of the package "
        f"(definitions/codelists, with a source for each).{more}"
    )


def cleaning(report: ReleasedRun) -> str:
    """What the input rules found, and how much of the dollars was kept."""
    quality = report.evaluation.quality
    return f"{cohort_words.rules_found(quality)} {cohort_words.dollars_kept(quality)}"


def population(report: ReleasedRun) -> str:
    """Who is looked at, and how a member gets a practice."""
    spec = report.spec
    return f"{study_words.population_rule(spec)}. {study_words.attribution_rule(spec)}."


def exclusions(report: ReleasedRun) -> str:
    """Who is left out, by rule and by name."""
    named = [
        f"{e.practice_id or e.organization_id} {e.months}: {e.reason}" for e in report.spec.arms.exclusions
    ]
    left_out = f"Left out by name: {listed(named)}. " if named else "No practice is left out by name. "
    return left_out + "Every rule is a row of the cohort flow."


def flow(report: ReleasedRun) -> str:
    """Who is left after every rule."""
    return cohort_words.who_is_left(report.evaluation.attrition, report.spec)


def program(report: ReleasedRun) -> str:
    """What the program was, as the study file describes it; empty where it does not."""
    told = report.spec.program
    if not told.description and not told.components:
        return ""
    parts = [told.description.rstrip(".")]
    parts += [f"Components: {listed(told.components)}"] if told.components else []
    parts += [f"Payment: {told.payment_model}"] if told.payment_model else []
    parts += [f"At the same time: {listed(told.co_interventions)}"] if told.co_interventions else []
    return ". ".join(p for p in parts if p) + "."


def question(report: ReleasedRun) -> str:
    """The question of the study file."""
    return study_words.question(report.spec)


def outcome(report: ReleasedRun) -> str:
    """Which cost, truncated how, and which month it belongs to."""
    outcomes = report.spec.outcomes
    cap = outcomes.cap_usd_per_year
    which = "medical services" if outcomes.services == "medical" else "all services"
    rule = f"{study_words.cost_rule(cap)}, {which}, per member per month."
    return f"{rule} {study_words.month_rule(report.spec)}".strip()


def power(report: ReleasedRun) -> str:
    """What the study could detect."""
    baseline = words.primary_definition(report.evaluation.expected)["baseline_pmpm"]
    return words.detectable(report.evaluation.did, baseline)


def assignment(report: ReleasedRun) -> str:
    """The unit that was assigned, and how: never at random."""
    did = report.evaluation.did
    return (
        f"{study_words.arms_rule(report.spec)}; nobody was randomised. Whole organisations were assigned: "
        f"{count(did.treated_organizations)} in the program, {count(did.comparison_organizations)} compared."
    )


def clustering(report: ReleasedRun) -> str:
    """The unit of analysis, and how the interval allows for the unit of assignment."""
    return f"Practices by month, weighted by member-months. {study_words.model_of_the_interval(report.spec)}"


def analysis(report: ReleasedRun) -> str:
    """The model of the effect and of its interval."""
    spec = report.spec
    return f"{study_words.model_of_the_effect(spec)} {study_words.model_of_the_interval(spec)}"


def covariates(report: ReleasedRun) -> str:
    """What the effect is adjusted for."""
    risk, chosen = report.spec.risk, report.spec.estimation.covariates
    if not chosen:
        return "The effect is not adjusted for risk."
    return (
        f"Expected cost from the model {risk.model}, with conditions of {count(risk.lookback_months)} "
        f"months, fitted at baseline and frozen there. {cohort_words.accuracy(report.evaluation.risk)}"
    )


def time_zero(report: ReleasedRun) -> str:
    """Baseline, start and performance period."""
    periods = report.spec.periods
    washout = f", the first {count(periods.washout_months)} months left out" if periods.washout_months else ""
    return (
        f"Time zero is {month(periods.start_month)}. Baseline {month(periods.baseline.first)} to "
        f"{month(periods.baseline.last)}; performance period {month(periods.performance.first)} to "
        f"{month(periods.performance.last)}{washout}."
    )


def follow_up(report: ReleasedRun) -> str:
    """How long members are followed, and when they leave."""
    return (
        f"From the first month of enrolment in the study to the last, at most through "
        f"{month(report.spec.periods.performance.last)}; months count while enrolled. "
        f"{study_words.attribution_rule(report.spec)}."
    )


def baseline(report: ReleasedRun) -> str:
    """Who was compared."""
    return cohort_words.who_was_compared(report.evaluation.cohort, report.spec)


def equivalence(report: ReleasedRun) -> str:
    """How alike the arms were at baseline, and before the start."""
    found = report.evaluation
    return f"{cohort_words.balance(found.cohort)} {words.before_the_start(found.did)}"


def analysed(report: ReleasedRun) -> str:
    """Members and member-months of both arms."""
    months = report.evaluation.cohort.member_months
    named = listed([f"{count(n)} member-months ({arm})" for arm, n in months.items()])
    return f"{cohort_words.who_was_compared(report.evaluation.cohort, report.spec)} {named}."


def effect(report: ReleasedRun) -> str:
    """The effect, and what it means in savings."""
    found = report.evaluation
    return f"{words.effect(found.did, report.spec)} {savings_words.savings_net(found.savings)}"


def estimand(report: ReleasedRun) -> str:
    """What the number is a number of."""
    return (
        "The average effect on the program's own members, in dollars per member per month, of actual cost "
        "less the cost expected without the program; members stay in the arm that attribution gave them."
    )


def assumptions(report: ReleasedRun) -> str:
    """What must hold, and how far it may fail."""
    said = robustness_words.bounds(report.evaluation.robustness)
    first = "Without the program, cost of the arms would have changed alike, given risk."
    return " ".join([first, *said[:2]])


def sensitivity(report: ReleasedRun) -> str:
    """Other estimators and choices in short."""
    return robustness_words.in_short(report.evaluation.robustness)


def selection(report: ReleasedRun) -> str:
    """Where members who came and went are counted; empty where nobody was."""
    if report.evaluation.selection.members.empty:
        return ""
    return (
        "Members who entered, stayed, left and died are counted by arm, with the effect on leaving, in the "
        "section that is linked."
    )


def missing(report: ReleasedRun) -> str:
    """What becomes of months and cost that are not there."""
    periods = report.spec.periods
    return (
        f"Months without enrolment are not compared. {study_words.orphan_rule(report.spec)} Cost paid more "
        f"than {count(periods.run_out_months)} months after service is cut in every month alike; what is "
        "still to come is estimated beside the headline."
    )


def analysis_with_missing(report: ReleasedRun) -> str:
    """The model, and what becomes of what is missing."""
    return f"{analysis(report)} {missing(report)}"


def outcomes_by_arm(report: ReleasedRun) -> str:
    """Expected and actual cost."""
    return words.versus(report.evaluation.expected, "versus expected")


def published(report: ReleasedRun) -> str:
    """One published effect beside what this study can detect."""
    return words.published_against_detectable(report.evaluation.did, published_effect())


def limits(report: ReleasedRun) -> str:
    """The checks that did not pass, the gravest first."""
    said = words.front_page(report.evaluation.checks)
    passed = sum(c.passed is True for c in report.evaluation.checks)
    total = len(report.evaluation.checks)
    return " ".join([f"{count(passed)} of {count(total)} checks passed.", *said])


def quality(report: ReleasedRun) -> str:
    """Checks of data and of results."""
    passed = [c for c in report.evaluation.checks if c.passed is not None]
    part = sum(c.passed is True for c in passed) / len(passed) if passed else 0.0
    return (
        f"{cohort_words.rules_found(report.evaluation.quality)} {share(part, 0)} of the checks of this study "
        "passed. Every number can be compared again with medhome verify."
    )


def disclosure(report: ReleasedRun) -> str:
    """The rule for small counts."""
    return f"{study_words.disclosure_rule(report.spec)}."


def protocol(report: ReleasedRun) -> str:
    """When the study file was locked; empty where it was not, since then nothing shows it."""
    if report.protocol is None:
        return ""
    amendments = report.protocol.amendments(report.spec)
    return " ".join(protocol_words.lock_in_words(report.protocol, amendments))


def material(report: ReleasedRun) -> str:
    """What lies beside the report."""
    return (
        "Beside this page lie study.toml (every choice), results.json (every number), manifest.json (inputs, "
        "code and environment by digest) and the executed notebooks; medhome bundle packs them with code. "
        "The input data are not part of the report."
    )


ANSWERS: dict[str, Callable[[ReleasedRun], str]] = {
    answer.__name__: answer
    for answer in (
        *(summary, design, data_sources, codes, cleaning, population, exclusions, flow, program, question),
        *(outcome, power, assignment, clustering, analysis, covariates, time_zero, follow_up, baseline),
        *(equivalence, analysed, effect, estimand, assumptions, sensitivity, selection, missing),
        analysis_with_missing,
        *(outcomes_by_arm, published, limits, quality, disclosure, protocol, material),
    )
}
"""Every answer by the name that ``definitions/checklists.csv`` gives it."""
