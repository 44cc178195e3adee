"""Which practice does a member belong to? By visits in a look-back, by the payer's roster, or by a rule.

A look-back inside the baseline would pick months of illness and fake a fall (`docs/methods.md`, attribution).
So visits are counted in the months before the first month asked about: before the baseline, where attribution
is frozen; before each period, alike in both arms, where it is done afresh (`tables.populations`).
"""

from __future__ import annotations

import datetime as dt

import ibis
from ibis import _
from ibis.expr.types import Table

from medhome.study.periods import Span, month_name, month_start
from medhome.study.problems import DataProblem
from medhome.study.spec import StudySpec
from medhome.tables.claims import codelist, counted, is_void, month_of
from medhome.tables.engine import fetch

PLACEHOLDER = "PLACEHOLDER-"
_LISTED = 12


def attribute(inputs: dict[str, Table], persons: Table, spec: StudySpec, month: int | None = None) -> Table:
    """The practice of each person, by the method of the study file, as of the start of a month.

    Arguments
        month: the first baseline month if None.

    One row per attributed person: ``person_key``, ``practice_id``.
    """
    first = spec.periods.baseline.first if month is None else month
    return by_visits(inputs, persons, Span(first - spec.attribution.lookback_months, first), spec, first)


def by_visits(
    inputs: dict[str, Table], persons: Table, span: Span, spec: StudySpec, month: int | None = None
) -> Table:
    """The practice of each person by the visits of these months; by the list of a month where a roster rules.

    Arguments
        span: months whose visits count.
        month: which month of ``provider_attribution`` speaks by method "roster"; the first of the span if
            None.

    One row per attributed person: ``person_key``, ``practice_id``.
    """
    method = spec.attribution.method
    if method == "roster":
        return from_roster(inputs, persons, span.first if month is None else month)
    if method == "rule":
        return placeholder(persons, spec)
    return (stepwise if method == "stepwise" else plurality)(inputs, persons, span, spec)


def visits(
    inputs: dict[str, Table], persons: Table, span: Span, spec: StudySpec, specialists: bool = False
) -> Table:
    """Primary-care visits in these months.

    A visit is a professional line with a procedure code and a place of service of
    ``definitions/codelists/primary_care_visits.csv``, rendered by a clinician who is flagged as primary care
    in a practice on that day (``specialists``: who is not, and whose specialty is one of
    ``attribution.specialties``). Denied lines, lines paid after the run-out cut and visits that a void took
    back do not count.

    One row per person, day and clinician: ``person_key``, ``day``, ``practice_id``, ``allowed_cents``.
    """
    codes = codelist("primary_care_visits")
    procedures = [c["code"] for c in codes if c["column"] == "hcpcs_code"]
    places = [c["code"] for c in codes if c["column"] == "place_of_service_code"]
    claim = inputs["medical_claim"]
    day = claim.claim_start_date
    found = claim.filter(
        claim.claim_type == "professional",
        day >= ibis.date(month_start(span.first)),
        day < ibis.date(month_start(span.end)),
        claim.hcpcs_code.isin(procedures),
        claim.place_of_service_code.isin(places),
        counted(claim, month_of(day), spec),
    ).select(
        person_id=claim.person_id,
        npi=claim.rendering_npi,
        day=day,
        sign=ibis.ifelse(is_void(claim), -1, 1),
        allowed_cents=claim.allowed_cents.fill_null(0),
    )
    standing = (
        found.group_by("person_id", "npi", "day")
        .aggregate(net=_.sign.sum(), allowed_cents=_.allowed_cents.sum())
        .filter(_.net > 0)
    )
    keyed = standing.join(persons.select("person_key", "person_id"), "person_id")
    affiliation = inputs["provider_practice"]
    wanted = affiliation.x_primary_care == 1
    if specialists:
        wanted = ~wanted & affiliation.specialty.strip().upper().isin(_specialties(spec)).fill_null(False)
    affiliation = affiliation.filter(wanted).select(
        affiliate_npi=affiliation.npi,
        practice_id=affiliation.practice_id,
        since=affiliation.effective_start_date.fill_null(ibis.date(dt.date(1, 1, 1))),
        until=affiliation.effective_end_date.fill_null(ibis.date(dt.date(9999, 12, 31))),
    )
    joined = keyed.join(
        affiliation,
        [
            keyed.npi == affiliation.affiliate_npi,
            keyed.day >= affiliation.since,
            keyed.day <= affiliation.until,
        ],
    )
    # A clinician listed in two practices on one day works, for us, in the one joined last.
    newest = ibis.row_number().over(
        group_by=[joined.person_key, joined.npi, joined.day],
        order_by=[joined.since.desc(), joined.practice_id],
    )
    return (
        joined.mutate(nth=newest)
        .filter(_.nth == 0)
        .select("person_key", "day", "practice_id", "allowed_cents")
    )


_TIES = {"recency": "latest", "dollars": "allowed_cents"}


