"""Events as claims: lines with codes, service and paid dates, denials, voids and replacements."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medhome.simulate import codes, costs
from medhome.simulate.costs import CostPlan, Events
from medhome.simulate.members import DAYS_PER_YEAR, Members, month_days
from medhome.simulate.providers import PEDIATRICS, Providers
from medhome.simulate.world import WorldSettings
from medhome.study.periods import month_index

ORIGINAL, DENIED, VOID, REPLACEMENT = range(4)
_LATE_SHARE, _LATE_FACTOR, _LONGEST_LAG_DAYS = 0.02, 4.0, 540
_OWN_CLINICIAN_SHARE, _OTHER_SITE_SHARE, _OTHER_ORGANIZATION_SHARE = 0.80, 0.05, 0.10
_WRONG_AMOUNT = 1.15         # a claim that is replaced was first paid at this factor of the right amount
_STEP_CLAIMS = 7


@dataclass(frozen=True, kw_only=True)
class MedicalLines:
    """Medical claim lines of a chunk; whole numbers, codes as places in the vocabularies of `codes`, -1: none."""

    event: np.ndarray        # place in Events, -1 for care outside enrolment
    person: np.ndarray       # within the chunk
    claim: np.ndarray        # number within the chunk
    version: np.ndarray      # ORIGINAL, DENIED, VOID or REPLACEMENT
    line: np.ndarray
    kind: np.ndarray         # of the event, costs.KINDS
    institutional: np.ndarray
    stay: np.ndarray
    start_day: np.ndarray
    end_day: np.ndarray
    paid_day: np.ndarray
    allowed_cents: np.ndarray
    paid_cents: np.ndarray
    form: np.ndarray
    revenue: np.ndarray
    procedure: np.ndarray
    drg: np.ndarray
    diagnoses: np.ndarray    # line x 2
    clinician: np.ndarray    # place in Providers.npi, -1 for hospitals' own lines
    facility: np.ndarray


@dataclass(frozen=True, kw_only=True)
class PharmacyLines:
    """Pharmacy claims of a chunk, one line each."""

    event: np.ndarray
    person: np.ndarray
    claim: np.ndarray
    version: np.ndarray
    day: np.ndarray
    paid_day: np.ndarray
    allowed_cents: np.ndarray
    paid_cents: np.ndarray
    ndc: np.ndarray
    drug_class: np.ndarray
    days_supply: np.ndarray
    prescriber: np.ndarray


FORM_NUMBERS = tuple(sorted(codes.FORMS))
_PLACE_OF_FORM = np.full(max(FORM_NUMBERS) + 1, -1)
_PLACE_OF_FORM[list(FORM_NUMBERS)] = np.arange(len(FORM_NUMBERS))
_FORMS = tuple(codes.FORMS[n] for n in FORM_NUMBERS)
_MOST_LINES = max(len(f.lines) for f in _FORMS)
REVENUE_VOCABULARY = tuple(sorted({line.revenue for f in _FORMS for line in f.lines if line.revenue}))


def _line_table(value, missing: float = -1) -> np.ndarray:
    out = np.full((len(_FORMS), _MOST_LINES), missing, dtype=float)
    for i, form in enumerate(_FORMS):
        for j, line in enumerate(form.lines):
            out[i, j] = value(line)
    return out


_LINES_OF_FORM = np.array([len(f.lines) for f in _FORMS])
_LINE_SHARE = _line_table(lambda line: line.share, 0.0)
_LINE_REVENUE = _line_table(lambda line: REVENUE_VOCABULARY.index(line.revenue) if line.revenue else -1).astype(np.int64)
_LINE_PROCEDURES = _line_table(lambda line: codes.PROCEDURE_SETS.index(line.procedures)).astype(np.int64)
_FORM_INSTITUTIONAL = np.array([f.institutional for f in _FORMS])
_FORM_COPAY_CENTS = np.array([f.copay_usd * 100 for f in _FORMS])
_FORM_COINSURANCE = np.array([f.coinsurance for f in _FORMS])
_FORM_PAYMENT = np.array([(f.payment_days, f.payment_spread) for f in _FORMS])


def paid_until(world: WorldSettings) -> int:
    """Last day (since 1970-01-01) of a payment that the files hold."""
    months = month_index(world.paid_through) + 1 - 1970 * 12
    return int(np.int64(months).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)) - 1


def lines_of(world: WorldSettings, providers: Providers, members: Members, plan: CostPlan, events: Events,
             usd: np.ndarray) -> tuple[MedicalLines, PharmacyLines]:
    """Claim lines of a chunk's events, of which ``usd`` are the final allowed amounts.

    All transactions, whenever paid; the files keep those paid by the cut.
    """
    rng = np.random.default_rng([world.seed, _STEP_CLAIMS, members.chunk])
    person, month = plan.person[events.cell], plan.month[events.cell]
    days = month_days(world)
    low = np.maximum(days[month], members.start_day[person])
    high = np.minimum(days[month + 1] - 1, members.end_day[person])
    day = low + np.floor(rng.random(len(person)) * (high - low + 1)).astype(np.int64)
    fill = (events.kind == costs.MAINTENANCE) | (events.kind == costs.OTHER_FILL)
    pharmacy = _pharmacy(rng, world, members, events, np.flatnonzero(fill), person, day, usd)
    medical = _medical(rng, world, providers, members, plan, events, np.flatnonzero(~fill), person, day, usd)
    return medical, pharmacy


def _cents(usd: np.ndarray) -> np.ndarray:
    return np.rint(usd * 100).astype(np.int64)


def _payment_lag(rng: np.random.Generator, median: np.ndarray | float, spread: np.ndarray | float, n: int) -> np.ndarray:
    lag = median * np.exp(spread * rng.standard_normal(n))
    lag = np.where(rng.random(n) < _LATE_SHARE, lag * _LATE_FACTOR, lag)
    return np.minimum(np.maximum(np.floor(lag), 1), _LONGEST_LAG_DAYS).astype(np.int64)


def _versions(rng: np.random.Generator, world: WorldSettings, claims: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which claim each transaction belongs to, its version, and the days from first payment to its own."""
    voided = rng.random(claims) < world.void_share
    denied = np.flatnonzero(rng.random(claims) < world.denied_share)
    later = 14 + np.floor(rng.exponential(35.0, claims)).astype(np.int64)
    voids = np.flatnonzero(voided)
    claim = np.concatenate([np.arange(claims), denied, voids, voids])
    version = np.repeat(np.array([ORIGINAL, DENIED, VOID, REPLACEMENT], dtype=np.int8),
                        [claims, len(denied), len(voids), len(voids)])
    wait = np.where(version >= VOID, later[claim], 0)
    return claim, version, wait


