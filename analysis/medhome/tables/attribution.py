"""Which practice does a member belong to? Decided once, before the first month analysed, and kept.

A look-back inside the baseline would pick months of illness and fake a fall (`docs/methods.md`, attribution).
So visits are counted in the months before the baseline, and whoever is attributed then stays with that
practice whatever happens later (intention to treat).
"""

from __future__ import annotations

import datetime as dt

import ibis
from ibis import _
from ibis.expr.types import Table

from medhome.study.periods import month_name, month_start
from medhome.study.problems import DataProblem
from medhome.study.spec import StudySpec
from medhome.tables.claims import codelist, counted, is_void, month_of

PLACEHOLDER = "PLACEHOLDER-"


def attribute(inputs: dict[str, Table], persons: Table, spec: StudySpec) -> Table:
    """The practice of each person, by the method of the study file.

    One row per attributed person: ``person_key``, ``practice_id``.
    """
    if spec.attribution.method == "roster":
        return from_roster(inputs, persons, spec)
    if spec.attribution.method == "rule":
        return placeholder(persons, spec)
    return plurality(inputs, persons, spec)


def visits(inputs: dict[str, Table], persons: Table, spec: StudySpec) -> Table:
    """Primary-care visits in the look-back, which ends the day before the baseline.

    A visit is a professional line with a procedure code and a place of service of
    ``definitions/codelists/primary_care_visits.csv``, rendered by a clinician who is flagged as primary care
    in a practice on that day. Denied lines, lines paid after the run-out cut and visits that a void took back
    do not count.

    One row per person, day and clinician: ``person_key``, ``day``, ``practice_id``, ``allowed_cents``.
    """
    codes = codelist("primary_care_visits")
    procedures = [c["code"] for c in codes if c["column"] == "hcpcs_code"]
    places = [c["code"] for c in codes if c["column"] == "place_of_service_code"]
    first = spec.periods.baseline.first
    claim = inputs["medical_claim"]
    day = claim.claim_start_date
    found = claim.filter(
        claim.claim_type == "professional",
        day >= ibis.date(month_start(first - spec.attribution.lookback_months)),
        day < ibis.date(month_start(first)),
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
    affiliation = affiliation.filter(affiliation.x_primary_care == 1).select(
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


def plurality(inputs: dict[str, Table], persons: Table, spec: StudySpec) -> Table:
    """Each person's practice by most primary-care visits before the baseline.

    Two visits to one practice on one day are one. Ties go to the latest visit, then to the highest allowed
    dollars, then to the first ``practice_id`` in order. Fewer than ``attribution.min_visits`` visits to the
    practice: not attributed.

    One row per attributed person: ``person_key``, ``practice_id``.
    """
    counts = (
        visits(inputs, persons, spec)
        .group_by("person_key", "practice_id")
        .aggregate(visit_days=_.day.nunique(), latest=_.day.max(), allowed_cents=_.allowed_cents.sum())
    )
    order = [_.visit_days.desc(), _.latest.desc(), _.allowed_cents.desc(), _.practice_id]
    return (
        counts.mutate(nth=ibis.row_number().over(group_by=_.person_key, order_by=order))
        .filter((_.nth == 0) & (_.visit_days >= spec.attribution.min_visits))
        .select("person_key", "practice_id")
    )


def from_roster(inputs: dict[str, Table], persons: Table, spec: StudySpec) -> Table:
    """Each person's practice as the payer attributed it in the first month of the baseline.

    Reads ``payer_attributed_provider_practice`` of ``provider_attribution``; two practices in the month: the
    first in order.

    Raises `DataProblem` where the table is missing.
    """
    if "provider_attribution" not in inputs:
        raise DataProblem(
            'provider_attribution: attribution.method is "roster", but the data folder has no such table; '
            'add it, or set attribution.method to "plurality"'
        )
    month = month_name(spec.periods.baseline.first).replace("-", "")
    table = inputs["provider_attribution"]
    listed = table.filter(
        table.year_month.cast("string").replace("-", "") == month,
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