def plurality(
    inputs: dict[str, Table], persons: Table, span: Span, spec: StudySpec, specialists: bool = False
) -> Table:
    """Each person's practice by most primary-care visits in these months.

    Two visits to one practice on one day are one. Ties go by ``attribution.tie_break``: to the latest visit,
    to the highest allowed dollars; then to the first ``practice_id`` in order. Fewer than
    ``attribution.min_visits`` visits to the practice: not attributed.

    One row per attributed person: ``person_key``, ``practice_id``.
    """
    counts = (
        visits(inputs, persons, span, spec, specialists)
        .group_by("person_key", "practice_id")
        .aggregate(visit_days=_.day.nunique(), latest=_.day.max(), allowed_cents=_.allowed_cents.sum())
    )
    ties = [counts[_TIES[rule]].desc() for rule in spec.attribution.tie_break]
    order = [counts.visit_days.desc(), *ties, counts.practice_id]
    return (
        counts.mutate(nth=ibis.row_number().over(group_by=_.person_key, order_by=order))
        .filter((_.nth == 0) & (_.visit_days >= spec.attribution.min_visits))
        .select("person_key", "practice_id")
    )


def stepwise(inputs: dict[str, Table], persons: Table, span: Span, spec: StudySpec) -> Table:
    """Plurality among primary-care clinicians; who saw none, among specialists of the declared specialties.

    One row per attributed person: ``person_key``, ``practice_id``.

    Raises `DataProblem` when no clinician of ``provider_practice`` has a declared specialty.
    """
    _refuse_unknown_specialties(inputs["provider_practice"], spec)
    by_primary_care = plurality(inputs, persons, span, spec)
    by_specialist = plurality(inputs, persons, span, spec, specialists=True)
    return ibis.union(by_primary_care, by_specialist.anti_join(by_primary_care, "person_key"))


def _specialties(spec: StudySpec) -> list[str]:
    return [s.strip().upper() for s in spec.attribution.specialties if s.strip()]


def _refuse_unknown_specialties(affiliation: Table, spec: StudySpec) -> None:
    named = fetch(affiliation.select(specialty=affiliation.specialty.strip().upper()).distinct())
    known = sorted(s for s in named["specialty"].dropna() if s)
    if set(known) & set(_specialties(spec)):
        return
    found = ", ".join(known[:_LISTED]) + (", ..." if len(known) > _LISTED else "")
    raise DataProblem(
        f"provider_practice.specialty: no clinician has one of attribution.specialties "
        f"({', '.join(_specialties(spec))}); the file has: {found or 'none at all'}"
    )


def from_roster(inputs: dict[str, Table], persons: Table, month: int) -> Table:
    """Each person's practice as the payer attributed it in a month.

    Reads ``payer_attributed_provider_practice`` of ``provider_attribution``; two practices in the month: the
    first in order.

    Raises `DataProblem` where the table is missing.
    """
    if "provider_attribution" not in inputs:
        raise DataProblem(
            'provider_attribution: attribution.method is "roster", but the data folder has no such table; '
            'add it, or set attribution.method to "plurality"'
        )
    table = inputs["provider_attribution"]
    listed = table.filter(
        table.year_month.cast("string").replace("-", "") == month_name(month).replace("-", ""),
        table.payer_attributed_provider_practice.notnull(),
    )
    one = listed.group_by("person_id").aggregate(practice_id=_.payer_attributed_provider_practice.min())
    return one.join(persons.select("person_key", "person_id"), "person_id").select(
        "person_key", "practice_id"
    )


def placeholder(persons: Table, spec: StudySpec) -> Table:
    """A made-up practice for each person, where no program exists: the hash of the identifier decides.

    Practices are ``PLACEHOLDER-01`` and so on; the first ones (`placeholder_treated` of them) stand for the
    treated arm. By rule "hash", every person may fall into any practice; by rule "state", people of the
    states named fall into treated practices and all others into comparison ones. The hash is md5 of
    ``person_id``, the same on every engine.

    One row per person: ``person_key``, ``practice_id``.
    """
    arms = spec.arms
    treated = placeholder_treated(spec)
    everyone = (0, arms.placeholder_practices)
    if arms.rule == "state":
        states = [s.upper() for s in arms.treated_states]
        pools = {1: (0, treated), 0: (treated, arms.placeholder_practices)}
        pool = persons.state.isin(states).cast("int8")
    else:
        pools, pool = {0: everyone}, ibis.literal(0, "int8")
    rows = []
    for name, (first, end) in pools.items():
        for i in range(first, end):
            low = 2**32 * (i - first) // (end - first)
            high = 2**32 * (i - first + 1) // (end - first)
            # "g" sorts after every hexadecimal digit: nothing lies above the last bound.
            bound = f"{high:08x}" if high < 2**32 else "g"
            rows.append((name, f"{low:08x}", bound, placeholder_name(i + 1, spec)))
    bins = ibis.memtable(
        rows, schema={"pool": "int8", "low": "string", "high": "string", "practice_id": "string"}
    )
    hashed = persons.select("person_key", pool=pool, hash=persons.person_id.hexdigest("md5").substr(0, 8))
    joined = hashed.join(bins, [hashed.pool == bins.pool, hashed.hash >= bins.low, hashed.hash < bins.high])
    return joined.select("person_key", "practice_id")


def placeholder_name(number: int, spec: StudySpec) -> str:
    """The name of a placeholder practice, by its number from 1."""
    return f"{PLACEHOLDER}{number:0{len(str(spec.arms.placeholder_practices))}d}"


def placeholder_treated(spec: StudySpec) -> int:
    """How many placeholder practices stand for the treated arm: at least one, and at least two others."""
    practices = spec.arms.placeholder_practices
    return max(1, min(practices - 2, round(spec.arms.treated_share * practices)))
