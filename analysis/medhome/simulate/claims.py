"""Events as claims: lines with codes, service and paid dates, denials, voids and replacements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from medhome.simulate import codes, coding, costs
from medhome.simulate.costs import CostPlan, Events
from medhome.simulate.members import Members, first_days, month_days
from medhome.simulate.providers import Providers
from medhome.simulate.world import WorldSettings
from medhome.study.periods import month_index

ORIGINAL, DENIED, VOID, REPLACEMENT = range(4)
_LATE_SHARE, _LATE_FACTOR, _LONGEST_LAG_DAYS = 0.02, 4.0, 540
_WRONG_AMOUNT = 1.15  # a claim that is replaced was first paid at this factor of the right amount
_STEP_CLAIMS = 7


@dataclass(frozen=True, kw_only=True)
class MedicalLines:
    """Medical claim lines of a chunk; codes are places in the vocabularies of `codes`, -1: none."""

    event: np.ndarray  # place in Events, -1 for care outside enrolment
    person: np.ndarray  # within the chunk
    claim: np.ndarray  # number within the chunk
    version: np.ndarray  # ORIGINAL, DENIED, VOID or REPLACEMENT
    line: np.ndarray
    kind: np.ndarray  # of the event, costs.KINDS
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
    diagnoses: np.ndarray  # line x 2
    clinician: np.ndarray  # place in Providers.npi, -1 for hospitals' own lines
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


def _line_table(value: Callable[[codes.Line], float], missing: float = -1) -> np.ndarray:
    out = np.full((len(_FORMS), _MOST_LINES), missing, dtype=float)
    for i, form in enumerate(_FORMS):
        for j, line in enumerate(form.lines):
            out[i, j] = value(line)
    return out


_LINES_OF_FORM = np.array([len(f.lines) for f in _FORMS])
_LINE_SHARE = _line_table(lambda line: line.share, 0.0)
_LINE_REVENUE = _line_table(
    lambda line: REVENUE_VOCABULARY.index(line.revenue) if line.revenue else -1
).astype(np.int64)
_LINE_PROCEDURES = _line_table(lambda line: codes.PROCEDURE_SETS.index(line.procedures)).astype(np.int64)
_FORM_INSTITUTIONAL = np.array([f.institutional for f in _FORMS])
_FORM_COPAY_CENTS = np.array([f.copay_usd * 100 for f in _FORMS])
_FORM_COINSURANCE = np.array([f.coinsurance for f in _FORMS])
_FORM_PAYMENT = np.array([(f.payment_days, f.payment_spread) for f in _FORMS])


def paid_until(world: WorldSettings) -> int:
    """Last day (since 1970-01-01) of a payment that the files hold."""
    return int(first_days(np.array([month_index(world.paid_through) + 1 - 1970 * 12]))[0]) - 1


def lines_of(
    world: WorldSettings,
    providers: Providers,
    members: Members,
    plan: CostPlan,
    events: Events,
    usd: np.ndarray,
) -> tuple[MedicalLines, PharmacyLines]:
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
    return _with_orphans(rng, world, members, medical), pharmacy


def _cents(usd: np.ndarray) -> np.ndarray:
    return np.rint(usd * 100).astype(np.int64)


def _payment_lag(
    rng: np.random.Generator, median: np.ndarray | float, spread: np.ndarray | float, n: int
) -> np.ndarray:
    lag = median * np.exp(spread * rng.standard_normal(n))
    lag = np.where(rng.random(n) < _LATE_SHARE, lag * _LATE_FACTOR, lag)
    return np.minimum(np.maximum(np.floor(lag), 1), _LONGEST_LAG_DAYS).astype(np.int64)


def _versions(
    rng: np.random.Generator, world: WorldSettings, claims: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which claim each transaction belongs to, its version, and the days from first payment to its own."""
    voided = rng.random(claims) < world.void_share
    denied = np.flatnonzero(rng.random(claims) < world.denied_share)
    later = 14 + np.floor(rng.exponential(35.0, claims)).astype(np.int64)
    voids = np.flatnonzero(voided)
    claim = np.concatenate([np.arange(claims), denied, voids, voids])
    version = np.repeat(
        np.array([ORIGINAL, DENIED, VOID, REPLACEMENT], dtype=np.int8),
        [claims, len(denied), len(voids), len(voids)],
    )
    wait = np.where(version >= VOID, later[claim], 0)
    return claim, version, wait


