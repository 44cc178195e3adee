"""The cost of members with the same months, from which a model with an effect of every member is exact."""

from __future__ import annotations

from ibis import _

from medhome.study.cells import Cells
from medhome.study.problems import ModelRefusal
from medhome.study.spec import StudySpec
from medhome.tables.moments import collapse_members
from medhome.tables.panel import Panel

KEYS = ("organization_id", "practice_id", "arm")


def patterns(panel: Panel, spec: StudySpec) -> Cells | None:
    """Cells of ``allowed_capped`` by practice and pattern of months (`moments.collapse_members`).

    None where the study does not ask for member effects. Members' months count in full: raises `ModelRefusal`
    where they are fractions.
    """
    if not spec.estimation.member_effects:
        return None
    if spec.population.exposure == "day_fraction":
        raise ModelRefusal(
            'estimation.member_effects needs whole member-months; population.exposure is "day_fraction"'
        )
    members = panel.members.select("person_key", *KEYS)
    inside = panel.months.filter(_.month.isin(list(spec.periods.analysed)), _.w > 0)
    rows = inside.join(members, "person_key").select(
        "person_key", "month", *KEYS, allowed_capped=_.allowed_capped_cents
    )
    return collapse_members(
        rows, "person_key", "month", KEYS, ["allowed_capped"], held={"allowed_capped": 100}
    )
