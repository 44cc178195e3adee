"""Codes of simulated care: diagnoses, procedures, groups of stays, and who gave the care."""

from __future__ import annotations

import numpy as np

from medhome.simulate import codes, costs
from medhome.simulate.members import DAYS_PER_YEAR, Members
from medhome.simulate.providers import PEDIATRICS, Providers
from medhome.simulate.world import WorldSettings

_STEP_CODING = 10
_CODED_MORE = ("diabetes", "coronary", "copd", "depression")
_OWN_CLINICIAN_SHARE, _OTHER_SITE_SHARE, _OTHER_ORGANIZATION_SHARE = 0.80, 0.05, 0.10


def diagnoses(
    rng: np.random.Generator,
    members: Members,
    kind: np.ndarray,
    owner: np.ndarray,
    day: np.ndarray,
    month: np.ndarray,
) -> np.ndarray:
    """First and second diagnosis of each event, as places in codes.DIAGNOSES; -1: none."""
    n = len(kind)
    active = members.onset[owner] <= month[:, None]
    order = rng.random(active.shape, dtype=np.float32) * active
    one = order.argmax(axis=1)
    some = active.any(axis=1)
    order[np.arange(n), one] = 0
    two = order.argmax(axis=1)
    another = order.max(axis=1) > 0
    pick = rng.random(n)
    acute = np.zeros(n, dtype=np.int64)
    child = day - members.birth_day[owner] < 18 * DAYS_PER_YEAR
    for number, choices in codes.ACUTE_DIAGNOSES.items():
        mine = kind == number
        acute[mine] = np.array(choices)[(pick[mine] * len(choices)).astype(np.int64)]
    young = child & np.isin(kind, (costs.PRIMARY_CARE, costs.LABORATORY, costs.EMERGENCY))
    acute[young] = np.array(codes.CHILD_DIAGNOSES)[
        (pick[young] * len(codes.CHILD_DIAGNOSES)).astype(np.int64)
    ]
    pregnant = (month < members.delivery[owner]) & (month >= members.delivery[owner] - 7)
    acute[pregnant & ~young] = codes.diagnosis("prenatal")
    share = np.zeros(max(codes.CONDITION_FIRST_SHARE) + 1)
    share[list(codes.CONDITION_FIRST_SHARE)] = list(codes.CONDITION_FIRST_SHARE.values())
    lead = some & (rng.random(n) < share[kind])
    first = np.where(lead, one, acute)
    also = np.where(lead, another, some) & (rng.random(n) < 0.5)
    second = np.where(also, np.where(lead, two, one), -1)
    out = np.stack([first, second], axis=1)
    male = ~members.female[owner]
    out[male[:, None] & (out == codes.diagnosis("cancer"))] = codes.diagnosis("prostate_cancer")
    return out


def intensified(
    world: WorldSettings,
    members: Members,
    providers: Providers,
    kind: np.ndarray,
    owner: np.ndarray,
    day: np.ndarray,
    month: np.ndarray,
    clinician: np.ndarray,
    diagnoses: np.ndarray,
) -> np.ndarray:
    """Diagnoses with those that the program's practices code after the start without more illness.

    ``world.coding_intensity_share`` of the adults' routine visits without a second diagnosis get one: a
    condition drawn from those that the risk model knows. Costs, visits and all other codes stay as they are.
    """
    if not world.coding_intensity_share:
        return diagnoses
    rng = np.random.default_rng([world.seed, _STEP_CODING, members.chunk])
    drawn = rng.random(len(kind)) < world.coding_intensity_share
    which = rng.integers(0, len(_CODED_MORE), len(kind))
    adult = day - members.birth_day[owner] >= 18 * DAYS_PER_YEAR
    site = np.searchsorted(providers.site_first_clinician, clinician, side="right") - 1
    here = providers.site_program[np.minimum(site, providers.sites - 1)] & (month >= world.start_offset)
    mine = drawn & here & adult & (kind == costs.PRIMARY_CARE) & (diagnoses[:, 1] < 0)
    out = diagnoses.copy()
    out[mine, 1] = np.array([codes.diagnosis(name) for name in _CODED_MORE])[which[mine]]
    return out