def _amounts(right: np.ndarray, version: np.ndarray, voided: np.ndarray, claim: np.ndarray) -> np.ndarray:
    """Allowed cents of each line: the right amount, or the wrong one first paid where the claim is replaced.

    Every third denied claim carries an allowed amount all the same, as some payers' files do.
    """
    wrong = np.rint(right * _WRONG_AMOUNT).astype(np.int64)
    denied = np.where(claim % 3 == 0, right, 0)
    return np.select(
        [version == DENIED, version == VOID, version == REPLACEMENT],
        [denied, -wrong, right],
        np.where(voided, wrong, right),
    ).astype(np.int64)


def _pharmacy(
    rng: np.random.Generator,
    world: WorldSettings,
    members: Members,
    events: Events,
    chosen: np.ndarray,
    person: np.ndarray,
    day: np.ndarray,
    usd: np.ndarray,
) -> PharmacyLines:
    n = len(chosen)
    owner, day = person[chosen], day[chosen]
    condition = events.condition[chosen]
    maintenance = condition >= 0
    lasting = {name: k for k, name in enumerate(codes.DRUG_CLASS_VOCABULARY)}
    of_condition = np.array([lasting.get(c, -1) for c in codes.DRUG_CLASSES])
    other = rng.choice(len(codes.OTHER_DRUG_CLASSES), n, p=[0.45, 0.3, 0.15, 0.1])
    drug_class = np.where(
        maintenance, of_condition[condition], len(lasting) - len(codes.OTHER_DRUG_CLASSES) + other
    )
    # A person keeps one of the products of a class.
    product = (members.first_person + owner + drug_class) % codes.NDC_PER_CLASS
    supply = np.where(
        maintenance, np.where(members.fills_90_days[owner], 90, 30), np.array([10, 14, 20, 30])[other]
    )
    lag = _payment_lag(rng, codes.FILL_PAYMENT_DAYS, codes.FILL_PAYMENT_SPREAD, n)
    claim, version, wait = _versions(rng, world, n)
    right = _cents(usd[chosen])[claim]
    voided = np.bincount(claim[version == VOID], minlength=n).astype(bool)[claim]
    allowed = _amounts(right, version, voided, claim)
    size = np.abs(allowed)
    share = np.minimum(codes.FILL_COPAY_USD * 100, size) + codes.FILL_COINSURANCE * np.maximum(
        size - codes.FILL_COPAY_USD * 100, 0
    )
    paid = np.sign(allowed) * (size - np.rint(share).astype(np.int64))
    return PharmacyLines(
        event=chosen[claim],
        person=owner[claim],
        claim=claim,
        version=version,
        day=day[claim],
        paid_day=day[claim] + lag[claim] + wait,
        allowed_cents=allowed,
        paid_cents=np.where(version == DENIED, 0, paid),
        ndc=(drug_class * codes.NDC_PER_CLASS + product)[claim],
        drug_class=drug_class[claim],
        days_supply=supply[claim],
        prescriber=members.clinician[owner][claim],
    )


