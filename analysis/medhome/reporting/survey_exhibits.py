"""Tables of satisfaction and access: items and composites with effects, and who answered."""

from __future__ import annotations

from medhome.reporting import survey_words as words
from medhome.reporting.datatable import Column, DataTable, records
from medhome.reporting.study_words import arm_label
from medhome.study.display import count, number, p_value, share
from medhome.study.spec import StudySpec
from medhome.study.survey_results import Surveys


def effects(found: Surveys, spec: StudySpec) -> DataTable:
    """Each item and composite: rates of both arms in both waves, the effect, and p-values as adjusted."""
    frame = words.with_instruments(found.effects, found, "family")
    frame = frame.assign(about=[words.about(row) for row in records(frame)])

    def rate(name: str, label: str, after: Column | None = None) -> Column:
        return Column(name, label, number, by_row=lambda row: words.rate(row, name), beneath=after)

    means = [
        rate(f"{arm}_baseline", f"{arm_label(arm, spec)} before", rate(f"{arm}_performance", "after"))
        for arm in ("treated", "comparison")
    ]
    notes = [
        "Before, and beneath it after, the start. Shares of answers in the top box, weighted and at one case "
        "mix; effects in percentage points, or in "
        "the unit of the amount, actual minus expected. p-values are adjusted for the items of an instrument."
    ]
    notes += [f"{row['label']}: {row['note']}." for row in records(frame) if row["note"]]
    return DataTable(
        id="tbl-surveys",
        caption="Satisfaction and access: rates and effects",
        frame=frame,
        columns=(
            Column("label", "Item", beneath=Column("about", "instrument")),
            *means,
            Column("estimate", "Effect", number, by_row=words.effect),
            Column("lo95", "95% interval", number, upper="hi95", by_row=words.effect_interval),
            Column("p_holm", "Holm", p_value, beneath=Column("p_bh", "BH", p_value)),
        ),
        counts=Surveys.COUNTS["effects"],
        resting=Surveys.RESTING["effects"],
        note="\n".join(notes),
    )


def responses(found: Surveys, spec: StudySpec) -> DataTable:
    """Who was asked and who answered, by instrument, arm and wave."""
    frame = found.responses
    frame = frame.assign(
        arm_label=[arm_label(arm, spec) for arm in frame["arm"]],
        when=frame["period"].map({"baseline": "before", "performance": "after"}),
    )
    return DataTable(
        id="tbl-survey-responses",
        caption="Who answered",
        frame=frame,
        columns=(
            Column("label", "Instrument"),
            Column("arm_label", "Arm"),
            Column("when", "Wave"),
            Column("invited", "Asked", count),
            Column("members", "Respondents", count),
            Column("response_share", "Response", share),
            Column("answers", "Answers", count),
        ),
        counts=Surveys.COUNTS["responses"],
        resting=Surveys.RESTING["responses"],
        note="Respondents are members, clinicians or practices, as the instrument says. Asked is zero where "
        "the table has no invitations.",
    )