def _amounts(right: np.ndarray, version: np.ndarray, voided: np.ndarray) -> np.ndarray:
    """Cents of each line: the right amount, or the wrong one first paid where the claim is replaced."""
    wrong = np.rint(right * _WRONG_AMOUNT).astype(np.int64)
    return np.select([version == DENIED, version == VOID, version == REPLACEMENT],
                     [0, -wrong, right], np.where(voided, wrong, right)).astype(np.int64)


def _pharmacy(rng: np.random.Generator, world: WorldSettings, members: Members, events: Events, chosen: np.ndarray,
              person: np.ndarray, day: np.ndarray, usd: np.ndarray) -> PharmacyLines:
    n = len(chosen)
    owner, day = person[chosen], day[chosen]
    condition = events.condition[chosen]
    maintenance = condition >= 0
    lasting = {name: k for k, name in enumerate(codes.DRUG_CLASS_VOCABULARY)}
    of_condition = np.array([lasting.get(c, -1) for c in codes.DRUG_CLASSES])
    other = rng.choice(len(codes.OTHER_DRUG_CLASSES), n, p=[0.45, 0.3, 0.15, 0.1])
    drug_class = np.where(maintenance, of_condition[condition], len(lasting) - len(codes.OTHER_DRUG_CLASSES) + other)
    # A person keeps one of the products of a class.
    product = (members.first_person + owner + drug_class) % codes.NDC_PER_CLASS
    supply = np.where(maintenance, np.where(members.fills_90_days[owner], 90, 30), np.array([10, 14, 20, 30])[other])
    lag = _payment_lag(rng, codes.FILL_PAYMENT_DAYS, codes.FILL_PAYMENT_SPREAD, n)
    claim, version, wait = _versions(rng, world, n)
    right = _cents(usd[chosen])[claim]
    voided = np.bincount(claim[version == VOID], minlength=n).astype(bool)[claim]
    allowed = _amounts(right, version, voided)
    size = np.abs(allowed)
    share = np.minimum(codes.FILL_COPAY_USD * 100, size) + codes.FILL_COINSURANCE * np.maximum(
        size - codes.FILL_COPAY_USD * 100, 0)
    paid = np.sign(allowed) * (size - np.rint(share).astype(np.int64))
    return PharmacyLines(
        event=chosen[claim], person=owner[claim], claim=claim, version=version, day=day[claim], paid_day=day[claim] + lag[claim] + wait,
        allowed_cents=allowed, paid_cents=paid, ndc=(drug_class * codes.NDC_PER_CLASS + product)[claim],
        drug_class=drug_class[claim], days_supply=supply[claim], prescriber=members.clinician[owner][claim])