def _medical(
    rng: np.random.Generator,
    world: WorldSettings,
    providers: Providers,
    members: Members,
    plan: CostPlan,
    events: Events,
    chosen: np.ndarray,
    person: np.ndarray,
    day: np.ndarray,
    usd: np.ndarray,
) -> MedicalLines:
    kind, owner, day = events.kind[chosen].astype(np.int64), person[chosen], day[chosen]
    right = _cents(usd[chosen])
    stay = (kind == costs.INPATIENT) | (kind == costs.DELIVERY)
    # From amounts before the effect: two worlds that differ in the effect alone have the same lines.
    length = np.where(stay, 1 + rng.poisson(np.minimum(events.usd[chosen] / 5000, 20)), 0)
    end = day + length
    dead = members.death_day[owner]
    end = np.where((dead >= 0) & (end > dead), np.maximum(dead, day), end)
    month = plan.month[events.cell[chosen]]
    site = plan.site[events.cell[chosen]]
    diagnoses = coding.diagnoses(rng, members, kind, owner, day, month)
    clinician = coding.rendering(rng, providers, members, kind, owner, day, site)
    diagnoses = coding.intensified(world, members, providers, kind, owner, day, month, clinician, diagnoses)

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
    right_line = (np.rint(cents * upto[place, line]) - before).astype(np.int64)
    allowed = _amounts(right_line, version, voided[claim], claim)
    size = np.abs(allowed)
    copay = np.where(line == 0, np.minimum(_FORM_COPAY_CENTS[place], size), 0)
    member_share = np.rint(copay + _FORM_COINSURANCE[place] * (size - copay)).astype(np.int64)
    institutional = _FORM_INSTITUTIONAL[place]
    hospital = (
        providers.clinicians
        + providers.specialists
        + (providers.site_organization[members.site[owner[event]]] % providers.hospitals)
    )
    paid = np.where(version == DENIED, 0, np.sign(allowed) * (size - member_share))
    is_stay = stay[event] & institutional
    return MedicalLines(
        event=chosen[event],
        person=owner[event],
        claim=claim,
        version=version,
        line=line + 1,
        kind=kind[event],
        institutional=institutional,
        stay=is_stay,
        start_day=day[event],
        end_day=end[event],
        paid_day=end[event] + lag[claim] + wait,
        allowed_cents=allowed,
        paid_cents=paid,
        form=place,
        revenue=_LINE_REVENUE[place, line],
        procedure=coding.procedures(
            rng, members, claim, line, _LINE_PROCEDURES[place, line], owner[event], day[event], _MOST_LINES
        ),
        drg=np.where(is_stay, coding.drg(diagnoses[event, 0]), -1),
        diagnoses=diagnoses[event],
        clinician=np.where(institutional, -1, clinician[event]),
        facility=np.where(institutional, hospital, -1),
    )


def _with_orphans(
    rng: np.random.Generator, world: WorldSettings, members: Members, lines: MedicalLines
) -> MedicalLines:
    """The lines, with some specialist visits after the end of enrolment: care that no span covers."""
    days = month_days(world)
    left = np.flatnonzero(
        (members.end_day < days[-1] - 45) & (members.end_day >= days[0]) & (members.death_day < 0)
    )
    wanted = round(world.orphan_share * len(lines.line))
    if not len(left) or not wanted:
        return lines
    owner = np.sort(rng.choice(left, min(wanted, len(left)), replace=False))
    n = len(owner)
    day = members.end_day[owner] + 1 + np.floor(rng.random(n) * 40).astype(np.int64)
    cents = np.rint(100 * rng.lognormal(5.0, 0.5, n)).astype(np.int64)
    none, zero = np.full(n, -1), np.zeros(n, dtype=np.int64)
    form = codes.FORMS[costs.SPECIALIST]
    extra = {
        "event": none,
        "person": owner,
        "claim": int(lines.claim.max(initial=0)) + 1 + np.arange(n),
        "version": np.full(n, ORIGINAL),
        "line": zero + 1,
        "kind": zero + costs.SPECIALIST,
        "institutional": zero.astype(bool),
        "stay": zero.astype(bool),
        "start_day": day,
        "end_day": day,
        "paid_day": day + _payment_lag(rng, form.payment_days, form.payment_spread, n),
        "allowed_cents": cents,
        "paid_cents": np.rint(cents * 0.8).astype(np.int64),
        "form": zero + _PLACE_OF_FORM[costs.SPECIALIST],
        "revenue": none,
        "procedure": zero + codes.PROCEDURE_VOCABULARY.index("99213"),
        "drg": none,
        "diagnoses": np.stack([zero + codes.diagnosis("rash"), none], axis=1),
        "clinician": lines.clinician.max(initial=0) + zero,
        "facility": none,
    }
    return MedicalLines(
        **{f.name: np.concatenate([getattr(lines, f.name), extra[f.name]]) for f in fields(MedicalLines)}
    )
