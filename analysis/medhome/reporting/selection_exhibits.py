"""Selection (exhibit T18): who came and went by arm, and where members were in fact seen."""

from __future__ import annotations

from medhome.reporting.blocks import NOTHING, Block, paragraphs
from medhome.reporting.cohort_exhibits import by_arm, usd0
from medhome.reporting.datatable import Column, DataTable, Row, records
from medhome.reporting.study_words import arm_label, treated_arm
from medhome.study.display import absent, count, interval, number, p_value, pmpm, share, usd
from medhome.study.released import ReleasedRun
from medhome.study.selection_results import Selection
from medhome.study.spec import StudySpec

_STATUS = {
    "entered": "Entered after the baseline",
    "stayed": "Stayed to the end",
    "left": "Left",
    "died": "Died",
}
_PERIODS = {"baseline": "Baseline", "performance": "After the start"}


def who_came_and_went(report: ReleasedRun) -> Block:
    """Exhibit T18: members who entered, stayed, left and died, by arm, and whether leaving differs."""
    found, spec = report.evaluation.selection, report.spec
    if found.members.empty:
        return NOTHING
    return (
        paragraphs(in_words(found, spec))
        + members(found, spec).block()
        + exits(found, spec).block()
        + effects(found).block()
    )


def where_members_were_seen(report: ReleasedRun) -> Block:
    """Table: members of each arm by where they were in fact seen after the start (crossovers)."""
    found, spec = report.evaluation.selection, report.spec
    if found.crossovers.empty:
        return NOTHING
    return paragraphs(crossed_in_words(found, spec)) + crossovers(found, spec).block()


def in_words(found: Selection, spec: StudySpec) -> list[str]:
    """Whether leaving, and who is there, changed otherwise in the treated arm."""
    rows = {str(row["outcome"]): row for row in records(found.effects)}
    leaving, there = rows["exit_rate"], rows["composition"]
    more = "more" if not absent(leaving["estimate"]) and leaving["estimate"] > 0 else "fewer"
    sentences = []
    if absent(leaving["estimate"]):
        sentences.append(
            f"Whether members left {treated_arm(spec)} otherwise than the comparison cannot be told: "
            f"{leaving['note']}."
        )
    else:
        sentences.append(
            f"After the start {number(abs(leaving['estimate']), 1)} {more} members in 1,000 left in a month "
            f"than the change in the comparison leads to expect{_how_sure(leaving)}."
        )
    if not absent(there["estimate"]):
        sentences.append(
            "With every member's expected cost frozen at the baseline, a change of who is there moved "
            f"expected cost by {pmpm(there['estimate'])} more than in the comparison{_how_sure(there)}: so "
            "much of a difference in cost can come from who came and went."
        )
    return sentences


def _how_sure(row: Row) -> str:
    if absent(row["lo95"]):
        return f" ({row['note']})" if row["note"] else ""
    write = usd if row["unit"] == "USD PMPM" else _rate
    return f" (95% interval {interval(row['lo95'], row['hi95'], write)})"


def _rate(value: object) -> str:
    return number(value, 1)


def crossed_in_words(found: Selection, spec: StudySpec) -> list[str]:
    """How many members of each arm the other one saw, and how many nobody saw."""
    sentences = []
    whole = found.crossovers.groupby("arm")["member_months"].sum(min_count=4)
    for arm, other in (("treated", "comparison"), ("comparison", "treated")):
        mine = found.crossovers[(found.crossovers["arm"] == arm) & (found.crossovers["seen_in"] == other)]
        months = mine["member_months"].iloc[0]
        if not absent(months) and not absent(whole[arm]) and whole[arm] > 0:
            sentences.append(
                f"{arm_label(arm, spec)}: {share(months / whole[arm])} of member-months after the start were "
                "of members whom a practice of the other arm then saw most."
            )
    for row in records(found.without_visits):
        if absent(row["share"]):
            continue
        sentences.append(
            f"{share(row['share'])} of all eligible members could not be given a practice at all."
            if row["arm"] == "everyone"
            else f"{arm_label(str(row['arm']), spec)}: {share(row['share'])} of members had no visit that "
            "counts after the start."
        )
    return sentences