def _medical(rng: np.random.Generator, world: WorldSettings, providers: Providers, members: Members, plan: CostPlan,
             events: Events, chosen: np.ndarray, person: np.ndarray, day: np.ndarray, usd: np.ndarray) -> MedicalLines:
    kind, owner, day = events.kind[chosen].astype(np.int64), person[chosen], day[chosen]
    right = _cents(usd[chosen])
    stay = (kind == costs.INPATIENT) | (kind == costs.DELIVERY)
    length = np.where(stay, 1 + rng.poisson(np.minimum(right / 100 / 5000, 20)), 0)
    end = day + length
    dead = members.death_day[owner]
    end = np.where((dead >= 0) & (end > dead), np.maximum(dead, day), end)
    month = plan.month[events.cell[chosen]]
    diagnoses = _diagnoses(rng, members, kind, owner, day, month)
    clinician = _rendering(rng, world, providers, members, kind, owner, day, plan.site[events.cell[chosen]])

    # The doctors' part of a stay is a claim of its own.
    doctors = np.flatnonzero(stay)
    take = np.concatenate([np.arange(len(kind)), doctors])
    form = np.concatenate([kind, np.full(len(doctors), codes.STAY_DOCTORS)])
    form[(form == costs.SPECIALIST) & (rng.random(len(form)) < 0.3)] = codes.SPECIALIST_PROCEDURE
    place = _PLACE_OF_FORM[form]
    part = np.rint(right[doctors] * codes.STAY_DOCTORS_SHARE).astype(np.int64)
    claim_cents = np.concatenate([right, part])
    claim_cents[doctors] -= part
    lag = _payment_lag(rng, _FORM_PAYMENT[place, 0], _FORM_PAYMENT[place, 1], len(place))

    claim, version, wait = _versions(rng, world, len(place))
    voided = np.bincount(claim[version == VOID], minlength=len(place)).astype(bool)
    # One row per line of every transaction.
    lines = _LINES_OF_FORM[place[claim]]
    row = np.repeat(np.arange(len(claim)), lines)
    line = np.arange(len(row)) - np.repeat(np.cumsum(lines) - lines, lines)
    claim, version, wait = claim[row], version[row], wait[row]
    event, place = take[claim], place[claim]
    cents = claim_cents[claim]
    upto = np.cumsum(_LINE_SHARE, axis=1)
    # Line amounts are differences of rounded running totals: they add up to the claim to the cent.
    before = np.where(line > 0, np.rint(cents * upto[place, np.maximum(line - 1, 0)]), 0)
    allowed = _amounts((np.rint(cents * upto[place, line]) - before).astype(np.int64), version, voided[claim])
    size = np.abs(allowed)
    copay = np.where(line == 0, np.minimum(_FORM_COPAY_CENTS[place], size), 0)
    member_share = np.rint(copay + _FORM_COINSURANCE[place] * (size - copay)).astype(np.int64)
    institutional = _FORM_INSTITUTIONAL[place]
    hospital = providers.clinicians + providers.specialists + (
        providers.site_organization[members.site[owner[event]]] % providers.hospitals)
    is_stay = stay[event] & institutional
    return MedicalLines(
        event=chosen[event], person=owner[event], claim=claim, version=version, line=line + 1, kind=kind[event],
        institutional=institutional, stay=is_stay, start_day=day[event], end_day=end[event],
        paid_day=end[event] + lag[claim] + wait, allowed_cents=allowed,
        paid_cents=np.sign(allowed) * (size - member_share), form=place, revenue=_LINE_REVENUE[place, line],
        procedure=_procedures(rng, members, claim, line, _LINE_PROCEDURES[place, line], owner[event], day[event]),
        drg=np.where(is_stay, _drg(diagnoses[event, 0]), -1), diagnoses=diagnoses[event],
        clinician=np.where(institutional, -1, clinician[event]), facility=np.where(institutional, hospital, -1))


