"""Sentences on the study's risk: whose score, what timing does to the effect, how coding moved."""

from __future__ import annotations

from medhome.reporting.datatable import Row, records
from medhome.reporting.study_words import arm_label
from medhome.study.display import absent, interval, pmpm, share
from medhome.study.risk_results import RiskAdjustment
from medhome.study.spec import StudySpec

_TIMING = {
    "none": "no risk",
    "baseline": "risk at the baseline, frozen",
    "concurrent": "risk of the same year as the cost",
}


def source(found: RiskAdjustment, spec: StudySpec) -> str:
    """Which score, by which library, with which weights and mapping year, and from which diagnoses."""
    if spec.risk.model == "none":
        return "The study adjusts for no risk: every member is expected to cost the same."
    parts = [part for part in (found.source, found.weights) if part]
    if found.mapping_year:
        parts.append(f"mapping year {found.mapping_year}")
    what = "Age, sex and bands of a score" if spec.risk.scored else "A model fitted here"
    return (
        f"{what}: {', '.join(parts)}. Dollars are those of the comparison arm's baseline. Frozen risk "
        f"reads diagnoses of the {spec.risk.lookback_months} months before the baseline; concurrent risk "
        "reads those of the same year as the cost."
    )


def side_by_side(found: RiskAdjustment) -> list[str]:
    """The effect without risk, with risk at baseline and with concurrent risk, and which is the study's."""
    rows = {str(row["timing"]): row for row in records(found.effects)}
    known = {t: row for t, row in rows.items() if not absent(row["estimate"])}
    if not known:
        return []
    said = ", ".join(f"with {_TIMING[t]} {pmpm(row['estimate'])}" for t, row in known.items())
    own = next((t for t, row in known.items() if row["declared"]), None)
    sentences = [f"The effect is {said}." + (f" The study declares {_TIMING[own]}." if own else "")]
    if "concurrent" in known and "baseline" in known:
        gap = known["concurrent"]["estimate"] - known["baseline"]["estimate"]
        sentences.append(
            f"Concurrent risk moves the estimate by {pmpm(gap)} from that of frozen risk. Diagnoses made "
            "under the program are partly its own work: coding that improves looks like savings, so that "
            "frozen risk is the one to read as an effect."
        )
    return sentences


def drift(found: RiskAdjustment, spec: StudySpec) -> list[str]:
    """How much more the scores of the program's members rose than those of the comparison."""
    if found.drift_effect.empty:
        return []
    row = records(found.drift_effect)[0]
    if absent(row["estimate"]):
        return [f"Whether coding moved otherwise in one arm cannot be told: {row['note']}."]
    more = "more" if row["estimate"] > 0 else "less"
    return [
        f"From the baseline to after the start, what a year's diagnoses lead to expect rose by "
        f"{pmpm(abs(row['estimate']))} {more} in the {arm_label('treated', spec).lower()} than in "
        f"the {arm_label('comparison', spec).lower()}{_how_sure(row)}. Where it rises more with the same "
        "people, either more of them fell ill or more of their illness was coded; claims cannot tell these "
        "apart, and coding that improves looks like savings when risk is measured after the start."
    ]


def known(found: RiskAdjustment, spec: StudySpec) -> list[str]:
    """Who had no history to be scored from, and who had no score."""
    sentences = []
    for row in records(found.known):
        if absent(row["share_without_history"]) or absent(row["share_without_score"]):
            continue
        said = (
            f"{arm_label(str(row['arm']), spec)}: {share(row['share_without_history'])} of member-months are "
            "of entrants without enrolment in the look-back, scored on age and sex alone"
        )
        if spec.risk.scored:
            said += f"; {share(row['share_without_score'])} are of members with history but no score"
        sentences.append(said + ".")
    return sentences


def _how_sure(row: Row) -> str:
    if absent(row["lo95"]):
        return f" ({row['note']})" if row["note"] else ""
    return f" (95% interval {interval(row['lo95'], row['hi95'])})"