def members(found: Selection, spec: StudySpec) -> DataTable:
    """Exhibit T18 by arm and status."""
    frame = by_arm(found.members, spec)
    frame = frame.assign(status_label=[_STATUS[str(s)] for s in frame["status"]])
    return DataTable(
        id="tbl-selection",
        caption="Who entered, stayed, left and died",
        frame=frame,
        columns=(
            Column("status_label", "Members who", beneath=Column("arm_label", "arm")),
            Column("members", "Members", count),
            Column("share", "Share", share, "of the arm"),
            Column("member_months", "Member-months", count),
            Column("baseline_pmpm", "Baseline cost", usd, "$ PMPM"),
            Column("risk_pmpm", "Expected cost", usd, "$ PMPM, frozen at baseline"),
        ),
        counts=Selection.COUNTS["members"],
        resting=Selection.RESTING["members"],
        note="Entered: no month in the baseline. Left: gone before the last month analysed, not by death. A "
        "program that keeps the healthy and loses the ill shows in the last two columns.",
    )


def exits(found: Selection, spec: StudySpec) -> DataTable:
    """Leaving by arm and period."""
    frame = by_arm(found.exits, spec)
    frame = frame.assign(period_label=[_PERIODS[str(p)] for p in frame["period"]])
    return DataTable(
        id="tbl-exits",
        caption="Members leaving, by arm and period",
        frame=frame,
        columns=(
            Column("period_label", "Period", beneath=Column("arm_label", "arm")),
            Column("members", "Left", count, "members"),
            Column("member_months", "Member-months at risk", count),
            Column("per_1000", "Leaving", lambda value: number(value, 1), "per 1,000 member-months"),
        ),
        counts=Selection.COUNTS["exits"],
        resting=Selection.RESTING["exits"],
        note="In the period of the last month with exposure. The last month analysed has nobody at risk.",
    )


def effects(found: Selection) -> DataTable:
    """Difference in differences of leaving, and of who is there."""
    return DataTable(
        id="tbl-selection-effects",
        caption="Does who is there change otherwise in the program? Difference in differences",
        frame=found.effects,
        columns=(
            Column("label", "Outcome"),
            Column("estimate", "Difference", number),
            Column("unit", "Unit"),
            Column("lo95", "95% interval", number, upper="hi95"),
            Column("p", "p", p_value),
            Column("organizations", "Organisations", count),
            Column("note", "Note", seldom=True),
        ),
        note="Random effects on the organisations' changes, the sampling of members taken as known, a flat "
        "prior on how far organisations move by themselves.",
    )


def crossovers(found: Selection, spec: StudySpec) -> DataTable:
    """Members of each arm by where they were in fact seen."""
    frame = by_arm(found.crossovers, spec)
    frame = frame.assign(seen_label=[_seen(str(s), spec) for s in frame["seen_in"]])
    return DataTable(
        id="tbl-crossovers",
        caption="Where members were in fact seen after the start",
        frame=frame,
        columns=(
            Column("seen_label", "Seen in", beneath=Column("arm_label", "arm of the evaluation")),
            Column("members", "Members", count),
            Column("member_months", "Member-months", count),
            Column("allowed_usd", "Allowed, capped", usd0, "$"),
            Column("baseline_pmpm", "Baseline cost", usd, "$ PMPM"),
            Column("risk_pmpm", "Expected cost", usd, "$ PMPM, frozen at baseline"),
        ),
        counts=Selection.COUNTS["crossovers"],
        resting=Selection.RESTING["crossovers"],
        note="By the rule of attribution, applied to each 12 months after the start (rosters: each month). "
        "The evaluation counts members in the arm of the small print, wherever they were seen; a member seen "
        "in several places counts in each, with the months of each.",
    )


def _seen(place: str, spec: StudySpec) -> str:
    return {
        "excluded": "Practices in neither arm",
        "not attributed": "Nowhere: no visit that counts",
    }.get(place) or arm_label(place, spec)
