"""What a pay for performance reads from the study's own measures of use of care and quality.

A measure of a contract has a value of its own in the study file, or names a measure of the evaluation; then
its value is the program's rate over the months after the start, in that measure's unit
(`docs/methods/payment.md`, payments of the program).
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from medhome.study.measure_results import CollapsedMeasures
from medhome.study.payment_choices import Measure, PayForPerformance
from medhome.study.problems import ModelRefusal


def with_values(
    programs: Sequence[PayForPerformance], measured: CollapsedMeasures, floor: int
) -> list[PayForPerformance]:
    """The same contracts with the value of every measure.

    Arguments
        programs: as the study file has them. measured: what the evaluation's measures came to.
        floor: the smallest number of people that may be shown (`disclosure.floor`).

    Raises `ModelRefusal` naming a measure that the input does not let be known, or whose rate rests on fewer
    people than the floor: what is paid on it would give them away.
    """
    return [
        program.model_copy(
            update={"measures": [_valued(m, program.name, measured, floor) for m in program.measures]}
        )
        for program in programs
    ]


def _valued(measure: Measure, program: str, measured: CollapsedMeasures, floor: int) -> Measure:
    if not measure.measure:
        return measure
    said = f'pay for performance "{program}": {measure.id} takes its value from {measure.measure}, which'
    found = [m.rates for m in measured.measures if m.measure == measure.measure and not m.gap]
    if not found:
        unknown = measured.unknown
        why = unknown.loc[unknown["measure"] == measure.measure, "why"].tolist() or ["it was not evaluated"]
        raise ModelRefusal(f"{said} is not known ({why[0]}); give its value in the study file")
    rates = found[0]
    row = rates[(rates["arm"] == "treated") & (rates["period"] == "performance")]
    if row.empty or pd.isna(row["rate"].iloc[0]):
        raise ModelRefusal(f"{said} has no rate after the start; give its value in the study file")
    members, having = int(row["members"].iloc[0]), int(row["members_with"].iloc[0])
    if any(0 < people < floor for people in (members, having, members - having)):
        raise ModelRefusal(
            f"{said} rests on fewer than {floor} people, with or without an event, whom payment on it would "
            "give away; give its value in the study file"
        )
    return measure.model_copy(update={"value": float(row["rate"].iloc[0])})