def _diagnoses(rng: np.random.Generator, members: Members, kind: np.ndarray, owner: np.ndarray, day: np.ndarray,
               month: np.ndarray) -> np.ndarray:
    """First and second diagnosis of each event, as places in codes.DIAGNOSIS_VOCABULARY without the edition."""
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
    acute[young] = np.array(codes.CHILD_DIAGNOSES)[(pick[young] * len(codes.CHILD_DIAGNOSES)).astype(np.int64)]
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


def _drg(first: np.ndarray) -> np.ndarray:
    table = np.full(len(codes.DIAGNOSES), codes.DRG_VOCABULARY.index(codes.DRG_OTHER))
    for name, drg in codes.DRG_BY_DIAGNOSIS.items():
        table[codes.diagnosis(name)] = codes.DRG_VOCABULARY.index(drg)
    table[codes.diagnosis("prostate_cancer")] = table[codes.diagnosis("cancer")]
    return table[first]


def _procedures(rng: np.random.Generator, members: Members, claim: np.ndarray, line: np.ndarray, sets: np.ndarray,
                owner: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Procedure code of each line; a claim's versions share it."""
    pick = rng.random((int(claim.max(initial=0)) + 1, _MOST_LINES))[claim, line]
    child = (day - members.birth_day[owner] < 18 * DAYS_PER_YEAR) & (sets == codes.PROCEDURE_SETS.index("office"))
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


def _rendering(rng: np.random.Generator, world: WorldSettings, providers: Providers, members: Members, kind: np.ndarray,
               owner: np.ndarray, day: np.ndarray, home: np.ndarray) -> np.ndarray:
    """Clinician of each event: for routine visits mostly the member's own, else one of the same site, or another.

    A visit in another organisation is at the earliest a member's third in the world, so that such visits
    never outnumber those at home.
    """
    n = len(kind)
    first = providers.site_first_clinician
    site = home.copy()
    where = rng.random(n)
    routine = kind == costs.PRIMARY_CARE
    # Another site of the organisation, of the same kind of care where the draw allows it.
    organization = providers.site_organization[home]
    begin = np.searchsorted(providers.site_organization, np.arange(organization.max(initial=0) + 2))
    sibling = begin[organization] + np.floor(rng.random(n) * (begin[organization + 1] - begin[organization])).astype(np.int64)
    child_site, adult_site = providers.site_kind[sibling] == PEDIATRICS, providers.site_kind[home] != PEDIATRICS
    other_site = routine & (where < _OTHER_SITE_SHARE) & (child_site != adult_site)
    site[other_site] = sibling[other_site]
    stranger = np.floor(rng.random(n) * providers.sites).astype(np.int64)
    away = routine & (where > 1 - _OTHER_ORGANIZATION_SHARE) & (_visit_number(routine, owner, day) >= 3)
    away &= (_visit_number(routine, owner, day) % 2 == 1) & (providers.site_kind[stranger] == providers.site_kind[home])
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
