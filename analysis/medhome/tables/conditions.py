"""Diagnoses → condition groups and age-sex bands, frozen at the start of the baseline.

A condition is there when its code stands on any claim line that counts (not denied, not taken back by a void,
paid by the run-out cut) in the ``risk.lookback_months`` before the baseline. One code is enough: the
groups are used to predict cost, not to count the sick. People without claims then have no condition.
"""

from __future__ import annotations

import re

import ibis
from ibis import _
from ibis.expr.types import StringValue, Table

from medhome.study.periods import Span, month_start
from medhome.study.population_choices import SPECIAL_CATEGORIES
from medhome.study.risk_years import look_back
from medhome.study.spec import StudySpec
from medhome.tables.claims import codelist, counted, is_void, month_of

AGE_BANDS = (0, 1, 5, 12, 18, 25, 35, 45, 55, 65, 75, 85)
"""First age of each band, in completed years; the last is open."""

ADULT = 18

_SEXES = {"F": ("Women", "Girls"), "M": ("Men", "Boys"), "U": ("Sex unknown,", "Sex unknown,")}
_DIAGNOSIS = re.compile(r"^diagnosis_code_\d+$")


def condition_labels() -> dict[str, str]:
    """Condition id → its name in words, in the order of the code list."""
    return {row["condition_id"]: row["label"] for row in codelist("conditions")}


def band_name(first: int) -> str:
    """Name of the age band that begins with this age.

    >>> [band_name(age) for age in (0, 1, 18, 85)]
    ['0', '1-4', '18-24', '85+']
    """
    if first == AGE_BANDS[-1]:
        return f"{first}+"
    last = AGE_BANDS[AGE_BANDS.index(first) + 1] - 1
    return str(first) if last == first else f"{first}-{last}"


def term_labels(spec: StudySpec) -> dict[str, str]:
    """Every term that the risk model may have, with its label: age-sex bands, conditions, special categories.

    The last only where the study keeps them separate: their cost then has a term of its own.
    """
    if spec.risk.model == "none":
        return {}
    terms = {}
    for sex, (grown, young) in _SEXES.items():
        for first in AGE_BANDS:
            who = grown if first >= ADULT else young
            ages = band_name(first).replace("-", " to ").replace("+", " and over")
            terms[f"age_sex:{sex}{band_name(first)}"] = f"{who} under 1" if first == 0 else f"{who} {ages}"
    if spec.risk.model == "age-sex-conditions":
        terms |= {f"condition:{name}": label for name, label in condition_labels().items()}
    if spec.population.special_categories == "separate":
        terms |= {f"special:{name}": label for name, label in SPECIAL_CATEGORIES.items()}
    return terms


def with_bands(persons: Table, spec: StudySpec) -> Table:
    """People with ``age`` (completed years in the first baseline month), ``band`` (like F18-24), ``stratum``.

    People born after that month count as age 0. Strata are those of `STRATA`; infants count as children where
    the study asks for it, and members of a special category are a stratum of their own where it asks for that
    (``persons`` then has ``special``).
    """
    age = ((spec.periods.baseline.first - persons.birth_month) / 12).floor().cast("int32")
    table = persons.mutate(age=ibis.greatest(age, 0))
    steps = [(table.age >= first, band_name(first)) for first in reversed(AGE_BANDS)]
    return table.mutate(
        band=table.sex + ibis.cases(*steps, else_=band_name(0)),
        stratum=_stratum(table, spec),
    )


def _stratum(table: Table, spec: StudySpec) -> StringValue:
    young = "children" if spec.population.infants == "children" else "infants"
    by_age = ibis.cases((table.age >= ADULT, "adults"), (table.age >= 1, "children"), else_=young)
    if spec.population.special_categories != "separate":
        return by_age
    return ibis.coalesce(table.special, by_age)


def conditions(inputs: dict[str, Table], persons: Table, spec: StudySpec) -> Table:
    """Which condition groups did each person have before the baseline?

    One row per person and condition: ``person_key``, ``condition_id``.
    """
    standing = standing_codes(inputs, spec, by=("person_id", "system", "code"))
    keyed = standing.join(persons.select("person_key", "person_id"), "person_id")
    return keyed.join(groups_of(standing), ["system", "code"]).select("person_key", "condition_id").distinct()


def standing_codes(
    inputs: dict[str, Table],
    spec: StudySpec,
    by: tuple[str, ...],
    window: Span | None = None,
    only: Table | None = None,
    codes: Table | None = None,
) -> Table:
    """The diagnoses that stand, voids taken off, on lines that count in a window of months.

    Arguments
        window: the look-back before the baseline where left out. only: ``person_id`` of whom to read. codes:
            ``system`` and ``code`` of what to read.

    One row per combination of ``by``: of person_id, month, system, code.
    """
    span = window or look_back(spec.periods, spec.risk.lookback_months).window
    claim = inputs["medical_claim"]
    columns = [c for c in claim.columns if _DIAGNOSIS.match(c)]
    day = claim.claim_start_date
    recent = claim.filter(
        day >= ibis.date(month_start(span.first)),
        day < ibis.date(month_start(span.end)),
        counted(claim, month_of(day), spec),
    )
    if only is not None:
        recent = recent.semi_join(only, "person_id")
    coded = recent.select(
        person_id=recent.person_id,
        month=month_of(recent.claim_start_date),
        system=recent.diagnosis_code_type.fill_null("").lower(),
        sign=ibis.ifelse(is_void(recent), -1, 1),
        code=ibis.array([recent[c] for c in columns]).unnest(),
    )
    known = coded.filter(_.code.notnull())
    if codes is not None:
        known = known.semi_join(codes, ["system", "code"])
    return known.group_by(by).aggregate(net=_.sign.sum()).filter(_.net > 0)


def codes_seen(inputs: dict[str, Table]) -> Table:
    """Every diagnosis code on the claims, whenever: ``system``, ``code``."""
    claim = inputs["medical_claim"]
    columns = [c for c in claim.columns if _DIAGNOSIS.match(c)]
    system = claim.diagnosis_code_type.fill_null("").lower()
    parts = [claim.select(system=system, code=claim[c]).distinct() for c in columns]
    return ibis.union(*parts, distinct=True) if len(parts) > 1 else parts[0]


def groups_of(standing: Table) -> Table:
    """The condition group of each code that was seen: ``system``, ``code``, ``condition_id``."""
    rows = [(g["system"], g["code_prefix"], g["condition_id"]) for g in codelist("conditions")]
    return matched(standing, rows, "condition_id")


def matched(standing: Table, rows: list[tuple[str, str, str]], name: str) -> Table:
    """The group of each code that was seen: ``system``, ``code``, ``name``; rows: system, prefix, group."""
    seen = standing.select("system", "code").distinct()
    groups = ibis.memtable(
        rows, schema={"group_system": "string", "code_prefix": "string", name: "string"}
    )
    return (
        seen.join(groups, [seen.system == groups.group_system, seen.code.startswith(groups.code_prefix)])
        .select("system", "code", name)
        .distinct()
    )