def drg(first: np.ndarray) -> np.ndarray:
    table = np.full(len(codes.DIAGNOSES), codes.DRG_VOCABULARY.index(codes.DRG_OTHER))
    for name, drg in codes.DRG_BY_DIAGNOSIS.items():
        table[codes.diagnosis(name)] = codes.DRG_VOCABULARY.index(drg)
    table[codes.diagnosis("prostate_cancer")] = table[codes.diagnosis("cancer")]
    return table[first]


def procedures(
    rng: np.random.Generator,
    members: Members,
    claim: np.ndarray,
    line: np.ndarray,
    sets: np.ndarray,
    owner: np.ndarray,
    day: np.ndarray,
    most_lines: int,
) -> np.ndarray:
    """Procedure code of each line; a claim's versions share it."""
    pick = rng.random((int(claim.max(initial=0)) + 1, most_lines))[claim, line]
    child = (day - members.birth_day[owner] < 18 * DAYS_PER_YEAR) & (
        sets == codes.PROCEDURE_SETS.index("office")
    )
    sets = np.where(child, codes.PROCEDURE_SETS.index("child_office"), sets)
    out = np.full(len(sets), -1)
    for number, name in enumerate(codes.PROCEDURE_SETS):
        options = codes.PROCEDURES[name]
        if options:
            mine = np.flatnonzero(sets == number)
            bounds = np.cumsum([share for _, share in options])[:-1]
            numbers = np.array([codes.PROCEDURE_VOCABULARY.index(code) for code, _ in options])
            out[mine] = numbers[np.searchsorted(bounds, pick[mine], side="right")]
    return out


def rendering(
    rng: np.random.Generator,
    providers: Providers,
    members: Members,
    kind: np.ndarray,
    owner: np.ndarray,
    day: np.ndarray,
    home: np.ndarray,
) -> np.ndarray:
    """Clinician of each event: for routine visits mostly the member's own, else another one.

    A visit in another organisation is at the earliest a member's third in the world, so that such visits
    never outnumber those at home.
    """
    n = len(kind)
    first = providers.site_first_clinician
    site = home.copy()
    where = rng.random(n)
    routine = kind == costs.PRIMARY_CARE
    # Another site of the organisation, where it sees the same ages.
    organization = providers.site_organization[home]
    begin = np.searchsorted(providers.site_organization, np.arange(organization.max(initial=0) + 2))
    siblings = begin[organization + 1] - begin[organization]
    sibling = begin[organization] + np.floor(rng.random(n) * siblings).astype(np.int64)
    same_ages = (providers.site_kind[sibling] == PEDIATRICS) == (providers.site_kind[home] == PEDIATRICS)
    other_site = routine & (where < _OTHER_SITE_SHARE) & same_ages
    site[other_site] = sibling[other_site]
    stranger = np.floor(rng.random(n) * providers.sites).astype(np.int64)
    number = _visit_number(routine, owner, day)
    away = routine & (where > 1 - _OTHER_ORGANIZATION_SHARE) & (number >= 3) & (number % 2 == 1)
    away &= providers.site_kind[stranger] == providers.site_kind[home]
    site[away] = stranger[away]
    own = (site == members.site[owner]) & (rng.random(n) < _OWN_CLINICIAN_SHARE)
    anyone = first[site] + np.floor(rng.random(n) * (first[site + 1] - first[site])).astype(np.int64)
    primary = np.where(own, members.clinician[owner], anyone)
    specialist = providers.clinicians + np.floor(rng.random(n) * providers.specialists).astype(np.int64)
    return np.where(routine, primary, specialist)


def _visit_number(routine: np.ndarray, owner: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Running number of a member's routine visits by day, from 1; 0 for other events."""
    visits = np.flatnonzero(routine)
    order = visits[np.lexsort((day[visits], owner[visits]))]
    new = np.ones(len(order), dtype=bool)
    new[1:] = owner[order][1:] != owner[order][:-1]
    start = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    out = np.zeros(len(routine), dtype=np.int64)
    out[order] = np.arange(len(order)) - start + 1
    return out
