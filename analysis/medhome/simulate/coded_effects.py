"""Effects on two measures that move no dollar: other codes on the same lines, after the program's start.

In practices of the program, from its start on, a share of other laboratory tests of members with diabetes are
A1c tests instead, and a share of advanced images are plain ones. Amounts, dates, clinicians and categories of
service stay as they are, so that every cost of the world is the same with and without these effects.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from medhome.simulate import codes, costs
from medhome.simulate.claims import MedicalLines
from medhome.simulate.costs import CostPlan, Events
from medhome.simulate.members import CONDITIONS, Members
from medhome.simulate.world import WorldSettings

A1C, PLAIN_IMAGE = "83036", "71020"
ADVANCED = ("70450", "72148", "73721")
_STEP_CODES = 11


def with_coded_effects(
    world: WorldSettings,
    members: Members,
    plan: CostPlan,
    events: Events,
    medical: MedicalLines,
    treated: np.ndarray,
) -> MedicalLines:
    """Medical lines with the effects of a world on its two measures; as they are where it has none.

    Arguments
        treated: by cell of ``plan``: a member-month of the program from its start on.

    A claim and its void or replacement change together. Its random numbers are a stream of their own.
    """
    if not world.a1c_effect_share and not world.imaging_effect_share:
        return medical
    rng = np.random.default_rng([world.seed, _STEP_CODES, members.chunk])
    chance = rng.random(int(medical.claim.max(initial=0)) + 1)[medical.claim]
    known = medical.event >= 0
    cell = np.where(known, events.cell[np.maximum(medical.event, 0)], 0)
    inside = known & treated[cell]
    ill = members.onset[medical.person, CONDITIONS.index("diabetes")] <= plan.month[cell]
    tests = _places([code for code, _share in codes.PROCEDURES["laboratory"] if code != A1C])
    procedure = medical.procedure.copy()
    more_tests = inside & ill & (medical.kind == costs.LABORATORY) & np.isin(procedure, tests)
    procedure[more_tests & (chance < world.a1c_effect_share)] = _places([A1C])[0]
    images = inside & np.isin(procedure, _places(ADVANCED))
    procedure[images & (chance < world.imaging_effect_share)] = _places([PLAIN_IMAGE])[0]
    return replace(medical, procedure=procedure)


def _places(wanted: list[str] | tuple[str, ...]) -> list[int]:
    return [codes.PROCEDURE_VOCABULARY.index(code) for code in wanted]
